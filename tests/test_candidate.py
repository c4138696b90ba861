"""Another token than the one that came: which one a word is, its card, and its way through all steps."""

from __future__ import annotations

import math
from contextvars import copy_context
from dataclasses import replace

import gradio as gr
import pytest
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper

from app.handlers.candidate import Candidates
from app.handlers.shown import of_the_view
from app.serving.answer_number import expect_answer
from app.session.session import Session
from app.sheets import step as step_sheets
from app.sheets.everywhere import everywhere as everywhere_sheet
from app.views.candidate import Card, candidate_view
from app.views.everywhere import everywhere
from app.views.lecture import lecture_view
from app.views.waterfall import waterfall_view
from decoding import Settings, record
from decoding.tokens.word_starts import word_starts
from tests.hand_made import hand_made_trace, token_table

LOGITS = [math.log(p) for p in (0.5, 0.25, 0.125, 0.125)] + [-50.0] * 4


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


def sent(**fields) -> gr.EventData:
    event = gr.EventData(None, None)
    event._data = fields
    return event


@pytest.fixture
def trace():
    other = LOGITS[1::-1] + LOGITS[2:]  # the first two tokens have changed places
    return hand_made_trace([LOGITS, other], [1, 0], [TemperatureLogitsWarper(2.0), TopKLogitsWarper(3)])


# -- words


def starts(word: str, *pieces: str) -> list[tuple[int, bool]]:
    return [(s.token_id, s.whole) for s in word_starts(token_table(pieces), word, len(pieces))]


def test_a_word_is_met_within_a_sentence_and_at_its_start():
    assert starts("cat", "dog", "cat", " cat", "ca") == [(2, True), (1, True)]
    assert starts(" cat", "dog", "cat", " cat", "ca") == [(2, True)]


def test_of_a_longer_word_the_longest_token_that_begins_it_is_given_and_no_bare_space():
    assert starts("cats", "cat", " ca", "ca", " ", "s") == [(1, False), (0, False)]
    assert starts("cats", "cat", " ") == [(0, False)]


def test_an_id_names_its_token_and_nothing_is_no_word():
    assert starts("#1", "a", "b") == [(1, True)]
    assert starts("#2", "a", "b") == []
    assert starts("", "a", "b") == []
    assert starts("\ud800", "a", "b") == []
    assert word_starts(None, "cat", 8) == ()
    assert [s.token_id for s in word_starts(None, "#7", 8)] == [7]


# -- its card


def test_a_candidate_has_probability_and_rank_after_each_stage_and_who_removed_it(trace):
    step = trace.steps[0]
    view = candidate_view(trace, 2, step=0, scores=step.all_scores())
    assert view.token.probabilities[0] == near(0.125)
    assert view.ranks == (3, 3, 3)
    assert not view.came and view.exact
    last = candidate_view(trace, 5, step=0, scores=step.all_scores())
    assert last.token.removed_at == 2
    assert last.ranks == (5, 5, None)
    assert candidate_view(trace, 1, step=0, scores=step.all_scores()).came


def test_a_token_far_down_the_list_has_a_card_of_its_own(trace):
    session = Session(trace)
    session.go_to(row=0, step=0)
    changes = Candidates().pick(session, sent(token_id=7, about=session.look.about))
    assert set(changes) == {"candidate", "everywhere"}
    data = step_sheets.candidate(session.look)
    assert data["token"]["id"] == 7
    assert [option["id"] for option in data["options"] if option["chosen"]] == [7]
    assert data["token"]["stages"]["rows"][0][-1] == "✕"
    Candidates().pick(session, sent(token_id=None, about=session.look.about))
    assert step_sheets.candidate(session.look)["token"] is None
    assert everywhere_sheet(session.look) is None


@pytest.mark.parametrize("junk", [None, -1, 8, 10**30, True, 1.0, "1", [1], {}, float("nan")])
def test_what_is_no_token_of_the_vocabulary_opens_no_card(trace, junk):
    session = Session(trace)
    Candidates().pick(session, sent(token_id=junk, about=session.look.about))
    assert session.look.card is None
    Candidates().word(session, sent(word=junk, about=session.look.about))
    assert session.look.card is None or session.look.card.token_id is None


def test_a_word_that_no_token_begins_is_said_to_be_unknown(trace):
    session = Session(trace)
    Candidates().word(session, sent(word="zebra" * 100, about=session.look.about))
    data = step_sheets.candidate(session.look)
    assert data["token"] is None
    assert "zebra" in data["none"] and len(data["none"]) < 200


def test_the_token_that_came_cannot_be_decoded_on_from_and_the_card_says_so(tiny):
    session = Session(record(tiny, "ab", Settings(max_new_tokens=3)))
    session.go_to(row=0, step=0)
    assert not step_sheets.candidate(session.look)["go"]["disabled"]
    session.ask_about(Card(token_id=session.look.token_id))
    assert step_sheets.candidate(session.look)["go"]["disabled"]
    assert "came" in step_sheets.candidate(session.look)["go"]["tip"]


