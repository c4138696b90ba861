"""The page's events as its own scripts send them, found by what they are for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx

__all__ = ["Event", "Gone", "Refused", "ServerFault", "Site", "ask", "follow", "properties"]

API = "/gradio_api"
UPDATE = ("props", "__type__")  # what an update has besides what it changes
PARTS = {
    "run": "dx-run", "stop": "dx-stop", "token_row": "dx-tokens", "candidate": "dx-candidate", "whatif": "dx-whatif",
    "answer": "dx-answer", "runs": "dx-runs", "status": "dx-status", "prompt": "dx-prompt", "model": "dx-model",
    "message": "dx-message",
}  # fmt: skip


class Refused(Exception):
    """The server takes no more for now, and says so."""


class ServerFault(Exception):
    """The server failed."""


class Gone(Exception):
    """The visitor has left meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A listener of the page.

    Attributes:
        index: the server's number of it.
        name: the part and what happens there.
        n_inputs: values that it takes.
        outputs: names of the parts that it may change; "" for others.
        queued: it waits its turn.
        asks: it asks the server, and not the page's scripts alone.
    """

    index: int
    name: str
    n_inputs: int
    outputs: tuple[str, ...]
    queued: bool
    asks: bool


class Site:
    """A served page.

    Args:
        config: of `/config`.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        by_element = {
            component["props"].get("elem_id"): component["id"]
            for component in config["components"]
            if isinstance(component.get("props"), dict)
        }
        self.ids = {part: by_element[element] for part, element in PARTS.items() if element in by_element}
        names = {number: part for part, number in self.ids.items()}
        self.values = {c["id"]: c["props"].get("value") for c in config["components"] if isinstance(c["props"], dict)}
        self.events = [self._event(dependency, names) for dependency in config["dependencies"]]

    @staticmethod
    def _event(dependency: dict[str, Any], names: dict[int, str]) -> Event:
        where = [f"{names.get(number, '')}.{what}" for number, what in dependency["targets"]]
        return Event(
            index=dependency["id"], name=" ".join(where) or str(dependency.get("api_name") or ""),
            n_inputs=len(dependency["inputs"]), asks=bool(dependency.get("backend_fn")),
            queued=dependency.get("queue") is not False,
            outputs=tuple(names.get(number, "") for number in dependency["outputs"]),
        )  # fmt: skip

    def event(self, name: str, *, queued: bool) -> Event | None:
        """The listener of `part.what`; None where this server has none."""
        mine = (e for e in self.events if name in e.name.split() and e.asks)
        return next((e for e in mine if e.queued is queued), None)

    @classmethod
    async def read(cls, http: httpx.AsyncClient) -> Site:
        """As it is served now."""
        answer = await http.get("/config")
        return cls(answer.json())


async def ask(http: httpx.AsyncClient, event: Event, visitor: str, data: list[Any], about: Any = None) -> list[Any]:
    """What a listener that does not wait its turn answers.

    Raises:
        Refused: it is asked too often.
        ServerFault: it failed.
    """
    return (await _post(http, "/run/predict", event, visitor, data, about))["data"]


async def follow(
    http: httpx.AsyncClient, event: Event, visitor: str, data: list[Any], about: Any = None
) -> AsyncIterator[dict[str, Any]]:
    """What a listener that waits its turn answers, message by message: parts by name, as far as they change.

    Raises:
        Refused: there is no room to wait.
        ServerFault: it failed.
    """
    joined = await _post(http, "/queue/join", event, visitor, data, about)
    mine, parts = joined["event_id"], Parts(event)
    async with aclosing(_messages(http, visitor)) as messages:
        async for message in messages:
            if message.get("event_id") not in (None, mine):
                continue
            if message["msg"] == "unexpected_error" or message.get("success") is False:
                raise ServerFault(f"{event.name}: {json.dumps(message)[:300]}")
            if message["msg"] == "process_generating":
                yield parts.take(message["output"]["data"])
            if message["msg"] == "process_completed":
                if not parts.began and message["output"].get("data"):
                    yield parts.take(message["output"]["data"])
                return
    raise ServerFault(f"{event.name}: the stream ended before the answer was whole")


async def _post(
    http: httpx.AsyncClient, path: str, event: Event, visitor: str, data: list[Any], about: Any
) -> dict[str, Any]:
    answer = await http.post(f"{API}{path}", json=_body(event, visitor, data, about))
    if answer.status_code in (429, 503):
        raise Refused(answer.text[:200])
    if answer.status_code != 200:
        raise ServerFault(f"{event.name}: {answer.status_code} {answer.text[:200]}")
    return answer.json()


async def _messages(http: httpx.AsyncClient, visitor: str) -> AsyncIterator[dict[str, Any]]:
    async with http.stream("GET", f"{API}/queue/data", params={"session_hash": visitor}, timeout=None) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data:"):
                yield json.loads(line[5:])


def _body(event: Event, visitor: str, data: list[Any], about: Any) -> dict[str, Any]:
    data = [*data, *[None] * (event.n_inputs - len(data))]
    return {"data": data, "event_data": about, "fn_index": event.index, "trigger_id": 1, "session_hash": visitor}


class Parts:
    """The values of a listener's outputs while its answer comes in: whole at first, then what has changed."""

    def __init__(self, event: Event) -> None:
        self._names, self._values = event.outputs, list[Any]()

    @property
    def began(self) -> bool:
        """Whether a first answer has come."""
        return bool(self._values)

    def take(self, data: list[Any]) -> dict[str, Any]:
        """What a message says, by part: `{"prop": value}` of each that is named and changes."""
        if not self._values:
            self._values = data
        else:
            for place, changes in enumerate(data):
                if self._names[place]:  # the others are not looked at
                    self._values[place] = changed(self._values[place], changes)
        pairs = zip(self._names, map(properties, self._values), strict=False)
        return {name: found for name, found in pairs if name and found}


def properties(value: Any) -> dict[str, Any]:
    """What an update of a part changes, by property; nothing where it is none."""
    if not isinstance(value, dict):
        return {}
    return {name: new for name, new in {**value, **(value.get("props") or {})}.items() if name not in UPDATE}


def changed(value: Any, changes: list[Any]) -> Any:
    """A value after changes `[what, path, new]`."""
    whole = [value]
    for what, path, new in changes:
        *way, last = [0, *path]
        here: Any = whole
        for step in way:
            here = here[step]
        if what == "delete":
            del here[last]
        elif what == "append":
            here[last] = here[last] + new
        elif what == "add" and isinstance(here, list):
            here.insert(last, new)
        else:
            here[last] = new
    return whole[0]
