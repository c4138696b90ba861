"""The beam run as plain rows and sentences: ledger, pool, sum, readings, the tree's JSON; contrastive search."""

from __future__ import annotations

import math
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from app.figures.contrastive import contrastive_figure
from app.runs import Runs
from app.sheets.beam_step import node_reading, step_reading, tables, words
from app.sheets.beam_tree import tree
from app.sheets.contrastive import contrastive_reading, contrastive_table
from app.text import Text
from app.views.beam_reading import beam_reading
from app.views.beam_tree import beam_tree
from app.views.contrastive import ContrastiveRow, ContrastiveView, contrastive_view
from app.views.hypothesis_sum import TERM_DIGITS, agreeing_digits, hypothesis_sum
from app.views.ledger_table import LedgerRow, ledger_rows
from app.views.look import Look
from app.views.pool_table import pool_view
from decoding import Settings, record
from tests.tiny_models import tiny_lm

EN, ZH = Text("en"), Text("zh")


@pytest.fixture(scope="module")
def trace():
    """Two prompts, three beams, ends that come often."""
    settings = Settings(
        num_beams=3, num_return_sequences=2, max_new_tokens=10, eos_token_id=(276, 52, 81), length_penalty=2.0,
        early_stopping="never",
    )  # fmt: skip
    return record(tiny_lm(), ["The capital of France is", "the cat"], settings)


@pytest.fixture(scope="module")
def contrastive():
    return record(tiny_lm(), "the cat sat on", Settings(penalty_alpha=0.6, top_k=4, max_new_tokens=5))


def opened(trace) -> Look:
    return Look.opened(trace, Runs(trace, "tiny"), EN)


def plain(sentence) -> str:
    return "".join(piece if isinstance(piece, str) else piece["text"] for piece in sentence)


def a_row(**more) -> LedgerRow:
    values = {
        "rank": 1, "token_id": 9, "text": "␣Lyon", "after": "␣is", "beam": 0, "logprob": math.log(0.25), "score": -2.0,
        "margin": -0.31, "rival": "␣Paris", "rival_rank": 0, "fate": "pruned", "ended_by": None, "final_score": None,
        "group": 0, "answer": None,
    }  # fmt: skip
    return LedgerRow(**(values | more))


def test_the_ledgers_rows_are_the_candidates(trace):
    for step in range(len(trace.steps)):
        for prompt in range(2):
            rows, candidates = ledger_rows(trace, step, prompt), trace.ledger.candidates(step, prompt)
            assert [(r.rank, r.fate, r.score, r.margin) for r in rows] == [
                (c.rank, c.fate, c.score, c.margin) for c in candidates
            ]
            assert all(0 <= r.beam < 3 for r in rows)


def test_a_row_says_which_token_it_follows(trace):
    for row, candidate in zip(ledger_rows(trace, 4), trace.ledger.candidates(4, 0), strict=True):
        path = trace.ledger.path(4, 0, candidate.rank)
        before = trace.ledger.candidates(*path[-2][:1], 0)[path[-2][1]]
        assert row.after == trace.tokens.text(before.token_id).replace("␠", "␣")


def test_the_pool_says_who_drove_out_whom(trace):
    views = [pool_view(trace, step) for step in range(len(trace.steps))]
    for before, now in zip(views, views[1:], strict=False):
        held = {(r.step, r.rank) for r in before.rows if r.change != "out"}
        gone = {(r.step, r.rank) for r in now.rows if r.change == "out"}
        came = {(r.step, r.rank) for r in now.rows if r.change == "in"}
        assert {(r.step, r.rank) for r in now.rows if r.change != "out"} == held - gone | came
    out = [r for view in views for r in view.rows if r.change == "out"]
    assert out and all(r.against for r in out)


def sums_of(trace, prompt: int):
    return [hypothesis_sum(trace, h) for h in trace.hypotheses if h.prompt == prompt]


def test_a_hypothesis_adds_up_to_its_score_to_the_digits_shown(trace):
    for prompt in range(2):
        for h in sums_of(trace, prompt):
            added = sum(round(t.logprob, TERM_DIGITS) for t in h.terms)
            assert f"{added:.{h.sum_digits}f}" == f"{h.sum_logprobs:.{h.sum_digits}f}"
            quotient = round(h.sum_logprobs, h.sum_digits) / h.length**h.length_penalty
            assert f"{quotient:.{h.score_digits}f}" == f"{h.score:.{h.score_digits}f}"
            assert h.sum_digits >= 3 and h.score_digits >= 3


