"""How the beam tree feels: first drawn, zoomed, a step, a click on a node, a tree of 10,000 nodes.

The real page in Chromium. "Painted" is from the event to the task after the frame that shows it; for a click the
waterfall of the node's step must have come, too. The floor is the same browser putting the same picture into the page
again, from data that is there already, and nothing else.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import Row

N = 21  # the first warms up
FIRST_BAR, ZOOM_BAR = 400, 50  # milliseconds
STEP_BAR, CLICK_BAR, LARGE_BAR, LAYOUT_BAR = 120, 150, 600, 20
PROMPT = "Once upon a time in a village by the sea there lived an old fisherman who"

# A second tree of the same run on the page, from its JSON to the painted picture.
FIRST = """async (n) => {
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const card = document.querySelector(".dx-beam-tree"), times = [];
  for (let i = 0; i < n; i++) {
    const twin = card.cloneNode(true);
    for (const name of ["plot", "steps", "tools", "paths", "words", "legend", "window", "prompts"])
      twin.querySelector(`[data-part=${name}]`).replaceChildren();
    card.after(twin);
    await painted();
    const began = performance.now();
    dx.beamTree(twin, { data: window.dxTreeData, words: "null" }, () => {}, () => {});
    await painted();
    times.push(performance.now() - began);
    if (!twin.querySelector("svg text")) throw new Error("nothing was drawn");
    twin.remove();
    await new Promise((done) => setTimeout(done, 100));
  }
  return times;
}"""
ZOOM = """async (n) => {
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const tool = (name) => document.querySelector(`[data-tool=${name}]`), times = [];
  for (let i = 0; i < n; i++) {
    await painted();
    const plot = document.querySelector(".dx-beam-tree [data-part=plot]"), before = plot.scene;
    const began = performance.now();
    tool(i % 6 < 3 ? "zoom-out" : "zoom-in").click();
    await painted();
    times.push(performance.now() - began);
    if (plot.scene === before) throw new Error("nothing was drawn");
    await new Promise((done) => setTimeout(done, 60));
  }
  return times;
}"""
FLOOR = """async (n) => {
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const plot = document.querySelector(".dx-beam-tree [data-part=plot]"), { draw, palette } = dx.beamPicture;
  const colours = palette(), fonts = { text: "sans-serif", mono: "monospace" }, times = [];
  for (let i = 0; i < n; i++) {
    await painted();
    const began = performance.now();
    draw(plot, plot.scene, colours, fonts);
    await painted();
    times.push(performance.now() - began);
    await new Promise((done) => setTimeout(done, 60));
  }
  return times;
}"""

STEP = """async ([key, n]) => {
  const card = document.querySelector(".dx-beam-tree"), plot = card.querySelector("[data-part=plot]");
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const times = [];
  for (let i = 0; i < n; i++) {
    const before = plot.dataset.drawn, began = performance.now();
    card.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    while (plot.dataset.drawn === before) await painted();
    await painted();
    times.push(performance.now() - began);
    await new Promise((done) => setTimeout(done, 250));
  }
  return times;
}"""

# Where kept nodes of the chart are, those that are on the screen.
NODES = """() => {
  const plot = document.querySelector(".dx-beam-tree [data-part=plot]"), box = plot.getBoundingClientRect();
  const { spots, width, height, head } = plot.scene;
  return spots
    .filter(({ fate, x, y }) => fate === 0 && x > 4 && x < width - 4 && y > head && y < height)
    .map(({ step, x, y }) => ({ step, x: box.left + x, y: box.top + y }))
    .filter(({ y }) => y > 0 && y < innerHeight);
}"""

AWAIT = """async () => {
  const drawn = () => document.querySelector("#dx-waterfall [data-part=plot]").dataset.drawn || "";
  window.dxBefore = drawn();
  window.dxTime = new Promise((done) => {
    document.addEventListener("pointerdown", () => {
      const began = performance.now();
      const look = () => drawn() !== window.dxBefore
        ? requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)))
        : performance.now() - began > 5000 ? done(5000) : requestAnimationFrame(look);
      look();
    }, { once: true, capture: true });
  });
}"""

LAYOUT = """(n) => {
  const plot = document.querySelector(".dx-beam-tree"), times = [];
  const data = JSON.parse(window.dxTreeData);
  for (let i = 0; i < n; i++) {
    const began = performance.now();
    const tree = dx.beamLayout.grow(data);
    const { items } = dx.beamLayout.fold(tree, false, new Set());
    dx.beamLayout.layout(tree, items);
    times.push(performance.now() - began);
  }
  return times;
}"""


def run() -> list[Row]:
    """1,000 nodes of the offline model; 10,000 of a tiny one, whose logits would otherwise fill the disk."""
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, find_browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        rows = [*_of_a_thousand(browser), *_of_ten_thousand(browser)]
        browser.close()
    return rows


def _of_a_thousand(browser: Any) -> list[Row]:
    from decoding import Settings, load_model, record

    trace = record(load_model(device="cpu"), PROMPT, Settings(num_beams=8, max_new_tokens=60, min_new_tokens=60))
    with tempfile.TemporaryDirectory() as folder, _opened(browser, trace, folder) as page:
        name = "beam tree, 8 × 60"
        page.evaluate("(data) => (window.dxTreeData = data)", _tree_data(trace))
        rows = [
            _row(f"{name}: data to first drawn", page.evaluate(FIRST, 8), FIRST_BAR, page.evaluate(FLOOR, N)),
            _row(f"{name}: zoom to painted", page.evaluate(ZOOM, N), ZOOM_BAR, page.evaluate(FLOOR, N)),
            _row(f"{name}: step to painted", _steps(page), STEP_BAR, page.evaluate(FLOOR, N)),
        ]
        page.locator("[data-tool=fold]").click()
        page.locator("[data-tool=whole]").click()
        rows.append(_row(f"{name}, all drawn: step to painted", _steps(page), STEP_BAR, page.evaluate(FLOOR, N)))
        page.locator("[data-tool=whole]").click()
        page.locator(".dx-beam-tree").scroll_into_view_if_needed()
        clicks = _clicks(page)
        rows.append(_row(f"{name}: click on a node to its step shown", clicks, CLICK_BAR, page.evaluate(FLOOR, N)))
    return rows


def _of_ten_thousand(browser: Any) -> list[Row]:
    from decoding import Settings, record
    from tests.tiny_models import tiny_lm

    lm = tiny_lm()
    lm.model.config.max_position_embeddings = 1024
    lm.tokenizer.model_max_length = 1024
    trace = record(lm, "the cat", Settings(num_beams=20, max_new_tokens=250, min_new_tokens=250))
    with tempfile.TemporaryDirectory() as folder, _opened(browser, trace, folder) as page:
        n = f"{sum(len(step.candidates) for step in trace.steps):,} nodes"
        rows = [_row(f"beam tree, {n}, folded: step to repainted", _steps(page), LARGE_BAR)]
        page.locator("[data-tool=fold]").click()
        page.wait_for_timeout(1000)
        rows.append(_row(f"beam tree, {n}, unfolded: step to repainted", _steps(page), LARGE_BAR))
        page.locator("[data-tool=whole]").click()
        page.wait_for_timeout(2000)
        rows.append(_row(f"beam tree, {n}, whole tree in view: step to repainted", _steps(page), LARGE_BAR))
        page.evaluate("(data) => (window.dxTreeData = data)", _tree_data(trace))
        rows.append(_row(f"beam tree, {n}: fold and layout", page.evaluate(LAYOUT, N), LAYOUT_BAR))
    return rows


def _tree_data(trace: Any) -> str:
    from app.components.drawn import as_json
    from app.runs import Runs
    from app.sheets.beam_tree import tree
    from app.text import Text
    from app.views.look import Look

    return as_json(tree(Look.opened(trace, Runs(trace, ""), Text("en"))))


def _steps(page: Any) -> list[float]:
    """Forwards, from the first step: the columns in view move now and then, too."""
    page.locator("[data-tool=first]").click()
    page.wait_for_timeout(600)
    return page.evaluate(STEP, ["ArrowRight", N])


def _clicks(page: Any) -> list[float]:
    times: list[float] = []
    while len(times) < N:
        nodes = page.evaluate(NODES)
        now = page.evaluate("String(dx.about.step)")
        node = next(n for n in nodes[len(times) * 7 % len(nodes) :] + nodes if str(n["step"]) != now)
        page.mouse.move(node["x"], node["y"])
        page.wait_for_timeout(120)
        page.evaluate(AWAIT)
        page.mouse.down()
        page.mouse.up()
        times.append(page.evaluate("window.dxTime"))
        page.wait_for_timeout(250)
    return times


class _opened:
    """The page with a trace, its tree drawn."""

    def __init__(self, browser: Any, trace: Any, folder: str) -> None:
        from tests.page.conftest import served

        self._served, self._browser = served(trace, Path(folder)), browser

    def __enter__(self) -> Any:
        from tests.page.conftest import settle

        self._page = self._browser.new_page(viewport={"width": 1280, "height": 800})
        self._page.goto(self._served.__enter__())
        self._page.wait_for_selector(".dx-beam-tree [data-drawn]", state="attached")
        settle(self._page)
        return self._page

    def __exit__(self, *error: Any) -> None:
        self._page.close()
        self._served.__exit__(*error)


def _row(name: str, times: list[float], bar: int, floor: list[float] | None = None) -> Row:
    times = sorted(times[1:])
    median = statistics.median(times)
    lowest = None if floor is None else statistics.median(floor[1:])
    ratio = "" if lowest is None else f", {median / lowest:.1f} × the floor of {lowest:.0f} ms"
    return Row(
        name=name, measured=f"{median:.0f} ms{ratio}",
        spread=f"{times[0]:.0f} to {times[-1]:.0f} ms, n = {len(times)}", bar=f"≤ {bar} ms", met=median <= bar,
    )  # fmt: skip
