"""Numbers of runs as arrays with one row a prompt, which is what a bootstrap draws from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from decoding.studies.interval import Interval, bootstrap
from decoding.studies.study import Point, Run

__all__ = ["by_prompt", "mean", "mean_point", "padded", "ratio"]


def padded(rows: Sequence[Sequence[float]]) -> np.ndarray:
    """Rows of different lengths as one array; float [n, longest], NaN where a row has ended."""
    out = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for row, values in zip(out, rows, strict=True):
        row[: len(values)] = values
    return out


def by_prompt(runs: Sequence[Run], value: Callable[[Run], float]) -> np.ndarray:
    """The mean of each prompt's samples; float [n_prompts], NaN for none."""
    n = max((run.prompt for run in runs), default=-1) + 1
    found: list[list[float]] = [[] for _ in range(n)]
    for run in runs:
        found[run.prompt].append(value(run))
    return np.array([np.mean(values) if values else np.nan for values in found])


def mean(values: np.ndarray) -> Interval:
    """The mean over prompts; values: float [n_prompts]."""
    return bootstrap(values, lambda drawn: drawn.mean(axis=-1))


def ratio(above: np.ndarray, below: np.ndarray) -> Interval:
    """The mean of one over the mean of the other, prompts drawn in pairs; each float [n_prompts]."""
    pairs = np.stack([above, below], axis=-1)
    return bootstrap(pairs, lambda drawn: drawn[..., 0].mean(axis=-1) / drawn[..., 1].mean(axis=-1))


def mean_point(x: float, runs: Sequence[Run], value: Callable[[Run], float]) -> Point:
    """The mean over prompts of their runs' values, as a point of a figure."""
    return Point(x=x, y=mean(by_prompt(runs, value)), runs=tuple((run, value(run)) for run in runs))
