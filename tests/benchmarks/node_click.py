"""How a click on a node of the beam tree feels: until the charts of its step are painted, ledger and words beside them.

The real page in Chromium with a beam run of the offline model, as served and with 100 ms added to every request. The
click comes as from a hand, whose pointer was on the node for a moment.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import Row
from tests.benchmarks.beam_tree import NODES
from tests.benchmarks.reaction import WATCH_DRAWING, add_delay, floor, reaction_row, timed
from tests.benchmarks.step_change import DELAY, PROMPT, REST

if TYPE_CHECKING:
    from playwright.sync_api import Page

N = 21  # the first warms up
BAR, RATIO = 80, 1.5  # milliseconds, and times the floor
CHARTS = ["dx-waterfall"]  # plain beam search cuts nothing


def run() -> list[Row]:
    """Clicks, near and far."""
    from playwright.sync_api import sync_playwright

    from decoding import Settings, load_model, record
    from tests.browser import ARGUMENTS, find_browser
    from tests.page.conftest import served, settle

    trace = record(load_model(device="cpu"), PROMPT, Settings(num_beams=4, max_new_tokens=24, min_new_tokens=24))
    rows = []
    with tempfile.TemporaryDirectory() as folder, served(trace, Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        for delay in (0, DELAY):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(url)
            page.wait_for_selector(".dx-beam-tree [data-drawn]", state="attached")
            settle(page)
            page.evaluate(WATCH_DRAWING)
            if delay:
                add_delay(page, delay)
            times, where = _clicks(page), f", {delay} ms added to requests" if delay else ""
            rows.append(reaction_row(f"click on a node, painted{where}", times[1:], floor(page), BAR, RATIO))
            page.close()
        browser.close()
    return rows


def _clicks(page: Page) -> list[float]:
    times: list[float] = []
    while len(times) < N:
        nodes = page.evaluate(NODES)
        now = page.evaluate("dx.about.step")
        at = len(times) * 7 % len(nodes)
        node = next(n for n in nodes[at:] + nodes if n["step"] != now)
        page.mouse.move(node["x"], node["y"], steps=4)
        page.wait_for_timeout(REST)
        times.append(timed(page, "pointerdown", CHARTS, partial(page.mouse.click, node["x"], node["y"])))
    return times
