"""Stages: logits processors run one by one, and what each did kept without loss.

A stage is stored as what it did to its input: nothing, one division, one multiplication, a shift by two
scalars (a log-softmax), one number added to some tokens, a patch (some tokens removed, some changed), or, when
it is none of these, its whole output. Whatever is stored has been decoded and compared bit for bit before the
step counts as recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import isroutine
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.generation import LogitsProcessorList, logits_process, stopping_criteria

from decoding.errors import RecordingError, TraceFileError

__all__ = ["LOG_SOFTMAX", "Stage", "decode_stage", "encode_stages", "name_of", "run_processors", "stages_of"]

LOG_SOFTMAX = "log_softmax"  # stage 1 of beam methods, where processors see log-probabilities

NAMES_OF_TRANSFORMERS = frozenset(vars(logits_process)) | frozenset(vars(stopping_criteria))
Encoding = tuple[int, tuple[float, float], dict[str, np.ndarray]]  # kind, two numbers, arrays by name

SAME, DIVIDED, MULTIPLIED, SHIFTED, PATCHED, DENSE, ADDED = range(7)


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
    kinds = torch.zeros(len(stages), n_rows, dtype=torch.uint8)
    scalars = torch.zeros(len(stages), n_rows, 2, dtype=torch.float64)
    arrays: dict[str, Tensor] = {}
    for s, stage in enumerate(stages):
        before, after = outputs[s].detach(), outputs[s + 1].detach()
        if before.dtype != torch.float32 or after.dtype != torch.float32 or before.shape != after.shape:
            kinds[s] = DENSE  # a processor of the caller's own that changes the dtype or the number of tokens
            arrays |= {f"{s + 1}.{row}.dense": after[row].clone() for row in range(n_rows)}
            continue
        hints = [float(v) for v in stage.params.values() if type(v) in (int, float) and v != 0]
        for row in range(n_rows):
            kind, pair, parts = _encode(before[row].numpy(), after[row].numpy(), hints)
            kinds[s, row] = kind
            scalars[s, row, 0], scalars[s, row, 1] = pair
            arrays |= {f"{s + 1}.{row}.{what}": torch.from_numpy(part) for what, part in parts.items()}
    return {"kinds": kinds, "scalars": scalars, **arrays}


def decode_stage(arrays: dict[str, Tensor], stage: int, row: int, before: Tensor) -> Tensor:
    """The output of a stage for one row, shape [vocab], from its input and `encode_stages`' arrays.

    Args:
        stage: counted from 1.

    Raises:
        TraceFileError: the arrays do not fit each other (a damaged or hostile file).
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
        raise TraceFileError(
            "stage {stage} of row {row} does not decode: {err}; the trace is damaged",
            stage=stage, row=row, err=err,
        ) from err


def changed_anything(arrays: dict[str, Tensor], stage: int) -> bool:
    """Whether a stage (counted from 1) changed a single bit of any row at this step."""
    return bool((arrays["kinds"][stage - 1] != SAME).any())


# What follows works on numpy views of the tensors: on vectors of this size numpy takes a tenth of the time,
# and no second thread that other work on the machine may hold up.


@np.errstate(all="ignore")  # NaN and infinite scores are recorded like any other
def _encode(before: np.ndarray, after: np.ndarray, hints: Sequence[float]) -> Encoding:
    changed = _bits(before) != _bits(after)
    n_changed = int(np.count_nonzero(changed))
    if n_changed == 0:
        return SAME, (0.0, 0.0), {}
    gone = after == -np.inf
    removed = changed & gone
    n_edited = n_changed - int(np.count_nonzero(removed))
    for attempt in _attempts(before, after, gone, removed, changed & ~gone, n_edited, hints):
        if np.array_equal(_bits(_decode(*attempt, before)), _bits(after)):
            return attempt
    return DENSE, (0.0, 0.0), {"dense": after.copy()}


def _attempts(
    before: np.ndarray, after: np.ndarray, gone: np.ndarray, removed: np.ndarray, edited: np.ndarray, n_edited: int,
    hints: Sequence[float],
) -> Iterator[Encoding]:  # fmt: skip
    """Encodings worth trying, the smallest first."""
    n_left = len(after) - int(np.count_nonzero(gone))
    which = _which(gone, removed, n_left)
    if n_edited:
        one = np.argmax(edited)  # what does not hold for one entry need not be tried on all
        for value in hints:
            # The second is how CUDA divides by a scalar.
            for kind, scalar in ((DIVIDED, value), (MULTIPLIED, 1 / np.float32(value)), (MULTIPLIED, value)):
                if _decode(kind, (scalar, 0.0), {}, before[one]) == after[one]:
                    yield kind, (float(scalar), 0.0), {}
        if 2 * n_edited > n_left:
            top = np.argmax(before)
            yield SHIFTED, (float(before[top]), -float(after[top])), {}
        for value in hints:
            if not which and before[one] + np.float32(value) == after[one]:
                yield ADDED, (value, 0.0), _where(edited, n_edited)
    # A changed entry takes at least four bytes; from here on it depends on how many there are.
    if n_edited < len(after):
        parts = {**which, **_where(edited, n_edited), **({"values": after[edited]} if n_edited else {})}
        if sum(part.nbytes for part in parts.values()) < after.nbytes:
            yield PATCHED, (0.0, 0.0), parts


def _which(gone: np.ndarray, removed: np.ndarray, n_left: int) -> dict[str, np.ndarray]:
    """The removed tokens in the shortest of three forms."""
    n_removed = int(np.count_nonzero(removed))
    if n_removed == 0:
        return {}
    bitmap_size = (len(gone) + 7) // 8
    if 4 * min(n_removed, n_left) > bitmap_size:
        return {"bitmap": _packed(removed)}
    if n_left < n_removed:
        return {"left": np.flatnonzero(~gone).astype(np.int32)}
    return {"removed": np.flatnonzero(removed).astype(np.int32)}


def _where(edited: np.ndarray, n_edited: int) -> dict[str, np.ndarray]:
    """The edited tokens in the shorter of two forms."""
    if n_edited == 0:
        return {}
    if 4 * n_edited > (len(edited) + 7) // 8:
        return {"edited_bitmap": _packed(edited)}
    return {"edited": np.flatnonzero(edited).astype(np.int32)}


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
