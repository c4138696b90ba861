"""`StepOrder`: who may take a step now, of all runs that go on at the same time."""

from __future__ import annotations

import contextvars
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

__all__ = ["Share", "StepOrder", "let_others_first"]

BEHIND = 10  # of Linux's nice levels: whoever looks at a run comes before whoever makes one
SAVED = 0.2  # seconds that a run may save up while it asks for nothing
# Seconds that the model waits for a run whose step has just ended, and which has had less than any that wants it now:
# else two runs would have step for step, however much longer the steps of one are.
PATIENCE = 0.002
IDLE = 30.0  # seconds after which a thread that has nothing to do ends; the next step starts another


@dataclass(eq=False, slots=True, kw_only=True)
class Share:
    """One run's share of the model.

    Attributes:
        seconds: that its steps have taken.
        n_turns: that it has had.
        owed: seconds by which turns go; less than others had means sooner. A run that has asked for nothing for a
            while does not save up for later.
        began: of the step it is in, on the monotonic clock.
    """

    seconds: float = 0.0
    n_turns: int = 0
    owed: float = 0.0
    began: float = 0.0


@dataclass(eq=False, slots=True, kw_only=True)
class _Wish:
    """A step that is waiting for its turn; without `work` a thread of its own waits for it."""

    share: Share
    work: Callable[[], Any] | None = None
    done: Future[Any] = field(default_factory=Future)
    asked: float = field(default_factory=monotonic)

    @property
    def place(self) -> float:
        """Less comes sooner: who had less, and who has waited longer; so nobody waits for ever, whoever else comes."""
        return self.share.owed + self.asked


def let_others_first() -> None:
    """From now on the calling thread, and those that it starts, get the processor after those of looking."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND)


class StepOrder:
    """Gives the model to one step at a time: the next is that of the run whose steps have taken the least time.

    So a short run is not stuck behind a long one, a search of sixteen beams has not sixteen times the share of one
    row, and no run is left behind: whoever comes new begins where the one served last stood, and waiting counts.

    Steps are computed in threads of its own, as many as there are seats, whoever asks for them. So torch's own threads
    are made once, not once for each of Gradio's; and where Linux shares out the processor, they come after those that
    answer a click.

    Args:
        seats: how many may be in a step at the same time: 1, unless the steps of several runs share what they compute.
        behind: whether its threads let others go first.
    """

    def __init__(self, seats: int = 1, *, behind: bool = True) -> None:
        self.seats, self.behind = seats, behind
        self._changed = threading.Condition()
        self._wishes: list[_Wish] = []
        self._n_busy = self._n_threads = 0
        self._least = 0.0  # owed by the one served last
        self._back_soon: Share | None = None  # whose step has just ended, at
        self._ended = 0.0

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a turn and can have none before one is given back."""
        return self._n_busy >= self.seats and bool(self._wishes)

    def do(self, share: Share, work: Callable[[], Any]) -> Future[Any]:
        """Computes a step when its turn has come, in the context of the caller; the future has what came of it."""
        context = contextvars.copy_context()
        wish = _Wish(share=share, work=lambda: context.run(work))
        with self._changed:
            if self._n_threads < self.seats:
                self._n_threads += 1
                threading.Thread(target=self._compute, name=f"decoding {self._n_threads}", daemon=True).start()
            self._join(wish)
        return wish.done

    def take(self, share: Share) -> None:
        """The same for a thread that computes a step itself: returns when its turn has come."""
        wish = _Wish(share=share)
        with self._changed:
            self._join(wish)
            self._wait_until(lambda first: first is wish)
            self._begin(wish)

    def give_back(self, share: Share) -> None:
        """Ends the turn that was taken."""
        with self._changed:
            took = monotonic() - share.began
            share.seconds += took
            share.owed += took
            share.n_turns += 1
            self._n_busy -= 1
            self._back_soon, self._ended = share, monotonic()
            self._changed.notify_all()

    def _compute(self) -> None:
        if self.behind:
            let_others_first()
        while True:
            with self._changed:
                found = self._wait_until(lambda first: first.work is not None, IDLE)
                if found is None:
                    self._n_threads -= 1
                    return
                wish = self._begin(found)
            try:
                found, error = wish.work(), None
            except BaseException as raised:  # it is the caller's, whatever it is
                found, error = None, raised
            self.give_back(wish.share)
            if error is None:
                wish.done.set_result(found)
            else:
                wish.done.set_exception(error)
            del wish, found, error  # what was computed is not kept alive until the next step

    def _join(self, wish: _Wish) -> None:
        share = wish.share
        share.owed = max(share.owed, self._least - (SAVED if share.n_turns else 0.0))
        if share is self._back_soon:
            self._back_soon = None
        self._wishes.append(wish)
        self._changed.notify_all()

    def _wait_until(self, is_mine: Callable[[_Wish], bool], idle: float | None = None) -> _Wish | None:
        """The step whose turn it is, once it is one for the calling thread.

        Args:
            idle: seconds after which it waits no longer, and gets None, where there is nothing for it; None for ever.
        """
        while (first := self._first()) is None or not is_mine(first):
            patient = self._back_soon is not None and bool(self._wishes) and self._n_busy < self.seats
            if self._changed.wait(PATIENCE if patient else idle):
                continue
            if patient:
                self._back_soon = None
            elif not any(map(is_mine, self._wishes)):
                return None
        return first

    def _first(self) -> _Wish | None:
        """Whose turn it is; None while all seats are taken, nobody wants one, or who comes first will in a moment."""
        if self._n_busy >= self.seats or not self._wishes:
            return None
        first, soon = min(self._wishes, key=lambda wish: wish.place), self._back_soon
        return None if soon is not None and soon.owed + self._ended < first.place else first

    def _begin(self, wish: _Wish) -> _Wish:
        self._wishes.remove(wish)
        self._n_busy += 1
        self._back_soon = None
        self._least = wish.share.owed
        wish.share.began = monotonic()
        self._changed.notify_all()  # another seat may be free
        return wish
