"""What the page's handlers do with what a browser may send, and with visitors who come at the same time."""

from __future__ import annotations

import json
from types import SimpleNamespace

import gradio as gr
import pytest

from app.handlers.handlers import Handlers
from app.page.layout import build
from app.page.wiring import FOLLOWS, RUNS, is_run
from app.serving import limits
from app.serving.line import Line
from app.serving.model_shelf import ModelShelf, ModelState
from app.serving.refusal import Refusal, Refusals
from app.session.session import Session
from decoding.parameters.settings import Settings
from decoding.record import record
from decoding.recorded.run import Step

JUNK = (
    None, -1, 10**30, float("nan"), "", "x" * 100, "\0", {}, [], [[]], True, {"row": -5, "step": 1e308}, "[" * 5000,
    '{"row": -99, "step": 99999999999999999999999}', '{"prompt": 1e999, "step": 0, "rank": 0}', '{"row": "a"}',
    '{"prompt": -7, "step": -7, "rank": -7}', '{"prompt": 10, "step": 10000, "rank": 10000}',
)  # fmt: skip


FORM = ("", "text", "", "", "")  # nothing is typed


def sent(**fields) -> gr.EventData:
    event = gr.EventData(None, None)
    event._data = fields
    return event


class Shelf:
    """One model, loaded already."""

    limits = limits.NONE
    batchers = None

    def __init__(self, lm) -> None:
        self.default, self._ready = lm.name, ModelState(name=lm.name, phase="ready", lm=lm)

    def state(self, name: str) -> ModelState:
        return self._ready if name == self.default else ModelState(name=name)

    def loading(self, name: str):
        yield self._ready


@pytest.fixture
def handlers(tiny) -> Handlers:
    return Handlers(Shelf(tiny))


@pytest.fixture(scope="module", params=["sample", "beam_search"])
def trace(request, tiny):
    how = {"do_sample": True, "seed": 1} if request.param == "sample" else {"num_beams": 3}
    return record(tiny, "ab", Settings(max_new_tokens=4, **how))


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_made_up_values_change_nothing_or_stay_within_the_run(handlers, trace, junk):
    session = Session(trace)
    handlers.looking.choose_step(session, junk)
    handlers.looking.choose_node(session, junk)
    fields = {"tab": junk, "place": junk, "number": junk, "lang": junk, "name": junk}
    for data in (junk, fields | {"about": junk}, fields | {"about": {"run": 0, "row": junk, "step": junk}}):
        event = gr.EventData(None, None)
        event._data = data
        handlers.looking.choose_rule(session, event)
        handlers.looking.choose_table(session, event)
        for choose in (handlers.runs.pick, handlers.runs.remove):
            choose(session, *FORM, event)
        handlers.runs.rename(session, event)
        handlers.opening.set_language(session, junk, event)
    handlers.opening.choose_kind(session, junk)
    assert 0 <= session.look.step < len(trace.steps)
    assert 0 <= session.look.row < trace.n_rows
    assert session.text.lang == "en"


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_a_made_up_fork_is_refused_and_the_run_stays(handlers, trace, junk):
    session = Session(trace)
    *_, last = handlers.decoding.fork(session, sent(token_id=junk, about={"run": 0, "row": 0, "step": 1}))
    if session.look.trace is not trace:  # True is 1, a token
        assert junk is True
    assert last["run"]["interactive"] is True
    assert session.running is False


def test_a_made_up_form_never_breaks_the_page(handlers, tiny):
    session = Session(record(tiny, "ab", Settings(max_new_tokens=1)))
    for junk in JUNK:
        form = json.dumps({"mode": junk, "given": {"max_new_tokens": 1, "num_beams": junk}})
        *_, last = handlers.decoding.run(session, junk, junk, "a", junk, form)
        assert last["run"]["interactive"] is True
    for form in ("[" * 5000, {"mode": "greedy"}, '{"given": [1]}', None):
        steps = handlers.decoding.run(session, "", "text", "a", "", form)
        assert len([next(steps) for _ in range(3)]) == 3
        steps.close()


# -- visitors at the same time


def chip(changes: dict) -> str:
    return json.loads(changes["status"].props["data"])["text"] if "status" in changes else ""


