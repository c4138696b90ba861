"""Where the arrays of each step live: in memory, past a budget on disk, or in a trace file.

A step's arrays are one safetensors blob, written whole and read whole, so a spilled step, a saved step and
a step in memory are the same thing.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import IO, Protocol, cast

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from decoding.errors import NotRecordedError, TraceFileError
from decoding.recorded.step_number import step_number
from decoding.recorded.tail import Tail

__all__ = ["DEFAULT_MEMORY_BUDGET", "FilledUpSteps", "KeptSteps", "MemoryStore", "StepStore"]

DEFAULT_MEMORY_BUDGET = 2**30  # bytes; 4,000 steps at 49k vocabulary in float32
FOR_STEPS = 0.75  # of the budget; the rest is for work: scores between processors, encoding, what malloc loses
BLOCK = 64 * 2**20  # bytes that steps kept in memory share; untouched pages of it take none
ALIGNED = 64  # bytes; an array begins at a multiple
LOST = None
REMEDY = "free some space in the temporary folder, or raise memory_budget"


class KeptSteps(Protocol):
    """Read access to the arrays of every step, as they are kept."""

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, in memory and on disk."""

    def __len__(self) -> int: ...

    def load(self, index: int) -> dict[str, Tensor]:
        """The arrays of one step.

        Raises:
            NotRecordedError: the step was lost (the disk was full).
            TraceFileError: the file behind it is damaged.
        """


class StepStore(KeptSteps, Protocol):
    """The arrays of every step as `decode_stage` reads them."""

    @property
    def exact(self) -> bool:
        """What `load` gives is what was recorded, bit for bit."""


