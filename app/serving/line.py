"""`Line`: who uses the model: those whose runs go on, a few at the same time, and those who wait for a place."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Iterator
from concurrent.futures import Future
from time import monotonic
from typing import Any, TypeVar

from decoding.errors import DecodingError

from .pace import Pace
from .step_order import Share, StepOrder, let_others_first

__all__ = ["AT_ONCE", "MOST_WAITING", "CalledOff", "Line", "Place"]

AT_ONCE = 4  # runs that go on at the same time: each holds its cache and its recording
MOST_WAITING = 32  # visitors
SHORT = 0.25  # of what the runs that go on have left, at least: a run no longer than that is let in beside them

T = TypeVar("T")


class CalledOff(Exception):
    """Whoever wanted this has left: raised within what still goes on, to end it."""


class Line:
    """Lets runs in, a few at a time; what goes on takes its steps in turn (`StepOrder`), what waits comes by and by.

    Next is the run that would have ended first had each been alone: who came first, unless another is shorter by more
    than it came later. So a short run passes a long one, and nobody waits for ever: whoever comes later than a run's
    own length after it stays behind it. Of one visitor's runs one goes on at a time, and none passes others' first.
    Where all that go on are long, one more that is short does not wait for them. Of those who ask the same question one
    goes on: the others wait for its answer.

    Args:
        at_once: runs that go on at the same time; None for `AT_ONCE`.
        seats: how many of them may be in a step at the same time, see `StepOrder`.
        most_waiting: runs that may wait for a place; None for `MOST_WAITING`.
        behind: see `StepOrder`.
    """

    def __init__(
        self,
        *,
        at_once: int | None = None,
        seats: int = 1,
        most_waiting: int | None = None,
        behind: bool = True,
    ) -> None:
        self.step_order, self.pace = StepOrder(seats, behind=behind), Pace()
        self.at_once = AT_ONCE if at_once is None else at_once
        self.most_waiting = MOST_WAITING if most_waiting is None else most_waiting
        self._lock = threading.RLock()
        self._running: list[Place] = []
        self._waiting: list[Place] = []
        self.one_whole = threading.Lock()  # of what draws from torch's one random state, one at a time

    @property
    def is_idle(self) -> bool:
        """Whether nobody uses the model."""
        return not self._running

    @property
    def n_running(self) -> int:
        """How many runs go on."""
        return len(self._running)

    @property
    def n_waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def join(
        self, who: Hashable, model: str, n_rows: int = 1, n_steps: int = 1, question: Hashable = None
    ) -> Place:  # fmt: skip
        """A place for a run, at the end of the line or further to the front; `with` gives it back.

        Args:
            who: the visitor.
            model: the name of its model.
            n_rows, n_steps: of the run, at most: how long it will take.
            question: what the run answers, where its answer is kept for all who ask the same; None where it is not.

        Raises:
            DecodingError: too many wait already.
        """
        with self._lock:
            if len(self._waiting) >= self.most_waiting and len(self._running) >= self.at_once:
                raise DecodingError(
                    "the model's queue is full: {n} runs wait already, and nothing was begun; try again in a moment",
                    n=len(self._waiting),
                )
            place = Place(self, who, model, n_rows, self.pace.seconds(model, n_rows, n_steps), question)
            self._waiting.append(place)
            self._let_in()
            return place

    def leave(self, place: Place) -> None:
        """Gives a place back."""
        with self._lock:
            for those in (self._running, self._waiting):
                if place in those:
                    those.remove(place)
            self._let_in()

    def no_answer(self, question: Hashable) -> None:
        """The question has no answer that others could have: whoever asks it waits like everybody else."""
        with self._lock:
            for place in (*self._running, *self._waiting):
                if place.question == question:
                    place.question = None
            self._let_in()

    def n_before(self, place: Place) -> int:
        """How many will be let in before this one; 0 too where it has been."""
        with self._lock:
            return self._order().index(place) if place in self._waiting else 0

    def seconds_before(self, place: Place) -> float:
        """About how long it will be until this one is let in, as if every run went on to its length limit."""
        with self._lock:
            left = [max(0.0, other.expected - other.share.seconds) for other in self._running]
            seconds = 0.0
            for other in self._order():
                if len(left) >= self.at_once:  # the one with the least left is the next to go
                    least, n = min(left), len(left)
                    seconds += least * max(1.0, n / self.step_order.seats)
                    left.remove(least)
                    left = [more - least for more in left]
                if other is place:
                    break
                left.append(other.expected)
            return seconds

    def _let_in(self) -> None:
        while len(self._running) < self.at_once + (self.at_once > 1):
            busy = {place.who for place in self._running}
            asked = {place.question for place in self._running} - {None}
            fit = (place for place in self._order() if place.who not in busy and place.question not in asked)
            place = next(fit, None)
            if place is None or len(self._running) >= self.at_once and not self._is_short(place):
                return
            self._waiting.remove(place)
            self._running.append(place)
            place.woken.set()

    def _is_short(self, place: Place) -> bool:
        """Whether a run is over long before any of those that go on."""
        left = min(other.expected - other.share.seconds for other in self._running)
        return place.expected <= SHORT * left

    def _order(self) -> list[Place]:
        """Those who wait, the next one first."""
        n_of, found = Counter(place.who for place in self._running), []
        for place in sorted(self._waiting, key=lambda place: place.came + place.expected):
            found.append((n_of[place.who], place))  # each puts its visitor's next one back
            n_of[place.who] += 1
        return [place for _, place in sorted(found, key=lambda pair: pair[0])]

    def is_let_in(self, place: Place) -> bool:
        """Whether its run may go on."""
        return place in self._running


class Place:
    """One run's place in the line: it waits, then takes its steps, then goes.

    Attributes:
        who, model, n_rows, expected, question: as `Line.join` was told, `expected` in seconds.
        came: when, on the monotonic clock.
        share: what it has had of the model.
        woken: set when there may be news for whoever waits.
    """

    def __init__(
        self, line: Line, who: Hashable, model: str, n_rows: int, expected: float, question: Hashable = None
    ) -> None:
        self._line = line
        self.who, self.model, self.n_rows, self.expected, self.question = who, model, n_rows, expected, question
        self.came = monotonic()
        self.share = Share()
        self.woken = threading.Event()
        self._called_off = False

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.leave()

    @property
    def is_let_in(self) -> bool:
        """Whether the run may go on."""
        return self._line.is_let_in(self)

    @property
    def n_before(self) -> int:
        """How many will be let in before."""
        return self._line.n_before(self)

    @property
    def seconds_before(self) -> float:
        """About how long it will be until this one is let in."""
        return self._line.seconds_before(self)

    def wait(self, seconds: float) -> bool:
        """Waits to be let in, so long at most, or until woken; whether it has been."""
        self.woken.wait(seconds)
        self.woken.clear()
        return self.is_let_in

    def call_off(self) -> None:
        """Ends the waiting, and what goes on as a whole, from any thread; steps are ended by whoever takes them."""
        self._called_off = True
        self.woken.set()

    def no_answer(self) -> None:
        """Nobody waits for what this run answers: nothing is kept of it."""
        if self.question is not None:
            self._line.no_answer(self.question)

    def leave(self) -> None:
        """Gives the place back; what goes on as a whole ends."""
        self.call_off()
        self._line.leave(self)

    def prepare(self, make: Callable[[], T]) -> T:
        """What `make` gives, which touches the model: in a turn, but it need not have been let in."""
        return self._line.step_order.do(Share(), make).result()

    def steps(
        self, coming: Generator[T, None, Any], until: Callable[[], float] = lambda: 0.0,
        is_over: Callable[[], bool] = lambda: False,
    ) -> Iterator[list[T]]:  # fmt: skip
        """The steps of a run, computed in its turns; closing it ends the run.

        Several come at once where nobody looks at each, and nobody else waits for a turn: to hand each over would take
        a change of threads more, and where there is much to do those take longer than a step.

        Args:
            until: when the next are wanted, on the monotonic clock; then those that are there come, one at least.
            is_over: no more are wanted; asked after each step, by another thread.
        """
        line, share, n_steps, failed = self._line, self.share, 0, list[Exception]()

        def some() -> list[T]:
            came: list[T] = []
            try:
                for step in coming:
                    came.append(step)
                    if monotonic() >= until() or is_over() or line.step_order.is_wanted:
                        return came
            except Exception as error:  # what came before it is told first
                failed.append(error)
            return came

        try:
            while came := line.step_order.do(share, some).result():
                n_steps += len(came)
                yield came
                if failed:
                    break
            if failed:
                raise failed[0]
        finally:
            coming.close()
            line.pace.note(self.model, self.n_rows, n_steps, share.seconds)

    def whole(self, make: Callable[[Callable[[], None]], T]) -> Future[T]:
        """Begins, in a thread of its own, what cannot be taken step by step, and what draws from torch's random state.

        Args:
            make: is given a function to call before each step, which lets others have their turns, and ends it by
                `CalledOff` where nobody wants it any more.
        """
        done: Future[T] = Future()
        threading.Thread(target=self._whole, args=(make, done), name="decoding as a whole", daemon=True).start()
        return done

    def _whole(self, make: Callable[[Callable[[], None]], T], done: Future[T]) -> None:
        turns, share = self._line.step_order, self.share

        def others_first() -> None:
            turns.give_back(share)
            turns.take(share)
            if self._called_off:
                raise CalledOff

        if turns.behind:
            let_others_first()
        try:
            with self._line.one_whole:
                turns.take(share)
                try:
                    if self._called_off:
                        raise CalledOff
                    found = make(others_first)
                finally:
                    turns.give_back(share)
        except BaseException as error:  # it is the caller's, whatever it is
            done.set_exception(error)
        else:
            done.set_result(found)
