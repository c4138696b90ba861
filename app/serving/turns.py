"""`Turns`: calls of several threads that are carried out one at a time, those that fit each other at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Call", "Member", "Turns"]

LONGEST_PAUSE = 16  # rounds in which one that kept the others waiting in vain is not waited for, at most
# Of the time that a round takes, how much is waited for the next one to come: two rounds of half as many take longer.
WORTH = 0.25


class Member:
    """One whose calls come one after another: a run.

    Attributes:
        over: it makes no more calls.
        pause: rounds in which it is not waited for any more, because it kept the others waiting in vain.
    """

    def __init__(self) -> None:
        self.over = False
        self.pause = 0
        self._next_pause = 0

    def was_late(self) -> None:
        """It was waited for in vain: that may happen once, and then next time it is done after twice as many rounds."""
        self.pause, self._next_pause = self._next_pause, min(max(1, 2 * self._next_pause), LONGEST_PAUSE)

    def was_in_time(self) -> None:
        """It came while it was waited for."""
        self._next_pause = 0


class Call:
    """What a member asks for.

    Attributes:
        member: who.
        size: how much of a round it fills.
        what: for `carry_out`.
        fits: whether it can be carried out together with others that do.
        result, error: what came of it; `carry_out` fills in one of them.
    """

    def __init__(self, member: Member, size: int, what: Any, *, fits: bool) -> None:
        self.member, self.size, self.what, self.fits = member, size, what, fits
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.turn: threading.Condition | None = None


class Turns:
    """Lets one thread at a time carry out calls: its own, or its own and those of others that fit.

    The thread of the first call that waits carries it out. Where others are known to be on their way, as they got an
    answer last time, it waits for them as long as one comes every now and then. Who was waited for in vain is not
    waited for in the rounds after, and comes along whenever it is there in time. Nobody waits for one that is over. So
    a thread that dies or dawdles holds nobody up for longer than that.

    Args:
        carry_out: is given the calls of a round, in the order in which they came; outside every lock.
        most: how much the calls of a round may come to; one that is larger is carried out alone.
        wait: seconds that a round waits for the next call, or a quarter of what the last round took if that is more.
    """

    def __init__(self, carry_out: Callable[[list[Call]], None], *, most: int, wait: float) -> None:
        self._carry_out, self._most, self._wait = carry_out, most, wait
        self._lock = threading.Lock()
        self._queue: list[Call] = []
        self._on_their_way: set[Member] = set()
        self._busy = False
        self._news = 0.0  # when somebody came, or got an answer, last
        self._took = 0.0  # seconds, the last round that could be shared

    def take(self, call: Call) -> None:
        """Returns when the call has been carried out, by this thread or by another one."""
        with self._lock:
            call.turn = threading.Condition(self._lock)
            self._arrives(call)
            try:
                together = self._wait_for_turn(call)
            except BaseException:  # an interrupt: the others go on without
                if call in self._queue:
                    self._queue.remove(call)
                self._nudge()
                raise
        if together:
            self._carry(together)

    def leave(self, member: Member) -> None:
        """The member makes no more calls: nobody waits for it."""
        with self._lock:
            member.over = True
            self._on_their_way.discard(member)
            self._nudge()

    def _arrives(self, call: Call) -> None:
        if call.member in self._on_their_way:
            self._on_their_way.remove(call.member)
            call.member.was_in_time()
        self._queue.append(call)
        self._news = time.monotonic()
        self._nudge()

    def _wait_for_turn(self, call: Call) -> list[Call]:
        """The calls that this thread is to carry out now; none where another has carried out this one."""
        assert call.turn is not None
        while not call.done:
            if self._busy or self._queue[:1] != [call]:
                call.turn.wait()
                continue
            together = self._round()
            left = self._news + max(self._wait, WORTH * self._took) - time.monotonic()
            if self._is_full(together) or left <= 0:
                self._begin(together)
                return together
            call.turn.wait(left)
        return []

    def _round(self) -> list[Call]:
        """The first call that waits, and others that fit it and have room beside it."""
        first, *others = self._queue
        together, room = [first], self._most - first.size
        for other in others if first.fits else ():
            if other.fits and other.size <= room:
                together.append(other)
                room -= other.size
        return together

    def _is_full(self, together: list[Call]) -> bool:
        """Whether there is nothing to wait for."""
        size = sum(call.size for call in together)
        return not together[0].fits or size >= self._most or not self._on_their_way

    def _begin(self, together: list[Call]) -> None:
        self._busy = True
        if together[0].fits and sum(call.size for call in together) < self._most:
            for member in self._on_their_way:
                member.was_late()
            self._on_their_way.clear()
        self._queue = [call for call in self._queue if call not in together]

    def _carry(self, together: list[Call]) -> None:
        began = time.monotonic()
        try:
            self._carry_out(together)
        except BaseException as error:
            for call in together:
                if call.result is None and call.error is None:
                    call.error = error
        finally:
            with self._lock:
                self._busy = False
                self._news = time.monotonic()
                if together[0].fits:
                    self._took = self._news - began
                for call in together:
                    call.done = True
                    if call.error is None:  # whom an error ends does not come again
                        self._expect(call.member)
                    if call.turn is not None:
                        call.turn.notify()
                self._nudge()

    def _expect(self, member: Member) -> None:
        if member.pause:
            member.pause -= 1
        elif not member.over:
            self._on_their_way.add(member)

    def _nudge(self) -> None:
        """Has the first that waits look whether it can begin."""
        if self._queue and not self._busy:
            turn = self._queue[0].turn
            if turn is not None:
                turn.notify()
