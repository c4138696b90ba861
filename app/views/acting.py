"""The parameters that acted on a run, with their values and where each came from, as plain rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from decoding.parameters.acting import TRANSFORMERS_DEFAULTS
from decoding.parameters.knobs import KNOBS
from decoding.recorded.given import Origin

from .numbers import setting

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["ORIGINS", "ActingRow", "acting_rows"]

ORIGINS: tuple[Origin, ...] = ("given", "unknown", "model", "transformers")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingRow:
    """A parameter that acted: its name, its value as text, and its origin, see `Trace.origins`."""

    name: str
    value: str
    origin: Origin


def acting_rows(trace: Trace) -> tuple[ActingRow, ...]:
    """Those given first, then the model's own, then transformers'.

    Left out are parameters without a part in the run's mode, those listed as silent, and what nobody set and changes
    nothing.
    """
    silent = {knob.name for knob in trace.silent}
    rows = [
        ActingRow(name=name, value=_value(trace, name), origin=origin)
        for name, origin in trace.origins.items()
        if name not in silent and _counts(trace, name, origin)
    ]
    return tuple(sorted(rows, key=lambda row: ORIGINS.index(row.origin)))


def _counts(trace: Trace, name: str, origin: Origin) -> bool:
    if origin == "given":  # and not silent
        return True
    if trace.mode not in KNOBS[name].modes:
        return False
    value, neutral = trace.generation_config[name], KNOBS[name].neutral
    switched_off = neutral is not None and value == neutral
    return not switched_off or origin == "model" and TRANSFORMERS_DEFAULTS.get(name, neutral) != neutral


def _value(trace: Trace, name: str) -> str:
    """As it was given, words as words; else as it acted."""
    given = trace.settings.given() if trace.settings else {}
    beside = getattr(trace, name, None)  # the seed of a drop-in recording
    return setting(given.get(name, trace.generation_config.get(name, beside)))
