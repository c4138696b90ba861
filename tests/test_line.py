"""Who may use the model, and when: fair, in order, and over when it is called off."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack

import pytest

from app.serving.line import CalledOff, Line
from app.serving.pace import Pace, size_of
from app.serving.step_order import Share, StepOrder
from decoding.errors import DecodingError


@pytest.fixture
def line() -> Line:
    return Line(at_once=2, behind=False)


def steps(log: list[str], name: str, n: int, seconds: float = 0.002) -> Iterator[int]:
    for i in range(n):
        time.sleep(seconds)
        log.append(name)
        yield i


# -- turns


class Held:
    """A step that is computed until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.go.wait(10)


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """What the clock shows; a step that is tried here moves it."""
    now = [0.0]
    for module in ("step_order", "line"):
        monkeypatch.setattr(f"app.serving.{module}.monotonic", lambda: now[0])
    return now


class Chain:
    """A run that asks for its next step as soon as it has one: its steps, on a clock that they move."""

    def __init__(self, turns: StepOrder, clock: list[float], log: list[str], name: str, n: int, seconds: float) -> None:
        self.turns, self.clock, self.log, self.name, self.left, self.seconds = turns, clock, log, name, n, seconds
        self.share, self.over, self.meanwhile = Share(), threading.Event(), lambda: None

    def start(self) -> Chain:
        self._again(None)
        return self

    def _step(self) -> None:
        self.clock[0] += self.seconds
        self.log.append(self.name)
        self.left -= 1
        self.meanwhile()

    def _again(self, done: object) -> None:
        if self.left:
            self.turns.do(self.share, self._step).add_done_callback(self._again)
        else:
            self.over.set()


def test_a_short_run_that_comes_later_ends_first(clock):
    turns, log = StepOrder(behind=False), []
    long = Chain(turns, clock, log, "long", 200, 0.02)
    short = Chain(turns, clock, log, "short", 5, 0.02)
    long.meanwhile = lambda: short.start() if log.count("long") == 20 else None
    assert long.start().over.wait(10)
    ends = max(i for i, name in enumerate(log) if name == "short")
    assert log[:ends].count("long") <= 20 + 6
    assert log.count("short") == 5


def test_runs_of_equal_steps_take_them_by_turns(clock):
    turns, log = StepOrder(behind=False), []
    chains = [Chain(turns, clock, log, name, 20, 0.02) for name in "abc"]
    chains[0].meanwhile = lambda: [chain.start() for chain in chains[1:]] if len(log) == 1 else None
    chains[0].start()
    assert all(chain.over.wait(10) for chain in chains)
    assert log == ["a", *"bca" * 19, "b", "c"]


def test_a_run_of_costly_steps_has_the_same_share_of_time_as_one_of_cheap_ones(clock):
    turns, log = StepOrder(behind=False), []
    cheap = Chain(turns, clock, log, "cheap", 100, 0.01)
    costly = Chain(turns, clock, log, "costly", 100, 0.16)
    costly.meanwhile = lambda: cheap.start() if log.count("costly") == 1 else None
    costly.start()
    assert cheap.over.wait(10)
    spent = costly.seconds * log[: len(log) - log[::-1].index("cheap")].count("costly")
    assert spent == pytest.approx(100 * cheap.seconds, abs=2 * costly.seconds)
    assert costly.over.wait(10)


def test_who_has_asked_for_nothing_for_a_while_saves_up_little():
    turns = StepOrder(behind=False)
    turns.do(Share(owed=100.0, n_turns=9), lambda: None).result()
    idle = Share(owed=1.0, n_turns=9)
    turns.do(idle, lambda: None).result()
    assert 99.0 < idle.owed < 100.0


def test_nobody_is_left_behind_while_new_ones_keep_coming(clock):
    turns, log, n_new = StepOrder(behind=False), [], 0
    old = Chain(turns, clock, log, "old", 30, 0.02)

    def another(done: object = None) -> None:
        nonlocal n_new
        n_new += 1
        if n_new < 400:
            Chain(turns, clock, log, "new", 1, 0.02).start()
            turns.do(Share(), lambda: clock.append(0)).add_done_callback(another)

    old.meanwhile = lambda: [another(), another()] if log.count("old") == 20 else None
    assert old.start().over.wait(10)
    assert log.count("new") < 350  # it ends long before they do


@pytest.mark.parametrize("seats", [1, 3])
def test_no_more_than_the_seats_are_in_a_step_at_once(seats):
    turns, now, most = StepOrder(seats, behind=False), [], []

    def step() -> None:
        now.append(1)
        most.append(len(now))
        time.sleep(0.01)
        now.pop()

    for done in [turns.do(Share(), step) for _ in range(12)]:
        done.result()
    assert max(most) == seats


