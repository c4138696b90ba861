"""Settings of other engines on the page: what a visitor pastes, and what the tab with the code gives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from app.form import MODES_SHOWN, settings_of
from app.handlers.presets import PresetHandlers
from app.lab import code
from app.session.session import Session
from app.sheets.presets import found_sheet, presets_sheet
from app.text import Text
from decoding.errors import NotRecordedError
from decoding.parameters.settings import Settings
from decoding.presets import ENGINES, read
from decoding.record import record
from tests.hand_made import HOSTILE
from tests.test_handlers import JUNK
from tests.test_presets import PLAIN
from tests.tiny_models import tiny_lm


def pasted(session: Any, **fields: Any) -> dict[str, Any]:
    """What the panel shows after this was pasted."""
    event = gr.EventData(None, None)
    event._data = fields
    changes = PresetHandlers().read(session, event)
    return json.loads(changes["presets"].constructor_args["found"]) if changes else changes


@pytest.fixture
def session():
    return Session(record(tiny_lm(), "ab", Settings(do_sample=True, top_p=0.9, seed=1, max_new_tokens=3)))


@pytest.mark.parametrize(("engine", "text", "expected"), PLAIN)
def test_the_form_gives_the_settings_that_were_read(engine, text, expected):
    found = read(text if isinstance(text, str) else json.dumps(text), engine)
    form = json.loads(found_sheet(found, Text("en"))["form"])
    assert form["mode"] in MODES_SHOWN
    again = settings_of(json.dumps(form)).given()
    assert again == {name: value for name, value in found.settings.given().items() if name in again}
    silent = set(found.settings.given()) - set(again)  # what another mode is chosen by, as it is where it is not
    assert silent <= {"num_beams", "penalty_alpha", "num_return_sequences", "length_penalty", "early_stopping"}


def test_what_is_pasted_is_shown_with_the_form_that_it_makes(session):
    text = '{"n_predict": 5, "temperature": 0.5, "presence_penalty": 1, "bogus": 2, "repeat_penalty": 1.2}'
    found = pasted(session, text=text, engine="", defaults=True, turn=1)
    assert json.loads(found["form"])["given"]["top_k"] == 40
    assert {"name": "temperature", "value": "0.5"} in found["settings"]
    kinds = {group["kind"]: [item["name"] for item in group["items"]] for group in found["told"]}
    assert kinds["unknown"] == ["bogus"]
    assert kinds["missing"] == ["presence_penalty"]
    assert "repeat_last_n" in kinds["differs"]
    assert "top_k" in found["filled"]
    without = pasted(session, text=text, engine="llama.cpp", defaults=False, turn=2)
    assert "top_k" not in json.loads(without["form"])["given"]


def test_what_cannot_be_read_says_so_in_the_visitors_language(session):
    assert "no whole JSON" in pasted(session, text="{", engine="", defaults=True, turn=1)["error"]
    session.speak("zh")
    assert "不是完整的 JSON" in pasted(session, text="{", engine="", defaults=True, turn=2)["error"]
    found = pasted(session, text='{"n_predict": 3, "stop": ["x"], "bogus": 1}', engine="", defaults=True, turn=3)
    words = json.dumps([found["told"], found["whose"], found["filled"]], ensure_ascii=False)
    assert not [word for word in ("there", "here", "key", "Read as", "defaults") if word in words]


def test_an_answer_that_comes_too_late_is_none(session):
    assert pasted(session, text="{}", engine="", defaults=True, turn=9)
    assert pasted(session, text="{}", engine="", defaults=True, turn=8) == {}


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_junk_of_a_browser_is_answered(session, junk):
    for fields in ({"text": junk}, {"text": "{}", "engine": junk}, {"text": "{}", "defaults": junk}):
        found = pasted(session, **{"engine": "", "defaults": True, **fields})
        assert found is None or found.get("error") or "form" in found


def test_the_panel_names_every_engine():
    assert [one["id"] for one in presets_sheet(Text("en"))["engines"]] == ["", *ENGINES]


@pytest.mark.parametrize("given", [
    {"do_sample": True, "top_p": 0.9, "seed": 1}, {"num_beams": 2}, {"penalty_alpha": 0.5, "top_k": 3}, {},
    {"do_sample": True, "stop_strings": [HOSTILE[0]], "sequence_bias": {"ab": 1.0}, "suppress_tokens": ["a"]},
])  # fmt: skip
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_code_tab_gives_the_runs_settings_for_every_engine(given, lang):
    look = Session(record(tiny_lm(), "ab", Settings(max_new_tokens=2, **given))).look
    sheet = code.sheet(replace(look, text=Text(lang)), {})
    assert len(sheet["engines"]) == len(ENGINES)
    for each, engine in zip(sheet["engines"], ENGINES, strict=True):
        assert each["told"] or each["note"]
        assert read(each["code"], engine).engine == engine
        assert engine != "llama.cpp" or read(each["code"], engine).settings.max_new_tokens == 2


def test_a_run_that_no_code_can_give_again_has_settings_for_other_engines_all_the_same(session, monkeypatch):
    def none(trace: Any, style: str) -> str:
        raise NotRecordedError("its inputs are not there")

    whole = code.sheet(session.look, {})
    monkeypatch.setattr(code, "snippet_of", none)
    sheet = code.sheet(session.look, {})
    assert "its inputs are not there" in sheet["none"]
    assert sheet["engines"] == whole["engines"]
