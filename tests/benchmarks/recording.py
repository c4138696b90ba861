"""What recording costs in every mode, with a short and a long prompt, over 49,152 tokens.

Three kinds of run take turns, and every second round goes the other way round: plain `generate()`; `generate()` that
keeps its scores and logits; our loop recorded. Each round gives one ratio of each pair. transformers 5 has neither
diverse nor contrastive search: there our own loop, with a recording that drops everything, stands in for plain. There
are as many rounds as fit the time of a cell, and at least two: the spread says how many.

Memory is the kernel's mark of one run of each kind, over what the process held before (`peak_memory`). What the
recording itself takes is timed inside the recorded runs (`recording_parts`).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch

from decoding import Recorder, Trace, load_model
from tests.benchmarks import Row
from tests.benchmarks.peak_memory import peak_bytes
from tests.benchmarks.recording_parts import (
    FLOAT,
    bytes_to_move,
    copied_bytes_per_second,
    dropped,
    limit_text,
    milliseconds_a_step,
    timed_parts,
)

__all__ = ["matrix"]

N_TOKENS = 12
MIN_ROUNDS, MAX_ROUNDS, SECONDS = 2, 4, 6.0  # of a cell, after one run of each kind for its memory
PROMPTS = {"short": 16, "long": 400}  # tokens
SIZE_BAR = 1.3
MB = 10**6
TEXT = "The lighthouse keeper wrote in his book every evening: the wind, the ships, the colour of the sea. "
KEPT = {"output_scores": True, "output_logits": True, "return_dict_in_generate": True}
SAMPLING = {"do_sample": True, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "repetition_penalty": 1.2}
MODES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sampling": SAMPLING,
    "beam 4": {"num_beams": 4},
    "beam 8": {"num_beams": 8},
    "diverse": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    "contrastive": {"penalty_alpha": 0.6, "top_k": 4},
}
OURS_ALONE = ("diverse", "contrastive")
SAID = {"plain": "plain", "kept": "scores and logits kept", "dropped": "our loop dropping everything"}
FEW = 64  # tokens of the vocabulary that has hardly any bytes


def run(quick: bool = False) -> Iterator[Row]:
    """Two rows for each mode and prompt."""
    return matrix(load_model(device="cpu", dtype="float32"), quick=quick)


def matrix(lm: Any, left_out: Sequence[str] = (), *, quick: bool = False) -> Iterator[Row]:
    """The rows of one model; with `quick`, of short prompts, the fewest rounds, and a few tokens each.

    Args:
        left_out: modes that are not run with the long prompt.
    """
    seconds, n_tokens = (0.0, 3) if quick else (SECONDS, N_TOKENS)
    ids = lm.tokenizer([TEXT * 30], return_tensors="pt")["input_ids"]
    lengths = {"max_new_tokens": n_tokens, "min_new_tokens": n_tokens}
    warm_up(lm.model, ids)
    for prompt, n_prompt in PROMPTS.items():
        for mode, settings in MODES.items():
            if prompt == "long" and (quick or mode in left_out):
                continue
            asked = {**inputs_of(ids[:, :n_prompt]), **settings, **lengths}
            cell = Cell(mode=mode, model=lm.model, settings=asked)
            yield from rows_of(f"{mode}, {prompt} prompt", measured(cell, seconds), calls_floor(mode, lengths))


def warm_up(model: Any, ids: torch.Tensor) -> None:
    """Has the weights read and the libraries loaded, which the first run's memory would count."""
    settings = {**inputs_of(ids[:, :4]), "max_new_tokens": 2}
    model.generate(**settings)
    Cell(mode="sampling", model=model, settings={**settings, **SAMPLING}).recorded()


def calls_floor(mode: str, lengths: dict[str, int]) -> float:
    """Milliseconds a step that a recording takes over hardly any bytes, `FEW` tokens."""
    from tests.tiny_models import tiny_model

    ids = torch.arange(PROMPTS["short"])[None] + 3
    cell = Cell(
        mode=mode, model=tiny_model("llama", vocab_size=FEW), settings={**inputs_of(ids), **MODES[mode], **lengths}
    )
    return sum(measured(cell, 0.3).typical_parts().values())


