"""Sampler orders: hand-computed survivors, transformers' own order bit for bit, laws over all permutations."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process

from decoding import Settings, record
from decoding.errors import NotRecordedError
from decoding.orders import (
    LLAMA_CPP,
    SAMPLERS,
    TRANSFORMERS,
    VLLM,
    EngineOrder,
    compare,
    run_orders,
    sampler_places,
)
from decoding.stages import Stage, stages_of
from tests.laws import same_bits

ALL = (TRANSFORMERS, VLLM, LLAMA_CPP)


def scores_of(*probabilities: float):
    return torch.tensor(probabilities, dtype=torch.float64).log().float()


def stage(warper: str, **arguments) -> Stage:
    return stages_of([getattr(logits_process, warper)(**arguments)])[0]


def survivors(before, samplers, order):
    return run_orders(before, samplers, [order])[0].survivors.nonzero().squeeze(1).tolist()


# Probabilities 1/2, 1/4, 1/8, 1/8. Temperature 2 takes square roots: 1, 0.7071, 0.5, 0.5 over 2.7071, that is
# 0.3694, 0.2612, 0.1847, 0.1847. top_p 0.7 then needs three tokens (0.3694 + 0.2612 = 0.6306), before it two (0.75).
HALVES = scores_of(1 / 2, 1 / 4, 1 / 8, 1 / 8 - 1e-4)
HOT = (stage("TemperatureLogitsWarper", temperature=2.0), stage("TopPLogitsWarper", top_p=0.7))


def test_top_p_after_a_high_temperature_keeps_more_tokens_than_before_it():
    assert survivors(HALVES, HOT, TRANSFORMERS) == [0, 1, 2]
    assert survivors(HALVES, HOT, VLLM) == [0, 1, 2]
    assert survivors(HALVES, HOT, LLAMA_CPP) == [0, 1]


def test_min_p_after_a_low_temperature_keeps_fewer_tokens_than_before_it():
    # Temperature 0.5 squares: relative to the best 1, 1/4, 1/16, 1/16; before it 1, 1/2, 1/4, 1/4.
    cold = (stage("TemperatureLogitsWarper", temperature=0.5), stage("MinPLogitsWarper", min_p=0.2))
    assert survivors(HALVES, cold, TRANSFORMERS) == [0, 1]
    assert survivors(HALVES, cold, VLLM) == [0, 1]
    assert survivors(HALVES, cold, LLAMA_CPP) == [0, 1, 2, 3]


def test_top_p_after_top_k_sees_larger_shares_than_before_it():
    # top_k 2 leaves 1/2 and 1/4, which are 2/3 and 1/3 then: 0.6 is reached by the first. Before top_k it takes two.
    samplers = (stage("TopKLogitsWarper", top_k=2), stage("TopPLogitsWarper", top_p=0.6))
    first_p = EngineOrder(name="mine", samplers=("TopPLogitsWarper", "TopKLogitsWarper"))
    assert survivors(HALVES, samplers, TRANSFORMERS) == [0]
    assert survivors(HALVES, samplers, first_p) == [0, 1]


def test_min_p_and_top_k_commute_because_the_best_token_stays():
    # min_p asks for a share of the best one's probability: what top_k removed below it changes no ratio.
    samplers = (stage("TopKLogitsWarper", top_k=3), stage("MinPLogitsWarper", min_p=0.3))
    first_m = EngineOrder(name="mine", samplers=("MinPLogitsWarper", "TopKLogitsWarper"))
    assert survivors(HALVES, samplers, TRANSFORMERS) == survivors(HALVES, samplers, first_m) == [0, 1]


def test_top_p_after_min_p_keeps_fewer_tokens_than_before_it():
    # vLLM: min_p 0.4 leaves 1/2 and 1/4, that is 2/3 and 1/3. transformers: top_p 0.6 takes both, min_p leaves them.
    samplers = (stage("TopPLogitsWarper", top_p=0.6), stage("MinPLogitsWarper", min_p=0.4))
    assert survivors(HALVES, samplers, TRANSFORMERS) == [0, 1]
    assert survivors(HALVES, samplers, VLLM) == [0]
    assert survivors(HALVES, samplers, LLAMA_CPP) == [0, 1]


def test_a_sampler_that_an_engine_does_not_have_is_left_out():
    samplers = (
        stage("TopHLogitsWarper", top_h=0.5),
        stage("TypicalLogitsWarper", mass=0.5),
        stage("EpsilonLogitsWarper", epsilon=0.2),
        stage("EtaLogitsWarper", epsilon=0.2),
    )
    results = run_orders(HALVES, samplers, ALL)
    assert [[s.name for s in r.left_out] for r in results] == [
        [],
        ["TopHLogitsWarper", "TypicalLogitsWarper", "EpsilonLogitsWarper", "EtaLogitsWarper"],
        ["TopHLogitsWarper", "EpsilonLogitsWarper", "EtaLogitsWarper"],
    ]
    assert results[1].stages == () and results[1].n_alive == (4,)


def test_an_order_says_how_many_tokens_and_how_much_mass_it_keeps():
    transformers, _, llama = run_orders(HALVES, HOT, ALL)
    assert transformers.n_alive == (4, 4, 3) and llama.n_alive == (4, 2, 2)
    assert transformers.mass_kept == pytest.approx(7 / 8, abs=1e-4)  # before the temperature: 1/2 + 1/4 + 1/8
    assert llama.mass_kept == pytest.approx(3 / 4, abs=1e-4)


def test_a_difference_names_the_stage_that_removed_the_token_and_the_margin():
    found = compare(run_orders(HALVES, HOT, ALL))
    assert found.n_differing == 1 and found.patterns == {(None, None, 0): 1}
    (difference,) = found.differences
    assert difference.token_id == 2 and difference.probability == pytest.approx(1 / 8, abs=1e-4)
    kept, _, removed = difference.fates
    # Of 0.3694 + 0.2612 + 0.1847 = 0.8153 the token has 0.1847, that is 0.2265.
    assert kept.kept and kept.probability == pytest.approx(0.2265, abs=1e-4)
    assert (removed.kept, removed.probability, removed.removed_by) == (False, 0.0, 0)
    # 0.75 came before it, 0.05 more than 0.7.
    assert removed.margin.margin == pytest.approx(-0.05, abs=1e-3) and removed.margin.unit == "probability"


def test_no_differences_where_all_orders_keep_the_same():
    samplers = (stage("TemperatureLogitsWarper", temperature=3.0), stage("TopKLogitsWarper", top_k=2))
    found = compare(run_orders(HALVES, samplers, ALL))
    assert (found.n_differing, found.patterns, found.differences) == (0, {}, ())


def test_differences_beyond_the_limit_are_counted_all_the_same():
    before = torch.arange(100, 0, -1).float() / 50
    samplers = (stage("TemperatureLogitsWarper", temperature=5.0), stage("TopPLogitsWarper", top_p=0.5))
    whole, part = (compare(run_orders(before, samplers, ALL), limit=limit) for limit in (100, 2))
    assert len(part.differences) == 2 < part.n_differing == len(whole.differences)
    assert part.patterns == whole.patterns and sum(whole.patterns.values()) == whole.n_differing
    ranked = [d.probability for d in whole.differences]
    assert ranked == sorted(ranked, reverse=True)


def test_what_was_recorded_is_taken_where_an_order_begins_as_the_run_did():
    recorded = [torch.full((4,), 7.0), torch.full((4,), 8.0)]  # as no CPU would compute them
    transformers, llama = run_orders(HALVES, HOT, (TRANSFORMERS, LLAMA_CPP), recorded)
    assert torch.equal(transformers.scores[1], recorded[0]) and torch.equal(transformers.scores[2], recorded[1])
    assert not any(torch.equal(s, r) for s in llama.scores for r in recorded)


def test_only_transformers_own_samplers_are_rearranged():
    stages = (
        Stage(name="RepetitionPenaltyLogitsProcessor", params={"penalty": 1.1}),
        Stage(name="TopKLogitsWarper", params={"top_k": 3}),
        Stage(name="TopPLogitsWarper", params={"top_p": 0.5}, own=True),
        Stage(name="LogitNormalization", params={}),
    )
    assert sampler_places(stages) == (1,)


@pytest.mark.parametrize(
    "broken",
    [
        Stage(name="TopPLogitsWarper", params={}),
        Stage(name="TopKLogitsWarper", params={"top_k": "many"}),
        Stage(name="TopKLogitsWarper", params={"top_k": -3}),
        Stage(name="MinPLogitsWarper", params={"min_p": [0.1]}),
        Stage(name="TopHLogitsWarper", params={"top_h": 0.5, "top_n": "all"}),
    ],
)
def test_a_damaged_stage_is_an_error_that_says_so(broken):
    with pytest.raises(NotRecordedError, match="record the run again"):
        run_orders(HALVES, (broken,), [TRANSFORMERS])


@pytest.mark.parametrize("kind", ["sample", "beam_sample"])
def test_transformers_order_gives_the_recorded_scores_bit_for_bit(tiny, kind):
    more = {"num_beams": 3} if kind == "beam_sample" else {}
    trace = record(
        tiny,
        "The capital of",
        Settings(
            do_sample=True, temperature=1.7, top_h=0.9, top_k=60, top_p=0.95, min_p=0.01, typical_p=0.9,
            epsilon_cutoff=0.002, eta_cutoff=0.002, repetition_penalty=1.2, seed=5, max_new_tokens=5, **more,
        ),
    )  # fmt: skip
    places = sampler_places(trace.stages)
    assert [trace.stages[i].name for i in places] == list(SAMPLERS)
    for step in trace.steps:
        for row in range(trace.n_rows):
            scores = step.all_scores(row=row)
            (result,) = run_orders(scores[places[0]], [trace.stages[i] for i in places], [TRANSFORMERS])
            for place, ours in zip(places, result.scores[1:], strict=True):
                assert same_bits(ours, scores[place + 1])


finite = st.floats(-30, 30, width=32)
cutting = st.fixed_dictionaries(
    {},
    optional={
        "TemperatureLogitsWarper": st.builds(lambda v: {"temperature": v}, st.floats(0.1, 5)),
        "TopHLogitsWarper": st.builds(lambda v: {"top_h": v}, st.floats(0.05, 1)),
        "TopKLogitsWarper": st.builds(lambda v: {"top_k": v}, st.integers(1, 40)),
        "TopPLogitsWarper": st.builds(lambda v: {"top_p": v}, st.floats(0.05, 0.99)),
        "MinPLogitsWarper": st.builds(lambda v: {"min_p": v}, st.floats(0, 1)),
        "TypicalLogitsWarper": st.builds(lambda v: {"mass": v}, st.floats(0.05, 0.99)),
        "EpsilonLogitsWarper": st.builds(lambda v: {"epsilon": v}, st.floats(0.001, 0.5)),
        "EtaLogitsWarper": st.builds(lambda v: {"epsilon": v}, st.floats(0.001, 0.5)),
    },
)


@settings(max_examples=60, deadline=None)
@given(
    logits=st.lists(st.one_of(finite, st.just(-math.inf)), min_size=2, max_size=50).filter(
        lambda scores: max(scores) > -math.inf
    ),
    arguments=cutting,
    data=st.data(),
)
def test_any_order_runs_each_sampler_once_on_what_the_one_before_it_left(logits, arguments, data):
    before = torch.tensor(logits)
    samplers = tuple(stage(name, **arguments[name]) for name in SAMPLERS if name in arguments)
    names = data.draw(st.permutations([s.name for s in samplers]))
    mine = EngineOrder(name="mine", samplers=tuple(names))
    ran = run_orders(before, samplers, [TRANSFORMERS, mine])
    for result in ran:
        assert sorted(s.name for s in result.stages) == sorted(names)
        assert list(result.n_alive) == sorted(result.n_alive, reverse=True) and result.n_alive[-1] >= 1
        for one, seen, gave in zip(result.stages, result.scores, result.scores[1:], strict=False):
            kept = dict(arguments[one.name])
            again = getattr(logits_process, one.name)(**kept)(None, seen.clone().unsqueeze(0))[0]
            assert same_bits(again, gave)
        assert torch.equal(before, result.scores[0])  # nobody wrote into it
    found = compare(ran)
    differing = ran[0].survivors != ran[1].survivors
    assert found.n_differing == int(differing.sum())
    for difference in found.differences:
        assert [fate.kept for fate in difference.fates] == [bool(r.survivors[difference.token_id]) for r in ran]
        for fate in difference.fates:
            assert fate.kept or fate.margin.removed


def test_temperature_and_top_k_agree_in_every_order():
    samplers = (stage("TemperatureLogitsWarper", temperature=0.3), stage("TopKLogitsWarper", top_k=2))
    orders = [EngineOrder(name="", samplers=p) for p in permutations(s.name for s in samplers)]
    assert {tuple(r.survivors.tolist()) for r in run_orders(HALVES, samplers, orders)} == {(True, True, False, False)}
