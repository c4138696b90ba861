"""Grids: `temperature=0.2:1.6:0.2` and `top_p=.5,.9` become settings, one for each combination."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from decoding.errors import SettingError
from decoding.parameters.knobs import KNOBS
from decoding.parameters.settings import Settings

__all__ = ["MOST_CELLS", "grid", "read_axis"]

MOST_CELLS = 100_000  # a slip of the pen is not to fill the memory
WRITTEN_AS = "NAME=VALUE,VALUE,… or NAME=FIRST:LAST:STEP"


def read_axis(text: str) -> tuple[str, tuple[Any, ...]]:
    """An axis as it is written on a command line: the parameter and its values.

    Example:
        >>> read_axis("temperature=0.2:0.8:0.2")
        ('temperature', (0.2, 0.4, 0.6, 0.8))
        >>> read_axis("do_sample=true,false")
        ('do_sample', (True, False))

    Args:
        text: `NAME=VALUE,VALUE,…` or `NAME=FIRST:LAST:STEP`, the last one included where a step meets it. The steps
            are decimal: 0.2 + 0.2 + 0.2 is 0.6.

    Raises:
        SettingError: it is written in neither way, or there is no such parameter.
    """
    name, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise SettingError("grid", text, WRITTEN_AS, "write temperature=0.2:1.6:0.2 or top_p=.5,.9,1")
    _check_name(name := name.strip().replace("-", "_"))
    return name, _range(text, values) if ":" in values else tuple(_value(value) for value in values.split(","))


def grid(axes: Mapping[str, Sequence[Any]], base: Mapping[str, Any] | None = None) -> tuple[Settings, ...]:
    """The settings of every combination, the last axis the fastest.

    Example:
        >>> [cell.given() for cell in grid({"top_p": [0.5, 0.9]}, {"do_sample": True})]
        [{'do_sample': True, 'top_p': 0.5}, {'do_sample': True, 'top_p': 0.9}]

    Args:
        axes: values by parameter; None among them leaves the parameter out.
        base: what all of them share.

    Raises:
        SettingError: a parameter is unknown, a value out of range, an axis without values, or there are too many cells.
    """
    n_cells = 1
    for name, values in axes.items():
        _check_name(name)
        if not values:
            raise SettingError("grid", name, "at least one value", "name its values or leave the parameter out")
        n_cells *= len(values)
    if n_cells > MOST_CELLS:
        raise SettingError("grid", n_cells, f"at most {MOST_CELLS:,} combinations", "take fewer values")
    base = base or {}
    return tuple(
        Settings(**{**base, **dict(zip(axes, values, strict=True))}) for values in itertools.product(*axes.values())
    )


def _check_name(name: str) -> None:
    if name not in KNOBS:
        raise SettingError("grid", name, "a decoding parameter", "e.g. temperature, top_k, top_p, num_beams")
    if name in ("seed", "num_return_sequences"):
        raise SettingError("grid", name, "a parameter of the scores", "a sweep has its own seed and number of samples")


def _range(text: str, values: str) -> tuple[Any, ...]:
    try:
        first, last, step = (Decimal(part) for part in values.split(":"))
        finite = all(number.is_finite() for number in (first, last, step))
    except (ValueError, InvalidOperation):
        finite = False
    if not finite or step == 0 or (last - first) / step < 0:
        raise SettingError("grid", text, "FIRST:LAST:STEP, three numbers of which the step leads from first to last",
                           "write temperature=0.2:1.6:0.2")  # fmt: skip
    n_steps = int((last - first) / step)
    if n_steps >= MOST_CELLS:
        raise SettingError("grid", text, f"at most {MOST_CELLS:,} values", "take a larger step")
    return tuple(_number(first + i * step) for i in range(n_steps + 1))


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() and value.as_tuple().exponent in (0, "n") else float(value)


def _value(text: str) -> Any:
    """A number, true, false, null; anything else is a word, which the parameter's own check judges."""
    text = text.strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return float(text)  # JSON has no .5
    except ValueError:
        return text
