"""`Pace`: how long runs take on this machine, learned from those that were."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from decoding.parameters.acting import acting
from decoding.parameters.settings import mode_of

__all__ = ["Pace", "size_of"]

UNKNOWN = 0.05  # seconds of a step of one row, until one was seen
A_ROW_MORE = 0.25  # of one row's seconds
NEWEST = 0.1  # how much of the newest step counts


class Pace:
    """Seconds that a step takes, by model and rows."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, int], float] = {}
        self._lock = threading.Lock()

    def note(self, model: str, n_rows: int, n_steps: int, seconds: float) -> None:
        """Learns from a run, or from a part of one."""
        if n_steps < 1:
            return
        with self._lock:
            key, now = (model, n_rows), seconds / n_steps
            before = self._seconds.get(key, now)
            weight = 1 - (1 - NEWEST) ** n_steps
            self._seconds[key] = before + weight * (now - before)

    def seconds(self, model: str, n_rows: int, n_steps: int) -> float:
        """How long a run of so many steps will take alone; where it ends early, less."""
        with self._lock:
            known = {rows: seconds for (name, rows), seconds in self._seconds.items() if name == model}
        nearest = min(known, key=lambda rows: abs(rows - n_rows), default=1)
        of_one_row = known.get(nearest, UNKNOWN) / (1 + A_ROW_MORE * (nearest - 1))
        return n_steps * of_one_row * (1 + A_ROW_MORE * (n_rows - 1))


def size_of(given: Mapping[str, Any], defaults: Mapping[str, Any], n_prompts: int = 1) -> tuple[int, int]:
    """Rows and steps of a run, at most.

    Args:
        given: the parameters given, by their names in `KNOBS`.
        defaults: the model's own.
        n_prompts: prompts in the batch.
    """
    values = acting(defaults, given)
    wide = ("num_beams", "num_return_sequences", *(["top_k"] if mode_of(values) == "contrastive_search" else []))
    rows = n_prompts * max(values.get(name) or 1 for name in wide)
    return rows, values.get("max_new_tokens") or values.get("max_length") or 1