class FilledUpSteps(StepStore, Protocol):
    """Steps that were kept as heads and tails, which `files.compact_store` fills up; they are not exact."""

    @property
    def packed(self) -> KeptSteps:
        """The heads and tails."""

    @property
    def all_tails(self) -> tuple[Tail, np.ndarray]:
        """The tails of all steps and rows after each other, and where each begins; empty ones are left out."""

    def head(self, index: int, row: int) -> Tensor:
        """The ids whose scores are the run's own, likeliest first, int64 [n]."""

    def tail(self, index: int, row: int) -> Tail:
        """What is kept of the other tokens' logits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _InBlock:
    """Where a step's arrays lie in a block of memory.

    They are no tensors until they are asked for: thousands of small ones in the heap, between the large ones that
    come and go at every step, would leave gaps that add up to a fifth of the whole.

    Attributes:
        places: name, dtype, shape, first byte and number of bytes of each array.
    """

    block: Tensor
    places: tuple[tuple[str, torch.dtype, tuple[int, ...], int, int], ...]

    def arrays(self) -> dict[str, Tensor]:
        """Views of the block, by name."""
        return {
            name: self.block[start : start + size].view(dtype).view(shape)
            for name, dtype, shape, start, size in self.places
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _InFile:
    """Where a spilled step lies."""

    offset: int
    length: int


class MemoryStore:
    """Keeps steps in memory up to three quarters of `memory_budget` bytes, and then in a temporary file.

    The file has no name (where the system allows it) and vanishes with the store: prompts and logits are left
    to nobody. When the disk is full, steps that do not fit are lost, `lost_from` says from where, `lost_because`
    why, and nothing is raised: a run never dies of recording.

    The last step may still have to be made (`append_later`): whoever asks for anything, on any thread, makes it first.

    Args:
        memory_budget: in bytes.
        first_step: steps that came before the first one here, as `RecordedRun.first_step`; messages count them in.
    """

    exact = True

    def __init__(self, memory_budget: int = DEFAULT_MEMORY_BUDGET, first_step: int = 0) -> None:
        self.memory_budget = memory_budget
        self.first_step = first_step
        self.n_spilled = 0
        self.lost_from: int | None = None
        self.lost_because = ""
        self._nbytes = 0
        self._in_memory = 0
        self._block = torch.empty(0, dtype=torch.uint8)
        self._block_used = 0
        self._steps: list[_InBlock | _InFile | None] = []
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._later: tuple[int, Callable[[], dict[str, Tensor]]] | None = None  # of which step, and what makes it
        self._settling = threading.RLock()

    def __len__(self) -> int:
        self.settle()
        return len(self._steps)

    @property
    def nbytes(self) -> int:
        """See `KeptSteps.nbytes`."""
        self.settle()
        return self._nbytes

    def append(self, arrays: dict[str, Tensor]) -> None:
        """Takes a copy of the arrays of the next step."""
        self.settle()
        self._append(arrays)

    def append_later(self, make: Callable[[], dict[str, Tensor]]) -> None:
        """Takes what makes the arrays of the next step, and leaves it undone until it must be.

        Args:
            make: called once, unless it is broken off; what it reads must stay as it is until then.
        """
        self.settle()
        self._later = (len(self._steps), make)

    def settle(self) -> None:
        """Makes the step that was left undone, if one was.

        Raises:
            Exception: of `make`; the step stays undone, and the next to ask gets the same.
        """
        if self._later is None:
            return
        with self._settling:
            if self._later is not None:
                index, make = self._later
                if index == len(self._steps):  # else somebody broke it off between these two lines
                    self._append(make())
                self._later = None

    def drop_unsettled(self) -> None:
        """Forgets the step that was left undone, if one was: it cannot be made."""
        with self._settling:
            self._later = None

    def _append(self, arrays: dict[str, Tensor]) -> None:
        size = sum(a.numel() * a.element_size() for a in arrays.values())
        if self._in_memory + size <= FOR_STEPS * self.memory_budget:
            self._in_memory += size
            self._steps.append(self._keep(arrays))
        else:
            self._steps.append(self._spill(arrays))
        if self._steps[-1] is not LOST:
            self._nbytes += size

    def load(self, index: int) -> dict[str, Tensor]:
        """See `StepStore.load`."""
        self.settle()
        step = self._steps[index]
        if step is LOST:
            raise NotRecordedError(
                "the scores of step {step} were not kept: the temporary file could not be written from step "
                "{lost_from} on ({lost_because}); {remedy}",
                step=step_number(index, self.first_step), lost_because=self.lost_because, remedy=REMEDY,
                lost_from=step_number(self.lost_from or 0, self.first_step),
            )
        if isinstance(step, _InBlock):
            return step.arrays()
        with self._lock:
            file = cast(IO[bytes], self._file)  # it was opened for the first step that was spilled
            file.seek(step.offset)
            blob = file.read(step.length)
        return arrays_from_bytes(blob, f"step {step_number(index, self.first_step)}")

    def _keep(self, arrays: dict[str, Tensor]) -> _InBlock:
        sizes = [a.numel() * a.element_size() for a in arrays.values()]
        starts = [0, *accumulate(-(-size // ALIGNED) * ALIGNED for size in sizes)]
        if self._block_used + starts[-1] > self._block.numel():
            self._block, self._block_used = torch.empty(max(starts[-1], BLOCK), dtype=torch.uint8), 0
        places = tuple(
            (name, array.dtype, tuple(array.shape), self._block_used + start, size)
            for (name, array), start, size in zip(arrays.items(), starts, sizes, strict=False)
        )
        block = self._block.numpy()  # most arrays are small, and numpy is the quicker to copy such
        for (_, _, _, start, size), array in zip(places, arrays.values(), strict=True):
            if size:
                block[start : start + size] = array.detach().contiguous().view(-1).view(torch.uint8).numpy()
        self._block_used += starts[-1]
        return _InBlock(block=self._block, places=places)

    def _spill(self, arrays: dict[str, Tensor]) -> _InFile | None:
        if self.lost_from is not None:
            return LOST
        blob = safetensors.torch.save(arrays)
        try:
            with self._lock:
                if self._file is None:
                    self._file = tempfile.TemporaryFile(prefix="decoding-explorer-", buffering=0)
                    weakref.finalize(self, self._file.close)
                offset = self._file.seek(0, os.SEEK_END)
                written = self._file.write(blob)
            if written != len(blob):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as err:
            self.lost_from, self.lost_because = len(self._steps), err.strerror or type(err).__name__
            return LOST
        self.n_spilled += 1
        return _InFile(offset=offset, length=len(blob))


def arrays_from_bytes(blob: bytes, what: str) -> dict[str, Tensor]:
    """The arrays of a safetensors blob.

    Raises:
        TraceFileError: it is not one.
    """
    try:
        return safetensors.torch.load(blob)
    except (SafetensorError, ValueError, KeyError, TypeError) as err:
        raise TraceFileError("{what} cannot be read: {err}; the file is damaged", what=what, err=err) from err
