"""Sampler orders: hand-computed survivors, transformers' own order bit for bit, any order, and the lab's tab."""

from __future__ import annotations

import json
import math
import re
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process

from app.lab.orders import sheet
from app.runs import Runs
from app.text import Text
from app.views.look import Look
from app.views.orders import orders_view
from decoding import Settings, record
from decoding.errors import NotRecordedError
from decoding.files.compact import compact
from decoding.reading.engine_orders import (
    LLAMA_CPP,
    SAMPLERS,
    TRANSFORMERS,
    VLLM,
    EngineOrder,
    compare,
    run_orders,
    sampler_places,
)
from decoding.recorded.stages import Stage, stages_of
from tests.conftest import ROOT
from tests.hand_made import hand_made_trace
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
    assert found.n_differing == 1 and found.patterns == {((None, None, 0), None): 1}
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


# --- the view: why --------------------------------------------------------------------------------------------


TEMPERATURE, TOP_H, TOP_K, TOP_P, MIN_P, TYPICAL, EPSILON, _ = SAMPLERS
MINE, YOURS = "mine", "yours"


def reasons(samplers, first: tuple[str, ...], second: tuple[str, ...], before=HALVES):
    """The reasons for what differs between two orders, by token."""
    orders = (EngineOrder(name=MINE, samplers=first), EngineOrder(name=YOURS, samplers=second))
    view = orders_view(hand_made_trace([[0.0] * 8], [0]), compare(run_orders(before, samplers, orders)))
    return {row.token_id: group.reason for group in view.groups for row in group.rows}


def test_a_rule_before_a_high_temperature_cuts_what_it_keeps_after_it():
    (reason,) = reasons(HOT, (TEMPERATURE, TOP_P), (TOP_P, TEMPERATURE)).values()
    assert (reason.kind, reason.keeper, reason.cutter) == ("before", MINE, YOURS)
    assert (reason.sampler, reason.moved, reason.also) == ("top_p 0.7", ("temperature 2",), ())
    assert (reason.n_kept, reason.n_cut) == (3, 2)
    assert (reason.because, reason.temperature) == (("flatter",), "2")


def test_a_rule_after_a_low_temperature_cuts_what_it_keeps_before_it():
    cold = (stage(TEMPERATURE, temperature=0.5), stage(MIN_P, min_p=0.2))
    found = reasons(cold, (MIN_P, TEMPERATURE), (TEMPERATURE, MIN_P))
    assert set(found) == {2, 3} and found[2] == found[3]
    assert (found[2].kind, found[2].also, found[2].because) == ("after", ("temperature 0.5",), ("sharper",))


def test_a_sampler_that_the_keeper_lacks_is_the_reason():
    (reason,) = reasons((stage(TOP_P, top_p=0.7), stage(TOP_K, top_k=3)), (TOP_K,), (TOP_P, TOP_K)).values()
    assert (reason.kind, reason.keeper, reason.sampler, reason.n_kept) == ("left_out", MINE, "top_p 0.7", None)


def test_a_cut_that_only_one_engine_has_is_named_where_it_makes_the_next_one_cut_more():
    # top_k 2 leaves 1/2 and 1/4 as 2/3 and 1/3: the first reaches 0.6. Without top_k it takes both.
    samplers = (stage(TOP_K, top_k=2), stage(TOP_P, top_p=0.6))
    (reason,) = reasons(samplers, (TOP_P,), (TOP_K, TOP_P)).values()
    assert (reason.kind, reason.also, reason.because) == ("extra", ("top_k 2",), ("fewer_add_up",))


def test_a_cut_that_only_the_keeper_has_is_named_where_it_lets_more_reach_the_line():
    # top_k 2 leaves 1/2 and 1/4 as 2/3 and 1/3: only then does the second reach 0.3.
    samplers = (stage(TOP_K, top_k=2), stage(EPSILON, epsilon=0.3))
    (reason,) = reasons(samplers, (TOP_K, EPSILON), (EPSILON,)).values()
    assert (reason.kind, reason.moved, reason.because) == ("fewer", ("top_k 2",), ("more_reach",))