def ask(handlers: Handlers, session: Session, **given):
    return handlers.decoding.run(session, "", "text", "ab", "", json.dumps({"mode": "greedy", "given": given}))


def to_its_place(running, line: Line) -> None:
    """Goes on with a run until it uses the model."""
    while line.is_idle:
        next(running)


def test_who_comes_second_is_told_the_place_and_can_call_it_off(tiny, trace):
    line = Line(at_once=1)
    handlers, first, second = Handlers(Shelf(tiny), line=line), Session(trace), Session(trace)
    running = ask(handlers, first, max_new_tokens=4)
    to_its_place(running, line)
    waiting = ask(handlers, second, max_new_tokens=4)
    begins, told = next(waiting), next(waiting)
    assert begins["stop"]["interactive"] is True
    assert "place 1 in the queue" in chip(told)
    handlers.decoding.stop(second)
    outs = list(waiting)
    assert second.look.trace is trace
    assert "queue" not in chip(outs[0])
    assert outs[-1]["run"]["interactive"] is True
    assert line.is_idle is False
    for _ in running:
        pass
    assert first.look.trace is not trace
    for _ in ask(handlers, second, max_new_tokens=4):  # asked again, it runs
        pass
    assert second.look.trace is not trace
    assert line.is_idle


def test_verify_waits_its_turn_and_is_called_off_as_well(tiny, trace):
    line = Line(at_once=1)
    handlers, first, second = Handlers(Shelf(tiny), line=line), Session(trace), Session(trace)
    running = ask(handlers, first, max_new_tokens=4)
    to_its_place(running, line)
    waiting = handlers.verifying.verify(second, {"run": second.look.number})
    told = [next(waiting) for _ in range(3)]
    assert "place 1 in the queue" in chip(told[-1])
    handlers.decoding.stop(second)
    *_, last = waiting
    assert json.loads(last["verdict"].props["data"] or "null") is None
    running.close()
    *_, last = handlers.verifying.verify(second, {"run": second.look.number})
    assert json.loads(last["verdict"].props["data"])["kind"] == "good"


@pytest.mark.parametrize("n_taken", [1, 2, 4])
def test_a_visitor_who_leaves_ends_the_run_and_gives_the_place_back(tiny, trace, n_taken):
    line = Line(at_once=1)
    handlers, first = Handlers(Shelf(tiny), line=line), Session(trace)
    running = ask(handlers, first, max_new_tokens=4)
    for _ in range(n_taken):
        next(running)
    running.close()
    assert line.is_idle
    assert first.running is False
    assert not first.busy.locked()


def test_a_visitors_second_run_comes_after_the_first_and_a_third_is_refused(handlers, trace):
    session = Session(trace)
    first = ask(handlers, session, max_new_tokens=4)
    next(first)
    second, third = ask(handlers, session, max_new_tokens=3), ask(handlers, session, max_new_tokens=2)
    assert next(second) == {}
    assert "A run is going on already" in json.loads(list(third)[-1]["message"].props["data"])["text"]
    for _ in first:
        pass
    assert len(session.look.trace.steps) == 4
    for _ in second:
        pass
    assert len(session.look.trace.steps) == 3


def test_the_time_spent_waiting_does_not_count_for_a_limit_of_time(tiny, trace):
    line = Line(at_once=1)
    handlers, first, second = Handlers(Shelf(tiny), line=line), Session(trace), Session(trace)
    running = ask(handlers, first, max_new_tokens=4)
    to_its_place(running, line)
    waiting = ask(handlers, second, max_new_tokens=3, max_time=1.0)
    while "queue" not in chip(next(waiting)):
        pass
    next(waiting)  # a second has gone by then
    running.close()
    list(waiting)
    assert second.look.trace.stop_reasons == ("max_length",)


def test_too_many_who_wait_are_refused_in_words(tiny, trace):
    line = Line(at_once=1, most_waiting=0)
    handlers, first, second = Handlers(Shelf(tiny), line=line), Session(trace), Session(trace)
    running = ask(handlers, first, max_new_tokens=4)
    to_its_place(running, line)
    outs = list(ask(handlers, second, max_new_tokens=4))
    assert "the model's queue is full" in json.loads(outs[-2]["message"].props["data"])["text"]
    assert outs[-1]["run"]["interactive"] is True
    assert second.look.trace is trace
    running.close()


