"""The page's texts."""

from __future__ import annotations

import re
import string

import pytest

from app.text import _TABLES, Text, language_of
from decoding.parameters.knobs import KNOBS

EN, ZH = _TABLES["en"], _TABLES["zh"]
TERM = re.compile(r"\[\[(\w+)\|")


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys():
    assert set(EN) == set(ZH)


def test_both_languages_take_the_same_fields():
    filled_in = [key for key in EN if not key.startswith("format.")]  # those are shown as they are
    assert {key: fields(EN[key]) for key in filled_in} == {key: fields(ZH[key]) for key in filled_in}


@pytest.mark.parametrize("table", [EN, ZH], ids=["en", "zh"])
def test_every_term_is_explained(table):
    used = {term for text in table.values() for term in TERM.findall(text)}
    assert {f"term.{term}" for term in used} <= set(table)


def test_every_parameter_is_explained_in_both_languages():
    for name in KNOBS:
        assert EN[f"help.{name}"] == KNOBS[name].help
        assert ZH[f"help.{name}"] != KNOBS[name].help


def test_a_sentence_is_split_at_its_terms():
    pieces = Text("en").pieces("notes.silent")
    assert pieces == [{"text": "Silent settings", "tip": EN["term.silent"]}, ": given, without effect"]


def test_a_field_cannot_make_a_term():
    pieces = Text("en").pieces("note.stopped", n="[[mass|x]]")
    assert pieces == ["Stopped; the [[mass|x]] tokens recorded so far are kept."]


@pytest.mark.parametrize(
    ("query", "accept", "lang"),
    [
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "en-US,en;q=0.9,zh;q=0.8", "en"),
        ("zh", "en-US", "zh"),
        ("en", "zh-CN", "en"),
        ("tlh", "zh-CN", "zh"),
        (None, "fr-FR,zh;q=0.5", "zh"),
        (None, None, "en"),
        ("<script>", "", "en"),
    ],
)
def test_the_address_comes_before_the_browser(query, accept, lang):
    assert language_of(query, accept) == lang


def test_an_unknown_language_is_english():
    assert Text("klingon").lang == "en"
