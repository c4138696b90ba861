"""The same question is not decoded twice; nothing else is ever its answer."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from app.api.endpoints import Api
from app.handlers.handlers import Handlers
from app.serving import question as question_module
from app.serving.line import Line
from app.serving.model_shelf import ModelState
from app.serving.question import Question
from app.serving.stored_runs import VARIABLE, StoredRuns, stored_runs
from app.session.session import Session
from decoding import Settings, load_trace, record
from decoding.errors import DecodingError
from decoding.record import stream
from decoding.recorder import Recorder
from tests.test_handlers import Shelf, chip, sent, to_its_place

SEEDED = Settings(do_sample=True, seed=1, max_new_tokens=3)


@pytest.fixture
def store(tmp_path) -> StoredRuns:
    return StoredRuns(tmp_path / "runs")


def kept(store: StoredRuns, lm, prompt="ab", settings=SEEDED) -> Question:
    """A question whose answer is stored."""
    question = Question.of(lm, prompt, settings)
    store.keep(question, record(lm, prompt, settings)).result(30)
    return question


def files(store: StoredRuns) -> list[Path]:
    return sorted(store.folder.iterdir())


# -- what is asked


def test_the_same_question_has_the_same_key(tiny):
    assert Question.of(tiny, "ab", SEEDED).key == Question.of(tiny, "ab", replace(SEEDED)).key


OTHER_WORLDS = {
    "torch": lambda m: m.setattr(question_module.torch, "__version__", "9.9"),
    "transformers": lambda m: m.setattr(question_module.transformers, "__version__", "9.9"),
    "our own code": lambda m: m.setattr(question_module, "_own_code", lambda: "other"),
    "arithmetic": lambda m: m.setattr(question_module, "arithmetic_of", lambda device: "other"),
    "precision": lambda m: m.setattr(question_module.torch, "get_float32_matmul_precision", lambda: "medium"),
}


@pytest.mark.parametrize("what", OTHER_WORLDS)
def test_another_world_is_another_question(tiny, monkeypatch, what):
    before = Question.of(tiny, "ab", SEEDED).key
    OTHER_WORLDS[what](monkeypatch)
    assert Question.of(tiny, "ab", SEEDED).key != before


@pytest.mark.parametrize(
    "change",
    [{"name": "other"}, {"source": "hub"}, {"revision": "abc"}, {"dtype": "bfloat16"}, {"device": "cuda:0"}],
    ids=lambda change: next(iter(change)),
)
def test_another_model_is_another_question(tiny, change):
    assert Question.of(replace(tiny, **change), "ab", SEEDED).key != Question.of(tiny, "ab", SEEDED).key


def test_the_models_own_defaults_are_part_of_the_question(tiny, monkeypatch):
    before = Question.of(tiny, "ab", SEEDED).key
    monkeypatch.setattr(tiny.model.generation_config, "top_k", 7)
    assert Question.of(tiny, "ab", SEEDED).key != before


@pytest.mark.parametrize(
    ("prompt", "settings"),
    [("abc", SEEDED), ("ab ", SEEDED), (["ab"], SEEDED), ([{"role": "user", "content": "ab"}], SEEDED),
     ("ab", replace(SEEDED, seed=2)), ("ab", replace(SEEDED, max_new_tokens=4)), ("ab", replace(SEEDED, top_p=0.9)),
     ("ab", replace(SEEDED, num_beams=2)), ("ab", replace(SEEDED, negative_prompt="x", guidance_scale=2.0)),
     ("ab", Settings(max_new_tokens=3))],
)  # fmt: skip
def test_another_prompt_or_setting_is_another_question(tiny, prompt, settings):
    assert Question.of(tiny, prompt, settings).key != Question.of(tiny, "ab", SEEDED).key


@pytest.mark.parametrize("left_to", [{"do_sample": True}, {"do_sample": True, "num_beams": 2}, {"max_time": 9.0}])
def test_what_is_left_to_chance_or_to_the_clock_is_no_question(tiny, left_to):
    assert Question.of(tiny, "ab", Settings(max_new_tokens=3, **left_to)) is None


def test_a_seed_is_needed_only_where_something_is_drawn(tiny):
    for how in ({}, {"num_beams": 3}, {"penalty_alpha": 0.6, "top_k": 4}, {"do_sample": True, "seed": 0}):
        assert Question.of(tiny, "ab", Settings(max_new_tokens=3, **how)) is not None


def test_a_cache_that_grows_with_earlier_runs_leaves_it_open(tiny, monkeypatch):
    monkeypatch.setattr(tiny.model.generation_config, "cache_implementation", "static")
    assert Question.of(tiny, "ab", SEEDED) is None


# -- what is stored


@pytest.mark.parametrize(
    ("prompt", "settings"),
    [("ab", SEEDED), (["ab", "The cat"], Settings(max_new_tokens=2)), ("ab", Settings(num_beams=3, max_new_tokens=3)),
     ("ab", Settings(penalty_alpha=0.6, top_k=4, max_new_tokens=3)),
     ("ab", Settings(stop_strings=["z"], max_new_tokens=2))],
)  # fmt: skip
def test_what_was_asked_before_comes_back_as_it_was(store, tiny, prompt, settings):
    question = kept(store, tiny, prompt, settings)
    found = store.find(Question.of(tiny, prompt, settings))
    ours = record(tiny, prompt, settings)
    assert found.trace.sequences.equal(ours.sequences)
    for a, b in zip(found.trace.steps, ours.steps, strict=True):
        for row in range(ours.n_rows):
            assert all(x.equal(y) for x, y in zip(a.all_scores(row=row), b.all_scores(row=row), strict=True))
    assert abs((datetime.now(UTC) - found.recorded_at).total_seconds()) < 60
    assert question.is_answered_by(found.trace)


def test_a_chat_is_found_too(store, lm):
    chat = [{"role": "user", "content": "Hello"}]
    settings = Settings(max_new_tokens=2)
    assert store.find(Question.of(lm, chat, settings)) is None
    kept(store, lm, chat, settings)
    assert store.find(Question.of(lm, chat, settings)) is not None
    assert store.find(Question.of(lm, "Hello", settings)) is None


def test_another_question_finds_nothing(store, tiny):
    kept(store, tiny)
    assert store.find(Question.of(tiny, "ab", replace(SEEDED, seed=2))) is None
    assert store.find(None) is None


def test_a_run_that_was_stopped_is_not_stored(store, tiny):
    recorder = Recorder()
    steps = stream(tiny, "ab", SEEDED, recorder)
    next(steps)
    steps.close()
    assert store.keep(Question.of(tiny, "ab", SEEDED), recorder.trace) is None


def test_a_run_that_answers_something_else_is_not_stored(store, tiny):
    assert store.keep(Question.of(tiny, "ab", SEEDED), record(tiny, "ba", SEEDED)) is None
    assert store.keep(None, record(tiny, "ab", SEEDED)) is None
    assert files(store) == []


def test_a_run_whose_last_bits_may_be_others_is_not_stored(store, tiny):
    """Of a fork from a kept cache, of beams whose prompt was computed once: the same tokens, but not the same bits."""
    question, trace = Question.of(tiny, "ab", SEEDED), record(tiny, "ab", SEEDED)
    assert question.is_answered_by(trace)
    for prefill in ("shared", "reused"):
        assert store.keep(question, replace(trace, prefill=prefill)) is None


def test_a_run_that_is_too_large_is_not_stored(tiny, tmp_path):
    small = StoredRuns(tmp_path, most_bytes=10_000)
    assert small.keep(Question.of(tiny, "ab", SEEDED), record(tiny, "ab", SEEDED)) is None


def test_a_folder_is_found_again_after_a_restart(store, tiny):
    question = kept(store, tiny)
    before = store.find(question)
    again = StoredRuns(store.folder).find(question)
    assert again.recorded_at == before.recorded_at
    assert again.trace.sequences.equal(before.trace.sequences)


def test_a_folder_of_its_own_goes_with_the_process_and_only_its_owner_looks_into_it():
    own = StoredRuns()
    assert own.folder.is_dir()
    assert own.folder.stat().st_mode & 0o077 == 0
    own._own.close()
    assert not own.folder.exists()


def test_a_folder_that_was_taken_away_is_made_again(store, tiny):
    store.folder.rmdir()
    assert store.find(Question.of(tiny, "ab", SEEDED)) is None
    assert store.find(kept(store, tiny)) is not None


# -- bounds


def seeds(store: StoredRuns, tiny, *which: int) -> list[bool]:
    """Which of these runs are found; to look is no use of them here."""
    return [store._path(Question.of(tiny, "ab", replace(SEEDED, seed=seed))).exists() for seed in which]


def test_the_runs_asked_for_longest_ago_make_room(tiny, tmp_path):
    store = StoredRuns(tmp_path, most=3)
    for seed in (1, 2, 3):
        question = kept(store, tiny, settings=replace(SEEDED, seed=seed))
        path = store._path(question)
        os.utime(path, (time.time() - 100 + seed, path.stat().st_mtime - 100))
    store.find(Question.of(tiny, "ab", SEEDED))  # the first is used again
    kept(store, tiny, settings=replace(SEEDED, seed=4))
    assert seeds(store, tiny, 1, 2, 3, 4) == [True, False, True, True]


def test_their_bytes_are_bounded(tiny, tmp_path):
    store = StoredRuns(tmp_path)
    kept(store, tiny)
    size = files(store)[0].stat().st_size
    store._most_bytes = int(12.5 * size)
    for seed in range(2, 20):
        kept(store, tiny, settings=replace(SEEDED, seed=seed))
        assert sum(path.stat().st_size for path in files(store)) <= store._most_bytes
    assert len(files(store)) >= 10
    assert seeds(store, tiny, 1, 19) == [False, True]


def test_files_of_others_are_never_touched(tiny, tmp_path):
    for name in ("mine.trace", "notes.txt", "a" * 64):
        (tmp_path / name).write_text("mine")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / ("b" * 64 + ".trace")).mkdir()
    store = StoredRuns(tmp_path, most=1)
    for seed in (1, 2):
        kept(store, tiny, settings=replace(SEEDED, seed=seed))
    assert {"mine.trace", "notes.txt", "a" * 64} <= {path.name for path in files(store)}
    assert seeds(store, tiny, 1, 2) == [False, True]


def test_what_a_killed_process_left_half_written_goes_in_time(store, tiny):
    question = Question.of(tiny, "zz", SEEDED)
    for name, age in (("old", 7200), ("new", 10)):
        path = store.folder / f"{question.key}.trace{name}"
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    kept(store, tiny)
    assert sorted(path.name[64:] for path in files(store)) == [".trace", ".tracenew"]


# -- damage


def damaged(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "no trace":
        path.write_bytes(b"PK\x05\x06" + bytes(18))
    else:  # a bit in a step's scores, which nobody reads until the step is looked at
        middle = data.index(b"steps/000001.safetensors") + 400
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])


@pytest.mark.parametrize("how", ["truncated", "empty", "no trace", "flipped"])
def test_a_damaged_run_is_dropped_said_in_the_log_and_recorded_anew(store, tiny, how, caplog):
    question = kept(store, tiny)
    damaged(store._path(question), how)
    with caplog.at_level(logging.WARNING):
        assert store.find(question) is None
    assert "dropped" in caplog.text
    assert files(store) == []
    kept(store, tiny)
    assert store.find(question) is not None


def test_a_run_under_another_ones_name_is_not_taken_for_it(store, tiny):
    one, other = kept(store, tiny), Question.of(tiny, "ab", replace(SEEDED, seed=2))
    store._path(one).rename(store._path(other))
    assert store.find(other) is None
    assert files(store) == []


def test_a_link_to_a_file_elsewhere_is_not_followed(store, tiny, tmp_path):
    question = kept(store, tiny)
    elsewhere = tmp_path / "elsewhere.trace"
    store._path(question).rename(elsewhere)
    store._path(question).symlink_to(elsewhere)
    assert store.find(question) is None
    assert elsewhere.exists()


def test_a_disk_that_cannot_be_written_to_costs_nothing_but_the_copy(store, tiny, caplog):
    store.folder.rmdir()
    store.folder.write_text("in the way")
    kept(store, tiny)
    assert "could not be stored" in caplog.text


# -- how a server is told


@pytest.mark.parametrize(
    ("named", "variable", "default", "where"),
    [(None, "", "off", None), ("off", "on", "on", None), (None, "off", "on", None), (None, "", "on", "own"),
     ("on", "", "off", "own"), (None, "{tmp}/a", "off", "a"), ("{tmp}/b", "off", "off", "b")],
)  # fmt: skip
def test_an_option_or_a_variable_says_where_they_are(monkeypatch, tmp_path, named, variable, default, where):
    monkeypatch.setenv(VARIABLE, variable.format(tmp=tmp_path))
    found = stored_runs(named and named.format(tmp=tmp_path), default)
    if where is None:
        assert found is None
    else:
        assert found.folder == tmp_path / where if where != "own" else found._own is not None


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DecodingError, match="the folder for recorded runs cannot be made"):
        stored_runs(str(tmp_path / "file" / "runs"))


# -- on the page, and through the API


def ask(handlers: Handlers, session: Session, mode: str = "sample", **given):
    form = json.dumps({"mode": mode, "given": {"max_new_tokens": 4, **given}})
    return handlers.decoding.run(session, "", "text", "ab", "", form)


def told(changes: dict, part: str):
    return json.loads(changes[part].props["data"])


@pytest.fixture
def handlers(tiny, store) -> Handlers:
    return Handlers(Shelf(tiny), line=Line(at_once=1, behind=False), stored=store)


def written(store: StoredRuns) -> None:
    """Waits until what was recorded is stored."""
    store._writer.submit(lambda: None).result(30)


def never(*args, **kwargs):
    raise AssertionError("it was decoded")


def test_who_asks_the_same_gets_the_run_without_decoding_and_is_told(handlers, store, tiny, monkeypatch):
    first, second = (Session(record(tiny, "x", Settings(max_new_tokens=1))) for _ in range(2))
    list(ask(handlers, first, seed=3))
    written(store)
    monkeypatch.setattr(handlers.decoding._decoder, "stream", never)
    *_, shown, _ = ask(handlers, second, seed=3)
    assert second.look.trace.sequences.equal(first.look.trace.sequences)
    assert told(shown, "message")["text"].startswith("Recorded before, on 20")
    assert told(shown, "message")["kind"] == "note"
    assert told(shown, "facts")["facts"][0]["label"] == "recorded before"
    assert told(shown, "facts")["facts"][0]["value"].endswith("UTC")
    assert "recorded before" in told(shown, "runs")["runs"][-1]["detail"]
    assert first.look.run.origin == ""


def test_a_stored_run_can_be_verified_and_forked(handlers, store, tiny):
    first, second = (Session(record(tiny, "x", Settings(max_new_tokens=1))) for _ in range(2))
    list(ask(handlers, first, seed=3))
    written(store)
    list(ask(handlers, second, seed=3))
    assert second.look.run.origin == "stored"
    *_, last = handlers.verifying.verify(second, {"run": second.look.number})
    assert told(last, "verdict")["kind"] == "good"
    at = {"run": second.look.number, "row": 0, "step": 1}
    list(handlers.decoding.fork(second, sent(token_id=5, about=at)))
    assert second.look.trace.fork.token_id == 5
    assert second.look.trace.prefill == "plain"  # nobody kept a cache: the prefix was computed


def test_without_a_seed_every_run_is_decoded(handlers, store, tiny):
    session = Session(record(tiny, "x", Settings(max_new_tokens=1)))
    list(ask(handlers, session))
    written(store)
    assert files(store) == []


def test_a_run_that_is_stopped_or_broken_off_is_decoded_again(handlers, store, tiny):
    session = Session(record(tiny, "x", Settings(max_new_tokens=1)))
    running = ask(handlers, session, seed=3)
    to_its_place(running, handlers.decoding._line)
    next(running)
    handlers.decoding.stop(session)
    list(running)
    left = ask(handlers, session, seed=3)
    to_its_place(left, handlers.decoding._line)
    left.close()
    written(store)
    assert files(store) == []


def test_who_waited_for_the_same_run_gets_it_when_it_is_there(handlers, store, tiny, monkeypatch):
    """Those who follow one link at the same time: it is decoded once."""
    first, second = (Session(record(tiny, "x", Settings(max_new_tokens=1))) for _ in range(2))
    running = ask(handlers, first, seed=3)
    to_its_place(running, handlers.decoding._line)
    waiting = ask(handlers, second, seed=3)
    while "queue" not in chip(next(waiting)):
        pass
    list(running)
    written(store)
    list(waiting)
    assert second.look.run.origin == "stored"


@pytest.mark.parametrize("places", [1, 3])
def test_who_asks_what_is_being_decoded_waits_for_nothing_else(tiny, store, monkeypatch, places):
    """Nor does it go on beside the first, where there is room for it."""
    handlers = Handlers(Shelf(tiny), line=Line(at_once=places, behind=False), stored=store)
    first, other, third = (Session(record(tiny, "x", Settings(max_new_tokens=1))) for _ in range(3))
    running = ask(handlers, first, seed=3)
    to_its_place(running, handlers.decoding._line)
    before = ask(handlers, other, seed=4)
    waiting = ask(handlers, third, seed=3)
    list(islice(before, 3)), list(islice(waiting, 3))
    assert third.place in handlers.decoding._line._waiting
    monkeypatch.setattr(handlers.decoding._decoder, "stream", never)
    list(running)
    list(waiting)
    assert third.look.run.origin == "stored"
    assert third.look.trace.sequences.equal(first.look.trace.sequences)
    assert other.place is not None  # its turn is still to come, or to go on
    before.close()


def test_what_is_too_large_to_keep_holds_nobody_up(tiny, tmp_path):
    store = StoredRuns(tmp_path / "runs", most_bytes=10_000)
    handlers = Handlers(Shelf(tiny), line=Line(at_once=3, behind=False), stored=store)
    first, *others = (Session(record(tiny, "x", Settings(max_new_tokens=1))) for _ in range(3))
    running = ask(handlers, first, seed=3)
    to_its_place(running, handlers.decoding._line)
    waiting = [ask(handlers, other, seed=3) for other in others]
    for one in waiting:
        list(islice(one, 3))
    assert not any(other.place.is_let_in for other in others)
    list(running)
    assert all(other.place.is_let_in for other in others)  # beside each other, as if nobody had asked the same
    for one in waiting:
        one.close()


@pytest.mark.parametrize("how", ["stopped", "left"])
def test_who_waited_for_a_run_that_never_came_to_its_end_decodes_it(handlers, store, tiny, how):
    first, second = (Session(record(tiny, "x", Settings(max_new_tokens=1))) for _ in range(2))
    running = ask(handlers, first, seed=3)
    to_its_place(running, handlers.decoding._line)
    waiting = ask(handlers, second, seed=3)
    list(islice(waiting, 3))
    if how == "left":
        running.close()
    else:
        handlers.decoding.stop(first)
        list(running)
    list(waiting)
    assert (second.look.run.origin, len(second.look.trace.steps)) == ("", 4)


def test_an_answer_that_is_being_written_is_waited_for(store, tiny):
    question, held = Question.of(tiny, "ab", SEEDED), threading.Event()
    store._writer.submit(held.wait, 10)
    writing = store.keep(question, record(tiny, "ab", SEEDED))
    assert store.keep(question, record(tiny, "ab", SEEDED)) is writing  # once is enough
    threading.Timer(0.2, held.set).start()
    assert store.find(question).trace.settings == SEEDED
    assert writing.done() and not store._coming


def test_callers_of_the_api_who_ask_the_same_have_it_decoded_once(store, tiny, monkeypatch):
    ready = ModelState(name="tiny", phase="ready", lm=tiny)
    shelf = SimpleNamespace(
        default="tiny", batchers=None, state=lambda name: ready, loading=lambda name: iter([ready])
    )
    api = Api(shelf, stored=store, line=Line(at_once=4, behind=False))
    stream_it = api._decoder.stream

    def slowly(*args):
        for step in stream_it(*args):
            time.sleep(0.1)
            yield step

    monkeypatch.setattr(api._decoder, "stream", slowly)
    asked = {"do_sample": True, "seed": 5, "max_new_tokens": 9}
    with ThreadPoolExecutor(3) as callers:
        found = list(callers.map(lambda _: api.record("ab", asked), "123"))
    assert sum(one["recorded_before"] is None for one in found) == 1
    assert len({one["text"] for one in found}) == 1


def test_the_api_says_when_it_was_recorded(store, tiny):
    ready = ModelState(name="tiny", phase="ready", lm=tiny)
    shelf = SimpleNamespace(
        default="tiny", batchers=None, state=lambda name: ready, loading=lambda name: iter([ready])
    )
    api = Api(shelf, stored=store)
    asked = {"do_sample": True, "seed": 5, "max_new_tokens": 3}
    first = api.record("ab", asked)
    assert first["recorded_before"] is None
    written(store)
    second = api.record("ab", asked)
    assert datetime.fromisoformat(second["recorded_before"]) <= datetime.now(UTC)
    same = ("text", "tokens", "answers", "settings", "stages", "warnings")
    assert {name: first[name] for name in same} == {name: second[name] for name in same}
    assert first["run"] != second["run"]
    assert api.verify(second["run"])["grade"] == "bits"
    with pytest.raises(gr.Error):
        api.record("ab", {"top_p": 7})


def test_a_stored_file_is_an_ordinary_trace(store, tiny):
    path = store._path(kept(store, tiny))
    assert load_trace(path).prompts == ("ab",)
