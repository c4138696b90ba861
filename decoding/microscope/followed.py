"""Which tokens to follow through a stage: the likeliest, those next to the boundary, and the one in view."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from decoding.microscope.op import Fate, Followed
from decoding.microscope.slide import Space

__all__ = ["N_FOLLOWED", "followed"]

N_FOLLOWED = 8
N_BESIDE = 2  # on either side of the boundary
N_GONE = 2  # of those that an earlier stage removed, where there is room: they show how −∞ passes through


def followed(
    before: Tensor,
    after: Tensor,
    chosen: int | None,
    *,
    goodness: Tensor | None = None,
    wanted: Sequence[int] = (),
    order: Space | None = None,
    among: Tensor | None = None,
) -> tuple[Followed, ...]:
    """At most `N_FOLLOWED` tokens: by place in `order`, or the likeliest first.

    Args:
        before, after: scores, float [vocab].
        chosen: the token in view, or None.
        goodness: float [vocab], what decides who stays; the scores themselves where None.
        wanted: tokens that this stage singles out; up to four of them.
        among: int64 [n], the tokens that may be followed; None for all.
    """
    goodness = before if goodness is None else goodness
    alive, kept = before > -math.inf, after > -math.inf
    removed = alive & ~kept
    open_to = torch.ones_like(alive)
    if among is not None:
        open_to = torch.zeros_like(alive).index_fill(0, among, True)
    named = [i for i in (chosen, *wanted) if i is not None and 0 <= i < len(before) and open_to[i]]
    ids = named[: chosen is not None]
    if removed.any():
        ids += _best(-goodness, kept & open_to, N_BESIDE) + _best(goodness, removed & open_to, N_BESIDE)
    likeliest = _best(before, alive & open_to, N_FOLLOWED)
    long_gone = (~alive & open_to).nonzero().flatten()[:N_GONE].tolist() if len(likeliest) < N_FOLLOWED else []
    ids = list(dict.fromkeys([*ids, *named[:5], *likeliest, *long_gone]))[:N_FOLLOWED]
    if order is not None:
        places: dict[int, Any] = dict(zip(ids, order.places(ids), strict=True))  # numbers, or pairs of them
        ids.sort(key=lambda i: math.inf if places[i] is None else places[i])
    else:
        scores = before[ids].nan_to_num(nan=-math.inf).tolist()
        ids = [i for _, i in sorted(zip(scores, ids, strict=True), key=lambda pair: -pair[0])]
    fates: dict[int, Fate] = {i: "removed" if removed[i] else "kept" if kept[i] else "gone" for i in ids}
    return tuple(Followed(token_id=i, chosen=i == chosen, fate=fates[i]) for i in ids)


def _best(goodness: Tensor, among: Tensor, n: int) -> list[int]:
    """The n best of some, fewer where there are not so many."""
    n = min(n, int(among.sum()))
    return torch.topk(torch.where(among, goodness, -math.inf), n).indices.tolist()
