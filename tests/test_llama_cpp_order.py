"""llama.cpp against transformers' classes on real scores: every token that they disagree about is accounted for."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from transformers.generation import logits_process as warpers

from app.lab import engine_run
from app.lab.orders import sheet
from app.runs import Runs
from app.text import Text
from app.views.look import Look
from decoding import Settings, record
from decoding.engines import llama_library
from decoding.engines.llama_library import library
from decoding.errors import EngineError
from decoding.files.compact import compact
from decoding.reading import llama_cpp_order
from decoding.reading.engine_orders import LLAMA_CPP, TRANSFORMERS, compare, run_orders
from decoding.reading.exact_cuts import exact_cut
from decoding.reading.llama_cpp_order import partings, run_llama_cpp
from decoding.recorded.stages import stages_of
from tests.engine import TEXT, needs_llama_cpp, samplers_of
from tests.hand_made import hand_made_trace

pytestmark = needs_llama_cpp

@pytest.fixture(scope="module")
def rows(lm) -> torch.Tensor:
    """The logits at every position of a text, float32 [positions, vocab]."""
    ids = lm.tokenizer(TEXT, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        logits = lm.model(ids).logits[0].float().clone()
    assert len(logits) >= 76
    return logits


CASES = [
    {"top_p": 0.5}, {"top_p": 0.9}, {"top_p": 0.95}, {"top_p": 0.99},
    {"typical_p": 0.5}, {"typical_p": 0.9}, {"typical_p": 0.95}, {"typical_p": 0.99},
    {"min_p": 0.001}, {"min_p": 0.05}, {"min_p": 0.3}, {"top_k": 1}, {"top_k": 40}, {"top_k": 5000},
    {"top_k": 40, "top_p": 0.95, "min_p": 0.05, "temperature": 0.8},
    {"top_k": 2000, "typical_p": 0.9, "top_p": 0.9, "temperature": 1.5},
]  # fmt: skip


@pytest.mark.parametrize("given", CASES, ids=str)
def test_every_disagreement_over_real_scores_is_explained(rows, given):
    samplers = samplers_of(**given)
    parted = 0
    for row in rows:
        result = run_llama_cpp(row, samplers)
        found = partings(result)
        parted += bool(found)
        for one in found:
            assert one.cause in ("sum", "order", "edge", "tie")
            assert one.cause != "sum" or one.engine_sum >= one.stage.params.get("top_p", one.stage.params.get("mass"))
            assert one.ours_right or _nearly(one)
        if not found:
            assert torch.equal(result.survivors, result.computed.survivors)
            assert _probabilities_agree(result)
    if set(given) <= {"top_k", "min_p", "temperature"} or given.get("top_k") == 40:
        assert parted == 0
    if given.get("top_p") == 0.99 or given.get("typical_p") == 0.99:
        assert parted > len(rows) / 2  # if this is 0 one day, llama.cpp adds up otherwise: say so on the page


def _nearly(one) -> bool:
    """What transformers keeps has the mass that it should, up to what float32 tells apart."""
    return abs(one.ours_sum - one.stage.params["mass"]) < 2e-5 and abs(one.n_ours - one.n_exact) < 8


def _probabilities_agree(result) -> bool:
    mine, theirs = (each.scores[-1].double().softmax(0) for each in (result, result.computed))
    return bool((mine - theirs).abs().max() < 1e-6)


def test_a_sum_in_float32_stops_early_and_says_by_how_much(rows):
    found = [one for row in rows for one in partings(run_llama_cpp(row, samplers_of(top_p=0.99)))]
    assert found and all(one.ours_right and not one.engine_right for one in found)
    for one in found:
        assert one.n_ours == one.n_exact != one.n_engine
        assert one.engine_sum >= 0.99 > one.exact_sum  # it believes that it has arrived
        assert math.isclose(one.engine_sum / one.exact_sum, one.scale * one.running, rel_tol=1e-5)
        assert one.kept_in_float64 == tuple(not kept for kept in one.kept_by_engine)


def test_an_engine_that_cut_otherwise_than_it_adds_up_would_be_found(rows):
    result = run_llama_cpp(rows[5], samplers_of(top_p=0.9))
    dropped = result.scores[-1].clone()
    dropped[int(dropped.argmax())] = -math.inf
    (one,) = partings(replace(result, scores=(result.scores[0], dropped)))
    assert (one.cause, one.engine_right, one.ours_right) == ("unexplained", False, True)
    (one,) = partings(
        replace(run_llama_cpp(rows[5], samplers_of(min_p=0.05)), scores=(result.scores[0], dropped))
    )
    assert one.cause == "unexplained" and one.farthest > 2.9  # −ln 0.05 above the line


# --- the yardstick ----------------------------------------------------------------------------------------------

HALVES = torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 8 - 1e-4], dtype=torch.float64).log().float()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"top_k": 2}, [0, 1]), ({"top_k": 9}, [0, 1, 2, 3]), ({"top_p": 0.4}, [0]), ({"top_p": 0.51}, [0, 1]),
        ({"top_p": 0.9}, [0, 1, 2, 3]), ({"min_p": 0.49}, [0, 1]), ({"min_p": 0.51}, [0]),
        ({"typical_p": 0.2}, [1]), ({"typical_p": 0.3}, [0, 1]), ({"typical_p": 0.76}, [0, 1, 2]),
    ],
    ids=str,
)  # fmt: skip
def test_the_cut_in_float64_is_the_rules_definition(given, kept):
    exact = exact_cut(samplers_of(**given)[0], HALVES)
    assert exact.kept.nonzero().squeeze(1).tolist() == kept and exact.same(exact.kept)
    inside, outside = exact.margins[exact.kept], exact.margins[~exact.kept]
    assert (inside >= 0).all() and (outside <= 0).all()


def test_a_minimum_of_tokens_is_kept_in_float64_too():
    stage = replace(samplers_of(top_p=0.1)[0], params={"top_p": 0.1, "min_tokens_to_keep": 3})
    assert exact_cut(stage, HALVES).kept.tolist() == [True, True, True, False]
    assert exact_cut(samplers_of(temperature=2.0)[0], HALVES) is None
    result = run_llama_cpp(HALVES, [stage])
    assert result.n_alive == (4, 3) and not partings(result)


def test_tokens_that_are_tied_are_nobodys_fault():
    tied = torch.tensor([2.0, 1.0, 1.0, 1.0, 0.0])
    (one,) = partings(run_llama_cpp(tied, samplers_of(top_k=2)))
    assert (one.cause, one.n_engine, one.n_ours) == ("tie", 2, 4)
    (one,) = partings(run_llama_cpp(torch.zeros(6), samplers_of(top_p=0.5))) or [None]
    assert one is None or one.cause == "tie"


def test_a_probability_of_zero_makes_nan_of_the_entropy_of_llama_cpp_alone():
    far = torch.cat([HALVES, torch.tensor([-200.0])])  # exp(−200) is 0 in float32
    (one,) = partings(run_llama_cpp(far, samplers_of(typical_p=0.2)))
    assert one.cause == "order" and one.ours_right and not one.engine_right


# --- the order and the tab --------------------------------------------------------------------------------------


def test_the_order_is_the_engines_own_default_chain():
    import xllamacpp

    named = {
        "top_k": "TopKLogitsWarper", "typ_p": "TypicalLogitsWarper", "top_p": "TopPLogitsWarper",
        "min_p": "MinPLogitsWarper", "temperature": "TemperatureLogitsWarper",
    }  # fmt: skip
    chain = xllamacpp.CommonParams().sampling.samplers.split(";")
    assert tuple(named[name] for name in chain if name in named) == LLAMA_CPP.samplers
    assert set(chain) - set(named) == {"penalties", "dry", "top_n_sigma", "xtc"}  # as the notes of the tab say


def test_the_engine_runs_its_own_order(rows):
    samplers = samplers_of(temperature=1.5, top_k=200, top_p=0.9, min_p=0.02)
    result = run_llama_cpp(rows[10], samplers)
    assert [stage.name for stage in result.stages] == [
        "TopKLogitsWarper", "TopPLogitsWarper", "MinPLogitsWarper", "TemperatureLogitsWarper",
    ]  # fmt: skip
    (computed,) = run_orders(rows[10], samplers, [LLAMA_CPP])
    assert result.computed.n_alive == computed.n_alive and str(result.ran) == "b11549"
    assert torch.equal(result.survivors, computed.survivors)
    (ours,) = run_orders(rows[10], samplers, [TRANSFORMERS])
    assert compare([ours, result]).n_differing > 0


def test_a_sampler_without_a_counterpart_is_left_out(rows):
    samplers = [*samplers_of(top_k=5), *stages_of([warpers.EpsilonLogitsWarper(0.01)])]
    result = run_llama_cpp(rows[0], samplers)
    assert [s.name for s in result.left_out] == ["EpsilonLogitsWarper"] and result.n_alive[-1] == 5


def look(logits, *processors, lang="en") -> Look:
    trace = hand_made_trace([logits], [0], processors)
    return Look(trace=trace, row=0, step=0, token_id=0, runs=Runs(trace, "hand-made"), text=Text(lang))


HOT = (warpers.TemperatureLogitsWarper(2.0), warpers.TopPLogitsWarper(0.7))


def lane(shown) -> dict:
    return shown["lanes"][2]


@pytest.mark.parametrize(("lang", "ran"), [("en", "ran llama.cpp b11549"), ("zh", "已运行 llama.cpp b11549")])
def test_the_tab_says_that_llama_cpp_ran_and_in_which_version(lang, ran):
    shown = sheet(look([*HALVES.tolist(), *[-30.0] * 4], *HOT, lang=lang), {})
    assert lane(shown)["how"] == ran and "2026.10.11549" in lane(shown)["how_tip"]
    assert any("0.6.0-dev" in note for note in shown["notes"]["items"])
    computed = Text(lang)("orders.how.computed")
    assert [each["how"] for each in shown["lanes"]] == [Text(lang)("orders.how.ours"), computed, ran, computed]
    assert shown["engine"] == {
        "title": Text(lang)("orders.engine"), "same": Text(lang)("orders.engine.same"), "partings": [],
    }  # fmt: skip
    json.dumps(shown)


def test_the_tab_tells_what_the_engine_rounds_away_who_is_right_and_why(rows):
    shown = sheet(look(rows[3].tolist(), *HOT[:1], warpers.TopPLogitsWarper(0.99)), {})
    (one,) = shown["engine"]["partings"]
    result = run_llama_cpp(rows[3], samplers_of(temperature=2.0, top_p=0.99))
    (found,) = partings(result)
    assert one["words"].startswith(
        f"At top_p 0.99 llama.cpp itself keeps {found.n_engine:,} tokens, transformers' class on the same scores "
        f"{found.n_ours:,}, the rule in float64 {found.n_exact:,}. transformers is right. llama.cpp adds up"
    )
    assert f"its own sum is {found.engine_sum:.7f}, but these tokens have {found.exact_sum:.7f}" in one["words"]
    assert len(one["rows"]) == min(20, len(found.token_ids))
    assert [c["kept"] for c in one["rows"][0]["cells"]] == [False, True, True]
    # In the table of the lanes these tokens are told of apart from those that the order decides about.
    with_arithmetic = [group for group in shown["table"]["groups"] if "It is not the order" in group["why"]]
    assert (len(with_arithmetic) > 0) == (len(found.token_ids) > 0)
    json.dumps(shown)
    zh = sheet(replace(look(rows[3].tolist(), *HOT[:1], warpers.TopPLogitsWarper(0.99)), text=Text("zh")), {})
    assert "transformers 是对的" in zh["engine"]["partings"][0]["words"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_cause_can_be_said(lang):
    from typing import get_args

    for cause in get_args(llama_cpp_order.Cause):
        assert Text(lang).has(f"orders.engine.why.{cause}")


def test_a_tie_is_said_to_be_one():
    shown = sheet(look([2.0, 1.0, 1.0, 1.0, 0.0], warpers.TopKLogitsWarper(2), warpers.TopPLogitsWarper(0.99)), {})
    assert "Both are right. The tokens between them are tied" in shown["engine"]["partings"][0]["words"]


def test_without_the_engine_the_lane_is_computed_and_says_so(monkeypatch):
    monkeypatch.setattr(engine_run, "is_installed", lambda: False)
    monkeypatch.setattr(engine_run, "run_llama_cpp", _refused)
    shown = sheet(look([*HALVES.tolist(), *[-30.0] * 4], *HOT), {})
    assert lane(shown)["how"] == "computed with transformers' arithmetic (engine not installed)"
    assert "install it" in lane(shown)["how_tip"] and shown["engine"] is None
    assert lane(shown)["survivors"] == "2 tokens"


def _refused(*_):
    raise EngineError("{package} is not installed; install it", package="xllamacpp")


def test_a_version_that_was_not_tried_is_told_of_and_the_tab_goes_on(monkeypatch):
    library.cache_clear()
    monkeypatch.setattr(llama_library, "version", lambda _: "2027.1.1")
    for lang, words in (("en", "engine not run"), ("zh", "引擎未运行")):
        shown = sheet(look([*HALVES.tolist(), *[-30.0] * 4], *HOT, lang=lang), {})
        assert words in lane(shown)["how"] and "2027.1.1" in lane(shown)["how_tip"]
        assert any("2027.1.1" in note for note in shown["notes"]["items"])
    library.cache_clear()


@pytest.mark.parametrize("junk", [[math.nan] * 4, [-math.inf] * 4, [math.inf, 0.0, 0.0, 0.0]])
def test_scores_that_the_engine_refuses_are_computed_or_told_of_but_do_not_stop_the_tab(junk):
    shown = sheet(look(junk, *HOT), {})
    assert "engine not run" in lane(shown)["how"] and "logits must" in lane(shown)["how_tip"]


def test_a_compact_recording_is_not_given_to_the_engine(tiny):
    given = Settings(do_sample=True, temperature=2.0, top_p=0.5, seed=1, max_new_tokens=2)
    trace = compact(record(tiny, "The", given), head=16)
    closer = Look(trace=trace, row=0, step=0, token_id=None, runs=Runs(trace, ""), text=Text("en"))
    assert "(compact recording)" in lane(sheet(closer, {}))["how"]


def test_the_order_of_a_recorded_run_is_run_too(lm):
    given = Settings(do_sample=True, temperature=1.2, top_k=100, top_p=0.95, min_p=0.02, seed=1, max_new_tokens=3)
    trace = record(lm, "Once upon a time", given)
    for step in range(3):
        shown = sheet(Look(trace=trace, row=0, step=step, token_id=None, runs=Runs(trace, ""), text=Text("en")), {})
        assert lane(shown)["how"].startswith("ran llama.cpp") and shown["engine"]["same"]
