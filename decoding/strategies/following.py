"""Following: a run as a process goes through it that does not record, because that of rank 0 does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from decoding.errors import NotRecordedError
from decoding.recorded.run import Step
from decoding.recorded.step_store import LOST, MemoryStore
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
        self.store = _NoStore()
        self._acted = [True] * len(self.stages)  # nobody looked: none of them is to be called silent

    def observe(self, raw: Tensor, outputs: list[Tensor]) -> None:
        """Takes a step's raw logits [rows, vocab] and the scores after each stage, without a copy."""
        self._dtype, self._vocab_size = str(raw.dtype).removeprefix("torch."), raw.shape[-1]
        self._pending = (raw, outputs)

    def check_drawable(self, probs: Tensor) -> None:
        """As `Recording.check_drawable`: the run breaks off in every process, or in none."""
        if not bool(torch.isfinite(probs.sum(-1)).all()) and self._pending is not None:
            raw, outputs = self._pending
            self._pending = (raw.cpu(), [scores.cpu() for scores in outputs])
        super().check_drawable(probs)

    def _complete(
        self, tokens: tuple[int, ...], ended: tuple[bool, ...], extra: dict[str, Tensor], parents: tuple[int, ...] = ()
    ) -> Step:
        self.store.append({})
        step = Step(
            index=len(self.steps), token_ids=tokens, ended=ended, parents=parents, stages=self.stages,
            _store=self.store, _ledger=self.ledger,
        )  # fmt: skip
        self.steps.append(step)
        self._pending = None
        return step

    def _lost(self) -> tuple[str, ...]:
        return (words("this process shares the model with that of rank 0, which records; here only tokens are kept"),)


class _NoStore(MemoryStore):
    """Steps without scores."""

    def __init__(self) -> None:
        super().__init__()
        self.lost_from = 0

    def append(self, arrays: dict[str, Tensor]) -> None:
        """Counts the step."""
        self._steps.append(LOST)

    def load(self, index: int) -> dict[str, Tensor]:
        """Raises: NotRecordedError: always."""
        raise NotRecordedError(
            "the scores of step {step} are with the process of rank 0, which records; ask for them there",
            step=index + 1,
        )  # fmt: skip
