"""What temperature, top-k, top-p and min-p leave of scores that are sorted once: how many, how spread, down to where.

transformers sorts the vocabulary anew for every setting. But dividing by a temperature keeps the order, and every one
of these rules keeps the highest scores, down to an edge: so one sort serves all of them. Which numbers are compared is
transformers' own: the same operations on the same numbers in the same order give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["LEAST_MIN_P", "SAME_RATIO", "UNIT", "Survivors", "mass_from_below", "scaled", "spread", "survivors"]

SAME_RATIO = 1e-6  # relative; two exps, two divisions and a product in float32 are off by a third of it
UNIT = 2.0**-24  # by how much one operation in float32 is off, relative
LEAST_MIN_P = 1e-30  # below, probabilities lose digits before they are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivors:
    """What some rules leave of a row of scores.

    Attributes:
        n_left: how many tokens.
        edge: the lowest score among them, divided by the temperature.
        torn: other tokens with just this score are gone: which of them are left, only an argsort tells.
        entropy_nats: of the distribution over them.
        log_total: ln Σ exp of their scores, divided by the temperature.
    """

    n_left: int
    edge: float
    torn: bool
    entropy_nats: float
    log_total: float


def mass_from_below(ascending: np.ndarray) -> np.ndarray:
    """The probability of each score and all below it, as transformers' top-p sums it up; float32 [vocab].

    Args:
        ascending: float32 [vocab], sorted, −inf for what is gone.
    """
    return torch.from_numpy(ascending[None]).softmax(dim=-1).cumsum(dim=-1)[0].numpy()


def scaled(scores: np.ndarray, temperature: float) -> np.ndarray:
    """The scores divided by a temperature, each rounded by itself, in numpy as in torch; float32."""
    with np.errstate(over="ignore"):
        return scores if temperature == 1.0 else scores / np.float32(temperature)


def spread(scores: np.ndarray) -> tuple[float, float]:
    """ln Σ exp of scores, and the entropy of their distribution in nats, as `decoding.reading.stats` has them.

    On one thread: torch would share a row out among its threads, and wait for them wherever the machine is busy.

    Args:
        scores: float [n], −inf for what was removed.

    Returns:
        NaN twice where there is no distribution.
    """
    top = float(scores.max()) if len(scores) else math.nan
    if not math.isfinite(top):
        return math.nan, math.nan
    gaps = scores.astype(np.float64) - top
    shares = np.exp(gaps)
    gaps[shares == 0] = 0.0
    total = float(shares.sum())
    return math.log(total) + top, max(0.0, math.log(total) - float(shares @ gaps) / total)


def survivors(
    ascending: np.ndarray, top_ps: Sequence[float], *, top_k: int = 0, min_p: float = 0.0, least: int = 1
) -> list[Survivors | None]:
    """For each top_p what is left, in transformers' order: top-k, top-p, min-p.

    Args:
        ascending: float32 [vocab], sorted, already divided by the temperature; the highest is finite.
        top_ps: from 1 on, nothing is cut.
        top_k: 0 for none.
        min_p: 0 for none.
        least: tokens that top-p keeps in any case.

    Returns:
        One for each of `top_ps`; None where rounding decides whether min-p keeps a token, so that only transformers'
        own processor can tell.
    """
    n_alive = len(ascending) - int(np.searchsorted(ascending, -np.inf, side="right"))
    if 0 < top_k < n_alive:
        n_alive = len(ascending) - int(np.searchsorted(ascending, ascending[-top_k], side="left"))
    left = np.full_like(ascending, -np.inf)
    left[len(left) - n_alive :] = ascending[len(left) - n_alive :]
    masses, logs = _totals(left[: -n_alive - 1 : -1])
    n_removed = np.searchsorted(mass_from_below(left), [np.float32(1 - p) for p in top_ps], side="right")
    out: list[Survivors | None] = []
    for top_p, gone in zip(top_ps, n_removed.tolist(), strict=True):
        n = n_alive if top_p >= 1 else min(max(len(left) - gone, least), n_alive)
        torn = n < n_alive and left[-n - 1] == left[-n]
        kept = _min_p(left, n, min_p)
        out.append(None if kept is None else _left(left, kept, torn and kept == n, masses, logs))
    return out


def _left(left: np.ndarray, n: int, torn: bool, masses: np.ndarray, logs: np.ndarray) -> Survivors:
    total, weighted = masses[n - 1], logs[n - 1]
    log_total = math.log(total)
    return Survivors(
        n_left=n, edge=float(left[-n]), torn=bool(torn), entropy_nats=max(0.0, log_total - weighted / total),
        log_total=log_total + float(left[-1]),
    )  # fmt: skip


def _totals(descending: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the first n scores, for each n: Σ exp(s − s₀), and Σ (s − s₀) · exp(s − s₀); float64."""
    gaps = descending.astype(np.float64) - float(descending[0])
    shares = np.exp(gaps)
    return np.cumsum(shares), np.cumsum(shares * gaps)


def _min_p(left: np.ndarray, n: int, min_p: float) -> int | None:
    """How many of the n highest min-p keeps; None where that hangs on the last bit."""
    if min_p <= 0:
        return n
    if min_p < LEAST_MIN_P:
        return None
    gap = math.log(min_p)
    blur = SAME_RATIO - gap * UNIT  # the difference of two scores is rounded, too
    among, top = left[len(left) - n :], float(left[-1])
    surely = n - int(np.searchsorted(among, top + gap + blur, side="left"))
    maybe = n - int(np.searchsorted(among, top + gap - blur, side="left"))
    surely = max(surely, 1)  # the highest stays in any case
    return surely if surely == max(maybe, 1) else None
