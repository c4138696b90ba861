"""`Runs`: the last runs a visitor recorded, forks among them, beside each other; one of them is in view."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from decoding.kept_cache import KeptCache
    from decoding.trace import Trace

__all__ = ["MOST_BYTES", "MOST_RUNS", "Run", "Runs"]

MOST_RUNS = 6  # kept beside each other; the oldest makes room
MOST_BYTES = 2**30  # of all of them together, the model's caches counted in; the one in view stays whatever it takes

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A recorded run.

    Attributes:
        trace: the recording.
        model_name: what its model was loaded as.
        kept: what the model remembers of it, so that a fork need not compute the prefix again; None for a
            trace from a file.
        taken_from: the number of the run it was forked from, or None where it is no fork.
        number: 0 for the first run, then counting up.
        origin: `example` or `file` where it was not recorded on the page, else "".
        example: id of the recorded example that it is, or "".
        start: positions of the prompt that it, or the first of the runs it was forked from, began with: what a fork
            shares with its source counts as decoded.
    """

    trace: Trace
    model_name: str
    kept: KeptCache | None = None
    taken_from: int | None = None
    number: int = 0
    origin: str = ""
    example: str = ""
    start: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the trace, in memory and on disk, and of the model's cache."""
        layers = [] if self.kept is None else getattr(self.kept.cache, "layers", [])
        # A layer that has read nothing holds nothing, and not every kind of layer has both.
        held = (getattr(layer, name, None) for layer in layers for name in ("keys", "values"))
        return self.trace.nbytes + sum(t.numel() * t.element_size() for t in held if t is not None)


class Runs:
    """The last runs, oldest first, and which of them is in view."""

    def __init__(self, first: Trace, model_name: str, kept: KeptCache | None = None, origin: str = "") -> None:
        start = _own_start(first)
        self._runs = [Run(trace=first, model_name=model_name, kept=kept, origin=origin, start=start)]
        self._next = 1
        self._made: dict[tuple[Hashable, ...], Any] = {}
        self.active = self._runs[0]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def add(
        self,
        trace: Trace,
        model_name: str,
        kept: KeptCache | None = None,
        taken_from: Run | None = None,
        origin: str = "",
        example: str = "",
    ) -> Run:
        """Takes a run in, and into view; where there is no room, the oldest others go."""
        self.active = Run(
            trace=trace, model_name=model_name, kept=kept, number=self._next, origin=origin,
            example=example,
            taken_from=None if taken_from is None else taken_from.number,
            start=_own_start(trace) if taken_from is None else taken_from.start,
        )  # fmt: skip
        self._next += 1
        self._runs.append(self.active)
        self._make_room()
        return self.active

    def pick(self, number: object) -> Run:
        """Brings the run of that number into view; anything else changes nothing."""
        self.active = self.get(number) or self.active
        return self.active

    def get(self, number: object) -> Run | None:
        """The run of that number, which may be anything; None where it is not kept."""
        known = isinstance(number, int) and not isinstance(number, bool)
        return next((run for run in self._runs if run.number == number), None) if known else None

    def source(self, run: Run) -> Run | None:
        """The run that a fork was taken from, or None where it is no fork, or that one is no longer kept."""
        return self.get(run.taken_from)

    def before(self, run: Run) -> Run | None:
        """What a run is held against: the one it was forked from, else the one before it, or None."""
        older = [other for other in self._runs if other.number < run.number]
        return self.source(run) or (older[-1] if older else None)

    def once(self, what: Hashable, runs: tuple[Run, ...], make: Callable[[], T]) -> T:
        """What `make` gives, made once for as long as these runs are kept."""
        key = (what, *(run.number for run in runs))
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _make_room(self) -> None:
        while len(self._runs) > MOST_RUNS or sum(run.nbytes for run in self._runs) > MOST_BYTES:
            # The source of the fork in view is what that one is looked at beside.
            others = [run for run in self._runs if run is not self.active]
            if not others:
                return
            gone = next((run for run in others if run.number != self.active.taken_from), others[0])
            self._runs.remove(gone)
            self._made = {key: value for key, value in self._made.items() if gone.number not in key[1:]}


def _own_start(trace: Trace) -> int:
    return trace.prompt_ids.shape[1] if trace.fork is None else trace.fork.prompt_length
