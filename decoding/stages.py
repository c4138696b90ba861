"""Stages: logits processors run one by one, and what each did kept without loss.

A stage is stored as what it did to its input: nothing, one division, one multiplication, a shift by two
scalars (a log-softmax), a patch (some tokens removed, some changed), or, when it is none of these, its whole
output. Whatever is stored has been decoded and compared bit for bit before the step counts as recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from decoding.errors import TraceFileError

__all__ = ["LOG_SOFTMAX", "Stage", "decode_stage", "encode_stages", "run_processors", "stages_of"]

LOG_SOFTMAX = "log_softmax"  # stage 1 of beam methods, where processors see log-probabilities

SAME, DIVIDED, MULTIPLIED, SHIFTED, PATCHED, DENSE = range(6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One transformation of the scores.

    Attributes:
        name: the processor's class name as transformers spells it, or `log_softmax`.
        params: its numeric parameters by attribute name.
        own: it is not one of transformers' but the caller's.
    """

    name: str
    params: dict[str, Any]
    own: bool = False


def stages_of(processors: Iterable[Any]) -> tuple[Stage, ...]:
    """The stages that a `LogitsProcessorList` will run, in its order."""
    return tuple(
        Stage(name=type(p).__name__, params=_params(p), own=not type(p).__module__.startswith("transformers."))
        for p in processors
    )


def run_processors(processors: Sequence[Any], input_ids: Tensor, logits: Tensor) -> tuple[list[Tensor], Tensor]:
    """The scores before the first processor and after each, none of them shared with another.

    Args:
        processors: called as `LogitsProcessorList` calls them, each on a clone of what the last one returned.
        input_ids: the rows so far, shape [rows, length].
        logits: float32, shape [rows, vocab].

    Returns:
        `n_processors + 1` tensors of shape [rows, vocab], and what `generate(output_logits=True)` would
        return as this step's logits: these are `logits`, unless a processor wrote into its argument.
    """
    outputs, kept_by_generate, aliased = [logits], logits, True
    for processor in processors:
        given = outputs[-1].clone()
        scores = processor(input_ids, given)
        if aliased:
            kept_by_generate = given
            aliased = scores.data_ptr() == given.data_ptr()
        outputs.append(scores)
    return outputs, kept_by_generate


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
        hints = [v for v in stage.params.values() if isinstance(v, float) and v not in (0.0, 1.0)]
        for row in range(n_rows):
            kind, pair, parts = _encode(outputs[s][row], outputs[s + 1][row], hints)
            kinds[s, row] = kind
            scalars[s, row, 0], scalars[s, row, 1] = pair
            arrays.update({f"{s + 1}.{row}.{what}": part for what, part in parts.items()})
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
        parts = {name[len(prefix) :]: part for name, part in arrays.items() if name.startswith(prefix)}
        return _decode(kind, pair, parts, before)
    except (IndexError, KeyError, RuntimeError, TypeError) as err:
        raise TraceFileError(f"stage {stage} of row {row} does not decode: {err}; the trace is damaged") from err


def changed_anything(arrays: dict[str, Tensor], stage: int) -> bool:
    """Whether a stage (counted from 1) changed a single bit of any row at this step."""
    return bool((arrays["kinds"][stage - 1] != SAME).any())


def _encode(before: Tensor, after: Tensor, hints: Sequence[float]) -> tuple[int, tuple[float, float], dict]:
    if after.dtype != before.dtype or after.dtype != torch.float32:
        return DENSE, (0.0, 0.0), {"dense": after.clone()}
    changed = _bits(before) != _bits(after)
    n_changed = int(torch.count_nonzero(changed))
    if n_changed == 0:
        return SAME, (0.0, 0.0), {}
    gone = after == -math.inf
    removed = changed & gone
    n_edited = n_changed - int(torch.count_nonzero(removed))
    for attempt in _attempts(before, after, changed, gone, removed, n_edited, hints):
        if _bits(_decode(*attempt, before)).equal(_bits(after)):
            return attempt
    return DENSE, (0.0, 0.0), {"dense": after.clone()}


