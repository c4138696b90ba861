"""Samplers of other engines by hand-computed numbers; beside the real engine: tests/test_samplers_engine.py."""

from __future__ import annotations

import math
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from decoding.errors import RecordingError, SettingError
from decoding.samplers import (
    AdaptivePLogitsWarper,
    DRYLogitsProcessor,
    DynamicTemperatureLogitsWarper,
    MirostatLogitsWarper,
    TopNSigmaLogitsWarper,
    XTCLogitsWarper,
)
from decoding.samplers.chain import is_on
from decoding.samplers.dry_breakers import breakers_of
from decoding.samplers.probabilities import probabilities
from tests.hand_made import token_table

GONE = -math.inf
IDS = torch.tensor([[1, 2, 3]])


def of(*probabilities: float) -> torch.Tensor:
    """Scores with these probabilities, [1, n]."""
    return torch.tensor([probabilities]).log()


def left(scores: torch.Tensor) -> list[int]:
    """Ids that are left in the first row."""
    return (scores[0] > GONE).nonzero().flatten().tolist()


# --- top-nσ ------------------------------------------------------------------------------------------------------


def test_top_n_sigma_keeps_what_lies_exactly_at_its_edge():
    scores = torch.tensor([[0.0, 2.0]])  # mean 1, σ 1: two σ below 2 is 0
    assert left(TopNSigmaLogitsWarper(2.0)(IDS, scores)) == [0, 1]
    assert left(TopNSigmaLogitsWarper(1.99)(IDS, scores)) == [1]


def test_top_n_sigma_divides_by_the_number_of_tokens_that_are_left():
    scores = torch.tensor([[GONE, 0.0, 0.0, 0.0, 4.0]])  # mean 1, variance 12 ÷ 4, the removed one left out
    assert left(TopNSigmaLogitsWarper(4 / math.sqrt(3) + 1e-4)(IDS, scores)) == [1, 2, 3, 4]
    assert left(TopNSigmaLogitsWarper(4 / math.sqrt(3) - 1e-4)(IDS, scores)) == [4]


def test_top_n_sigma_of_zero_or_less_changes_nothing():
    scores = of(0.7, 0.2, 0.1)
    assert TopNSigmaLogitsWarper(0.0)(IDS, scores) is scores and TopNSigmaLogitsWarper(-1)(IDS, scores) is scores


def test_top_n_sigma_leaves_as_many_as_it_was_told_to():
    scores = torch.tensor([[0.0, 1.0, 9.0]])
    assert left(TopNSigmaLogitsWarper(0.1, min_tokens_to_keep=2)(IDS, scores)) == [1, 2]


# --- XTC ---------------------------------------------------------------------------------------------------------


def test_xtc_leaves_the_least_likely_of_the_likely_ones_and_all_that_are_less_likely():
    assert left(XTCLogitsWarper(1.0, 0.1, seed=0)(IDS, of(0.3, 0.5, 0.05, 0.15))) == [2, 3]


def test_xtc_counts_a_token_exactly_at_the_threshold_as_likely():
    scores = torch.zeros(1, 2)  # one half each, exactly
    assert len(left(XTCLogitsWarper(1.0, 0.5, seed=0)(IDS, scores))) == 1
    assert left(XTCLogitsWarper(1.0, 0.51, seed=0)(IDS, scores)) == [0, 1]


def test_xtc_changes_nothing_where_fewer_than_two_are_likely():
    assert left(XTCLogitsWarper(1.0, 0.1, seed=0)(IDS, of(0.9, 0.06, 0.04))) == [0, 1, 2]


def test_xtc_acts_where_its_chance_is_at_most_the_probability_and_nowhere_else():
    scores, acted = of(0.5, 0.4, 0.1).repeat(50, 1), 0
    for length in range(1, 41):
        ids = torch.ones(50, length, dtype=torch.long)
        sampler = XTCLogitsWarper(0.3, 0.2, seed=5)
        gone = sampler(ids, scores)[:, 0] == GONE
        assert torch.equal(gone, sampler.facts()["chance"] <= 0.3)
        acted += int(gone.sum())
        exactly = float(sampler.facts()["chance"][0])
        assert left(XTCLogitsWarper(exactly, 0.2, seed=5)(ids, scores)) == [1, 2]
    assert abs(acted / 2000 - 0.3) < 0.05


