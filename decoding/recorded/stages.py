"""Stages: logits processors run one by one, and what each did kept without loss.

A stage is stored as what it did to its input: nothing, one division, one multiplication, a shift by two
scalars (a log-softmax), one number added to some tokens, a patch (some tokens removed, some changed), or, when
it is none of these, its whole output. What is arithmetic has been done again and compared bit for bit before the step
counts as recorded; a patch holds the very bits that are not those of the input.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from inspect import isroutine
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.generation import LogitsProcessorList, logits_process, stopping_criteria

from decoding.errors import DamagedStepError, RecordingError

__all__ = ["LOG_SOFTMAX", "Stage", "decode_stage", "encode_stages", "name_of", "run_processors", "stages_of"]

LOG_SOFTMAX = "log_softmax"  # stage 1 of beam methods, where processors see log-probabilities

NAMES_OF_TRANSFORMERS = frozenset(vars(logits_process)) | frozenset(vars(stopping_criteria))
Encoding = tuple[int, tuple[float, float], dict[str, np.ndarray]]  # kind, two numbers, arrays by name

SAME, DIVIDED, MULTIPLIED, SHIFTED, PATCHED, DENSE, ADDED = range(7)

SOME = 64  # scores of a row on which an operation is tried first
GOLDEN = 0.6180339887498949  # steps of so much of a whole never fall where others did
DIGITS = 2  # by so many last digits a quotient of two rounded numbers may be off
FEW = 16  # of so many tokens one, or fewer, is few


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One transformation of the scores.

    Attributes:
        name: the processor's class name as transformers spells it, or `log_softmax`. A class of somebody else's that is
            called like one of transformers' has its package before it: `xgrammar.LogitsProcessor`.
        params: its numeric parameters by attribute name.
        own: it came from the caller: settings alone do not build it.
    """

    name: str
    params: dict[str, Any]
    own: bool = False


def stages_of(processors: Iterable[Any], callers: Sequence[Any] = ()) -> tuple[Stage, ...]:
    """The stages that a `LogitsProcessorList` will run, in its order.

    Args:
        callers: those of the processors that came from the caller, whatever their class.
    """
    return tuple(Stage(name=name_of(p), params=_params(p), own=_is_callers(p, callers)) for p in processors)


def name_of(thing: Any) -> str:
    """What a processor or stopping criterion is called: its class or, of a function, its own name."""
    function = thing.func if isinstance(thing, partial) else thing
    if isroutine(function):
        return function.__name__.strip("<>")
    kind = type(function)
    if not _is_ours(kind) and kind.__name__ in NAMES_OF_TRANSFORMERS:
        return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    return kind.__name__


def run_processors(processors: Iterable[Any], input_ids: Tensor, logits: Tensor) -> tuple[list[Tensor], Tensor]:
    """The scores before the first processor and after each, none of them shared with another.

    The processors run as in `generate()`: each is given the very tensor that the one before it returned, and may
    write into it. What is returned as scores are copies, taken in between.

    Args:
        processors: called as `LogitsProcessorList` calls them.
        input_ids: the rows so far, shape [rows, length].
        logits: float32, shape [rows, vocab]; the first processor gets them as they are.

    Returns:
        `n_processors + 1` tensors of shape [rows, vocab], and the very tensor that the last processor returned.

    Raises:
        RecordingError: a processor returned no tensor.
    """
    outputs, scores = [_snapshot(logits)], logits
    for processor in processors:
        scores = LogitsProcessorList([processor])(input_ids, scores)
        if not isinstance(scores, Tensor):
            raise RecordingError(
                "{name} returned {scores_type} instead of scores; return a tensor",
                name=name_of(processor), scores_type=type(scores).__name__,
            )
        outputs.append(_snapshot(scores))
    return outputs, scores


def _snapshot(scores: Tensor) -> Tensor:
    return scores.detach().clone(memory_format=torch.contiguous_format)


