"""The head of a step: what every stage did to the whole distribution, and the way of the likeliest tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from decoding.reading import stats
from decoding.reading.cutoffs import removal_margin
from decoding.recorded.run import StageFacts

from .token_text import token_text

if TYPE_CHECKING:
    from decoding.reading.cutoffs import TokenMargin
    from decoding.recorded.run import Step
    from decoding.trace import Trace

__all__ = ["HeadToken", "StepHead", "chosen_tokens", "is_open", "step_head"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadToken:
    """A token's way through the stages.

    Attributes:
        token_id, text: the token.
        chosen: the row, or in beam methods one that continues it, goes on with it.
        rank: 1 for the model's likeliest token.
        logit: as the model gave it, in float32.
        score: after the last stage; −∞ where it was removed.
        probabilities: before the first stage and after each, in float64.
        removed_by: the stage that removed it, counted from 1, or None.
        margin, unit: how far outside the rule's boundary it lay (0 or more) and in what; None where there is no
            boundary: the stage bans, or never looked at the token.
    """

    token_id: int
    text: str
    chosen: bool
    rank: int
    logit: float
    score: float
    probabilities: tuple[float, ...]
    removed_by: int | None
    margin: float | None
    unit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepHead:
    """A row at a step.

    Attributes:
        step, row: which; the row is that of the scores.
        facts: of the whole distribution before the first stage and after each.
        changed: per stage, whether it changed a score.
        tokens: those asked for, in the model's order.
    """

    step: int
    row: int
    facts: tuple[StageFacts, ...]
    changed: tuple[bool, ...]
    tokens: tuple[HeadToken, ...]


def step_head(trace: Trace, *, step: int, row: int = 0, n_tokens: int = 20) -> StepHead:
    """The `n_tokens` likeliest tokens before the first stage and after the last, and the chosen ones besides.

    Of a compact trace only tokens whose scores are the run's own are among them.

    Raises:
        NotRecordedError: there is no such step or row, or its scores were lost.
    """
    recorded = trace.steps[step]
    scores = recorded.all_scores(row=row)  # n_stages + 1 of [vocab]
    chosen = chosen_tokens(recorded, row)
    ids = _head(recorded, row, scores, chosen, n_tokens)
    probs = [stats.probs(s)[ids].tolist() for s in scores]
    ranks = [int((scores[0] > scores[0][i]).sum()) + 1 for i in ids]
    margins = _margins(recorded, scores, ids)
    tokens = tuple(
        _token(trace, token_id, token_id in chosen, rank, scores, of_token, margins.get(token_id))
        for token_id, rank, of_token in zip(ids, ranks, zip(*probs, strict=True), strict=True)
    )
    return StepHead(
        step=step, row=row, facts=recorded.facts(row) or _facts(scores), tokens=tokens,
        changed=tuple(not torch.equal(a, b) for a, b in zip(scores, scores[1:], strict=False)),
    )  # fmt: skip


def chosen_tokens(step: Step, row: int) -> tuple[int, ...]:
    """The tokens with which a row of the scores goes on: one, in beam methods any number, none where it had ended."""
    if step.parents:
        live = zip(step.token_ids, step.parents, step.ended, strict=True)
        return tuple(token for token, parent, ended in live if parent == row and not ended)
    return () if step.ended[row] else (step.token_ids[row],)


def is_open(step: Step, row: int, rows_per_prompt: int) -> bool:
    """Whether the step decided anything for the row: it, or in beam methods its prompt's search, had not ended."""
    if not step.parents:
        return not step.ended[row]
    return any(candidate.prompt == row // rows_per_prompt for candidate in step.candidates)


def _head(step: Step, row: int, scores: list[Tensor], chosen: tuple[int, ...], n_tokens: int) -> list[int]:
    known = step.exact_ids(row).numpy()
    first, last = scores[0].numpy()[known], scores[-1].numpy()[known]
    wanted = set(chosen) | set(known[_top(first, n_tokens)].tolist())
    wanted |= {int(i) for i in known[_top(last, n_tokens)] if scores[-1][i] > -math.inf}
    return sorted(wanted, key=lambda i: (-_comparable(scores[0][i].item()), i))


def _top(scores: np.ndarray, n: int) -> np.ndarray:
    """Places of the n highest scores; a NaN is last."""
    n = min(n, len(scores))
    return np.argpartition(-scores, n - 1)[:n] if n else np.zeros(0, dtype=np.int64)


def _comparable(score: float) -> float:
    return -math.inf if math.isnan(score) else score


def _facts(scores: list[Tensor]) -> tuple[StageFacts, ...]:
    out = []
    for before, after in zip([None, *scores], scores, strict=False):
        n_removed = 0 if before is None else int(((before > -math.inf) & (after == -math.inf)).sum())
        out.append(
            StageFacts(
                n_alive=int(stats.n_alive(after)),
                n_removed=n_removed,
                mass_removed=float(stats.mass_removed(before, after)) if n_removed else 0.0,
                entropy_nats=float(stats.entropy_nats(after)),
            )
        )
    return tuple(out)


def _margins(step: Step, scores: list[Tensor], ids: list[int]) -> dict[int, tuple[int, TokenMargin]]:
    """For each token that was removed: the stage that did it, counted from 1, and its decision."""
    out: dict[int, tuple[int, TokenMargin]] = {}
    for i, stage in enumerate(step.stages, start=1):
        gone = [t for t in ids if scores[i][t] == -math.inf < scores[i - 1][t] and t not in out]
        if gone:
            decided = removal_margin(stage.name, stage.params, scores[i - 1], scores[i], gone)
            out.update({decision.token_id: (i, decision) for decision in decided})
    return out


def _token(trace, token_id, chosen, rank, scores, probabilities, removal) -> HeadToken:
    removed_by, decision = removal or (None, None)
    margin = None if decision is None else decision.margin
    return HeadToken(
        token_id=token_id,
        text=token_text(trace, token_id),
        chosen=chosen,
        rank=rank,
        logit=float(scores[0][token_id]),
        score=float(scores[-1][token_id]),
        probabilities=probabilities,
        removed_by=removed_by,
        margin=None if margin is None else abs(margin),
        unit=None if margin is None else decision.unit,
    )
