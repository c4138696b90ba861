"""`At`: which step of which run an event means."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["At"]

NAMES = ("run", "row", "step", "rank", "prompt")


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """A step of one of a visitor's runs: the page's panels are told theirs, and their events carry it back.

    Attributes:
        run: the run's number.
        row, step: of its rows and steps.
        rank: of the candidate in view, in a beam run; else None.
        prompt: the one whose tree it is in.
    """

    run: int
    row: int = 0
    step: int = 0
    rank: int | None = None
    prompt: int = 0

    @classmethod
    def read(cls, data: Any) -> At | None:
        """What a panel's value (JSON) or an event's data says, which may be anything; None where it names no run."""
        if isinstance(data, str):
            try:
                data = json.loads(data)
            except (ValueError, RecursionError):
                return None
        if not isinstance(data, dict):
            return None
        found = {name: value for name in NAMES if type(value := data.get(name)) is int}
        return cls(**found) if "run" in found and min(found.values()) >= 0 else None
