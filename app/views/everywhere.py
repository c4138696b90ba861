"""Everywhere: what probability a token had at every step of a row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from decoding.errors import NotRecordedError

from .token_text import token_text

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["Everywhere", "EverywhereStep", "everywhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EverywhereStep:
    """A token at a step.

    Attributes:
        step: from 0.
        rank_in_view: of the beam candidate that the path in view takes here, to go to it; None in other runs.
        probability, rank: under the model, before any stage; the rank is 1 for the likeliest token.
        final: its probability after all stages; 0 where it was removed.
        came: the row went on with it.
        instead: the text of the token that came.
        exact: these are the run's own numbers; else those of a compact trace, which knows them nearly.
    """

    step: int
    rank_in_view: int | None
    probability: float
    rank: int
    final: float
    came: bool
    instead: str
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Everywhere:
    """A token at all steps of a row, or of the path to a beam candidate; steps that were lost are left out."""

    token_id: int
    text: str
    steps: tuple[EverywhereStep, ...]
    n_lost: int = 0

    @property
    def likeliest(self) -> EverywhereStep | None:
        """The step at which the model found it likeliest, the first of several."""
        return max(self.steps, key=lambda step: step.probability, default=None)


def everywhere(
    trace: Trace, token_id: int, *, row: int = 0, node: tuple[int, int] | None = None
) -> Everywhere:
    """What became of a token at every step.

    Args:
        row: of the run; of a beam run, of the scores that the candidate in view was chosen from.
        node: step and rank of that candidate, whose path is followed back to the beginning.
    """
    out, lost = [], 0
    for step, at, rank in _path(trace, row, node):
        try:
            out.append(_step(trace, token_id, step, at, rank))
        except NotRecordedError:  # the disk was full
            lost += 1
    return Everywhere(token_id=token_id, text=token_text(trace, token_id), steps=tuple(out), n_lost=lost)


def _path(trace: Trace, row: int, node: tuple[int, int] | None) -> list[tuple[int, int, int | None]]:
    """Steps with the row of their scores, and the rank of the beam candidate that the path takes there."""
    if node is None:
        return [(i, row, None) for i, step in enumerate(trace.steps) if not step.ended[row]]
    path: list[tuple[int, int, int | None]] = [(node[0], row, node[1])]
    for i in range(node[0] - 1, -1, -1):
        step = trace.steps[i]
        parent, token_id = step.parents[row], step.token_ids[row]
        rank = next((c.rank for c in step.candidates if (c.parent, c.token_id) == (parent, token_id)), None)
        path.append((i, parent, rank))
        row = parent
    return path[::-1]


def _step(trace: Trace, token_id: int, step: int, row: int, rank: int | None) -> EverywhereStep:
    recorded = trace.steps[step]
    scores = [s.numpy() for s in recorded.all_scores(row=row)]
    came = _came(trace, step, row, rank)
    return EverywhereStep(
        step=step,
        rank_in_view=rank,
        probability=_probability(scores[0], token_id),
        rank=int(np.count_nonzero(scores[0] > scores[0][token_id])) + 1,
        final=_probability(scores[-1], token_id),
        came=came == token_id,
        instead="" if came is None else token_text(trace, came),
        exact=recorded.exact or token_id in recorded.exact_ids(row).tolist(),
    )


def _came(trace: Trace, step: int, row: int, rank: int | None) -> int | None:
    """The token that the row, or the path in view, went on with."""
    recorded = trace.steps[step]
    if not recorded.parents:
        return recorded.token_ids[row]
    return next((c.token_id for c in recorded.candidates if c.parent == row and c.rank == rank), None)


def _probability(scores: np.ndarray, token_id: int) -> float:
    """The softmax of one token, in float64; NaN where there is no distribution."""
    wide = scores.astype(np.float64)
    highest = wide.max()
    if not math.isfinite(highest):
        return math.nan
    return float(np.exp(wide[token_id] - highest) / np.exp(wide - highest).sum())
