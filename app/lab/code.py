"""The lab's tab `code`: the run in view as a call, and whether that gives the same tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from decoding.errors import DecodingError

from ..export.snippet import doubts, snippet_of
from ..export.styles import STYLES
from ..text import Text
from ..views.look import Look

__all__ = ["sheet"]


def sheet(look: Look, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Both forms of the snippet, or why there is none."""
    text = look.text
    try:
        forms = [(style, snippet_of(look.trace, style), doubts(look.trace, style)) for style in STYLES]
    except DecodingError as error:
        return {"none": f"{text('code.none')} {error}", "forms": []}
    return {
        "none": "",
        "reading": text("code.reading"),
        "copy": text("code.copy"),
        "copied": text("code.copied"),
        "forms": [
            {"label": text(f"code.{style}"), "code": code, "note": _promise(why, text)} for style, code, why in forms
        ],
    }


def _promise(why: tuple[str, ...], text: Text) -> str:
    """What the code is sure to give; where other tokens can come, the reasons, as its own comments have them."""
    if not why:
        return text("code.same")
    return text("code.doubt", why=text("code.doubt.join").join(text(f"code.doubt.{name}") for name in why))
