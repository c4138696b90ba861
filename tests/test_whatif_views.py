"""What the what-if panel is told, on traces made by hand."""

from __future__ import annotations

import base64
import json
import math

import numpy as np
import pytest
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper

from app.session.session import Session
from app.sheets import whatif
from app.views.whatif import row_marks, sorted_scores, step_answer
from app.whatif import WhatIfForm, acting_settings
from decoding import Settings, record
from tests.hand_made import hand_made_trace

P = [0.4, 0.3, 0.15, 0.06, 0.04, 0.03, 0.015, 0.005]
LOGITS = [math.log(p) for p in P]


@pytest.fixture
def trace():
    """Three steps with the same distribution; the first, the third and the likeliest token came."""
    return hand_made_trace([LOGITS] * 3, [1, 3, 0], [TemperatureLogitsWarper(0.5), TopKLogitsWarper(5)])


def form(**given) -> str:
    return json.dumps({"mode": "sample", "given": given})


def test_a_drop_in_recordings_settings_are_those_that_acted(tiny):
    recorded = record(tiny, "ab", Settings(do_sample=True, temperature=0.7, top_k=9, seed=1, max_new_tokens=2))
    assert acting_settings(recorded).temperature == 0.7
    assert acting_settings(recorded).top_k == 9
    assert acting_settings(recorded).do_sample is True


def test_the_recorded_settings_are_no_what_if(tiny):
    recorded = record(tiny, "ab", Settings(do_sample=True, temperature=0.7, seed=1, max_new_tokens=2))
    recorded = WhatIfForm.of(recorded)
    for more in ({}, {"seed": 9, "max_new_tokens": 40}, {"top_k": 50}):
        same = recorded.under(form(temperature=0.7, **more))
        assert same.whatif is None and same.error is None  # 50 is transformers' default
    other = recorded.under(form(temperature=0.7, top_k=0))
    assert other.whatif is not None
    wrong = other.under(form(temperature=0))
    assert "temperature must be > 0" in str(wrong.error) and wrong.whatif is None


def test_the_page_gets_the_scores_before_temperature_sorted_and_the_recorded_probabilities(trace):
    tried = WhatIfForm.of(trace).under(form(top_p=0.5))
    view = sorted_scores(trace, tried.whatif, step=0, row=0, chosen=1)
    assert view.scores == pytest.approx(np.array(LOGITS, dtype="float32"))
    squares = [p * p for p in P[:5]]
    assert [t.recorded for t in view.tokens[:5]] == pytest.approx([s / sum(squares) for s in squares])
    assert [t.place for t in view.tokens] == list(range(8))
    assert [t.chosen for t in view.tokens].index(True) == 1
    assert (view.alive, view.sampling, view.covered) == (5, True, True)
    assert view.mass_removed == pytest.approx(1 - sum(squares) / sum(p * p for p in P))


def test_the_answer_is_what_the_processors_leave(trace):
    tried = WhatIfForm.of(trace).under(form(top_k=0, top_p=0.8))
    answer = step_answer(tried.whatif, step=0, row=0, token_ids=(0, 2, 3))
    assert answer.alive == 3  # 0.4 + 0.3 + 0.15 crosses 0.8
    assert answer.probabilities == {0: pytest.approx(0.4 / 0.85), 2: pytest.approx(0.15 / 0.85), 3: 0.0}
    assert answer.mass_removed == pytest.approx(0.15)
    marks = row_marks(trace, tried.whatif, 0)
    assert marks.probabilities == (pytest.approx(0.3 / 0.85), 0.0, pytest.approx(0.4 / 0.85))
    assert (marks.n_gone, marks.diverges_at) == (1, 1)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_panels_words_and_numbers(trace, lang):
    session = Session(trace, lang=lang)
    session.try_out(form(top_k=0, top_p=0.8))
    answer = whatif.answer(session.look, turn=7)
    assert answer["alive"] == 3 and answer["row"]["diverges"] == 1 and answer["turn"] == 7
    assert "".join(p if isinstance(p, str) else p["text"] for p in answer["reading"]).strip()
    scores = whatif.scores(session.look)
    assert len(base64.b64decode(scores["scores"])) == 4 * 8
    assert scores["key"] == whatif.key(session.look)
    panel = whatif.panel(session.look)
    assert panel["rerun"] is False  # nobody knows which model it was
    assert all(panel["labels"].values())


def test_garbage_leaves_what_was_tried(trace):
    session = Session(trace)
    session.try_out(form(top_p=0.8))
    tried = session.look.whatif
    for junk in (None, 7, [], {}):
        session.try_out(junk)
    assert session.look.whatif is tried and session.look.form.form == form(top_p=0.8)


def reading(trace, step: int = 0, **given) -> str:
    session = Session(trace)
    session.go_to(row=0, step=step)
    session.try_out(form(**given))
    return "".join(p if isinstance(p, str) else p["text"] for p in whatif.answer(session.look)["reading"])


def test_another_likeliest_token_comes_before_an_equal_probability(trace):
    said = reading(trace, temperature=0.5, top_k=5, suppress_tokens="[0]")
    assert said.startswith("At step 1: another token, “b”, would be the likeliest (")


def test_what_changed_elsewhere_comes_before_a_step_that_stays_as_it_was(trace):
    said = reading(trace, step=1, temperature=0.5, top_k=5, begin_suppress_tokens="[1]")
    assert said.startswith("Of the run's 3 tokens, 1 would have been impossible. The first is at step 1")
    assert said.index("re-run") < said.index("At step 2: “d” would keep its ")
    assert said.endswith("5 tokens would be possible, as many as in the recorded run. ")


def test_impossible_settings_have_no_numbers(trace):
    session = Session(trace)
    session.try_out(form(top_p=0.8))
    session.try_out(form(top_p=1.7))
    assert session.look.whatif is None
    answer = whatif.answer(session.look)
    assert "top_p must be in (0, 1], got 1.7" in answer["error"] and "p" not in answer
