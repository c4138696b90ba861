"""`Runs`: the last runs a visitor recorded, forks among them, beside each other; one of them is in view."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from decoding.strategies.kept_cache import KeptCache
    from decoding.trace import Trace
    from decoding.verify import Verification

__all__ = ["LONGEST_NAME", "MEMORY_BUDGET", "MOST_BYTES", "MOST_RUNS", "Run", "Runs", "name_of"]

MOST_RUNS = 6  # kept beside each other; the oldest makes room
MOST_BYTES = 2**30  # of all of them together, the model's caches counted in; the one in view stays whatever it takes
MEMORY_BUDGET = 512 * 2**20  # of one recording; what is beyond goes to disk
LONGEST_NAME = 60  # characters
JOINER = "\u200d"  # of emoji; other format characters could turn the text around them

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A recorded run, with all that belongs to it; what it was asked for is in its trace (`app.session.drafts`).

    Attributes:
        trace: the recording.
        model_name: what its model was loaded as.
        kept: what the model remembers of it, so that a fork need not compute the prefix again; None for a
            trace from a file.
        taken_from: the number of the run it was forked from, or None where it is no fork.
        number: 0 for the first run, then counting up.
        origin: `example` or `file` where it was not recorded on the page, `stored` where it was, before; else "".
        recorded_at: when, in UTC, where it was stored then; else None.
        example: id of the recorded example that it is, or "".
        form: the settings panel's value that it was recorded from, or None where it was not recorded on the page.
        name: that the visitor gave it, or "".
        verdict: what Verify found; None where it was not asked.
    """

    trace: Trace
    model_name: str
    kept: KeptCache | None = None
    taken_from: int | None = None
    number: int = 0
    origin: str = ""
    recorded_at: datetime | None = None
    example: str = ""
    form: str | None = None
    name: str = ""
    verdict: Verification | None = None

    @property
    def start(self) -> int:
        """Positions of the prompt that it began with: what a fork shares with its source counts as decoded."""
        return self.trace.start

    @property
    def nbytes(self) -> int:
        """Bytes of the trace, in memory and on disk, and of the model's cache."""
        return self.trace.nbytes + (0 if self.kept is None else self.kept.nbytes)


class Runs:
    """The last runs, oldest first, and which of them is in view."""

    def __init__(self, first: Trace, model_name: str, kept: KeptCache | None = None, origin: str = "") -> None:
        self._runs = [Run(trace=first, model_name=model_name, kept=kept, origin=origin)]
        self._active = 0
        self.next_number = 1  # of the run that is added next
        self._made: dict[tuple[Hashable, ...], Any] = {}
        self._changing = threading.Lock()  # a run may end while another one is named

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def copy(self) -> Runs:
        """The same runs for another page: what is done to the list there is not done here; recordings never change."""
        with self._changing:
            other = copy(self)
            other._runs, other._made, other._changing = list(self._runs), dict(self._made), threading.Lock()
        return other

    @property
    def active(self) -> Run:
        """The run in view."""
        return self.get(self._active)

    def add(
        self,
        trace: Trace,
        model_name: str,
        kept: KeptCache | None = None,
        taken_from: Run | None = None,
        origin: str = "",
        example: str = "",
        form: str | None = None,
        recorded_at: datetime | None = None,
    ) -> Run:
        """Takes a run in, and into view; where there is no room, the oldest others go."""
        with self._changing:
            run = Run(
                trace=trace, model_name=model_name, kept=kept, number=self.next_number, origin=origin,
                example=example, form=form, recorded_at=recorded_at,
                taken_from=None if taken_from is None else taken_from.number,
            )  # fmt: skip
            self.next_number += 1
            self._runs.append(run)
            self._active = run.number
            self._make_room()
        return run

    def pick(self, number: object) -> Run:
        """Brings the run of that number into view; anything else changes nothing."""
        run = self.get(number)
        if run is not None:
            self._active = run.number
        return self.active

    def rename(self, number: object, name: object) -> None:
        """Names the run of that number; a name may be anything, and "" takes it away."""
        self._change(number, name=name_of(name))

    def judge(self, number: object, verdict: Verification) -> None:
        """Keeps what Verify found of the run of that number."""
        self._change(number, verdict=verdict)

    def _change(self, number: object, **what: Any) -> None:
        with self._changing:
            run = self.get(number)
            self._runs = [replace(r, **what) if r is run else r for r in self._runs]

    def remove(self, number: object) -> None:
        """Lets the run of that number go, unless it is the last one; the one before it comes into its place.

        Its forks stay: each has all of its tokens itself, and goes on saying what it was forked from.
        """
        with self._changing:
            run = self.get(number)
            others = [other for other in self._runs if other is not run]
            if run is None or not others:
                return
            if run.number == self._active:
                older = [other for other in others if other.number < run.number]
                self._active = (older or others)[-1 if older else 0].number
            self._let_go(run)

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
            self._let_go(next((run for run in others if run.number != self.active.taken_from), others[0]))

    def _let_go(self, gone: Run) -> None:
        self._runs = [run for run in self._runs if run is not gone]
        self._made = {key: value for key, value in self._made.items() if gone.number not in key[1:]}


def name_of(name: object) -> str:
    """A run's name as it is kept, of what was typed, which may be anything."""
    name = name if isinstance(name, str) else ""
    # Half a surrogate pair could not be sent, and control characters are nothing to look at.
    name = name[: 10 * LONGEST_NAME].encode("utf-8", "replace").decode()
    shown = "".join(c if c.isprintable() or c == JOINER else " " for c in name)
    return " ".join(shown.split())[:LONGEST_NAME].strip()
