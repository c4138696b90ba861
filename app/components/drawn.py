"""`Drawn`: what the page's components share."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
import plotly
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from ..assets import assets_dir

__all__ = ["Drawn", "file_url", "plotly_js", "static_routes"]

FILES = "/dx"


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


class Drawn(gr.HTML):
    """A component whose markup is fixed and whose content is drawn by a script from JSON.

    Every argument has a default because Gradio makes the component anew for each update; an update is
    `gr.update(data=…)` or the class called with what changes.
    """

    markup = ""
    script = ""  # a statement; may name element, props, watch, trigger
    scripts: tuple[str, ...] = ()
    libraries: tuple[Path, ...] = ()

    def __init__(
        self, value: Any = None, *, data: str = "null", elem_id: str | None = None, **props: Any
    ) -> None:
        files = [*self.libraries, *(assets_dir() / "js" / name for name in ("dx.js", *self.scripts))]
        settings = {
            "html_template": self.markup,
            "js_on_load": self.script,
            "head": "".join(f'<script src="{file_url(path)}"></script>' for path in files),
            "apply_default_css": False,
            "container": False,
            "padding": False,
        }
        super().__init__(value=value, data=data, elem_id=elem_id, **(settings | props))
