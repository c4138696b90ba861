"""A step kept as head and tail: the likeliest tokens exactly, all others as a histogram.

The head of a row has the likeliest tokens and every token that the run mentions, with their logits and with what each
stage did to them, bit for bit. Of the tail, the tokens below, each bin of logits keeps how many there are, the largest
and the smallest, and their sum of exp; which token lies in which bin is not kept. What was true of the whole
distribution (tokens alive, mass removed, entropy, the tail's mass after each stage) is kept as recorded facts.

`decoding.files.packing` makes it. A row can be filled up again to a score for each token of the vocabulary. Those of
the tail then stand for their bin: as many as there were, with the same sum of exp, but handed out in an order of no
meaning.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
from torch import Tensor

from decoding.errors import DamagedStepError
from decoding.recorded.sampler_facts import PREFIX
from decoding.recorded.stages import DENSE, SAME, decode_stage
from decoding.recorded.tail import Tail
from decoding.words import words

__all__ = ["ANEW", "AS_BEFORE", "AS_HEAD", "GONE", "check_packed", "fill_up", "head_of", "tail_of"]

AS_BEFORE, AS_HEAD, GONE, ANEW = range(4)  # what a stage did to the tail

# Arrays of a packed step: dtypes, and shape by letters: s stages, t stages and the logits, r rows.
SHAPES = {
    "kinds": ("sr", (torch.uint8,)), "scalars": ("sr2", (torch.float64,)), "tail.kinds": ("sr", (torch.uint8,)),
    "tail.which": ("tr", (torch.int32,)), "tail.lse": ("tr", (torch.float64,)),
    "facts.n_alive": ("tr", (torch.int32,)), "facts.n_removed": ("tr", (torch.int32,)),
    "facts.mass_removed": ("tr", (torch.float64,)), "facts.entropy_nats": ("tr", (torch.float64,)),
}  # fmt: skip
LISTS = {
    "head.starts": (torch.int32,), "head.ids": (torch.int32,),
    "head.logits": (torch.float32, torch.float16, torch.bfloat16, torch.float64), "tail.starts": (torch.int32,),
    "tail.count": (torch.int32,), "tail.high": (torch.float32,), "tail.low": (torch.float32,),
    "tail.mass": (torch.float32,),
}  # fmt: skip


# --- filling up -------------------------------------------------------------------------------------------

KEPT = ("contrastive.", "facts.", PREFIX)  # arrays that are no scores


def fill_up(packed: dict[str, Tensor], vocab: int, order: np.ndarray) -> dict[str, Tensor]:
    """A packed step as if it were lossless: `logits` float32 [rows, vocab], and stages as `decode_stage` reads them.

    Args:
        packed: from `pack_step`, checked.
        order: all ids; a row's tail gets its scores in this order, the highest first.

    Raises:
        DamagedStepError: the arrays do not fit each other (a damaged or hostile file).
    """
    try:
        with np.errstate(all="ignore"):
            return _fill_up(packed, vocab, order)
    except (IndexError, KeyError, OverflowError, RuntimeError, TypeError, ValueError) as err:
        raise DamagedStepError("heads and tails do not fit each other: {err}; the trace is damaged", err=err) from err


def _fill_up(packed: dict[str, Tensor], vocab: int, order: np.ndarray) -> dict[str, Tensor]:
    n_stages, n_rows = packed["kinds"].shape
    acts = (packed["kinds"] != SAME) | (packed["tail.kinds"] != AS_BEFORE)
    arrays = {name: array for name, array in packed.items() if name.startswith(KEPT)}
    logits = torch.empty(n_rows, vocab, dtype=torch.float32)
    for row in range(n_rows):
        filled = _fill_row(packed, row, vocab, order)
        logits[row] = torch.from_numpy(filled[0])
        for stage in range(1, n_stages + 1):
            if acts[stage - 1, row]:
                arrays[f"{stage}.{row}.dense"] = torch.from_numpy(filled[stage])
    arrays["kinds"] = torch.where(acts, DENSE, SAME).to(torch.uint8)
    return {"logits": logits, "scalars": packed["scalars"], **arrays}


def tail_of(packed: dict[str, Tensor], row: int, stage: int = 0) -> Tail | None:
    """The tail's bins before the first stage, or after one that changed them; None where there are none of its own."""
    which = int(packed["tail.which"][stage, row])
    if which < 0:
        return None
    start, end = packed["tail.starts"][which : which + 2].tolist()
    high, low, mass = (packed[f"tail.{name}"][start:end].numpy().astype(np.float64) for name in ("high", "low", "mass"))
    return Tail(count=packed["tail.count"][start:end].numpy().astype(np.int64), high=high, low=low, mass=mass)