def test_xtcs_chance_is_told_by_seed_and_length_alone_and_takes_no_draw_from_torch():
    scores, state = of(0.5, 0.4, 0.1).repeat(3, 1), torch.get_rng_state()
    first = XTCLogitsWarper(0.5, seed=7)
    for length in (9, 4):
        first(torch.zeros(3, length, dtype=torch.long), scores)
    again, other = XTCLogitsWarper(0.5, seed=7), XTCLogitsWarper(0.5, seed=8)
    again(torch.ones(3, 4, dtype=torch.long), scores)
    other(torch.ones(3, 4, dtype=torch.long), scores)
    assert torch.equal(first.facts()["chance"], again.facts()["chance"])
    assert not torch.equal(again.facts()["chance"], other.facts()["chance"])
    assert len(set(again.facts()["chance"].tolist())) == 3 and torch.equal(state, torch.get_rng_state())


def test_xtc_keeps_as_many_as_it_was_told_to():
    scores = of(0.5, 0.4, 0.1)
    assert left(XTCLogitsWarper(1.0, 0.2, seed=0, min_tokens_to_keep=3)(IDS, scores)) == [0, 1, 2]
    assert left(XTCLogitsWarper(1.0, 0.2, seed=0, min_tokens_to_keep=2)(IDS, scores)) == [1, 2]


# --- dynamic temperature -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("exponent", "temperature"), [(1.0, 0.5 + 0.811278), (2.0, 0.5 + 0.811278**2), (0.0, 1.5)])
def test_dynamic_temperature_follows_the_entropy_as_a_share_of_the_largest(exponent, temperature):
    warper, scores = DynamicTemperatureLogitsWarper(0.5, exponent, 1.0), of(0.75, 0.25)
    heated = warper(IDS, scores)  # 0.562335 nats of ln 2
    assert float(warper.facts()["temperature"][0]) == pytest.approx(temperature, abs=1e-5)
    assert torch.allclose(heated, scores / temperature, atol=1e-5)


def test_dynamic_temperature_counts_only_tokens_that_are_left():
    warper = DynamicTemperatureLogitsWarper(0.5, 1.0, 1.0)
    warper(IDS, torch.tensor([[0.0, 0.0, GONE, GONE]]))
    assert float(warper.facts()["temperature"][0]) == pytest.approx(1.5)


def test_dynamic_temperature_at_zero_leaves_the_likeliest_token_alone():
    assert left(DynamicTemperatureLogitsWarper(1.0, 1.0, 0.5)(IDS, torch.tensor([[0.0, 900.0, 1.0]]))) == [1]
    nearly = DynamicTemperatureLogitsWarper(0.5, 20.0, 0.5)(IDS, torch.tensor([[0.0, 40.0, 1.0]]))
    assert left(nearly) == [1] and bool(torch.isfinite(nearly[0, 1]))


def test_dynamic_temperature_leaves_a_last_token_as_it_is():
    scores = torch.tensor([[GONE, 3.0]])
    assert torch.equal(DynamicTemperatureLogitsWarper(0.5, 1.0, 2.0)(IDS, scores), scores)


# --- mirostat 2 --------------------------------------------------------------------------------------------------


def test_mirostat_begins_at_twice_tau_and_keeps_what_is_exactly_as_surprising():
    scores = torch.zeros(1, 4)  # two bits each, exactly
    assert left(MirostatLogitsWarper(1.0)(IDS, scores)) == [0, 1, 2, 3]
    assert left(MirostatLogitsWarper(0.99)(IDS, scores)) == [0]  # the likeliest stays in any case


