"""How much the page moves while it loads: Chromium's cumulative layout shift, until the page has been quiet.

The real page with the example that visitors open on, in a context without anything kept.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks import Row

BAR = 0.1
WIDTHS = (1280, 390)
LOCALES = ("en-US", "zh-CN")
OBSERVE = """window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
  if (!entry.hadRecentInput) window.shifts.push(entry.value);
})).observe({ type: "layout-shift", buffered: true });"""


def run() -> list[Row]:
    """A row for each width and language."""
    from playwright.sync_api import sync_playwright

    from app.gallery.first_page import example_trace
    from tests.browser import ARGUMENTS, find_browser
    from tests.page.conftest import served, settle

    rows = []
    trace = example_trace()
    with tempfile.TemporaryDirectory() as folder, served(trace, Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        for width in WIDTHS:
            for locale in LOCALES:
                context = browser.new_context(viewport={"width": width, "height": 800}, locale=locale)
                context.add_init_script(OBSERVE)
                page = context.new_page()
                page.goto(url)
                page.wait_for_selector(".dx-token")
                settle(page)
                page.wait_for_timeout(1000)
                shifts = page.evaluate("window.shifts")
                context.close()
                rows.append(_row(width, locale, shifts))
        browser.close()
    return rows


def _row(width: int, locale: str, shifts: list[float]) -> Row:
    total = sum(shifts)
    return Row(
        name=f"layout shift while the page loads, {width} px, {locale}",
        measured=f"{total:.3f}",
        spread=f"{len(shifts)} shifts, the largest {max(shifts, default=0):.3f}",
        bar=f"≤ {BAR:g}",
        met=total <= BAR,
    )
