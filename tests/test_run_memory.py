"""All runs on a server within one budget: on to the disk, and off it; those looked at longest ago go first."""

from __future__ import annotations

import gc
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

import pytest
import torch

from app.api import kept_runs
from app.handlers.handlers import Handlers
from app.serving.run_memory import RunMemory
from app.session import session as sessions
from app.session.session import Session
from decoding import NotRecordedError, Recorder, Settings, load_trace, record
from decoding.fork import fork
from decoding.record import stream
from decoding.recorded import step_store
from tests.conftest import ROOT
from tests.laws import same_bits
from tests.test_handlers import Shelf, sent
from tests.test_step_store import SmallDisk
from tests.tiny_models import tiny_lm

LARGE = 2**40
WAYS = {"greedy": {}, "sample": {"do_sample": True, "seed": 1, "top_k": 9}, "beam_search": {"num_beams": 3}}


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock of stores, a second further at each look."""
    ticks = itertools.count(1000)
    monkeypatch.setattr(step_store.time, "monotonic", lambda: float(next(ticks)))


def a_run(lm, prompt: str = "The cat", **given):
    recorder = Recorder()
    for _ in stream(lm, prompt, Settings(**{"max_new_tokens": 6, **given}), recorder):
        pass
    return recorder.trace, recorder.kept_cache()


def every_score(trace) -> list[torch.Tensor]:
    return [score for step in trace.steps for row in range(trace.n_rows) for score in step.all_scores(row=row)]


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_moved_to_the_disk_is_the_same_to_the_last_bit(tiny, way):
    trace, _ = a_run(tiny, **WAYS[way])
    before, size = every_score(trace), trace.nbytes
    assert trace.store.in_memory > 0
    assert trace.store.spill()
    assert trace.store.in_memory == 0 and trace.store.on_disk > 0 and trace.nbytes == size
    assert all(map(same_bits, every_score(trace), before))


def test_a_run_that_moves_while_it_is_recorded_goes_on_and_loses_nothing(tiny):
    whole, _ = a_run(tiny, max_new_tokens=9)
    recorder = Recorder()
    for step in stream(tiny, "The cat", Settings(max_new_tokens=9), recorder):
        if step.index % 3 == 1:
            assert recorder.trace.store.spill()
    assert recorder.trace.store.n_spilled == 8  # the last one came after
    assert all(map(same_bits, every_score(recorder.trace), every_score(whole)))


def test_a_file_of_a_visitors_moves_to_the_disk_too(tiny, tmp_path):
    trace, _ = a_run(tiny)
    for compact in (False, True):
        trace.save(tmp_path / "a.trace", compact=compact)
        opened = load_trace(tmp_path / "a.trace")
        (tmp_path / "a.trace").unlink()
        before = every_score(opened)
        assert opened.store.in_memory > 0
        assert opened.store.spill() and opened.store.in_memory == 0 and opened.store.on_disk > 0
        assert all(map(same_bits, every_score(opened), before))
        opened.store.let_go()
        with pytest.raises(NotRecordedError, match="step 2 made room for others"):
            opened.scores(step=1)
        assert opened.text() == trace.text()


def test_what_was_looked_at_longest_ago_goes_first(tiny, clock):
    runs = [a_run(tiny)[0] for _ in range(4)]
    memory = RunMemory(in_memory=LARGE)
    for trace in runs:
        memory.admit(trace)
    runs[0].scores(step=3)  # the oldest one is looked at again
    memory.in_memory = 2 * runs[0].store.in_memory
    memory.make_room()
    assert [trace.store.in_memory > 0 for trace in runs] == [True, False, False, True]
    memory.on_disk = runs[1].store.on_disk
    runs[1].scores(step=0)
    memory.make_room()
    assert [trace.store.gone for trace in runs] == [False, False, True, False]


def test_what_a_model_remembers_of_a_run_that_nobody_looks_at_goes_first_and_a_fork_is_the_same(tiny):
    trace, kept = a_run(tiny, max_new_tokens=6)
    reused = fork(trace, tiny, step=3, token_id=7, kept=kept)
    other, others_kept = a_run(tiny, "Another one")
    size = trace.store.in_memory + other.store.in_memory
    memory = RunMemory(in_memory=size + others_kept.nbytes, idle=0)
    memory.admit(trace, kept)
    memory.admit(other, others_kept)
    assert kept.cache is None and others_kept.cache is not None
    assert trace.store.in_memory and other.store.in_memory
    anew = fork(trace, tiny, step=3, token_id=7, kept=kept)
    assert (reused.prefill, anew.prefill) == ("reused", "plain")
    assert anew.sequences.equal(reused.sequences)


def test_what_is_in_use_keeps_what_the_model_remembers_while_an_idle_run_has_any(tiny):
    memory, both = RunMemory(in_memory=0, idle=3600), [a_run(tiny) for _ in range(2)]
    memory.in_memory = LARGE
    for trace, kept in both:
        memory.admit(trace, kept)
    memory.in_memory = memory.taken()["in_memory"] + memory.taken()["caches"] - 1
    memory.make_room()  # nobody is idle: a whole run moves, not everybody's cache
    assert [kept.cache is None for _, kept in both] == [True, False]
    assert sum(trace.store.in_memory > 0 for trace, _ in both) >= 1


def test_too_many_runs_are_too_many_files(tiny, clock):
    memory, runs = RunMemory(in_memory=0, most=3), [a_run(tiny)[0] for _ in range(5)]
    for trace in runs:
        memory.admit(trace)
    assert [trace.store.gone for trace in runs] == [True, True, False, False, False]
    assert memory.taken()["runs"] == 3 and memory.taken()["in_memory"] == 0


def test_the_newest_run_keeps_its_scores_whatever_it_takes(tiny):
    memory = RunMemory(in_memory=0, on_disk=0)
    trace, _ = a_run(tiny)
    memory.admit(trace)
    assert not trace.store.gone and len(every_score(trace)) > 0


def test_runs_that_nobody_has_any_more_are_not_counted(tiny):
    memory = RunMemory(in_memory=LARGE)
    memory.admit(*a_run(tiny))
    gc.collect()
    assert memory.taken() == {"runs": 0, "in_memory": 0, "on_disk": 0, "caches": 0}


# --- a full disk -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize("room", [0, 100, 4_000])
def test_a_disk_that_fills_up_while_a_run_moves_leaves_it_whole_in_memory(tiny, monkeypatch, room, short):
    trace, _ = a_run(tiny)
    before = every_score(trace)
    disk = SmallDisk(room, short)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **kwargs: disk)
    memory = RunMemory(in_memory=0)
    memory.admit(trace)
    assert trace.store.in_memory > 0 and trace.store.lost_from is None
    assert all(map(same_bits, every_score(trace), before))
    monkeypatch.undo()
    disk.room = LARGE  # somebody made room
    memory.make_room()
    assert trace.store.in_memory == 0
    assert all(map(same_bits, every_score(trace), before))


def test_where_the_disk_is_full_older_runs_there_make_room(tiny, monkeypatch, clock):
    runs = [a_run(tiny)[0] for _ in range(3)]
    memory = RunMemory(in_memory=0)
    memory.admit(runs[0])
    disk = SmallDisk(0, short=False)
    monkeypatch.setattr(disk, "write", lambda blob: disk.file.write(blob) if runs[0].store.gone else 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **how: disk)
    memory.admit(runs[1])
    assert runs[0].store.gone and runs[1].store.on_disk > 0 and runs[1].store.in_memory == 0
    assert len(every_score(runs[1])) > 0


def test_where_the_disk_takes_nothing_the_memory_of_the_machine_is_not_used_up(tiny, monkeypatch, clock):
    disks = iter([SmallDisk(0, short=False) for _ in range(40)])
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **how: next(disks))
    runs = [a_run(tiny)[0] for _ in range(6)]
    memory = RunMemory(in_memory=2 * runs[0].store.in_memory)
    for trace in runs:
        memory.admit(trace)
    assert memory.taken()["in_memory"] <= 2 * memory.in_memory
    assert not runs[-1].store.gone


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX's")
def test_for_real_the_kernel_refuses_and_the_run_is_whole():
    done = _python("""
        import resource
        from app.serving.run_memory import RunMemory
        from decoding import Settings, record
        from tests.tiny_models import tiny_lm
        lm = tiny_lm()
        first, second = (record(lm, "The cat", Settings(max_new_tokens=n, min_new_tokens=n)) for n in (40, 8))
        scores = [first.scores(step=t) for t in range(40)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        memory = RunMemory(in_memory=0)
        memory.admit(first)
        memory.admit(second)
        assert first.store.in_memory > 0 and second.store.in_memory == 0, memory.taken()
        assert all(first.scores(step=t).equal(scores[t]) for t in range(40))
        print("whole")
    """)
    assert done.stdout.split() == ["whole"], done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other allocators give back when they like")
def test_resident_memory_stays_flat_while_visitors_come_and_stay():
    """Sixty visitors with a run of 12 MB each, all of whom keep their tabs open: 730 MB in a budget of 64."""
    done = _python("""
        import json, psutil, torch
        from app.serving import run_memory
        from app.serving.freed import few_arenas
        from app.serving.tidying import Tidying
        few_arenas()
        from app.gallery.first_page import example_trace
        from app.session import session as sessions
        from decoding import Recorder
        from tests.benchmarks.memory import fake_model
        torch.set_num_threads(1)
        memory = run_memory.RunMemory(in_memory=64 * 2**20)
        sessions.run_memory = lambda: memory
        model, first, tabs, taken = fake_model(), example_trace(), [], []
        for number in range(60):
            recorder = Recorder(seed=number)
            model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=20, pad_token_id=0, do_sample=True, top_k=50,
                           custom_generate=recorder)
            tab = sessions.Session(first)
            tab.take(recorder.trace, "fake")
            tab.look.scores
            tab.rest()  # as the round does of whoever looks at nothing
            tabs.append((tab, recorder.trace.scores(step=7)))
            taken.append(psutil.Process().memory_info().rss)
        whole = all(scores.equal(tab.runs.active.trace.scores(step=7)) for tab, scores in tabs)
        print(json.dumps([whole, taken[9], taken[-1], memory.taken()["in_memory"], memory.taken()["on_disk"]]))
    """)
    whole, after_ten, after_sixty, in_memory, on_disk = json.loads(done.stdout.splitlines()[-1])
    assert whole
    assert in_memory <= 64 * 2**20 and on_disk > 600e6
    kept_here = 50 * 152_000 * 4  # the scores that this test keeps to compare
    assert after_sixty - kept_here <= 1.1 * after_ten


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a file without a name")
def test_a_process_that_is_killed_leaves_no_run_behind(tmp_path):
    """Not for the next process to find, either: the system takes a file without a name back."""
    program = textwrap.dedent("""
        import sys, time
        from decoding import Settings, record
        from tests.tiny_models import tiny_lm
        trace = record(tiny_lm(), "A prompt of mine", Settings(max_new_tokens=5))
        assert trace.store.spill() and trace.store.on_disk
        print("there", flush=True)
        time.sleep(600)
    """)
    child = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert child.stdout.readline().split() == [b"there"]
    assert os.listdir(tmp_path) == []
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert os.listdir(tmp_path) == []


def _python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


# --- what a visitor sees -----------------------------------------------------------------------------------


@pytest.fixture
def memory(monkeypatch) -> RunMemory:
    """The server's, with room for nothing."""
    tight = RunMemory(in_memory=0, idle=0)
    for module in (sessions, kept_runs):
        monkeypatch.setattr(module, "run_memory", lambda: tight)
    return tight


