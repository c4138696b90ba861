"""What the draft line says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..text import Text

if TYPE_CHECKING:
    from ..session.drafts import Asked

__all__ = ["draft_json"]

LONGEST = 80  # characters of a draft that are shown


def draft_json(draft: Asked | None, text: Text) -> str:
    """The line's `data`: how a draft begins; `null` hides it."""
    if draft is None:
        return "null"
    words = " ".join(draft.prompt[: 10 * LONGEST].split())
    words = words[: LONGEST - 1] + "…" if len(words) > LONGEST else words
    return json.dumps(
        {"label": text("draft.label"), "text": words, "button": text("draft.button"), "tip": text("draft.tip")},
        ensure_ascii=False,
    )