def head_of(packed: dict[str, Tensor], row: int) -> tuple[np.ndarray, Tensor]:
    """Ids of a row's head, likeliest first, int64 [n], and their logits, float32 [n]."""
    start, end = packed["head.starts"][row : row + 2].tolist()
    return packed["head.ids"][start:end].numpy().astype(np.int64), packed["head.logits"][start:end].float()


def _fill_row(packed: dict[str, Tensor], row: int, vocab: int, order: np.ndarray) -> list[np.ndarray]:
    """The row's scores before the first stage and after each, each float32 [vocab]."""
    ids, scores = head_of(packed, row)
    rest = np.ones(vocab, dtype=bool)
    rest[ids] = False
    tail_ids = order[rest[order]]
    tail = cast(Tail, tail_of(packed, row))  # `check_packed` has seen that it has bins
    count, standing = tail.count, tail.stand_ins
    out = [_filled(vocab, ids, scores.numpy(), tail_ids, count, standing)]
    for stage in range(1, packed["kinds"].shape[0] + 1):
        scores = decode_stage(packed, stage, row, scores)
        kind = int(packed["tail.kinds"][stage - 1, row])
        if kind == GONE:
            count, standing = count[:0], standing[:0]
        elif kind == ANEW:
            tail = cast(Tail, tail_of(packed, row, stage))
            count, standing = tail.count, tail.stand_ins
        elif kind == AS_HEAD:
            standing = decode_stage(packed, stage, row, torch.from_numpy(standing)).numpy()
            standing = _with_mass(standing, count, float(packed["tail.lse"][stage, row]))
        out.append(_filled(vocab, ids, scores.float().numpy(), tail_ids, count, standing))
    for stage, filled in enumerate(out):
        alive, said = int(np.count_nonzero(filled > -np.inf)), int(packed["facts.n_alive"][stage, row])
        if alive != said:
            raise DamagedStepError(
                "row {row} has {alive} tokens after stage {stage}, facts.n_alive says {said}; the trace is damaged",
                row=row + 1, alive=alive, stage=stage, said=said,
            )  # fmt: skip
    return out


def _with_mass(scores: np.ndarray, count: np.ndarray, lse: float) -> np.ndarray:
    """Stand-ins shifted so that together they have the recorded sum of exp again, which scaling changed a little."""
    if not len(scores):
        return scores
    top = float(scores.max())
    now = top + math.log(float((count * np.exp(scores.astype(np.float64) - top)).sum()))
    return (scores.astype(np.float64) + (lse - now)).astype(np.float32)


def _filled(
    vocab: int, ids: np.ndarray, scores: np.ndarray, tail_ids: np.ndarray, count: np.ndarray, standing: np.ndarray
) -> np.ndarray:
    out = np.full(vocab, -np.inf, dtype=np.float32)
    out[ids] = scores
    each = np.repeat(standing, count)
    out[tail_ids[: len(each)]] = each
    return out


# --- reading what a stranger wrote ------------------------------------------------------------------------


def check_packed(packed: dict[str, Tensor], n_rows: int, vocab: int, n_stages: int) -> None:
    """Refuses the arrays of a packed step that cannot be one.

    Raises:
        DamagedStepError: says which array, and why.
    """
    sizes = {"s": n_stages, "t": n_stages + 1, "r": n_rows, "2": 2}
    for name, (letters, dtypes) in SHAPES.items():
        _check_array(packed, name, dtypes, tuple(sizes[letter] for letter in letters))
    for name, list_dtypes in LISTS.items():
        _check_array(packed, name, list_dtypes, None)
    _check_starts(packed, "head.starts", n_rows, len(packed["head.ids"]))
    if len(packed["head.logits"]) != len(packed["head.ids"]):
        raise DamagedStepError("head.logits and head.ids differ in length; the file is damaged")
    _check_range("head.ids", packed["head.ids"], 0, vocab - 1)
    which = packed["tail.which"]
    n_tails = len(packed["tail.starts"]) - 1
    _check_range("tail.which", which, -1, n_tails - 1)
    if bool((which[0] < 0).any()) or bool((which[1:][packed["tail.kinds"] == ANEW] < 0).any()):
        raise DamagedStepError("tail.which names no bins where there must be some; the file is damaged")
    _check_range("tail.kinds", packed["tail.kinds"], 0, ANEW)
    _check_tails(packed, n_tails)
    for name in ("facts.n_alive", "facts.n_removed"):
        _check_range(name, packed[name], 0, vocab)
    _check_rows(packed, n_rows, vocab, n_stages)


