"""`Draft`: settings while they are read from another engine's, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from decoding.errors import SettingError
from decoding.parameters.knobs import KNOBS
from decoding.presets.key import Engine, Key
from decoding.presets.told import TellKind, Told, told
from decoding.words import Words, words

__all__ = ["Draft"]

NO_COUNTERPART = "there is no such setting here"


class Draft:
    """What is found so far.

    Args:
        engine: whose.
        given: the keys and values that were given, checked.
        defaults: whether the engine's own hold where nothing was given.
        chat: whether it is a chat that was asked for.

    Attributes:
        fills: see `defaults`.
        is_chat: see `chat`.
        settings: ours, by name.
        told: what is to be said.
        filled: the engine's own values that were taken.
    """

    def __init__(self, engine: Engine, given: Mapping[str, Any], *, defaults: bool, chat: bool) -> None:
        self.engine, self._given = engine, dict(given)
        self.fills, self.is_chat = defaults, chat
        self.settings: dict[str, Any] = {}
        self.told: list[Told] = []
        self.filled: dict[str, Any] = {}
        self._settled: set[str] = set()

    # -- the engine's values

    def is_given(self, name: str) -> bool:
        """Whether the text gives this key."""
        return name in self._given

    def there(self, name: str) -> Any:
        """What holds there: what was given, or else the engine's default; None for nothing."""
        key = self.engine.key(name)
        return self._given.get(name, None if key is None else key.default)

    def is_on(self, name: str) -> bool:
        """Whether the key does something there."""
        key, value = self.engine.key(name), self.there(name)
        return key is not None and value is not None and not key.is_off(value)

    def value(self, name: str) -> Any:
        """What is to be taken over: as `there`, but without defaults where these are not asked for."""
        return self.there(name) if self.fills or name in self._given else None

    def open_keys(self) -> list[Key]:
        """The keys that have a value and that no rule has settled; the order is settled last."""
        settled = {*self._settled, self.engine.order_key}
        return [key for key in self.engine.keys if key.name not in settled and self.value(key.name) is not None]

    # -- what becomes of them

    def settle(self, *names: str) -> None:
        """No other rule looks at these."""
        self._settled.update(names)

    def is_settled(self, name: str) -> bool:
        """Whether a rule has settled it."""
        return name in self._settled

    def take(self, name: str, knob: str, value: Any, differs: str = "", **fields: Any) -> bool:
        """Sets a knob to what a key comes to; whether that can be. Otherwise it is told.

        Args:
            differs: how the key's meaning differs, a template for `fields`; "" where it does not.
        """
        self.settle(name)
        if knob not in KNOBS:
            self.missing(name)
            return False
        try:
            KNOBS[knob].checked(value)
        except SettingError as error:
            self.tell("wrong", name, error.words)
            return False
        self.settings[knob] = value
        if not self.is_given(name):
            self.filled[name] = self.there(name)
        if differs:
            self.tell("differs", name, words(differs, **fields))
        return True

    def off(self, name: str, knob: str) -> None:
        """Sets a knob to where it does nothing, so that no default takes the place of what is off there."""
        self.settle(name)
        neutral = KNOBS[knob].neutral if knob in KNOBS else None
        if neutral is not None and self.take(name, knob, neutral) and self.is_on(name):
            self.filled.pop(name, None)  # it is not what the engine's default says

    def missing(self, name: str, why: str = "", **fields: Any) -> None:
        """Tells that a key has no counterpart."""
        key = self.engine.key(name)
        self.settle(name)
        self.tell("missing", name, words(why or (key.why if key else "") or NO_COUNTERPART, **fields))

    def tell(self, kind: TellKind, name: str, why: str) -> None:
        """Tells something of a key, with the value that holds there."""
        self.told.append(told(kind, name, self.there(name), why if isinstance(why, Words) else words(why)))
