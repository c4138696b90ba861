"""`Table`: the twin of a chart."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of texts.

    Attributes:
        caption: what it shows.
        head: column titles.
        rows: cells as they are shown.
        marked: the row of the chosen token, or None.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int | None = None