def test_mirostat_moves_by_what_the_drawn_token_surprised_among_those_left():
    mirostat = MirostatLogitsWarper(1.05, 0.1)  # μ 2.1: the tokens of one and of two bits
    ids = torch.tensor([[5], [5]])
    mirostat(ids, of(0.5, 0.25, 0.125, 0.125).repeat(2, 1))
    mirostat(torch.tensor([[5, 1], [5, 0]]), torch.zeros(2, 4))
    mu = mirostat.facts()["mu"].tolist()
    assert mu == pytest.approx([2.1 - 0.1 * (math.log2(3) - 1.05), 2.1 - 0.1 * (math.log2(1.5) - 1.05)], abs=1e-5)


def test_mirostat_is_not_moved_by_a_token_that_could_not_have_been_drawn():
    mirostat = MirostatLogitsWarper(1.05, 0.1)
    mirostat(torch.tensor([[5]]), of(0.5, 0.25, 0.125, 0.125))
    mirostat(torch.tensor([[5, 3]]), torch.zeros(1, 4))  # padding, after the end
    assert float(mirostat.facts()["mu"][0]) == pytest.approx(2.1)


# --- adaptive-p --------------------------------------------------------------------------------------------------


def test_adaptive_p_scores_tokens_by_their_distance_from_the_target():
    made = AdaptivePLogitsWarper(0.5, 0.9)(IDS, of(0.75, 0.25))
    d = 0.25 / 0.3
    assert made[0].tolist() == pytest.approx([5 - 10 * d * d / (1 + d)] * 2, abs=1e-4)


def test_adaptive_p_makes_up_for_what_was_drawn():
    adaptive = AdaptivePLogitsWarper(0.5, 0.9)
    adaptive(torch.tensor([[5]]), of(0.75, 0.25))
    made = adaptive(torch.tensor([[5, 0]]), of(0.75, 0.25))
    facts = {name: float(values[0]) for name, values in adaptive.facts().items()}
    assert facts == pytest.approx({"sum": 0.75 + 0.9 * 5, "weight": 1 + 0.9 * 10, "target": 1 - 5.25 / 10}, abs=1e-5)
    near, far = abs(0.25 - 0.475) / 0.3, abs(0.75 - 0.475) / 0.3
    expected = [5 - 10 * far * far / (1 + far), 5 - 10 * near * near / (1 + near)]
    assert made[0].tolist() == pytest.approx(expected, abs=1e-4)


def test_adaptive_p_brings_nothing_back_and_is_off_below_zero():
    scores = torch.tensor([[GONE, 0.0, 1.0]])
    assert left(AdaptivePLogitsWarper(0.3)(IDS, scores)) == [1, 2]
    assert torch.equal(AdaptivePLogitsWarper(-1)(IDS, scores), scores)


def test_adaptive_p_acts_with_a_target_of_nothing():
    scores = of(0.75, 0.25)
    assert left(AdaptivePLogitsWarper(0.0)(IDS, scores)) == [0, 1]
    assert AdaptivePLogitsWarper(0.0)(IDS, scores)[0, 1] > AdaptivePLogitsWarper(0.0)(IDS, scores)[0, 0]


def test_adaptive_p_goes_on_as_it_was_after_a_token_that_could_not_come():
    """Taken by hand, as a fork does, or padding."""
    adaptive, scores = AdaptivePLogitsWarper(0.5, 0.9), torch.tensor([[GONE, 0.0, 0.0]])
    first = adaptive(torch.tensor([[5]]), scores).clone()
    assert torch.equal(adaptive(torch.tensor([[5, 0]]), scores), first)
    assert float(adaptive.facts()["weight"][0]) == pytest.approx(10.0)


# --- those that steer by the draw ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MirostatLogitsWarper, AdaptivePLogitsWarper])
def test_what_steers_by_the_draw_refuses_rows_that_change_places(kind):
    sampler, scores = kind(0.5), of(0.6, 0.4).repeat(2, 1)
    sampler(torch.tensor([[1], [2]]), scores)
    with pytest.raises(RecordingError, match=rf"{kind.__name__} cannot follow rows that change places"):
        sampler(torch.tensor([[2, 0], [1, 0]]), scores)