@pytest.mark.parametrize("way", WAYS)
def test_who_comes_back_to_a_run_on_the_disk_sees_it_as_it_was(memory, way):
    lm = tiny_lm()
    handlers, session = Handlers(Shelf(lm)), Session(record(lm, "ab", Settings(max_new_tokens=2)))
    trace, kept = a_run(lm, **WAYS[way])
    session.take(trace, lm.name, kept)
    before = _look(handlers, session, 2)
    session.take(a_run(lm, "Another")[0], lm.name)
    session.rest()
    assert trace.store.in_memory == 0 and kept.cache is None
    session.runs.pick(1)
    session.view(session.runs.active)
    after = _look(handlers, session, 2)
    assert after["waterfall"].constructor_args["data"] == before["waterfall"].constructor_args["data"]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("way", WAYS)
def test_who_comes_back_to_a_run_that_made_room_is_told_and_can_ask_again(memory, way, lang):
    lm = tiny_lm()
    handlers = Handlers(Shelf(lm))
    session = Session(record(lm, "ab", Settings(max_new_tokens=2)), lang=lang)
    trace, kept = a_run(lm, "My own prompt", **WAYS[way])
    session.take(trace, lm.name, kept)
    memory.on_disk = 0
    session.take(a_run(lm, "Another")[0], lm.name)
    assert trace.store.gone
    event = sent(number=1)
    changes = handlers.runs.pick(session, "", "text", "", "", "", event)
    assert changes["prompt"]["value"] == "My own prompt"  # Run asks again
    said = {"en": "made room for", "zh": "让出空间"}[lang]
    assert said in changes["waterfall"].constructor_args["data"]
    assert said in changes["notes"].constructor_args["data"]
    assert trace.text() in json.loads(changes["answer"].constructor_args["data"])["answers"][0]["text"]
    for step in range(len(trace.steps)):
        assert said in _look(handlers, session, step)["waterfall"].constructor_args["data"]
        handlers.looking.look_closer(session)
    *_, last = handlers.decoding.fork(session, sent(token_id=5, about={"run": 1, "row": 0, "step": 1}))
    assert last["run"]["interactive"] is True  # the tokens are there: a fork can be had


