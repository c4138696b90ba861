"""`Key` and `Engine`: what another engine calls its settings, and what they are here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from decoding.parameters.knobs import KNOBS
from decoding.presets.pasted import Pasted

__all__ = ["ANSWER", "ASKED", "SPEED", "Engine", "Key", "Kind"]

Kind = Literal["number", "whole", "flag", "text", "texts", "any"]

# Why a key of a request is no setting.
ASKED = "it says what is asked, not how it is decoded"
ANSWER = "it says what the answer brings along, not how it is decoded"
SPEED = "it is about memory and speed, not about what is decoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of an engine's requests or presets.

    Attributes:
        name: as the engine spells it.
        knob: what it is in `KNOBS`. Where that has no such name, it has no counterpart.
        kind: the shape of its value. `whole`: a number without a fraction. `texts`: a text, or a list of texts.
        off: values at which it does nothing there.
        off_to, off_from: and all values up to, or from, this one.
        default: what holds there where it is left out; None where that is nothing, or is said by a rule.
        part_of: acts only where this other key is on.
        scale: what one unit of it is here.
        differs: how its meaning differs from the knob's.
        why: why it has no counterpart, where that can be said better than that there is none.
        source: where it is documented, and what is unsure.
        written: this is the spelling to write the knob in.
    """

    name: str
    source: str
    knob: str = ""
    kind: Kind = "number"
    off: tuple[Any, ...] = ()
    off_to: float | None = None
    off_from: float | None = None
    default: Any = None
    part_of: str = ""
    scale: float = 1.0
    differs: str = ""
    why: str = ""
    written: bool = True

    def is_off(self, value: Any) -> bool:
        """Whether the value does nothing there."""
        if value in self.off:
            return True
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return (self.off_to is not None and value <= self.off_to) or (
            self.off_from is not None and value >= self.off_from
        )

    @property
    def has_knob(self) -> bool:
        """Whether there is such a setting here."""
        return self.knob in KNOBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine, as its requests and presets have it.

    Attributes:
        name: what it is called here.
        title: what it calls itself.
        keys: its settings.
        aside: other keys of a request, and why each is no setting.
        order: the knobs of its default chain, in the order in which they act.
        order_key: the key that gives another order; "" where there is none.
        stages: what its order key calls a sampler, and the knob that this is here; "" for none.
        unfold: the keys and values of what was pasted, wherever they stand in it.
        rules: what is settled of several keys together, in this order, before each of the others is taken by itself;
            each gets the `Draft`.
        says: how a knob is written that is no key by itself; each gets the `Sheet` and the value.
        finish: what is settled at the end of writing; each gets the `Sheet`.
        text: of the values that were written.
    """

    name: str
    title: str
    keys: tuple[Key, ...]
    aside: Mapping[str, str]
    order: tuple[str, ...]
    unfold: Callable[[Pasted], dict[str, Any]]
    rules: tuple[Callable[[Any], None], ...]
    text: Callable[[dict[str, Any]], str]
    order_key: str = ""
    stages: Mapping[str, str] = field(default_factory=dict)
    says: Mapping[str, Callable[[Any, Any], None]] = field(default_factory=dict)
    finish: tuple[Callable[[Any], None], ...] = ()

    def key(self, name: str) -> Key | None:
        """The key of this name."""
        return next((key for key in self.keys if key.name == name), None)