@pytest.mark.parametrize("kind", [MirostatLogitsWarper, AdaptivePLogitsWarper])
def test_what_steers_by_the_draw_begins_anew_with_a_new_text(kind):
    sampler, scores = kind(0.5), of(0.6, 0.4)
    sampler(torch.tensor([[1]]), scores)
    first = sampler.state.clone()
    sampler(torch.tensor([[1, 0]]), scores)
    assert not torch.equal(sampler.state, first)
    sampler(torch.tensor([[2, 0, 0]]), scores)  # as long as the text would be, and another
    assert torch.equal(sampler.state, first)


@pytest.mark.parametrize("kind", [MirostatLogitsWarper, AdaptivePLogitsWarper])
def test_what_steers_by_the_draw_goes_on_from_a_state_that_it_is_given(kind):
    sampler, again, scores = kind(0.5), kind(0.5), of(0.6, 0.3, 0.1)
    for ids in ([[1]], [[1, 0]]):
        made = sampler(torch.tensor(ids), scores)
    again.resume(sampler.state)
    assert torch.equal(again(torch.tensor([[1, 0]]), scores), made)
    assert torch.equal(again.after(torch.tensor([1])), sampler.after(torch.tensor([1])))


def test_tokens_that_are_gone_already_do_not_make_it_cold_and_do_not_hide_what_overflows():
    dynamic = DynamicTemperatureLogitsWarper(0.5, 1.0, 1.0)
    scores = torch.tensor([[GONE, 2.0, 1.0, 0.0]])
    made, warmth = dynamic(IDS, scores), dynamic.facts()["temperature"]
    assert 0.5 < float(warmth[0]) < 1.5 and torch.equal(made, scores / warmth[:, None])
    tiny = DynamicTemperatureLogitsWarper(0.0, 1.0, 1e-38)
    assert left(tiny(IDS, torch.tensor([[GONE, 60.0, 1.0, 0.0]]))) == [1]


def test_probabilities_of_large_scores_are_numbers():
    made = probabilities(torch.tensor([[90.0, 89.0, GONE], [-90.0, -91.0, GONE]]))
    assert made.tolist() == [pytest.approx([0.7310586, 0.2689414, 0.0])] * 2


def test_xtc_leaves_as_many_as_it_is_told_to_of_those_that_are_there():
    scores = torch.tensor([[2.0, 2.0, GONE, GONE]])
    assert len(left(XTCLogitsWarper(1.0, 0.1, seed=0)(IDS, scores))) == 1
    assert left(XTCLogitsWarper(1.0, 0.1, seed=0, min_tokens_to_keep=2)(IDS, scores)) == [0, 1]


def test_the_chance_of_a_seed_is_the_same_for_ever():
    """Runs that were kept are verified, and links opened, with it."""
    xtc, told = XTCLogitsWarper(0.5, 0.1, seed=7), []
    for length in (1, 2, 3):
        xtc(torch.zeros(1, length, dtype=torch.long), of(0.6, 0.4))
        told.append(float(xtc.facts()["chance"][0]))
    assert told == pytest.approx([0.153641045, 0.073645711, 0.244502783], abs=1e-7)


@pytest.mark.parametrize(("name", "value", "on"), [
    ("mirostat_tau", 0.0, True), ("adaptive_target", 0.0, True), ("adaptive_target", -1.0, False),
    ("xtc_probability", 0.0, False), ("top_n_sigma", 0.0, False), ("dry_multiplier", None, False),
])  # fmt: skip
def test_which_value_switches_a_sampler_on(name, value, on):
    assert is_on(name, value) is on


# --- DRY -----------------------------------------------------------------------------------------------------------


def dry(multiplier=1.0, base=2.0, allowed=2, last_n=-1, breakers=(), **more) -> DRYLogitsProcessor:
    return DRYLogitsProcessor(multiplier, base, allowed, last_n, breakers, **more)


