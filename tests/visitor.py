"""A visitor without a browser: the page's own events, and the API's, over connections that can be cut."""

from __future__ import annotations

import http.client
import json
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Visitor"]


class Visitor:
    """Someone with a session of their own on a served page."""

    def __init__(self, url: str) -> None:
        self.host = urllib.parse.urlsplit(url).netloc
        self.session = uuid.uuid4().hex
        with urllib.request.urlopen(f"{url}/config") as answer:
            self._config = json.load(answer)

    def run(self, mode: str = "greedy", prompt: str = "ab", **given: Any) -> Any:
        """Presses Run; the answer that comes in pieces, for `with`: leaving that is leaving the page."""
        form = json.dumps({"mode": mode, "given": given})
        self._event("queue/join", "dx-run", "click", None, "", "text", prompt, "", form)
        return self._listening(f"queue/data?session_hash={self.session}")

    def step(self, at: dict[str, int]) -> dict[str, Any]:
        """Clicks on a step of the token row; what changes on the page."""
        return self._event("run/predict", "dx-tokens", "step", None, json.dumps(at))

    def call(self, name: str, *data: Any) -> Any:
        """Calls an endpoint of the API, as a program that knows nothing but HTTP; for `with`, as `run`."""
        event = self._post(f"call/{name}", {"data": list(data)})["event_id"]
        return self._listening(f"call/{name}/{event}")

    def _event(self, path: str, part: str, event: str, *data: Any) -> dict[str, Any]:
        number = next(c["id"] for c in self._config["components"] if c["props"].get("elem_id") == part)
        handler = next(
            d["id"] for d in self._config["dependencies"]
            if [number, event] in d["targets"] and len(d["inputs"]) == len(data)
        )  # fmt: skip
        return self._post(path, {"data": list(data), "fn_index": handler, "session_hash": self.session})

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://{self.host}/gradio_api/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    @contextmanager
    def _listening(self, path: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.host, timeout=120)
        connection.request("GET", f"/gradio_api/{path}")
        answer = connection.getresponse()
        try:
            yield answer
        finally:
            answer.close()
            connection.close()
