"""A step's sorted scores as a standalone page carries them: the likeliest exactly, the others counted in fine bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from decoding.recorded.run import Step

__all__ = ["FINEST", "HEAD", "exact_places", "packed_scores", "tail_width"]

HEAD = 2000  # scores kept exactly
SMALL = 3000  # as many are all kept
FINEST = 1 / 128  # width of a bin of the others, in nats
DEEPEST = 1e6  # nats below the head's last score; what lies deeper is put there, and has no probability


def packed_scores(scores: np.ndarray, *, n_exact: int | None = None, width: float = FINEST) -> dict[str, Any]:
    """Sorted scores as lists of small whole numbers, which compress well.

    Args:
        scores: float32 [n], downwards, all finite.
        n_exact: how many of the first are the run's own; all of them if None.
        width: how far the others may lie from what is given for them, in nats; at least that of a bin.

    Returns:
        `head`: the first scores' bits as whole numbers that sort as the scores do: the first one, then by how much
        each lies below the one before. `gaps`, `counts`: bins of `step` nats below the head's last score: how many
        bins after the one before, and how many scores lie in it. `width` in nats.
    """
    n = len(scores)
    n_head = n if n <= SMALL else HEAD
    n_head = max(1, min(n_head, n if n_exact is None else n_exact)) if n else 0
    keys = _sortable(scores[:n_head])
    head = [int(keys[0]), *(-np.diff(keys)).tolist()] if n_head else []
    gaps, counts = [], []
    if n_head < n:
        depth = np.minimum(float(scores[n_head - 1]) - scores[n_head:].astype(np.float64), DEEPEST)
        bins, n_in = np.unique(np.floor(depth / FINEST).astype(np.int64), return_counts=True)
        gaps, counts = np.diff(bins, prepend=0).tolist(), n_in.tolist()
    return {"head": head, "gaps": gaps, "counts": counts, "step": FINEST, "width": width}


def _sortable(scores: np.ndarray) -> np.ndarray:
    """int64 [n] that sorts as the float32 scores do."""
    bits = np.ascontiguousarray(scores, dtype="<f4").view("<u4").astype(np.int64)
    return np.where(bits >= 1 << 31, (1 << 32) - 1 - bits, bits | 1 << 31)


def exact_places(step: Step, row: int, before: np.ndarray) -> int | None:
    """How many of the likeliest scores are the run's own; None for all.

    Args:
        before: the scores by token id, float32 [vocab].
    """
    if step.exact:
        return None
    own = np.zeros(len(before), dtype=bool)
    own[step.exact_ids(row).numpy()] = True
    others = before[~own]
    return int((before > others.max()).sum()) if len(others) else None


def tail_width(step: Step, row: int) -> float:
    """How far a score outside the head may lie from what is given for it, in nats, where it has any weight."""
    tail = step.tail(row)
    if tail is None or not len(tail.high):
        return FINEST
    heavy = tail.high > tail.high.max() - 16
    return max(FINEST, float((tail.high - tail.low)[heavy].max()))
