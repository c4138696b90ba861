"""What contrastive search weighed at a step: for each candidate confidence against degeneration."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["ContrastiveCandidate", "contrastive_arrays", "contrastive_candidates"]

NAMES = ("token_ids", "confidence", "penalty", "context", "score", "chosen")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastiveCandidate:
    """One of the top-k tokens of a row.

    Attributes:
        token_id: the token.
        confidence: its probability after all processors, in [0, 1].
        penalty: the largest cosine similarity of its hidden state to one of the context, in [-1, 1].
        context: the position of that context token in the row, from 0 (left padding counted in).
        score: (1 − α)·confidence − α·penalty.
        chosen: it had the highest score.
    """

    token_id: int
    confidence: float
    penalty: float
    context: int
    score: float
    chosen: bool


def contrastive_arrays(
    token_ids: Tensor, confidence: Tensor, penalty: Tensor, context: Tensor, score: Tensor, chosen: Tensor
) -> dict[str, Tensor]:
    """The arrays to keep with a step, each [rows, k] but `chosen`, which is [rows], an index into k."""
    values = (token_ids, confidence, penalty, context, score, chosen)
    return {f"contrastive.{name}": value for name, value in zip(NAMES, values, strict=True)}


def contrastive_candidates(arrays: dict[str, Tensor]) -> tuple[tuple[ContrastiveCandidate, ...], ...]:
    """The candidates of each row from a step's arrays."""
    ids, confidence, penalty, context, score, chosen = (arrays[f"contrastive.{name}"].tolist() for name in NAMES)
    return tuple(
        tuple(
            ContrastiveCandidate(
                token_id=ids[row][i],
                confidence=confidence[row][i],
                penalty=penalty[row][i],
                context=context[row][i],
                score=score[row][i],
                chosen=i == chosen[row],
            )
            for i in range(len(ids[row]))
        )
        for row in range(len(ids))
    )