def test_what_a_step_raises_is_the_callers_and_the_next_one_goes_on():
    turns = StepOrder(behind=False)
    with pytest.raises(ZeroDivisionError):
        turns.do(Share(), lambda: 1 // 0).result()
    assert turns.do(Share(), lambda: 7).result() == 7


def test_a_thread_that_has_nothing_to_do_ends_and_the_next_step_starts_another(monkeypatch):
    monkeypatch.setattr("app.serving.step_order.IDLE", 0.01)
    turns = StepOrder(behind=False)
    first = turns.do(Share(), threading.current_thread).result(10)
    first.join(10)
    assert not first.is_alive()
    assert turns.do(Share(), threading.current_thread).result(10) is not first


# -- the line


def test_so_many_go_on_at_once_and_the_others_wait(line):
    with ExitStack() as stack:
        places = [stack.enter_context(line.join(i, "model")) for i in range(4)]
        assert [place.is_let_in for place in places] == [True, True, False, False]
        assert [place.n_before for place in places[2:]] == [0, 1]
        places[0].leave()
        assert places[2].wait(0)
        assert places[3].n_before == 0
    assert line.is_idle


def test_a_shorter_run_is_let_in_first_but_not_before_one_that_has_waited_for_its_own_length(clock):
    line = Line(at_once=1)
    line.pace.note("model", 1, 100, 10.0)  # 0.1 s each
    line.join("first", "model", 1, 10)
    long = line.join("long", "model", 1, 100)
    clock[0] = 5.0
    short = line.join("short", "model", 1, 10)
    clock[0] = 9.5
    late = line.join("late", "model", 1, 10)
    assert (short.n_before, long.n_before, late.n_before) == (0, 1, 2)


def test_a_visitors_second_run_passes_no_others_first_and_waits_for_the_own_one(line):
    mine, other = line.join("me", "model"), line.join("other", "model")
    second, third = line.join("me", "model"), line.join("third", "model", 1, 50)
    assert (third.n_before, second.n_before) == (0, 1)
    other.leave()
    assert third.is_let_in
    third.leave()
    assert not second.is_let_in  # though there is room: the model is not one visitor's alone
    mine.leave()
    assert second.is_let_in


def test_one_visitors_runs_do_not_keep_others_out_of_what_is_free(line):
    line.join("me", "model"), line.join("me", "model"), line.join("me", "model")
    assert line.join("other", "model").is_let_in


def test_a_short_run_does_not_wait_for_long_ones_though_all_places_are_taken():
    line = Line(at_once=2)
    places = [line.join(i, "model", 1, 400) for i in range(2)]
    half = line.join("half", "model", 1, 200)
    first, second = (line.join(name, "model", 1, 5) for name in ("short", "other"))
    assert [place.is_let_in for place in (*places, half, first, second)] == [True, True, False, True, False]
    first.leave()
    assert second.is_let_in  # one at a time
    places[0].leave(), second.leave()
    assert half.is_let_in
    alone = Line(at_once=1)
    alone.join(1, "model", 1, 400)
    assert not alone.join(2, "model", 1, 5).is_let_in  # where only one may go on, only one does


def test_of_those_who_ask_the_same_one_goes_on_and_holds_nobody_else_up(line):
    first, same, other = (line.join(i, "model", question=question) for i, question in enumerate(("a", "a", "b")))
    nobodys = [line.join(i, "model") for i in (7, 8)]  # no question is nobody's
    assert [place.is_let_in for place in (first, same, other)] == [True, False, True]
    other.leave()
    nobodys[0].leave()
    assert nobodys[1].is_let_in and not same.is_let_in
    first.leave()
    assert same.is_let_in


def test_who_waits_is_told_about_how_long():
    line = Line(at_once=2)
    line.pace.note("model", 1, 1000, 100.0)  # 0.1 s a step
    line.join(1, "model", 1, 10), line.join(2, "model", 1, 30)
    third, fourth = line.join(3, "model", 1, 20), line.join(4, "model", 1, 20)
    assert third.seconds_before == pytest.approx(2.0)  # the first takes 1 s, at half the pace
    # Then one has 2 s left, the third 2 s.
    assert fourth.seconds_before == pytest.approx(2.0 + 4.0)


def test_too_many_are_refused_and_nothing_is_begun():
    line = Line(at_once=1, most_waiting=1)
    line.join(1, "model"), line.join(2, "model")
    with pytest.raises(DecodingError, match="the model's queue is full: 1 runs wait already"):
        line.join(3, "model")
    assert len(line._waiting) == 1


def test_who_leaves_while_waiting_is_out_of_the_line(line):
    line.join(1, "model"), line.join(2, "model")
    third, fourth = line.join(3, "model"), line.join(4, "model")
    third.leave()
    assert fourth.n_before == 0
    third.leave()  # again changes nothing
    assert not third.is_let_in


def test_a_run_that_is_left_ends_within_a_step_and_gives_its_place_back(line):
    log: list[str] = []
    with line.join(1, "model") as place:
        for some in place.steps(steps(log, "a", 100)):
            if some == [2]:
                break
    assert len(log) == 3
    assert line.is_idle


def test_steps_come_together_until_they_are_wanted(line):
    log: list[str] = []
    with line.join(1, "model") as place:
        assert list(place.steps(steps(log, "a", 5), until=lambda: time.monotonic() + 60)) == [[0, 1, 2, 3, 4]]
        assert list(place.steps(steps(log, "a", 3))) == [[0], [1], [2]]


def test_no_step_comes_after_the_run_is_over(line):
    log: list[str] = []
    with line.join(1, "model") as place:
        taken = place.steps(steps(log, "a", 9), until=lambda: time.monotonic() + 60, is_over=lambda: len(log) == 4)
        assert len(next(taken)) == 4
        taken.close()
    assert len(log) == 4


def test_who_waits_for_a_turn_waits_for_one_step(line):
    log: list[str] = []

    def slow():
        for i in range(40):
            time.sleep(0.01)
            yield i

    with line.join(1, "model") as first, line.join(2, "model") as second:
        taken = first.steps(slow(), until=lambda: time.monotonic() + 60)
        coming = threading.Thread(target=lambda: log.extend(map(len, taken)))
        coming.start()
        while not line.step_order._n_busy:
            time.sleep(0.001)
        assert len(list(second.steps(steps([], "b", 3)))) == 3
        coming.join(10)
    assert log[0] < 40
    assert sum(log) == 40


def test_what_came_before_an_error_is_told_first(line):
    def run():
        yield 1
        yield 2
        raise ValueError("mine")

    with line.join(1, "model") as place:
        taken = place.steps(run(), until=lambda: time.monotonic() + 60)
        assert next(taken) == [1, 2]
        with pytest.raises(ValueError, match="mine"):
            next(taken)


def test_closing_the_steps_ends_the_run_behind_them(line):
    ended = threading.Event()

    def run():
        try:
            yield 1
            yield 2
        finally:
            ended.set()

    with line.join(1, "model") as place:
        taken = place.steps(run())
        next(taken)
        taken.close()
    assert ended.is_set()


def test_what_cannot_be_taken_in_steps_lets_others_have_theirs_between_them(line):
    log: list[str] = []

    def whole(others_first):
        for _ in range(10):
            others_first()
            time.sleep(0.01)
            log.append("whole")
        return "made"

    with line.join(1, "model") as first, line.join(2, "model") as second:
        made = first.whole(whole)
        for _ in second.steps(steps(log, "run", 5)):
            pass
        assert made.result(10) == "made"
    assert log.index("run") < 10
    assert log.count("whole") == 10


def test_of_what_draws_from_the_one_random_state_only_one_goes_on(line):
    now: list[int] = []

    def whole(others_first):
        now.append(1)
        assert len(now) == 1
        for _ in range(5):
            time.sleep(0.001)
            others_first()
        now.pop()

    places = [line.join(i, "model") for i in range(2)]
    done: list[Future] = [place.whole(whole) for place in places]
    for one in done:
        one.result(10)


@pytest.mark.parametrize("begun", [True, False])
def test_what_is_called_off_ends_at_its_next_step(line, begun):
    held, n = Held(), []

    def whole(others_first):
        for _ in range(1000):
            others_first()
            n.append(1)
            time.sleep(0.001)

    if not begun:
        line.step_order.do(Share(), held)
    place = line.join(1, "model")
    made = place.whole(whole)
    while begun and not n:
        time.sleep(0.001)
    place.leave()
    held.go.set()
    assert isinstance(made.exception(10), CalledOff)
    assert len(n) < 100


# -- how long


def test_the_pace_is_learned_and_carried_over_to_other_widths():
    pace = Pace()
    before = pace.seconds("model", 1, 10)
    pace.note("model", 1, 500, 500 * 0.2)
    assert pace.seconds("model", 1, 10) == pytest.approx(2.0)
    assert pace.seconds("model", 4, 10) > 2.0
    assert pace.seconds("other", 1, 10) == before
    pace.note("model", 4, 500, 500 * 1.0)
    assert pace.seconds("model", 4, 10) == pytest.approx(10.0)
    pace.note("model", 1, 0, 3.0)  # a run that never began teaches nothing
    assert pace.seconds("model", 1, 10) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("given", "size"),
    [({"max_new_tokens": 7}, (2, 7)), ({"num_beams": 3, "max_new_tokens": 5}, (6, 5)),
     ({"penalty_alpha": 0.6, "top_k": 4, "max_new_tokens": 5}, (8, 5)), ({"top_k": 50, "max_new_tokens": 5}, (2, 5)),
     ({}, (2, 20))],
)  # fmt: skip
def test_the_size_of_a_run_is_told_from_what_acts(given, size):
    assert size_of(given, {}, n_prompts=2) == size
