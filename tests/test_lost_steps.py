"""A run whose last steps, or all of them, found no room on the disk: the page shows what there is."""

from __future__ import annotations

import json
import tempfile

import pytest

from app.handlers.handlers import Handlers
from app.handlers.shown import run_in_view
from app.page.layout import build
from app.session.session import Session
from app.sheets.token_row import token_row
from app.standalone.page import standalone_html
from decoding import Settings, load_trace, record
from decoding.errors import NotRecordedError
from tests.test_handlers import Shelf
from tests.test_step_store import SmallDisk
from tests.tiny_models import tiny_lm

WAYS = {"sample": {"do_sample": True, "seed": 1, "top_k": 9}, "beam_search": {"num_beams": 2}, "greedy": {}}


@pytest.fixture(params=[0, 4_000, 9_000], ids=["all", "most", "some"])
def room(request) -> int:
    return request.param


@pytest.fixture(params=WAYS)
def trace(request, room, monkeypatch, tmp_path):
    disk = SmallDisk(room, short=False)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **kwargs: disk)
    made = record(tiny_lm(), "The cat", Settings(max_new_tokens=8, **WAYS[request.param]), memory_budget=0)
    monkeypatch.undo()
    made.save(tmp_path / "lost.trace")
    opened = load_trace(tmp_path / "lost.trace")
    with pytest.raises(NotRecordedError):
        opened.scores(step=len(opened.steps) - 1)
    return opened


def test_it_opens_on_the_page_with_all_its_tokens(trace):
    session = Session(trace, "file")
    run_in_view(session.look)
    lines = [] if trace.ledger else list(token_row(session.look)["lines"])
    assert len(lines) == (0 if trace.ledger else len(trace.steps))
    for line in lines:
        assert (line["probability"] is None) == _is_lost(trace, line["step"])
    build(Shelf(tiny_lm()), session)


def test_every_step_can_be_looked_at_and_a_lost_one_says_so(trace):
    lm = tiny_lm()
    handlers, session = Handlers(Shelf(lm)), Session(trace, "file")
    for step in range(len(trace.steps)):
        if trace.ledger is None:
            value = json.dumps({"run": 0, "row": 0, "step": step})
            changes = handlers.looking.choose_step(session, value)
        else:
            value = json.dumps({"run": 0, "prompt": 0, "step": step, "rank": 0})
            changes = handlers.looking.choose_node(session, value)
        drawn = changes["waterfall"].constructor_args["data"]
        assert ("were not kept" in drawn) == _is_lost(trace, step)
        handlers.looking.look_closer(session)


def test_it_becomes_a_page_of_its_own(trace):
    assert "</html>" in standalone_html(trace)


def _is_lost(trace, step: int) -> bool:
    try:
        trace.scores(step=step)
    except NotRecordedError:
        return True
    return False
