"""The heat map's columns say what the recorded scores say, and what transformers' processors would have left."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper, TypicalLogitsWarper

from app.components.drawn import as_json
from app.handlers.heat_map import HeatMapHandlers
from app.runs import Runs
from app.session.session import Session
from app.sheets import heat_map
from app.text import Text
from app.views.heat_map import RANKS, HeatMap
from app.views.look import Look
from decoding import Settings
from decoding.reading import stats
from decoding.record import record
from tests.hand_made import HOSTILE, hand_made_trace, with_lost_steps
from tests.test_handlers import JUNK, sent

VOCAB = 300


def logits(n_steps: int) -> list[list[float]]:
    return (torch.randn(n_steps, VOCAB, generator=torch.Generator().manual_seed(1)) * 3).tolist()


def run(processors=(), n_steps: int = 4, texts=None):
    return hand_made_trace(logits(n_steps), [5] * n_steps, processors, texts or [f"t{i}" for i in range(VOCAB)])


def whole(trace, whatif=None, row: int = 0) -> HeatMap:
    found = HeatMap(trace, row, whatif)
    while not found.is_whole:
        found.read_on(0)
    return found


def look_at(trace, **more) -> Look:
    return Look.opened(trace, Runs(trace, "one"), Text("en"), **more)


def told(look: Look, place: int = 0) -> dict:
    """All columns, as the page asks for them."""
    out = heat_map.columns(look, place, 0)
    while not out["whole"]:
        more = heat_map.columns(look, place, len(out["columns"]))
        out = more | {"columns": [*out["columns"], *more["columns"]]}
    return out


def test_a_column_has_the_likeliest_tokens_before_the_cut_and_what_became_of_them():
    trace = run([TemperatureLogitsWarper(0.7), TopKLogitsWarper(5)])
    for column, step in zip(whole(trace).columns, trace.steps, strict=True):
        own, before, final = step.all_scores()
        assert list(column.token_ids) == torch.topk(before, RANKS).indices.tolist()
        assert column.texts[0] == f"t{column.token_ids[0]}"
        assert column.probabilities == pytest.approx(stats.probs(before)[list(column.token_ids)].tolist())
        assert column.finals == pytest.approx(stats.probs(final)[list(column.token_ids)].tolist())
        assert [q > 0 for q in column.finals] == [True] * 5 + [False] * 7
        assert (column.n_left, column.is_prefix) == (5, True)
        assert column.rank == int((before > before[5]).sum()) + 1
        assert column.final == (0 if column.rank > 5 else pytest.approx(float(stats.probs(final)[5])))
        assert column.entropy_own == pytest.approx(float(stats.entropy_nats(own)))
        assert column.entropy_final == pytest.approx(float(stats.entropy_nats(final)))


def test_where_a_rule_leaves_others_than_the_likeliest_there_is_no_line():
    trace = hand_made_trace([[2.0, 1.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]], [3], [TypicalLogitsWarper(0.2)])
    (column,) = whole(trace).columns
    assert 0 < column.n_left < 8
    assert column.is_prefix == (column.finals[0] > 0)
    assert not column.is_prefix


@pytest.mark.parametrize(
    "given",
    [
        {"temperature": 0.6, "top_p": 0.8},
        {"temperature": 1.4, "top_k": 7, "top_p": 0.9, "min_p": 0.05},
        {"top_k": 0},
        {"typical_p": 0.5, "top_k": 0},
        {"repetition_penalty": 1.4, "top_p": 0.6},
    ],
    ids=lambda given: ", ".join(given),
)
def test_under_other_settings_it_is_what_transformers_processors_make_of_the_run(given):
    trace = run(n_steps=6)
    whatif = trace.whatif(Settings(do_sample=True, **given))
    for column in whole(trace, whatif).columns:
        final = whatif.all_scores(step=column.step)[-1]
        assert column.n_left == int(stats.n_alive(final))
        assert column.finals == pytest.approx(stats.probs(final)[list(column.token_ids)].tolist(), abs=1e-9)
        assert column.final == pytest.approx(float(stats.probs(final)[5]), abs=1e-9)
        assert column.entropy_final == pytest.approx(float(stats.entropy_nats(final)), abs=1e-9)


def test_a_lost_step_leaves_a_gap_and_the_sentence_says_so():
    look = look_at(run(n_steps=4))
    lost = with_lost_steps(look.trace, 2)
    columns = told(Look(trace=lost, row=0, step=0, token_id=5, runs=Runs(lost, "one"), text=Text("en")))
    assert [len(column["ids"]) for column in columns["columns"]] == [RANKS, RANKS, 0, 0]
    assert "2 steps were not kept" in "".join(p if isinstance(p, str) else p["text"] for p in columns["reading"])
    json.loads(as_json(columns))


def test_the_page_gets_each_column_once_however_many_questions_it_takes(monkeypatch):
    monkeypatch.setattr(heat_map, "SECONDS", 0)
    look = look_at(run(n_steps=5))
    first = heat_map.columns(look, 0, 0)
    assert (first["from"], len(first["columns"]), first["whole"], first["reading"]) == (0, 1, False, [])
    out = told(look)
    assert (len(out["columns"]), out["n"]) == (5, 5)
    assert heat_map.columns(look, 0, 5)["columns"] == []


def test_rows_that_end_earlier_have_fewer_columns(tiny):
    trace = record(tiny, ["ab", "the cat"], Settings(do_sample=True, seed=5, max_new_tokens=5, num_return_sequences=2))
    for row in range(trace.n_rows):
        found = whole(trace, row=row)
        assert [column.chosen for column in found.columns] == [
            step.token_ids[row] for step in trace.steps if not step.ended[row]
        ]


def test_of_beams_it_shows_what_each_step_kept_and_the_best_answers_path(tiny):
    trace = record(tiny, ["ab", "the cat"], Settings(num_beams=3, max_new_tokens=6))
    for prompt in range(2):
        columns = told(look_at(trace), prompt)["columns"]
        best = next(h for h in trace.hypotheses if h.prompt == prompt)
        path = [column["ids"][column["best"]] for column in columns if column["best"] >= 0]
        assert path == list(best.token_ids)
        for step, column in enumerate(columns):
            kept = [c for c in trace.ledger.candidates(step, prompt) if c.fate == "kept"]
            assert {c.rank for c in kept} <= set(column["ranks"])
            for rank, p in zip(column["ranks"], column["p"], strict=True):
                (candidate,) = [c for c in trace.ledger.candidates(step, prompt) if c.rank == rank]
                assert p == pytest.approx(math.exp(candidate.logprob))


def test_a_run_that_goes_on_and_one_without_steps_have_none(tiny):
    trace = record(tiny, "ab", Settings(max_new_tokens=2))
    assert heat_map.frame(look_at(trace)) is not None
    assert heat_map.frame(look_at(trace, growing=True)) is None
    nothing = SimpleNamespace(trace=SimpleNamespace(steps=()), growing=False)
    assert heat_map.frame(nothing) is None


def test_hostile_token_texts_go_through_as_text():
    trace = run(texts=[*HOSTILE, *(f"t{i}" for i in range(VOCAB - len(HOSTILE)))])
    for column in told(look_at(trace))["columns"]:
        assert all(isinstance(text, str) for text in column["texts"])
    assert trace.tokens is not None


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
@pytest.mark.parametrize("how", [{"do_sample": True, "seed": 1}, {"num_beams": 2}], ids=["sample", "beams"])
def test_made_up_questions_change_nothing_and_are_answered_within_the_run(tiny, junk, how):
    session, handler = Session(record(tiny, "ab", Settings(max_new_tokens=3, **how))), HeatMapHandlers()
    event = gr.EventData(None, None)
    event._data = junk
    handler.read_on(session, event)
    for fields in ({"have": junk}, {"about": junk}, {"about": {"run": 0, "row": junk, "step": 0}}):
        changes = handler.read_on(session, sent(**{"about": {"run": 0, "row": 10**6, "step": 0}, **fields}))
        if changes:
            assert json.loads(changes["heat_map"].props["columns"])["place"] == 0
