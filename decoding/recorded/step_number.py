"""What people call a step; an index counts from 0 in its own run, everywhere in code and files."""

from __future__ import annotations

__all__ = ["step_number"]


def step_number(index: int, first_step: int = 0) -> int:
    """The number of a step: 1 for the first, and a fork counts on from the run that it leaves.

    Args:
        index: among the run's own steps, from 0; below 0 for those that it took over, −1 for the last of them.
        first_step: steps that came before the run's own first one, as `RecordedRun.first_step`.
    """
    return first_step + index + 1
