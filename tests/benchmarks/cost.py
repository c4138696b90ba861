"""What recording costs: time over plain `generate()`, and bytes over the raw logits.

Plain `generate()` keeps nothing; with `output_scores` and `output_logits` it keeps what a recording holds at its two
ends, and that is the other thing to compare with.

Both kinds of run alternate in the order A B B A, so that a machine that slows down or speeds up meanwhile
slows both; each pair gives one ratio. The same is done with plain against plain, which should give 1: how far
it does not is how far the machine can be trusted at the moment. On a machine that is busy with other things the
second row tells more: processor time on one thread, which waiting for others does not count in.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from decoding import Recorder, Trace, load_model
from decoding.models.load import LanguageModel
from tests.benchmarks import Row

N_PAIRS = 9
N_TOKENS = 64
TIME_BAR, KEPT_BAR, SIZE_BAR = 1.03, 0.95, 1.3
PROMPT = "Once upon a time in a village by the sea there lived an old fisherman who"
LENGTH = {"max_new_tokens": N_TOKENS, "min_new_tokens": N_TOKENS}
SETTINGS: dict[str, dict[str, Any]] = {
    "sampling": {"do_sample": True, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "repetition_penalty": 1.2, **LENGTH},
    "greedy": {"do_sample": False, **LENGTH},
}
KEEP = {"output_scores": True, "output_logits": True, "return_dict_in_generate": True}


def run() -> list[Row]:
    """Time in float32; size in float32 and bfloat16."""
    lm = load_model(device="cpu", dtype="float32")
    rows = [row for way in SETTINGS for row in time_rows(lm, way)]
    plain = runs_of(lm, "sampling")[0]
    rows.append(time_row("plain over plain (noise of this machine)", plain, plain, n_pairs=5))
    return [*rows, size_row(lm), size_row(load_model(device="cpu", dtype="bfloat16"))]


def runs_of(lm: LanguageModel, way: str) -> tuple[Callable[[], Any], Callable[[], Any], Callable[[], Trace]]:
    """A run of `generate()` as it is, one that keeps scores and logits, and one recorded."""
    inputs, settings = dict(lm.tokenizer([PROMPT], return_tensors="pt")), SETTINGS[way]

    def plain(**beside: Any) -> Any:
        torch.manual_seed(0)
        return lm.model.generate(**inputs, **settings, **beside)

    def recorded() -> Trace:
        recorder = Recorder()
        plain(custom_generate=recorder)
        return recorder.trace

    return plain, partial(plain, **KEEP), recorded


def time_rows(lm: LanguageModel, way: str) -> list[Row]:
    """Recorded over plain, over plain that keeps scores and logits, and in processor time on one thread."""
    plain, keeping, recorded = runs_of(lm, way)
    what = f"{way}, {N_TOKENS} tokens, recorded over"
    rows = [
        time_row(f"{what} plain", plain, recorded, bar=TIME_BAR),
        time_row(f"{what} plain with scores and logits kept", keeping, recorded, bar=KEPT_BAR),
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows.append(time_row(f"{what} plain, processor time, 1 thread", plain, recorded, time.process_time, n_pairs=5))
    torch.set_num_threads(threads)
    return rows


def size_row(lm: LanguageModel) -> Row:
    """What the trace of a sampled run takes over its raw logits."""
    trace = runs_of(lm, "sampling")[2]()
    logits = sum(t.numel() * t.element_size() for t in (step.logits() for step in trace.steps))
    ratio = trace.nbytes / logits
    return Row(
        name=f"trace.nbytes over raw logits, {lm.dtype}",
        measured=f"{ratio:.3f} ×",
        spread=f"{trace.nbytes:,} of {logits:,} bytes",
        bar=f"≤ {SIZE_BAR} ×",
        met=ratio <= SIZE_BAR,
    )


def time_row(
    name: str,
    plain: Callable[[], Any],
    other: Callable[[], Any],
    clock: Callable[[], float] = time.perf_counter,
    *,
    bar: float | None = None,
    n_pairs: int = N_PAIRS,
) -> Row:
    """Median over pairs of other ÷ plain, with the quartiles; `bar` is the largest ratio that will do."""
    ratios = paired_ratios(plain, other, clock, n_pairs)
    low, median, high = statistics.quantiles(ratios, n=4)
    spread = f"IQR {low:.3f} to {high:.3f}, {min(ratios):.3f} to {max(ratios):.3f}, n = {len(ratios)}"
    return Row(
        name=name,
        measured=f"{median:.3f} ×",
        spread=spread,
        bar="" if bar is None else f"≤ {bar} ×",
        met=None if bar is None else median <= bar,
    )


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