def encode_stages(stages: Sequence[Stage], outputs: Sequence[Tensor]) -> dict[str, Tensor]:
    """What each stage did to each row, as named arrays that `decode_stage` turns back into its output.

    Args:
        stages: n stages.
        outputs: n + 1 CPU tensors of shape [rows, vocab], the first the float32 logits.

    Returns:
        `kinds` uint8 [n, rows], `scalars` float64 [n, rows, 2], and arrays named `{stage}.{row}.{what}` with
        stages counted from 1.
    """
    n_rows = outputs[0].shape[0]
    kinds = np.zeros((len(stages), n_rows), dtype=np.uint8)
    scalars = np.zeros((len(stages), n_rows, 2), dtype=np.float64)
    arrays: dict[str, Tensor] = {}
    hints = [[float(v) for v in stage.params.values() if type(v) in (int, float) and v != 0] for stage in stages]
    for row in range(n_rows):
        before = _row_of(outputs[0], row)
        for s in range(len(stages)):
            after = _row_of(outputs[s + 1], row)
            if before is None or after is None or len(before.values) != len(after.values):
                kinds[s, row] = DENSE  # a processor of the caller's own that changes the dtype or the number of tokens
                arrays[f"{s + 1}.{row}.dense"] = outputs[s + 1][row].detach().clone()
            else:
                kinds[s, row], scalars[s, row], parts = _encode(before, after, hints[s])
                arrays |= {f"{s + 1}.{row}.{what}": torch.from_numpy(part) for what, part in parts.items()}
            before = after
    return {"kinds": torch.from_numpy(kinds), "scalars": torch.from_numpy(scalars), **arrays}


def decode_stage(arrays: dict[str, Tensor], stage: int, row: int, before: Tensor) -> Tensor:
    """The output of a stage for one row, shape [vocab], from its input and `encode_stages`' arrays.

    Args:
        stage: counted from 1.

    Raises:
        DamagedStepError: the arrays do not fit each other (a damaged or hostile file).
    """
    try:
        kind = int(arrays["kinds"][stage - 1, row])
        pair = arrays["scalars"][stage - 1, row].tolist()
        prefix = f"{stage}.{row}."
        if kind == DENSE:
            return arrays[prefix + "dense"].clone()
        parts = {name[len(prefix) :]: part.numpy() for name, part in arrays.items() if name.startswith(prefix)}
        with np.errstate(all="ignore"):
            return torch.from_numpy(_decode(kind, pair, parts, before.numpy()))
    except (IndexError, KeyError, OverflowError, RuntimeError, TypeError, ValueError) as err:
        raise DamagedStepError(
            "stage {stage} of row {row} does not decode: {err}; the trace is damaged",
            stage=stage, row=row, err=err,
        ) from err


def changed_anything(arrays: dict[str, Tensor], stage: int) -> bool:
    """Whether a stage (counted from 1) changed a single bit of any row at this step."""
    return bool((arrays["kinds"][stage - 1] != SAME).any())


# What follows works on numpy views of the tensors: on vectors of this size numpy takes a tenth of the time,
# and no second thread that other work on the machine may hold up. One row after the other: a row, all its stages and
# their masks stay in the processor's cache, which the rows of a batch together would not.