def test_dry_passes_over_a_token_that_the_scores_do_not_reach():
    """A processor before it may have returned fewer scores, or a prompt may hold tokens without any."""
    dry, scores = DRYLogitsProcessor(1.0, 1.75, 1, -1, []), torch.zeros(1, 3)
    assert dry.penalties([3, 2, 3, 2]).keys() == {3} and dry.penalties([2, 1, 2]).keys() == {1}
    assert torch.equal(dry(torch.tensor([[3, 2, 3, 2]]), scores), scores)
    assert dry(torch.tensor([[2, 1, 2]]), scores)[0].tolist() == [0.0, -1.0, 0.0]


def test_dry_penalises_a_token_by_how_long_a_repetition_it_would_go_on_with():
    text = [1, 2, 3, 9, 2, 3, 8, 7, 1, 2, 3]  # 1 2 3 came before 9, 2 3 before 8, 3 alone before nothing else
    assert dry(0.5).penalties(text) == {9: 0.5 * 2, 8: 0.5}
    assert dry(0.5, allowed=3).penalties(text) == {9: 0.5}
    assert dry(0.5, allowed=4).penalties(text) == {}


def test_dry_takes_the_longest_of_several_repetitions():
    assert dry(allowed=1).penalties([2, 3, 5, 1, 3, 5, 2, 3]) == {5: 2.0}


def test_dry_looks_at_the_last_tokens_alone():
    text = [1, 2, 9, 1, 2]
    assert dry(last_n=5).penalties(text) == {9: 1.0} and dry(last_n=4).penalties(text) == {}
    assert dry(last_n=0)(torch.tensor([text]), torch.zeros(1, 10)).eq(0).all()


def test_dry_subtracts_from_the_scores_of_each_row_and_leaves_its_input_alone():
    ids, scores = torch.tensor([[1, 2, 9, 1, 2], [1, 2, 3, 4, 5]]), torch.zeros(2, 10)
    made = dry(0.75)(ids, scores)
    assert made[0, 9] == -0.75 and made.count_nonzero() == 1 and not scores.any()


def test_dry_counts_no_padding():
    padded, plain = [0, 0, 0, 1, 2, 9, 1, 2], [1, 2, 9, 1, 2]
    assert dry(pad_token_id=0, allowed=0).penalties(padded) == dry(allowed=0).penalties(plain)
    assert dry(allowed=0).penalties(padded) != dry(allowed=0).penalties(plain)


def test_dry_stays_a_number_however_long_the_repetition():
    penalty = dry(1.0, 1.75).penalties([1] * 3000)[1]
    assert penalty == pytest.approx(1.75 ** int(88.7228391 / math.log(1.75)), rel=1e-5)


def test_dry_takes_time_in_proportion_to_the_text():
    began = time.perf_counter()
    assert dry().penalties([1] * 200_000)
    assert dry().penalties([1, 2] * 100_000)
    assert time.perf_counter() - began < 30  # two billion comparisons would take minutes


@given(st.lists(st.integers(0, 2), max_size=24), st.integers(0, 4), st.sampled_from((-1, 5, 12)))
def test_dry_finds_what_comparing_everything_with_everything_finds(text, allowed, last_n):
    context = text if last_n == -1 else text[-last_n:]
    expected: dict[int, float] = {}
    for end in range(len(context) - 1) if len(context) > allowed else ():
        n = 0
        while n <= end and context[end - n] == context[len(context) - 1 - n]:
            n += 1
        if n >= allowed:
            token = context[end + 1]
            expected[token] = max(expected.get(token, 0.0), 1.5 * 2.0 ** (n - allowed))
    assert dry(1.5, allowed=allowed, last_n=last_n).penalties(text) == expected


TABLE = token_table(["a", "b", ".", " x.", "E", "EN", "ND", "D", "c", " é".encode()[:2], " é".encode()[2:]])
A, B, STOP, X_STOP, E, EN, ND, D, C = range(9)


