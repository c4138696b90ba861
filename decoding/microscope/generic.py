"""A stage that is not taken apart: which entries it changed, from what to what."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from decoding.microscope.followed import followed
from decoding.microscope.op import Account
from decoding.microscope.slide import VOCAB, Slide, bits
from decoding.recorded.stages import Stage

__all__ = ["as_one_step"]


def as_one_step(
    stage: Stage, before: Tensor, after: Tensor, chosen: int | None, file: str, exact: Tensor | None = None
) -> Account:
    """The account of any stage whatever: one operation, with what was recorded on either side.

    Args:
        before, after: float [vocab], as recorded; a processor of one's own may have changed the size.
        exact: as for `stage_account`.
    """
    s = Slide()
    same_size = before.shape == after.shape
    facts = _changes(before, after) if same_size else {"n_before": len(before), "n_after": len(after)}
    s.op(
        stage.name, f"{stage.name}.__call__(input_ids, scores)",
        [VOCAB("scores", before[None])], [VOCAB("scores_processed", after[None])],
        _note(facts), edits=same_size, **facts,
    )  # fmt: skip
    wanted: list[int] = []
    if same_size:
        changed = bits(before) != bits(after) if before.dtype == after.dtype else before != after
        n = min(4, int(changed.sum()))
        wanted = torch.topk(torch.where(changed, before.maximum(after), -math.inf), n).indices.tolist()
    n = min(len(before), len(after))
    tokens = followed(before[:n], after[:n], chosen, wanted=wanted, among=exact)
    return s.account(f"{stage.name}.__call__", file, tokens, taken_apart=False)


def _note(facts: dict[str, int]) -> str:
    if "n_after" in facts:
        return "one_step.size"
    return "one_step" if any(n for name, n in facts.items() if name != "n") else "one_step.idle"


def _changes(before: Tensor, after: Tensor) -> dict[str, Any]:
    was, is_ = before > -math.inf, after > -math.inf
    both = was & is_
    return {
        "n": len(before),
        "n_removed": int((was & ~is_).sum()),
        "n_raised": int((both & (after > before)).sum()),
        "n_lowered": int((both & (after < before)).sum()),
        "n_revived": int((~was & is_).sum()),
    }
