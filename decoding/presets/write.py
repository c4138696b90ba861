"""`write`: settings as a request or preset of another engine, and what of them cannot be said there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from decoding.errors import SettingError
from decoding.parameters.acting import acting
from decoding.parameters.knobs import KNOBS, Knob
from decoding.parameters.settings import Settings, mode_of
from decoding.presets.engines import engine_named
from decoding.presets.key import Engine, Key
from decoding.presets.sheet import Sheet
from decoding.presets.told import KINDS, Told

__all__ = ["WrittenPreset", "write"]


@dataclass(frozen=True, slots=True)
class WrittenPreset:
    """What was written.

    Attributes:
        engine: for whom, of `ENGINES`.
        text: to be sent, or to be saved.
        values: the same as keys and values.
        told: what cannot be said there, or means something else there.
    """

    engine: str
    text: str
    values: Mapping[str, Any]
    told: tuple[Told, ...]


def write(
    settings: Settings, engine: str, model_defaults: Mapping[str, Any] = MappingProxyType({})
) -> WrittenPreset:
    """Writes settings for another engine.

    What acts here is written, transformers' own defaults among it, and what the engine would do by itself where
    nothing does so here is switched off.

    Args:
        engine: of `ENGINES`.
        model_defaults: of the model for which the settings are, see `decoding.parameters.acting.model_defaults`.

    Raises:
        PresetError: there is no such engine.
    """
    of = engine_named(engine)
    values = acting(_usable(model_defaults), settings.given())
    values = {name: value for name, value in values.items() if name in KNOBS}
    _one_length(values, {*settings.given(), *model_defaults})
    mode = mode_of(values)
    sheet = Sheet(of, {n: v for n, v in values.items() if _acts(KNOBS[n], v, mode)}, mode)
    _switched_off(sheet)
    for name, value in sheet.ours.items():
        _say(sheet, name, value)
    for finish in of.finish:
        finish(sheet)
    found = sorted(sheet.told, key=lambda each: KINDS.index(each.kind))
    return WrittenPreset(of.name, of.text(sheet.out), dict(sheet.out), tuple(found))


def _usable(model_defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A model's own defaults that can be settings: they may come from a file. Its end tokens it has there, too."""
    found: dict[str, Any] = {}
    for name, value in model_defaults.items():
        try:
            if name in KNOBS and name != "eos_token_id" and value is not None:
                found[name] = KNOBS[name].checked(value)
        except SettingError:
            continue
    return found


def _one_length(values: dict[str, Any], said: set[str]) -> None:
    """Of two longest lengths the one that acts; transformers' own default counts new tokens, whatever its name."""
    longest = values.get("max_length")
    if "max_new_tokens" in values or "max_length" not in said:
        values.pop("max_length", None)
    if "max_length" not in said and longest is not None:
        values.setdefault("max_new_tokens", longest)


def _acts(knob: Knob, value: Any, mode: str) -> bool:
    return value is not None and value != knob.neutral and mode in knob.modes and knob.name != "do_sample"


def _switched_off(sheet: Sheet) -> None:
    """What the engine would do by itself where nothing does so here."""
    for key in sheet.engine.keys:
        if key.default is None or not key.written or key.part_of or not key.has_knob:
            continue
        knob = KNOBS[key.knob]
        if knob.neutral is not None and sheet.mode in knob.modes:
            sheet.out[key.name] = knob.neutral


def _say(sheet: Sheet, name: str, value: Any) -> None:
    own, key = sheet.engine.says.get(name), _written_as(sheet.engine, name)
    if own is not None:
        own(sheet, value)
    elif key is None:
        sheet.missing(name)
    else:
        value = list(value) if isinstance(value, tuple) else value
        sheet.out[key.name] = _rounded(value / key.scale) if key.scale != 1 else value


def _written_as(engine: Engine, knob: str) -> Key | None:
    return next((key for key in engine.keys if key.knob == knob and key.written), None)


def _rounded(value: float) -> float:
    """Without what the change of its unit left at its end."""
    near = float(f"{value:.12g}")
    return near if math.isclose(near, value, rel_tol=1e-11) else value
