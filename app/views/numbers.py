"""How numbers are written: the same in every view."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from decoding.studies.interval import Interval

__all__ = ["entry", "entry_in_full", "margin_text", "nats", "percent", "setting", "significant", "with_interval"]


def percent(p: float | None) -> str:
    """A probability: `62.1%`, `0.04%`, `<0.01%`; `0` for exactly none, `–` where there is no value."""
    if p is None or math.isnan(p):
        return "–"
    if p == 0:
        return "0"
    if p < 0.0001:
        return "<0.01%"
    if p < 0.001:
        return f"{100 * p:.2f}%"
    if 0.9995 <= p < 1:
        return ">99.9%"
    return f"{100 * p:.1f}%"


def nats(value: float | None) -> str:
    """Nats with two decimals; `∞` where it is infinite, `–` where there is no value."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    written = f"{value:.2f}"
    return "0.00" if written == "-0.00" else written.replace("-", "−")


def decimal(value: float | None, digits: int = 1) -> str:
    """A number with so many decimals and its thousands parted: `1,234.5`; `∞` and `–` as for nats."""
    if value is None or not math.isfinite(value):
        return nats(value)
    written = f"{value:,.{digits}f}"
    return f"{0:.{digits}f}" if float(written.replace(",", "")) == 0 else written.replace("-", "−")


def margin_text(value: float | None, unit: str | None) -> str:
    """By how much a token was missed: `−8.2%` for a probability, `−0.42` for logits and nats; "" without one."""
    if value is None or math.isinf(value):
        return ""
    if unit == "probability":
        return f"−{percent(value)}"
    return "−<0.01" if 0 < value < 0.005 else f"−{value:.2f}"


def significant(value: float) -> str:
    """Three significant digits: `0.912`, `12,346`; `–` where there is no value."""
    if not math.isfinite(value):
        return "–"
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}").replace("-", "−")


def with_interval(found: Interval) -> str:
    """An estimate and its interval: `0.91 [0.79, 0.97]`."""
    return f"{significant(found.estimate)} [{significant(found.low)}, {significant(found.high)}]"

LONGEST_SETTING = 120  # characters: a schema is pages


def setting(value: object) -> str:
    """A parameter's value: `0.9`, `40`, `True`; floats without their float32 tail, a long text by how it begins."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(setting(item) for item in value[:4])
        return f"{shown}, …" if len(value) > 4 else shown
    text = str(value)
    return text if len(text) <= LONGEST_SETTING else f"{text[:LONGEST_SETTING]}…"


def entry(value: float | int | bool | None) -> str:
    """An entry of a tensor with at most five digits: `12.346`, `1.2346e−07`, `−∞`, `True`; whole numbers in full."""
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        return f"{value:.5g}".replace("-", "−")
    return str(value).replace("-", "−")


def entry_in_full(value: float | int | bool | None, dtype: str) -> str:
    """The same with all digits: the shortest decimal that is this number in its dtype, and no other."""
    if not isinstance(value, float) or not math.isfinite(value):
        return entry(value)
    written = str(np.float32(value)) if dtype in ("float32", "float16", "bfloat16") else repr(value)
    return written.replace("-", "−")
