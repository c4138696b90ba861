"""Following: a run as a process goes through it that does not record, because that of rank 0 does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from decoding.errors import NotRecordedError
from decoding.recorded.run import Step
from decoding.recorded.step_number import step_number
from decoding.recorded.step_store import LOST, MemoryStore
from decoding.strategies.host_copies import HostCopies
from decoding.strategies.recording import Recording
from decoding.words import words

__all__ = ["Following"]


class Following(Recording):
    """Tells the loop what `Recording` tells it, and keeps of each step the tokens alone.

    All processes that share a model must take the same steps, so each goes through the loop; copying the scores and
    encoding them is what recording costs, and one of them is enough for that.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.store = _NoStore(self.store.first_step)
        self._seen: list[Tensor] = []  # of the step under way: raw logits, and the scores after each stage
        self._acted = [True] * len(self.stages)  # nobody looked: none of them is to be called silent

    def observe(self, raw: Tensor, outputs: list[Tensor], left: tuple[bool, ...] = ()) -> None:
        """Takes a step's raw logits [rows, vocab] and the scores after each stage, without a copy."""
        self._left = left
        self._dtype, self._vocab_size = str(raw.dtype).removeprefix("torch."), raw.shape[-1]
        self._seen = [raw, *outputs[1:]]

    def check_drawable(self, probs: Tensor) -> None:
        """As `Recording.check_drawable`: the run breaks off in every process, or in none."""
        if not bool(torch.isfinite(probs.sum(-1)).all()):
            self._pending = HostCopies(self._seen)
        super().check_drawable(probs)

    def _complete(
        self, tokens: tuple[int, ...], ended: tuple[bool, ...], extra: dict[str, Tensor], parents: tuple[int, ...] = ()
    ) -> Step:
        self.store.append({})
        step = Step(
            index=len(self.steps), token_ids=tokens, ended=ended, parents=parents, stages=self.stages, left=self._left,
            _store=self.store, _ledger=self.ledger,
        )  # fmt: skip
        self.steps.append(step)
        return step

    def _lost(self) -> tuple[str, ...]:
        return (words("this process shares the model with that of rank 0, which records; here only tokens are kept"),)


class _NoStore(MemoryStore):
    """Steps without scores."""

    def __init__(self, first_step: int) -> None:
        super().__init__(first_step=first_step)
        self.lost_from = 0

    def append(self, arrays: dict[str, Tensor]) -> None:
        """Counts the step."""
        self._steps.append(LOST)

    def load(self, index: int) -> dict[str, Tensor]:
        """Raises: NotRecordedError: always."""
        raise NotRecordedError(
            "the scores of step {step} are with the process of rank 0, which records; ask for them there",
            step=step_number(index, self.first_step),
        )  # fmt: skip
