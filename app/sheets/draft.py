"""What the draft line says."""

from __future__ import annotations

from typing import Any

from ..text import Text

__all__ = ["beginning", "draft_sheet"]

LONGEST = 80  # characters of a draft that are shown


def draft_sheet(prompt: str | None, text: Text) -> dict[str, Any] | None:
    """The line's `data`: how a draft's prompt begins; None hides it."""
    if prompt is None:
        return None
    words = {name: text(f"draft.{name}") for name in ("label", "button", "tip")}
    return words | {"text": beginning(prompt)}


def beginning(prompt: str) -> str:
    """How a prompt begins, in one line."""
    words = " ".join(prompt[: 10 * LONGEST].split())
    return words[: LONGEST - 1] + "…" if len(words) > LONGEST else words
