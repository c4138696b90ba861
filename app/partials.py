"""`Partials`: the responses of other engines that a visitor has opened, and which of them is in view, if one is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from decoding.errors import ResponseError

if TYPE_CHECKING:
    from decoding.partial.partial_trace import PartialTrace

__all__ = ["MOST_NAMED", "MOST_OPEN", "Opened", "Partials", "check_size"]

T = TypeVar("T")

MOST_OPEN = 3  # kept at a time; the oldest makes room
MOST_NAMED = 30_000  # tokens that a response names: what the page is sent takes about 200 bytes for each


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A response, and what of it is looked at.

    Attributes:
        number: counting up from 0.
        name: of the file.
        trace: the response.
        choice: the place of the answer in view.
        against: the number of the run that it is held against, as it was chosen; None for the one that fits.
    """

    number: int
    name: str
    trace: PartialTrace
    choice: int = 0
    against: int | None = None


class Partials:
    """The opened responses, oldest first."""

    def __init__(self) -> None:
        self._opened: tuple[Opened, ...] = ()
        self._in_view: int | None = None
        self._next = 0
        self._made: dict[int, tuple[Hashable, Any]] = {}
        self._changing = threading.Lock()

    def __iter__(self) -> Iterator[Opened]:
        return iter(self._opened)

    @property
    def in_view(self) -> Opened | None:
        """The response in view; None where a run is."""
        return next((each for each in self._opened if each.number == self._in_view), None)

    def copy(self) -> Partials:
        """The same responses for another page."""
        other = Partials()
        with self._changing:
            other._opened, other._in_view, other._next = self._opened, self._in_view, self._next
        return other

    def add(self, trace: PartialTrace, name: str) -> Opened:
        """Takes a response in, and into view.

        Raises:
            ResponseError: it is larger than the page shows.
        """
        check_size(trace, name)
        with self._changing:
            opened = Opened(number=self._next, name=name[:100], trace=trace)
            self._opened = (*self._opened, opened)[-MOST_OPEN:]
            self._in_view, self._next = self._next, self._next + 1
        return opened

    def look(self, number: object, choice: object = None, against: object = None) -> None:
        """Brings the response of that number into view, an answer of it, beside a run; all may be anything."""
        with self._changing:
            found = next((each for each in self._opened if type(number) is int and each.number == number), None)
            if found is None:
                return
            self._in_view = found.number
            if type(choice) is int and 0 <= choice < len(found.trace.choices):
                found = replace(found, choice=choice)
            if type(against) is int:
                found = replace(found, against=against)
            self._opened = tuple(found if each.number == found.number else each for each in self._opened)

    def once(self, number: int, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives of a response, made once for as long as it is open and the key stays the same."""
        found = self._made.get(number)
        if found is None or found[0] != key:
            found = key, make()
            self._made = {number: found, **{n: old for n, old in self._made.items() if n != number}}
            self._made = {n: old for n, old in self._made.items() if any(each.number == n for each in self._opened)}
        return found[1]

    def leave(self) -> None:
        """A run is in view again; the responses stay."""
        self._in_view = None

    def close(self, number: object) -> None:
        """Lets the response of that number go; the one before it comes into view, if this one was."""
        with self._changing:
            before = None
            for each in self._opened:
                if type(number) is int and each.number == number:
                    self._opened = tuple(other for other in self._opened if other is not each)
                    if self._in_view == number:
                        self._in_view = before
                    return
                before = each.number


def check_size(trace: PartialTrace, name: str) -> None:
    """Returns if the page can show a response.

    Raises:
        ResponseError: it names more tokens.
    """
    if trace.n_known > MOST_NAMED:
        raise ResponseError(
            "{name} names {n:,} tokens, and the page shows at most {most:,}; ask the server for fewer (top_logprobs, "
            "n_probs), or open it with the library: open_response()",
            name=name, n=trace.n_known, most=MOST_NAMED,
        )  # fmt: skip
