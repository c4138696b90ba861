"""Truncation rules as numbers: hand-computed tables with their boundaries, and transformers' own warpers."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers.generation import logits_process

from decoding.errors import NotRecordedError
from decoding.reading.cutoffs import RULES, Cutoff, cutoff, removal_margin
from decoding.recorded.stages import stages_of

INF = math.inf
P = (0.4, 0.3, 0.2, 0.1)
STRICT = {"top_p", "typical"}  # a margin of exactly 0 is outside


def scores_of(*probabilities: float) -> Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log().float()


def run(warper: str, before: Tensor, **arguments) -> tuple[str, dict, Tensor, Tensor]:
    """What a recording of this warper would hold: its stage, and the scores before and after."""
    processor = getattr(logits_process, warper)(**arguments)
    # In a batch, as generate runs it: a row is not to depend on its neighbours.
    after = processor(None, torch.stack([before, before.flip(0)]))[0]
    stage = stages_of([processor])[0]
    return stage.name, stage.params, before, after


def cut(warper: str, before: Tensor, limit: int = 100, **arguments) -> Cutoff:
    return cutoff(*run(warper, before, **arguments), limit=limit)


# warper, arguments; then for P: order, values, threshold, margins, crossing, number kept
TABLE = [
    ("TopPLogitsWarper", {"top_p": 0.5}, (0, 1, 2, 3), (0.4, 0.7, 0.9, 1), 0.5, (0.5, 0.1, -0.2, -0.4), 1, 2),
    (
        "TopKLogitsWarper",
        {"top_k": 2},
        (0, 1, 2, 3),
        tuple(map(math.log, P)),
        math.log(0.3),
        (math.log(4 / 3), 0, math.log(2 / 3), math.log(1 / 3)),
        1,
        2,
    ),
    ("MinPLogitsWarper", {"min_p": 0.6}, (0, 1, 2, 3), P, 0.24, (0.16, 0.06, -0.04, -0.14), 1, 2),
    # entropy 1.27985; surprisals 0.916, 1.204, 1.609, 2.303 lie 0.364, 0.076, 0.330, 1.023 from it
    (
        "TypicalLogitsWarper",
        {"mass": 0.4},
        (1, 2, 0, 3),
        (0.3, 0.5, 0.9, 1),
        0.4,
        (0.4, 0.1, -0.1, -0.5),
        1,
        2,
    ),
    ("EpsilonLogitsWarper", {"epsilon": 0.15}, (0, 1, 2, 3), P, 0.15, (0.25, 0.15, 0.05, -0.05), 2, 3),
    # sqrt(0.2) * exp(-1.27985) = 0.124354
    (
        "EtaLogitsWarper",
        {"epsilon": 0.2},
        (0, 1, 2, 3),
        P,
        0.124354,
        (0.275646, 0.175646, 0.075646, -0.024354),
        2,
        3,
    ),
    # entropy terms 0.366516, 0.361192, 0.321888, 0.230259
    (
        "TopHLogitsWarper",
        {"top_h": 0.6},
        (0, 1, 2, 3),
        (0.366516, 0.727708, 1.049596, 1.279854),
        0.767913,
        (0.401397, 0.040205, -0.281683, -0.511941),
        1,
        2,
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_hand_computed_cutoffs(row):
    warper, arguments, order, values, threshold, margins, crossing, n_kept = row
    c = cut(warper, scores_of(*P), **arguments)
    assert c.token_ids == order and c.positions == (0, 1, 2, 3)
    assert c.values == pytest.approx(values, abs=1e-5)
    assert c.threshold == pytest.approx(threshold, abs=1e-5)
    assert c.margins == pytest.approx(margins, abs=1e-5)
    assert c.crossing == crossing
    assert c.kept == tuple(i < n_kept for i in range(4))
    assert (c.n_alive, c.n_kept, c.n_removed) == (4, n_kept, 4 - n_kept)
    assert c.probs == pytest.approx([P[i] for i in order], abs=1e-6)
    assert c.mass_removed == pytest.approx(sum(P[i] for i in order[n_kept:]), abs=1e-6)
    assert (c.gap_count, c.tail_count, c.tail_mass, c.agrees) == (0, 0, 0.0, True)


def test_every_rule_names_its_knob_unit_and_axis():
    rows = {c.rule: c for name, arguments, *_ in TABLE for c in [cut(name, scores_of(*P), **arguments)]}
    assert {r: (c.parameter, c.setting) for r, c in rows.items()} == {
        "top_p": ("top_p", 0.5),
        "top_k": ("top_k", 2),
        "min_p": ("min_p", 0.6),
        "typical": ("typical_p", 0.4),
        "epsilon": ("epsilon_cutoff", 0.15),
        "eta": ("eta_cutoff", pytest.approx(0.2)),
        "top_h": ("top_h", 0.6),
    }
    assert rows["top_h"].unit == "nats" and rows["top_h"].axis == "cumulative entropy"
    assert rows["top_k"].unit == "logit"
    assert {rows[r].unit for r in ("top_p", "typical", "min_p", "epsilon", "eta")} == {"probability"}
    assert rows["min_p"].reference == pytest.approx(0.4)
    entropy = pytest.approx(1.279854, abs=1e-5)
    assert [rows[r].reference for r in ("typical", "eta", "top_h", "top_p")] == [entropy] * 3 + [None]


# ---- boundaries


@pytest.mark.parametrize(
    ("top_p", "n_kept"), [(0.25, 1), (0.2500001, 2), (0.5, 2), (0.75, 3), (0.7500001, 4)]
)
def test_top_p_exactly_at_a_step_keeps_the_token_that_reaches_it_and_no_more(top_p, n_kept):
    c = cut("TopPLogitsWarper", torch.zeros(4), top_p=top_p)  # four exact quarters
    assert c.n_kept == n_kept and c.crossing == n_kept - 1 and c.agrees
    if top_p in (0.25, 0.5, 0.75):
        assert c.margins[n_kept] == 0.0 and not c.kept[n_kept]


def test_top_p_keeps_the_token_that_crosses_the_threshold():
    c = cut("TopPLogitsWarper", scores_of(0.6, 0.4), top_p=0.7)
    assert c.kept == (True, True) and c.crossing == 1
    assert c.values[0] < c.threshold < c.values[1]


def test_top_p_of_one_removes_only_what_has_no_probability():
    c = cut("TopPLogitsWarper", torch.tensor([0.0, -1.0, -200.0]), top_p=1.0)
    assert c.kept == (True, True, False) and c.margins[2] == 0.0 and c.agrees


def test_top_p_of_zero_is_saved_by_the_minimum():
    c = cut("TopPLogitsWarper", scores_of(*P), top_p=0.0)
    assert c.n_kept == 1 and c.minimum == (True, False, False, False)
    assert c.margins[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("top_k", "n_kept", "threshold"), [(1, 1, math.log(0.4)), (4, 4, math.log(0.1)), (9, 4, math.log(0.1))]
)
def test_top_k_of_one_of_all_and_of_more_than_all(top_k, n_kept, threshold):
    c = cut("TopKLogitsWarper", scores_of(*P), top_k=top_k)
    assert c.n_kept == n_kept and c.crossing == n_kept - 1
    assert c.threshold == pytest.approx(threshold, abs=1e-6) and c.setting == top_k


def test_top_k_keeps_all_that_tie_with_the_kth():
    c = cut("TopKLogitsWarper", torch.tensor([1.0, 2.0, 1.0, 3.0, 1.0, 0.0]), top_k=3)
    assert c.token_ids == (3, 1, 0, 2, 4, 5) and c.n_kept == 5
    assert c.margins == (2.0, 1.0, 0.0, 0.0, 0.0, -1.0) and c.crossing == 4


def test_top_k_above_the_number_alive_has_no_line():
    c = cut("TopKLogitsWarper", torch.tensor([1.0, -INF, 2.0]), top_k=3)
    assert c.threshold == -INF and c.margins == (INF, INF) and (c.n_alive, c.n_removed) == (2, 0)


def test_min_p_of_one_keeps_what_ties_with_the_best():
    c = cut("MinPLogitsWarper", torch.tensor([2.0, 1.0, 2.0]), min_p=1.0)
    assert c.token_ids == (0, 2, 1) and c.kept == (True, True, False) and c.margins[:2] == (0.0, 0.0)


def test_epsilon_exactly_at_a_probability_keeps_it():
    c = cut("EpsilonLogitsWarper", torch.zeros(4), epsilon=0.25)
    assert c.n_kept == 4 and c.margins == (0.0,) * 4 and c.crossing == 3


def test_epsilon_above_all_keeps_the_best_and_their_ties():
    c = cut("EpsilonLogitsWarper", torch.tensor([1.0, 1.0, 0.0]), epsilon=0.9)
    assert c.kept == (True, True, False) and c.minimum == (True, True, False)
    assert c.crossing is None and all(m < 0 for m in c.margins) and c.agrees


def test_typical_may_remove_the_most_likely_token():
    c = cut("TypicalLogitsWarper", scores_of(*P), mass=0.25)
    assert c.token_ids[0] == 1 and c.n_kept == 1
    assert c.keys == pytest.approx((0.075881, 0.329584, 0.363563, 1.022731), abs=1e-5)


def test_typical_keeps_all_that_are_as_near_as_the_one_that_crosses():
    c = cut("TypicalLogitsWarper", torch.zeros(4), mass=0.3)
    assert c.n_kept == 4 and c.margins == pytest.approx((0.3,) * 4) and c.agrees


def test_typical_exactly_at_a_step_keeps_no_more():
    scores = scores_of(*P)
    reached = cut("TypicalLogitsWarper", scores, mass=0.4).values[
        1
    ]  # what the second token fills, to the bit
    c = cut("TypicalLogitsWarper", scores, mass=reached)
    assert c.n_kept == 2 and c.crossing == 1 and c.margins[2] == 0.0 and c.agrees


def test_top_h_keeps_its_best_token_even_alone_above_the_limit():
    c = cut("TopHLogitsWarper", scores_of(*P), top_h=0.1)
    assert c.n_kept == 1 and c.minimum[0] and c.margins[0] < 0 and c.crossing is None and c.agrees


def test_top_h_considers_a_hundred_tokens():
    scores = -torch.arange(150) / 1000
    record = run("TopHLogitsWarper", scores, top_h=1.0)
    c = cutoff(*record, limit=150)
    assert c.n_kept in (99, 100) and c.margins[100] is None and math.isnan(c.values[100])
    last, first = removal_margin(*record, [0, 149])
    assert (last.cause, first.cause, first.margin, first.unit) == ("threshold", "cap", None, None)
    assert first.removed


@pytest.mark.parametrize("warper", ["TopPLogitsWarper", "MinPLogitsWarper", "EpsilonLogitsWarper"])
def test_the_minimum_keeps_tokens_that_are_outside(warper):
    name, setting = {"T": ("top_p", 0.3), "M": ("min_p", 0.9), "E": ("epsilon", 0.35)}[warper[0]]
    record = run(warper, scores_of(*P), min_tokens_to_keep=2, **{name: setting})
    c = cutoff(*record)
    assert c.kept == (True, True, False, False) and c.crossing == 0 and c.margins[1] < 0
    assert c.minimum == (True, True, False, False) and c.agrees
    assert [m.cause for m in removal_margin(*record, [0, 1, 2])] == ["threshold", "minimum", "threshold"]


def test_tokens_removed_earlier_take_no_part():
    before = scores_of(0.5, 0.0, 0.25, 0.25, 0.0)
    record = run("TopPLogitsWarper", before, top_p=0.6)
    c = cutoff(*record)
    assert set(c.token_ids) == {0, 2, 3} and c.n_alive == 3 and c.n_kept == 2
    gone = removal_margin(*record, [1])[0]
    assert (gone.removed, gone.margin, gone.cause) == (False, None, "none")


@pytest.mark.parametrize("warper", list(RULES))
def test_one_token_alive_and_none_alive(warper):
    arguments = next(arguments for name, arguments, *_ in TABLE if name == warper)
    c = cut(warper, torch.tensor([-INF, 1.0, -INF]), **arguments)
    assert (c.token_ids, c.kept, c.crossing, c.n_removed, c.agrees) == ((1,), (True,), 0, 0, True)
    dead = torch.full((3,), -INF)
    name, params, *_ = run(warper, torch.zeros(3), **arguments)
    c = cutoff(name, params, dead, dead)
    assert (c.token_ids, c.crossing, c.n_alive, c.mass_removed) == ((), None, 0, 0.0)


# ---- what is shown of a long tail


def test_a_boundary_beyond_the_limit_is_shown_with_its_neighbours():
    scores = -torch.arange(1000) / 500
    c = cut("TopPLogitsWarper", scores, top_p=0.9, limit=10)
    assert c.crossing > 100
    assert c.positions == (*range(10), *range(c.crossing - 4, c.crossing + 6))
    assert c.kept == (True,) * 15 + (False,) * 5
    assert c.gap_count == c.crossing - 14 and c.tail_count == 1000 - c.crossing - 6
    assert sum(c.probs) + c.gap_mass + c.tail_mass == pytest.approx(1)
    assert c.tail_mass < 0.1 < c.gap_mass


def test_a_boundary_within_the_limit_needs_no_more():
    c = cut("TopKLogitsWarper", -torch.arange(1000.0), top_k=3, limit=10)
    assert c.positions == tuple(range(10)) and (c.gap_count, c.tail_count) == (0, 990)


def test_the_end_of_the_order_is_a_boundary_when_nothing_is_removed():
    c = cut("MinPLogitsWarper", torch.zeros(500), min_p=0.0, limit=10)
    assert c.positions[-1] == 499 and c.tail_count == 0 and c.n_removed == 0


# ---- the recorded decision


def test_the_recorded_decision_is_shown_when_the_numbers_do_not_explain_it():
    name, params, before, after = run("TopPLogitsWarper", scores_of(*P), top_p=0.5)
    after = torch.where(torch.tensor([True, False, True, False]), before, -INF)
    c = cutoff(name, params, before, after)
    assert c.token_ids == (0, 1, 2, 3) and c.kept == (True, False, True, False)
    assert not c.agrees and c.n_kept == 2 and c.crossing == 1


def test_of_equal_tokens_the_recorded_ones_come_first():
    name, params, before, _ = run("TopPLogitsWarper", torch.zeros(4), top_p=0.5)
    for kept in ([0, 1], [1, 3], [2, 3]):
        after = torch.full((4,), -INF)
        after[kept] = 0.0
        c = cutoff(name, params, before, after)
        assert list(c.token_ids[:2]) == kept and c.kept == (True, True, False, False) and c.agrees


def test_a_finite_filter_value_is_a_removal_too():
    c = cut("TopKLogitsWarper", scores_of(*P), top_k=2, filter_value=-1e4)
    assert c.kept == (True, True, False, False) and c.agrees


def test_a_cutoff_is_a_plain_value():
    c = cut("TopPLogitsWarper", scores_of(*P), top_p=0.5)
    plain = (int, float, str, bool, tuple, type(None))
    assert all(type(value) in plain for value in dataclasses.astuple(c))
    assert c == cut("TopPLogitsWarper", scores_of(*P), top_p=0.5)


# ---- stages that are no truncation rule


def test_other_stages_have_no_cutoff():
    before = scores_of(*P)
    assert cutoff("TemperatureLogitsWarper", {"temperature": 0.5}, before, before / 0.5) is None
    assert cutoff("log_softmax", {}, before, before) is None
    assert [m.cause for m in removal_margin("TemperatureLogitsWarper", {}, before, before / 0.5, [0, 3])] == [
        "none",
        "none",
    ]


def test_a_ban_has_no_margin():
    processor = logits_process.SuppressTokensLogitsProcessor([1, 2])
    before = torch.tensor([0.0, 1.0, -INF])
    after = processor(torch.zeros(1, 1, dtype=torch.long), before[None].clone())[0]
    kept, banned, gone = removal_margin("SuppressTokensLogitsProcessor", {}, before, after, [0, 1, 2])
    assert (banned.removed, banned.margin, banned.unit, banned.cause) == (True, None, None, "ban")
    assert (kept.removed, kept.cause) == (False, "none") and (gone.removed, gone.cause) == (False, "none")


def test_margins_of_chosen_tokens_are_those_of_the_chart():
    record = run("TopPLogitsWarper", scores_of(*P), top_p=0.5)
    margins = removal_margin(*record, [3, 0])
    assert [m.margin for m in margins] == pytest.approx([-0.4, 0.5], abs=1e-6)
    assert [(m.token_id, m.removed, m.unit) for m in margins] == [
        (3, True, "probability"),
        (0, False, "probability"),
    ]


@pytest.mark.parametrize("value", [None, "0.9", math.nan, [0.9], INF, 10**400])
def test_a_trace_without_the_parameter_is_refused(value):
    with pytest.raises(NotRecordedError, match="top_p"):
        cutoff("TopPLogitsWarper", {"top_p": value}, torch.zeros(3), torch.zeros(3))


@pytest.mark.parametrize("name", list(RULES))
@pytest.mark.parametrize("value", [-5, 0, 2**52])
def test_absurd_parameters_of_a_hostile_trace_do_no_harm(name, value):
    params = dict.fromkeys((*RULES[name].spelled, "min_tokens_to_keep", "top_n"), value)
    c = cutoff(name, params, torch.zeros(3), torch.zeros(3))
    assert c.kept == (True, True, True)


@pytest.mark.parametrize("bad", [math.nan, INF])
@pytest.mark.parametrize("name", list(RULES))
def test_scores_without_a_distribution_give_a_cutoff_all_the_same(name, bad):
    before = torch.tensor([0.0, bad, 1.0])
    params = {RULES[name].spelled[0]: 0.5}
    c = cutoff(name, params, before, before)
    assert 0 in c.token_ids and len(removal_margin(name, params, before, before, [0, 1])) == 2


# ---- laws: against transformers' own warpers on all kinds of scores


def _shapes(scores: Tensor, kind: str) -> Tensor:
    match kind:
        case "flat":
            return scores * 0.01
        case "peaked":
            return scores * 30
        case "ties":
            return (scores * 2).round()
        case "powers of two":
            return scores.round() * math.log(2)
        case "holes":
            return torch.where(scores < 0.5, -INF, scores)
        case "logprobs":
            return torch.log_softmax(scores * 3, -1)
    return scores


@st.composite
def some_scores(draw):
    n = draw(st.sampled_from([1, 2, 3, 8, 50, 130, 1000]))
    scores = torch.randn(n, generator=torch.Generator().manual_seed(draw(st.integers(0, 2**31))))
    kinds = ["plain", "flat", "peaked", "ties", "powers of two", "holes", "logprobs"]
    scores = _shapes(scores, draw(st.sampled_from(kinds)))
    scores[draw(st.integers(0, n - 1))] = 0.0  # one at least is alive
    return scores


@st.composite
def some_warper(draw):
    name = draw(st.sampled_from(list(RULES)))
    share = draw(st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 0.95, 0.999]) | st.floats(0.01, 0.99))
    small = share * draw(st.sampled_from([1, 0.1, 0.01]))
    setting = {"top_k": draw(st.sampled_from([1, 2, 5, 50, 2000])), "epsilon": small}
    attribute = RULES[name].spelled[0]
    arguments = {attribute: setting.get(attribute, share)}
    if name != "TopHLogitsWarper":
        arguments["min_tokens_to_keep"] = draw(st.sampled_from([1, 1, 2, 5]))
    return name, arguments


@settings(max_examples=400, deadline=None)
@given(scores=some_scores(), warper=some_warper(), limit=st.sampled_from([0, 5, 2000]))
def test_the_numbers_explain_what_transformers_decided(scores, warper, limit):
    name, params, before, after = run(warper[0], scores, **warper[1])
    c = cutoff(name, params, before, after, limit=limit)
    assert c.agrees
    assert c.n_kept == int((after > -INF).sum()) and c.n_removed == c.n_alive - c.n_kept
    assert [bool(after[i] > -INF) for i in c.token_ids] == list(c.kept)
    for kept, minimum, margin in zip(c.kept, c.minimum, c.margins, strict=True):
        inside = margin is not None and (margin > 0 if c.rule in STRICT else margin >= 0)
        assert kept == (inside or minimum)
    if 0 < c.n_removed:
        assert False in c.kept and True in c.kept  # both sides of the boundary are there
    assert sum(c.probs) + c.gap_mass + c.tail_mass == pytest.approx(1)
    assert len(c.token_ids) + c.gap_count + c.tail_count == c.n_alive


@settings(max_examples=200, deadline=None)
@given(scores=some_scores(), warper=some_warper())
def test_values_and_margins_are_those_of_the_definition(scores, warper):
    record = run(warper[0], scores, **warper[1])
    c = cutoff(*record, limit=2000)
    probs = torch.softmax(scores.double(), -1)[list(c.token_ids)]
    cumulative = probs.cumsum(0)
    if c.rule in ("top_p", "typical"):
        assert torch.allclose(torch.tensor(c.values), cumulative.float(), atol=1e-5)
    if c.rule == "top_p":
        assert torch.allclose(torch.tensor(c.margins), (c.setting - cumulative + probs).float(), atol=1e-5)
    if c.rule in ("min_p", "epsilon", "eta"):
        assert torch.allclose(torch.tensor(c.values), probs.float(), atol=1e-6)
        assert torch.allclose(torch.tensor(c.margins), (probs - c.threshold).float(), atol=1e-6)
    if c.rule == "typical":
        entropy = torch.special.entr(probs).sum()
        distance = (-scores.double().log_softmax(-1)[list(c.token_ids)] - entropy).abs()
        assert torch.allclose(torch.tensor(c.keys), distance.float(), atol=1e-4)
    margins = removal_margin(*record, c.token_ids)
    assert [m.margin for m in margins] == list(c.margins)
    assert [m.removed for m in margins] == [not kept for kept in c.kept]


def test_a_real_vocabulary_agrees():
    scores = torch.randn(49_152, generator=torch.Generator().manual_seed(0)) * 3
    for warper, arguments, *_ in TABLE:
        assert cut(warper, scores, **arguments).agrees
