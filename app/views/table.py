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
        token_ids: the token of each row, which can be asked about there; None for a row that is no token's.
        places: the step of each row, to go to, and in a beam run the rank of its candidate there.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int | None = None
    token_ids: tuple[int | None, ...] = ()
    places: tuple[tuple[int, int | None], ...] = ()
