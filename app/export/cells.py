"""What goes into a cell of a table for a spreadsheet."""

from __future__ import annotations

import math

__all__ = ["FORMULA", "number_cell", "text_cell"]

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def text_cell(text: str) -> str:
    """A text, with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def number_cell(value: float | None) -> float | None:
    """A number; an empty cell where it is infinite, or there is none."""
    return None if value is None or not math.isfinite(value) else value