def _check_tails(packed: dict[str, Tensor], n_tails: int) -> None:
    n_bins = len(packed["tail.count"])
    _check_starts(packed, "tail.starts", n_tails, n_bins)
    for name in ("high", "low", "mass"):
        array = packed[f"tail.{name}"]
        if len(array) != n_bins or not bool(torch.isfinite(array).all()):
            raise DamagedStepError(
                "tail.{name} is not one finite number for each of {n_bins} bins; the file is damaged",
                name=name, n_bins=n_bins,
            )
    _check_range("tail.count", packed["tail.count"], 1, 2**31 - 1)
    count, mass = packed["tail.count"].double(), packed["tail.mass"].double()
    if bool((packed["tail.low"] > packed["tail.high"]).any()):
        raise DamagedStepError("a bin of the tail ends above its beginning; the file is damaged")
    least = torch.exp(packed["tail.low"].double() - packed["tail.high"].double())
    least = 1 + (count - 1) * least  # one of them is the highest
    if bool((mass > count * (1 + 1e-5)).any()) or bool((mass < least * (1 - 1e-5)).any()):
        raise DamagedStepError("tail.mass is not what so many tokens of a bin can add up to; the file is damaged")
    if bool(torch.isnan(packed["tail.lse"]).any()) or bool((packed["tail.lse"] == math.inf).any()):
        raise DamagedStepError("tail.lse is no number; the file is damaged")


def _check_rows(packed: dict[str, Tensor], n_rows: int, vocab: int, n_stages: int) -> None:
    """No row has an id twice, or a tail that the rest of the vocabulary has no room for."""
    starts = packed["head.starts"].tolist()
    bins = packed["tail.starts"].tolist()
    sums = [0, *torch.cumsum(packed["tail.count"].long(), 0).tolist()]
    for row in range(n_rows):
        ids = packed["head.ids"][starts[row] : starts[row + 1]]
        if len(torch.unique(ids)) != len(ids):
            raise DamagedStepError("head.ids of row {row} has an id twice; the file is damaged", row=row)
        room = vocab - len(ids)
        for stage in range(n_stages + 1):
            which = int(packed["tail.which"][stage, row])
            n = sums[bins[which + 1]] - sums[bins[which]] if which >= 0 else 0
            if n > room:
                raise DamagedStepError(
                    "the tail of row {row} has {n} tokens, room is for {room}; the file is damaged",
                    row=row, n=n, room=room,
                )


def _check_array(
    packed: dict[str, Tensor], name: str, dtypes: tuple[torch.dtype, ...], shape: tuple[int, ...] | None
) -> None:
    array = packed.get(name)
    fits_shape = array is not None and (array.ndim == 1 if shape is None else tuple(array.shape) == shape)
    if array is None or array.dtype not in dtypes or not fits_shape:
        found = words("missing") if array is None else f"{array.dtype} {tuple(array.shape)}"
        raise DamagedStepError(
            "{name} is {found}; a compact step has {shape} of {dtypes}",
            name=name, found=found, shape=shape or "one row", dtypes=dtypes[0],
        )


def _check_starts(packed: dict[str, Tensor], name: str, n: int, end: int) -> None:
    starts = packed[name].long()
    if len(starts) != n + 1 or int(starts[0]) != 0 or int(starts[-1]) != end or bool((starts.diff() < 0).any()):
        raise DamagedStepError(
            "{name} must rise from 0 to {end} in {n} parts; the file is damaged",
            name=name, end=end, n=n,
        )


def _check_range(name: str, array: Tensor, least: int, most: int) -> None:
    if array.numel() and (int(array.min()) < least or int(array.max()) > most):
        raise DamagedStepError(
            "{name} is outside [{least}, {most}]; the file is damaged",
            name=name, least=least, most=most,
        )
