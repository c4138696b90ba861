"""Requests that are written for llama.cpp are taken by llama.cpp itself, as they were meant."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from decoding.parameters.settings import Settings
from decoding.presets import ENGINES, read, write
from tests.llama_server import ask as ask_server
from tests.llama_server import llama_server

pytestmark = pytest.mark.slow

Ask = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Asks llama.cpp's real server, with the offline model's own file; what it answers."""
    pytest.importorskip("xllamacpp")
    with llama_server() as address:

        def ask_it(body: dict[str, Any]) -> dict[str, Any]:
            found = json.loads(ask_server(address, "/completion", {"prompt": "The cat", **body}))
            return found[0] if isinstance(found, list) else found

        yield ask_it


ASKED = [
    Settings(do_sample=True, temperature=0.7, top_k=9, top_p=0.9, min_p=0.1, typical_p=0.8, seed=5, max_new_tokens=2),
    Settings(do_sample=True, repetition_penalty=1.3, max_new_tokens=2, stop_strings=["zebra"]),
    Settings(do_sample=True, max_new_tokens=3, min_new_tokens=3, suppress_tokens=[5], sequence_bias={(7,): 1.5}),
    Settings(do_sample=True, top_k=0, num_return_sequences=2, max_new_tokens=2),
    Settings(max_new_tokens=2),
]  # fmt: skip


@pytest.mark.parametrize("settings", ASKED, ids=range(len(ASKED)))
def test_the_server_runs_with_the_settings_that_were_written(ask, settings):
    written = write(settings, "llama.cpp")
    there = ask(dict(written.values))["generation_settings"]
    for name, value in written.values.items():
        if name in ("n_cmpl", "logit_bias"):  # how many, it does not say; a ban is no number in its answer
            continue
        assert there[name] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value), name
    biased = {each["token"]: each["bias"] for each in there["logit_bias"]}
    for token, bias in written.values.get("logit_bias", ()):
        assert biased[token] == (None if bias is False else bias)


def test_the_server_knows_no_setting_that_we_do_not(ask):
    there = ask({"n_predict": 1})["generation_settings"]
    unknown = {each.name for each in read(json.dumps(there), "llama.cpp").told if each.kind == "unknown"}
    assert unknown == set()


def test_what_the_server_does_by_itself_is_what_we_say(ask):
    there = ask({"n_predict": 1})["generation_settings"]
    for key in ENGINES["llama.cpp"].keys:
        if key.default is not None and key.name not in ("n_predict", "seed"):
            assert there[key.name] == (pytest.approx(key.default, rel=1e-6) if key.kind == "number" else key.default)


def test_the_same_order_of_the_samplers_is_what_the_server_answers_with(ask):
    settings = Settings(do_sample=True, temperature=1.5, top_p=0.9, min_p=0.1, max_new_tokens=1)
    there = ask(dict(write(settings, "llama.cpp").values))["generation_settings"]
    again = read(json.dumps({name: there[name] for name in ("temperature", "top_p", "min_p", "samplers")}), "llama.cpp")
    assert not [each for each in again.told if each.kind == "differs"]


def test_what_the_server_refuses_is_not_what_we_write(ask):
    with pytest.raises(urllib.error.HTTPError):  # so that the others say something
        ask({"n_predict": 1, "repeat_last_n": -5})
