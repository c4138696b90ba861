"""How a step change feels: from the key or the click on a token until both charts of its step are painted.

The real page in Chromium with a run of the offline model, as served and with 100 ms added to every request. Keys walk
to the next token; a click comes as from a hand, whose pointer was on the token for a moment.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks import Row
from tests.benchmarks.reaction import near_and_far, reaction_row, timed

if TYPE_CHECKING:
    from playwright.sync_api import Page

N = 21  # the first warms up
BAR, RATIO = 60, 1.5  # milliseconds, and times the floor
REST = 250  # milliseconds that the pointer is on a token before the click
SETTINGS = {"temperature": 0.8, "top_k": 50, "top_p": 0.9, "repetition_penalty": 1.1, "seed": 0, "max_new_tokens": 32}
PROMPT = "Once upon a time in a village by the sea there lived an old fisherman who"
CHARTS = ["dx-waterfall", "dx-cutoff"]


def run() -> list[Row]:
    """Keys and clicks, near and far."""
    from decoding import Settings, load_model, record

    trace = record(load_model(device="cpu"), PROMPT, Settings(do_sample=True, **SETTINGS))
    rows = []
    for page, where in near_and_far(trace, ".dx-token"):
        keys, clicks = _keys(page)[1:], _clicks(page)[1:]
        rows.append(reaction_row(f"step change by key, painted{where}", keys, BAR, RATIO))
        rows.append(reaction_row(f"step change by click, painted{where}", clicks, BAR, RATIO))
    return rows


def _keys(page: Page) -> list[tuple[float, float]]:
    page.locator(".dx-token").first.click()
    page.wait_for_timeout(1500)
    return [timed(page, "keydown", CHARTS, lambda: page.keyboard.press("ArrowRight")) for _ in range(N)]


def _clicks(page: Page) -> list[tuple[float, float]]:
    movements, tokens = [], page.locator(".dx-token")
    for i in range(N):
        box = tokens.nth((7 * i + 3) % tokens.count()).bounding_box()
        page.mouse.move(*_middle(box), steps=4)
        page.wait_for_timeout(REST)
        movements.append(timed(page, "click", CHARTS, partial(page.mouse.click, *_middle(box))))
    return movements


def _middle(box: dict[str, float]) -> tuple[float, float]:
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
