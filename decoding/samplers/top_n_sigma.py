"""top-nσ: the scores within n standard deviations of the highest one stay."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.generation import LogitsProcessor

from decoding.parameters.knobs import KNOBS

__all__ = ["TopNSigmaLogitsWarper"]


class TopNSigmaLogitsWarper(LogitsProcessor):
    """Keeps scores that are at least `max − n·σ`, σ being the standard deviation of all scores that are left.

    A temperature changes nothing about which tokens these are: it scales σ, too. After Tang et al. 2024,
    <https://arxiv.org/abs/2411.07641>, and llama.cpp's `--top-nsigma`.

    Args:
        top_n_sigma: n; 0 or less removes nothing.
        min_tokens_to_keep: so many of the highest stay in any case.

    Raises:
        SettingError: n is out of range.
    """

    def __init__(self, top_n_sigma: float, min_tokens_to_keep: int = 1) -> None:
        self.top_n_sigma = float(KNOBS["top_n_sigma"].checked(top_n_sigma))
        self.min_tokens_to_keep = min_tokens_to_keep

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores [rows, vocab] with −∞ for what was removed; `input_ids` are not looked at."""
        if self.top_n_sigma <= 0:
            return scores
        alive = scores > -torch.inf  # [rows, vocab]
        n = alive.sum(-1, keepdim=True).clamp(min=1)
        mean = scores.where(alive, 0.0).sum(-1, keepdim=True) / n
        variance = (scores - mean).where(alive, 0.0).square().sum(-1, keepdim=True) / n
        edge = scores.amax(-1, keepdim=True) - self.top_n_sigma * variance.sqrt()
        if self.min_tokens_to_keep > 1:
            lowest = scores.topk(min(self.min_tokens_to_keep, scores.shape[-1])).values[:, -1:]
            edge = torch.minimum(edge, lowest)
        return scores.masked_fill(scores < edge, -torch.inf)
