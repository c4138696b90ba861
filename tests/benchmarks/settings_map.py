"""What the map of settings costs: 20 temperatures × 20 top_ps, at one step of 49,152 tokens and at 64.

The ratio is to transformers' own processors, run for one temperature and one top_p at a time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from transformers.generation import TemperatureLogitsWarper, TopPLogitsWarper

from tests.benchmarks import Row

N_STEPS, VOCAB = 64, 49_152
STEP_BAR, RUN_BAR = 300, 10_000  # milliseconds


def run() -> list[Row]:
    """One step and a run of logits as a model gives them, and one of logits so flat that nearly all tokens stay."""
    from app.views.settings_map import TEMPERATURES, TOP_PS, MapReading
    from decoding.reading.settings_map import settings_map
    from tests.hand_made import trace_of_logits

    generator = torch.Generator().manual_seed(0)
    peaked = torch.randn(N_STEPS, 1, VOCAB, generator=generator) * 4
    chosen = torch.multinomial(torch.softmax(peaked[:, 0], -1), 1, generator=generator)
    trace, rows = trace_of_logits(peaked, chosen.tolist(), max_length=N_STEPS + 1), []
    acting = trace.whatif(_sampling())
    for name, scores in (("", peaked[0, 0]), (", flat", peaked[0, 0] / 8)):
        step = _milliseconds(lambda scores=scores: settings_map(scores, int(chosen[0]), TEMPERATURES, TOP_PS), 7)
        by_cell = _milliseconds(lambda scores=scores: _one_cell(scores), 7)
        share = f"one cell by transformers' processors {statistics.median(by_cell):.1f} ms"
        rows.append(_row(f"map of settings, one step of {VOCAB:,}{name}", step, STEP_BAR, share))
    whole = _milliseconds(lambda: MapReading(trace, 0, acting, None).read_on(600), 3)
    return [*rows, _row(f"map of settings, {N_STEPS} steps of {VOCAB:,}", whole, RUN_BAR, "")]


def _sampling():
    from decoding import Settings

    return Settings(do_sample=True, top_k=0, temperature=0.8, top_p=0.9)


def _one_cell(scores) -> None:
    ids = torch.zeros(1, 1, dtype=torch.long)
    TopPLogitsWarper(0.9)(ids, TemperatureLogitsWarper(0.8)(ids, scores[None]))


def _milliseconds(work: Callable[[], object], n: int) -> list[float]:
    work()
    times = []
    for _ in range(n):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return sorted(times)


def _row(name: str, times: list[float], bar: int, more: str) -> Row:
    median = statistics.median(times)
    spread = f"{times[0]:.0f} to {times[-1]:.0f} ms, n = {len(times)}"
    return Row(
        name=name, measured=f"{median:.0f} ms", spread=f"{spread}; {more}" if more else spread, bar=f"≤ {bar:,} ms",
        met=median <= bar,
    )  # fmt: skip
