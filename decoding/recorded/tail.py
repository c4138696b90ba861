"""What a compact trace keeps of the tokens that it does not keep one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Tail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The tokens outside the head, as bins of scores from the highest down; each array is [bins].

    Attributes:
        count: tokens in the bin, int64.
        high, low: the largest and the smallest score among them, float64.
        mass: their sum of exp(score − high), float64, in [1, count] but for rounding to float32.
    """

    count: np.ndarray
    high: np.ndarray
    low: np.ndarray
    mass: np.ndarray

    @property
    def stand_ins(self) -> np.ndarray:
        """The score that, given to all tokens of a bin, leaves its sum of exp as it was: float32 [bins]."""
        middle = self.high + np.log(self.mass / self.count)
        return np.clip(middle, self.low, self.high).astype(np.float32)
