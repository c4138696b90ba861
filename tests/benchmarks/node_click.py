"""How a click on a node of the beam tree feels: until the charts of its step are painted, and until its ledger is, too.

The real page in Chromium with a beam run of the offline model, as served and with 100 ms added to every request. The
click comes as from a hand, whose pointer was on the node for a moment; it counts from the button's release on, as a
click on a token does.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks import Row
from tests.benchmarks.beam_tree import NODES
from tests.benchmarks.reaction import near_and_far, reaction_row, timed
from tests.benchmarks.step_change import PROMPT, REST

if TYPE_CHECKING:
    from playwright.sync_api import Page

N = 21  # the first warms up
BAR, RATIO = 80, 1.5  # milliseconds, and times the floor
CHARTS = ["dx-waterfall"]  # plain beam search cuts nothing
LEDGER = "dx-beam-step"


def run() -> list[Row]:
    """Clicks, near and far."""
    from decoding import Settings, load_model, record

    trace = record(load_model(device="cpu"), PROMPT, Settings(num_beams=4, max_new_tokens=24, min_new_tokens=24))
    rows = []
    for page, where in near_and_far(trace, ".dx-beam-tree [data-drawn]"):
        rows.append(reaction_row(f"click on a node, painted{where}", _clicks(page)[1:], BAR, RATIO))
        rows.append(reaction_row(f"click on a node, its ledger, too{where}", _clicks(page, LEDGER)[1:], BAR))
    return rows


def _clicks(page: Page, *others: str) -> list[tuple[float, float]]:
    movements: list[tuple[float, float]] = []
    while len(movements) < N:
        nodes = page.evaluate(NODES)
        now = page.evaluate("dx.about.step")
        at = len(movements) * 7 % len(nodes)
        node = next(n for n in nodes[at:] + nodes if n["step"] != now)
        page.mouse.move(node["x"], node["y"], steps=4)
        page.wait_for_timeout(REST)
        movements.append(timed(page, "pointerup", CHARTS, partial(page.mouse.click, node["x"], node["y"]), others))
    return movements
