"""What rules have in common that steer by what was drawn: a state per row, moved on by each token."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from transformers.generation import LogitsProcessor

from decoding.errors import RecordingError

__all__ = ["RemembersTheDraw"]


class RemembersTheDraw(LogitsProcessor):
    """A processor with a state per row, which learns the token that was drawn from the next call's `input_ids`.

    A call whose rows do not go on from the last call's begins a new run. Rows that change places, as beams do, are
    refused: a state belongs to the text that it came from.

    Attributes:
        STATE: the names that `facts` gives the n numbers of a state.
        state: float32 [rows, n], what acted at the last call; None before the first.
    """

    STATE: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self._state: Tensor | None = None
        self._ids: Tensor | None = None
        self._resumed: Tensor | None = None

    @property
    def state(self) -> Tensor | None:
        return self._state

    def resume(self, state: Tensor) -> None:
        """The next call acts with this state, float32 [rows, n], whatever came before it."""
        self._resumed, self._ids = state, None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores [rows, vocab] of the next token after `input_ids` [rows, length].

        Raises:
            RecordingError: the rows changed places.
        """
        drawn = self._drawn(input_ids)
        if self._resumed is not None:
            self._state, self._resumed = self._resumed.to(scores.device), None
        elif drawn is None or self._state is None:
            self._state = self._beginning(len(scores), scores.device)
        else:
            self._state = self.after(drawn)
        self._ids = input_ids.clone()
        return self._act(self._state, scores)

    @abstractmethod
    def after(self, tokens: Tensor) -> Tensor:
        """The state once these were drawn from what the last call returned; tokens int64 [rows]."""

    @abstractmethod
    def _beginning(self, n_rows: int, device: torch.device) -> Tensor:
        """The state at the first step, float32 [rows, n]."""

    @abstractmethod
    def _act(self, state: Tensor, scores: Tensor) -> Tensor:
        """What becomes of the scores."""

    def _drawn(self, input_ids: Tensor) -> Tensor | None:
        """int64 [rows], or None where a new run begins."""
        before = self._ids
        if before is None or input_ids.shape != (before.shape[0], before.shape[1] + 1) or len(before) == 0:
            return None
        same = (input_ids[:, None, :-1] == before.to(input_ids.device)[None]).all(-1)  # [rows now, rows then]
        if bool(same.diagonal().all()):
            return input_ids[:, -1]
        if bool(same.any()) and before.shape[1]:
            raise RecordingError(
                "{name} cannot follow rows that change places, as beams do; use it with do_sample=True and num_beams=1",
                name=type(self).__name__,
            )
        return None
