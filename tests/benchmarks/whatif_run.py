"""What a slider costs: other settings over a whole run, 200 steps of 49,152 tokens.

Each time a fresh what-if of a recorded run, until everything about the chosen tokens is known: probability, rank,
survival, and where the run would have gone another way. The run is one of the offline model; a second one, made by
hand, has logits so flat that tens of thousands of tokens stay.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import torch

from tests.benchmarks import Row

if TYPE_CHECKING:
    from decoding import Settings, Trace

N_STEPS, N_TIMES, VOCAB = 200, 11, 49_152
BAR = 150  # milliseconds
PROMPT = "Once upon a time in a village by the sea there lived an old fisherman who"
TEMPERATURE_TOP_P = {"temperature": 0.8, "top_k": 0, "top_p": 0.9}
SETTINGS = {
    "temperature, top_p": TEMPERATURE_TOP_P,
    "temperature, top_k, top_p, min_p": {"temperature": 0.8, "top_k": 50, "top_p": 0.9, "min_p": 0.05},
    "the same, repetition_penalty": {
        "temperature": 0.8, "top_k": 50, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.2,
    },
}  # fmt: skip


def run() -> list[Row]:
    """A row for each settings on the model's run, and one on the flat run."""
    from decoding import Settings

    real = model_run()
    rows = [timed(name, real, Settings(do_sample=True, **given)) for name, given in SETTINGS.items()]
    return [*rows, timed("flat logits, temperature, top_p", flat_run(), Settings(do_sample=True, **TEMPERATURE_TOP_P))]


def timed(name: str, trace: Trace, settings: Settings) -> Row:
    """The median, after one run that warms up."""
    milliseconds(trace, settings)
    times = sorted(milliseconds(trace, settings) for _ in range(N_TIMES))
    median = statistics.median(times)
    return Row(
        name=f"what if, {N_STEPS} steps × {VOCAB:,}: {name}",
        measured=f"{median:.0f} ms",
        spread=f"{times[0]:.0f} to {times[-1]:.0f} ms, n = {len(times)}",
        bar=f"≤ {BAR} ms",
        met=median <= BAR,
    )


def milliseconds(trace: Trace, settings: Settings) -> float:
    """From nothing to everything that a what-if says of the tokens chosen."""
    began = time.perf_counter()
    whatif = trace.whatif(settings)
    whatif.chosen_probability, whatif.chosen_rank, whatif.chosen_survives, whatif.diverges_at  # noqa: B018
    return 1000 * (time.perf_counter() - began)


def model_run() -> Trace:
    """The offline model's, sampled from everything it allows."""
    from decoding import Settings, load_model, record

    given = Settings(do_sample=True, top_k=0, seed=0, max_new_tokens=N_STEPS, min_new_tokens=N_STEPS)
    return record(load_model(device="cpu"), PROMPT, given)


def flat_run() -> Trace:
    """Logits as if drawn from a bell curve, and tokens drawn from them."""
    from tests.hand_made import trace_of_logits

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(N_STEPS, 1, VOCAB, generator=generator)
    chosen = torch.multinomial(torch.softmax(logits[:, 0], -1), 1, generator=generator)
    return trace_of_logits(logits, chosen.tolist(), max_length=N_STEPS + 1)
