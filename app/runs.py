"""`Runs`: the run a visitor recorded and the forks taken from it; one of them is in view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decoding.kept_cache import KeptCache
    from decoding.trace import Trace

__all__ = ["MOST_FORKS", "Run", "Runs"]

MOST_FORKS = 5  # kept beside the first run; the oldest makes room


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A recorded run.

    Attributes:
        trace: the recording.
        model_name: what its model was loaded as.
        kept: what the model remembers of it, so that a fork need not compute the prefix again; None for a
            trace from a file.
        taken_from: the number of the run it was forked from, or None for the first.
        number: 0 for the first run, then counting up.
    """

    trace: Trace
    model_name: str
    kept: KeptCache | None = None
    taken_from: int | None = None
    number: int = 0


class Runs:
    """The first run, its forks, and which of them is in view."""

    def __init__(self, first: Trace, model_name: str, kept: KeptCache | None = None) -> None:
        self._runs = [Run(trace=first, model_name=model_name, kept=kept)]
        self._next = 1
        self.active = self._runs[0]

    def __iter__(self):
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, trace: Trace, kept: KeptCache | None, taken_from: Run) -> Run:
        """Takes a fork in, and into view."""
        self.active = Run(
            trace=trace, model_name=taken_from.model_name, kept=kept, taken_from=taken_from.number, number=self._next
        )
        self._next += 1
        self._runs.append(self.active)
        if len(self._runs) > MOST_FORKS + 1:
            del self._runs[1]  # the first run stays
        return self.active

    def pick(self, number: object) -> Run:
        """Brings the run of that number into view; anything else changes nothing."""
        self.active = next((run for run in self._runs if run.number == number), self.active)
        return self.active

    def source(self, run: Run) -> Trace | None:
        """The trace that a fork was taken from, or None where it is no longer kept."""
        return next((r.trace for r in self._runs if r.number == run.taken_from), None)