def test_dry_does_not_repeat_across_a_breaker_nor_penalise_one():
    plain, broken = dry(), dry(breakers=["."], table=TABLE)
    assert plain.penalties([A, B, C, A, B]) == broken.penalties([A, B, C, A, B]) == {C: 1.0}
    assert plain.penalties([STOP, B, C, STOP, B]) == {C: 1.0} and broken.penalties([STOP, B, C, STOP, B]) == {}
    assert broken.penalties([X_STOP, B, C, X_STOP, B]) == {}  # it holds the breaker
    near = dry(allowed=1, breakers=["."], table=TABLE)  # as many tokens since the breaker as may repeat
    assert near.penalties([STOP, B, C, STOP, B]) == {C: 1.0}
    assert plain.penalties([A, B, STOP, A, B]) == {STOP: 1.0} and broken.penalties([A, B, STOP, A, B]) == {}


def test_dry_finds_breakers_that_are_several_tokens():
    tokens = {"ND": [ND], "D": [D]}
    found = breakers_of(["END"], TABLE, tokens.__getitem__)
    assert found.tails == {E: ((ND,),), EN: ((D,),)} and not found.ends(E)
    assert found.tokens_since([A, EN, D, B, C]) == 2 and found.tokens_since([A, E, D, B, C]) == 5
    assert found.tokens_since([A, E, ND]) == 0


def test_dry_passes_over_a_breaker_that_begins_within_a_character():
    assert breakers_of(["é"], TABLE, lambda text: pytest.fail(text)).tails == {}


@pytest.mark.parametrize("breakers", [[""], ["a", ""], [3], "", [None]])
def test_dry_refuses_breakers_that_are_no_texts(breakers):
    with pytest.raises(SettingError, match="dry_sequence_breakers"):
        DRYLogitsProcessor(1.0, dry_sequence_breakers=breakers or [""], table=TABLE)


def test_dry_says_that_breakers_need_a_tokenizer():
    with pytest.raises(SettingError, match="given with a tokenizer"):
        DRYLogitsProcessor(1.0)
    with pytest.raises(SettingError, match="END.*single character"):
        DRYLogitsProcessor(1.0, dry_sequence_breakers=["END"], table=TABLE)


# --- what cannot be used ---------------------------------------------------------------------------------------------

BAD = [
    *((DRYLogitsProcessor, name, value) for name, value in (
        ("dry_multiplier", -0.1), ("dry_multiplier", math.nan), ("dry_base", 0.99), ("dry_base", [1.75]),
        ("dry_allowed_length", -1), ("dry_allowed_length", 1.5), ("dry_penalty_last_n", -2),
        ("dry_penalty_last_n", 2**40),
    )),
    *((TopNSigmaLogitsWarper, "top_n_sigma", value) for value in (math.nan, math.inf, "1", [1.0], -1.5, True)),
    *((XTCLogitsWarper, name, value) for name, value in (
        ("xtc_probability", 1.01), ("xtc_probability", -0.1), ("xtc_threshold", math.nan), ("xtc_threshold", 2),
    )),
    *((DynamicTemperatureLogitsWarper, name, value) for name, value in (
        ("dynatemp_range", -1), ("dynatemp_exponent", math.nan), ("dynatemp_exponent", -1),
    )),
    *((MirostatLogitsWarper, name, value) for name, value in (
        ("mirostat_tau", -1), ("mirostat_tau", math.inf), ("mirostat_eta", 1.1), ("mirostat_eta", None),
    )),
    *((AdaptivePLogitsWarper, name, value) for name, value in (
        ("adaptive_target", 1.1), ("adaptive_target", math.nan), ("adaptive_decay", 1.0), ("adaptive_decay", -0.1),
    )),
]  # fmt: skip
NEEDED = {
    DRYLogitsProcessor: {"dry_multiplier": 1.0, "dry_sequence_breakers": []}, XTCLogitsWarper: {"xtc_probability": 0.5},
    DynamicTemperatureLogitsWarper: {"dynatemp_range": 0.5}, AdaptivePLogitsWarper: {"adaptive_target": 0.5},
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "value"), BAD)
def test_a_value_out_of_range_is_refused_by_its_name(kind, name, value):
    with pytest.raises(SettingError, match=f"^{name} must be "):
        kind(**{**NEEDED.get(kind, {}), name: value})
