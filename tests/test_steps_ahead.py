"""A run's steps are computed a few ahead of who takes them, and never one that nobody wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from app.serving.step_order import Share, StepOrder
from app.serving.steps_ahead import MOST, StepsAhead
from tests.in_threads import in_threads


class Run:
    """A run of so many steps; says how many it has begun and whether it was closed."""

    def __init__(self, n: int, seconds: float = 0.0, fails_at: int | None = None) -> None:
        self.n, self.seconds, self.fails_at = n, seconds, fails_at
        self.n_begun, self.closed = 0, threading.Event()

    def __iter__(self) -> Iterator[int]:
        try:
            for i in range(self.n):
                self.n_begun += 1
                time.sleep(self.seconds)
                if i == self.fails_at:
                    raise RuntimeError("out of memory")
                yield i
        finally:
            self.closed.set()


def ahead(run: Run, is_wanted: Callable[[], bool] = lambda: True, most: int = MOST) -> StepsAhead[int]:
    return StepsAhead(StepOrder(behind=False), Share(), iter(run), is_wanted, most=most)


def comes_to(value: Callable[[], int], n: int) -> bool:
    """Whether it does, and stays there."""
    until = time.monotonic() + 5
    while value() < n and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(0.05)
    return value() == n


@pytest.mark.parametrize("most", [0, 1, 2, 7])
@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_all_steps_come_once_and_in_order(n, most):
    run = Run(n)
    coming = ahead(run, most=most)
    assert list(coming) == list(range(n))
    assert list(coming) == []
    assert run.closed.is_set()


def test_nothing_is_computed_before_the_first_is_asked_for():
    run = Run(5)
    coming = ahead(run)
    time.sleep(0.05)
    assert run.n_begun == 0
    coming.close()


@pytest.mark.parametrize("most", [0, 1, 2, 7])
def test_no_more_than_so_many_are_there_before_they_are_asked_for(most):
    run = Run(30)
    coming = ahead(run, most=most)
    for n in range(1, 6):
        next(coming)
        assert comes_to(lambda: run.n_begun, n + most)
    coming.close()


def test_who_takes_slowly_waits_for_none():
    """To take a step lasts as long here as to compute one: both together last as long as one of them."""
    seconds, n = 0.03, 12

    def lasts(most: int) -> float:
        began = time.monotonic()
        for _ in ahead(Run(n, seconds), most=most):
            time.sleep(seconds)
        return time.monotonic() - began

    alone, with_others = lasts(0), lasts(2)
    assert with_others < 0.75 * alone


def test_what_is_not_wanted_any_more_is_not_computed_and_what_was_still_comes():
    run, wanted = Run(100), threading.Event()
    wanted.set()
    coming = ahead(run, wanted.is_set)
    assert next(coming) == 0
    assert comes_to(lambda: run.n_begun, 1 + MOST)
    wanted.clear()
    assert list(coming) == list(range(1, 1 + MOST))
    assert run.n_begun == 1 + MOST


def test_a_step_that_is_being_computed_when_it_is_closed_is_the_last():
    run = Run(100, seconds=0.1)
    coming = ahead(run)
    next(coming)
    assert comes_to(lambda: run.n_begun, 2)
    coming.close()  # it waits: a generator that is at work cannot be closed
    assert run.closed.is_set() and run.n_begun <= 3


def test_while_it_is_paused_no_step_is_computed():
    run = Run(100, seconds=0.02)
    coming = ahead(run, most=50)
    next(coming)
    with coming.paused():
        n = run.n_begun
        time.sleep(0.1)
        assert run.n_begun == n
    assert comes_to(lambda: run.n_begun > n, True)
    coming.close()


def test_an_error_comes_after_the_steps_before_it():
    taken = []
    run = Run(10, fails_at=3)
    with pytest.raises(RuntimeError, match="out of memory"):
        for step in ahead(run):
            taken.append(step)
    assert taken == [0, 1, 2] and run.closed.is_set()


def test_runs_beside_each_other_each_get_their_own():
    order = StepOrder(seats=3, behind=False)
    runs = [Run(40, seconds=0.001) for _ in range(6)]
    found = in_threads([
        lambda run=run: list(StepsAhead(order, Share(), iter(run))) for run in runs
    ])  # fmt: skip
    assert found == [list(range(40))] * 6