def test_the_terms_are_what_compute_transition_scores_gives(trace):
    lm = tiny_lm()
    kwargs = trace.settings.generate_kwargs()
    mask = trace.prompt_mask[::3]
    out = lm.model.generate(
        trace.prompt_ids[::3], attention_mask=mask, return_dict_in_generate=True, output_scores=True, **kwargs
    )
    expected = lm.model.compute_transition_scores(out.sequences, out.scores, out.beam_indices)
    for prompt in range(2):
        for place, h in enumerate(sums_of(trace, prompt)):
            row = expected[2 * prompt + place].tolist()
            assert [t.transition for t in h.terms] == row[: len(h.terms)]
            assert [t.row for t in h.terms] == out.beam_indices[2 * prompt + place][: len(h.terms)].tolist()
            assert [t.transition for t in h.terms] == [t.logprob for t in h.terms]


@pytest.mark.parametrize(("a", "b", "digits"), [(1.23454, 1.23461, 3), (1.0, 1.0, 4), (0.4, 0.6, 0)])
def test_numbers_are_shown_to_the_digits_on_which_they_agree(a, b, digits):
    assert agreeing_digits(a, b) == digits


def test_the_tree_view_has_a_nodes_parent_before_it(trace):
    view = beam_tree(trace, 1)
    assert [n.parent for n in view.nodes if n.step == 0] == [-1] * 12
    for i, node in enumerate(view.nodes):
        assert node.parent < i and (node.parent < 0 or view.nodes[node.parent].step == node.step - 1)
        assert view.node(node.step, node.rank) is node
    assert len(view.nodes) == sum(len(trace.ledger.candidates(t, 1)) for t in range(len(trace.steps)))


def test_the_trees_json_has_a_column_entry_for_every_node(trace):
    data = tree(opened(trace))
    n = len(beam_tree(trace).nodes)
    assert all(len(column) in (0, n) for column in data["columns"].values())
    assert sorted(data["sparse"]["answer"].values()) == [0, 1]
    assert max(data["columns"]["text"]) < len(data["texts"])


def test_a_step_in_a_sentence(trace):
    reading = beam_reading(trace, 3)
    words = plain(step_reading(reading, EN))
    assert words.startswith("Step 4: “") and "was kept first; “" in words and "short of the last place" in words
    assert plain(step_reading(reading, ZH)).startswith("第 4 步：")
    last = plain(step_reading(beam_reading(trace, len(trace.steps) - 1), EN))
    assert last.endswith("here the search stopped: the length limit was reached.")


def test_a_run_that_goes_on_has_neither_stopped_nor_returned_anything(trace):
    running = replace(trace, stop_reasons=("running", "running"))
    assert "stopped" not in plain(step_reading(beam_reading(running, len(trace.steps) - 1), EN))
    assert all(row.answer is None for row in ledger_rows(running, len(trace.steps) - 1))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "“␣Lyon”, rank 2, 25.0% after “␣is”: pruned, 0.31 short of “␣Paris”, the last one kept."),
        ({"after": "", "fate": "kept", "margin": 0.31, "rank": 0},
         "“␣Lyon”, rank 1, 25.0% after the prompt: kept, 0.31 above “␣Paris”, the best one dropped."),
        ({"fate": "kept", "margin": None}, "“␣Lyon”, rank 2, 25.0% after “␣is”: kept; there was nobody to drop."),
        ({"fate": "finished", "margin": None, "final_score": -0.5, "ended_by": "eos", "answer": 0},
         "“␣Lyon”, rank 2, 25.0% after “␣is”: ended (end token) and entered the pool with −0.50. Returned as #1."),
        ({"fate": "finished", "margin": 0.1, "final_score": -0.5, "ended_by": "eos"},
         "“␣Lyon”, rank 2, 25.0% after “␣is”: ended (end token) and entered the pool with −0.50, 0.10 above the "
         "hypothesis it drove out."),
        ({"fate": "ended_outside", "margin": -0.2, "ended_by": "eos"},
         "“␣Lyon”, rank 2, 25.0% after “␣is”: ended (end token), 0.20 short of “␣Paris”, the last of the best 4: never "
         "a hypothesis."),
        ({"fate": "beaten", "margin": -0.2, "final_score": -0.9, "ended_by": "max_length"},
         "“␣Lyon”, rank 2, 25.0% after “␣is”: ended (length limit) with −0.90, 0.20 below the worst of a full pool."),
    ],
)  # fmt: skip
def test_what_became_of_a_candidate(more, words):
    assert plain(node_reading(a_row(**more), EN, n_beams=4)) == words
    assert plain(node_reading(a_row(**more), ZH, n_beams=4)).startswith("“␣Lyon”，名次")


