"""What recording costs: time over plain `generate()`, and bytes over the raw logits.

Both kinds of run alternate in the order A B B A, so that a machine that slows down or speeds up meanwhile
slows both; each pair gives one ratio. The same is done with plain against plain, which should give 1: how far
it does not is how far the machine can be trusted at the moment. On a machine that is busy with other things the
second row tells more: processor time on one thread, which waiting for others does not count in.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from decoding import Recorder, load_model
from tests.benchmarks import Row

N_PAIRS = 9
N_TOKENS = 64
TIME_BAR, SIZE_BAR = 1.08, 1.3
PROMPT = "Once upon a time in a village by the sea there lived an old fisherman who"
SETTINGS: dict[str, Any] = {
    "do_sample": True,
    "temperature": 0.8,
    "top_k": 50,
    "top_p": 0.9,
    "repetition_penalty": 1.2,
    "max_new_tokens": N_TOKENS,
    "min_new_tokens": N_TOKENS,
}


def run() -> list[Row]:
    """Time and size in float32, size in bfloat16."""
    rows = []
    for dtype in ("float32", "bfloat16"):
        lm = load_model(device="cpu", dtype=dtype)
        inputs = dict(lm.tokenizer([PROMPT], return_tensors="pt"))

        def plain(lm=lm, inputs=inputs) -> Any:
            torch.manual_seed(0)
            return lm.model.generate(**inputs, **SETTINGS)

        def recorded(lm=lm, inputs=inputs) -> Any:
            torch.manual_seed(0)
            recorder = Recorder()
            lm.model.generate(**inputs, **SETTINGS, custom_generate=recorder)
            return recorder.trace

        trace = recorded()
        if dtype == "float32":
            name = f"generate() recorded over plain, {N_TOKENS} tokens"
            rows.append(time_row(name, plain, recorded, bar=f"≤ {TIME_BAR} ×"))
            rows.append(time_row("plain over plain (noise of this machine)", plain, plain, n_pairs=5))
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            rows.append(time_row("recorded over plain, processor time, 1 thread", plain, recorded, time.process_time))
            torch.set_num_threads(threads)
        logits = sum(t.numel() * t.element_size() for t in (step.logits() for step in trace.steps))
        ratio = trace.nbytes / logits
        rows.append(
            Row(
                name=f"trace.nbytes over raw logits, {dtype}",
                measured=f"{ratio:.3f} ×",
                spread=f"{trace.nbytes:,} of {logits:,} bytes",
                bar=f"≤ {SIZE_BAR} ×",
                met=ratio <= SIZE_BAR,
            )
        )
    return rows


def time_row(
    name: str,
    plain: Callable[[], Any],
    other: Callable[[], Any],
    clock: Callable[[], float] = time.perf_counter,
    *,
    bar: str = "",
    n_pairs: int = N_PAIRS,
) -> Row:
    """Median over pairs of other ÷ plain, with the quartiles."""
    ratios = paired_ratios(plain, other, clock, n_pairs)
    low, median, high = statistics.quantiles(ratios, n=4)
    spread = f"IQR {low:.3f} to {high:.3f}, {min(ratios):.3f} to {max(ratios):.3f}, n = {len(ratios)}"
    return Row(name=name, measured=f"{median:.3f} ×", spread=spread, bar=bar, met=median <= TIME_BAR if bar else None)


def paired_ratios(
    plain: Callable[[], Any],
    other: Callable[[], Any],
    clock: Callable[[], float] = time.perf_counter,
    n_pairs: int = N_PAIRS,
) -> list[float]:
    """One ratio of times per pair; every second pair runs the other way round."""
    plain(), other()  # warm up
    ratios = []
    for pair in range(n_pairs):
        if pair % 2:
            b, a = seconds(other, clock), seconds(plain, clock)
        else:
            a, b = seconds(plain, clock), seconds(other, clock)
        ratios.append(b / a)
    return ratios


def seconds(call: Callable[[], Any], clock: Callable[[], float]) -> float:
    """How long a call takes by this clock."""
    began = clock()
    call()
    return clock() - began
