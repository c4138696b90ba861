"""A step as it is told in a lecture: what stood before it, what each stage made of it, and the choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from decoding.reading import stats

from .token_text import token_text, whole_text
from .waterfall import StageColumn, Waterfall

if TYPE_CHECKING:
    from torch import Tensor

    from decoding.trace import Trace

__all__ = ["LectureView", "StageTold", "lecture_view"]

MOST_BEFORE = 60  # tokens of the text before the step


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTold:
    """A stage.

    Attributes:
        column: its effect on the whole vocabulary.
        likeliest, probability: of the distribution after it; "" and NaN where it left none.
        entropy_before: of the distribution before it; NaN for the model's own logits.
    """

    column: StageColumn
    likeliest: str
    probability: float
    entropy_before: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LectureView:
    """A step.

    Attributes:
        before: the end of the text before it; `cut` where more stands before that.
        stages: the model's own logits first.
        token, probability: what came, and how likely it was in the end; "" where the row had ended.
        beams: it is one of several candidates that a beam search weighed.
    """

    step: int
    n_steps: int
    before: str
    cut: bool
    stages: tuple[StageTold, ...]
    token: str
    probability: float
    beams: bool


def lecture_view(
    trace: Trace, view: Waterfall, scores: list[Tensor], *, row: int, n_steps: int
) -> LectureView:
    """A step of a row; `view` is its waterfall, `scores` what that was made of."""
    real = trace.prefix(view.step, row).tolist()
    mask = trace.prompt_mask[row].tolist()
    ids = [token for i, token in enumerate(real) if i >= len(mask) or mask[i]]
    chosen, columns = view.chosen, view.columns
    return LectureView(
        step=view.step,
        n_steps=n_steps,
        before=whole_text(trace, ids[-MOST_BEFORE:]),
        cut=len(ids) > MOST_BEFORE,
        stages=tuple(
            _told(trace, column, scores[i], columns[i - 1].entropy_nats if i else float("nan"))
            for i, column in enumerate(columns)
        ),
        token="" if chosen is None else chosen.text,
        probability=float("nan") if chosen is None else chosen.probabilities[-1],
        beams=view.is_candidate,
    )


def _told(trace: Trace, column: StageColumn, scores: Tensor, entropy_before: float) -> StageTold:
    best = int(np.argmax(scores.numpy()))
    p = float(stats.probs(scores)[best])
    return StageTold(
        column=column, likeliest=token_text(trace, best), probability=p, entropy_before=entropy_before
    )
