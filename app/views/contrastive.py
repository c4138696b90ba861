"""What contrastive search weighed at a step: confidence against likeness to what was said before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .token_text import token_text

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["ContrastiveRow", "ContrastiveView", "contrastive_view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastiveRow:
    """A candidate.

    Attributes:
        text: the token's.
        confidence: its probability after all processors.
        penalty: its largest cosine similarity to a context token.
        context, position: that token's text, and its place in the row, from 0, padding left out.
        score: (1 − α)·confidence − α·penalty.
        chosen: it had the highest score.
    """

    text: str
    confidence: float
    penalty: float
    context: str
    position: int
    score: float
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastiveView:
    """A step of one row: the candidates, likeliest first."""

    step: int
    alpha: float
    rows: tuple[ContrastiveRow, ...]

    @property
    def chosen(self) -> ContrastiveRow:
        """The candidate that won."""
        return next(row for row in self.rows if row.chosen)


def contrastive_view(trace: Trace, *, step: int, row: int = 0) -> ContrastiveView | None:
    """The candidates of a step; None where the run was no contrastive search, or the row had ended."""
    recorded = trace.steps[step].contrastive
    if not recorded or trace.steps[step].ended[row]:
        return None
    ids = trace.prefix(step, row).tolist()
    padding = int((trace.prompt_mask[row] == 0).sum())
    rows = tuple(
        ContrastiveRow(
            text=token_text(trace, c.token_id), confidence=c.confidence, penalty=c.penalty, score=c.score,
            context=token_text(trace, ids[c.context]) if c.context < len(ids) else "", chosen=c.chosen,
            position=c.context - padding,
        )
        for c in recorded[row]
    )  # fmt: skip
    return ContrastiveView(step=step, alpha=float(trace.generation_config["penalty_alpha"]), rows=rows)
