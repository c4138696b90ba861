"""`EventOrder`: late events are refused, whatever they say of themselves, and no two are handled at once."""

from __future__ import annotations

import threading

import pytest

from app.serving.answer_number import answer_here, expect_answer
from app.session.event_order import EventOrder


def counts(events: EventOrder, kind: str, turn: object) -> bool:
    with events.in_turn(kind, turn) as it_does:
        return it_does


def test_the_later_event_counts_and_the_one_before_it_is_late():
    events = EventOrder()
    assert counts(events, "tab", 7)
    assert not counts(events, "tab", 6)
    assert counts(events, "tab", 7)  # sent again
    assert events.last("tab") == 7


def test_each_kind_counts_for_itself():
    events = EventOrder()
    assert counts(events, "tab", 7)
    assert events.last("lab") == 0
    assert counts(events, "lab", 1)


@pytest.mark.parametrize("turn", [None, True, 2.5, "9", [], {}, float("nan")])
def test_an_event_that_says_nothing_of_its_turn_is_the_next(turn):
    events = EventOrder()
    counts(events, "tab", 3)
    assert counts(events, "tab", turn)
    assert events.last("tab") == 4


def test_no_two_are_handled_at_once_and_an_error_lets_the_next_one_in():
    events, order = EventOrder(), []

    def second() -> None:
        with events.in_turn("pick", 2):
            order.append("second")

    thread = threading.Thread(target=second)
    with pytest.raises(ValueError, match="mine"), events.in_turn("pick", 1):
        thread.start()
        thread.join(0.2)
        order.append("first")
        raise ValueError("mine")
    thread.join(10)
    assert order == ["first", "second"]


def test_answers_are_numbered_as_they_were_made_late_ones_too():
    events, numbers = EventOrder(), []
    for turn in (2, 1, 3):
        answer = expect_answer()
        counts(events, "tab", turn)
        events.answered()  # has its number already
        numbers.append(answer.number)
    assert numbers == [1, 2, 3]


def test_an_answer_after_an_error_is_numbered():
    events, answer = EventOrder(), expect_answer()
    with pytest.raises(ValueError, match="mine"), events.in_turn("tab", 1):
        raise ValueError("mine")
    assert answer.number == 1


def test_what_nobody_waits_for_takes_no_number():
    events, sent = EventOrder(), expect_answer()
    sent.is_sent = True
    counts(events, "tab", 1)
    assert answer_here() is None
    answer = expect_answer()
    counts(events, "tab", 2)
    assert (sent.number, answer.number) == (None, 1)
