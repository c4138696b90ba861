"""Calls of several threads: carried out together where they fit, each once, and nobody waits for one that is late."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from app.serving.turns import LONGEST_PAUSE, Call, Member, Turns
from tests.in_threads import LONG, in_threads

WAIT = 0.05


class Rounds:
    """Turns that note who was carried out with whom, and answer each call with its own text."""

    def __init__(self, *, most: int = 8, wait: float = WAIT, takes: float = 0.0) -> None:
        self.rounds: list[list[Any]] = []
        self.at_once, self.most_at_once = 0, 0
        self._takes = takes
        self.turns = Turns(self._carry_out, most=most, wait=wait)

    def _carry_out(self, calls: list[Call]) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.rounds.append([call.what for call in calls])
        time.sleep(self._takes)
        for call in calls:
            if call.what == "breaks":
                raise RuntimeError("broken")
            call.result = f"{call.what}, done"
        self.at_once -= 1

    def ask(self, member: Member, what: Any, size: int = 1, *, fits: bool = True) -> Any:
        call = Call(member, size, what, fits=fits)
        self.turns.take(call)
        if call.error is not None:
            raise call.error
        return call.result


def one_after_another(rounds: Rounds, member: Member, n: int, pause: float = 0.0, size: int = 1) -> list[Any]:
    got = []
    for i in range(n):
        got.append(rounds.ask(member, (id(member), i), size))
        time.sleep(pause)
    rounds.turns.leave(member)
    return got


def test_one_alone_waits_for_nobody():
    rounds = Rounds(wait=LONG)
    began = time.monotonic()
    assert one_after_another(rounds, Member(), 50) and time.monotonic() - began < LONG / 2
    assert [len(calls) for calls in rounds.rounds] == [1] * 50


def test_those_that_go_side_by_side_are_carried_out_together_and_each_gets_its_own():
    rounds, members = Rounds(takes=0.005), [Member() for _ in range(4)]
    got = in_threads([lambda m=m: one_after_another(rounds, m, 20) for m in members])
    for member, answers in zip(members, got, strict=True):
        assert answers == [f"{(id(member), i)}, done" for i in range(20)]
    assert rounds.most_at_once == 1
    assert sum(len(calls) for calls in rounds.rounds) == 80
    assert len(rounds.rounds) <= 24  # 20 full ones, and few at the start, where they come one by one


def test_one_that_is_over_is_not_waited_for():
    rounds, first, second = Rounds(wait=LONG), Member(), Member()
    in_threads([lambda: one_after_another(rounds, first, 3), lambda: one_after_another(rounds, second, 3)])
    began = time.monotonic()
    rounds.ask(first, "on alone")
    rounds.ask(first, "and on")
    assert time.monotonic() - began < LONG / 2


def test_leaving_wakes_those_that_wait():
    rounds, stays, goes = Rounds(wait=LONG), Member(), Member()
    rounds.ask(goes, "once")  # now it is on its way
    began = time.monotonic()
    in_threads([lambda: rounds.ask(stays, "waits"), lambda: (time.sleep(0.1), rounds.turns.leave(goes))])
    assert 0.05 < time.monotonic() - began < LONG / 2


def test_one_that_dawdles_is_waited_for_ever_more_rarely():
    rounds, slow, quick = Rounds(wait=WAIT), Member(), Member()
    rounds.ask(slow, "once")
    waited = []
    for i in range(2 * LONGEST_PAUSE):
        began = time.monotonic()
        rounds.ask(quick, i)
        waited.append(time.monotonic() - began > WAIT / 2)
        if i % 2:
            rounds.ask(slow, "again")  # between two of the quick one's, never in time for them
    assert waited[0] and sum(waited) <= 6, waited


def test_one_that_was_late_is_waited_for_again_once_it_comes_in_time():
    member = Member()
    for _ in range(10):
        member.was_late()
    assert member.pause == LONGEST_PAUSE
    member.was_in_time()
    member.was_late()
    assert member.pause == 0  # that may happen once
    member.was_late()
    assert member.pause == 1


def test_no_round_is_larger_than_it_may_be_and_the_largest_goes_alone():
    rounds = Rounds(most=5, takes=0.005)
    sizes = {Member(): size for size in (1, 2, 3, 4, 9)}
    by = {id(member): size for member, size in sizes.items()}
    in_threads([lambda m=m, s=s: one_after_another(rounds, m, 10, size=s) for m, s in sizes.items()])
    for calls in rounds.rounds:
        assert len(calls) == 1 or sum(by[who] for who, _ in calls) <= 5
    assert any(len(calls) > 1 for calls in rounds.rounds)


def test_what_does_not_fit_is_carried_out_alone_in_its_own_thread_and_in_the_order_it_came():
    where: dict[str, str] = {}

    def carry_out(calls: list[Call]) -> None:
        for call in calls:
            where[call.what] = threading.current_thread().name
            call.result = len(calls)
        time.sleep(0.01)

    turns = Turns(carry_out, most=8, wait=WAIT)

    def ask(what: str, fits: bool) -> tuple[str, int]:
        call = Call(Member(), 1, what, fits=fits)
        turns.take(call)
        return threading.current_thread().name, call.result

    jobs = [(f"alone {i}", False) for i in range(4)] + [(f"together {i}", True) for i in range(4)]
    random.Random(0).shuffle(jobs)
    for (what, fits), (thread, n) in zip(jobs, in_threads([lambda j=j: ask(*j) for j in jobs]), strict=True):
        assert fits or (n == 1 and where[what] == thread), what


def test_an_error_of_a_round_reaches_all_who_are_in_it_and_the_next_round_comes():
    rounds = Rounds(wait=LONG)
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="broken"):
        rounds.ask(Member(), "breaks")
    assert rounds.ask(Member(), "goes on") == "goes on, done"
    assert time.monotonic() - began < LONG / 2  # nobody waits for the one that broke


def test_one_that_is_interrupted_while_it_waits_is_taken_out_of_the_queue(monkeypatch):
    rounds, other, member = Rounds(wait=LONG), Member(), Member()
    rounds.ask(other, "once")  # so that the next one waits

    def interrupted(self: threading.Condition, timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Condition, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rounds.ask(member, "interrupted")
    monkeypatch.undo()
    rounds.turns.leave(other)
    assert rounds.ask(member, "later") == "later, done"
    assert [call for calls in rounds.rounds for call in calls] == ["once", "later"]


def test_many_that_come_and_go_as_they_please_are_all_answered():
    rounds, dice = Rounds(most=6, wait=0.002, takes=0.0005), random.Random(1)
    plans = [(dice.randint(1, 25), dice.choice([0, 0, 0.001, 0.01]), dice.randint(1, 7)) for _ in range(24)]
    got = in_threads([lambda p=p: one_after_another(rounds, Member(), p[0], p[1], p[2]) for p in plans])
    assert [len(answers) for answers in got] == [n for n, *_ in plans]
    assert all(str(a).endswith(", done") for answers in got for a in answers)
    assert rounds.most_at_once == 1
    assert len(rounds.rounds) < sum(n for n, *_ in plans)
