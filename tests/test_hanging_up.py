"""Whoever leaves ends what was decoded for them: on the real server, over real connections that are cut."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest

from app.page.layout import build
from app.serving.line import Line
from app.serving.model_shelf import ModelShelf
from app.session.session import Session
from decoding import Settings, record
from tests.conftest import _free_port
from tests.tiny_models import tiny_lm
from tests.visitor import Visitor

A_STEP = 0.08  # seconds
LONG = {"max_new_tokens": 100, "min_new_tokens": 100}  # eight seconds


class Slow:
    """Counts the steps of a model, each of which takes its time."""

    def __init__(self, lm) -> None:
        self.n = 0
        lm.model.register_forward_pre_hook(self._count)

    def _count(self, model, inputs) -> None:
        self.n += 1
        time.sleep(A_STEP)


class Served:
    """The page on a port, with what it decodes with; one run goes on at a time."""

    def __init__(self) -> None:
        lm = tiny_lm()
        first = record(lm, "ab", Settings(max_new_tokens=2))
        self.steps, self.line, port = Slow(lm), Line(at_once=1), _free_port()
        shelf = ModelShelf(lm.name)
        shelf._take_in(lm.name, lm)
        self.page = build(shelf, Session(first, "file"), self.line)
        self.page.queue()
        how = {"quiet": True, "prevent_thread_lock": True, "ssr_mode": False}
        self.page.launch(server_name="127.0.0.1", server_port=port, **how)
        self.url = f"http://127.0.0.1:{port}"

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
    """It is over long before its hundred steps are."""
    until(lambda: served.line.is_idle, 3.0)
    now = served.steps.n
    time.sleep(5 * A_STEP)
    assert served.steps.n <= now + 1


def test_a_page_that_is_left_ends_its_run(served):
    with Visitor(served.url).run(**LONG) as answer:
        served.goes_on()
        assert answer.readline()
    ends_soon(served)


def test_a_page_that_is_left_while_it_waits_is_out_of_the_line(served):
    with Visitor(served.url).run(**LONG):
        served.goes_on()
        with Visitor(served.url).run(**LONG):
            until(lambda: served.line._waiting)
        until(lambda: not served.line._waiting, 5.0)
        assert not served.line.is_idle
    ends_soon(served)


@pytest.mark.parametrize("what", ["record", "verify"])
def test_a_caller_who_hangs_up_ends_the_run(served, what):
    arguments = ("ab", LONG, "", None)
    if what == "verify":
        with Visitor(served.url).call("record", "ab", {"max_new_tokens": 40, "min_new_tokens": 40}, "", None) as answer:
            said = answer.read().decode()
        arguments = (json.loads(said.split("data: ")[-1])[0]["run"],)
    with Visitor(served.url).call(what, *arguments):
        served.goes_on()
    ends_soon(served)
    until(lambda: not any(thread.name == "decoding as a whole" for thread in threading.enumerate()), 3.0)


def test_a_caller_who_hangs_up_while_waiting_is_out_of_the_line(served):
    with Visitor(served.url).call("record", "ab", LONG, "", None):
        served.goes_on()
        with Visitor(served.url).call("record", "x", LONG, "", None):
            until(lambda: served.line._waiting)
        until(lambda: not served.line._waiting, 5.0)
        assert not served.line.is_idle
    ends_soon(served)


def test_a_call_is_answered_once_and_with_the_whole_run(served):
    with Visitor(served.url).call("record", "ab", {"max_new_tokens": 5}, "", None) as answer:
        said = answer.read().decode()
    assert said.count("event: ") == said.count("event: complete") == 1
    assert json.loads(said.split("data: ")[1])[0]["n_steps"] == 5
