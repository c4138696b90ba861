"""Memory that was freed goes back to the system, for whoever watches how much of it a server takes."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["few_arenas", "free", "give_back", "imports_that_stay"]

ARENA_MAX, TRIM_THRESHOLD, MMAP_THRESHOLD = -8, -1, -3  # of glibc's mallopt
ARENAS = 2
LARGE = 2**20  # bytes: what is larger goes back as soon as it is freed


def free() -> None:
    """Frees what only knows itself, such as a model whose layers know each other, and gives it back."""
    gc.collect()
    give_back()


@contextmanager
def imports_that_stay() -> Iterator[None]:
    """A million objects come to stay with these imports; looking through them for garbage would take a second."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def give_back() -> None:
    """Has the allocator give back what is free; nothing where it is not glibc's."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def few_arenas() -> None:
    """Has all threads take memory from the same few places.

    glibc gives each of a server's many threads a place of its own, each of which keeps what its largest moment took,
    and it raises the size from which memory goes back at once to that of the largest block it has seen.
    """
    libc = _glibc()
    if libc is not None:
        for what, value in ((ARENA_MAX, ARENAS), (MMAP_THRESHOLD, LARGE), (TRIM_THRESHOLD, 4 * LARGE)):
            libc.mallopt(what, value)


@cache
def _glibc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
        return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
    except OSError:
        return None
