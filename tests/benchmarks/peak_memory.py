"""The most memory that a call took, over what the process held before it.

The kernel's own mark of the most resident memory is set back before the call, so that nothing between two looks is
missed and each module's process can measure many calls. Memory that was freed is given back first, so that it cannot
serve the call unseen.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["peak_bytes"]

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"


def peak_bytes(call: Callable[[], Any]) -> tuple[Any, int | None]:
    """What the call returns, and the bytes it took at most; None where the system has no such mark (not Linux)."""
    gc.collect()
    _give_back()
    try:
        CLEAR.write_text(RESET_PEAK, encoding="ascii")
        before = _kilobytes("VmRSS")
    except OSError:
        return call(), None
    result = call()
    return result, 1024 * max(0, _kilobytes("VmHWM") - before)


def _kilobytes(name: str) -> int:
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _give_back() -> None:
    """Returns what malloc keeps for later to the system, where malloc can."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # not glibc
        pass
