"""People count steps from 1: on the page, in both languages, and in what the library says of a step."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from transformers.generation import TopKLogitsWarper, TopPLogitsWarper

from app.lab.tabs import TABS, lab
from app.session.session import Session
from app.sheets import heat_map, step, whatif
from app.sheets.beam_tree import tree_sheet
from app.sheets.token_row import token_row
from app.text import Text
from app.views.beam_tree import BeamTree
from app.views.look import LabTab
from decoding import Settings, Trace
from decoding.errors import NotRecordedError
from decoding.recorded.run import Fork
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
    yield from map(said, (step.waterfall(look), step.lecture(look), step.cutoff(look), step.candidate(look)))
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


def forked(trace: Trace) -> Trace:
    """The same steps after eleven that were taken over, the last of them another token: the first one is step 12."""
    prompt = torch.tensor([[0, *[3] * 11]])
    return replace(
        trace, prompt_ids=prompt, prompt_mask=torch.ones_like(prompt), first_step=11,
        fork=Fork(step=10, row=0, token_id=3, prompt_length=1),
    )  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("at", [0, 2])
def test_of_a_fork_every_step_that_the_page_names_counts_on(trace, lang, at):
    session = Session(forked(trace), lang=lang)
    session.go_to(row=0, step=at)
    named = {int(n) for page in pages(session) for n in NAMED[lang].findall(page)}
    assert at + 12 in named and named <= {12, 13, 14}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_in_a_forks_row_the_tokens_taken_over_have_their_steps_and_the_last_was_taken_by_hand(trace, lang):
    look = Session(forked(trace), lang=lang).look
    shown = token_row(look)
    prompt = json.loads(json.dumps(shown["data"]["rows"][0]["prompt"]))
    assert [cell["taken"] for cell in prompt] == ["", *["over"] * 10, "by_hand"]
    tips = [NAMED[lang].findall(cell["tip"]) for cell in prompt]
    assert tips == [[], *([str(n)] for n in range(1, 12))]
    assert [NAMED[lang].findall(line["tip"])[0] for line in shown["lines"]] == ["12", "13", "14"]
    assert look.text.step(0) == 12 and shown["data"]["first_step"] == 11


@pytest.mark.parametrize("part", ["heat_map", "tree", "settings_map", "whatif"])
def test_what_the_page_counts_itself_is_told_where_a_fork_begins(trace, part):
    look = Session(forked(trace)).look
    tree = BeamTree(prompt=0, n_prompts=1, n_steps=1, n_beams=1, n_groups=1, nodes=())
    made = {
        "heat_map": lambda: heat_map.frame(look), "whatif": lambda: whatif.panel(look),
        "tree": lambda: tree_sheet(tree, look.text, run=0, step=0, rank=0),
        "settings_map": lambda: lab(replace(look, lab=LabTab(tab="settings_map")))["sheet"]["grid"],
    }[part]()  # fmt: skip
    assert made["first_step"] == 11


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_lost_step_is_named_as_the_page_counts(trace, lang):
    with pytest.raises(NotRecordedError) as lost:
        with_lost_steps(trace, 1).steps[1].all_scores(row=0)
    assert NAMED[lang].findall(Text(lang).said(lost.value))[0] == "2"
    with pytest.raises(NotRecordedError) as lost:
        with_lost_steps(forked(trace), 1).steps[1].all_scores(row=0)
    assert NAMED[lang].findall(Text(lang).said(lost.value))[0] == "13"


def test_what_if_names_steps_as_the_page_counts_and_gives_their_index(trace):
    statement = with_lost_steps(trace, 1).whatif(Settings(do_sample=True, top_k=2)).statements[0]
    assert statement.step == 1 and statement.text.startswith("step 2 was not kept")
    statement = with_lost_steps(forked(trace), 1).whatif(Settings(do_sample=True, top_k=2)).statements[0]
    assert statement.step == 1 and statement.text.startswith("step 13 was not kept")
