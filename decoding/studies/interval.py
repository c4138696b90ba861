"""Estimates with their 95 % confidence intervals: bootstrapped over prompts, or Wilson's for a share of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["DRAWS", "Interval", "bootstrap", "share"]

DRAWS = 2000  # resamples of a bootstrap
SEED = 0
Z = 1.959963984540054  # of the normal distribution, for 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate and where it would lie for other prompts of the same kind, in 95 of 100 cases.

    Attributes:
        estimate: from the prompts that were recorded.
        low, high: the interval's ends.
    """

    estimate: float
    low: float
    high: float


def bootstrap(values: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> Interval:
    """The percentile bootstrap of Efron (1979) over prompts: a prompt comes with all that belongs to it, or not at all.

    Example:
        >>> import numpy as np
        >>> found = bootstrap(np.array([[1.0], [2.0], [3.0]]), lambda drawn: drawn.mean(axis=(-2, -1)))
        >>> found.estimate, found.low < 2 < found.high
        (2.0, True)

    Args:
        values: one row a prompt, float [n_prompts, ...].
        statistic: of float [..., n_prompts, ...], over the prompts and what belongs to each: [...].

    Returns:
        Always the same for the same values; without any prompt NaN.
    """
    if len(values) == 0:
        return Interval(estimate=math.nan, low=math.nan, high=math.nan)
    draws = np.random.default_rng(SEED).integers(len(values), size=(DRAWS, len(values)))
    found = statistic(values[draws])  # [DRAWS]
    low, high = np.quantile(found, [0.025, 0.975])
    return Interval(estimate=float(statistic(values[None])[0]), low=float(low), high=float(high))


def share(holds: np.ndarray) -> Interval:
    """For how many prompts something holds, in [0, 1], with the score interval of Wilson (1927).

    Where it holds for all of them a bootstrap would find no doubt at all; this one does.

    Example:
        >>> import numpy as np
        >>> round(share(np.array([True] * 10)).low, 3)
        0.722

    Args:
        holds: bool [n_prompts].
    """
    n = len(holds)
    if n == 0:
        return Interval(estimate=math.nan, low=math.nan, high=math.nan)
    p = float(np.mean(holds))
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return Interval(estimate=p, low=max(0.0, middle - half), high=min(1.0, middle + half))
