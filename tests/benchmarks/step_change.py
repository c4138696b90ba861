"""How a step change feels: from the click on a token until both charts of its step are painted.

The real page in Chromium with a run of the offline model, recorded on it. "Painted" is the first animation
frame after both charts were drawn.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from tests.benchmarks import Row

N_CHANGES = 21
BAR = 120  # milliseconds
SETTINGS = {"temperature": 0.8, "top_k": 50, "top_p": 0.9, "repetition_penalty": 1.1, "seed": 0, "max_new_tokens": 32}
PROMPT = "Once upon a time in a village by the sea there lived an old fisherman who"

MEASURE = """async (n) => {
  const drawn = (chart) => document.querySelector(`#dx-${chart} [data-part=plot]`).dataset.drawn || "";
  const buttons = [...document.querySelectorAll(".dx-token")];
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  for (let i = 0; i < n; i++) {
    const step = (7 * i + 3) % buttons.length;
    const began = performance.now();
    buttons[step].click();
    while (drawn("waterfall") !== `0.${step}` || !drawn("cutoff").startsWith(`0.${step}.`)) await frame();
    await frame();
    times.push(performance.now() - began);
    await new Promise((done) => setTimeout(done, 150));
  }
  return times;
}"""


def run() -> list[Row]:
    """Median of the step changes after the first, which warms up."""
    from playwright.sync_api import sync_playwright

    from decoding import Settings, load_model, record
    from tests.browser import ARGUMENTS, find_browser
    from tests.page.conftest import served, settle

    trace = record(load_model(device="cpu"), PROMPT, Settings(do_sample=True, **SETTINGS))
    with tempfile.TemporaryDirectory() as folder, served(trace, Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(url)
        page.wait_for_selector(".dx-token")
        settle(page)
        times = sorted(page.evaluate(MEASURE, N_CHANGES)[1:])
        browser.close()
    median = statistics.median(times)
    return [
        Row(
            name="step change on the page, click to painted",
            measured=f"{median:.0f} ms",
            spread=f"{times[0]:.0f} to {times[-1]:.0f} ms, n = {len(times)}",
            bar=f"≤ {BAR} ms",
            met=median <= BAR,
        )
    ]
