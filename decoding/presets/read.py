"""`read`: another engine's request or preset as settings, and all that is to be said of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from decoding.errors import PresetError, SettingError, shown
from decoding.parameters.combinations import check_acting
from decoding.parameters.settings import Settings
from decoding.presets.draft import Draft
from decoding.presets.engines import engine_named, recognised
from decoding.presets.key import Engine, Key
from decoding.presets.pasted import Pasted, parse
from decoding.presets.told import KINDS, Told, told
from decoding.words import words

__all__ = ["ReadPreset", "read"]

KIND_IN_WORDS = {
    "number": words("a number"), "whole": words("a whole number"), "flag": words("true or false"),
    "text": words("a text"), "texts": words("a text or a list of texts"), "any": words("any value"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadPreset:
    """What was read.

    Attributes:
        engine: whose it was read as, of `ENGINES`.
        settings: what it is here.
        told: what has no counterpart, and what means something else here; see `KINDS`.
        filled: the engine's keys that were not given, and the engine's own values that were put in for them.
        sure: the text is this engine's and no other's, or it was said whose it is.
    """

    engine: str
    settings: Settings
    told: tuple[Told, ...]
    filled: Mapping[str, Any]
    sure: bool


def read(text: str, engine: str | None = None, *, defaults: bool = True) -> ReadPreset:
    """Reads a request or preset of another engine.

    Args:
        text: JSON, YAML, a Modelfile, or a `SamplingParams(…)` call; a stranger's.
        engine: whose it is, of `ENGINES`; None to tell it by its keys.
        defaults: whether what the engine would do where nothing is given becomes a setting, too. Without them
            transformers' own defaults hold there, such as top_k=50.

    Raises:
        PresetError: it is none of these, or there is no such engine. A single key that cannot be used is told, and the
            others are read.
    """
    pasted = parse(text)
    of, sure = (engine_named(engine), True) if engine else recognised(pasted)
    given, first = _given(pasted, of)
    draft = Draft(of, given, defaults=defaults, chat="messages" in pasted.values)
    draft.told += first
    for rule in of.rules:
        rule(draft)
    settings = _together(draft)
    found = sorted(draft.told, key=lambda each: KINDS.index(each.kind))
    return ReadPreset(of.name, settings, tuple(found), dict(draft.filled), sure)


def _given(pasted: Pasted, engine: Engine) -> tuple[dict[str, Any], list[Told]]:
    """The engine's settings among what was pasted, checked; and what is to be said of all others."""
    given: dict[str, Any] = {}
    found = [told("wrong", name, ..., words("it stands here twice, and the last one counts")) for name in pasted.twice]
    for name, value in engine.unfold(pasted).items():
        key = engine.key(name)
        if key is None:
            aside = engine.aside.get(name)
            why = words(aside) if aside else words("{title} knows no such key, as far as we know", title=engine.title)
            found.append(told("aside" if aside else "unknown", name, value, why))
        elif value is not None:
            try:
                given[name] = checked(key, value, loose=pasted.loose)
            except ValueError:
                found.append(told("wrong", name, value, words("it must be {kind}", kind=KIND_IN_WORDS[key.kind])))
    return given, found


def checked(key: Key, value: Any, *, loose: bool) -> Any:
    """The value in the key's shape.

    Args:
        loose: a number or a flag may stand there as a text.

    Raises:
        ValueError: it is another shape.
    """
    if loose and isinstance(value, str) and key.kind in ("number", "whole", "flag"):
        value = _from_text(value)
    match key.kind:
        case "number" | "whole":
            return _number(value, whole=key.kind == "whole")
        case "flag" if isinstance(value, bool):
            return value
        case "text" if isinstance(value, str):
            return value
        case "texts":
            items = [value] if isinstance(value, str) else value
            if isinstance(items, (list, tuple)) and all(isinstance(item, str) for item in items):
                return list(items)
        case "any":
            return value
    raise ValueError


def _number(value: Any, *, whole: bool) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    try:
        if not math.isfinite(value):
            raise ValueError
    except OverflowError:
        raise ValueError from None
    if whole and int(value) != value:
        raise ValueError
    return int(value) if whole else value


def _from_text(value: str) -> Any:
    """The number or flag that a text says; else the text."""
    plain = value.strip().lower()
    if plain in ("true", "false"):
        return plain == "true"
    if re.fullmatch(r"[+-]?\d{1,19}", plain):
        return int(plain)
    return float(plain) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", plain) else value


def _together(draft: Draft) -> Settings:
    """The settings; what cannot go together with the others is told and left out."""
    values = dict(draft.settings)
    while True:
        try:
            settings = Settings(**values)
            check_acting({}, values)
            return settings
        except SettingError as error:
            if error.parameter not in values:
                raise PresetError("these settings cannot go together: {why}", why=error) from error
            given = shown(values.pop(error.parameter))
            draft.told.append(Told("wrong", error.parameter, given, error.words))
