"""`Turns`: late events are refused, whatever they say of themselves."""

from __future__ import annotations

import pytest

from app.turns import Turns


def test_the_later_event_counts_and_the_one_before_it_is_late():
    turns = Turns()
    assert turns.take("tab", 7) == 7
    assert turns.take("tab", 6) is None
    assert turns.take("tab", 7) == 7  # sent again
    assert turns.last("tab") == 7


def test_each_kind_counts_for_itself():
    turns = Turns()
    turns.take("tab", 7)
    assert turns.last("lab") == 0
    assert turns.take("lab", 1) == 1


@pytest.mark.parametrize("turn", [None, True, 2.5, "9", [], {}, float("nan")])
def test_an_event_that_says_nothing_of_its_turn_is_the_next(turn):
    turns = Turns()
    turns.take("tab", 3)
    assert turns.take("tab", turn) == 4
