"""Packing: a row of a step becomes a head and a tail; see `decoding.files.head_and_tail`.

Hundreds of rows are packed for each second of decoding. So everything is done in numpy (torch shares so little work out
to threads, and waits for them), a row is sorted once, and of a stage that changed nothing nothing is computed anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from decoding.files.head_and_tail import ANEW, AS_BEFORE, AS_HEAD, GONE
from decoding.reading.distribution import Distribution, distribution
from decoding.recorded.stages import Stage, decode_stage, encode_stages
from decoding.recorded.tail import Tail

__all__ = ["PackedRow", "pack_row", "pack_step"]

CAP = 256  # tokens outside the head that a stage singles out; beyond, the tail gets a histogram of its own after it
FINE, N_FINE, GROWTH = 0.25, 32, 1.15  # bins: 0.25 nats wide for the first 8 nats, then each wider than the last
LEAST = 1e-280  # below it a sum of weights may have lost digits
FACTS = {
    "n_alive": torch.int32, "n_removed": torch.int32, "mass_removed": torch.float64, "entropy_nats": torch.float64,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedRow:
    """One row of a step, on its way into `pack_step`.

    Attributes:
        ids: of the head, likeliest first.
        logits: theirs, in the model's dtype.
        stages: what `encode_stages` made of the head, for a single row.
        tail_kinds: per stage.
        tails: the tail before the first stage, and after each that left it `ANEW`; None elsewhere.
        lse: log of the tail's sum of exp, before the first stage and after each; −inf where nothing is left.
        facts: per name one number before the first stage and after each.
    """

    ids: np.ndarray
    logits: Tensor
    stages: dict[str, Tensor]
    tail_kinds: list[int]
    tails: list[Tail | None]
    lse: list[float]
    facts: dict[str, list[float]]


def pack_row(
    logits: Tensor, scores: Sequence[Tensor], stages: Sequence[Stage], n_head: int, also: set[int]
) -> PackedRow:
    """A row as head and tail.

    Args:
        logits: as the model gave them, [vocab].
        scores: before the first stage and after each, float32 [vocab].
        n_head: how many of the likeliest tokens belong to the head.
        also: further ids for the head.
    """
    each = [s.numpy() for s in scores]
    upwards = np.sort(each[0])  # NaN last
    ids = _head_ids(each, upwards, n_head, also)
    head = torch.from_numpy(ids)
    encoded = encode_stages(stages, [s[head][None] for s in scores])
    rest = np.ones(len(logits), dtype=bool)
    rest[ids] = False
    spread = distribution(each[0])
    kinds: list[int] = []
    tails: list[Tail | None] = [_binned(_without(upwards, each[0][ids]), each[0][ids])]
    lse, facts = [_lse(spread, rest)], [_facts(spread, None)]
    for s, (before, after) in enumerate(pairwise(each), start=1):
        if _same_bits(before, after):
            kind = AS_BEFORE
            facts.append(facts[-1] | {"n_removed": 0, "mass_removed": 0.0})
        else:
            spread, earlier = distribution(after), spread
            kind = _tail_kind(encoded, s, before[rest], after[rest])
            facts.append(_facts(spread, earlier))
        kinds.append(kind)
        tails.append(_binned(np.sort(after[rest]), after[ids]) if kind == ANEW else None)
        lse.append(lse[-1] if kind == AS_BEFORE else -math.inf if kind == GONE else _lse(spread, rest))
    return PackedRow(
        ids=ids.astype(np.int32), logits=logits[head], stages=encoded, tail_kinds=kinds, tails=tails, lse=lse,
        facts={name: [of_stage[name] for of_stage in facts] for name in FACTS},
    )  # fmt: skip


def pack_step(rows: Sequence[PackedRow]) -> dict[str, Tensor]:
    """The arrays of a step, as a file keeps them."""
    n_stages = len(rows[0].tail_kinds)
    arrays: dict[str, Tensor] = {
        "kinds": torch.cat([row.stages["kinds"] for row in rows], 1),
        "scalars": torch.cat([row.stages["scalars"] for row in rows], 1),
        "head.starts": _starts([len(row.ids) for row in rows]),
        "head.ids": torch.from_numpy(np.concatenate([row.ids for row in rows])),
        "head.logits": torch.cat([row.logits for row in rows]),
        "tail.kinds": torch.tensor([row.tail_kinds for row in rows], dtype=torch.uint8).reshape(len(rows), n_stages).T,
        "tail.lse": torch.tensor([row.lse for row in rows], dtype=torch.float64).T,
    }
    for r, row in enumerate(rows):
        for name, array in row.stages.items():
            if "." in name:
                stage, _, what = name.split(".", 2)
                arrays[f"{stage}.{r}.{what}"] = array
    for name, dtype in FACTS.items():
        arrays[f"facts.{name}"] = torch.tensor([row.facts[name] for row in rows], dtype=dtype).T
    arrays |= _pack_tails([row.tails for row in rows])
    return {name: array.contiguous() for name, array in arrays.items()}


def _pack_tails(tails: list[list[Tail | None]]) -> dict[str, Tensor]:
    kept = [tail for of_row in tails for tail in of_row if tail is not None]
    numbers = iter(range(len(kept)))
    which = [[-1 if tail is None else next(numbers) for tail in of_row] for of_row in tails]
    joined = {
        name: torch.from_numpy(np.concatenate([getattr(tail, name) for tail in kept]))
        for name in ("count", "high", "low", "mass")
    }
    return {
        "tail.which": torch.tensor(which, dtype=torch.int32).T,
        "tail.starts": _starts([len(tail.count) for tail in kept]),
        "tail.count": joined["count"].int(),
        **{f"tail.{name}": joined[name].float() for name in ("high", "low", "mass")},
    }


def _starts(lengths: Sequence[int]) -> Tensor:
    return torch.tensor([0, *np.cumsum(lengths, dtype=np.int64).tolist()], dtype=torch.int32)


def _same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one.view(np.int32), other.view(np.int32))


# --- the head ---------------------------------------------------------------------------------------------


def _head_ids(each: list[np.ndarray], upwards: np.ndarray, n_head: int, also: set[int]) -> np.ndarray:
    """The head's ids, likeliest first: the top, `also`, what is no number, and what single stages pick out."""
    logits, n = each[0], len(each[0])
    head = _likeliest(logits, upwards, n_head)
    head[[i for i in also if 0 <= i < n]] = True
    for scores in each:
        if not scores.max() < math.inf:
            head |= np.isnan(scores) | (scores == np.inf)
    for picked in _picked(each):
        picked = picked & ~head
        if 0 < np.count_nonzero(picked) <= CAP:
            head |= picked
    ids = np.flatnonzero(head)
    return ids[np.argsort(-logits[ids], kind="stable")]


