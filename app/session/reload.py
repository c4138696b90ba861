"""What a visitor's tab keeps of its runs over a reload: a key to them, and what each was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from ..export.permalink import decode
from ..runs import name_of
from .drafts import Asked

if TYPE_CHECKING:
    from .session import Session

__all__ = ["AskAgain", "Kept", "Visits", "to_ask_again"]

KEY = re.compile(r"[A-Za-z0-9_-]{43}")  # as `secrets.token_urlsafe(32)` makes them
MOST_RUNS = 12
MOST_LINKS = 200_000  # characters of all runs together; browsers keep millions
LONGEST_KEPT = 2 * MOST_LINKS
MOST_NUMBER = 1_000_000


class Visits:
    """Finds a visitor's session by its key, for as long as the server has it.

    It keeps none of them: `app.serving.tidying` says how long, and how many, the server keeps of those whose tab was
    closed or reloaded.
    """

    def __init__(self) -> None:
        self._sessions: WeakValueDictionary[str, Session] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: Session) -> None:
        """Whoever shows the session's key finds it from now on."""
        self._sessions[session.key] = session

    def get(self, key: str) -> Session | None:
        """The session of a key; None where the server does not have it."""
        return self._sessions.get(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAgain:
    """What is needed to record a run again.

    Attributes:
        number, name: of the run.
        asked: the form that gives it.
    """

    number: int
    name: str
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the tab kept.

    Attributes:
        key: of the session.
        runs: what can be asked again, the oldest first.
    """

    key: str
    runs: tuple[AskAgain, ...]

    @classmethod
    def read(cls, text: Any, model: str) -> Kept | None:
        """From the tab's storage, which may hold anything; None where it has no key.

        Args:
            model: of runs that name none.
        """
        if not isinstance(text, str) or len(text) > LONGEST_KEPT:
            return None
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return None
        key = data.get("key") if isinstance(data, dict) else None
        if not isinstance(key, str) or not KEY.fullmatch(key):
            return None
        return cls(key=key, runs=tuple(sorted(_read(data.get("runs"), model), key=lambda run: run.number)))


def _read(runs: Any, model: str) -> Iterator[AskAgain]:
    seen = set()
    for run in runs[:MOST_RUNS] if isinstance(runs, list) else ():
        number, link = (run.get("number"), run.get("c")) if isinstance(run, dict) else (None, None)
        if type(number) is not int or not 0 <= number <= MOST_NUMBER or number in seen or not isinstance(link, str):
            continue
        asked = Asked.of(decode(link)[0], model)
        if asked.prompt:
            seen.add(number)
            yield AskAgain(number=number, name=name_of(run.get("name")), asked=asked)


def to_ask_again(session: Session) -> list[dict[str, Any]]:
    """What the tab keeps of each run, the newest first; recorded examples need not be asked for.

    Those that the server has no longer are among them, until they were asked again or let go.
    """
    named = session.lost | {run.number: run.name for run in session.runs if run.origin != "example"}
    found, room = [], MOST_LINKS
    for number in sorted(named, reverse=True)[:MOST_RUNS]:
        asked = session.asked_for(number)
        link = "" if asked is None or not asked.prompt else asked.link
        if link and len(link) <= room:
            room -= len(link)
            found.append({"number": number, "name": named[number], "c": link})
    return found
