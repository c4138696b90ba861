"""How much work something is, counted: a number that neither the machine nor what else runs on it changes.

What makes the page's Python slow is a loop over the vocabulary; arithmetic of torch and numpy is a call each. How many
seconds it all takes is measured by `tests/benchmarks`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["lines_of"]


def lines_of(work: Callable[[], Any]) -> int:
    """How many lines of Python the work runs, each round of a loop or comprehension counted."""
    n_lines = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal n_lines
        n_lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return n_lines
