"""Draws: reproducible, from what is possible only, and what was to be expected of them."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.draws import binomial_interval, draw

P = torch.tensor([0.5, 0.3, 0.2, 0.0]).log()


def test_the_same_seed_draws_the_same():
    assert torch.equal(draw(P, 1000, 7).counts, draw(P, 1000, 7).counts)
    assert not torch.equal(draw(P, 1000, 7).counts, draw(P, 1000, 8).counts)


@pytest.mark.parametrize("n", [1, 10, 100, 1000])
def test_the_counts_add_up_to_the_number_of_draws(n):
    made = draw(P, n, 3)
    assert (int(made.counts.sum()), made.n, made.seed) == (n, n, 3)


def test_a_removed_token_is_never_drawn():
    scores = torch.full((500,), -math.inf)
    scores[[3, 77, 499]] = torch.tensor([0.0, -1.0, -2.0])
    counts = draw(scores, 1000, 0).counts
    assert set(counts.nonzero().squeeze(1).tolist()) == {3, 77, 499}


def test_the_draws_are_those_of_multinomial_over_the_whole_vocabulary():
    scores = torch.randn(300, generator=torch.Generator().manual_seed(1)) * 3
    scores[::2] = -math.inf
    generator = torch.Generator().manual_seed(11)
    ids = torch.multinomial(scores.double().softmax(-1), 1000, replacement=True, generator=generator)
    assert torch.equal(draw(scores, 1000, 11).counts, torch.bincount(ids, minlength=300))


def test_drawing_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    draw(P, 1000, 7)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_global_random_state_does_not_change_what_is_drawn():
    torch_state = torch.get_rng_state()
    try:
        torch.manual_seed(1)
        first = draw(P, 100, 7)
        torch.manual_seed(2)
        assert torch.equal(draw(P, 100, 7).counts, first.counts)
    finally:
        torch.set_rng_state(torch_state)


@pytest.mark.parametrize("scores", [[-math.inf, -math.inf], [math.nan, 0.0], [math.inf, 0.0]])
def test_nothing_is_drawn_where_there_is_no_distribution(scores):
    assert draw(torch.tensor(scores), 10, 0) is None


def test_frequencies_come_close_to_probabilities():
    counts = draw(P, 100_000, 5).counts / 100_000
    assert counts.tolist() == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.01)


@pytest.mark.parametrize(
    ("n", "p", "low", "high"),
    [
        (2, 0.5, 0, 2),  # 1/4, 1/2, 1/4: no end is rarer than 2.5%
        # Of 1024: 1, 10, 45, …: at most one comes in 11 of 1024 (1.1%), at most two in 56 (5.5%).
        (10, 0.5, 2, 8),
        (10, 0.0, 0, 0),
        (10, 1.0, 10, 10),
        (1, 0.01, 0, 0),
        (1, 0.99, 1, 1),
    ],
)
def test_the_binomial_interval_by_hand(n, p, low, high):
    assert binomial_interval(n, p) == (low, high)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 120), percent=st.integers(1, 99))
def test_the_binomial_interval_is_the_narrowest_with_at_most_a_fortieth_at_either_end(n, percent):
    p = Fraction(percent, 100)
    pmf = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    low, high = binomial_interval(n, percent / 100)
    tail = Fraction(1, 40)
    assert sum(pmf[:low]) <= tail < sum(pmf[: low + 1])
    assert sum(pmf[high + 1 :]) <= tail < sum(pmf[high:])