def inputs_of(ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """What `generate()` takes of a prompt, ids [1, length]."""
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A mode, a model and what its `generate()` is given."""

    mode: str
    model: Any
    settings: dict[str, Any]

    def kinds(self) -> dict[str, Callable[[], Any]]:
        """The kinds of run, by name."""
        if self.mode in OURS_ALONE:
            return {"dropped": lambda: dropped(self.model, self.settings), "recorded": self.recorded}
        return {
            "plain": lambda: self.model.generate(**self.settings),
            "kept": lambda: self.model.generate(**self.settings, **KEPT),
            "recorded": self.recorded,
        }

    def recorded(self) -> Trace:
        """The trace of a recorded run."""
        recorder = Recorder()
        self.model.generate(**self.settings, custom_generate=recorder)
        return recorder.trace


@dataclass(slots=True)
class Measured:
    """Of one cell.

    Attributes:
        seconds: of each kind of run, one a round.
        peaks: of each kind, the bytes it took at most, or None.
        parts: of each recorded run, milliseconds a step by part.
        trace: of the first recorded run.
    """

    seconds: dict[str, list[float]]
    peaks: dict[str, int | None]
    parts: list[dict[str, float]] = field(default_factory=list)
    trace: Trace | None = None

    def ratios(self, kind: str, to: str) -> list[float]:
        """One a round."""
        return [a / b for a, b in zip(self.seconds[kind], self.seconds[to], strict=True)]

    def typical_parts(self) -> dict[str, float]:
        """The medians, in milliseconds a step."""
        return {name: statistics.median(parts[name] for parts in self.parts) for name in self.parts[0]}


def measured(cell: Cell, seconds: float) -> Measured:
    """Each kind once for its memory, which warms up as well, and then in rounds for its time."""
    kinds = cell.kinds()
    got = Measured(seconds={kind: [] for kind in kinds}, peaks={})
    for kind, call in kinds.items():
        torch.manual_seed(0)
        result, got.peaks[kind] = peak_bytes(call)
        if kind == "recorded":
            got.trace = result
        del result
    began, n_rounds = time.perf_counter(), 0
    while n_rounds < MIN_ROUNDS or (n_rounds < MAX_ROUNDS and time.perf_counter() - began < seconds):
        for kind in reversed(kinds) if n_rounds % 2 else kinds:
            got.seconds[kind].append(timed(kinds[kind], got if kind == "recorded" else None))
        n_rounds += 1
    return got


def timed(call: Callable[[], Any], recorded: Measured | None) -> float:
    """Seconds of a run; of a recorded one the parts as well."""
    torch.manual_seed(0)
    began = time.perf_counter()
    if recorded is None:
        call()
    else:
        with timed_parts() as parts:
            trace = call()
        recorded.parts.append(milliseconds_a_step(parts, len(trace.steps)))
    return time.perf_counter() - began


def rows_of(name: str, got: Measured, of_calls: float) -> Iterator[Row]:
    """What it costs in time, and in bytes.

    Args:
        of_calls: the floor of Python and dispatch, milliseconds a step.
    """
    trace = cast(Trace, got.trace)
    vocab, n_rows = trace.model.vocab_size, trace.n_rows
    name = f"{name}, {vocab:,} tokens"
    parts = got.typical_parts()
    moved = bytes_to_move(n_rows, vocab, len(trace.stages))
    of_bytes = 1000 * moved / copied_bytes_per_second(n_rows * vocab)
    compared = {kind: got.ratios("recorded", kind) for kind in SAID if kind in got.seconds}
    numbers = {f"{kind}_ratio_{n}": r for kind, ratios in compared.items() for n, r in quartiles(ratios).items()}
    yield Row(
        name=f"{name}: recorded",
        measured=", ".join(f"{statistics.median(ratios):.3f} × {SAID[kind]}" for kind, ratios in compared.items()),
        spread=f"IQR {', '.join(span(ratios) for ratios in compared.values())}, n = {len(got.parts)}",
        limit=limit_text(parts, of_bytes, of_calls),
        bar="",
        met=None,
        numbers={
            **numbers, **{f"{part}_ms_a_step": ms for part, ms in parts.items()},
            "bytes_floor_ms_a_step": of_bytes, "calls_floor_ms_a_step": of_calls, "bytes_to_move_a_step": moved,
        },
    )  # fmt: skip
    yield amounts_row(name, got, len(trace.steps) * n_rows * vocab * FLOAT)


def amounts_row(name: str, got: Measured, logits: int) -> Row:
    """Tokens per second, memory and bytes."""
    trace = cast(Trace, got.trace)
    rate = len(trace.steps) / statistics.median(got.seconds["recorded"])
    ratio = trace.nbytes / logits
    peaks = ", ".join(f"{SAID.get(kind, kind)} {megabytes(peak)}" for kind, peak in got.peaks.items())
    return Row(
        name=f"{name}: trace",
        measured=f"{rate:.1f} tokens/s, {trace.nbytes / MB:.2f} MB = {ratio:.3f} × its logits",
        spread=f"most memory over the model: {peaks}",
        bar=f"≤ {SIZE_BAR} × its logits",
        met=ratio <= SIZE_BAR,
        numbers={
            "recorded_tokens_a_second": rate, "trace_bytes": trace.nbytes, "logits_bytes": logits,
            **{f"{kind}_peak_bytes": peak for kind, peak in got.peaks.items() if peak is not None},
            **{f"{kind}_median_seconds": statistics.median(times) for kind, times in got.seconds.items()},
        },
    )  # fmt: skip


def megabytes(peak: int | None) -> str:
    """Megabytes, or that they are not known here."""
    return "unknown" if peak is None else f"+{peak / MB:.0f} MB"


def quartiles(values: list[float]) -> Mapping[str, float]:
    """The median and the quartiles; of one value three times that."""
    low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"q1": low, "median": median, "q3": high}


def span(values: list[float]) -> str:
    """From the lower to the upper quartile."""
    q = quartiles(values)
    return f"{q['q1']:.3f} to {q['q3']:.3f}"
