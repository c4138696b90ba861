"""Drawing a token again and again from the same scores, and what was to be expected."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from decoding.reading import stats

__all__ = ["Draws", "binomial_interval", "draw"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """How often each token came.

    Attributes:
        n: draws.
        seed: of the generator they were made with.
        counts: int64 [vocab], summing to n.
    """

    n: int
    seed: int
    counts: Tensor


def draw(scores: Tensor, n: int, seed: int) -> Draws | None:
    """n tokens drawn with replacement from the softmax of the scores; None where that is no distribution.

    The draws are those of `torch.multinomial(probs, n, replacement=True, generator=g)` with float64 probabilities and
    a CPU generator seeded with `seed`; the global random state is neither read nor changed. A token at −inf never
    comes.

    Args:
        scores: float [vocab].
        n: at least 1.
        seed: in [0, 2**63).
    """
    probs = stats.probs(scores)  # [vocab]
    if not bool(probs.isfinite().all()):
        return None
    alive = (scores > -math.inf).nonzero().squeeze(1)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(probs[alive], n, replacement=True, generator=generator)
    counts = torch.zeros(len(scores), dtype=torch.long)
    counts[alive] = torch.bincount(drawn, minlength=len(alive))
    return Draws(n=n, seed=seed, counts=counts)


def binomial_interval(n: int, p: float, coverage: float = 0.95) -> tuple[int, int]:
    """Between which counts, both included, a token of probability p falls in n draws, in at least `coverage` of cases.

    The exact central interval: fewer than the lower count, and more than the upper one, come in at most half of
    1 − coverage of cases each.

    Args:
        n: draws, at least 1.
        p: in [0, 1].
    """
    if p <= 0 or p >= 1:
        return (0, 0) if p <= 0 else (n, n)
    k = torch.arange(n + 1, dtype=torch.float64)
    whole = torch.lgamma(torch.tensor(n + 1.0, dtype=torch.float64))
    ways = whole - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    pmf = (ways + k * math.log(p) + (n - k) * math.log1p(-p)).exp()
    tail = (1 - coverage) / 2
    low = int((pmf.cumsum(0) <= tail).sum())
    high = n - int((pmf.flip(0).cumsum(0) <= tail).sum())
    return low, high
