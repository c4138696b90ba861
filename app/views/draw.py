"""The draw: how often each token came, beside how often it was to be expected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from decoding.reading import stats
from decoding.reading.draws import Draws, binomial_interval

from .token_text import token_text

if TYPE_CHECKING:
    from torch import Tensor

    from decoding.trace import Trace

__all__ = ["DrawRow", "DrawSide", "DrawView", "TokenCount", "draw_view"]

N_TOKENS = 14
N_OF_THE_END = 9  # the likeliest to be drawn; the rest of the rows shows what else came, or could have without stages


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """A token in one set of draws.

    Attributes:
        probability: exact, of one draw.
        count: how often it came; None before anything was drawn.
        low, high: between which counts it comes in at least 95% of such sets of draws; None before.
    """

    probability: float
    count: int | None = None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRow:
    """A token, or with `token_id` None all tokens that have no row of their own.

    Attributes:
        in_view: it is the token in view.
        n_tokens: how many tokens the row stands for.
        sides: with the processors, and, where these changed anything, without.
    """

    token_id: int | None
    text: str
    in_view: bool
    n_tokens: int
    sides: tuple[TokenCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSide:
    """One set of draws.

    Attributes:
        n_possible: tokens that could come.
        n_different: tokens that came; None before anything was drawn.
        n_impossible: draws of tokens that the processors removed; None before.
    """

    n_possible: int
    n_different: int | None = None
    n_impossible: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawView:
    """A step's draws; the likeliest token first, the rest last.

    Attributes:
        n, seed: of both sets of draws; None before anything was drawn.
        sides: with the processors, and, where these changed anything, without.
    """

    n: int | None
    seed: int | None
    sides: tuple[DrawSide, ...]
    rows: tuple[DrawRow, ...]


def draw_view(
    trace: Trace, scores: tuple[Tensor, ...], drawn: tuple[Draws, ...] = (), token_id: int | None = None
) -> DrawView:
    """The view of a step's draws.

    Args:
        trace: for the tokens' texts.
        scores: those that the choice is made from, float32 [vocab]; and, where the processors changed anything, the
            model's own.
        drawn: draws from each of `scores`, or none.
        token_id: the token in view: it has a row.
    """
    probs = [stats.probs(s) for s in scores]
    ids = _worth_showing(probs, drawn, token_id)
    rows = []
    for shown in ids:
        counts = [int(draws.counts[shown]) for draws in drawn] or [None] * len(probs)
        sides = tuple(_count(float(p[shown]), count, drawn) for p, count in zip(probs, counts, strict=True))
        word = token_text(trace, shown)
        rows.append(DrawRow(token_id=shown, text=word, in_view=shown == token_id, n_tokens=1, sides=sides))
    n_others = len(probs[0]) - len(ids)
    if n_others:
        rows.append(_everything_else(probs, ids, drawn, n_others))
    return DrawView(
        n=drawn[0].n if drawn else None,
        seed=drawn[0].seed if drawn else None,
        sides=tuple(_side(s, drawn[i] if drawn else None, scores[0]) for i, s in enumerate(scores)),
        rows=tuple(rows),
    )


def _worth_showing(probs: list[Tensor], drawn: tuple[Draws, ...], token_id: int | None) -> list[int]:
    """Ids of the tokens with a row, likeliest first: the one in view, the likeliest, and what came most."""
    most = torch.stack([*probs, *(draws.counts.double() / draws.n for draws in drawn)]).amax(0)  # [vocab]
    n = min(N_TOKENS, len(most))
    wanted = dict.fromkeys([] if token_id is None else [token_id])
    likeliest = [i for i in probs[0].topk(min(N_OF_THE_END, n)).indices.tolist() if probs[0][i] > 0]
    wanted |= dict.fromkeys([*likeliest, *most.topk(n).indices.tolist()])
    return sorted(list(wanted)[:n], key=lambda i: tuple(-float(p[i]) for p in probs))


def _count(p: float, count: int | None, drawn: tuple[Draws, ...]) -> TokenCount:
    if count is None:
        return TokenCount(probability=p)
    low, high = binomial_interval(drawn[0].n, min(max(p, 0.0), 1.0))
    return TokenCount(probability=p, count=count, low=low, high=high)


def _everything_else(probs: list[Tensor], ids: list[int], drawn: tuple[Draws, ...], n_others: int) -> DrawRow:
    sides = []
    for i, p in enumerate(probs):
        others = p.clone()
        others[ids] = 0
        count = drawn[i].n - int(drawn[i].counts[ids].sum()) if drawn else None
        sides.append(_count(float(others.sum()), count, drawn))
    return DrawRow(token_id=None, text="", in_view=False, n_tokens=n_others, sides=tuple(sides))


def _side(scores: Tensor, draws: Draws | None, final: Tensor) -> DrawSide:
    possible = int((scores > -math.inf).sum())
    if draws is None:
        return DrawSide(n_possible=possible)
    return DrawSide(
        n_possible=possible,
        n_different=int((draws.counts > 0).sum()),
        n_impossible=int(draws.counts[final == -math.inf].sum()),
    )