def _likeliest(logits: np.ndarray, upwards: np.ndarray, n: int) -> np.ndarray:
    """A mask of the `n` highest logits; NaN is not among them as long as there are others."""
    if n >= len(logits):
        return np.ones(len(logits), dtype=bool)
    first = int(np.searchsorted(upwards, math.nan)) - n
    if first > 0 and upwards[first - 1] < upwards[first]:
        return logits >= upwards[first]
    mask = np.zeros(len(logits), dtype=bool)
    mask[np.argpartition(-logits, n)[:n]] = True  # a tie: some of the equal ones
    return mask


def _picked(each: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Masks of the tokens that each stage removes, leaves, and changes."""
    for before, after in pairwise(each):
        left = after > -np.inf
        if _same_bits(before, after):
            yield left
            continue
        yield (before > -np.inf) & (after == -np.inf)
        yield left
        yield (before.view(np.int32) != after.view(np.int32)) & left


# --- the tail ---------------------------------------------------------------------------------------------


def _without(upwards: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sorted scores without some of them."""
    values = np.sort(values)
    nth = np.arange(len(values)) - np.searchsorted(values, values)  # among those that are equal
    return np.delete(upwards, np.searchsorted(upwards, values) + nth)


def _tail_kind(head: dict[str, Tensor], stage: int, before: np.ndarray, after: np.ndarray) -> int:
    if _same_bits(before, after):
        return AS_BEFORE
    if not (after > -np.inf).any():
        return GONE
    same_operation = not any(name.startswith(f"{stage}.") for name in head)  # nothing but two scalars
    if same_operation and np.array_equal(decode_stage(head, stage, 0, torch.from_numpy(before)).numpy(), after):
        return AS_HEAD
    return ANEW


def _binned(upwards: np.ndarray, apart: np.ndarray) -> Tail:
    """Sorted scores, those above −inf, in bins, none of which has scores on both sides of one in `apart`.

    So the rank of a token of the head is that in the whole vocabulary, wherever within its bin a score may lie.
    """
    alive = upwards[np.searchsorted(upwards, -np.inf, side="right") :][::-1].astype(np.float64)
    if len(alive) == 0:
        empty = np.zeros(0)
        return Tail(count=empty.astype(np.int64), high=empty, low=empty, mass=empty)
    depth = alive[0] - alive  # rises
    by_depth = np.searchsorted(depth, _depths(depth[-1]))
    by_head = np.searchsorted(-alive, -apart[np.isfinite(apart)].astype(np.float64))  # a tie lies below
    first = np.unique(np.concatenate([[0], by_depth, by_head]))
    first = first[first < len(alive)]
    count = np.diff(np.append(first, len(alive)))
    high, low = alive[first], alive[np.append(first[1:], len(alive)) - 1]
    mass = np.add.reduceat(np.exp(alive - np.repeat(high, count)), first)
    return Tail(count=count, high=high, low=low, mass=mass)


def _depths(reach: float) -> np.ndarray:
    """Where bins end, in nats below the highest score."""
    edges = [FINE * (i + 1) for i in range(N_FINE)]
    width = FINE
    while edges[-1] <= reach and len(edges) < 256:
        width *= GROWTH
        edges.append(edges[-1] + width)
    return np.array(edges)


def _lse(spread: Distribution, rest: np.ndarray) -> float:
    """Log of the sum of exp of the tail, which `rest` masks."""
    weight = float(spread.weights[rest].sum())
    if weight > LEAST:  # not NaN, either
        return spread.top + math.log(weight)
    tail = distribution(spread.scores[rest]) if rest.any() else None
    if tail is None or math.isnan(tail.total):
        return -math.inf
    return tail.top + math.log(tail.total)


def _facts(spread: Distribution, earlier: Distribution | None) -> dict[str, float]:
    """What is true of a row after a stage; without an earlier distribution, before the first."""
    dead = ~(spread.scores > -np.inf)
    gone = dead & (earlier.scores > -np.inf) if earlier is not None else np.zeros_like(dead)
    return {
        "n_alive": len(dead) - int(np.count_nonzero(dead)),
        "n_removed": int(np.count_nonzero(gone)),
        "mass_removed": min(earlier.share(gone), 1.0) if earlier is not None and gone.any() else 0.0,
        "entropy_nats": spread.entropy,
    }
