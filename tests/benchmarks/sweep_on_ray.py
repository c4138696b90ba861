"""What a second worker gains: a sweep on a Ray cluster of this machine, one thread a worker.

Both with Ray's start and the loading of the model, and without: from when each worker has kept its first batch on.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from decoding.sweeps import Plan
from decoding.sweeps.on_ray import sweep_on_ray
from tests.benchmarks import Row
from tests.benchmarks.sweep import DEEDS, PEOPLE, grid_of

BAR = 1.6
N_TOKENS, N_PROMPTS, ROWS_PER_BATCH = 16, 12, 4


def run() -> list[Row]:
    """Two workers over one: steady, and all in all."""
    import ray

    prompts = tuple(f"{who} {did}" for who in PEOPLE for did in DEEDS)[:N_PROMPTS]
    plan = Plan(prompts=prompts, cells=grid_of(N_TOKENS), rows_per_batch=ROWS_PER_BATCH, threads=1)
    found = {}
    for workers in (1, 2):
        found[workers] = _rates(plan, workers)
        ray.shutdown()
    (steady_1, all_1), (steady_2, all_2) = found[1], found[2]
    gain = steady_2 / steady_1
    return [
        Row(
            name="two Ray workers over one, rows a second once both have begun",
            measured=f"{gain:.2f} ×",
            spread=f"{steady_1:.2f} and {steady_2:.2f} rows/s, {plan.n_rows} rows × {N_TOKENS} tokens, 1 thread each",
            bar=f"≥ {BAR:g} ×",
            met=gain >= BAR,
        ),
        Row(
            name="the same with Ray's start and the model's loading",
            measured=f"{all_2 / all_1:.2f} ×",
            spread=f"{plan.n_rows / all_1:.1f} s and {plan.n_rows / all_2:.1f} s",
            bar="",
            met=None,
        ),
    ]


def _rates(plan: Plan, workers: int) -> tuple[float, float]:
    """Rows a second: from when each worker had kept a batch, and in all."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        sweep_on_ray(plan, folder, workers=workers)
        seconds = time.perf_counter() - began
        kept = sorted((path.stat().st_mtime_ns, int(path.stem)) for path in Path(folder, "parts").iterdir())
    later = kept[workers:]
    n_rows = sum(plan.batches[index].n_rows for _, index in later)
    return n_rows / ((later[-1][0] - kept[workers - 1][0]) / 1e9), plan.n_rows / seconds
