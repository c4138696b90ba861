"""`EventOrder`: late events are refused, whatever they say of themselves, and no two are handled at once."""

from __future__ import annotations

import threading

import pytest

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