def test_a_run_of_the_api_that_made_room_says_so(memory):
    runs, lm = kept_runs.KeptRuns(), tiny_lm()
    first = runs.add(a_run(lm)[0], lm.name)
    memory.on_disk = 0
    runs.add(a_run(lm)[0], lm.name)
    with pytest.raises(NotRecordedError, match="made room for others"):
        runs.get(first.id).trace.scores(step=0)


def test_a_visitor_at_rest_holds_no_scores_and_sees_the_same(tiny):
    session = Session(a_run(tiny, **WAYS["sample"])[0])
    session.try_out('{"mode": "sample", "given": {"top_p": 0.5}}')
    look = session.look
    before = [score.clone() for score in look.scores]
    assert look.at.scores and look.whatif._steps
    session.rest()
    assert "scores" not in session.look.at.__dict__ and not session.look.whatif._steps
    assert all(map(same_bits, session.look.scores, before))


def _look(handlers: Handlers, session: Session, step: int):
    """The charts of a step, of a search its first candidate's."""
    place = json.dumps({"run": session.look.number, "row": 0, "step": step, "prompt": 0, "rank": 0})
    choose = handlers.looking.choose_step if session.look.node is None else handlers.looking.choose_node
    return choose(session, place)


def test_a_clock_that_is_set_lets_nothing_go(tiny, monkeypatch):
    memory, now = RunMemory(in_memory=LARGE, idle=60), time.time()
    trace, kept = a_run(tiny)
    memory.admit(trace, kept)
    for jump in (86_400, -86_400):
        monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
        memory.make_room()
        assert kept.cache is not None and trace.store.in_memory and not trace.store.gone
