"""Fixtures of the browser tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.gallery.first_page import example_trace
from tests.conftest import ROOT, _free_port, _wait_until_it_answers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from decoding.trace import Trace

START = "import sys; from app.cli.main import main; sys.exit(main())"
PATIENCE = 60_000  # milliseconds; the machine may be busy


@pytest.fixture(scope="session", autouse=True)
def patience() -> None:
    """What is expected of a page may take as long as all else: playwright's own five seconds are for fast machines."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address in a fresh context; the test fails on any error of a script or request elsewhere."""
    contexts, troubles = [], []

    def open_it(
        url: str, *, width: int = 1280, height: int = 800, locale: str = "en-US", ready: str = ".dx-token", **more
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, locale=locale, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
        page.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: _note_foreign(request.url, troubles))
        page.goto(url)
        page.wait_for_selector(ready)
        page.wait_for_selector("#dx-waterfall [data-drawn]:not([data-drawn=''])", state="attached")
        settle(page)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not troubles


def _note_foreign(url: str, troubles: list[str]) -> None:
    """Everything is served locally: no CDN, no analytics."""
    if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
        troubles.append(f"request to {url}")


def settle(page: Page) -> None:
    """Waits until the page's opening events have come back: it says which model decides."""
    page.wait_for_function("document.querySelector('.dx-status')?.dataset.state === 'ready'")
    page.wait_for_timeout(300)


@contextmanager
def served(trace: Trace, folder: Path, *, first: str = "pass") -> Iterator[str]:
    """The page with a trace of one's own, in a process of its own; `first` is Python that it runs before."""
    path = folder / "run.trace"
    trace.save(path)
    port, log = _free_port(), folder / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", f"{first}\n{START}", "open", str(path), "--port", str(port), "--no-browser"],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(url, server, log)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="session")
def example() -> Trace:
    """The run that the page opens on."""
    return example_trace()
