"""How a single token is shown in charts and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["shown", "token_text"]

NAMELESS = "⋯"  # a compact trace does not know which token of its histogram stands here
LONGEST = 60  # a vocabulary has tokens of a hundred spaces; a chart has no room for them


def token_text(trace: Trace, token_id: int) -> str:
    """The token's display text, shortened; `#id` where the trace was recorded without a tokenizer."""
    if trace.compact is not None and trace.tokens is not None and not trace.tokens.exists(token_id):
        return NAMELESS
    text = shown(trace.tokens.text(token_id)) if trace.tokens is not None else f"#{token_id}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def shown(text: str) -> str:
    """Display text with the space written as U+2423: many systems have no font for U+2420."""
    return text.replace("␠", "␣")
