"""The lab's tab `code`: the run in view as a call, whether that gives the same tokens, and its settings elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from decoding.errors import DecodingError
from decoding.presets import ENGINES, write
from decoding.recorded.given import defaults_known

from ..export.snippet import doubts, snippet_of
from ..export.styles import STYLES
from ..sheets.presets import told_groups
from ..text import Text
from ..views.look import Look
from ..whatif import acting_settings

__all__ = ["sheet"]


def sheet(look: Look, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Both forms of the snippet, or why there is none."""
    text = look.text
    try:
        forms = [(style, snippet_of(look.trace, style), doubts(look.trace, style)) for style in STYLES]
    except DecodingError as error:
        return {"none": f"{text('code.none')} {error}", "forms": [], **_elsewhere(look)}
    return {
        "none": "",
        "reading": text("code.reading"),
        "forms": [
            {"label": text(f"code.{style}"), "code": code, "note": _promise(why, text)} for style, code, why in forms
        ],
        **_elsewhere(look),
    }


def _elsewhere(look: Look) -> dict[str, Any]:
    """The run's settings for other engines, each with what cannot be said there."""
    text, trace = look.text, look.trace
    settings, defaults = trace.settings or acting_settings(trace), defaults_known(trace) or {}
    written = [write(settings, engine, defaults) for engine in ENGINES]
    return {
        "engines_title": text("code.engines"),
        "engines_reading": text("code.engines.reading"),
        "copy": text("code.copy"),
        "copied": text("code.copied"),
        "engines": [
            {
                "label": text(f"code.engine.{each.engine}"),
                "code": each.text,
                "note": "" if each.told else text("code.engines.all"),
                "told": told_groups(each.told, text),
            }
            for each in written
        ],
    }


def _promise(why: tuple[str, ...], text: Text) -> str:
    """What the code is sure to give; where other tokens can come, the reasons, as its own comments have them."""
    if not why:
        return text("code.same")
    return text("code.doubt", why=text("code.doubt.join").join(text(f"code.doubt.{name}") for name in why))