class _Scores:
    """A row of scores, float32 [vocab], and which of them are not −∞: found once, though two stages ask."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.bits = values, _bits(values)
        self.alive = values != -np.inf  # bool [vocab]
        self.n_alive = int(np.count_nonzero(self.alive))

    @cached_property
    def few(self) -> np.ndarray | None:
        """The ids of those alive where they are few, and so all that another row need be compared at; else None."""
        return np.flatnonzero(self.alive) if FEW * self.n_alive <= len(self.values) else None


def _row_of(scores: Tensor, row: int) -> _Scores | None:
    return _Scores(scores[row].detach().numpy()) if scores.dtype == torch.float32 else None


@np.errstate(all="ignore")  # NaN and infinite scores are recorded like any other
def _encode(before: _Scores, after: _Scores, hints: Sequence[float]) -> Encoding:
    """The smallest encoding that gives `after` back."""
    for kind, pair in _arithmetic(before, after, hints):
        if np.array_equal(_bits(_decode(kind, pair, {}, before.values)), after.bits):
            return kind, pair, {}
    return _patch(before, after, hints)


def _arithmetic(
    before: _Scores, after: _Scores, hints: Sequence[float]
) -> Iterator[tuple[int, tuple[float, float]]]:
    """One operation on all scores, tried on some: what does not hold for these need not be tried on all."""
    some = _spread_over(len(after.values), int(np.argmax(after.alive))) if after.few is None else after.few
    values, wanted, alive = before.values[some], after.bits[some], after.alive[some]
    n_edited = np.count_nonzero((_bits(values) != wanted) & alive)
    if not n_edited:
        return
    for value in hints:
        # The second is how CUDA divides by a scalar.
        for kind, scalar in ((DIVIDED, value), (MULTIPLIED, 1 / np.float32(value)), (MULTIPLIED, value)):
            if np.array_equal(_bits(_decode(kind, (scalar, 0.0), {}, values)), wanted):
                yield kind, (float(scalar), 0.0)
    if 2 * n_edited > np.count_nonzero(alive):
        top = np.argmax(before.values)
        pair = (float(before.values[top]), -float(after.values[top]))
        if np.array_equal(_bits(_decode(SHIFTED, pair, {}, values)), wanted):
            yield SHIFTED, pair
        for scalar in _divisors(values, wanted.view(np.float32)):
            if np.array_equal(_bits(_decode(DIVIDED, (scalar, 0.0), {}, values)), wanted):
                yield DIVIDED, (scalar, 0.0)


def _divisors(before: np.ndarray, after: np.ndarray) -> list[float]:
    """Numbers that may have divided some scores to give others: a temperature of the row's own is no parameter."""
    largest = int(np.argmax(np.where(np.isfinite(after), np.abs(after), 0.0)))  # its quotient says most
    quotient = before[largest : largest + 1] / after[largest : largest + 1]
    near = quotient.view(np.int32) + np.arange(-DIGITS, DIGITS + 1, dtype=np.int32)  # and those next to it
    scalars = near.view(np.float32)
    return scalars[np.isfinite(scalars)].astype(float).tolist()


@lru_cache(maxsize=64)
def _spread_over(n: int, one: int) -> np.ndarray:
    """SOME of n ids without a pattern that what was removed could have, too, and `one`, which was not."""
    return np.append((np.arange(SOME) * GOLDEN * n).astype(np.int64) % n, one)


def _patch(before: _Scores, after: _Scores, hints: Sequence[float]) -> Encoding:
    """The tokens that were removed and those that have other bits: with these there is nothing to check."""
    removed = before.alive & ~after.alive
    n_removed = before.n_alive - int(np.count_nonzero(before.alive & after.alive))
    if after.few is None:
        edited = np.flatnonzero((before.bits != after.bits) & after.alive)
    else:
        edited = after.few[before.bits[after.few] != after.bits[after.few]]
    if n_removed == 0 and len(edited) == 0:
        return SAME, (0.0, 0.0), {}
    values, where = after.values[edited], _where(edited, len(after.values))
    for value in hints if n_removed == 0 else ():
        if np.array_equal(_bits(before.values[edited] + np.float32(value)), _bits(values)):
            return ADDED, (value, 0.0), where
    parts = {**_which(after, removed, n_removed), **where, **({"values": values} if len(values) else {})}
    # A changed entry takes at least four bytes; from here on it depends on how many there are.
    if sum(part.nbytes for part in parts.values()) < after.values.nbytes:
        return PATCHED, (0.0, 0.0), parts
    return DENSE, (0.0, 0.0), {"dense": after.values.copy()}


