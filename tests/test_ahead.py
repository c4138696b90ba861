"""The steps that are made before they are asked for: the same as when asked, for nobody's cost, whatever is sent."""

from __future__ import annotations

import json

import pytest

from app.handlers.handlers import Handlers
from app.session.session import Session
from decoding.parameters.settings import Settings
from decoding.record import record
from tests.test_handlers import JUNK, Shelf, sent


@pytest.fixture(scope="module", params=["sample", "beam_search"])
def trace(request, tiny):
    how = {"do_sample": True, "seed": 1, "top_p": 0.9} if request.param == "sample" else {"num_beams": 3}
    return record(tiny, "ab", Settings(max_new_tokens=4, **how))


@pytest.fixture
def handlers(tiny) -> Handlers:
    return Handlers(Shelf(tiny))


def ahead(handlers, session, *wanted, about=None):
    changes = handlers.ahead.need(session, sent(wanted=list(wanted), about=about or session.look.about, turn=7))
    return json.loads(changes["ahead"].props["data"])


def place(session, step: int, **more) -> dict:
    return {"run": session.look.number, "row": 0, "step": step} | more


def test_what_is_there_ahead_is_to_the_letter_what_the_step_change_sends(handlers, trace):
    session = Session(trace)
    beams = session.look.node is not None
    at = place(session, 1, **({"rank": 1} if beams else {}))
    [step] = ahead(handlers, session, at)["steps"]
    move, value = handlers.looking.choose_step, at
    if beams:
        move, value = handlers.looking.choose_node, at | {"prompt": 0}
    sent_then = move(session, json.dumps(value))
    assert step["place"] == session.look.place
    assert set(step["panels"]) == set(sent_then)
    for part, update in sent_then.items():
        assert step["panels"][part] == update.props["words" if part == "beam_tree" else "data"]


def test_looking_ahead_moves_nothing(handlers, trace):
    session = Session(trace)
    before = session.look
    ahead(handlers, session, *(place(session, step, rank=0) for step in range(4)))
    assert session.look is before


def test_the_terms_differ_with_all_that_a_step_shows_beside_its_place(handlers, trace):
    session = Session(trace)
    seen = {session.look.terms}
    session.choose_rule("1")
    seen.add(session.look.terms)
    session.speak("zh")
    seen.add(session.look.terms)
    form = json.dumps({"mode": "sample", "given": {"temperature": 0.5, "max_new_tokens": 4}})
    session.try_out(form)
    seen.add(session.look.terms)
    assert len(seen) == 4
    session.go_to(row=0, step=0)
    assert session.look.terms in seen


def test_nothing_is_made_ahead_while_anybody_decodes(handlers, trace, tiny):
    session, other = Session(trace), Session(trace)
    at = place(session, 1, rank=0)
    assert ahead(handlers, session, at)["steps"]
    with handlers.decoding._line.join(other, tiny.name):
        assert ahead(handlers, session, at)["steps"] == []
    assert ahead(handlers, session, at)["steps"]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_made_up_wishes_give_nothing_or_a_step_of_the_run(handlers, trace, junk):
    session = Session(trace)
    for wanted in (junk, [junk] * 50, [place(session, 0) | {"step": junk}], [place(session, 0) | {"row": junk}]):
        event = sent(wanted=wanted, about=session.look.about, turn=junk)
        data = json.loads(handlers.ahead.need(session, event)["ahead"].props["data"])
        assert len(data["steps"]) <= 4


def test_nothing_is_made_of_a_run_that_is_not_in_view(handlers, trace):
    session = Session(trace)
    assert ahead(handlers, session, place(session, 1, rank=0), about={"run": 5, "step": 0})["steps"] == []
    assert ahead(handlers, session, place(session, 1, rank=0, run=5))["steps"] == []
