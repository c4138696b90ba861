"""People count steps from 1: on the page, in both languages, and in what the library says of a step."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from transformers.generation import TopKLogitsWarper, TopPLogitsWarper

from app.lab.tabs import TABS, lab
from app.session.session import Session
from app.sheets import step, whatif
from app.text import Text
from decoding import Settings
from decoding.errors import NotRecordedError
from tests.hand_made import hand_made_trace, with_lost_steps

LOGITS = [2.0, 1.0, 0.5, 0.2, 0.1, 0.0, -0.5, -1.0]
NAMED = {"en": re.compile(r"\b[Ss]tep (\d+)"), "zh": re.compile(r"第 (\d+) 步")}


@pytest.fixture
def trace():
    return hand_made_trace([LOGITS] * 3, [1, 0, 2], [TopKLogitsWarper(5), TopPLogitsWarper(0.9)])


def said(sheet: object) -> str:
    return json.dumps(sheet, ensure_ascii=False, default=str)


def pages(session: Session) -> Iterator[str]:
    """All that is written about the step in view."""
    look = session.look
    yield from map(said, (step.waterfall(look), step.cutoff(look), step.fork(look)))
    for tab in TABS:
        yield said(lab(replace(look, lab=replace(look.lab, tab=tab))))
    session.try_out(json.dumps({"mode": "sample", "given": {"top_k": 2}}))
    yield from map(said, (whatif.answer(session.look), step.waterfall(session.look), step.cutoff(session.look)))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("at", [0, 2])
def test_the_page_names_the_step_in_view_counted_from_one(trace, lang, at):
    session = Session(trace, lang=lang)
    session.go_to(row=0, step=at)
    named = {int(n) for page in pages(session) for n in NAMED[lang].findall(page)}
    assert at + 1 in named and 0 not in named
    assert max(named) <= len(trace.steps)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_lost_step_is_named_as_the_page_counts(trace, lang):
    with pytest.raises(NotRecordedError) as lost:
        with_lost_steps(trace, 1).steps[1].all_scores(row=0)
    assert NAMED[lang].findall(Text(lang).said(lost.value))[0] == "2"


def test_what_if_names_steps_as_the_page_counts_and_gives_their_index(trace):
    statement = with_lost_steps(trace, 1).whatif(Settings(do_sample=True, top_k=2)).statements[0]
    assert statement.step == 1 and statement.text.startswith("step 2 was not kept")
