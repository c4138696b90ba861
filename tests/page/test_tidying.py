"""What a visitor leaves on the server, and its end: seen from the real page, served by this process."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from app.components.drawn import static_routes
from app.page.layout import _head, build
from app.palette import theme
from app.serving.model_shelf import ModelShelf
from app.serving.passing_files import PassingFiles, passing_files
from app.serving.tidying import Tidying
from app.session.session import Session
from decoding import Recorder, Settings
from decoding.record import stream
from tests.conftest import _free_port

pytestmark = pytest.mark.browser


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    url: str
    page: Any
    files: PassingFiles


@pytest.fixture(scope="module")
def here(example) -> Iterator[Here]:
    files = passing_files()
    files.sweep(lives=0)  # other tests of this process have left theirs
    page = build(ModelShelf("smollm2-135m"), Session(example))
    page.queue()
    port = _free_port()
    page.launch(
        server_name="127.0.0.1", server_port=port, theme=theme(), head=_head(), ssr_mode=False, quiet=True,
        prevent_thread_lock=True, app_kwargs={"routes": static_routes()},
    )  # fmt: skip
    yield Here(url=f"http://127.0.0.1:{port}", page=page, files=files)
    page.close()


def found(files: PassingFiles) -> list[Path]:
    return [path for path in files.folder.rglob("*") if path.is_file()]


def until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_an_export_is_served_once_made_and_minutes_later_nothing_is_left(here, open_page, tmp_path, example):
    page = open_page(here.url)
    assert found(here.files) == []  # the page itself needs none
    page.locator("#dx-share [data-part=save]").click()
    with page.expect_download() as download:
        page.locator("#dx-share [data-kind=json]").click()
    download.value.save_as(tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["prompts"] == list(example.prompts)
    (path,) = found(here.files)  # and no copy of it
    address = f"{here.url}/gradio_api/file={path}"
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert answer.status == 200
    here.files.sweep(lives=0)
    assert list(here.files.folder.iterdir()) == []
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(address, timeout=30)


def test_a_trace_that_was_sent_stays_open_when_its_file_has_gone(here, open_page, tmp_path, example):
    page = open_page(here.url)
    example.save(tmp_path / "mine.trace")
    page.locator("input[type=file]").first.set_input_files(str(tmp_path / "mine.trace"))
    expect(page.locator(".dx-message-box")).to_contain_text("mine.trace is open")
    assert found(here.files) != []
    here.files.sweep(lives=0)
    assert found(here.files) == []
    page.locator(".dx-token").nth(4).click()  # reads a step that was not read before
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("step 5")


def test_an_hour_after_a_visitor_has_gone_the_runs_and_their_files_have_gone_too(here, open_page, lm):
    holder = here.page.state_holder
    before = set(holder.session_data)
    gone, stays = open_page(here.url), open_page(here.url)

    def sessions() -> dict[str, Session]:
        new = {name: state for name, state in holder.session_data.items() if name not in before}
        return {name: s for name, state in new.items() for s in state.state_data.values() if isinstance(s, Session)}

    until(lambda: len(sessions()) == 2)
    recorder = Recorder(memory_budget=1)
    list(stream(lm, "A prompt of mine", Settings(max_new_tokens=3), recorder))
    store = weakref.ref(recorder.trace.store)
    file = store()._file
    assert store().n_spilled == 3 and not file.closed
    names = dict(sessions())
    first = min(names, key=lambda name: list(holder.session_data).index(name))
    names[first].take(recorder.trace, "smollm2-135m")
    del names, recorder
    tidying = Tidying(here.page, here.files, every=60, lives=180)
    for _ in range(5):
        tidying.round()
    assert first in holder.session_data  # its tab is open
    for page in (gone, stays):
        page.close()
    until(lambda: all(holder.session_data[name].is_closed for name in sessions()))
    rounds = 0
    while first in holder.session_data:
        tidying.round()
        rounds += 1
        assert rounds <= 3
    assert rounds == 3
    assert store() is None and file.closed
