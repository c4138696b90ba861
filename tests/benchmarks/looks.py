"""How long the page's Python takes for one look at what was recorded; the tests count the work, here are the seconds.

Processor time, not the clock on the wall: other work on the machine does not count.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.benchmarks import Row

VOCAB = 49_152
N_TIMES = 7


def run() -> list[Row]:
    """Milliseconds, each the median of several times after the first."""
    from app.gallery.items import GALLERY, gallery_trace
    from decoding import Settings, load_model, record
    from decoding.reading.beam_tree import tree
    from decoding.reading.run_statistics import run_statistics
    from decoding.tokens.token_table import TokenTable
    from tests.tiny_models import tiny_lm

    trace, beams = _run_of(4), record(tiny_lm(), "the cat", Settings(num_beams=50, max_new_tokens=100))
    tokenizer = load_model(device="cpu").tokenizer
    return [
        _row("a step of 49,152 tokens told in words", partial(_words, trace), 40),
        _row("two runs of 49,152 tokens compared, after the first time", _compared(), 40),
        _row("statistics of 40 steps of 49,152 tokens", partial(run_statistics, _run_of(40)), 300),
        _row("the table of 49,152 tokens", partial(TokenTable.from_tokenizer, tokenizer, VOCAB), 500),
        _row("the tree of 10,000 nodes", partial(tree, beams), 2000),
        _row("all recorded examples opened", lambda: [gallery_trace(item.id).scores(step=0) for item in GALLERY], 1500),
    ]


def _run_of(n_steps: int, first: int = 0) -> Any:
    import torch
    from transformers.generation import RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper

    from tests.hand_made import hand_made_trace

    rules = [RepetitionPenaltyLogitsProcessor(1.1), TemperatureLogitsWarper(0.9), TopKLogitsWarper(50)]
    row = (torch.randn(VOCAB, generator=torch.Generator().manual_seed(0)) * 3).tolist()
    return hand_made_trace([row] * n_steps, list(range(first, first + n_steps)), rules, ["x"] * VOCAB)


def _words(trace: Any) -> None:
    from app.lab import in_words
    from app.runs import Runs
    from app.text import Text
    from app.views.look import Look

    look = Look(trace=trace, row=0, step=3, token_id=None, runs=Runs(trace, "one"), text=Text("en"))
    in_words.sheet(look, {})


def _compared() -> Callable[[], Any]:
    from app.lab import compare
    from app.runs import Runs
    from app.text import Text
    from app.views.look import Look

    runs = Runs(_run_of(20), "one")
    runs.add(_run_of(20, first=1), "one")
    look = Look(trace=runs.active.trace, row=0, step=0, token_id=None, runs=runs, text=Text("en"))
    return partial(compare.sheet, look, {})


def _row(name: str, work: Callable[[], Any], bar: float) -> Row:
    work()
    times = []
    for _ in range(N_TIMES):
        began = time.process_time()
        work()
        times.append((time.process_time() - began) * 1000)
    median = statistics.median(times)
    return Row(
        name=name, measured=f"{median:.0f} ms", spread=f"{min(times):.0f} to {max(times):.0f} ms, n = {N_TIMES}",
        bar=f"≤ {bar:g} ms", met=median <= bar,
    )  # fmt: skip
