"""The steps of a compact trace: kept as heads and tails, read as if every token's score were there."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from functools import cached_property
from typing import cast

import numpy as np
import torch
from torch import Tensor

from decoding.errors import NotRecordedError
from decoding.files.head_and_tail import fill_up, head_of, tail_of
from decoding.recorded.step_number import step_number
from decoding.recorded.step_store import MovableSteps, let_go_error
from decoding.recorded.tail import Tail
from decoding.tokens.token_table import TokenTable

__all__ = ["FILLED_LIMIT", "CompactStore", "PackedSteps"]

KEPT_STEPS = 2  # filled up; every view of a step asks for it
FILLED_LIMIT = 2**26  # scores of one step filled up: rows × (stages + 1) × vocabulary; 256 MiB


class PackedSteps:
    """Packed steps in memory; `None` for one that was lost when the run was recorded.

    They are a hundredth of what they were made from: they stay where they are until they are let go.
    """

    on_disk = 0

    def __init__(self, steps: list[dict[str, Tensor] | None], first_step: int = 0) -> None:
        self._steps, self._first_step = steps, first_step
        self.read_at, self.gone = time.monotonic(), False

    @property
    def nbytes(self) -> int:
        """See `KeptSteps`."""
        return sum(a.numel() * a.element_size() for step in self._steps for a in (step or {}).values())

    in_memory = nbytes

    def __len__(self) -> int:
        return len(self._steps)

    def load(self, index: int) -> dict[str, Tensor]:
        """See `StepStore.load`."""
        self.read_at = time.monotonic()
        step = self._steps[index]
        if self.gone:
            raise let_go_error(index, self._first_step)
        if step is None:
            number = step_number(index, self._first_step)
            raise NotRecordedError("the scores of step {step} were not kept when the run was recorded", step=number)
        return step

    def spill(self) -> bool:
        """See `MovableSteps`."""
        return False

    def let_go(self) -> None:
        """See `MovableSteps`."""
        self.gone, self._steps = True, [None] * len(self._steps)


class CompactStore:
    """Fills packed steps up when they are asked for.

    Args:
        packed: the steps as heads and tails; see `decoding.files.head_and_tail`.
        vocab: how many tokens there are.
        tokens: texts of those that the trace names. The tail's best scores are handed to tokens without a text, so
            that nobody reads a name beside a score that is not that token's.
    """

    exact = False

    def __init__(self, packed: MovableSteps, vocab: int, tokens: TokenTable | None) -> None:
        self.packed = packed
        named = np.zeros(vocab, dtype=bool)
        if tokens is not None:
            flags = tokens.flags[:vocab]
            named[: len(flags)] = flags > 0
        self._order = np.argsort(named, kind="stable")
        self._filled: OrderedDict[int, dict[str, Tensor]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def nbytes(self) -> int:
        """Bytes of the heads and tails."""
        return self.packed.nbytes

    @property
    def read_at(self) -> float:
        """See `MovableSteps`."""
        return self.packed.read_at

    @property
    def gone(self) -> bool:
        """See `MovableSteps`."""
        return self.packed.gone

    @property
    def in_memory(self) -> int:
        """See `MovableSteps`: the steps that were filled up are the larger part."""
        filled = sum(a.numel() * a.element_size() for step in list(self._filled.values()) for a in step.values())
        return self.packed.in_memory + filled

    @property
    def on_disk(self) -> int:
        """See `MovableSteps`."""
        return self.packed.on_disk

    def spill(self) -> bool:
        """See `MovableSteps`."""
        with self._lock:
            self._filled.clear()
        return self.packed.spill()

    def let_go(self) -> None:
        """See `MovableSteps`."""
        with self._lock:
            self._filled.clear()
        self.packed.let_go()

    def load(self, index: int) -> dict[str, Tensor]:
        """The arrays of a step as a lossless one has them, and `facts.*`; see `StepStore.load`."""
        with self._lock:
            if index not in self._filled:
                self._filled[index] = fill_up(self.packed.load(index), len(self._order), self._order)
                if len(self._filled) > KEPT_STEPS:
                    self._filled.popitem(last=False)
            self._filled.move_to_end(index)
            return self._filled[index]

    def head(self, index: int, row: int) -> Tensor:
        """The ids whose scores are the run's own, likeliest first, int64 [n]."""
        return torch.from_numpy(head_of(self.packed.load(index), row)[0])

    @cached_property
    def all_tails(self) -> tuple[Tail, np.ndarray]:
        """The tails of all steps and rows after each other, and where each begins; empty ones are left out."""
        tails = []
        for index in range(len(self)):
            try:
                packed = self.packed.load(index)
            except NotRecordedError:
                continue
            tails += [cast(Tail, tail_of(packed, row)) for row in range(packed["tail.which"].shape[1])]
        tails = [tail for tail in tails if len(tail.count)]
        joined = {
            name: np.concatenate([getattr(tail, name) for tail in tails] or [np.zeros(0)])
            for name in ("count", "high", "low", "mass")
        }
        return Tail(**joined), np.cumsum([0, *(len(tail.count) for tail in tails[:-1])])[: len(tails)]

    def tail(self, index: int, row: int) -> Tail:
        """What is kept of the other tokens' logits."""
        return cast(Tail, tail_of(self.packed.load(index), row))  # the logits' tail has bins always