def test_samplers_that_changed_nothing_are_not_given_as_a_reason():
    samplers = (*HOT, stage(TOP_K, top_k=4), stage(MIN_P, min_p=0.001))
    (reason,) = reasons(samplers, (TEMPERATURE, TOP_K, MIN_P, TOP_P), (TOP_P, TEMPERATURE, TOP_K, MIN_P)).values()
    assert reason.moved == ("temperature 2",)


def test_tokens_with_the_same_fates_share_a_group_that_counts_all_of_them():
    before = torch.arange(8, 0, -1).float() / 2
    samplers = (stage(TEMPERATURE, temperature=5.0), stage(TOP_P, top_p=0.6))
    results = run_orders(before, samplers, (TRANSFORMERS, LLAMA_CPP))
    view = orders_view(hand_made_trace([[0.0] * 8], [0]), compare(results, limit=1), token_id=2)
    (group,) = view.groups
    assert (view.n_shown, len(group.rows), group.n_tokens) == (1, 1, view.n_differing)
    assert view.n_differing == results[0].n_alive[-1] - results[1].n_alive[-1] > 1
    assert (view.lanes[1].n_fewer, view.lanes[1].n_more) == (view.n_differing, 0)


# --- the tab --------------------------------------------------------------------------------------------------

# Logits of which a temperature of 2 lets top_p 0.7 keep a third token; see HALVES.
TOKENS = [math.log(p) for p in (1 / 2, 1 / 4, 1 / 8, 1 / 8 - 1e-4)] + [-30.0] * 4


def look(*processors, whatif: Settings | None = None, lang="en", logits=TOKENS) -> Look:
    trace = hand_made_trace([logits], [0], processors)
    return Look(
        trace=trace, row=0, step=0, token_id=0, runs=Runs(trace, "hand-made"), text=Text(lang),
        whatif=trace.whatif(whatif) if whatif else None,
    )  # fmt: skip


def hot_look(**more) -> Look:
    return look(logits_process.TemperatureLogitsWarper(2.0), logits_process.TopPLogitsWarper(0.7), **more)


def said(shown) -> str:
    return "".join(piece if isinstance(piece, str) else piece["text"] for piece in shown["reading"])


def keys(shown, lane=3) -> list[str]:
    return [chip["key"] for chip in shown["lanes"][lane]["chips"]]


def test_the_tab_shows_four_lanes_and_marks_those_that_keep_others():
    shown = sheet(hot_look(), {})
    assert [lane["name"] for lane in shown["lanes"]] == ["transformers", "vLLM", "llama.cpp", "your order"]
    assert [lane["survivors"] for lane in shown["lanes"]] == ["3 tokens", "3 tokens", "2 tokens", "3 tokens"]
    assert [lane["mark"] for lane in shown["lanes"]] == ["first", "same", "differs", "same"]
    assert shown["lanes"][2]["mark_text"] == "1 fewer"
    assert "one token" in said(shown) and shown["example"] == ""
    (group,) = shown["table"]["groups"]
    assert group["why"].startswith("In llama.cpp, top_p 0.7 runs before temperature 2 and leaves 2; in transf")
    (row,) = group["rows"]
    assert (row["token"], row["in_view"], row["before"]) == ("c", False, "12.5%")
    assert [cell["text"] for cell in row["cells"]] == ["22.7%", "22.7%", "top_p −5.0%", "22.7%"]
    assert [cell["kept"] for cell in row["cells"]] == [True, True, False, True]
    json.dumps(shown)


def test_the_order_arranged_by_hand_is_run():
    shown = sheet(hot_look(), {"order": ["top_p", "temperature"]})
    assert keys(shown) == ["top_p", "temperature"] and shown["lanes"][3]["survivors"] == "2 tokens"
    assert shown["table"]["groups"][0]["why"].startswith("In llama.cpp,")


@pytest.mark.parametrize("order", [["top_p"], ["top_p", "top_p"], ["top_p", "min_p", 7, None, ["temperature"]]])
def test_samplers_that_a_wish_does_not_name_come_last(order):
    assert keys(sheet(hot_look(), {"order": order})) == ["top_p", "temperature"]


