"""A row of scores as a distribution, in numpy: what statistics of many rows are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Distribution", "distribution"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The softmax of some scores in float64; NaN where there is none.

    Attributes:
        scores: float32 [vocab].
        top: the highest.
        weights: exp(score − top), float64 [vocab]; 0 for a token that was removed.
        total: their sum.
        entropy: in nats.
    """

    scores: np.ndarray
    top: float
    weights: np.ndarray
    total: float
    entropy: float

    def share(self, which: int | np.ndarray) -> float:
        """The probability of a token, or of those that a mask names."""
        return float(self.weights[which].sum()) / self.total

    def surprisal(self, token_id: int) -> float:
        """−ln of a token's probability."""
        return max(math.log(self.total) - (float(self.scores[token_id]) - self.top), 0.0)  # in this order NaN stays


def distribution(scores: np.ndarray) -> Distribution:
    """The distribution of scores, float32 [vocab]."""
    # In numpy, and without a dot product: torch and BLAS share so little work out to threads, and wait for them.
    top = float(scores.max())
    if not math.isfinite(top):  # NaN or +inf in it, or nothing left
        nothing = np.broadcast_to(np.float64(math.nan), scores.shape)
        return Distribution(scores=scores, top=math.nan, weights=nothing, total=math.nan, entropy=math.nan)
    alive = np.flatnonzero(scores > -math.inf) if scores.min() == -math.inf else None
    below = (scores if alive is None else scores[alive]).astype(np.float64)
    below -= top  # [n_alive], ≤ 0
    weights = np.exp(below)
    total = float(weights.sum())
    below *= weights
    entropy = math.log(total) - float(below.sum()) / total
    if alive is not None:
        spread = np.zeros(len(scores))
        spread[alive] = weights
        weights = spread
    return Distribution(scores=scores, top=top, weights=weights, total=total, entropy=max(entropy, 0.0))
