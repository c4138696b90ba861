"""`Node`: a value of a stranger's JSON that knows where it stands, so that an error names the place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from decoding.errors import ResponseError, shown
from decoding.partial.json_text import Items
from decoding.words import Words, words

__all__ = ["Node"]


class Node:
    """One value.

    Args:
        value: as JSON has it.
        within: what it is a part of; None for a whole document.
        name: its own in there, such as `.logprobs` or `[0]`; of a document what it is called.
    """

    __slots__ = ("_name", "_within", "value")

    def __init__(self, value: Any, within: Node | None = None, name: str | int = "") -> None:
        self.value, self._within, self._name = value, within, name

    @property
    def place(self) -> str:
        """Such as `choices[0].logprobs`; "" for the whole document."""
        names: list[str] = []
        node: Node | None = self
        while node is not None:
            names.append(f"[{node._name}]" if isinstance(node._name, int) else node._name)
            node = node._within
        return "".join(reversed(names)).removeprefix(".")

    def __bool__(self) -> bool:
        """Whether there is something: null is nothing, as what is missing."""
        return self.value is not None

    def __getitem__(self, name: str) -> Node:
        """A field; null where it is missing, or this is null itself."""
        fields = self.object()
        return Node(fields.get(name), self, f".{name}")

    def has(self, *names: str) -> bool:
        """Whether this is an object with one of these fields, also null."""
        return isinstance(self.value, dict) and any(name in self.value for name in names)

    def object(self) -> dict[str, Any]:
        """The fields; none of null."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise self.wrong(words("an object"))
        return self.value

    def pairs(self) -> Iterator[tuple[str, Node]]:
        """The fields in order, also those that have one name."""
        fields = self.object()
        for name, value in fields.pairs if isinstance(fields, Items) else fields.items():
            yield name, Node(value, self, f"[{shown(name)}]")

    def items(self) -> list[Node]:
        """The items of a list; none of null."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self.wrong(words("a list"))
        return [Node(value, self, i) for i, value in enumerate(self.value)]

    def text(self) -> str:
        """A text; "" of null."""
        if self.value is None:
            return ""
        if not isinstance(self.value, str):
            raise self.wrong(words("a text"))
        return self.value

    def number(self) -> float | None:
        """A number, which may be infinite or NaN; None of null."""
        value = self.value
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong(words("a number or null"))
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf

    def whole(self, most: int = 2**31) -> int | None:
        """A whole number from 0; None of null."""
        value = self.value
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < most:
            raise self.wrong(words("a whole number in [0, {last}]", last=most - 1))
        return value

    def bytes(self) -> bytes | None:
        """A list of bytes; None of null."""
        if self.value is None:
            return None
        if not isinstance(self.value, list):
            raise self.wrong(words("a list"))
        try:
            return bytes(self.value)  # nearly all are right
        except (TypeError, ValueError):
            return bytes(value for item in self.items() if (value := item.whole(256)) is not None)

    def wrong(self, accepts: Words) -> ResponseError:
        """The error that says what should stand here."""
        return ResponseError(
            "{place} must be {accepts}, got {value}; give the response as the server sent it",
            place=self.place or words("the response"), accepts=accepts, value=_told(self.value),
        )  # fmt: skip


def _told(value: Any) -> str:
    """The value in few words: a stranger's may be of any size."""
    if isinstance(value, dict):
        return words("an object")
    if isinstance(value, list):
        return words("a list")
    return shown(value[:201] if isinstance(value, str) else value)
