"""What the next run will take: the facts and the words; the page multiplies as the settings change."""

from __future__ import annotations

from typing import Any

from ..form import DEFAULT_NEW_TOKENS, MODE_NEEDS
from ..text import Text
from ..views.estimate import Known

__all__ = ["estimate_sheet"]

WORDS = ("takes", "rows", "row", "memory", "disk", "time", "unknown", "tip")
FILLED_IN = {name: f"{{{name}}}" for name in ("tokens", "rows", "vocab", "size", "n", "kept", "time")}  # by the page


def estimate_sheet(known: Known | None, text: Text, *, model: str, in_memory: int) -> dict[str, Any]:
    """The line's `data`.

    Args:
        known: of the model; None where it was not loaded yet.
        model: its name.
        in_memory: bytes of a recording that stay in memory; the rest goes to disk.
    """
    facts = {"vocab": None, "bytes_per_score": None, "seconds_per_row": None}
    if known is not None:
        facts = {
            "vocab": known.vocab, "bytes_per_score": known.bytes_per_score, "seconds_per_row": known.seconds_per_row
        }  # fmt: skip
    return {
        "model": model,
        **facts,
        "in_memory": in_memory,
        "new_tokens": DEFAULT_NEW_TOKENS,
        "needs": MODE_NEEDS,
        "words": {word: text(f"estimate.{word}", **FILLED_IN) for word in WORDS},
    }
