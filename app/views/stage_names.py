"""What a stage is called where there is little room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from decoding.parameters.knobs import KNOBS
from decoding.recorded.stages import LOG_SOFTMAX

from .numbers import setting

if TYPE_CHECKING:
    from decoding.recorded.stages import Stage

__all__ = ["stage_label"]

# Class name → the parameter people know it by, and the attribute that holds its value.
_KNOWN = {
    processor.name: (knob.name, processor.attribute) for knob in KNOBS.values() for processor in knob.becomes
} | {LOG_SOFTMAX: (LOG_SOFTMAX, "")}


def stage_label(stage: Stage) -> tuple[str, str]:
    """The parameter that made the stage and its value, e.g. `("top_p", "0.9")`; the class name of an unknown one."""
    name, attribute = _KNOWN.get(stage.name, (stage.name, ""))
    value = stage.params.get(attribute, stage.params.get(name)) if stage.name in _KNOWN else None
    return name, "" if value is None else setting(value)
