"""The compact form of a trace: small enough to send, exact where one looks, and marked as such.

At 49,152 tokens a lossless step takes 200 KB and a compact one about 5. See `decoding.files.head_and_tail` for what is
kept of a step. Of the token texts only those that occur are kept. Everything else (choices, ledger, settings, prompts)
is as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from decoding.errors import NotRecordedError, RecordingError
from decoding.files.compact_store import FILLED_LIMIT, CompactStore, PackedSteps
from decoding.files.packing import pack_row, pack_step
from decoding.recorded.run import Compact, RecordedRun, Step
from decoding.recorded.sampler_facts import PREFIX
from decoding.recorded.stages import decode_stage

__all__ = ["HEAD", "compact"]

R = TypeVar("R", bound=RecordedRun)

HEAD = 512  # tokens kept exactly per row and step; at 49,152 tokens they have mostly more than 97% of the probability


def compact(trace: R, *, head: int = HEAD) -> R:
    """The compact form of a trace; a trace that is compact already comes back as it is.

    Args:
        head: how many of the likeliest tokens each row keeps exactly at each step, besides those that the run
            mentions: prompt, choices, candidates, tokens that a stage singled out.

    Raises:
        RecordingError: `head` is no positive number, a processor of the caller's added scores to the vocabulary's, or a
            step has more of them than the compact form is for.
    """
    if trace.compact is not None:
        return trace
    if isinstance(head, bool) or not isinstance(head, int) or head < 1:
        raise RecordingError(
            "head must be a whole number from 1 on, got {head!r}; the default is {default}",
            head=head, default=HEAD,
        )
    n_scores = trace.n_rows * (len(trace.stages) + 1) * trace.model.vocab_size
    if n_scores > FILLED_LIMIT:
        raise RecordingError(
            "a step of this run has {n_scores:,} scores, the compact form is for {most:,}",
            n_scores=n_scores, most=FILLED_LIMIT,
        )
    steps = [_packed(trace, step, head) for step in trace.steps]
    tokens = trace.tokens.only(_mentioned_anywhere(trace, steps)) if trace.tokens is not None else None
    store = CompactStore(PackedSteps(steps, trace.first_step), trace.model.vocab_size, tokens)
    return replace(
        trace, steps=tuple(replace(step, _store=store) for step in trace.steps), store=store, tokens=tokens,
        compact=Compact(head=head),
    )  # fmt: skip


def _packed(trace: RecordedRun, step: Step, head: int) -> dict[str, torch.Tensor] | None:
    try:
        loaded = _Loaded(trace.store.load(step.index))
    except NotRecordedError:
        return None
    step = replace(step, _store=loaded)
    mentioned = _mentioned(trace, step)
    floats = loaded.arrays["logits"].float()
    rows = []
    for row in (row for row in range(trace.n_rows) if not step.left or not step.left[row]):
        place = step.place_of(row)
        scores = _all_scores(step, loaded.arrays, floats[place], row)
        for stage, after in zip(step.stages, scores[1:], strict=True):
            if len(after) != trace.model.vocab_size:
                raise RecordingError(
                    "{name} added scores to those of the vocabulary; keep this trace in its lossless form",
                    name=stage.name,
                )
        rows.append(pack_row(loaded.arrays["logits"][place], scores, step.stages, head, mentioned[row]))
    kept = {name: array for name, array in loaded.arrays.items() if name.startswith(("contrastive.", PREFIX))}
    return pack_step(rows) | kept


def _all_scores(step: Step, arrays: dict[str, torch.Tensor], logits: torch.Tensor, row: int) -> list[torch.Tensor]:
    """`Step.all_scores` without copying the logits, which torch would share out to threads and wait for."""
    out = [logits]
    for stage in range(1, len(step.stages) + 1):
        out.append(decode_stage(arrays, stage, step.place_of(row), out[-1]))
    usual = all(scores.dtype == torch.float32 and scores.shape == logits.shape for scores in out)
    return out if usual else step.all_scores(row=row)


class _Loaded:
    """A step's arrays, at hand: its rows ask for them one after the other."""

    exact = True

    def __init__(self, arrays: dict[str, torch.Tensor]) -> None:
        self.arrays = arrays
        self.nbytes = sum(a.numel() * a.element_size() for a in arrays.values())

    def __len__(self) -> int:
        return 1

    def load(self, index: int) -> dict[str, torch.Tensor]:
        """See `StepStore.load`; whatever step is asked for."""
        return self.arrays


def _mentioned(trace: RecordedRun, step: Step) -> list[set[int]]:
    """Per row what it had said before the step, what it went on with, and what would have ended it."""
    eos = trace.generation_config.get("eos_token_id")
    common = {eos} if isinstance(eos, int) else set(eos or ())
    common |= {*step.token_ids, *(c.token_id for c in step.candidates)}  # also other rows': views compare them
    weighed = step.contrastive or ((),) * trace.n_rows
    return [
        common | set(trace.prefix(step.index, row).tolist()) | {c.token_id for c in weighed[row]}
        for row in range(trace.n_rows)
    ]


def _mentioned_anywhere(trace: RecordedRun, steps: Iterable[dict[str, torch.Tensor] | None]) -> np.ndarray:
    parts = [step["head.ids"] for step in steps if step is not None]
    parts += [trace.prompt_ids.flatten(), trace.sequences.flatten(), trace.generated_ids.flatten()]
    if trace.encoder_ids is not None:
        parts.append(trace.encoder_ids.flatten())
    if trace.ledger is not None:
        parts += [step["token"].flatten() for step in trace.ledger.steps]
    return np.unique(torch.cat([part.long() for part in parts]).numpy())