def _which(after: _Scores, removed: np.ndarray, n_removed: int) -> dict[str, np.ndarray]:
    """The removed tokens (bool [vocab]) in the shortest of three forms."""
    if n_removed == 0:
        return {}
    if 4 * min(n_removed, after.n_alive) > (len(removed) + 7) // 8:
        return {"bitmap": _packed(removed)}
    if after.n_alive < n_removed:
        return {"left": np.flatnonzero(after.alive).astype(np.int32)}
    return {"removed": np.flatnonzero(removed).astype(np.int32)}


def _where(edited: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """The edited tokens (ids, of n) in the shorter of two forms."""
    if len(edited) == 0:
        return {}
    if 4 * len(edited) > (n + 7) // 8:
        mask = np.zeros(n, dtype=np.bool_)
        mask[edited] = True
        return {"edited_bitmap": _packed(mask)}
    return {"edited": edited.astype(np.int32)}


def _decode(
    kind: int, pair: Sequence[float | np.floating[Any]], parts: dict[str, np.ndarray], before: np.ndarray
) -> np.ndarray:
    first, second = np.float32(pair[0]), np.float32(pair[1])
    if kind == SAME:
        return before.copy()
    if kind == DIVIDED:
        return before / first
    if kind == MULTIPLIED:
        return before * first
    if kind == SHIFTED:
        return (before - first) - second
    if kind not in (PATCHED, ADDED):
        raise KeyError(f"unknown encoding {kind}")
    after = before.copy()
    if kind == ADDED:
        parts = {**parts, "values": before[_edited(parts, len(before))] + first}
    if "left" in parts:
        after.fill(-np.inf)
        after[parts["left"]] = before[parts["left"]]
    elif "removed" in parts:
        after[parts["removed"]] = -np.inf
    elif "bitmap" in parts:
        after[_unpacked(parts["bitmap"], len(before))] = -np.inf
    if "values" in parts:
        after[_edited(parts, len(before))] = parts["values"]
    return after


def _edited(parts: dict[str, np.ndarray], n: int) -> np.ndarray:
    return parts["edited"] if "edited" in parts else _unpacked(parts["edited_bitmap"], n)


def _bits(scores: np.ndarray) -> np.ndarray:
    return scores.view(np.int32)  # tells -0.0 from 0.0 and NaN from NaN, as == does not


def _packed(mask: np.ndarray) -> np.ndarray:
    return np.packbits(mask, bitorder="little")


def _unpacked(bitmap: np.ndarray, n: int) -> np.ndarray:
    return np.unpackbits(bitmap, count=n, bitorder="little").view(np.bool_)


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith(("transformers.", "decoding."))


def _is_callers(processor: Any, callers: Sequence[Any]) -> bool:
    return not _is_ours(type(processor)) or any(processor is one for one in callers)


def _params(processor: Any) -> dict[str, Any]:
    """Numbers among a processor's public attributes; texts and objects of the caller's stay private."""
    out: dict[str, Any] = {}
    for name, value in _attributes(processor).items():
        value = _plain(value)
        if name.startswith("_") or value is None or name == "filter_value":
            continue
        out[name] = value
    return out


def _attributes(thing: Any) -> dict[str, Any]:
    """Its attributes by name, whether they are in a dict or in slots; of a function, which has others, none."""
    if isroutine(thing):
        return {}
    slots = [getattr(kind, "__slots__", ()) for kind in reversed(type(thing).__mro__)]
    names = [name for each in slots for name in ((each,) if isinstance(each, str) else each)]
    kept = {name: getattr(thing, name) for name in names if not name.startswith("_") and hasattr(thing, name)}
    return {**kept, **getattr(thing, "__dict__", {})}


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.tolist() if value.numel() <= 64 else None
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)) and len(value) <= 64:
        items = [_plain(item) for item in value]
        return items if items and all(item is not None for item in items) else None
    return None
