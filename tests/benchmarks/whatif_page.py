"""How a slider feels: from its movement until the step is repainted, and until transformers' processors confirm it.

The real page in Chromium, at the offline model's vocabulary and at 151,936 tokens, as served and with 100 ms added
to every request. "Painted" is the first animation frame after the chart was drawn for the slider's new value;
"confirmed" is counted from the last of several quick movements.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import torch
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from tests.benchmarks import Row

N_MOVES, N_CONFIRMED = 40, 9
MEDIAN_BAR, P95_BAR, CONFIRMED_BAR = 50, 80, 250  # milliseconds
P95_RATIO = 2
DELAY = 100  # milliseconds added to every request

MOVES = """async ([name, values]) => {
  const row = [...document.querySelectorAll(".dx-knob")].find((row) => row.knob.name === name);
  const range = row.querySelector("input[type=range]");
  const plot = document.querySelector(".dx-whatif [data-part=plot]");
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  for (const value of values) {
    const began = performance.now();
    range.value = value;
    range.dispatchEvent(new Event("input", { bubbles: true }));
    while (!(plot.dataset.drawn || "").includes(`"${name}":${Number(range.value)}`)) {
      if (performance.now() - began > 10_000) throw new Error(`${name} ${value} was never drawn`);
      await frame();
    }
    await frame();
    times.push(performance.now() - began);
    await new Promise((done) => setTimeout(done, 40));
  }
  return times;
}"""

CONFIRMED = """async ([name, values]) => {
  const row = [...document.querySelectorAll(".dx-knob")].find((row) => row.knob.name === name);
  const range = row.querySelector("input[type=range]");
  const panel = document.querySelector(".dx-whatif");
  const frame = () => new Promise(requestAnimationFrame);
  for (const value of values) {
    range.value = value;
    range.dispatchEvent(new Event("input", { bubbles: true }));
    await frame();
  }
  const began = performance.now();
  while (panel.dataset.state !== "confirmed") {
    if (performance.now() - began > 10_000) throw new Error("never confirmed");
    await frame();
  }
  return performance.now() - began;
}"""


def run() -> list[Row]:
    """Repaint and confirmation, for two vocabularies, near and far."""
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, find_browser
    from tests.page.conftest import served

    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=list(ARGUMENTS))
        for n_vocab, trace in ((49_152, offline_trace()), (151_936, wide_trace())):
            with tempfile.TemporaryDirectory() as folder, served(trace, Path(folder)) as url:
                for delay in (0, DELAY):
                    rows += measured(browser, url, n_vocab, delay)
        browser.close()
    return rows


def measured(browser, url: str, n_vocab: int, delay: int) -> list[Row]:
    """One page's figures."""
    from tests.page.conftest import settle

    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.wait_for_selector(".dx-token")
    settle(page)
    if delay:
        network = page.context.new_cdp_session(page)
        network.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": delay, "downloadThroughput": -1, "uploadThroughput": -1},
        )
    page.focus("#dx-knob-temperature")
    page.wait_for_timeout(1500)
    temperatures = [round(0.51 + 0.04 * ((7 * i) % 40), 2) for i in range(N_MOVES + 2)]
    times = sorted(page.evaluate(MOVES, ["temperature", temperatures])[2:])
    waits = sorted(
        page.evaluate(CONFIRMED, ["top_p", [0.5 + 0.01 * (3 * i + k) for k in range(4)]]) for i in range(N_CONFIRMED)
    )
    page.close()
    where = f"{n_vocab:,} tokens" + (f", {delay} ms added to requests" if delay else "")
    median, p95 = statistics.median(times), times[int(0.95 * len(times))]
    confirmed = statistics.median(waits)
    return [
        Row(
            name=f"slider to repainted, {where}",
            measured=f"{median:.0f} ms, p95 {p95:.0f} ms, {p95 / median:.2f} × the median",
            spread=f"{times[0]:.0f} to {times[-1]:.0f} ms, n = {len(times)}",
            bar=f"≤ {MEDIAN_BAR} ms, p95 ≤ {P95_BAR} ms and ≤ {P95_RATIO} × the median",
            met=median <= MEDIAN_BAR and p95 <= min(P95_BAR, P95_RATIO * median),
        ),
        Row(
            name=f"last movement to confirmed, {where}",
            measured=f"{confirmed:.0f} ms",
            spread=f"{waits[0]:.0f} to {waits[-1]:.0f} ms, n = {len(waits)}",
            bar="" if delay else f"≤ {CONFIRMED_BAR} ms",
            met=None if delay else confirmed <= CONFIRMED_BAR,
        ),
    ]


def offline_trace():
    """A run of the offline model."""
    from decoding import Settings, load_model, record

    sampled = Settings(do_sample=True, temperature=0.8, top_k=50, top_p=0.9, seed=0, max_new_tokens=40)
    return record(load_model(device="cpu"), "Once upon a time in a village by the sea", sampled)


def wide_trace():
    """Forty steps with as many tokens as Qwen has, sampled with the same settings."""
    from dataclasses import replace

    from decoding import Settings
    from tests.hand_made import hand_made_trace

    n_vocab = 151_936
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(n_vocab, generator=generator).mul(2.5).tolist() for _ in range(40)]
    chosen = [int(torch.tensor(row).argmax()) for row in logits]
    warpers = [TemperatureLogitsWarper(0.8), TopKLogitsWarper(50), TopPLogitsWarper(0.9)]
    trace = hand_made_trace(logits, chosen, warpers, [f" token{i}" for i in range(n_vocab)])
    sampled = Settings(do_sample=True, temperature=0.8, top_k=50, top_p=0.9)
    model = replace(trace.model, vocab_size=n_vocab)
    return replace(trace, settings=sampled, generation_config=sampled.given(), model=model)
