"""One fault at a time on a served page: the next good request is right, and nothing recorded is lost."""

from __future__ import annotations

import asyncio
import gc
import json
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from app.page.layout import EVENTS, build
from app.serving import failures, model_shelf
from app.serving.model_shelf import ModelShelf
from app.serving.tidying import Tidying
from app.session.session import Session
from decoding import ModelError, Settings, record
from tests.conftest import _free_port
from tests.soak.record import Asked, Record, RunSeen
from tests.soak.site import API, Site, follow
from tests.soak.visitor import Visitor
from tests.test_step_store import SmallDisk

GREEDY = Asked(prompt="ab c", mode="greedy", given=(("max_new_tokens", 12), ("min_new_tokens", 12)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    url: str
    page: Any
    shelf: ModelShelf
    folder: Path


@pytest.fixture(scope="module")
def here(tiny, tmp_path_factory) -> Iterator[Here]:
    """The page of a tiny model, served by this process."""
    folder = tmp_path_factory.mktemp("model")
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    shelf = ModelShelf(str(folder))
    page = build(shelf, Session(record(tiny, "ab", Settings(max_new_tokens=3))))
    page.queue(max_size=EVENTS)
    port = _free_port()
    page.launch(server_name="127.0.0.1", server_port=port, ssr_mode=False, quiet=True, prevent_thread_lock=True)
    *_, ready = shelf.loading(str(folder))
    assert ready.phase == "ready"
    yield Here(url=f"http://127.0.0.1:{port}", page=page, shelf=shelf, folder=folder)
    page.close()


class Hand:
    """A visitor of the page, whose hand is led."""

    def __init__(self, here: Here) -> None:
        self._here, self.record = here, Record(0, 0.0)

    def __call__(self, what: Callable[[Visitor], Any]) -> Any:
        async def visit() -> Any:
            async with httpx.AsyncClient(base_url=self._here.url, timeout=60) as http:
                visitor = Visitor(await Site.read(http), http, self.record, 0, time.monotonic() + 60)
                await visitor.come()
                try:
                    return await what(visitor)
                finally:
                    visitor.leave()

        return asyncio.run(visit())


async def ask(visitor: Visitor, asked: Asked = GREEDY, model: str | None = None) -> tuple[RunSeen, dict[str, Any]]:
    """A run, and the last that each part of the page said."""
    run, parts = RunSeen(asked=asked), {}
    event = visitor._site.event("run.click", queued=True)
    async for change in follow(
        visitor._http, event, visitor._key, [None, model, "text", asked.prompt, "", asked.form]
    ):
        parts |= change
        visitor._take(run, change)
    return run, parts


def said(parts: dict[str, Any]) -> str:
    return parts.get("message", {}).get("data") or ""


def is_right(run: RunSeen, here: Here) -> bool:
    lm = here.shelf.state(here.shelf.default).lm
    return run.text == record(lm, GREEDY.prompt, Settings(max_new_tokens=12, min_new_tokens=12)).text()


def the_next_is_right(here: Here) -> None:
    run, parts = Hand(here)(ask)
    assert is_right(run, here), said(parts)
    assert all(not getattr(session, "running", False) for session in sessions(here))


def sessions(here: Here) -> list[Session]:
    states = here.page.state_holder.session_data.values()
    return [value for state in states for value in state.state_data.values() if isinstance(value, Session)]


# --- models ------------------------------------------------------------------------------------------------


def out_of_memory(*_: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")


def no_room(*_: Any) -> None:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: 20 GB")


@pytest.mark.parametrize("harm", ["nothing there", "damaged", "refused", "out of memory", "no room", "a bug"])
def test_a_model_that_cannot_be_loaded_leaves_the_one_that_serves(here, tmp_path, monkeypatch, harm):
    other = tmp_path / "other"
    if harm != "nothing there":
        for file in here.folder.iterdir():
            other.mkdir(exist_ok=True)
            (other / file.name).write_bytes(file.read_bytes()[: 1000 if harm == "damaged" else None])
    partly: list[weakref.ref] = []
    if harm in ("refused", "out of memory", "no room", "a bug"):
        real = model_shelf.load_model

        def half_way(name: str, **how: Any) -> Any:
            lm = real(name, **how)
            partly.append(weakref.ref(lm.model))
            if harm == "refused":
                raise ModelError("the model {name!r} is too large", name=name)
            if harm == "a bug":
                raise KeyError("layers.3")
            (out_of_memory if harm == "out of memory" else no_room)()

        monkeypatch.setattr(model_shelf, "load_model", half_way)
        monkeypatch.setattr(failures.log, "disabled", True)  # pytest keeps what is logged, and all that hangs on it

    async def both(visitor: Visitor) -> tuple[Any, ...]:
        first, _ = await ask(visitor)
        _, parts = await ask(visitor, model=str(other))
        return first, parts, sessions(here)[-1]

    first, parts, session = Hand(here)(both)
    assert is_right(first, here) and said(parts)
    assert [run.trace.text() for run in session.runs][1:] == [first.text]
    if partly:
        gc.collect()
        assert partly[0]() is None  # nor does the error keep it, which every visitor is told
    for _ in range(3):
        with pytest.raises(ModelError) as raised:
            raise here.shelf.state(str(other)).error
    assert len(raised.traceback) == 1  # and not that of everybody who was told before
    the_next_is_right(here)


def test_a_model_that_is_switched_away_from_is_freed(here, tiny, tmp_path):
    for name in ("one", "two"):
        tiny.model.save_pretrained(tmp_path / name)
        tiny.tokenizer.save_pretrained(tmp_path / name)

    async def switch(visitor: Visitor) -> weakref.ref:
        run, _ = await ask(visitor, model=str(tmp_path / "one"))
        assert is_right(run, here)
        first = weakref.ref(here.shelf.state(str(tmp_path / "one")).lm.model)
        assert first() is not None
        run, _ = await ask(visitor, model=str(tmp_path / "two"))
        assert is_right(run, here)
        run, _ = await ask(visitor)
        return first

    first = Hand(here)(switch)
    assert here.shelf.state(str(tmp_path / "one")).phase == "idle"
    assert here.shelf.state(str(tmp_path / "two")).phase == "ready"
    gc.collect()
    assert first() is None
    the_next_is_right(here)


@pytest.mark.parametrize("raises", [out_of_memory, no_room])
@pytest.mark.parametrize("at", [0, 4])
def test_memory_that_runs_out_in_a_forward_leaves_the_steps_before_and_the_runs_before(here, raises, at):
    calls = 0

    def hook(module: Any, arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > at:
            raises()

    async def visit(visitor: Visitor) -> tuple[Any, ...]:
        first, _ = await ask(visitor)
        handle = here.shelf.state(here.shelf.default).lm.model.register_forward_pre_hook(hook)
        try:
            broken, parts = await ask(visitor)
        finally:
            handle.remove()
        last, _ = await ask(visitor)
        return first, broken, parts, last, [run.trace for run in sessions(here)[-1].runs]

    first, broken, parts, last, traces = Hand(here)(visit)
    assert "out of memory" in said(parts)
    assert is_right(first, here) and is_right(last, here)
    kept = [trace for trace in traces[1:] if trace.stop_reasons == ("error",)]
    assert [len(trace.steps) for trace in kept] == ([at] if at else [])
    for trace in kept:
        whole = traces[1]
        assert all(trace.scores(step=step).equal(whole.scores(step=step)) for step in range(at))
    assert [trace.text() for trace in traces[1:] if trace not in kept] == [first.text, last.text]


def test_a_disk_that_is_full_while_runs_move_there_loses_none(here, monkeypatch):
    from app.session import session as module

    memory = module.run_memory()
    monkeypatch.setattr(memory, "in_memory", 0)
    real = tempfile.TemporaryFile

    def small(**how: Any) -> SmallDisk:
        disk = SmallDisk.__new__(SmallDisk)
        disk.file, disk.room, disk.short = real(buffering=0), 10_000, True
        return disk

    monkeypatch.setattr(tempfile, "TemporaryFile", small)

    async def visit(visitor: Visitor) -> list[Any]:
        for _ in range(3):
            run, _ = await ask(visitor)
            assert is_right(run, here)
        return [run.trace for run in sessions(here)[-1].runs][1:]

    traces = Hand(here)(visit)
    kept = [trace for trace in traces if not trace.store.gone]
    assert traces[-1] in kept
    for trace in kept:
        assert all(trace.scores(step=step).equal(traces[-1].scores(step=step)) for step in range(12))
    monkeypatch.undo()
    the_next_is_right(here)


# --- visitors ----------------------------------------------------------------------------------------------


def test_a_prompt_of_a_megabyte_is_refused_in_words(here):
    async def visit(visitor: Visitor) -> tuple[Any, ...]:
        first, _ = await ask(visitor)
        asked = Asked(prompt="long " * 200_000, mode="greedy", given=GREEDY.given)
        _, parts = await ask(visitor, asked)
        last, _ = await ask(visitor)
        return first, parts, last

    first, parts, last = Hand(here)(visit)
    assert "1,000,000" in said(parts)
    assert is_right(first, here) and is_right(last, here)
    answer = httpx.post(f"{here.url}{API}/call/record", json={"data": ["long " * 200_000, {}, "", None]}, timeout=60)
    with httpx.stream("GET", f"{here.url}{API}/call/record/{answer.json()['event_id']}", timeout=60) as stream:
        assert "at most 40,000 are taken" in stream.read().decode()
    the_next_is_right(here)


@pytest.mark.parametrize("path", ["/run/predict", "/queue/join", "/upload", "/call/record"])
def test_a_body_of_thirty_megabytes_does_no_harm(here, path):
    body = b'{"data": ["' + b"x" * 30_000_000 + b'"], "fn_index": 0, "session_hash": "a"}'
    try:
        httpx.post(f"{here.url}{API}{path}", content=body, headers={"content-type": "application/json"}, timeout=60)
    except httpx.HTTPError:
        pass  # a server may hang up on it
    the_next_is_right(here)


def test_a_browser_that_goes_in_the_middle_of_a_run_ends_it_and_the_next_one_is_right(here):
    lm = here.shelf.state(here.shelf.default).lm
    ended, slowly = threading.Event(), lm.model.register_forward_pre_hook(lambda *_: time.sleep(0.02))

    async def visit(visitor: Visitor) -> None:
        asked = Asked(prompt="ab c", mode="greedy", given=(("max_new_tokens", 100), ("min_new_tokens", 100)))
        run, event = RunSeen(asked=asked), visitor._site.event("run.click", queued=True)
        answers = follow(visitor._http, event, visitor._key, [None, None, "text", asked.prompt, "", asked.form])
        async for parts in answers:
            visitor._take(run, parts)
            if len(run.lines) >= 3:
                break
        await answers.aclose()
        ended.set()

    try:
        Hand(here)(visit)
        assert ended.is_set()
        end = time.monotonic() + 30
        while any(session.running for session in sessions(here)):
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        slowly.remove()
    (trace,) = [run.trace for run in sessions(here)[-1].runs][1:]
    assert trace.stop_reasons == ("user",) and 3 <= len(trace.steps) < 100
    assert trace.scores(step=len(trace.steps) - 1).isfinite().any()
    the_next_is_right(here)


# --- clocks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
def test_a_clock_that_is_set_by_a_day_forgets_nobody(here, monkeypatch, jump):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + jump)
    tidying = Tidying(here.page, _NoFiles())

    async def visit(visitor: Visitor) -> tuple[Any, ...]:
        first, _ = await ask(visitor)
        for _ in range(3):
            tidying.round()
        session = sessions(here)[-1]
        await asyncio.sleep(0)
        last, _ = await ask(visitor)
        return first, last, [run.trace.text() for run in session.runs][1:]

    first, last, texts = Hand(here)(visit)
    assert is_right(first, here) and is_right(last, here)
    assert texts == [first.text, last.text]


class _NoFiles:
    """Nothing is on its way."""

    def sweep(self) -> None:
        pass


def test_programs_without_a_tab_are_forgotten_and_open_tabs_are_not(here):
    """A program of the API has nothing that it could come back to, and what Gradio keeps for it is large."""
    tidying = Tidying(here.page, _NoFiles(), every=60, lives=180)
    held = here.page.state_holder.session_data

    async def visit(visitor: Visitor) -> None:
        await ask(visitor)
        event = next(e for e in visitor._site.events if e.name == "step")
        body = {"data": ["nobody's", 0, 0, 5], "fn_index": event.index, "session_hash": "a program", "trigger_id": 1}
        await visitor._http.post(f"{API}/run/predict", json={**body, "event_data": None})
        assert {"a program", visitor._key} <= set(held)
        for _ in range(6):
            tidying.round()
        assert visitor._key in held and "a program" not in held
        assert json.dumps(held[visitor._key].config_values) == "{}"
        (session,) = [value for value in held[visitor._key].state_data.values() if isinstance(value, Session)]
        assert "scores" not in session.look.at.__dict__
        run, _ = await ask(visitor)
        assert is_right(run, here)

    Hand(here)(visit)
