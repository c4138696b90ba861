"""FollowText: a processor that lets one token through at each step: a run then records what the model makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers.generation import LogitsProcessor

__all__ = ["FollowText"]


class FollowText(LogitsProcessor):
    """Each row follows a text of its own. Of the raw scores, which are recorded before it, nothing is lost.

    Args:
        ids: of each row's text, one after the other; where it has ended, the row goes on with its last token.
    """

    def __init__(self, ids: Sequence[Sequence[int]]) -> None:
        self._ids = ids
        self._begin: int | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores with −∞ for every other token.

        Args:
            input_ids: int64 [rows, length], the prompt alone at the first call.
            scores: float [rows, vocab].
        """
        if self._begin is None:
            self._begin = input_ids.shape[1]
        step = input_ids.shape[1] - self._begin
        wanted = torch.tensor([[ids[min(step, len(ids) - 1)]] for ids in self._ids], device=scores.device)
        return torch.full_like(scores, -torch.inf).scatter(1, wanted, scores.gather(1, wanted))
