"""Fixtures of the browser tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.components.drawn import static_routes
from app.gallery.first_page import example_trace
from app.page.layout import _head, build
from app.palette import theme
from app.serving.model_shelf import ModelShelf
from app.session.session import Session
from decoding import load_trace
from decoding.models.load import DEFAULT_MODEL
from tests.conftest import ROOT, _free_port, _wait_until_it_answers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from decoding.models.load import LanguageModel
    from decoding.trace import Trace

START = "import sys; from app.cli.main import main; sys.exit(main())"
PATIENCE = 60_000  # milliseconds; the machine may be busy


@pytest.fixture(scope="session", autouse=True)
def patience() -> None:
    """What is expected of a page may take as long as all else: playwright's own five seconds are for fast machines."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)


# Counts what the page has asked of Python and not been answered. Gradio asks with a POST, which names an event; the
# answer of a queued event comes in a stream of its own.
WATCH = """(() => {
  const asked = new Set(), over = new Set();
  let changed = performance.now();
  const change = (act) => { act(); changed = performance.now(); };
  const end = (id) => change(() => { over.add(id); asked.delete(id); });
  const follow = async (body) => {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    try {
      for (let part; !(part = await reader.read()).done; ) {
        const lines = (text + part.value).split("\\n");
        text = lines.pop();
        for (const line of lines) {
          if (!line.startsWith("data:")) continue;
          const said = JSON.parse(line.slice(5));
          if (said.msg === "process_completed") end(said.event_id);
        }
        changed = performance.now();
      }
    } catch {
      change(() => asked.clear()); // the page is left
    }
  };
  const plain = window.fetch;
  window.fetch = async (input, init) => {
    const url = String(input?.url ?? input);
    if (url.includes("/queue/data")) {
      const answer = await plain(input, init);
      if (!answer.body) return answer;
      const [theirs, ours] = answer.body.tee();
      follow(ours);
      return new Response(theirs, answer);
    }
    if (init?.method !== "POST") return plain(input, init);
    const question = {};
    change(() => asked.add(question));
    try {
      const answer = await plain(input, init);
      if (url.includes("/queue/join")) {
        const { event_id } = await answer.clone().json().catch(() => ({}));
        if (event_id && !over.has(event_id)) asked.add(event_id);
      }
      return answer;
    } finally {
      change(() => asked.delete(question));
    }
  };
  window.quietFor = () => (asked.size ? 0 : performance.now() - changed);
})()"""


class Contexts:
    """Chromium's contexts, one for each page that is open at a time; the next test finds them empty.

    They are kept for what they have loaded and compiled, the page's scripts: what a page stores is removed.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[str, list[BrowserContext]] = {}
        self._taken: list[tuple[str, BrowserContext]] = []

    def take(self, **options: Any) -> BrowserContext:
        """A context with these options and nothing in it, which nobody else has."""
        kind = repr(sorted(options.items()))
        if free := self._free.setdefault(kind, []):
            context = free.pop()
        else:
            context = self._browser.new_context(**options)
            context.add_init_script(WATCH)
        self._taken.append((kind, context))
        return context

    def give_back(self, origins: set[str]) -> None:
        """Closes the pages, and removes what they stored."""
        for kind, context in self._taken:
            for page in context.pages:
                page.close()
            page = context.new_page()
            for origin in origins:
                context.new_cdp_session(page).send(
                    "Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"}
                )
            page.close()
            context.clear_cookies()
            context.clear_permissions()
            context.unroute_all()
            self._free[kind].append(context)
        self._taken.clear()


@pytest.fixture(scope="session")
def contexts(browser: Browser) -> Contexts:
    """The contexts of this browser."""
    return Contexts(browser)


@pytest.fixture
def open_page(contexts: Contexts) -> Iterator[Callable[..., Page]]:
    """Opens an address in an empty context; the test fails on any error of a script or request elsewhere."""
    origins, troubles = set(), []

    def open_it(
        url: str, *, width: int = 1280, height: int = 800, locale: str = "en-US", ready: str = ".dx-token",
        before: str = "", **more,
    ) -> Page:
        page = contexts.take(viewport={"width": width, "height": height}, locale=locale, **more).new_page()
        if before:  # the page's own scripts
            page.add_init_script(before)
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
        page.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: _note_foreign(request.url, troubles))
        origins.add("/".join(url.split("/")[:3]))
        page.goto(url)
        page.wait_for_selector(ready)
        page.wait_for_selector("#dx-waterfall [data-drawn]:not([data-drawn=''])", state="attached")
        settle(page)
        return page

    yield open_it
    contexts.give_back(origins)
    assert not troubles


def _note_foreign(url: str, troubles: list[str]) -> None:
    """Everything is served locally: no CDN, no analytics."""
    if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
        troubles.append(f"request to {url}")


def settle(page: Page) -> None:
    """Waits until the page's opening events have come back: it says which model decides."""
    page.wait_for_function("document.querySelector('.dx-status')?.dataset.state === 'ready'")
    quiet(page)


QUIET = """async ([ms, patience]) => {
  const start = performance.now();
  const since = () => performance.now() - start;
  const quietFor = window.quietFor ?? (() => since() - 180); // a context of somebody else's, which is not watched
  while (Math.min(quietFor(), since()) < ms) {
    if (since() > patience) throw new Error("the page is not quiet");
    await new Promise((done) => setTimeout(done, 15));
  }
}"""


def quiet(page: Page, ms: int = 120) -> None:
    """Waits until all that the page asked has been answered, and it asks nothing for so many milliseconds from now.

    More than the 60 that the page waits for another movement of a slider; where it waits 200 (the address) or 300 (a
    new run's settings), more is to be given.
    """
    page.evaluate(QUIET, [ms, PATIENCE])


def run_to_the_end(page: Page, button: str = "#dx-run") -> None:
    """Presses what begins a run, and waits until that is over and all of it is shown.

    Its number tells, not the button: a short run is over before anybody has seen that grey.
    """
    from playwright.sync_api import expect

    before = page.evaluate("dx.about?.run ?? null")
    page.locator(button).click()
    page.wait_for_function("before => dx.about && dx.about.run !== before && !dx.about.streaming", arg=before)
    expect(page.locator("#dx-run")).to_be_enabled()
    quiet(page)


@contextmanager
def served(trace: Trace, folder: Path, *options: str, first: str = "pass") -> Iterator[str]:
    """The page with a trace of one's own, in a process of its own; `first` is Python that it runs before."""
    path = folder / "run.trace"
    trace.save(path)
    port, log = _free_port(), folder / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", f"{first}\n{START}", "open", str(path), "--port", str(port), "--no-browser",
             *options],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(url, server, log)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


@contextmanager
def served_here(trace: Trace, folder: Path, lm: LanguageModel) -> Iterator[str]:
    """The page with a trace of one's own, in this process, which has the imports and the model already."""
    path = folder / "run.trace"
    trace.save(path)
    shelf = ModelShelf(DEFAULT_MODEL)
    shelf._take_in(DEFAULT_MODEL, lm)
    page = build(shelf, Session(load_trace(path), "file"))
    page.queue()
    port = _free_port()
    page.launch(
        server_name="127.0.0.1", server_port=port, theme=theme(), head=_head(), run_history=False, footer_links=[],
        ssr_mode=False, quiet=True, enable_monitoring=False, prevent_thread_lock=True,
        app_kwargs={"routes": static_routes()},
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        page.close()


@pytest.fixture(scope="session")
def example() -> Trace:
    """The run that the page opens on."""
    return example_trace()
