"""The rows of a sweep's table: what a batch's runs come to, in numbers, one row a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from decoding.errors import DecodingError
from decoding.reading.cutoffs import RULES
from decoding.reading.run_statistics import RunStatistics, run_statistics
from decoding.recorded.run import RecordedRun
from decoding.sweeps.packed_numbers import PackedNumbers
from decoding.sweeps.plan import Batch, Plan

__all__ = ["STATISTICS", "failed_rows", "rows_of"]

OTHERWISE = ("tokens", "n_lost", "seconds", "tokens_per_second")  # told in another way, or of the machine
STATISTICS = tuple(f.name for f in fields(RunStatistics) if f.name not in OTHERWISE)
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a run stands in its trace: the row of its statistics, and the row that `open` shows."""

    prompt: int
    sample: int
    row: int


def rows_of(
    plan: Plan, batch: Batch, prompts: Sequence[int], run: RecordedRun, small: RecordedRun | None, trace: str
) -> list[Row]:
    """The rows of a batch.

    Args:
        prompts: those of the batch that were recorded.
        run: as it was recorded.
        small: the same in the compact form, whose facts are the rows' numbers whatever form is kept; None where it has
            none: then they are computed from its scores, and nothing is said of its stages.
        trace: the file that holds it, as the table names it.
    """
    numbers = None if small is None else PackedNumbers(small)
    found = []
    for place in _places(batch, prompts):
        read = run_statistics(run, place.row, None if numbers is None else numbers.measure)
        found.append(
            _head(plan, batch, place, trace)
            | {"error": None, "text": run.text(place.row), "n_tokens": read.n_tokens, "ended_by": _ended_by(run, place)}
            | {"logprob": -_sum(token.surprisal_nats for token in read.tokens), "score": _score(run, place)}
            | {name: getattr(read, name) for name in STATISTICS}
            | {"stages": [] if numbers is None else _stages(run, numbers, read), "seconds": run.seconds / run.n_rows}
        )
    for prompt in range(len(prompts)):
        samples = found[prompt * batch.samples : (prompt + 1) * batch.samples]
        alike = self_bleu([row["text"] for row in samples])
        for row in samples:
            row["self_bleu"] = alike
    return found


def failed_rows(plan: Plan, batch: Batch, prompts: Sequence[int], error: DecodingError) -> list[Row]:
    """What the table says of prompts that could not be recorded: why, once for each of their runs."""
    return [_head(plan, batch, place, "") | {"error": str(error)} for place in _places(batch, prompts)]


def self_bleu(texts: Sequence[str]) -> float:
    """How much samples resemble each other, in [0, 1]: the mean BLEU of each against the others; NaN for one alone.

    Self-BLEU of Zhu et al. 2018 (Texygen), with sacrebleu's BLEU-4 and its tokens of a text.
    """
    from sacrebleu import sentence_bleu  # of the extra `sweep`

    if len(texts) < 2:
        return math.nan
    scores = (sentence_bleu(text, [*texts[:i], *texts[i + 1 :]]).score for i, text in enumerate(texts))
    return math.fsum(scores) / 100 / len(texts)


def _places(batch: Batch, prompts: Sequence[int]) -> list[_Place]:
    return [
        _Place(prompt=prompt, sample=sample, row=i * batch.samples + sample)
        for i, prompt in enumerate(prompts)
        for sample in range(batch.samples)
    ]


def _head(plan: Plan, batch: Batch, place: _Place, trace: str) -> Row:
    cell = plan.cells[batch.cell]
    return {
        "prompt": place.prompt,
        "cell": batch.cell,
        "sample": place.sample,
        **{name: getattr(cell, name) for name in plan.axes},
        "batch": batch.index,
        "seed": batch.seed,
        "trace": trace,
        "row": place.row,
    }


def _ended_by(run: RecordedRun, place: _Place) -> str:
    return run.stop_reasons[place.row] if place.row < len(run.stop_reasons) else ""


def _score(run: RecordedRun, place: _Place) -> float | None:
    return None if run.ledger is None else run.hypotheses[place.row].score


def _stages(run: RecordedRun, numbers: PackedNumbers, read: RunStatistics) -> list[dict[str, Any]]:
    """Per stage, the mean over a run's tokens of what was left after it and what it removed."""
    facts = (numbers.facts(token.step, token.row) for token in read.tokens)
    kept = [fact for fact in facts if fact is not None]
    if not kept:
        return []
    return [
        {
            "stage": stage.name,
            "cuts": stage.name in RULES,
            "n_left": _mean(fact[i].n_alive for fact in kept),
            "mass_removed": _mean(fact[i].mass_removed for fact in kept),
            "entropy": _mean(fact[i].entropy_nats for fact in kept),
        }
        for i, stage in enumerate(run.stages, start=1)
    ]


def _sum(values: Iterable[float]) -> float:
    return math.fsum(value for value in values if not math.isnan(value))


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found) if found else math.nan
