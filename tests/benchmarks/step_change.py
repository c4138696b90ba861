"""How a step change feels: from the key or the click on a token until both charts of its step are painted.

The real page in Chromium with a run of the offline model, as served and with 100 ms added to every request. Keys walk
to the next token; a click comes as from a hand, whose pointer was on the token for a moment.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import Row
from tests.benchmarks.reaction import WATCH_DRAWING, add_delay, floor, reaction_row, timed

if TYPE_CHECKING:
    from playwright.sync_api import Page

N = 21  # the first warms up
BAR, RATIO = 60, 1.5  # milliseconds, and times the floor
DELAY = 100  # milliseconds added to every request
REST = 250  # milliseconds that the pointer is on a token before the click
SETTINGS = {"temperature": 0.8, "top_k": 50, "top_p": 0.9, "repetition_penalty": 1.1, "seed": 0, "max_new_tokens": 32}
PROMPT = "Once upon a time in a village by the sea there lived an old fisherman who"
CHARTS = ["dx-waterfall", "dx-cutoff"]


def run() -> list[Row]:
    """Keys and clicks, near and far."""
    from playwright.sync_api import sync_playwright

    from decoding import Settings, load_model, record
    from tests.browser import ARGUMENTS, find_browser
    from tests.page.conftest import served, settle

    trace = record(load_model(device="cpu"), PROMPT, Settings(do_sample=True, **SETTINGS))
    rows = []
    with tempfile.TemporaryDirectory() as folder, served(trace, Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        for delay in (0, DELAY):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(url)
            page.wait_for_selector(".dx-token")
            settle(page)
            page.evaluate(WATCH_DRAWING)
            if delay:
                add_delay(page, delay)
            keys, clicks = _keys(page), _clicks(page)
            lowest, where = floor(page), f", {delay} ms added to requests" if delay else ""
            rows.append(reaction_row(f"step change by key, painted{where}", keys[1:], lowest, BAR, RATIO))
            rows.append(reaction_row(f"step change by click, painted{where}", clicks[1:], lowest, BAR, RATIO))
            page.close()
        browser.close()
    return rows


def _keys(page: Page) -> list[float]:
    page.locator(".dx-token").first.click()
    page.wait_for_timeout(1500)
    return [timed(page, "keydown", CHARTS, lambda: page.keyboard.press("ArrowRight")) for _ in range(N)]


def _clicks(page: Page) -> list[float]:
    times, tokens = [], page.locator(".dx-token")
    for i in range(N):
        box = tokens.nth((7 * i + 3) % tokens.count()).bounding_box()
        page.mouse.move(*_middle(box), steps=4)
        page.wait_for_timeout(REST)
        times.append(timed(page, "click", CHARTS, partial(page.mouse.click, *_middle(box))))
    return times


def _middle(box: dict[str, float]) -> tuple[float, float]:
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
