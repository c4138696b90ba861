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
ROUNDING = 1e-6  # of probabilities, by scores in float32


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTold:
    """A stage.

    Attributes:
        column: its effect on the whole vocabulary.
        likeliest, probability: of the distribution after it.
        reshapes: it changed some token's probability by more than rounding does.
        entropy_before: of the distribution before it; the model's own where it is the first.
    """

    column: StageColumn
    likeliest: str
    probability: float
    reshapes: bool
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
    probs = [stats.probs(s).numpy() for s in scores]
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
            _told(trace, column, probs[max(0, i - 1)], probs[i], columns[max(0, i - 1)].entropy_nats)
            for i, column in enumerate(columns)
        ),
        token="" if chosen is None else chosen.text,
        probability=float("nan") if chosen is None else chosen.probabilities[-1],
        beams=view.is_candidate,
    )


def _told(
    trace: Trace, column: StageColumn, before: np.ndarray, after: np.ndarray, entropy_before: float
) -> StageTold:
    best = int(np.argmax(after))
    return StageTold(
        column=column, likeliest=token_text(trace, best), probability=float(after[best]),
        reshapes=not bool(np.max(np.abs(after - before)) <= ROUNDING), entropy_before=entropy_before,
    )  # fmt: skip
