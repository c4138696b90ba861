"""`EventOrder`: which of a visitor's quick events is the last one, and in which order they were answered."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..serving.answer_number import answer_here

__all__ = ["EventOrder"]


class EventOrder:
    """The page numbers its events, which may arrive, and be answered, in another order than they were made."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._answers = itertools.count(1)
        self._one_at_a_time = threading.Lock()

    @contextmanager
    def in_turn(self, kind: str, turn: Any) -> Iterator[bool]:
        """Handles one of the visitor's numbered events at a time; False where a later one of its kind was here before.

        Args:
            turn: what the event says, which may be anything; one that says nothing is the next.
        """
        with self._one_at_a_time:
            last = self.last(kind)
            turn = turn if type(turn) is int else last + 1
            self._last[kind] = max(turn, last)
            try:
                yield turn >= last
            finally:
                self.answered()  # before the next one begins

    def answered(self) -> None:
        """Numbers the answer that was made just now, unless it has a number."""
        answer = answer_here()
        if answer is not None:
            answer.number = next(self._answers)

    def last(self, kind: str) -> int:
        """The last turn that was taken, 0 at first."""
        return self._last.get(kind, 0)
