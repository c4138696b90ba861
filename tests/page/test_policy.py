"""The page under its own policy: whatever it does, the browser has nothing to stop, and nothing to say."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import PATIENCE

pytestmark = pytest.mark.browser

# What the browser stopped; the page's console has it, too, but not in a frame's own words.
WATCH = """window.stopped = [];
document.addEventListener("securitypolicyviolation", (e) => stopped.push(`${e.effectiveDirective} ${e.blockedURI}`));"""


@pytest.fixture
def watched(browser, app_url):
    context = browser.new_context(accept_downloads=True)
    context.add_init_script(WATCH)
    page, said = context.new_page(), []
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page, said
    context.close()


def nothing_was_stopped(page: Page, said: list[str]) -> None:
    assert page.evaluate("window.stopped") == []
    told = ("Content Security Policy", "Permissions", "Cross-Origin")
    assert [line for line in said if any(word in line for word in told)] == []


def test_the_page_does_all_it_does_under_its_policy(watched, app_url, tmp_path):
    page, said = watched
    page.goto(app_url)
    page.wait_for_selector(".dx-token")
    page.wait_for_selector("#dx-waterfall [data-drawn]:not([data-drawn=''])", state="attached")
    settle_soon(page)
    page.locator(".dx-token").nth(3).click()
    page.keyboard.press("ArrowRight")
    for tab in page.locator("#dx-lab [role=tab]").all():
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        page.wait_for_timeout(300)
    page.locator("#dx-share [data-part=save]").click()
    with page.expect_download() as download:
        page.locator("#dx-share [data-kind=json]").click()
    download.value.save_as(tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["prompts"]
    page.locator("#dx-run").click()
    expect(page.locator(".dx-run-detail")).to_have_count(2)
    nothing_was_stopped(page, said)


def settle_soon(page: Page) -> None:
    page.wait_for_function("document.querySelector('.dx-status')?.dataset.state === 'ready'")
    page.wait_for_timeout(500)


def test_a_recorded_study_is_shown_under_it(watched, app_url):
    from app.gallery.recorded_studies import RECORDED_STUDIES, STUDY_ADDRESS

    page, said = watched
    page.goto(f"{app_url}{STUDY_ADDRESS}/{RECORDED_STUDIES[0]}")
    page.wait_for_selector(".js-plotly-plot, svg.main-svg", state="attached")
    nothing_was_stopped(page, said)


def test_what_is_not_the_pages_own_is_stopped(watched, app_url):
    """So that the tests above can fail: the policy is there, and the browser keeps it."""
    page, _ = watched
    page.goto(f"{app_url}/health")
    page.evaluate("""fetch("https://example.org/").catch(() => {})""")
    page.wait_for_function("window.stopped.length === 1")
    assert page.evaluate("window.stopped")[0].startswith("connect-src https://example.org")
    elsewhere = "Object.assign(document.createElement('script'), {src: 'https://example.org/x.js'})"
    page.evaluate(f"document.body.append({elsewhere})")
    page.wait_for_function("window.stopped.length === 2")


@contextmanager
def elsewhere(body: str) -> Iterator[str]:
    """The address of a page of somebody else's."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *of: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_page_of_others_cannot_show_it_in_a_frame(watched, app_url):
    """Beside it one of a third that has no policy: that one is shown."""
    page, _ = watched
    with elsewhere("shown") as third:
        frames = f"<iframe name=ours src='{app_url}/health'></iframe><iframe name=third src='{third}'></iframe>"
        with elsewhere(frames) as stranger:
            page.goto(stranger)
            page.wait_for_load_state("networkidle")
            assert page.frame("third").text_content("body") == "shown"
            ours = next(frame for frame in page.frames if frame not in (page.main_frame, page.frame("third")))
            assert ours.url == "chrome-error://chromewebdata/"
