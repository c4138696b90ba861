"""Where the time of a recording goes, and what it cannot fall below.

Parts are timed where they happen, in real runs: a difference of two runs of a second each would drown half a
millisecond a step. Two floors stand below them:

- bytes: the logits go into the trace; a processor may write into what it is given, so each stage's input is copied,
  and input and output are read to tell what the stage did. So many bytes at the speed at which this machine copies.
- Python and dispatch: the same calls where there are hardly any bytes, over 64 tokens.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers.generation import LogitsProcessorList

import decoding.recorder
from decoding import Recorder
from decoding.recorded.step_store import MemoryStore
from decoding.strategies import beam, contrastive, diverse_beam, recording, sampling
from decoding.strategies.recording import Recording

__all__ = ["bytes_to_move", "copied_bytes_per_second", "dropped", "limit_text", "milliseconds_a_step", "timed_parts"]

STRATEGIES = (sampling, beam, diverse_beam, contrastive)
FLOAT = 4  # bytes
COPIED = 256 * 2**20  # bytes that the copying is measured with; no cache holds them

Seconds = dict[str, float]


class Dropping(Recording):
    """A recording that keeps nothing: what a loop of ours takes by itself."""

    def observe(self, raw: Tensor, outputs: list[Tensor], left: tuple[bool, ...] = ()) -> None:
        """Looks at nothing."""

    def check_drawable(self, probs: Tensor) -> None:
        """Refuses nothing."""

    def choose(self, *args: Any, **kwargs: Any) -> Any:
        """Makes no step."""

    def choose_beams(self, *args: Any, **kwargs: Any) -> Any:
        """Makes no step."""


def dropped(model: Any, settings: Mapping[str, Any]) -> Any:
    """What `generate()` returns from our loop while nothing is recorded."""
    with replaced(decoding.recorder, "Recording", Dropping):
        return model.generate(**settings, custom_generate=Recorder())


@contextmanager
def replaced(owner: Any, name: str, new: Any) -> Iterator[None]:
    """While it lasts, `owner.name` is another."""
    before = getattr(owner, name)
    setattr(owner, name, new)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def timed_parts() -> Iterator[Seconds]:
    """While it lasts, seconds in each part of a recording are added up; `encoding` and `storing` lie in `choosing`."""
    seconds: Seconds = defaultdict(float)
    places = (
        *(("stages", strategy, "run_processors") for strategy in STRATEGIES),
        ("processors", LogitsProcessorList, "__call__"),
        ("observing", Recording, "observe"),
        ("observing", Recording, "check_drawable"),
        ("choosing", Recording, "choose"),
        ("choosing", Recording, "choose_beams"),
        ("encoding", recording, "encode_stages"),
        ("storing", MemoryStore, "append"),
    )
    with ExitStack() as stack:
        for part, owner, name in places:
            stack.enter_context(replaced(owner, name, _timed(getattr(owner, name), seconds, part)))
        yield seconds


def _timed(function: Callable[..., Any], seconds: Seconds, part: str) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[part] += time.perf_counter() - began

    return timed


def milliseconds_a_step(seconds: Seconds, n_steps: int) -> dict[str, float]:
    """The parts of the work, none inside another: copying, encoding, storing, and what is left of the bookkeeping."""
    parts = {
        "copying": seconds["stages"] - seconds["processors"] + seconds["observing"],
        "encoding": seconds["encoding"],
        "storing": seconds["storing"],
        "bookkeeping": seconds["choosing"] - seconds["encoding"] - seconds["storing"],
    }
    return {name: 1000 * value / n_steps for name, value in parts.items()}


def bytes_to_move(n_rows: int, vocab_size: int, n_stages: int) -> int:
    """Read and written per step, at least: logits to the trace; per stage, its input copied, input and output read."""
    return FLOAT * n_rows * vocab_size * (2 + 4 * n_stages)


def copied_bytes_per_second(n_values: int) -> float:
    """Bytes read and written when `n_values` float32 at a time are copied to memory that no cache holds."""
    n = max(1, COPIED // (2 * FLOAT * n_values))
    sources, targets = torch.ones(n, n_values), torch.zeros(n, n_values)
    rates = []
    for _ in range(3):
        began = time.perf_counter()
        for source, target in zip(sources, targets, strict=True):
            target.copy_(source)
        rates.append(2 * FLOAT * n * n_values / (time.perf_counter() - began))
    return statistics.median(rates)


def limit_text(parts: Mapping[str, float], bytes_floor: float, calls_floor: float) -> str:
    """What holds the recording back, how far it is from there, and where most of the time goes; all ms a step."""
    work, floor = sum(parts.values()), bytes_floor + calls_floor
    floors = f"bytes {bytes_floor:.2f} + Python and dispatch {calls_floor:.2f} ms"
    most = max(parts, key=lambda name: parts[name])
    return f"{work:.2f} ms a step = {work / floor:.1f} × ({floors}); most is {most}, {parts[most]:.2f} ms"
