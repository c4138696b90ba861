"""Draws: reproducible, from what is possible only, what was to be expected of them; and the lab's tab."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction

import plotly.graph_objects as go
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process

from app.figures.draw import draw_figure
from app.lab.draw import sheet
from app.runs import Runs
from app.text import Text
from app.views.draw import draw_view
from app.views.look import Look
from decoding import Settings, record
from decoding.files.compact import compact
from decoding.reading.draws import binomial_interval, draw
from tests.hand_made import HOSTILE, hand_made_trace

P = torch.tensor([0.5, 0.3, 0.2, 0.0]).log()


def test_the_same_seed_draws_the_same():
    assert torch.equal(draw(P, 1000, 7).counts, draw(P, 1000, 7).counts)
    assert not torch.equal(draw(P, 1000, 7).counts, draw(P, 1000, 8).counts)


@pytest.mark.parametrize("n", [1, 10, 100, 1000])
def test_the_counts_add_up_to_the_number_of_draws(n):
    made = draw(P, n, 3)
    assert (int(made.counts.sum()), made.n, made.seed) == (n, n, 3)


def test_a_removed_token_is_never_drawn():
    scores = torch.full((500,), -math.inf)
    scores[[3, 77, 499]] = torch.tensor([0.0, -1.0, -2.0])
    counts = draw(scores, 1000, 0).counts
    assert set(counts.nonzero().squeeze(1).tolist()) == {3, 77, 499}


def test_the_draws_are_those_of_multinomial_over_the_whole_vocabulary():
    scores = torch.randn(300, generator=torch.Generator().manual_seed(1)) * 3
    scores[::2] = -math.inf
    generator = torch.Generator().manual_seed(11)
    ids = torch.multinomial(scores.double().softmax(-1), 1000, replacement=True, generator=generator)
    assert torch.equal(draw(scores, 1000, 11).counts, torch.bincount(ids, minlength=300))


def test_drawing_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    draw(P, 1000, 7)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_global_random_state_does_not_change_what_is_drawn():
    torch_state = torch.get_rng_state()
    try:
        torch.manual_seed(1)
        first = draw(P, 100, 7)
        torch.manual_seed(2)
        assert torch.equal(draw(P, 100, 7).counts, first.counts)
    finally:
        torch.set_rng_state(torch_state)


@pytest.mark.parametrize("scores", [[-math.inf, -math.inf], [math.nan, 0.0], [math.inf, 0.0]])
def test_nothing_is_drawn_where_there_is_no_distribution(scores):
    assert draw(torch.tensor(scores), 10, 0) is None


def test_frequencies_come_close_to_probabilities():
    counts = draw(P, 100_000, 5).counts / 100_000
    assert counts.tolist() == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.01)


@pytest.mark.parametrize(
    ("n", "p", "low", "high"),
    [
        (2, 0.5, 0, 2),  # 1/4, 1/2, 1/4: no end is rarer than 2.5%
        # Of 1024: 1, 10, 45, …: at most one comes in 11 of 1024 (1.1%), at most two in 56 (5.5%).
        (10, 0.5, 2, 8),
        (10, 0.0, 0, 0),
        (10, 1.0, 10, 10),
        (1, 0.01, 0, 0),
        (1, 0.99, 1, 1),
    ],
)
def test_the_binomial_interval_by_hand(n, p, low, high):
    assert binomial_interval(n, p) == (low, high)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 120), percent=st.integers(1, 99))
def test_the_binomial_interval_is_the_narrowest_with_at_most_a_fortieth_at_either_end(n, percent):
    p = Fraction(percent, 100)
    pmf = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    low, high = binomial_interval(n, percent / 100)
    tail = Fraction(1, 40)
    assert sum(pmf[:low]) <= tail < sum(pmf[: low + 1])
    assert sum(pmf[high + 1 :]) <= tail < sum(pmf[high:])


# --- the view and its figure ----------------------------------------------------------------------------------

EIGHTHS = [math.log(p) for p in (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 128)]


def test_rows_are_the_likeliest_tokens_and_the_rest_and_add_up():
    scores = (torch.tensor([[0.1 * -i for i in range(40)]])[0],)
    drawn = (draw(scores[0], 100, 1),)
    view = draw_view(hand_made_trace([[0.0] * 8], [0], texts=[chr(97 + i) for i in range(40)]), scores, drawn, 39)
    assert len(view.rows) == 15 and [row.token_id is None for row in view.rows] == [False] * 14 + [True]
    assert view.rows[-1].n_tokens == 26
    assert [row.token_id for row in view.rows if row.in_view] == [39]
    assert sum(row.sides[0].count for row in view.rows) == 100
    assert sum(row.sides[0].probability for row in view.rows) == pytest.approx(1)
    likeliest = [row.sides[0].probability for row in view.rows[:-1]]
    assert likeliest == sorted(likeliest, reverse=True)


def test_a_small_vocabulary_has_no_rest():
    view = draw_view(hand_made_trace([EIGHTHS], [0]), (torch.tensor(EIGHTHS),))
    assert [row.text for row in view.rows] == list("abcdefgh") and view.n is None
    assert view.rows[0].sides[0].count is None


def test_the_figure_draws_outlines_at_the_probabilities_and_bars_at_the_shares():
    final = torch.tensor(EIGHTHS)
    final[2:] = -math.inf
    scores = (final, torch.tensor(EIGHTHS))
    drawn = tuple(draw(s, 10, 4) for s in scores)
    view = draw_view(hand_made_trace([EIGHTHS], [0]), scores, drawn, token_id=0)
    figure = go.Figure(draw_figure(view, Text("en")))
    outlines, bars = (trace for trace in figure.data if trace.type == "bar" and trace.xaxis in (None, "x"))
    assert list(outlines.x) == pytest.approx([2 / 3, 1 / 3, 0, 0, 0, 0, 0, 0], abs=1e-6)
    assert list(bars.x) == [int(n) / 10 for n in drawn[0].counts]
    without = [trace for trace in figure.data if trace.type == "bar" and trace.xaxis == "x2"]
    assert list(without[0].x) == pytest.approx([math.exp(score) for score in EIGHTHS], abs=1e-6)
    assert list(without[1].x) == [int(n) / 10 for n in drawn[1].counts]
    whiskers = next(trace for trace in figure.data if trace.error_x.array is not None)
    low, high = binomial_interval(10, 2 / 3)
    assert whiskers.x[0] - whiskers.error_x.arrayminus[0] == pytest.approx(low / 10)
    assert whiskers.x[0] + whiskers.error_x.array[0] == pytest.approx(high / 10)
    assert len(whiskers.x) == 2  # none for what cannot come
    marks = next(t for t in figure.data if t.type == "scatter" and t.mode == "text" and t.xaxis in (None, "x"))
    assert [mark.strip() for mark in marks.text[2:]] == ["✕"] * 6


def test_token_texts_are_escaped_in_the_figure():
    view = draw_view(hand_made_trace([EIGHTHS], [0], texts=HOSTILE), (torch.tensor(EIGHTHS),))
    figure = go.Figure(draw_figure(view, Text("en"))).to_json()
    assert "<img" not in figure and "<script" not in figure and "&lt;s&gt;" in figure


# --- the tab --------------------------------------------------------------------------------------------------


def look(*processors, mode=None, whatif: Settings | None = None, lang="en", logits=EIGHTHS, token_id=0) -> Look:
    trace = hand_made_trace([logits], [0], processors)
    return Look(
        trace=trace if mode is None else replace(trace, mode=mode), row=0, step=0, token_id=token_id,
        runs=Runs(trace, "hand-made"), text=Text(lang), whatif=trace.whatif(whatif) if whatif else None,
    )  # fmt: skip


def cut_look(**more) -> Look:
    return look(logits_process.TopKLogitsWarper(2), **more)


def test_nothing_is_drawn_until_it_is_asked_for():
    shown = sheet(cut_look(), {})
    assert shown["seed"] == "" and not any(button["pressed"] for button in shown["buttons"])
    assert shown["table"]["head"] == ["token", "probability, with processors", "probability, without"]
    assert shown["table"]["rows"][0] == ["a", "66.7%", "50.0%"]
    json.dumps(shown)


def test_a_round_says_what_came_what_was_expected_and_what_the_processors_rule_out():
    shown = sheet(cut_look(), {"n": 100, "again": 5})
    with_counts = draw(torch.tensor(EIGHTHS[:2]), 100, 5).counts.tolist()
    raw = draw(torch.tensor(EIGHTHS), 100, 5).counts
    low, high = binomial_interval(100, 2 / 3)
    assert shown["reading"].startswith(
        f"“a” came {with_counts[0]} of 100 times. Its probability is 66.7%: about 67 were to be expected, and at least "
        f"95% of such rounds give {low} to {high} (exact binomial)."
    )
    assert "2 different tokens came. Without the processors, " in shown["reading"]
    assert f"{int(raw[2:].sum())} of those 100 draws gave one that the processors remove" in shown["reading"]
    assert shown["seed"] == "seed 5" and [b["pressed"] for b in shown["buttons"]] == [False, True, False]
    assert shown["table"]["rows"][0][:5] == ["a", "66.7%", "67", str(with_counts[0]), f"{low}–{high}"]
    assert shown["table"]["rows"][2][1:5] == ["0", "0", "0", "0–0"]


def test_the_same_wish_gives_the_same_round_and_another_seed_another():
    first = sheet(cut_look(), {"n": 1000, "again": 1})
    assert sheet(cut_look(), {"n": 1000, "again": 1}) == first
    assert sheet(cut_look(), {"n": 1000, "again": 2})["reading"] != first["reading"]


def test_the_tab_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    sheet(cut_look(), {"n": 1000, "again": 1})
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "wish",
    [
        {"n": 11}, {"n": True}, {"n": 1e2}, {"n": "100"}, {"n": [10]}, {"n": -10}, {"n": 10**30}, {"again": 3},
        {"n": 10, "at": "elsewhere"}, {"n": 10, "at": None}, {"n": 10, "at": ["0.0"]},
    ],
)  # fmt: skip
def test_a_wish_that_is_garbage_draws_nothing(wish):
    assert sheet(cut_look(), wish) == sheet(cut_look(), {})


@pytest.mark.parametrize("again", [-1, 1.5, True, "7", None, [1], 10**12, math.nan])
def test_a_seed_that_is_garbage_is_seed_0(again):
    assert sheet(cut_look(), {"n": 10, "again": again}) == sheet(cut_look(), {"n": 10, "again": 0})


def test_draws_asked_for_at_one_step_are_gone_at_another():
    trace = hand_made_trace([EIGHTHS, EIGHTHS], [0, 0])
    here, there = (
        Look(trace=trace, row=0, step=step, token_id=0, runs=Runs(trace, ""), text=Text("en")) for step in (0, 1)
    )
    wish = {"n": 10, "again": 1, "at": sheet(here, {})["at"]}
    assert sheet(here, wish)["seed"] == "seed 1" and sheet(there, wish)["seed"] == ""


def test_without_any_processor_there_is_one_panel():
    shown = sheet(look(), {"n": 10, "again": 1})
    assert shown["table"]["head"] == ["token", "probability", "expected", "drawn", "95% range"]
    assert "Without the processors" not in shown["reading"]


def test_a_normalisation_makes_no_other_distribution():
    assert sheet(look(logits_process.LogitNormalization()), {})["table"]["head"] == ["token", "probability"]


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("greedy", "it takes the likeliest token, here “a”. Drawn from the same scores, another one would come 50.0%"),
        ("beam_search", "Beam search draws nothing"),
        ("group_beam_search", "Beam search draws nothing"),
        ("beam_sample", "from all beams together"),
        ("contrastive_search", "Contrastive search draws nothing"),
    ],
)
def test_modes_that_do_not_draw_so_say_so_and_show_what_drawing_would_give(mode, words):
    shown = sheet(look(mode=mode), {"n": 10, "again": 1})
    assert words in shown["note"] and "of 10 times" in shown["reading"]
    assert sheet(cut_look(), {})["note"] == ""


def test_a_token_in_view_that_was_removed_cannot_come():
    shown = sheet(look(logits_process.TopKLogitsWarper(1), token_id=1), {"n": 10, "again": 1})
    assert shown["reading"].startswith("“b” was removed, so it cannot come. It was the same token each time.")


def test_the_tab_follows_the_settings_that_are_tried():
    shown = sheet(look(whatif=Settings(do_sample=True, top_k=1)), {"n": 100, "again": 1})
    assert shown["table"]["rows"][0][:4] == ["a", "100.0%", "100", "100"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_scores_without_a_distribution_are_not_drawn_from(lang):
    shown = sheet(look(logits=[math.nan] * 8, lang=lang), {"n": 10, "again": 1})
    assert shown["figure"] is None and shown["reading"] == Text(lang)("draw.no_distribution")


def test_of_a_compact_recording_the_tab_says_what_is_exact(tiny):
    trace = compact(record(tiny, "The", Settings(do_sample=True, seed=1, max_new_tokens=2)), head=16)
    closer = Look(trace=trace, row=0, step=0, token_id=None, runs=Runs(trace, ""), text=Text("en"))
    assert "is compact" in sheet(closer, {"n": 10, "again": 1})["caution"] and sheet(cut_look(), {})["caution"] == ""
