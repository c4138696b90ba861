"""`Drawn`: what the page's components share."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
import plotly
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from ..assets import assets_dir

__all__ = ["Drawn", "as_json", "as_line", "file_url", "plotly_js", "static_routes"]

FILES = "/dx"
READY = " element.firstElementChild.dataset.ready = '';"  # `dx.whole` waits for it
ACKNOWLEDGED = "trigger = dx.asking(trigger); watch = dx.answering(watch); "  # a click is seen before its answer comes


def plotly_js() -> Path:
    """The plotly.js that plotly.py ships: the page and plotly.py's figures agree on the schema."""
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def static_routes() -> list[Mount]:
    """Where the server hands out our scripts and styles, and plotly.js: addresses that tell nothing of its folders."""
    folders = (assets_dir() / "js", assets_dir() / "css", plotly_js().parent)
    return [Mount(f"{FILES}/{folder.name}", StaticFiles(directory=folder)) for folder in folders]


@cache
def file_url(path: Path) -> str:
    """The address of a file of `static_routes`, with its content's hash so that a browser's cache is never stale."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return f"{FILES}/{path.parent.name}/{path.name}?{digest}"


def as_json(value: Any) -> str:
    """The value as the page's scripts read it; numbers that JSON has no word for become null."""
    try:
        return _written(value)
    except ValueError:  # such numbers are rare, and looking for them takes longer than writing
        return _written(_finite(value))


def as_line(value: Any) -> str:
    """The value as one of several lines."""
    return f"{as_json(value)}\n"


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_as_list)


def _as_list(array: Any) -> Any:
    """numpy's arrays and numbers, which figures hold."""
    return _finite(array.tolist())


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


class Drawn(gr.HTML):
    """A component whose markup is fixed and whose content is drawn by a script from JSON.

    Python gives values (dicts, lists; None for what hides it), the page gets JSON: it is written here and nowhere
    else. Every argument has a default because Gradio makes the component anew for each update, from what it has sent;
    an update is the class called with what changes.
    """

    markup = ""
    script = ""  # a statement; may name element, props, watch, trigger
    scripts: tuple[str, ...] = ()
    libraries: tuple[Path, ...] = ()
    sent_values: tuple[str, ...] = ("data",)  # the properties that are sent as JSON
    sent_lines: tuple[str, ...] = ()  # those that are sent as a line of JSON for each of several values
    sent_first: Mapping[str, Any] = MappingProxyType({})  # other properties, as they are at first

    def __init__(self, value: Any = None, *, elem_id: str | None = None, **props: Any) -> None:
        files = [*self.libraries, *(assets_dir() / "js" / name for name in ("dx.js", *self.scripts))]
        settings = {
            "html_template": self.markup,
            "js_on_load": f"{ACKNOWLEDGED}{self.script}{READY}",
            "head": "".join(f'<script src="{file_url(path)}"></script>' for path in files),
            "apply_default_css": False,
            "container": False,
            "padding": False,
        }
        names = {*self.sent_values, *self.sent_lines, *props}
        self._as_sent = {name: self._sent(name, props.get(name, self.sent_first.get(name))) for name in names}
        self._as_sent["value"] = self._sent("value", value)
        super().__init__(elem_id=elem_id, **(settings | self._as_sent))

    @property
    def constructor_args(self) -> dict[str, Any]:
        """What an update sends."""
        given = super().constructor_args
        return {name: self._as_sent.get(name, value) for name, value in given.items()}

    def _sent(self, name: str, value: Any) -> Any:
        if isinstance(value, str):  # it was sent before, or is a visitor's own
            return value
        if name in self.sent_lines:
            return "".join(as_line(each) for each in value or ())
        return as_json(value) if name in self.sent_values or isinstance(value, dict) else value