@pytest.mark.parametrize(
    "wish",
    [
        {"order": None}, {"order": "top_p"}, {"order": {"top_p": 1}}, {"order": [{}, [], 1e400, "x" * 3000]},
        {"order": []}, {"orders": ["top_p"]}, {"order": ["TopPLogitsWarper"]}, {"order": 3},
    ],
)  # fmt: skip
def test_a_wish_that_is_garbage_changes_nothing(wish):
    assert sheet(hot_look(), wish) == sheet(hot_look(), {})


def test_where_all_agree_the_tab_says_so_and_when_they_would_not():
    shown = sheet(look(logits_process.TemperatureLogitsWarper(2.0), logits_process.TopKLogitsWarper(3)), {})
    assert "all orders keep the same 3 tokens" in said(shown) and "changes no ranking" in said(shown)
    assert shown["table"] is None and {lane["mark"] for lane in shown["lanes"]} == {"first", "same"}
    near = sheet(look(logits_process.TemperatureLogitsWarper(1.01), logits_process.TopPLogitsWarper(0.7)), {})
    assert "They part where a temperature far from 1" in said(near)
    cuts = sheet(look(logits_process.TopKLogitsWarper(3), logits_process.MinPLogitsWarper(0.1)), {})
    assert "one cut runs before another" in said(cuts)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_without_samplers_the_tab_explains_and_shows_an_example_on_this_steps_scores(lang):
    shown = sheet(look(lang=lang), {})
    assert "temperature 1.5" in shown["example"]
    assert [keys(shown, lane) for lane in range(3)] == [
        ["temperature", "top_k", "top_p", "min_p"],
        ["temperature", "min_p", "top_k", "top_p"],
        ["top_k", "top_p", "min_p", "temperature"],
    ]


def test_a_single_sampler_keeps_its_value_in_the_example():
    shown = sheet(look(logits_process.TopPLogitsWarper(0.3)), {})
    assert shown["example"].startswith("Only top_p 0.3 was set")
    assert "top_p 0.3" in [chip["label"] for chip in shown["lanes"][0]["chips"]]


def test_the_tab_follows_the_settings_that_are_tried():
    tried = Settings(do_sample=True, temperature=0.5, min_p=0.2, top_k=0)
    shown = sheet(hot_look(whatif=tried), {})
    assert keys(shown, 0) == ["temperature", "min_p"]
    assert [lane["survivors"] for lane in shown["lanes"][:3]] == ["2 tokens", "2 tokens", "4 tokens"]


def test_stages_after_the_samplers_are_left_out_and_named():
    shown = sheet(
        look(
            logits_process.TemperatureLogitsWarper(2.0),
            logits_process.TopPLogitsWarper(0.7),
            logits_process.LogitNormalization(),
        ),
        {},
    )
    assert shown["notes"]["items"][-1] == "Later stages are left out of the lanes: renormalize_logits."
    assert shown["lanes"][0]["survivors"] == "3 tokens"


def test_of_a_compact_recording_the_tab_says_what_is_exact(tiny):
    trace = compact(
        record(tiny, "The", Settings(do_sample=True, temperature=2.0, top_p=0.5, seed=1, max_new_tokens=2)), head=16
    )
    closer = Look(trace=trace, row=0, step=0, token_id=None, runs=Runs(trace, ""), text=Text("en"))
    assert "is compact" in sheet(closer, {})["caution"] and sheet(hot_look(), {})["caution"] == ""


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_the_page_says_of_vllm_is_what_its_table_says(lang):
    table = json.loads((ROOT / "tests" / "engines" / "vllm.json").read_text(encoding="utf-8"))
    rows, same = (sum(case[name] for case in table["cases"]) for name in ("rows", "same_survivors"))
    said = Text(lang)("orders.note.vllm")
    assert f"vLLM {table['versions']['vllm']}" in said
    assert re.search(rf"\b{same}\b.*\b{rows}\b", said) if lang == "en" else f"{rows} 次中有 {same} 次" in said
    assert str(table["rows"]) in said and len(table["cases"]) == 4
    assert sum(case["transformers_order_differs"] for case in table["cases"]) > 30  # so that agreeing says something
