"""What the heat map costs: reading 200 steps of 49,152 tokens, and drawing them.

Drawn is counted from a click to the painted frame. The floor is the same browser filling as many rectangles with
colours that are in the page already, from a click to the painted frame, and nothing else.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from tests.benchmarks import Row
from tests.benchmarks.whatif_run import N_STEPS, model_run

BAR = 150  # milliseconds
N_TIMES = 15

MEASURE = """async ([n, steps]) => {
  const frame = () => new Promise(requestAnimationFrame);
  const rest = (ms) => new Promise((done) => setTimeout(done, ms));
  const tools = () => [...document.querySelectorAll(".dx-heat .dx-tool")];
  if (tools().filter((tool) => !tool.hidden).length === 1) tools().at(-1).click();
  const all = tools()[2];
  const canvas = document.createElement("canvas");
  const map = document.querySelector(".dx-heat [data-part=map]");
  [canvas.width, canvas.height, canvas.style.cssText] = [map.width, map.height, "position:fixed;top:0;left:0"];
  document.body.append(canvas);
  const ctx = canvas.getContext("2d");
  const colours = Array.from({ length: 65 }, (_, i) => `rgb(${i} ${2 * i} ${3 * i})`);
  const fill = () => {
    const w = canvas.width / steps;
    for (let step = 0; step < steps; step++) for (let i = 0; i < 12; i++) {
      ctx.fillStyle = colours[(step * 7 + i) % 65];
      ctx.fillRect(step * w, i * 16, w - 1, 15);
    }
  };
  const timed = async (act) => {
    const began = performance.now();
    act();
    await frame();
    await frame();
    return performance.now() - began;
  };
  const [drawn, floor] = [[], []];
  for (let i = 0; i < n; i++) {
    floor.push(await timed(() => requestAnimationFrame(fill)));
    await rest(80);
    drawn.push(await timed(() => all.click()));
    await rest(80);
    all.click();
    await rest(80);
  }
  canvas.remove();
  return { drawn: drawn.slice(1), floor: floor.slice(1) };
}"""


def run() -> list[Row]:
    """Reading, as recorded and under other settings, and drawing, with its ratio to the floor."""
    from decoding import Settings

    trace = model_run()
    whatif = trace.whatif(Settings(do_sample=True, temperature=0.8, top_k=0, top_p=0.9))
    return [
        _read("as recorded", trace, None),
        _read("under temperature and top_p", trace, whatif),
        _drawn(trace),
    ]


def _read(name, trace, whatif) -> Row:
    from app.views.heat_map import HeatMap

    times = []
    for _ in range(3):
        found, began = HeatMap(trace, 0, whatif), time.perf_counter()
        found.read_on(60)
        times.append(1000 * (time.perf_counter() - began))
    return Row(
        name=f"heat map, {N_STEPS} steps × 49,152 read {name}", measured=f"{statistics.median(times):.0f} ms",
        spread=f"{min(times):.0f} to {max(times):.0f} ms, n = {len(times)}", bar="", met=None,
    )  # fmt: skip


def _drawn(trace) -> Row:
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, find_browser
    from tests.page.conftest import served, settle

    with tempfile.TemporaryDirectory() as folder, served(trace, Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(url)
        page.wait_for_selector(f'.dx-heat[data-drawn$=".{N_STEPS}"]')
        settle(page)
        times = page.evaluate(MEASURE, [N_TIMES, N_STEPS])
        browser.close()
    drawn, floor = sorted(times["drawn"]), statistics.median(times["floor"])
    median = statistics.median(drawn)
    times_floor = f"floor {floor:.0f} ms, {median / floor:.2f} × it"
    return Row(
        name=f"heat map of {N_STEPS} steps, click to painted", measured=f"{median:.0f} ms",
        spread=f"{drawn[0]:.0f} to {drawn[-1]:.0f} ms, n = {len(drawn)}; {times_floor}",
        bar=f"≤ {BAR} ms", met=median <= BAR,
    )  # fmt: skip
