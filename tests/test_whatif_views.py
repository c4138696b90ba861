"""What the what-if panel is told, on traces made by hand."""

from __future__ import annotations

import base64
import json
import math

import numpy as np
import pytest
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper

from app.session.session import Session
from app.session.whatif import Trial, acting_settings
from app.views.whatif import row_marks, sorted_scores, step_answer
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
    trial = Trial(recorded)
    for more in ({}, {"seed": 9, "max_new_tokens": 40}, {"top_k": 50}):
        trial.try_out(form(temperature=0.7, **more))
        assert trial.whatif is None and trial.error is None  # 50 is transformers' default
    trial.try_out(form(temperature=0.7, top_k=0))
    assert trial.whatif is not None
    trial.try_out(form(temperature=0))
    assert "temperature must be > 0" in str(trial.error)


def test_the_page_gets_the_scores_before_temperature_sorted_and_the_recorded_probabilities(trace):
    trial = Trial(trace)
    trial.try_out(form(top_p=0.5))
    view = sorted_scores(trace, trial.whatif, step=0, row=0, chosen=1)
    assert view.scores == pytest.approx(np.array(LOGITS, dtype="float32"))
    squares = [p * p for p in P[:5]]
    assert [t.recorded for t in view.tokens[:5]] == pytest.approx([s / sum(squares) for s in squares])
    assert [t.place for t in view.tokens] == list(range(8))
    assert [t.chosen for t in view.tokens].index(True) == 1
    assert (view.alive, view.sampling, view.covered) == (5, True, True)
    assert view.mass_removed == pytest.approx(1 - sum(squares) / sum(p * p for p in P))


def test_the_answer_is_what_the_processors_leave(trace):
    trial = Trial(trace)
    trial.try_out(form(top_k=0, top_p=0.8))
    answer = step_answer(trial.whatif, step=0, row=0, token_ids=(0, 2, 3))
    assert answer.alive == 3  # 0.4 + 0.3 + 0.15 crosses 0.8
    assert answer.probabilities == {0: pytest.approx(0.4 / 0.85), 2: pytest.approx(0.15 / 0.85), 3: 0.0}
    assert answer.mass_removed == pytest.approx(0.15)
    marks = row_marks(trace, trial.whatif, 0)
    assert marks.probabilities == (pytest.approx(0.3 / 0.85), 0.0, pytest.approx(0.4 / 0.85))
    assert (marks.n_gone, marks.diverges_at) == (1, 1)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_panels_words_and_numbers(trace, lang):
    session = Session(trace, lang=lang)
    session.trial.try_out(form(top_k=0, top_p=0.8))
    answer = json.loads(session.whatif_answer())
    assert answer["alive"] == 3 and answer["row"]["diverges"] == 1
    assert "".join(p if isinstance(p, str) else p["text"] for p in answer["reading"]).strip()
    scores = json.loads(session.whatif_scores()["scores"])
    assert len(base64.b64decode(scores["scores"])) == 4 * 8
    assert session.whatif_scores(scores["key"]) == {"at": session.at}  # it has those already
    frame = json.loads(session.whatif_panel()["data"])
    assert frame["rerun"] is False  # nobody knows which model it was
    assert all(frame["labels"].values())


def test_garbage_leaves_what_was_tried(trace):
    session = Session(trace)
    session.trial.try_out(form(top_p=0.8))
    tried = session.trial.whatif
    for junk in (None, 7, [], {}):
        session.trial.try_out(junk)
    assert session.trial.whatif is tried and session.trial.form == form(top_p=0.8)
