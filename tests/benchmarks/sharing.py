"""How soon there is something to see: a recorded example on a first visit, and the standalone page.

The first visit is to a server that has just been started, with a browser that has just been started, too, and has
nothing of the page yet; the example is asked for as soon as it is offered, and the time counts from the page's load
event. "Shown" and "opened" are the first animation frame after the waterfall was drawn.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import Row

N_VISITS, N_OPENED = 3, 5
VISIT_BAR, OPENED_BAR, SIZE_BAR = 3, 2, 8  # seconds, seconds, megabytes
ITEM = "greedy-loop"

VISIT = """async ([id, key]) => {
  const frame = () => new Promise(requestAnimationFrame);
  const loaded = performance.getEntriesByType("navigation")[0].loadEventEnd;
  const find = (what) => document.querySelector(what);
  while (!find(`[data-item="${id}"]`)) await frame();
  find(`[data-item="${id}"]`).click();
  const shown = () => find(`[data-item="${id}"][aria-pressed=true]`);
  const drawn = () => find("#dx-waterfall [data-part=plot]")?.dataset.drawn === key;
  while (!shown() || !drawn()) {
    if (performance.now() - loaded > 30_000) throw new Error("never shown");
    await frame();
  }
  await frame();
  return (performance.now() - loaded) / 1000;
}"""

def run() -> list[Row]:
    """Seconds and megabytes."""
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, find_browser

    with sync_playwright() as playwright:

        def start_browser() -> Any:
            return playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))

        visits = _visits(start_browser)
        browser = start_browser()
        rows = _standalone(browser)
        browser.close()
    return [visits, *rows]


def _visits(start_browser: Callable[[], Any]) -> Row:
    from app.gallery.first_page import example_trace
    from app.gallery.items import gallery_item
    from tests.page.conftest import served

    times, item = [], gallery_item(ITEM)
    for _ in range(N_VISITS):
        with tempfile.TemporaryDirectory() as folder, served(example_trace(), Path(folder)) as url:
            browser = start_browser()
            page = browser.new_page()
            page.goto(url)
            times.append(page.evaluate(VISIT, [item.id, f"{item.row}.{item.step}"]))
            browser.close()
    return _row("first visit: recorded example shown after the page's load", times, VISIT_BAR)


def _standalone(browser: Any) -> list[Row]:
    from app.standalone.page import standalone_html
    from decoding import Settings, load_model, record
    from tests.page.test_standalone import WHEN_DRAWN

    lengths = {"max_new_tokens": 60, "min_new_tokens": 60}
    settings = Settings(do_sample=True, temperature=0.9, top_k=40, top_p=0.9, seed=7, **lengths)
    text = standalone_html(record(load_model(device="cpu"), "The best thing about learning is", settings))
    size = len(text.encode()) / 1e6
    times = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.html"
        path.write_text(text, encoding="utf-8")
        for _ in range(N_OPENED):
            page = browser.new_context(offline=True).new_page()
            page.add_init_script(WHEN_DRAWN)
            page.goto(path.as_uri())
            page.wait_for_function("() => window.drawnAfter")
            times.append(page.evaluate("window.drawnAfter") / 1000)
            page.context.close()
    bar = Row(
        name="standalone page of 60 tokens", measured=f"{size:.2f} MB", spread="", bar=f"≤ {SIZE_BAR} MB",
        met=size <= SIZE_BAR,
    )  # fmt: skip
    return [bar, _row("standalone page of 60 tokens: opened", times, OPENED_BAR)]


def _row(name: str, times: list[float], bar: float) -> Row:
    median = statistics.median(times)
    return Row(
        name=name, measured=f"{median:.2f} s", spread=f"{min(times):.2f} to {max(times):.2f} s, n = {len(times)}",
        bar=f"≤ {bar} s", met=median <= bar,
    )  # fmt: skip
