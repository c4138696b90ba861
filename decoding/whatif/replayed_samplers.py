"""Samplers that steer by the draw, in a run whose draws are known: which state they would have had at each step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from decoding.recorded.run import RecordedRun
from decoding.recorded.sampler_chain import resumed
from decoding.samplers.remembering import RemembersTheDraw

__all__ = ["ReplayedSamplers"]


class ReplayedSamplers:
    """Brings mirostat and adaptive-p to the state in which they would have met a recorded step.

    What they steer by are the tokens drawn, and those are the recorded ones at every step, so all processors run over
    the steps before, once. A run that was forked begins with the state that it was recorded to begin with.

    Args:
        processors: those that will be called; the ones with a state among them are told it before each step.
    """

    def __init__(self, run: RecordedRun, processors: Sequence[Any]) -> None:
        self._told = [p for p in processors if isinstance(p, RemembersTheDraw)]
        self._running = copy.deepcopy(list(processors)) if self._told else []
        if run.fork is not None:
            resumed(self._running, run, 0)
        self._states: list[list[Tensor]] = []

    def recall(self, step: int, prefix: Callable[[int], Tensor], scores: Callable[[int], Tensor]) -> None:
        """Puts them into the state of that step.

        Args:
            prefix: the ids of all rows before a step, int64 [rows, length].
            scores: of all rows before the first processor, float32 [rows, vocab], not to be written into.

        Raises:
            NotRecordedError: a step before was lost.
        """
        if not self._told:
            return
        for t in range(len(self._states), step + 1):
            self._run(prefix(t), scores(t))
        for processor, state in zip(self._told, self._states[step], strict=True):
            processor.resume(state)

    def _run(self, input_ids: Tensor, scores: Tensor) -> None:
        scores = scores.clone()
        for processor in self._running:
            scores = processor(input_ids, scores)
        self._states.append([p.state for p in self._running if isinstance(p, RemembersTheDraw) and p.state is not None])
