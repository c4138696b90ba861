"""What a first visit costs: bytes of scripts and styles, whose they are, and how long they keep the browser busy.

The budgets are told as Lighthouse tells them: transferred bytes by kind, and total blocking time, which counts of every
task of the main thread what it takes beyond 50 ms. The real page with the example that visitors open on.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks import Row

if TYPE_CHECKING:
    from playwright.sync_api import Browser

N_VISITS = 3
OWN_BAR = 300  # KB of our own scripts and styles, as transferred
OBSERVE = """window.longTasks = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.longTasks.push(entry.duration)))
  .observe({ type: "longtask", buffered: true });"""
RESOURCES = """() => performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
  .map(({ name, encodedBodySize, decodedBodySize }) => ({ name, sent: encodedBodySize, size: decodedBodySize }))"""
KINDS = {"js": "scripts", "css": "styles"}


def run() -> list[Row]:
    """Bytes by owner, and the blocking time of several first visits."""
    from playwright.sync_api import sync_playwright

    from app.gallery.first_page import example_trace
    from tests.browser import ARGUMENTS, find_browser
    from tests.page.conftest import served

    with tempfile.TemporaryDirectory() as folder, served(example_trace(), Path(folder)) as url:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
            visits = [_visit(browser, url) for _ in range(N_VISITS)]
            browser.close()
    return [*_weights(visits[0][0]), _blocking([blocked for _, blocked in visits])]


def _visit(browser: Browser, url: str) -> tuple[list[dict[str, Any]], float]:
    """What was fetched, and the total blocking time in milliseconds."""
    from tests.page.conftest import settle

    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(OBSERVE)
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector(".dx-token")
    settle(page)
    page.wait_for_timeout(1000)
    fetched = page.evaluate(RESOURCES)
    blocked = sum(max(0, task - 50) for task in page.evaluate("window.longTasks"))
    context.close()
    return fetched, blocked


def _owner(name: str) -> str:
    if "/dx/" in name:
        return "Plotly" if "plotly" in name else "our own"
    return "Gradio"


def _weights(fetched: list[dict[str, Any]]) -> list[Row]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for one in fetched:
        if kind := KINDS.get(one["name"].partition("?")[0].rpartition(".")[2]):
            found[_owner(one["name"]), kind].append(one)
    rows = []
    for (owner, kind), files in sorted(found.items()):
        sent, size = (sum(file[name] for file in files) / 1000 for name in ("sent", "size"))
        ours = owner == "our own"
        rows.append(
            Row(
                name=f"first visit: {kind}, {owner}", measured=f"{sent:,.0f} KB sent",
                spread=f"{len(files)} files, {size:,.0f} KB unpacked",
                bar=f"≤ {OWN_BAR} KB" if ours else "", met=sent <= OWN_BAR if ours else None,
            )
        )  # fmt: skip
    return rows


def _blocking(times: list[float]) -> Row:
    return Row(
        name="first visit: total blocking time", measured=f"{statistics.median(times):,.0f} ms",
        spread=f"{min(times):,.0f} to {max(times):,.0f} ms, n = {len(times)}", bar="", met=None,
    )  # fmt: skip
