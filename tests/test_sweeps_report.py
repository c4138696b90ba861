"""The report of a sweep: means and intervals by hand, what is on the page, and that it stays small and harmless."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re

import pytest

from app.sweep_report.contents import contents_of
from app.sweep_report.page import report_html
from app.text import Text
from decoding.sweeps import Plan, grid, sweep
from decoding.sweeps import summary as summaries
from decoding.sweeps.folder import Folder, table_of
from decoding.sweeps.summary import Summary, summary_of, t_quantile
from tests.hand_made import HOSTILE
from tests.test_standalone import Blocks
from tests.test_sweeps import plan_of
from tests.tiny_models import tiny_lm

CELLS = grid({"temperature": [0.5, 1.0], "top_p": [0.8, 1.0]}, {"do_sample": True})


def by_hand(values: dict[tuple[int, int, int], float | str], **more) -> Summary:
    """The summary of a table whose rows have a surprisal, or an error, by cell, prompt and sample."""
    prompts = tuple(f"prompt {i}" for i in range(1 + max(prompt for _, prompt, _ in values)))
    plan = Plan(**{"prompts": prompts, "cells": CELLS, "samples": 2, "axes": ("temperature", "top_p"), **more})
    rows = [row_of(*place, value) for place, value in values.items()]
    return summary_of(plan, [table_of(plan, rows[i : i + 3]) for i in range(0, len(rows), 3)])


def row_of(cell: int, prompt: int, sample: int, value: float | str) -> dict:
    stages = [{"stage": "TopPLogitsWarper", "cuts": True, "n_left": 7.0, "mass_removed": 0.25, "entropy": 1.0}]
    row = {"cell": cell, "prompt": prompt, "sample": sample, "trace": "traces/000003.trace", "row": sample}
    if isinstance(value, str):
        return {**row, "error": value}
    return {**row, "text": f"text {cell} {prompt} {sample}", "surprisal": value, "stages": stages if cell != 1 else []}


def packed(page: str) -> dict:
    """What is in the page."""
    return json.loads(gzip.decompress(base64.b64decode(re.search(r'id="dx-base">([^<]*)<', page)[1])))


# --- means and intervals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_free", "quantile"),
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (5, 2.57058), (10, 2.22814), (30, 2.04227),
     (100, 1.98397), (10**6, 1.95997)],
)  # fmt: skip
def test_the_quantile_is_student_s(n_free, quantile):
    assert t_quantile(n_free) == pytest.approx(quantile, rel=1e-3)


def test_a_mean_is_over_prompts_and_its_interval_student_s():
    found = by_hand({(0, 0, 0): 1.0, (0, 0, 1): 3.0, (0, 1, 0): 4.0, (0, 2, 0): 9.0}).cells[0].estimates["surprisal"]
    assert (found.mean, found.n) == (5.0, 3)  # of 2, 4 and 9
    half = 4.30265 * math.sqrt(13 / 3)
    assert (found.low, found.high) == (pytest.approx(5 - half, rel=1e-4), pytest.approx(5 + half, rel=1e-4))


def test_a_single_prompt_has_no_interval():
    found = by_hand({(0, 0, 0): 1.0, (0, 0, 1): 3.0}).cells[0].estimates["surprisal"]
    assert (found.mean, found.low, found.high, found.n) == (2.0, None, None, 1)


def test_groups_of_rows_come_to_what_the_whole_table_comes_to(monkeypatch):
    values = {(0, prompt, 0): math.sin(prompt) for prompt in range(11)}
    each = by_hand(values).cells[0].estimates["surprisal"]
    plan = Plan(prompts=("p",) * 11, cells=CELLS, axes=("temperature", "top_p"))
    whole = summary_of(plan, [table_of(plan, [row_of(*place, value) for place, value in values.items()])])
    assert each.mean == pytest.approx(whole.cells[0].estimates["surprisal"].mean, rel=1e-12)
    assert each.high == pytest.approx(whole.cells[0].estimates["surprisal"].high, rel=1e-12)


def test_a_row_without_a_run_is_counted_and_in_no_mean():
    found = by_hand({(0, 0, 0): 1.0, (0, 1, 0): "too long", (2, 1, 0): "too long"})
    assert (found.n_rows, found.n_failed, found.reasons) == (3, 2, {"too long": 2})
    assert found.cells[0].estimates["surprisal"].n == 1
    assert [(row["cell"], row["error"]) for row in found.failures] == [(0, "too long"), (2, "too long")]


def test_a_stage_that_cuts_has_statistics_of_its_own_where_it_ran():
    found = by_hand({(0, 0, 0): 1.0, (1, 0, 0): 1.0})
    assert found.cells[0].estimates["mass_removed:TopPLogitsWarper"].mean == 0.25
    assert "mass_removed:TopPLogitsWarper" not in found.cells[1].estimates
    shown = contents_of(found, Text())
    assert {"probability removed by top_p", "tokens left after top_p"} <= {
        each["label"] for each in shown["statistics"]
    }
    assert shown["values"]["n_left:TopPLogitsWarper"][1] is None


# --- the page --------------------------------------------------------------------------------------------------------


def test_a_setting_stands_where_its_values_are():
    shown = contents_of(by_hand({(cell, 0, 0): float(cell) for cell in range(4)}), Text())
    assert [(axis["name"], axis["numbers"]) for axis in shown["axes"]] == [
        ("temperature", [0.5, 1.0]),
        ("top_p", [0.8, 1.0]),
    ]
    assert shown["cells"] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert [values[0] for values in shown["values"]["surprisal"]] == [0, 1, 2, 3]


def test_settings_that_the_axes_do_not_tell_apart_are_numbered():
    shown = contents_of(by_hand({(cell, 0, 0): 1.0 for cell in range(4)}, axes=("top_p",)), Text("zh"))
    assert [(axis["name"], axis["labels"]) for axis in shown["axes"]] == [("设置", ["1", "2", "3", "4"])]


def test_a_page_has_at_most_so_many_runs_and_says_so(monkeypatch):
    monkeypatch.setattr(summaries, "MOST_RUNS", 8)
    values = {(cell, prompt, 0): 1.0 for cell in range(4) for prompt in reversed(range(5))}
    shown = contents_of(by_hand(values), Text())
    assert [[run[0] for run in runs] for runs in shown["runs"]] == [[0, 1]] * 4
    assert shown["counts"] == [[5, 0]] * 4


def test_a_large_sweep_has_a_small_page(monkeypatch):
    monkeypatch.setattr("app.sweep_report.contents.MOST_CELLS", 3)
    long = "word " * 5_000
    plan = Plan(prompts=(long,) * 60, cells=CELLS, axes=("temperature", "top_p"))
    rows = [row_of(cell, prompt, 0, 1.0) | {"text": long} for cell in range(4) for prompt in range(60)]
    shown = contents_of(summary_of(plan, [table_of(plan, rows)]), Text())
    assert (len(shown["cells"]), len(shown["runs"]), shown["n_all"]) == (3, 3, [240, 0, 4])
    assert len(json.dumps(shown)) < 3 * 24 * 1_200 + 24 * 400


def test_the_same_sweep_gives_the_same_page_and_a_page_in_each_language():
    found = by_hand({(0, 0, 0): 1.0, (1, 0, 0): 2.0})
    assert report_html(found) == report_html(found)
    assert '<html lang="zh">' in report_html(found, "zh") and "参数扫描报告" in report_html(found, "zh")


def test_hostile_prompts_texts_and_errors_are_no_markup():
    bad = "</script><script>owned()</script><!-- <img src=x onerror=owned()>"
    plain, hostile = by_hand({(0, 0, 0): 1.0, (1, 0, 0): "error"}), by_hand({(0, 0, 0): 1.0, (1, 0, 0): bad})
    row = row_of(0, 0, 0, 1.0) | {"text": "".join(HOSTILE) + bad}
    plan = Plan(prompts=(bad,), cells=CELLS, axes=("temperature",), model="/home/me/<script>secret")
    worst = summary_of(plan, [table_of(plan, [row, row_of(1, 0, 0, bad)])])
    assert Blocks(report_html(hostile)).tags == Blocks(report_html(plain)).tags == Blocks(report_html(worst)).tags
    assert packed(report_html(worst))["runs"][0][0][2].endswith("owned()>")
    assert packed(report_html(worst))["plan"]["model"] == "<script>secret"


def test_a_sweep_s_own_report_has_all_its_settings_and_its_rows_can_be_opened(tmp_path):
    plan = plan_of(compact=True)
    sweep(plan, tiny_lm(), tmp_path)
    found = summary_of(plan, Folder(tmp_path).finished())
    assert (found.n_rows, found.n_failed) == (plan.n_rows, 0)
    shown = contents_of(found, Text())
    assert {"surprisal", "self_bleu", "n_tokens"} <= {each["name"] for each in shown["statistics"]}
    assert all((tmp_path / run[4]).is_file() for runs in shown["runs"] for run in runs)


def test_a_sweep_in_which_everything_failed_has_a_report():
    shown = packed(report_html(by_hand({(0, 0, 0): "no", (1, 0, 0): "no"})))
    assert (shown["statistics"], shown["n_all"], len(shown["failures"])) == ([], [2, 2, 4], 2)
