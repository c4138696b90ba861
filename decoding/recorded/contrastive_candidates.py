"""What contrastive search weighed at a step: for each candidate confidence against degeneration."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from decoding.errors import DamagedStepError

__all__ = ["ContrastiveCandidate", "contrastive_arrays", "contrastive_candidates"]

ARRAYS = {
    "token_ids": torch.int32, "confidence": torch.float32, "penalty": torch.float32, "context": torch.int32,
    "score": torch.float32, "chosen": torch.int32,
}  # fmt: skip


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
    return {
        f"contrastive.{name}": value.to(dtype) for (name, dtype), value in zip(ARRAYS.items(), values, strict=True)
    }


def contrastive_candidates(arrays: dict[str, Tensor]) -> tuple[tuple[ContrastiveCandidate, ...], ...]:
    """The candidates of each row from a step's arrays; none if the step was not one of contrastive search.

    Args:
        arrays: those of `contrastive_arrays`, and `logits` [rows, vocab].

    Raises:
        DamagedStepError: they do not fit each other (a damaged or hostile file).
    """
    if not any(name.startswith("contrastive.") for name in arrays):
        return ()
    _check(arrays)
    ids, confidence, penalty, context, score, chosen = (arrays[f"contrastive.{name}"].tolist() for name in ARRAYS)
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


def _check(arrays: dict[str, Tensor]) -> None:
    n_rows, n_tokens = arrays["logits"].shape
    found = {name: arrays.get(f"contrastive.{name}") for name in ARRAYS}
    ids = found["token_ids"]
    shape = (n_rows, ids.shape[-1] if ids is not None and ids.ndim == 2 else 0)
    for name, array in found.items():
        wanted = shape[:1] if name == "chosen" else shape
        if array is None or array.dtype != ARRAYS[name] or tuple(array.shape) != wanted or 0 in wanted:
            raise DamagedStepError(
                "contrastive.{name} is missing, or not {arrays} {wanted}",
                name=name, arrays=ARRAYS[name], wanted=list(wanted),
            )
    for name, limit in (("token_ids", n_tokens), ("chosen", shape[1])):
        array = arrays[f"contrastive.{name}"]
        if int(array.min()) < 0 or int(array.max()) >= limit:
            raise DamagedStepError("contrastive.{name} points outside [0, {limit})", name=name, limit=limit)
    if int(arrays["contrastive.context"].min()) < 0:
        raise DamagedStepError("contrastive.context points before the first token")
