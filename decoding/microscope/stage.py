"""A recorded stage under the microscope."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from decoding.errors import NotRecordedError
from decoding.microscope import processors, warpers
from decoding.microscope.followed import followed
from decoding.microscope.generic import as_one_step
from decoding.microscope.op import Account
from decoding.microscope.processors import Context
from decoding.microscope.slide import Slide, bits
from decoding.parameters.knobs import PROCESSOR_OF
from decoding.recorded.stages import LOG_SOFTMAX, Stage
from decoding.samplers.chain import CLASSES

__all__ = ["FOLLOWS", "TAKEN_APART", "compared", "stage_account"]

FOLLOWS = "5.23"
"""The version of transformers whose source the operations follow, line by line."""

PROCESSORS_FILE = "transformers/generation/logits_process.py"
LOOPS_FILE = "transformers/generation/utils.py"


def _file_of(kind: type) -> str:
    return f"{kind.__module__.replace('.', '/')}.py"


OWN_FILES = {
    **{kind.__name__: (f"{kind.__name__}.__call__", _file_of(kind)) for kind in CLASSES.values()},
    LOG_SOFTMAX: ("GenerationMixin._beam_search", LOOPS_FILE),
    PROCESSOR_OF["diversity_penalty"].name: (
        f"{PROCESSOR_OF['diversity_penalty'].name}.__call__",
        "decoding/strategies/hamming_diversity.py",
    ),
}

Arithmetic = Callable[[Slide, Tensor, Mapping[str, Any], Context], Tensor]


def _alone(warper: Callable[[Slide, Tensor, Mapping[str, Any]], Tensor]) -> Arithmetic:
    """Of one that looks at scores and parameters alone."""
    return lambda s, scores, params, _: warper(s, scores, params)


ARITHMETIC: dict[str, Arithmetic] = {
    "temperature": _alone(warpers.temperature),
    "top_h": _alone(warpers.top_h),
    "top_k": _alone(warpers.top_k),
    "top_p": _alone(warpers.top_p),
    "min_p": _alone(warpers.min_p),
    "typical_p": _alone(warpers.typical),
    "epsilon_cutoff": _alone(warpers.epsilon),
    "eta_cutoff": _alone(warpers.eta),
    "repetition_penalty": processors.repetition_penalty,
    "encoder_repetition_penalty": processors.encoder_repetition_penalty,
    "diversity_penalty": processors.hamming_diversity,
    "min_length": processors.min_length,
    "min_new_tokens": processors.min_new_tokens,
    "suppress_tokens": processors.suppressed,
    "begin_suppress_tokens": processors.suppressed_at_begin,
    "forced_bos_token_id": processors.forced_bos,
    "forced_eos_token_id": processors.forced_eos,
    "remove_invalid_values": processors.remove_invalid,
    "renormalize_logits": processors.renormalized,
}
"""By parameter the operations of the processor that it becomes, as far as they are known."""

TAKEN_APART: dict[str, Arithmetic] = {
    LOG_SOFTMAX: processors.log_softmax,
    **{PROCESSOR_OF[parameter].name: run for parameter, run in ARITHMETIC.items()},
}
"""The stages whose operations are known, by class name."""

# What torch raises over parameters that make no sense: a trace file may hold any.
NONSENSE = (
    ArithmeticError, AttributeError, IndexError, KeyError, NotRecordedError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


def stage_account(
    stage: Stage, before: Tensor, after: Tensor, context: Context, chosen: int | None = None,
    exact: Tensor | None = None,
) -> Account:  # fmt: skip
    """What a stage did, operation by operation: executed on its recorded input, and compared with its output.

    A stage whose operations are not known, or whose parameters are not all recorded, is shown as one step.

    Args:
        before, after: float [vocab], the scores that went in and came out, as recorded.
        context: what else the processor was given.
        chosen: the token in view.
        exact: int64 [n], the tokens whose scores are the run's own, in a compact trace: only these are followed and
            compared. None for all.
    """
    source, file = OWN_FILES.get(stage.name, (f"{stage.name}.__call__", "" if stage.own else PROCESSORS_FILE))
    run = None if stage.own or before.shape != after.shape else TAKEN_APART.get(stage.name)
    if run is None:
        return as_one_step(stage, before, after, chosen, file, exact)
    s = Slide()
    try:
        result = run(s, before[None], stage.params, context)[0]
        tokens = followed(before, after, chosen, goodness=s.goodness, wanted=s.wanted, order=s.order, among=exact)
        verdict = compared(result, after) if exact is None else compared(result[exact], after[exact])
        return s.account(source, file, tokens, **verdict)
    except NONSENSE:
        return as_one_step(stage, before, after, chosen, file, exact)


def compared(computed: Tensor, recorded: Tensor) -> dict[str, Any]:
    """Whether both are the same bit for bit, in how many entries they are not, and by how much at most."""
    if computed.dtype != recorded.dtype or computed.shape != recorded.shape:
        n = recorded.numel()
        return {"agrees": False, "n_differing": n, "greatest_difference": math.inf, "n_compared": n}
    differs = bits(computed) != bits(recorded)
    n = int(differs.sum())
    gap = (computed[differs].double() - recorded[differs].double()).abs()
    greatest = float(torch.nan_to_num(gap, nan=math.inf).max()) if n else 0.0
    return {"agrees": n == 0, "n_differing": n, "greatest_difference": greatest, "n_compared": recorded.numel()}
