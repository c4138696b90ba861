"""Benchmarks: `make bench` runs every module of this package that has a `run() -> list[Row]`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        name: what was measured, e.g. "recording over plain generate(), 64 tokens".
        measured: the figure with its unit, e.g. "1.04 ×".
        spread: how far single measurements lie apart, e.g. "IQR 1.03 to 1.06, n = 9"; "" where there is one.
        bar: what it must reach, e.g. "≤ 1.08 ×".
        met: whether it does; None where there is no bar, or nothing could be measured (`spread` says why).
    """

    name: str
    measured: str
    bar: str
    met: bool | None
    spread: str = ""
