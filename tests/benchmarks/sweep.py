"""What a sweep gains: its rows against the same runs recorded one after another.

Of 64 prompts × 6 settings × 32 tokens one batch of each setting is timed, of two that are alike, and after each of them
two of the runs alone, so that a machine that slows down or speeds up meanwhile slows both. One is recorded and nothing
else, the other measured and kept, too, as the sweep keeps it: by a sweep with one row a batch.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from decoding import LanguageModel, Settings, load_model, record
from decoding.sweeps import Plan, grid
from decoding.sweeps.folder import Folder
from decoding.sweeps.sweep import record_batch
from tests.benchmarks import Row

N_TOKENS = 32
BAR = 4.0
PEOPLE = ("An old fisherman", "The queen of the bees", "My neighbour", "A tired robot", "The youngest of three sisters",
          "A lawyer from Lyon", "The last dragon", "A child with a torch")  # fmt: skip
DEEDS = ("opened the door and saw", "had never believed in", "wrote a long letter about", "was afraid of",
         "walked into the wood, where", "sold everything for", "said to the judge that", "dreamt of")  # fmt: skip


def plan_of(**more: Any) -> Plan:
    """64 prompts × 6 settings, 32 tokens each."""
    prompts = tuple(f"{who} {did}" for who in PEOPLE for did in DEEDS)
    return Plan(prompts=prompts, cells=grid_of(N_TOKENS), axes=("temperature", "top_p"), **more)


def grid_of(n_tokens: int) -> tuple[Settings, ...]:
    """Two temperatures × three top-p."""
    base = {"do_sample": True, "top_k": 0, "max_new_tokens": n_tokens, "min_new_tokens": n_tokens}
    return grid({"temperature": [0.7, 1.0], "top_p": [0.8, 0.95, 1.0]}, base)


def run() -> list[Row]:
    """Seconds a row: of the sweep, and of runs one after another."""
    lm, plan = load_model(), plan_of()
    alone = replace(plan, rows_per_batch=1)
    batches = plan.batches[:: len(plan.batches) // len(plan.cells)]  # the first of each setting
    every = len(alone.batches) // len(batches)
    swept, plain, kept = [], [], []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        record_batch(alone, alone.batches[0], lm, Folder(other))  # warm up
        for number, batch in enumerate(batches):
            swept.append(_seconds(record_batch, plan, batch, lm, Folder(folder)) / batch.n_rows)
            first = number * every
            plain.append(_seconds(_recorded, alone, alone.batches[first + 1], lm))
            kept.append(_seconds(record_batch, alone, alone.batches[first + 2], lm, Folder(other)))
        sizes = _sizes(sum(batch.n_rows for batch in batches), Path(folder))
    together = statistics.mean(swept)
    rows = [_row(name, each, together) for name, each in (("recorded", plain), ("recorded and kept", kept))]
    speed = f"{1 / together:.1f} rows, {N_TOKENS / together:.0f} tokens a second"
    name = f"a sweep of {plan.n_rows} rows × {N_TOKENS} tokens ({len(batches)} of {len(plan.batches)} batches)"
    return [*rows, Row(name=name, measured=speed, spread=sizes, bar="", met=None)]


def _sizes(n_rows: int, folder: Path) -> str:
    """Bytes a row of what is in a sweep's folder."""
    table = Path(Folder(folder).finish()).stat().st_size / n_rows
    parts, traces = (
        sum(path.stat().st_size for path in (folder / name).iterdir()) / n_rows for name in ("parts", "traces")
    )
    each = traces / N_TOKENS
    return f"bytes a row: table {table:.0f}, its parts {parts:.0f}, trace {traces:,.0f} ({each:,.0f} a token)"


def _recorded(plan: Plan, batch: Any, lm: LanguageModel) -> None:
    record(lm, plan.prompts[batch.prompts[0]], plan.settings_of(batch))


def _row(name: str, each: list[float], together: float) -> Row:
    alone = statistics.mean(each)
    gain = alone / together
    return Row(
        name=f"throughput of a sweep over runs {name} one after another",
        measured=f"{gain:.2f} ×",
        spread=f"{alone:.3f} s a run alone (sd {statistics.stdev(each):.3f}, n = {len(each)}), {together:.3f} swept",
        bar=f"≥ {BAR:g} ×",
        met=gain >= BAR,
    )


def _seconds(call: Any, *arguments: Any) -> float:
    began = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - began