def _attempts(before, after, changed, gone, removed, n_edited, hints):
    """Encodings worth trying, the smallest first."""
    if n_edited > 64:
        for value in hints:
            yield DIVIDED, (value, 0.0), {}
            yield MULTIPLIED, (float(np.float32(1) / np.float32(value)), 0.0), {}  # as CUDA divides by a scalar
        top = int(before.argmax())
        yield SHIFTED, (float(before[top]), -float(after[top])), {}
    if n_edited < before.numel() // 2:
        yield PATCHED, (0.0, 0.0), {**_which(gone, removed), **_edits(after, changed & ~gone, n_edited)}


def _which(gone: Tensor, removed: Tensor) -> dict[str, Tensor]:
    """The removed tokens in the shortest of three forms."""
    n_removed, n_left = int(torch.count_nonzero(removed)), gone.numel() - int(torch.count_nonzero(gone))
    if n_removed == 0:
        return {}
    bitmap_size = (gone.numel() + 7) // 8
    if 4 * min(n_removed, n_left) > bitmap_size:
        return {"bitmap": _packed(removed)}
    if n_left < n_removed:
        return {"left": (~gone).nonzero().squeeze(1).to(torch.int32)}
    return {"removed": removed.nonzero().squeeze(1).to(torch.int32)}


def _edits(after: Tensor, edited: Tensor, n_edited: int) -> dict[str, Tensor]:
    if n_edited == 0:
        return {}
    where = edited.nonzero().squeeze(1)
    if 4 * n_edited > (edited.numel() + 7) // 8:
        return {"edited_bitmap": _packed(edited), "values": after[where]}
    return {"edited": where.to(torch.int32), "values": after[where]}


def _decode(kind: int, pair: Sequence[float], parts: dict[str, Tensor], before: Tensor) -> Tensor:
    if kind == SAME:
        return before.clone()
    if kind == DIVIDED:
        return before / pair[0]
    if kind == MULTIPLIED:
        return before * pair[0]
    if kind == SHIFTED:
        return (before - pair[0]) - pair[1]
    if kind == DENSE:
        if parts["dense"].shape != before.shape:
            raise RuntimeError(f"shape {tuple(parts['dense'].shape)} instead of {tuple(before.shape)}")
        return parts["dense"].clone()
    if kind != PATCHED:
        raise KeyError(f"unknown encoding {kind}")
    after = before.clone()
    if "left" in parts:
        left = parts["left"].long()
        after.fill_(-math.inf)
        after[left] = before[left]
    elif "removed" in parts:
        after[parts["removed"].long()] = -math.inf
    elif "bitmap" in parts:
        after[_unpacked(parts["bitmap"], before.numel())] = -math.inf
    if "edited" in parts:
        after[parts["edited"].long()] = parts["values"]
    elif "edited_bitmap" in parts:
        after[_unpacked(parts["edited_bitmap"], before.numel())] = parts["values"]
    return after


def _bits(scores: Tensor) -> Tensor:
    return scores.contiguous().view(torch.int32)  # tells -0.0 from 0.0 and NaN from NaN, as == does not


def _packed(mask: Tensor) -> Tensor:
    return torch.from_numpy(np.packbits(mask.numpy(), bitorder="little"))


def _unpacked(bitmap: Tensor, n: int) -> Tensor:
    return torch.from_numpy(np.unpackbits(bitmap.numpy(), count=n, bitorder="little")).bool()


def _params(processor: Any) -> dict[str, Any]:
    """Numbers among a processor's public attributes; texts and objects of the caller's stay private."""
    out: dict[str, Any] = {}
    for name, value in vars(processor).items():
        value = _plain(value)
        if name.startswith("_") or value is None or name == "filter_value":
            continue
        out[name] = value
    return out


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