def test_after_an_error_the_chip_keeps_the_model_that_was_asked_for(tiny, trace):
    shelf = Shelf(tiny)
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(vocab_size=8))
    facts = {"device": "cpu", "place": "cpu", "dtype": "float16", "dtype_because": ""}
    lm = SimpleNamespace(**facts, model=SimpleNamespace(config=config))
    other = ModelState(name="other", phase="ready", lm=lm)
    shelf.state = lambda name: other if name == "other" else ModelState(name=name)
    session = Session(trace)
    session.model_name = "other"
    outs = list(ask(Handlers(shelf), session, top_p=1.7, max_new_tokens=-1))
    assert "other · cpu · float16" in [chip(out) for out in outs]


def test_a_question_that_arrives_late_changes_nothing(handlers, trace):
    session = Session(trace)
    now, before = (json.dumps({"mode": "sample", "given": {"top_p": p}}) for p in (0.5, 0.9))
    handlers.whatif.confirm(session, sent(form=now, turn=2, about={"run": 0}))
    handlers.whatif.confirm(session, sent(form=before, turn=1, about={"run": 0}))
    assert session.look.form.form == now


# -- what a click costs


@pytest.mark.parametrize("tried", [False, True])
def test_a_click_reads_the_steps_scores_once_for_all_that_is_drawn_of_it(handlers, tiny, monkeypatch, tried):
    stages = {"do_sample": True, "seed": 1, "temperature": 0.8, "top_k": 9, "top_p": 0.9}
    trace = record(tiny, "ab", Settings(max_new_tokens=4, **stages))
    session, read = Session(trace), []
    whole = Step.all_scores
    monkeypatch.setattr(Step, "all_scores", lambda step, **which: read.append(step.index) or whole(step, **which))
    form = json.dumps({"mode": "sample", "given": {"top_p": 0.5}}) if tried else session.look.form.form
    handlers.whatif.confirm(session, sent(form=form, turn=1, about={"run": 0}))
    read.clear()
    step = (session.look.step + 1) % 4
    handlers.looking.choose_step(session, json.dumps({"run": 0, "row": 0, "step": step}))
    handlers.looking.look_closer(session)
    handlers.whatif.need_scores(session, sent(form=form, turn=2, about={"run": 0, "step": step}))
    assert read == [step]


# -- what was not begun


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_a_bound_refused_is_told_in_the_pages_language_and_the_full_queue_otherwise(tiny, lang):
    refusals = Refusals()
    handlers = Handlers(Shelf(tiny), refusals=refusals)
    session = Session(record(tiny, "ab", Settings(max_new_tokens=1)), lang=lang)
    request = SimpleNamespace(session_hash="me")
    refusals.note("me", Refusal(status=429, why="runs", bound="tab_runs", asked=21, allowed=20, seconds=7))

    def told() -> str:
        changes = handlers.refusing.refused(session, request)
        assert changes["run"]["interactive"] is True
        return changes["message"].props["data"]

    assert {"en": "at most 20 a minute", "zh": "每分钟最多接受 20 次"}[lang] in told()
    assert session.text("error.queue") in told()  # what was told is not told again


def test_all_that_uses_the_model_is_known_to_the_guard(tiny):
    """By its name; and nothing else has one of these names."""
    page = build(ModelShelf("tiny"), Session(record(tiny, "ab", Settings(max_new_tokens=1))))
    plain, linked = (
        [fn.fn.__qualname__ for fn in page.fns.values() if is_run(fn, query)] for query in ("lang=en&c=", "lang=en&c=x")
    )
    assert sorted(plain) == sorted(RUNS)
    assert sorted(linked) == sorted([*RUNS, FOLLOWS])


# -- bounds of a run that are found while it goes on


def test_a_run_that_takes_too_long_is_in_view_as_far_as_it_came(tiny):
    shelf = Shelf(tiny)
    shelf.limits = limits.Limits(seconds=0)
    handlers, session = Handlers(shelf), Session(record(tiny, "ab", Settings(max_new_tokens=1)))
    *_, last = handlers.decoding.run(session, "", "text", "ab", "", json.dumps({"mode": "greedy", "given": {}}))
    assert session.look.trace.prompts == ("ab",)
    assert len(session.look.trace.steps) == 1
    assert session.running is False
    assert last["run"]["interactive"] is True
