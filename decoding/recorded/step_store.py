"""Where the arrays of each step live: in memory, past a budget on disk, or in a trace file.

A step's arrays are one safetensors blob, written whole and read whole, so a spilled step, a saved step and
a step in memory are the same thing.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import IO, Protocol, cast

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from decoding.errors import DamagedStepError, NotRecordedError
from decoding.recorded.step_number import step_number
from decoding.recorded.tail import Tail

__all__ = [
    "DEFAULT_MEMORY_BUDGET", "FilledUpSteps", "KeptSteps", "MemoryStore", "MovableSteps", "StepStore",
    "let_go_error",
]  # fmt: skip

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
            DamagedStepError: the file behind it is damaged.
        """


class MovableSteps(KeptSteps, Protocol):
    """Steps that can make room for others, at any time and from any thread."""

    @property
    def read_at(self) -> float:
        """When a step was last kept or asked for, on the monotonic clock."""

    @property
    def gone(self) -> bool:
        """The scores were let go."""

    @property
    def in_memory(self) -> int:
        """Bytes that `spill` frees."""

    @property
    def on_disk(self) -> int:
        """Bytes that only `let_go` frees."""

    def spill(self) -> bool:
        """Moves what is in memory to the disk; False where it cannot be written there, and all is where it was."""

    def let_go(self) -> None:
        """Gives up the scores of all steps, for good."""


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

    A server with many runs can make room at any time: `spill` moves what is in memory to the file, from where it is
    read as before, and `let_go` gives up the scores.

    Args:
        memory_budget: in bytes.
        first_step: steps that came before the first one here, as `RecordedRun.first_step`; messages count them in.

    Attributes:
        read_at: when a step was last kept or asked for, on the monotonic clock.
        gone: its scores were let go.
    """

    exact = True

    def __init__(self, memory_budget: int = DEFAULT_MEMORY_BUDGET, first_step: int = 0) -> None:
        self.memory_budget = memory_budget
        self.first_step = first_step
        self.read_at = time.monotonic()
        self.gone = False
        self.n_spilled = 0
        self.lost_from: int | None = None
        self.lost_because = ""
        self._nbytes = 0
        self._in_memory = 0
        self._file_size = 0
        self._closing: Callable[[], object] | None = None  # closes the file, once
        self._block = torch.empty(0, dtype=torch.uint8)
        self._block_used = 0
        self._steps: list[_InBlock | _InFile | None] = []
        self._file: IO[bytes] | None = None
        self._lock = threading.RLock()  # of the steps and the file: what is read, kept and spilled at a time
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

    @property
    def in_memory(self) -> int:
        """Bytes of the arrays that are in memory."""
        return self._in_memory

    @property
    def on_disk(self) -> int:
        """Bytes of the temporary file."""
        return self._file_size

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
        with self._lock:
            self.read_at = time.monotonic()
            if self.gone:
                self._steps.append(LOST)
            elif self._in_memory + size <= FOR_STEPS * self.memory_budget:
                self._in_memory += size
                self._steps.append(self._keep(arrays))
            else:
                self._steps.append(self._spill(arrays))
            if self._steps[-1] is not LOST:
                self._nbytes += size

    def load(self, index: int) -> dict[str, Tensor]:
        """See `StepStore.load`."""
        self.settle()
        self.read_at = time.monotonic()
        with self._lock:
            step = self._steps[index]
            if isinstance(step, _InFile):
                file = cast(IO[bytes], self._file)  # it was opened for the first step that was spilled
                file.seek(step.offset)
                blob = file.read(step.length)
        if isinstance(step, _InBlock):
            return step.arrays()
        if isinstance(step, _InFile):
            return arrays_from_bytes(blob, f"step {step_number(index, self.first_step)}")
        if self.gone:
            raise let_go_error(index, self.first_step)
        raise NotRecordedError(
            "the scores of step {step} were not kept: the temporary file could not be written from step "
            "{lost_from} on ({lost_because}); {remedy}",
            step=step_number(index, self.first_step), lost_because=self.lost_because, remedy=REMEDY,
            lost_from=step_number(self.lost_from or 0, self.first_step),
        )

    def spill(self) -> bool:
        """See `MovableSteps.spill`."""
        with self._lock:
            moved: dict[int, _InFile] = {}
            before = self._file_size
            try:
                for index, step in enumerate(self._steps):
                    if isinstance(step, _InBlock):
                        moved[index] = self._write(step.arrays())
            except OSError:
                self._forget_after(before)
                return False
            for index, place in moved.items():
                self._steps[index] = place
            self.n_spilled += len(moved)
            self._in_memory, self._block, self._block_used = 0, torch.empty(0, dtype=torch.uint8), 0
        return True

    def let_go(self) -> None:
        """See `MovableSteps.let_go`."""
        with self._lock:
            self.gone = True
            self._steps = [LOST] * len(self._steps)
            self._nbytes = self._in_memory = self._file_size = 0
            self._block, self._block_used = torch.empty(0, dtype=torch.uint8), 0
            if self._closing is not None:
                self._closing()

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
        try:
            place = self._write(arrays)
        except OSError as err:
            self.lost_from, self.lost_because = len(self._steps), err.strerror or type(err).__name__
            return LOST
        self.n_spilled += 1
        return place

    def _write(self, arrays: dict[str, Tensor]) -> _InFile:
        """A step's arrays at the end of the file.

        Raises:
            OSError: it cannot be written.
        """
        blob = safetensors.torch.save(arrays)
        with self._lock:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="decoding-explorer-", buffering=0)
                self._closing = weakref.finalize(self, self._file.close)
            offset = self._file.seek(0, os.SEEK_END)
            if self._file.write(blob) != len(blob):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._file_size = offset + len(blob)
        return _InFile(offset=offset, length=len(blob))

    def _forget_after(self, size: int) -> None:
        """Gives the disk back what was written beyond so many bytes, where it takes it."""
        if self._file is not None:
            with suppress(OSError):
                self._file.truncate(size)
        self._file_size = size


def let_go_error(index: int, first_step: int) -> NotRecordedError:
    """What to say of a step whose scores were let go."""
    return NotRecordedError(
        "the scores of step {step} made room for others: nobody had looked at the run for a while; run it again to see "
        "them",
        step=step_number(index, first_step),
    )


def arrays_from_bytes(blob: bytes, what: str) -> dict[str, Tensor]:
    """The arrays of a safetensors blob.

    Raises:
        DamagedStepError: it is not one.
    """
    try:
        return safetensors.torch.load(blob)
    except (SafetensorError, ValueError, KeyError, TypeError) as err:
        raise DamagedStepError("{what} cannot be read: {err}; the file is damaged", what=what, err=err) from err
