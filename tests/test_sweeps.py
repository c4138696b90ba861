"""Sweeps: the same rows however they are recorded, and every row a run that can be opened."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.cli.main import main
from decoding import DecodingError, LanguageModel, PromptError, SettingError, load_trace
from decoding.reading import stats
from decoding.reading.run_statistics import run_statistics
from decoding.sweeps import Batch, Plan, grid, read_axis, sweep
from decoding.sweeps.folder import Folder
from decoding.sweeps.rows import STATISTICS, self_bleu
from decoding.sweeps.sweep import record_batch
from tests.tiny_models import tiny_lm

PROMPTS = ("the cat", "a dog sat on", "the sea and the", "one")
sweeps = import_module("decoding.sweeps.sweep")  # the function of that name hides it
MACHINES = {"seconds"}  # columns that tell of the machine


def plan_of(**more) -> Plan:
    base = {"do_sample": True, "max_new_tokens": 4}
    cells = grid({"temperature": [0.5, 1.5], "top_p": [0.5, 1.0]}, base)
    return Plan(**{"prompts": PROMPTS, "cells": cells, "samples": 2, "rows_per_batch": 4,
                   "axes": ("temperature", "top_p"), "model": "tiny", "compact": False, **more})  # fmt: skip


def rows(folder: str | Path) -> list[dict]:
    """The table, without what tells of the machine, in an order of its own."""
    found = [{k: v for k, v in row.items() if k not in MACHINES} for row in Folder(folder).rows().to_pylist()]
    return sorted(found, key=lambda row: (row["cell"], row["prompt"], row["sample"]))


def same(some: list[dict], others: list[dict]) -> bool:
    return repr(some) == repr(others)  # NaN is not equal to itself


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return tiny_lm()


@pytest.fixture(scope="module")
def swept(lm, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    sweep(plan_of(), lm, folder)
    return folder


def test_every_prompt_is_recorded_under_every_setting_as_often_as_asked(swept):
    found = [(row["cell"], row["prompt"], row["sample"]) for row in rows(swept)]
    assert found == [(cell, prompt, sample) for cell in range(4) for prompt in range(4) for sample in range(2)]
    assert {(row["temperature"], row["top_p"]) for row in rows(swept)} == {(t, p) for t in (0.5, 1.5) for p in (0.5, 1)}


def test_a_row_tells_what_its_trace_holds(swept):
    for row in rows(swept):
        trace = load_trace(swept / row["trace"])
        assert trace.seed == row["seed"]
        assert trace.prompts[row["row"] // 2] == PROMPTS[row["prompt"]]
        assert trace.text(row["row"]) == row["text"]
        read = run_statistics(trace, row["row"])
        for name in STATISTICS:
            assert row[name] == pytest.approx(getattr(read, name), rel=1e-9, abs=1e-12, nan_ok=True), name
        assert row["logprob"] == pytest.approx(-math.fsum(token.surprisal_nats for token in read.tokens))


def test_the_form_that_is_kept_changes_no_number(lm, swept, tmp_path):
    sweep(plan_of(compact=True), lm, tmp_path)
    assert same(rows(tmp_path), rows(swept))
    assert load_trace(tmp_path / "traces" / "000000.trace").compact is not None
    assert load_trace(swept / "traces" / "000000.trace").compact is None


def test_a_stage_s_numbers_are_what_it_did_in_the_trace(swept):
    for row in rows(swept):
        trace = load_trace(swept / row["trace"])
        names = [stage["stage"] for stage in row["stages"]]
        assert names == [stage.name for stage in trace.stages]
        steps = [step for step in trace.steps if not step.ended[row["row"]]]
        for i, stage in enumerate(row["stages"], start=1):
            scores = [step.all_scores(row=row["row"]) for step in steps]
            n_left, removed = ([float(of(each)) for each in scores] for of in (
                lambda each, i=i: stats.n_alive(each[i]), lambda each, i=i: stats.mass_removed(each[i - 1], each[i])
            ))  # fmt: skip
            assert stage["n_left"] == pytest.approx(math.fsum(n_left) / len(steps))
            assert stage["mass_removed"] == pytest.approx(math.fsum(removed) / len(steps), abs=1e-9)


def test_broken_off_and_called_again_it_gives_the_same_rows_and_records_nothing_twice(lm, swept, tmp_path):
    recorded = []

    def stop_after_three(progress) -> None:
        if progress.batch is not None:
            recorded.append(progress.batch.index)
        if len(recorded) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(plan_of(), lm, tmp_path, on_batch=stop_after_three)
    sweep(plan_of(), lm, tmp_path, on_batch=lambda p: p.batch and recorded.append(p.batch.index))
    assert recorded == [batch.index for batch in plan_of().batches]
    assert same(rows(tmp_path), rows(swept))


def test_a_batch_whose_rows_were_not_written_is_recorded_again(lm, swept, tmp_path):
    sweep(plan_of(), lm, tmp_path)
    (tmp_path / "parts" / "000002.parquet").unlink()  # its trace is there: it was broken off in between
    sweep(plan_of(), lm, tmp_path)
    assert same(rows(tmp_path), rows(swept))


def test_who_records_a_batch_and_when_changes_nothing(lm, swept, tmp_path):
    plan, folder = plan_of(), Folder(tmp_path)
    for batch in reversed(plan.batches):
        record_batch(plan, batch, lm, folder)
    assert same(rows(tmp_path), rows(swept))


def test_another_file_system_holds_the_same(lm, swept):
    sweep(plan_of(), lm, "memory://a/sweep")
    assert same(rows("memory://a/sweep"), rows(swept))


def test_a_sweep_is_broken_off_and_gone_on_with_on_another_file_system_too(lm, swept):
    def stop(progress) -> None:
        if progress.n_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(plan_of(), lm, "memory://b/sweep", on_batch=stop)
    seen = []
    sweep(plan_of(), lm, "memory://b/sweep", on_batch=seen.append)
    assert len(seen) == 1 + len(plan_of().batches) - 2
    assert same(rows("memory://b/sweep"), rows(swept))
    assert sum(len(group) for group in Folder("memory://b/sweep").finished()) == plan_of().n_rows


def test_without_draws_another_number_of_rows_a_batch_changes_last_bits_at_most(lm, tmp_path):
    plan = plan_of(cells=grid({"repetition_penalty": [1.0, 1.3]}, {"max_new_tokens": 4}), axes=("repetition_penalty",))
    found = []
    for number in (1, 4):
        sweep(replace(plan, rows_per_batch=number), lm, tmp_path / str(number))
        found.append(rows(tmp_path / str(number)))
    for one, other in zip(*found, strict=True):
        assert one["text"] == other["text"]
        assert one["surprisal"] == pytest.approx(other["surprisal"], abs=1e-5)


def test_of_a_batch_that_draws_the_number_of_rows_decides_the_draws(lm, swept, tmp_path):
    sweep(plan_of(rows_per_batch=2), lm, tmp_path)
    assert [row["text"] for row in rows(tmp_path)] != [row["text"] for row in rows(swept)]
    assert len(rows(tmp_path)) == len(rows(swept))


def test_a_batch_is_prepared_once_and_its_prompts_one_by_one_only_where_it_is_refused(lm, tmp_path, monkeypatch):
    asked = []
    refusal = sweeps._refusal
    monkeypatch.setattr(sweeps, "_refusal", lambda *of: asked.append(of[2]) or refusal(*of))
    sweep(plan_of(), lm, tmp_path / "well")
    assert asked == []
    sweep(plan_of(prompts=("the cat", "", "the sea")), lm, tmp_path / "ill")
    assert sorted(set(asked)) == [0, 1]


def test_more_batches_than_six_digits_number_are_found_again(tmp_path):
    folder = Folder(tmp_path)
    batch = Batch(index=1_234_567, cell=0, prompts=(0,), samples=1, seed=0)
    folder.keep(plan_of(), batch, [], None)
    assert folder.done() == {1_234_567}
    assert folder.holds(batch) and not folder.holds(replace(batch, index=7))


def test_a_prompt_that_cannot_be_recorded_fails_its_own_rows_alone(lm, tmp_path):
    sweep(plan_of(prompts=("the cat", "", "the sea")), lm, tmp_path)
    failed = [row for row in rows(tmp_path) if row["error"]]
    assert len(failed) == 4 * 2
    assert {row["prompt"] for row in failed} == {1}
    assert all(row["text"] for row in rows(tmp_path) if row["prompt"] != 1)


def test_texts_and_chats_beams_and_greedy_stand_in_one_sweep(tmp_path):
    beams, draws = grid({"num_beams": [1, 2]}, {"max_new_tokens": 3}), {"do_sample": True, "max_new_tokens": 3}
    cells = (*beams, *grid({"top_k": [5]}, draws))
    chat = [{"role": "user", "content": "the cat"}]
    plan = plan_of(prompts=("the cat", chat), cells=cells, axes=("num_beams", "top_k", "do_sample"))
    sweep(plan, tiny_lm(), tmp_path)
    found = rows(tmp_path)
    assert len(found) == 2 + 2 + 2 * 2, "only what draws is drawn twice"
    assert [row["score"] is not None for row in found if row["prompt"] == 0] == [False, True, False, False]


def test_a_folder_of_another_plan_is_left_alone(lm, swept):
    with pytest.raises(SettingError, match="it holds one with other seed"):
        sweep(plan_of(seed=1), lm, swept)


def test_a_plan_comes_back_from_its_file(swept):
    assert Folder(swept).plan().to_json() == plan_of().to_json()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "cells": 3}'])
def test_what_is_no_plan_is_refused(tmp_path, content):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(SettingError, match="plan"):
        Folder(tmp_path).plan()


@settings(deadline=None)
@given(first=st.integers(-500, 500), n=st.integers(1, 60), step=st.integers(1, 300))
def test_a_range_is_decimal_and_includes_its_last_value(first, n, step):
    at = [Decimal(first + i * step) / 100 for i in range(n)]
    name, values = read_axis(f"temperature={at[0]}:{at[-1]}:{Decimal(step) / 100}")
    assert (name, [float(v) for v in values]) == ("temperature", [float(v) for v in at])


@pytest.mark.parametrize(
    "text",
    ["", "temperature", "temperature=", "nonsense=1", "seed=1,2", "top_p=0:1:0", "top_p=0:1", "top_p=1:0:0.1",
     "top_p=a:b:c", "top_p=0:1:1e-9", "top_p=0:inf:1"],
)  # fmt: skip
def test_a_grid_that_is_none_is_refused(text):
    with pytest.raises(SettingError):
        read_axis(text)


@pytest.mark.parametrize("value", ["2", "x", "-1"])
def test_a_value_out_of_range_is_refused(value):
    name, values = read_axis(f"top_p={value}")
    with pytest.raises(SettingError, match="top_p"):
        grid({name: values}, {"do_sample": True})


def test_a_sweep_of_nothing_is_refused():
    with pytest.raises(PromptError):
        plan_of(prompts=())
    with pytest.raises(SettingError):
        plan_of(samples=0)


def test_samples_that_are_alike_have_a_high_self_bleu():
    assert self_bleu(["the cat sat on the mat"] * 3) == pytest.approx(1)
    assert self_bleu(["one two three four", "a b c d", "the cat sat on"]) < 0.1
    assert math.isnan(self_bleu(["alone"]))


def test_the_command_says_what_is_wrong_with_its_prompts(tmp_path, capsys):
    file = tmp_path / "p.jsonl"
    file.write_text('"fine"\n{"text": 1}\n')
    assert main(["sweep", "--prompts", str(file), "-o", str(tmp_path / "out")]) == 2
    assert "line 2 of p.jsonl" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_records_and_goes_on(tmp_path, capsys):
    file, out = tmp_path / "p.jsonl", tmp_path / "out"
    file.write_text(json.dumps({"prompt": "The sea is"}) + '\n"My cat"\n')
    call = ["sweep", "--prompts", str(file), "--grid", "top_p=.5,.9", "--samples", "2", "--max-new-tokens", "3"]
    call += ["-o", str(out)]
    assert main(call) == 0
    first = rows(out)
    assert len(first) == 2 * 2 * 2
    assert same(rows(out), first) and main(call) == 0
    said = capsys.readouterr().out
    assert "8 rows" in said and f"report: {out}/report.html" in said
    assert "<!doctype html>" in (out / "report.html").read_text(encoding="utf-8")
    assert load_trace(out / first[0]["trace"]).compact is not None


def test_a_folder_without_rows_has_no_table(tmp_path):
    with pytest.raises(DecodingError, match="no rows"):
        Folder(tmp_path).rows()
