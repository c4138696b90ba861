"""Clicks that ask Python: how soon a sign is seen, and how soon what was asked for is painted.

A sign is whatever a visitor sees change: the button says that it is busy or pressed, or the page says that a run began.
The real page in Chromium with the example that visitors open on.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import Row
from tests.benchmarks.reaction import p95

if TYPE_CHECKING:
    from playwright.sync_api import Page

N_TIMES = 9
SIGN_BAR, BAR = 100, 300  # milliseconds
REST = 400  # milliseconds between two clicks
CLICK = """async (button) => {
  const node = document.querySelector(button);
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const seen = { sign: () => SIGN, shown: () => SHOWN };
  const began = performance.now(), at = {};
  node.click();
  while (!("sign" in at && "shown" in at)) {
    await painted();
    const now = performance.now() - began;
    if (now > 20_000) throw new Error(`${button}: ${JSON.stringify(at)}`);
    for (const name of Object.keys(seen)) if (!(name in at) && seen[name]()) at[name] = now;
    if ("shown" in at) at.sign ??= now; // what was asked for is a sign, too
  }
  return [at.sign, at.shown];
}"""
BUSY = "node.getAttribute('aria-busy') === 'true' || node.disabled"
PRESSED = (
    "document.querySelector(button).getAttribute('aria-pressed') === 'true'"  # as Python's answer has it, drawn anew
)
RUNS = f"{BUSY} || document.querySelector('.dx-status').dataset.state !== 'ready'"
STREAMS = "document.querySelector('.dx-status').dataset.state === 'running' && document.querySelector('.dx-token')"


def run() -> list[Row]:
    """Examples, the tables of a beam step, Run."""
    from playwright.sync_api import sync_playwright

    from app.gallery.first_page import example_trace
    from tests.browser import ARGUMENTS, find_browser
    from tests.page.conftest import served, settle

    with tempfile.TemporaryDirectory() as folder, served(example_trace(), Path(folder)) as url:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(url)
            page.wait_for_selector(".dx-token")
            settle(page)
            rows = [_examples(page), *_tables(page), _run(page)]
            browser.close()
    return rows


def _examples(page: Page) -> Row:
    items = page.eval_on_selector_all(".dx-question", "(all) => all.map((one) => one.dataset.item)")
    asked = (items * N_TIMES)[: N_TIMES + 1]
    times = [_click(page, f'.dx-question[data-item="{item}"]', BUSY, PRESSED) for item in asked]
    return _row("an example asked for, its first step painted", times[1:])


def _tables(page: Page) -> list[Row]:
    """Of the beam run that is in view after the examples, or the next one that is."""
    for item in page.eval_on_selector_all(".dx-question", "(all) => all.map((one) => one.dataset.item)"):
        if page.locator("#dx-beam-step [data-tab=sum]").count():
            break
        page.locator(f'.dx-question[data-item="{item}"]').click()
        page.wait_for_timeout(2000)
    times: dict[str, list[tuple[float, float]]] = {"sum": [], "ledger": []}
    for _ in range(N_TIMES):
        for tab, found in times.items():
            found.append(_click(page, f"#dx-beam-step [data-tab={tab}]", BUSY, PRESSED))
    return [_row(f"the table {tab} of a beam step", found[1:]) for tab, found in times.items()]


def _run(page: Page) -> Row:
    times = []
    page.locator(".dx-question").first.click()
    page.wait_for_timeout(2000)
    for _ in range(N_TIMES):
        times.append(_click(page, "#dx-run", RUNS, STREAMS))
        page.wait_for_function("document.querySelector('.dx-status').dataset.state === 'ready'")
    return _row("Run, until the run is on the page", times[1:])


def _click(page: Page, button: str, sign: str, shown: str) -> tuple[float, float]:
    page.wait_for_timeout(REST)
    sign_at, shown_at = page.evaluate(CLICK.replace("SIGN", sign).replace("SHOWN", shown), button)
    return sign_at, shown_at


def _row(name: str, times: list[tuple[float, float]]) -> Row:
    signs, shown = [sign for sign, _ in times], [at for _, at in times]
    sign, median = statistics.median(signs), statistics.median(shown)
    return Row(
        name=name,
        measured=f"{median:.0f} ms, p95 {p95(shown):.0f} ms; a sign after {sign:.0f} ms, p95 {p95(signs):.0f} ms",
        spread=f"{min(shown):.0f} to {max(shown):.0f} ms, n = {len(times)}",
        bar=f"≤ {BAR} ms, a sign ≤ {SIGN_BAR} ms",
        met=median <= BAR and sign <= SIGN_BAR,
    )