def test_a_run_whose_model_is_the_callers_own_has_cards_but_cannot_be_decoded_on(trace):
    assert step_sheets.candidate(Session(trace).look)["go"] is None


# -- at every step


def test_every_step_tells_the_models_probability_and_rank_and_what_the_stages_left(trace):
    view = everywhere(trace, 1)
    assert [at.probability for at in view.steps] == [near(0.25), near(0.5)]
    assert [at.rank for at in view.steps] == [2, 1]
    assert [at.came for at in view.steps] == [True, False]
    final = trace.steps[0].all_scores()[-1].double().softmax(-1)[1]
    assert view.steps[0].final == near(float(final))
    assert view.likeliest is view.steps[1]
    assert [at.final for at in everywhere(trace, 5).steps] == [0, 0]


def test_in_a_beam_run_the_steps_are_those_of_the_path_to_the_candidate(tiny):
    run = record(tiny, "ab", Settings(num_beams=3, max_new_tokens=5))
    best = run.hypotheses[0]
    candidate = next(c for c in run.ledger.candidates(best.step, 0) if c.rank == best.rank)
    view = everywhere(run, candidate.token_id, row=candidate.parent, node=(best.step, best.rank))
    assert [at.step for at in view.steps] == list(range(best.step + 1))
    prefix = run.prefix(best.step, candidate.parent).tolist()[run.prompt_ids.shape[1] :]
    for at, token_id in zip(view.steps, prefix, strict=False):
        taken = next(c for c in run.ledger.candidates(at.step, 0) if c.rank == at.rank_in_view)
        assert taken.token_id == token_id


def test_the_chart_has_a_place_for_each_step_and_marks_the_one_in_view(trace):
    session = Session(trace)
    session.go_to(row=0, step=1)
    session.ask_about(Card(token_id=1))
    sheet = everywhere_sheet(session.look)
    assert sheet["figure"]["layout"]["meta"]["columns"] == [[1, 0, None], [2, 1, None]]
    assert sheet["figure"]["layout"]["shapes"][0]["x0"] == 2
    assert sheet["table"]["marked"] == 1
    assert sheet["table"]["places"] == ((0, None), (1, None))


# -- decoding on, and telling a step


def test_a_fork_opens_at_its_first_step(tiny):
    from decoding.fork import fork

    run = record(tiny, "ab", Settings(max_new_tokens=6, do_sample=True, seed=1))
    session = Session(run)
    session.take(fork(run, tiny, step=2, token_id=5), tiny.name, forked_from=session.runs.active)
    assert session.look.step == 0


def test_a_lecture_tells_what_each_stage_did_to_the_likeliest_token(trace):
    scores = trace.steps[0].all_scores()
    told = lecture_view(trace, waterfall_view(trace, step=0), scores, row=0, n_steps=2)
    assert told.stages[0].probability == near(0.5)
    assert [stage.reshapes for stage in told.stages] == [False, True, False]  # top_k: e^-50
    assert told.token == waterfall_view(trace, step=0).chosen.text
    shifted = hand_made_trace([LOGITS], [1], [TemperatureLogitsWarper(1.0)])
    told = lecture_view(
        shifted, waterfall_view(shifted, step=0), [scores[0], scores[0] + 3], row=0, n_steps=1
    )
    assert [stage.reshapes for stage in told.stages] == [False, False]


def test_the_card_stays_with_the_token_when_the_step_changes(trace):
    session = Session(trace)
    session.ask_about(Card(token_id=1))
    session.go_to(row=0, step=1)
    assert session.look.card == Card(token_id=1)
    assert step_sheets.candidate(replace(session.look, growing=True)) is None


def test_an_answer_is_of_what_is_in_view_when_it_is_given(trace):
    session = Session(trace)
    session.go_to(row=0, step=0)
    made = []

    def make(look):
        made.append(look.step)
        session.go_to(row=0, step=1)  # the visitor's next event
        return {"step": look.step}

    assert of_the_view(session, make)["step"] == 1
    assert made[0] == 0


def test_an_answer_is_numbered_before_what_it_shows_can_change(trace):
    session, mine, others = Session(trace), expect_answer(), []

    def other() -> None:
        """Another event, of a request of its own, is answered meanwhile: of a later view, and first."""
        others.append(expect_answer())
        session.go_to(row=0, step=1)
        of_the_view(session, lambda look: {})

    def make(look):
        if not others:
            copy_context().run(other)
        return {"step": look.step}

    assert of_the_view(session, make) == {"step": 1}
    assert (others[0].number, mine.number) == (1, 2)
