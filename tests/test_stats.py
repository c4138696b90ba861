"""Statistics of scores, against numbers worked out by hand and laws that hold for any scores."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from decoding.reading.stats import (
    STATISTICS,
    entropy_nats,
    logprobs,
    mass_removed,
    n_alive,
    perplexity,
    probs,
    rank,
    surprisal_nats,
)

INF, NAN = math.inf, math.nan
LOG2 = math.log(2)


def scores_of(*probabilities: float) -> Tensor:
    """Scores whose softmax is this; 0 becomes -inf."""
    return torch.tensor(probabilities, dtype=torch.float64).log()


def close(got: Tensor, expected) -> bool:
    return torch.allclose(got, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9, equal_nan=True)


SCORES = scores_of(0.5, 0.25, 0.25, 0.0)
DEAD = torch.full((4,), -INF)

# name, what it gives for probabilities 1/2, 1/4, 1/4, 0 (worked out by hand), and for a row all -inf
TABLE = [
    ("probs", probs, [0.5, 0.25, 0.25, 0.0], [NAN] * 4),
    ("logprobs", logprobs, [-LOG2, -2 * LOG2, -2 * LOG2, -INF], [NAN] * 4),
    ("entropy", entropy_nats, 1.5 * LOG2, NAN),
    ("surprisal of the best", lambda s: surprisal_nats(s, 0), LOG2, NAN),
    ("surprisal of the second", lambda s: surprisal_nats(s, 1), 2 * LOG2, NAN),
    ("surprisal of a removed token", lambda s: surprisal_nats(s, 3), INF, NAN),
    ("mass removed by nothing", lambda s: mass_removed(s, s), 0.0, NAN),
]


@pytest.mark.parametrize(("name", "statistic", "expected", "of_nothing"), TABLE, ids=[t[0] for t in TABLE])
def test_hand_computed_values(name, statistic, expected, of_nothing):
    assert close(statistic(SCORES), expected)
    assert close(statistic(DEAD), of_nothing)
    both = statistic(torch.stack([SCORES, DEAD]))
    assert close(both, [expected, of_nothing])


def test_tied_tokens_share_the_better_rank_and_removed_ones_come_last():
    assert [int(rank(SCORES, i)) for i in range(4)] == [0, 1, 1, 3]
    assert int(rank(DEAD, 2)) == 0


def test_alive_is_what_is_above_minus_infinity():
    assert n_alive(torch.stack([SCORES, DEAD])).tolist() == [3, 0]
    assert int(n_alive(torch.tensor([1.0, NAN, INF, -INF]))) == 2


def test_token_ids_can_be_given_row_by_row():
    scores = torch.stack([SCORES, SCORES.flip(0)])
    ids = torch.tensor([0, 1])
    assert close(surprisal_nats(scores, ids), [LOG2, 2 * LOG2])
    assert rank(scores, ids).tolist() == [0, 1]


def test_mass_removed_is_probability_before():
    after = torch.tensor([0.0, -INF, 0.0, -INF])
    assert close(mass_removed(SCORES, after), 0.25)
    assert close(mass_removed(SCORES, DEAD), 1.0)


def test_perplexity_of_a_fair_coin_is_two():
    assert close(perplexity(torch.tensor([LOG2] * 3, dtype=torch.float64)), 2.0)
    assert close(perplexity(torch.tensor([[0.0, 2 * LOG2], [0.0, 0.0]], dtype=torch.float64)), [2.0, 1.0])
    assert math.isnan(perplexity(torch.tensor([])))
    assert float(perplexity(torch.tensor([1.0, INF]))) == INF


def test_nan_and_plus_infinity_are_not_hidden():
    for bad in (NAN, INF):
        scores = torch.tensor([0.0, bad])
        for statistic in (probs, entropy_nats, lambda s: surprisal_nats(s, 0)):
            assert statistic(scores).isnan().any()


def test_a_certain_token_has_no_surprisal_and_no_entropy():
    scores = torch.tensor([-INF, 12.3, -INF])
    assert str(float(surprisal_nats(scores, 1))) == "0.0"  # not -0.0
    assert float(entropy_nats(scores)) == 0.0


def test_large_vocabularies_sum_exactly():
    flat = torch.zeros(150_000)
    assert abs(float(probs(flat).sum()) - 1) < 1e-12
    assert abs(float(entropy_nats(flat)) - math.log(150_000)) < 1e-9


def test_colour_choices_have_names_units_and_ranges():
    assert list(STATISTICS) == ["probability", "surprisal", "entropy"]
    assert [s.unit for s in STATISTICS.values()] == ["", "nats", "nats"]
    expected = {"probability": 0.25, "surprisal": 2 * LOG2, "entropy": 1.5 * LOG2}
    for name, statistic in STATISTICS.items():
        assert statistic.name == name and statistic.label and statistic.help
        assert close(statistic.of(SCORES, 2), expected[name])
        rows = statistic.of(torch.stack([SCORES, SCORES]), torch.tensor([2, 2]))
        assert close(rows, [expected[name]] * 2)


# ---- laws

one_score = st.one_of(st.floats(-40, 40, width=32), st.just(-INF))
some_scores = (
    st.lists(one_score, min_size=1, max_size=30)
    .filter(lambda s: max(s) > -INF)
    .map(lambda s: torch.tensor(s, dtype=torch.float32))
)


@given(some_scores)
def test_probabilities_sum_to_one_and_agree_with_their_logarithms(scores):
    assert abs(float(probs(scores).sum()) - 1) < 1e-12
    assert torch.allclose(logprobs(scores).exp(), probs(scores), rtol=0, atol=1e-12)


@given(some_scores)
def test_entropy_is_between_zero_and_that_of_equal_chances(scores):
    assert 0 <= float(entropy_nats(scores)) <= math.log(int(n_alive(scores))) + 1e-12


@given(some_scores, st.integers(-1000, 1000))
def test_a_shift_of_all_scores_changes_nothing(scores, shift):
    moved = scores.double() + shift
    for statistic in (probs, entropy_nats, lambda s: surprisal_nats(s, 0)):
        assert torch.allclose(statistic(scores), statistic(moved), rtol=0, atol=1e-9, equal_nan=True)


@given(some_scores, st.data())
def test_removing_tokens_loses_their_mass_and_its_logarithm(scores, data):
    alive = (scores > -INF).nonzero().flatten().tolist()
    kept = data.draw(st.lists(st.sampled_from(alive), min_size=1, unique=True))
    after = torch.full_like(scores, -INF)
    after[kept] = scores[kept]
    gone = float(mass_removed(scores, after))
    assert abs(gone + float(probs(scores)[kept].sum()) - 1) < 1e-12


@given(some_scores, st.data())
def test_surprisal_rises_with_rank(scores, data):
    a, b = (data.draw(st.integers(0, len(scores) - 1)) for _ in range(2))
    if int(rank(scores, a)) < int(rank(scores, b)):
        assert float(surprisal_nats(scores, a)) <= float(surprisal_nats(scores, b))
