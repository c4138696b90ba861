"""A float32 as JSON and CSV have it."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["float32"]


def float32(value: float | None) -> float | None:
    """The number in the fewest digits that read back as the same float32; None where it is infinite or no number.

    One that is no float32 stays as it is.
    """
    if value is None or not math.isfinite(value):
        return None
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    return float(str(narrow)) if float(narrow) == value else value
