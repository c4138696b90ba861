"""`Sheet`: settings while they are written for another engine; and how one is written that is no key by itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from decoding.parameters.knobs import KNOBS
from decoding.presets.chain import our_order, turned, two_orders
from decoding.presets.key import Engine
from decoding.presets.told import Told, told
from decoding.words import words

__all__ = [
    "Say", "Sheet", "as_object", "banned_pairs", "bias_pairs", "chain", "dry_window", "far_back", "greedy_as_zero",
    "no_end_up_to_the_length", "order_is_theirs", "penalty_window", "schema", "seed_up_to", "texts", "with_mode",
]  # fmt: skip

NOT_THERE = "there is no such setting there"


class Sheet:
    """What is written so far.

    Args:
        engine: for whom.
        ours: the settings that act, by name.
        mode: the mode in which they decode.

    Attributes:
        out: the engine's keys and values.
        told: what cannot be said there.
    """

    def __init__(self, engine: Engine, ours: Mapping[str, Any], mode: str) -> None:
        self.engine, self.ours, self.mode = engine, ours, mode
        self.out: dict[str, Any] = {}
        self.told: list[Told] = []

    def missing(self, name: str, why: str = NOT_THERE, **fields: Any) -> None:
        """Tells that a setting cannot be said there."""
        self.told.append(told("missing", name, self.ours.get(name), words(why, **fields)))

    def differs(self, name: str, why: str, **fields: Any) -> None:
        """Tells that a setting means something else there."""
        self.told.append(told("differs", name, self.ours.get(name), words(why, **fields)))


Say = Callable[[Sheet, Any], None]
Finish = Callable[[Sheet], None]


# --- how a setting is written -----------------------------------------------------------------------------


def seed_up_to(name: str, most: int) -> Say:
    """A seed of a generator of random numbers that is not torch's."""

    def say(sheet: Sheet, value: Any) -> None:
        if value > most:
            sheet.missing("seed", "a seed is at most {most} there", most=most)
            return
        sheet.out[name] = value
        sheet.differs("seed", "another generator of random numbers draws there: the same seed gives other tokens")

    return say


def texts(name: str, kept: str = "") -> Say:
    """Stop strings; `kept` is the key with which they stay in the answer, as they do here."""

    def say(sheet: Sheet, value: Any) -> None:
        sheet.out[name] = list(value)
        if kept:
            sheet.out[kept] = True
        else:
            sheet.differs("stop_strings", "the answer ends before this text there, and here with it")

    return say


def _pairs(sheet: Sheet, name: str, value: Any) -> list[list[Any]]:
    """The biases that stand for single token ids; the others are told."""
    single = [[sequence[0], bias] for sequence, bias in value if not isinstance(sequence, str) and len(sequence) == 1]
    if len(single) < len(value):
        sheet.missing(name, "only single token ids can be given there: texts and longer sequences are left out")
    return single


def bias_pairs(name: str) -> Say:
    """Biases as pairs of an id and a number, or false for a ban."""

    def say(sheet: Sheet, value: Any) -> None:
        pairs = _pairs(sheet, "sequence_bias", value)
        finite = [[token, bias if math.isfinite(bias) else False] for token, bias in pairs if bias != math.inf]
        if len(finite) < len(pairs):
            sheet.missing("sequence_bias", "an infinite bias that forces a token cannot be said there")
        if finite:
            sheet.out.setdefault(name, []).extend(finite)

    return say


def banned_pairs(name: str) -> Say:
    """Banned token ids as pairs of an id and false."""

    def say(sheet: Sheet, value: Any) -> None:
        ids = [item for item in value if isinstance(item, int)]
        if len(ids) < len(value):
            sheet.missing("suppress_tokens", "only token ids can be given there: texts are left out")
        sheet.out.setdefault(name, []).extend([[item, False] for item in ids])
        if not sheet.out[name]:
            del sheet.out[name]

    return say


def no_end_up_to_the_length(name: str) -> Say:
    """A shortest length: it can be said only where it is the longest one, too."""

    def say(sheet: Sheet, value: Any) -> None:
        if value == sheet.ours.get("max_new_tokens"):
            sheet.out[name] = True
        else:
            sheet.missing("min_new_tokens")

    return say


def far_back(name: str, everything: int) -> Say:
    """How many of the last tokens count; -1 is all of them here, and `everything` there."""

    def say(sheet: Sheet, value: Any) -> None:
        sheet.out[name] = everything if value == -1 else value

    return say


def with_mode(switch: str, mode: int, name: str, alone: tuple[str, ...] = ()) -> Say:
    """Mirostat, with its switch; `alone`: the knobs of which none acts beside it there."""

    def say(sheet: Sheet, value: Any) -> None:
        sheet.out[switch], sheet.out[name] = mode, value
        for other in alone:
            if other in sheet.ours:
                sheet.missing(other, "mirostat takes the place of every other cut there")

    return say


def schema(name: str) -> Say:
    """A JSON schema, as an object also where it is kept as a text."""

    def say(sheet: Sheet, value: Any) -> None:
        sheet.out[name] = as_object(value)

    return say


def as_object(value: Any) -> Any:
    """What a text of JSON says; any other value as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


# --- what is settled at the end ---------------------------------------------------------------------------


def greedy_as_zero(sheet: Sheet) -> None:
    """No sampling is a temperature of 0 there; other modes are not there."""
    if sheet.mode in ("beam_search", "group_beam_search", "contrastive_search"):
        sheet.missing("do_sample", "greedy decoding is the nearest to it there")
    if sheet.mode not in ("sample", "beam_sample"):
        sheet.out["temperature"] = 0.0


def penalty_window(penalty: str, window: str, everything: int) -> Finish:
    """The penalty looks at all tokens here."""

    def finish(sheet: Sheet) -> None:
        if "repetition_penalty" in sheet.ours:
            sheet.out[window] = everything

    return finish


def dry_window(window: str, everything: int) -> Finish:
    """DRY looks at all tokens here, where nothing else is said."""

    def finish(sheet: Sheet) -> None:
        if "dry_multiplier" in sheet.ours:
            sheet.out.setdefault(window, everything)

    return finish


def acting(sheet: Sheet) -> list[str]:
    """The knobs with a place in the engine's chain that act, in the order in which they do so here."""
    places = {*sheet.engine.stages.values(), *sheet.engine.order}
    return our_order([name for name in KNOBS if name in places and (name in sheet.ours or name == "temperature")])


def chain(sheet: Sheet) -> None:
    """The order of the samplers, so that they act there in the order in which they do here."""
    names: dict[str, str] = {}
    for name, knob in sheet.engine.stages.items():
        names.setdefault(knob, name)
    sheet.out[sheet.engine.order_key] = [names[knob] for knob in acting(sheet) if knob in names]


def order_is_theirs(sheet: Sheet) -> None:
    """Tells where the engine's own order, which cannot be set, leaves other tokens."""
    there = [name for name in sheet.engine.order if name in sheet.ours]
    ours = [name for name in our_order(list(sheet.ours)) if name in there]
    if sheet.mode == "sample" and turned(there, ours):
        sheet.told.append(Told("differs", "order", *two_orders(there, ours)))
