"""A run as tables: the numbers are the trace's, and no cell of text is a formula."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from transformers import TopKLogitsWarper

from app.export.cells import FORMULA
from app.export.trace_csv import write_ledger_csv, write_steps_csv, write_tokens_csv
from decoding.errors import NotRecordedError
from decoding.files.compact import compact
from decoding.parameters.settings import Settings
from decoding.record import record
from tests.hand_made import hand_made_trace
from tests.tiny_models import tiny_lm

HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'a"b,c\nd', "fine", "=cmd|' /C calc'!A0")


def rows(write: Callable[..., None], trace: Any, **options: Any) -> list[dict[str, str]]:
    file = io.StringIO(newline="")
    write(trace, file, **options)
    return list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))


@pytest.fixture(scope="module")
def sampled():
    asked = Settings(do_sample=True, temperature=0.8, top_k=9, top_p=0.9, seed=2, max_new_tokens=5)
    return record(tiny_lm(), ["the cat", "a"], asked)


@pytest.fixture(scope="module")
def beams():
    return record(
        tiny_lm(), ["the cat", "a"],
        Settings(num_beams=3, num_return_sequences=2, max_new_tokens=6, eos_token_id=[*range(60, 120)]),
    )  # fmt: skip


def test_the_steps_of_a_run_made_by_hand():
    trace = hand_made_trace([[math.log(p) for p in (0.4, 0.3, 0.2, 0.1)]], [1], [TopKLogitsWarper(2)], texts="abcd")
    (row,) = rows(write_steps_csv, trace)
    assert list(row) == [
        "step", "row", "parent_row", "token_id", "token", "completes", "rank", "logit", "probability",
        "surprisal_nats", "final_probability", "entropy_nats", "1 top_k 2 n_alive", "1 top_k 2 mass_removed",
        "1 top_k 2 entropy_nats", "first_step",
    ]  # fmt: skip
    assert [row[name] for name in ("step", "row", "parent_row", "token_id", "token", "rank")] == [
        "0", "0", "0", "1", "b", "2",
    ]  # fmt: skip
    assert float(row["probability"]) == pytest.approx(0.3, abs=1e-6)
    assert float(row["surprisal_nats"]) == pytest.approx(1.2039728, abs=1e-6)
    assert float(row["final_probability"]) == pytest.approx(3 / 7, abs=1e-6)
    assert float(row["1 top_k 2 mass_removed"]) == pytest.approx(0.3, abs=1e-6)
    assert (row["1 top_k 2 n_alive"], row["logit"]) == ("2", str(np.float32(math.log(0.3))))


def test_there_is_a_line_for_each_token_that_a_row_went_on_with(sampled):
    table = rows(write_steps_csv, sampled)
    assert [(int(r["step"]), int(r["row"]), int(r["token_id"])) for r in table] == [
        (step.index, row, step.token_ids[row]) for step in sampled.steps for row in range(2) if not step.ended[row]
    ]
    for r in table:
        scores = sampled.scores(step=int(r["step"]), row=int(r["row"]), stage=-1)
        assert float(r["final_probability"]) == float(torch.softmax(scores.double(), -1)[int(r["token_id"])])


def test_what_samplers_of_other_engines_steered_by_has_columns():
    asked = Settings(do_sample=True, seed=2, adaptive_target=0.3, xtc_probability=0.5, max_new_tokens=4)
    trace = record(tiny_lm(), ["the cat", "a"], asked)
    stages = [number for number, stage in enumerate(trace.stages, start=1)]
    for r in rows(write_steps_csv, trace):
        said = trace.steps[int(r["step"])].sampler_facts(int(r["row"]))
        of = {name: (stage, value) for stage, facts in zip(stages, said, strict=True) for name, value in facts.items()}
        assert set(of) == {"chance", "sum", "weight", "target"}
        for name, (stage, value) in of.items():
            (column,) = (c for c in r if c.startswith(f"{stage} ") and c.endswith(f" {name}"))
            assert r[column] == ("" if not math.isfinite(value) else str(value))
        assert list(r)[-1] == "first_step"


def test_in_beam_methods_the_distribution_is_that_of_the_parent(beams):
    for r in rows(write_steps_csv, beams):
        step = beams.steps[int(r["step"])]
        assert int(r["parent_row"]) == step.parents[int(r["row"])]
        logits = step.scores(row=int(r["parent_row"]), stage=0)
        assert np.float32(r["logit"]) == logits[int(r["token_id"])].numpy()


def test_the_tokens_of_a_step_with_the_stage_that_removed_each(sampled):
    table = rows(write_tokens_csv, sampled, n_head=12, step=2)
    assert {r["step"] for r in table} == {"2"} and {r["row"] for r in table} == {"0", "1"}
    names = [name for name in table[0] if name.endswith(" probability")]
    assert names == ["1 temperature 0.8 probability", "2 top_k 9 probability", "3 top_p 0.9 probability"]
    for r in table:
        scores = sampled.steps[2].all_scores(row=int(r["row"]))
        gone = [n for n, s in enumerate(scores) if s[int(r["token_id"])] == -math.inf]
        assert r["removed_by"] == (["", "", "2 top_k 9", "3 top_p 0.9"][gone[0]] if gone else "")
        assert (r["score"] == "") == bool(gone) == (float(r[names[-1]]) == 0)
        assert r["chosen"] == str(int(int(r["token_id"]) == sampled.steps[2].token_ids[int(r["row"])]))


def test_the_ledger_has_every_candidate(beams):
    table = rows(write_ledger_csv, beams)
    wanted = [(step.index, c) for step in beams.steps for c in step.candidates]
    assert len(table) == len(wanted)
    for r, (step, c) in zip(table, wanted, strict=True):
        assert (int(r["step"]), int(r["prompt"]), int(r["rank"]), r["fate"]) == (step, c.prompt, c.rank, c.fate)
        assert (np.float32(r["logprob"]), np.float32(r["score"])) == (np.float32(c.logprob), np.float32(c.score))
        assert r["margin"] == "" if c.margin is None else np.float32(r["margin"]) == np.float32(c.margin)
        assert r["final_score"] == "" if c.final_score is None else r["ended_by"] == c.ended_by
    places = {int(r["place"]): (int(r["step"]), int(r["rank"])) for r in table if r["place"]}
    assert places == {h.place: (h.step, h.rank) for h in beams.hypotheses}
    answers = {int(r["place"]): int(r["answer"]) for r in table if r["answer"]}
    assert answers == {h.place: h.answer for h in beams.hypotheses}


def test_a_run_without_beams_has_no_ledger(sampled):
    with pytest.raises(NotRecordedError, match="a ledger needs a beam method; this run was recorded in mode sample"):
        write_ledger_csv(sampled, io.StringIO())


@pytest.mark.parametrize("write", [write_steps_csv, write_tokens_csv])
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(write):
    n = len(HOSTILE)
    trace = hand_made_trace([[float(i) for i in range(n)]] * n, list(range(n)), texts=HOSTILE)
    table = rows(write, trace)
    assert not any(r["token"].startswith(FORMULA) for r in table)
    shown = {r["token"] for r in table}
    assert {"'=1+1", "'+1", "'-1", "'@SUM(A1)", "fine", "'=cmd|' /C calc'!A0"} <= shown


def test_a_negative_number_stays_a_number(beams):
    assert all(float(r["logprob"]) <= 0 for r in rows(write_ledger_csv, beams))


def test_a_hostile_stage_name_is_no_formula_either():
    class Mine(TopKLogitsWarper):
        pass

    Mine.__name__ = "=Mine()"
    trace = hand_made_trace([[0.0, 1.0]], [1], [Mine(1)], texts=["a", "=b"])
    table = rows(write_tokens_csv, trace)
    assert not any(name.startswith(FORMULA) for name in table[0])
    assert table[1]["removed_by"] == "1 =Mine()"


def test_a_compact_trace_has_the_same_tables(sampled, beams):
    small = compact(sampled, head=40)
    for a, b in zip(rows(write_steps_csv, sampled), rows(write_steps_csv, small), strict=True):
        assert [a[n] for n in ("token_id", "rank", "logit", "1 temperature 0.8 n_alive", "3 top_p 0.9 n_alive")] == [
            b[n] for n in ("token_id", "rank", "logit", "1 temperature 0.8 n_alive", "3 top_p 0.9 n_alive")
        ]
    assert rows(write_ledger_csv, compact(beams)) == rows(write_ledger_csv, beams)