def test_in_diverse_beams_every_sentence_names_the_group(tiny):
    groups = {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0, "num_return_sequences": 4}
    trace = record(tiny, ["the cat", "a"], Settings(**groups, max_new_tokens=6))
    for step in range(len(trace.steps)):
        reading = beam_reading(trace, step, 1)
        assert reading.n_groups == 2
        for row in reading.firsts:
            better = [r for r in reading.rows if r.group == row.group and r.fate == "kept" and r.score > row.score]
            assert row.fate == "kept" and not better
            assert f"group {row.group + 1} kept “{row.text}” first" in plain(step_reading(reading, EN))
        if reading.missed is not None and reading.firsts:
            said = plain(step_reading(reading, EN))
            assert f"group {reading.missed.group + 1}" in said.partition(f"“{reading.missed.text}”")[2]
        for row in reading.rows:
            words = [plain(node_reading(row, text, n_beams=4, n_groups=2)) for text in (EN, ZH)]
            assert f"in group {row.group + 1}, rank {row.rank + 1}" in words[0]
            assert f"第 {row.group + 1} 组" in words[1]
            if row.rival:  # a group competes with itself alone
                assert next(r for r in reading.rows if r.rank == row.rival_rank).group == row.group
    caption = tables(opened(trace))["ledger"]["caption"]
    assert caption.endswith("for 4 places, 2 in each of 2 groups")
    pruned = a_row(group=1)
    assert plain(node_reading(pruned, EN, n_beams=4, n_groups=2)) == (
        "“␣Lyon” in group 2, rank 2, 25.0% after “␣is”: pruned, 0.31 short of “␣Paris”, the last one that the "
        "group kept."
    )


@pytest.mark.parametrize("n", [-(10**9), -1, 0, 1, 9, 10**30])
def test_a_look_stays_within_the_run_whatever_is_asked(trace, n):
    for prompt, step, rank in ((n, 0, 0), (1, n, 0), (0, n, n)):
        look = opened(trace).at_node(prompt=prompt, step=step, rank=rank)
        assert 0 <= look.node.prompt < 2 and 0 <= look.step < len(trace.steps)
        assert look.candidate.token_id == look.token_id and words(look)
    look = look.with_table("<script>", "x")
    assert look.node.table == "ledger"
    assert tables(look.with_table("sum", 99))["sum"]["place"] == 1


def test_a_look_opens_where_the_best_hypothesis_was_completed(trace):
    look, best = opened(trace), trace.hypotheses[0]
    assert (look.node.step, look.node.rank) == (best.step, best.rank)
    assert look.row == look.candidate.parent


def test_contrastive_candidates_and_what_made_the_choice(contrastive):
    for step in range(len(contrastive.steps)):
        view = contrastive_view(contrastive, step=step)
        assert len(view.rows) == 4 and sum(row.chosen for row in view.rows) == 1
        assert view.chosen.score == max(row.score for row in view.rows)
        for row in view.rows:
            assert row.score == pytest.approx(0.4 * row.confidence - 0.6 * row.penalty, abs=1e-5)
    assert contrastive_view(contrastive, step=0).chosen.text in plain(
        contrastive_reading(contrastive_view(contrastive, step=0), EN)
    )


def test_a_run_without_contrast_has_no_such_view(trace):
    assert contrastive_view(trace, step=0) is None


def test_the_contrastive_chart_subtracts_the_penalty_from_the_confidence():
    rows = [("a", 0.6, 0.9, False), ("<b>", 0.3, 0.1, True)]
    view = ContrastiveView(step=0, alpha=0.5, rows=tuple(
        ContrastiveRow(text=t, confidence=c, penalty=p, context="x", position=2, score=0.5 * c - 0.5 * p, chosen=w)
        for t, c, p, w in rows
    ))  # fmt: skip
    figure = go.Figure(contrastive_figure(view, EN))
    assert list(figure.data[0].x) == pytest.approx([0.3, 0.15])
    assert list(figure.data[1].x) == pytest.approx([-0.45, -0.05])
    assert list(figure.data[1].base) == pytest.approx([0.3, 0.15])
    assert list(figure.data[2].x) == pytest.approx([-0.15, 0.1])
    assert figure.data[3].text[1] == "<b>▸ &lt;b&gt;</b>"
    assert contrastive_table(view, EN).rows[1] == ("<b>", "30.0%", "0.100", "x", "3", "0.100")
