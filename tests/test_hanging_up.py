"""Whoever leaves ends what was decoded for them: on the real server, over real connections that are cut."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.page.layout import build
from app.serving.line import Line
from app.serving.model_shelf import ModelShelf
from app.session.session import Session
from decoding import Settings, record
from tests.conftest import _free_port
from tests.tiny_models import tiny_lm

A_STEP = 0.02  # seconds
LONG = {"max_new_tokens": 400, "min_new_tokens": 400}
FORM = json.dumps({"mode": "greedy", "given": LONG})


class Slow:
    """Counts the steps of a model, each of which takes its time."""

    def __init__(self, lm) -> None:
        self.n, self._forward = 0, lm.model.forward
        lm.model.forward = self

    def __call__(self, *args, **kwargs):
        self.n += 1
        time.sleep(A_STEP)
        return self._forward(*args, **kwargs)


class Served:
    """The page on a port, with what it decodes with."""

    def __init__(self) -> None:
        lm = tiny_lm()
        first = record(lm, "ab", Settings(max_new_tokens=2))
        self.steps, self.line, self.port = Slow(lm), Line(at_once=1), _free_port()
        shelf = ModelShelf(lm.name)
        shelf._take_in(lm.name, lm)
        self.page = build(shelf, Session(first, "file"), self.line)
        self.page.queue()
        self.page.launch(
            server_name="127.0.0.1", server_port=self.port, quiet=True, prevent_thread_lock=True, ssr_mode=False
        )
        self.config = json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.port}/config"))

    def function(self, label: str, event: str) -> int:
        """The number of the handler of an event of the component with this id in the page."""
        part = next(c["id"] for c in self.config["components"] if c["props"].get("elem_id") == label)
        return next(
            d["id"] for d in self.config["dependencies"] if [part, event] in d["targets"] and d["queue"] and d["inputs"]
        )

    def post(self, path: str, body: dict) -> dict:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/gradio_api/{path}", json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    @contextmanager
    def listening(self, path: str) -> Iterator[http.client.HTTPResponse]:
        """An answer that comes in pieces; the connection is cut at the end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", f"/gradio_api/{path}")
        answer = connection.getresponse()
        try:
            yield answer
        finally:
            connection.sock and connection.sock.close()
            answer.close()
            connection.close()

    @contextmanager
    def run_on_the_page(self, visitor: str) -> Iterator[http.client.HTTPResponse]:
        """A run as a page asks for it."""
        data = [None, "", "text", "ab", "", FORM]
        self.post("queue/join", {"data": data, "fn_index": self.function("dx-run", "click"), "session_hash": visitor})
        with self.listening(f"queue/data?session_hash={visitor}") as answer:
            yield answer

    @contextmanager
    def call(self, name: str, *data) -> Iterator[http.client.HTTPResponse]:
        """A call of the API, as a program makes it that knows nothing but HTTP."""
        event = self.post(f"call/{name}", {"data": list(data)})["event_id"]
        with self.listening(f"call/{name}/{event}") as answer:
            yield answer

    def goes_on(self) -> None:
        """Returns once something is being decoded."""
        before = self.steps.n
        until(lambda: self.steps.n >= before + 3)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.page.close()


def until(there, seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < ends
        time.sleep(0.01)


def ends_soon(served: Served) -> None:
    """It is over long before its four hundred steps are."""
    until(lambda: served.line.is_idle, 3.0)
    now = served.steps.n
    time.sleep(5 * A_STEP)
    assert served.steps.n <= now + 1


def threads_of(served: Served) -> int:
    return sum(thread.name.startswith("decoding") for thread in threading.enumerate())


def test_a_page_that_is_left_ends_its_run(served):
    with served.run_on_the_page("leaves") as answer:
        served.goes_on()
        assert answer.readline()
    ends_soon(served)


def test_a_page_that_is_left_while_it_waits_is_out_of_the_line(served):
    with served.run_on_the_page("first"):
        served.goes_on()
        with served.run_on_the_page("second"):
            until(lambda: served.line._waiting)
        until(lambda: not served.line._waiting, 5.0)
        assert not served.line.is_idle
    ends_soon(served)


@pytest.mark.parametrize("what", ["record", "verify"])
def test_a_caller_who_hangs_up_ends_the_run(served, what):
    arguments = ("ab", LONG, "", None)
    if what == "verify":
        with served.call("record", "ab", {"max_new_tokens": 60, "min_new_tokens": 60}, "", None) as answer:
            said = answer.read().decode()
        arguments = (json.loads(said.split("data: ")[-1])[0]["run"],)
    with served.call(what, *arguments):
        served.goes_on()
    ends_soon(served)
    assert threads_of(served) <= 1


def test_a_caller_who_hangs_up_while_waiting_is_out_of_the_line(served):
    with served.call("record", "ab", LONG, "", None):
        served.goes_on()
        with served.call("record", "x", LONG, "", None):
            until(lambda: served.line._waiting)
        until(lambda: not served.line._waiting, 5.0)
        assert not served.line.is_idle
    ends_soon(served)


def test_a_call_is_answered_once_and_with_the_whole_run(served):
    with served.call("record", "ab", {"max_new_tokens": 5}, "", None) as answer:
        said = answer.read().decode()
    assert said.count("event: ") == said.count("event: complete") == 1
    assert json.loads(said.split("data: ")[1])[0]["n_steps"] == 5
