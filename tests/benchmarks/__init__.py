"""Benchmarks: `make bench` runs every module of this package that has a `run()`, and takes the rows as they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        name: what was measured, e.g. "recording over plain generate(), 64 tokens".
        measured: the figure with its unit, e.g. "1.04 ×".
        spread: how far single measurements lie apart, e.g. "IQR 1.03 to 1.06, n = 9"; "" where there is one.
        limit: what holds the figure back, and how far it is from that, e.g. "bytes, 2.1 ×"; "" where nobody asked.
        bar: what it must reach, e.g. "≤ 1.08 ×".
        met: whether it does; None where there is no bar, or nothing could be measured (`spread` says why).
        numbers: what the texts were made of, by names that end in the unit; for the JSON alone.
    """

    name: str
    measured: str
    bar: str
    met: bool | None
    spread: str = ""
    limit: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
