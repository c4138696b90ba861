"""What the draft line says."""

from __future__ import annotations

from typing import Any

from ..text import Text

__all__ = ["draft_sheet"]

LONGEST = 80  # characters of a draft that are shown


def draft_sheet(prompt: str | None, text: Text) -> dict[str, Any] | None:
    """The line's `data`: how a draft's prompt begins; None hides it."""
    if prompt is None:
        return None
    words = " ".join(prompt[: 10 * LONGEST].split())
    words = words[: LONGEST - 1] + "…" if len(words) > LONGEST else words
    return {"label": text("draft.label"), "text": words, "button": text("draft.button"), "tip": text("draft.tip")}
