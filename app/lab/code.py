"""The lab's tab `code`: the call that gives the run in view again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.export.snippet import generate_snippet, record_snippet
from app.lab.look import Look
from decoding.errors import DecodingError

__all__ = ["sheet"]


def sheet(look: Look, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Both forms of the snippet, or why there is none."""
    text = look.text
    try:
        forms = [("generate", generate_snippet(look.trace)), ("record", record_snippet(look.trace))]
    except DecodingError as error:
        return {"none": f"{text('code.none')} {error}", "forms": []}
    return {
        "none": "",
        "reading": text("code.reading"),
        "copy": text("code.copy"),
        "copied": text("code.copied"),
        "forms": [{"label": text(f"code.{name}"), "code": code} for name, code in forms],
    }
