"""What samplers said of a step: a limit that follows the text, a chance that was drawn, a temperature of its own."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from decoding.errors import DamagedStepError
from decoding.samplers.dynamic_temperature import DynamicTemperatureLogitsWarper
from decoding.samplers.remembering import RemembersTheDraw
from decoding.samplers.xtc import XTCLogitsWarper

__all__ = ["PREFIX", "SAYING", "sampler_array", "sampler_facts"]

PREFIX = "sampler."
SAYING = (DynamicTemperatureLogitsWarper, RemembersTheDraw, XTCLogitsWarper)


def sampler_array(stage: int, name: str) -> str:
    """What a step's array is called that holds such a number for each row; stages count from 1."""
    return f"{PREFIX}{stage}.{name}"


def sampler_facts(arrays: Mapping[str, Tensor], n_stages: int, place: int) -> tuple[dict[str, float], ...]:
    """Per stage the numbers of a row by name, from a step's arrays; none for stages that say nothing.

    Args:
        place: of the row among those of the arrays.

    Raises:
        DamagedStepError: they do not fit the step (a damaged or hostile file).
    """
    out: tuple[dict[str, float], ...] = tuple({} for _ in range(n_stages))
    n_rows = arrays["logits"].shape[0]
    for key, values in arrays.items():
        if not key.startswith(PREFIX):
            continue
        stage, _, name = key.removeprefix(PREFIX).partition(".")
        number = int(stage) if stage.isdecimal() and len(stage) < 6 else 0
        if not 1 <= number <= n_stages or tuple(values.shape) != (n_rows,) or not values.is_floating_point():
            raise DamagedStepError("{key} does not fit the step; the trace is damaged", key=key)
        out[number - 1][name] = float(values[place])
    return out
