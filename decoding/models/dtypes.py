"""What a model computes in: the dtype that was asked for, or the one that this processor is fastest with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from decoding.errors import ModelError
from decoding.words import words

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

__all__ = ["FASTEST", "choose_dtype", "fastest", "quicker", "seconds_a_step"]

FASTEST = "fastest"
DTYPES = ("float32", "bfloat16", "float16")
# Other bits are no bargain for a few percent, which are within what two measurements of the same differ by.
WORTH = 0.9
# Of each of the four measurements: seconds after which no further step is begun, and steps at most.
BUDGET, STEPS = 0.15, 4


def choose_dtype(dtype: Any, is_default: bool, place: torch.device) -> torch.dtype | Literal["auto"]:
    """The dtype to read weights in; "auto" as they are stored.

    Args:
        dtype: as in `load_model`; "fastest" is measured elsewhere, and "auto" where there is nothing to measure.
        is_default: of the offline default model, which is float32 everywhere: recorded examples rest on its bits.
        place: where the model computes.

    Raises:
        ModelError: there is no such dtype here.
    """
    import torch

    if dtype is None:
        return torch.float32 if is_default or place.type == "cpu" else "auto"
    if dtype in ("auto", FASTEST):
        return "auto"
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype not in DTYPES:
        raise ModelError(
            "dtype must be one of auto, fastest, float32, bfloat16, float16, got {dtype!r}", dtype=dtype
        )
    return getattr(torch, dtype)


def fastest(read: Callable[[torch.dtype], PreTrainedModel], rows: int) -> tuple[PreTrainedModel, str]:
    """The model in float32, or in bfloat16 where this processor decodes `rows` rows faster in it; and why.

    It depends on the processor and on the number of rows: one row waits for the weights to arrive from memory, of which
    bfloat16 has half, many rows for the arithmetic, for which a processor may have instructions or not. So both dtypes
    are measured, with one row and with `rows`, for about a second where a step takes a tenth of one.

    Args:
        read: gives the model in a dtype, on the CPU.
        rows: that are decoded at once, 1 or more: prompts × beams or × returned sequences.

    Raises:
        ModelError: `rows` is no such number.
    """
    import torch

    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ModelError("rows must be a whole number from 1 on, got {rows!r}; it says how many to measure", rows=rows)
    exact = read(torch.float32)
    seconds = {("float32", n): seconds_a_step(exact, n) for n in {1, rows}}
    short = read(torch.bfloat16)
    seconds |= {("bfloat16", n): seconds_a_step(short, n) for n in {1, rows}}
    chosen, because = quicker(seconds, rows)
    return (short if chosen == "bfloat16" else exact), because


def quicker(seconds: Mapping[tuple[str, int], float], rows: int) -> tuple[str, str]:
    """The dtype to take, and why: bfloat16 where it takes at most nine tenths of float32's time for `rows` rows.

    Args:
        seconds: a step, by dtype and number of rows: 1 and `rows`.
    """
    took = {at: f"{1000 * value:.0f}" for at, value in seconds.items()}
    chosen = "bfloat16" if seconds["bfloat16", rows] <= WORTH * seconds["float32", rows] else "float32"
    because = words(
        "{chosen}: measured at loading, a step of {what} takes {short} ms in bfloat16 and {exact} ms in float32",
        chosen=chosen, what="one row" if rows == 1 else words("{n} rows", n=rows),
        short=took["bfloat16", rows], exact=took["float32", rows],
    )  # fmt: skip
    if rows == 1:
        return chosen, because
    return chosen, words(
        "{because}; of one row {short} ms and {exact} ms",
        because=because, short=took["bfloat16", 1], exact=took["float32", 1],
    )  # fmt: skip


def seconds_a_step(model: PreTrainedModel, rows: int) -> float:
    """How long the model takes at least to read one token in each of `rows` rows, in seconds."""
    import torch

    ids = torch.zeros((rows, 1), dtype=torch.long, device=model.device)
    inputs = {"input_ids": ids} | ({"decoder_input_ids": ids} if model.config.is_encoder_decoder else {})
    least, spent = float("inf"), 0.0
    with torch.inference_mode():
        for _ in range(STEPS):
            began = time.perf_counter()
            model(**inputs)
            took = time.perf_counter() - began
            least, spent = min(least, took), spent + took
            if spent > BUDGET:
                break
    return least
