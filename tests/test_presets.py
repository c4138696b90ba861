"""Settings from and to other engines: what their keys come to, and that nothing is dropped in silence."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from app.text import Text
from app.text.zh.errors import ERRORS_ZH
from decoding.errors import PresetError
from decoding.parameters.acting import acting
from decoding.parameters.knobs import KNOBS
from decoding.parameters.settings import Settings, mode_of
from decoding.presets import ENGINES, ReadPreset, read, write
from decoding.presets.pasted import DEEPEST, LONGEST, parse
from decoding.presets.told import KINDS

# Knobs of samplers and constraints that may come or be there already.
COMING = {
    "dry_multiplier", "dry_base", "dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers",
    "xtc_probability", "xtc_threshold", "top_n_sigma", "dynatemp_range", "dynatemp_exponent", "mirostat_tau",
    "mirostat_eta", "adaptive_target", "adaptive_decay", "json_schema", "regex", "grammar",
}  # fmt: skip
NEVER = {"presence_penalty", "frequency_penalty", "tfs", "top_a"}  # named so that they would be found


def told(found: ReadPreset, kind: str) -> dict[str, str]:
    return {each.name: str(each.why) for each in found.told if each.kind == kind}


def as_given(text: str | dict[str, Any], engine: str | None = None) -> dict[str, Any]:
    return read(text if isinstance(text, str) else json.dumps(text), engine, defaults=False).settings.given()


# --- the tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
def test_every_key_is_documented_somewhere_and_is_a_setting_that_there_is_or_that_is_named(engine):
    names = [key.name for key in engine.keys]
    assert len(set(names)) == len(names)
    assert all(key.source for key in engine.keys)
    assert {key.knob for key in engine.keys} - {""} <= set(KNOBS) | COMING | NEVER
    assert not set(names) & set(engine.aside)
    assert {key.part_of for key in engine.keys} - {""} <= set(names)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
def test_a_knob_has_one_spelling_to_be_written_in(engine):
    written = [key.knob for key in engine.keys if key.written and key.knob and key.knob not in engine.says]
    assert sorted(written) == sorted(set(written))


@pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))
def test_all_that_is_told_is_there_in_chinese(engine):
    said = {*(key.why for key in engine.keys), *(key.differs for key in engine.keys), *engine.aside.values()} - {""}
    assert said <= set(ERRORS_ZH)


def test_the_defaults_of_llama_cpp_are_those_of_the_engine_itself():
    engine = pytest.importorskip("xllamacpp")
    real = engine.CommonParams().sampling
    named = {"temperature": "temp", "typical_p": "typ_p", "repeat_penalty": "penalty_repeat",
             "repeat_last_n": "penalty_last_n"}  # fmt: skip
    own = {"n_predict", "seed", "dry_sequence_breakers"}  # without an end, at random, and not shown by the package
    keys = [key for key in ENGINES["llama.cpp"].keys if key.default is not None and key.name not in own]
    assert {key.name: key.default for key in keys} == {
        key.name: pytest.approx(getattr(real, named.get(key.name, key.name)), rel=1e-6) for key in keys
    }
    order = [ENGINES["llama.cpp"].stages[name] for name in real.samplers.split(";")]
    assert tuple(order) == ENGINES["llama.cpp"].order


# --- what an engine's keys come to ------------------------------------------------------------------------

PLAIN: list[tuple[str, Any, dict[str, Any]]] = [
    ("llama.cpp", {"temperature": 0.7, "top_k": 0, "n_predict": 9},
     {"do_sample": True, "temperature": 0.7, "top_k": 0, "max_new_tokens": 9}),
    ("llama.cpp", {"top_k": -1, "top_p": 1.0, "min_p": 0, "typical_p": 0.5, "max_tokens": 3},
     {"do_sample": True, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 0.5, "max_new_tokens": 3}),
    ("llama.cpp", {"temperature": 0, "seed": -1}, {"do_sample": False}),
    ("llama.cpp", {"temperature": -1.0, "seed": 4294967295}, {"do_sample": False}),
    ("llama.cpp", {"seed": 5, "n_cmpl": 2, "stop": ["a", ""]},
     {"do_sample": True, "seed": 5, "num_return_sequences": 2, "stop_strings": ("a",)}),
    ("llama.cpp", {"ignore_eos": True, "n_predict": 12},
     {"do_sample": True, "min_new_tokens": 12, "max_new_tokens": 12}),
    ("llama.cpp", {"logit_bias": [[5, 1.5], ["7", -2], [9, False]]},
     {"do_sample": True, "sequence_bias": (((5,), 1.5), ((7,), -2.0)), "suppress_tokens": (9,)}),
    ("llama.cpp", {"logit_bias": {"5": 1}}, {"do_sample": True, "sequence_bias": (((5,), 1.0),)}),
    ("llama.cpp", {"repeat_penalty": 1.2, "repeat_last_n": -1}, {"do_sample": True, "repetition_penalty": 1.2}),
    ("llama.cpp", {"repeat_penalty": 1.2, "repeat_last_n": 0}, {"do_sample": True, "repetition_penalty": 1.0}),
    ("llama.cpp", {"samplers": ["top_k", "temperature"], "top_k": 4, "top_p": 0.5, "temperature": 2},
     {"do_sample": True, "top_k": 4, "top_p": 1.0, "temperature": 2.0}),
    ("llama.cpp", {"samplers": "kt", "top_k": 4, "min_p": 0.5}, {"do_sample": True, "top_k": 4, "min_p": 0.0}),
    ("llama.cpp", {"mirostat": 2, "top_k": 9, "temperature": 0.5}, {"do_sample": True, "top_k": 0, "temperature": 0.5}),
    ("vllm", {"temperature": 0.5, "top_k": -1, "max_tokens": 7, "min_tokens": 2, "n": 3},
     {"do_sample": True, "temperature": 0.5, "top_k": 0, "max_new_tokens": 7, "min_new_tokens": 2,
      "num_return_sequences": 3}),
    ("vllm", {"temperature": 0.001, "max_completion_tokens": 5},
     {"do_sample": True, "temperature": 0.01, "max_new_tokens": 5}),
    ("vllm", {"temperature": 0.0, "repetition_penalty": 1.3}, {"do_sample": False, "repetition_penalty": 1.3}),
    ("vllm", {"use_beam_search": True, "n": 4, "length_penalty": 0.5, "temperature": 0},
     {"do_sample": False, "num_beams": 4, "num_return_sequences": 4, "length_penalty": 0.5}),
    ("vllm", {"bad_words": ["no"], "logit_bias": {"3": -5}, "seed": 2**40},
     {"do_sample": True, "bad_words_ids": ("no",), "sequence_bias": (((3,), -5.0),), "seed": 2**40}),
    ("vllm", {"extra_body": {"min_p": 0.1}, "top_p": 0.8}, {"do_sample": True, "min_p": 0.1, "top_p": 0.8}),
    ("ollama", {"model": "m", "prompt": "p", "options": {"num_predict": 5, "top_k": 3, "seed": 1, "stop": "x"}},
     {"do_sample": True, "max_new_tokens": 5, "top_k": 3, "seed": 1, "stop_strings": ("x",)}),
    ("ollama", {"options": {"temperature": 0, "num_predict": -2}}, {"do_sample": False}),
    ("ollama", 'FROM x\nPARAMETER temperature 0.5\nparameter STOP "a b"\nPARAMETER stop c\nPARAMETER num_ctx 9\n',
     {"do_sample": True, "temperature": 0.5, "stop_strings": ("a b", "c")}),
    ("text-generation-webui", "temperature: 0.7\nepsilon_cutoff: 3\neta_cutoff: 20\ntop_k: 5",
     {"do_sample": True, "temperature": 0.7, "epsilon_cutoff": 3e-4, "eta_cutoff": 2e-3, "top_k": 5}),
    ("text-generation-webui", "do_sample: false\npenalty_alpha: 0.6\ntop_k: 4",
     {"do_sample": False, "penalty_alpha": 0.6, "top_k": 4}),
    ("text-generation-webui", "num_beams: 3\ndo_sample: false\nlength_penalty: 2\nearly_stopping: true",
     {"do_sample": False, "num_beams": 3, "length_penalty": 2.0, "early_stopping": True}),
    ("text-generation-webui", {"guidance_scale": 1.5, "negative_prompt": "no", "custom_token_bans": "4, 5", "seed": -1},
     {"do_sample": True, "guidance_scale": 1.5, "negative_prompt": "no", "suppress_tokens": (4, 5)}),
    ("text-generation-webui", {"custom_stopping_strings": '"\\nYou:", "x"', "max_new_tokens": 5, "ban_eos_token": True},
     {"do_sample": True, "stop_strings": ("\nYou:", "x"), "max_new_tokens": 5, "min_new_tokens": 5}),
    ("text-generation-webui", "min_p: 1e-1\nno_repeat_ngram_size: 3\nencoder_repetition_penalty: 1.1\nmin_length: 4",
     {"do_sample": True, "min_p": 0.1, "no_repeat_ngram_size": 3, "encoder_repetition_penalty": 1.1, "min_length": 4}),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "text", "expected"), PLAIN)
def test_keys_come_to_settings(engine, text, expected):
    found = as_given(text, engine)
    assert {name: found.get(name) for name in expected} == {
        name: pytest.approx(value) if isinstance(value, float) else value for name, value in expected.items()
    }
    assert set(found) - set(expected) <= {"dynatemp_range", "mirostat_tau", "mirostat_eta"}


def test_with_the_engines_defaults_what_it_does_by_itself_is_set_too():
    found = read('{"prompt": "x", "n_predict": 3}')
    assert found.engine == "llama.cpp"
    given = found.settings.given()
    assert {n: given[n] for n in ("temperature", "top_k", "top_p", "min_p")} == {
        "temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05,
    }  # fmt: skip
    assert found.filled["top_p"] == 0.95
    assert "n_predict" not in found.filled
    assert read('{"prompt": "x", "n_predict": 3}', defaults=False).filled == {}
    assert read("SamplingParams(seed=1)").settings.max_new_tokens == 16
    assert read('{"messages": [], "min_tokens": 1}', "vllm").settings.max_new_tokens is None
    assert read('{"options": {}, "model": "m"}').settings.top_p == 0.9


DIFFERING = [
    ("llama.cpp", {"repeat_penalty": 1.1}, "repeat_last_n", "the last 64 tokens"),
    ("llama.cpp", {"repeat_penalty": 1.1, "repeat_last_n": 8}, "repeat_last_n", "the last 8 tokens"),
    ("llama.cpp", {"temperature": 0}, "temperature", "do_sample=False"),
    ("llama.cpp", {"stop": ["x"]}, "stop", "ends before"),
    ("llama.cpp", {"seed": 3}, "seed", "another generator"),
    ("llama.cpp", {"temperature": 1.5, "min_p": 0.1}, "samplers", "min_p → temperature there"),
    ("vllm", {"min_p": 0.1, "top_p": 0.9}, "order", "min_p → top_p there"),
    ("vllm", {"temperature": 0.002}, "temperature", "raised to 0.01"),
    ("vllm", {"use_beam_search": True, "n": 2}, "use_beam_search", "differs in details"),
    ("ollama", {"options": {"repeat_penalty": 1.1}}, "repeat_last_n", "the last 64 tokens"),
    ("text-generation-webui", "repetition_penalty: 1.1", "repetition_penalty_range", "the last 1024 tokens"),
    ("text-generation-webui", "temperature: 2\ntop_p: 0.5\ntemperature_last: true", "temperature_last", "comes first"),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "text", "name", "why"), DIFFERING)
def test_a_meaning_that_differs_is_said(engine, text, name, why):
    found = read(text if isinstance(text, str) else json.dumps(text), engine, defaults=False)
    assert why in told(found, "differs")[name]


ALIKE = [
    ("llama.cpp", {"repeat_penalty": 1.1, "repeat_last_n": -1}),
    ("llama.cpp", {"repeat_penalty": 1.1, "repeat_last_n": 70_000}),
    ("llama.cpp", {"temperature": 0.5, "top_k": 3, "samplers": ["temperature", "top_k"]}),
    ("llama.cpp", {"temperature": 0.5, "top_k": 3}),  # which of the two comes first changes nothing
    ("llama.cpp", {"temperature": 0.5, "min_p": 0.1, "samplers": ["temperature", "min_p"]}),
    ("llama.cpp", {"seed": -1, "min_keep": 0, "presence_penalty": 0, "xtc_probability": 0, "mirostat": 0}),
    ("vllm", {"repetition_penalty": 1.1, "top_k": 4, "top_p": 0.5, "presence_penalty": 0.0, "best_of": 1}),
    ("vllm", {"stop": ["x"], "include_stop_str_in_output": True}),
    ("text-generation-webui", "repetition_penalty: 1.1\nrepetition_penalty_range: 0\ntfs: 1\ntop_a: 0"),
    ("text-generation-webui", "seed: 4\ntemperature: 2\ntop_p: 0.5\ntemperature_last: false"),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "text"), ALIKE)
def test_where_nothing_differs_nothing_is_said(engine, text):
    found = read(text if isinstance(text, str) else json.dumps(text), engine, defaults=False)
    assert found.told == ()


MISSING = [
    ("llama.cpp", {"presence_penalty": 0.5, "frequency_penalty": 0.1, "mirostat": 1, "min_keep": 3, "lora": [{}],
                   "ignore_eos": True, "t_max_predict_ms": 5, "n_predict": -1, "logit_bias": [["word", 2]]}),
    ("vllm", {"presence_penalty": 0.5, "frequency_penalty": 0.1, "best_of": 2, "stop_token_ids": [1],
              "ignore_eos": True, "allowed_token_ids": [4], "structured_outputs.choice": ["a"], "guided_choice": ["a"],
              "thinking_token_budget": 5}),
    ("ollama", {"presence_penalty": 0.5, "frequency_penalty": 0.1, "tfs_z": 0.5, "penalize_newline": False,
                "num_predict": -1}),
    ("text-generation-webui", {"presence_penalty": 0.5, "frequency_penalty": 0.1, "tfs": 0.9, "top_a": 0.1,
                               "smoothing_factor": 0.3, "auto_max_new_tokens": True, "ban_eos_token": True}),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "values"), MISSING)
def test_what_has_no_counterpart_is_listed_with_its_value(engine, values):
    found = read(json.dumps(values), engine, defaults=False)
    listed = {each.name: each.value for each in found.told if each.kind == "missing"}
    assert listed == {name: repr(value) for name, value in values.items()}
    assert found.settings.given() == {"do_sample": True}


SAMPLERS = [
    ("llama.cpp", {"dry_multiplier": 0.8, "dry_base": 2.0}, {"dry_multiplier": 0.8, "dry_base": 2.0}),
    ("llama.cpp", {"xtc_probability": 0.5, "xtc_threshold": 0.2}, {"xtc_probability": 0.5, "xtc_threshold": 0.2}),
    ("llama.cpp", {"top_n_sigma": 1.5}, {"top_n_sigma": 1.5}),
    ("llama.cpp", {"dynatemp_range": 0.5}, {"dynatemp_range": 0.5}),
    ("llama.cpp", {"adaptive_target": 0.3}, {"adaptive_target": 0.3}),
    ("text-generation-webui", {"dry_multiplier": 0.8, "repetition_penalty_range": 0}, {"dry_multiplier": 0.8}),
    ("text-generation-webui", {"xtc_probability": 0.5}, {"xtc_probability": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "values", "expected"), SAMPLERS)
def test_a_sampler_is_a_setting_where_it_is_one_here_and_is_listed_where_not(engine, values, expected):
    found = read(json.dumps(values), engine, defaults=False)
    given, listed = found.settings.given(), told(found, "missing")
    for name, value in expected.items():
        assert given.get(name) == value if name in KNOBS else name in listed


def test_parts_of_what_is_off_do_nothing_and_that_is_said():
    found = read('{"dry_base": 3, "xtc_threshold": 0.2, "mirostat_tau": 4, "repeat_last_n": 5}', "llama.cpp")
    assert set(told(found, "idle")) == {"dry_base", "xtc_threshold", "mirostat_tau", "repeat_last_n"}
    assert "samplers leaves it out" in told(read('{"top_p": 0.5, "samplers": []}', "llama.cpp"), "idle")["top_p"]
    mirostat = read('{"mirostat": 2, "top_p": 0.5}', "llama.cpp")
    assert "takes the place" in told(mirostat, "idle")["top_p"]
    assert mirostat.settings.top_p == mirostat.settings.repetition_penalty == 1.0
    assert mirostat.settings.top_k == 0 and not {"top_k", "top_p"} & set(mirostat.filled)
    assert "n_predict comes first" in told(read('{"n_predict": 1, "max_tokens": 2}', "llama.cpp"), "idle")["max_tokens"]


def test_a_wrong_value_is_told_and_the_rest_applied():
    found = read('{"temperature": "hot", "top_k": 2.5, "top_p": 7, "min_p": 0.1, "seed": true, "stop": [1]}', "vllm",
                 defaults=False)  # fmt: skip
    assert set(told(found, "wrong")) == {"temperature", "top_k", "seed", "stop"}
    assert found.settings.given() == {"do_sample": True, "top_p": 1.0, "min_p": 0.1}
    out_of_range = read('{"top_p": 0, "repetition_penalty": -1, "max_tokens": 0, "n": 2}', "vllm", defaults=False)
    assert set(told(out_of_range, "wrong")) == {"top_p", "repetition_penalty", "max_tokens"}
    assert out_of_range.settings.num_return_sequences == 2


def test_what_cannot_go_together_is_told_and_left_out():
    found = read('{"temperature": 0, "n": 3, "max_tokens": 5}', "vllm", defaults=False)
    assert "num_return_sequences" in told(found, "wrong")
    assert found.settings.given() == {"do_sample": False, "max_new_tokens": 5}


def test_keys_that_nobody_knows_and_those_that_are_no_settings_are_told_apart():
    found = read('{"temprature": 1, "prompt": "p", "stream": true, "cache_prompt": true, "top_k": 3}', "llama.cpp")
    assert set(told(found, "unknown")) == {"temprature"}
    assert set(told(found, "aside")) == {"prompt", "stream", "cache_prompt"}


def test_a_key_that_stands_twice_is_told():
    found = read('{"top_k": 3, "top_k": 4, "n_predict": 1}', defaults=False)
    assert found.settings.top_k == 4
    assert "twice" in told(found, "wrong")["top_k"]


# --- whose it is ------------------------------------------------------------------------------------------

WHOSE = [
    ('{"prompt": "x", "n_predict": 1}', "llama.cpp", True),
    ('curl http://localhost/completion -d \'{"repeat_penalty": 1.1, "n_predict": 4}\'', "llama.cpp", True),
    ('"dry_multiplier": 0.8, "samplers": ["dry"], "cache_prompt": true', "llama.cpp", True),
    ("SamplingParams(temperature=0.2)", "vllm", True),
    ("params = vllm.SamplingParams(temperature=0.2, guided_decoding=GuidedDecodingParams(regex='a'))", "vllm", True),
    ('{"model": "m", "messages": [], "temperature": 1, "max_tokens": 5}', "vllm", False),
    ('{"messages": [], "min_tokens": 1, "top_k": 2}', "vllm", True),
    ('{"model": "m", "prompt": "p", "options": {"top_k": 3}}', "ollama", True),
    ('{"num_ctx": 8, "num_predict": 4}', "ollama", True),
    ("PARAMETER top_k 3", "ollama", True),
    ("```yaml\ntemperature: 0.7\nmin_p: 0.1\n```", "text-generation-webui", False),
    ("temperature: 0.7\ndo_sample: true", "text-generation-webui", True),
    ('{"dynamic_temperature": true, "dynatemp_low": 0.5}', "text-generation-webui", True),
]  # fmt: skip


@pytest.mark.parametrize(("text", "engine", "sure"), WHOSE)
def test_an_engine_is_known_by_its_keys(text, engine, sure):
    found = read(text)
    assert (found.engine, found.sure) == (engine, sure)


def test_it_can_be_said_whose_it_is():
    assert read('{"temperature": 1}', "ollama").engine == "ollama"
    with pytest.raises(PresetError, match=r"must be one of llama.cpp, vllm, ollama, text-generation-webui, got 'x'"):
        read("{}", "x")


# --- hostile texts ----------------------------------------------------------------------------------------

JUNK = [
    "", "   ", "\ufeff", "hello", "[1, 2]", "[]", '"', "{", '{"a": }', "null", "- a\n- b", "a: &x [1]\nb: *x",
    "a: !!python/object/apply:os.system ['true']", "!!set {a}", "a: 2024-99-99", "%YAML 9.9\n---\na: 1", "\x00",
    "a:\n\tb",
    "SamplingParams(", "SamplingParams(*x)", "SamplingParams(temperature=open('x'))", "SamplingParams(1)",
    "SamplingParams(a=__import__('os'))", "x; SamplingParams(a=1)", "SamplingParams(a=1); b()", "? [a, b]\n: 1",
    "{" * 5_000, "[" * 5_000, '{"a":' * 4_000, "a: " + "[" * 5_000, "SamplingParams(a=" + "(" * 5_000, "-" * 9_000,
    "SamplingParams(a=" + "-" * 9_000 + "1)", '{"a": ' + "9" * 5_000 + "}", "a: " + "9" * 5_000, "x" * (LONGEST + 1),
    '{"a": ' + "[" * 20 + "]" * 20 + "}", json.dumps({str(n): 1 for n in range(400)}), "```\n```",
    "curl x {", "curl x }{",
]  # fmt: skip


@pytest.mark.parametrize("text", JUNK, ids=range(len(JUNK)))
def test_what_is_no_preset_is_refused_in_words(text):
    with pytest.raises(PresetError) as raised:
        read(text)
    assert Text("zh").said(raised.value) != str(raised.value)


@pytest.mark.parametrize("value", [None, 3, b"{}", ["{}"], {}])
def test_only_texts_are_read(value):
    with pytest.raises(PresetError, match="must be a text"):
        read(value)


def test_yaml_makes_nothing_of_a_text_that_does_not_stand_in_it():
    bomb = "a: &a [x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a]\n" for n in range(9))
    with pytest.raises(PresetError, match="anchor or alias"):
        parse(bomb)
    with pytest.raises(PresetError, match="tag"):
        parse("a: !!binary aGk=")
    assert DEEPEST < 20 < LONGEST


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(sorted({key.name for e in ENGINES.values() for key in e.keys} | {"options", "extra_body"}))


@given(st.text(max_size=60), st.sampled_from([None, *ENGINES]))
@settings(deadline=None)
@example("? {}\n: 1", None)
def test_any_text_is_read_or_refused(text, engine):
    try:
        read(text, engine)
    except PresetError:
        pass


@given(st.dictionaries(names, anything, max_size=6), st.sampled_from([None, *ENGINES]), st.booleans())
@settings(deadline=None, max_examples=300)
@example({"stop_token_ids": math.inf, "logit_bias": [[True, 1], [2, True], [1, 2, 3], None]}, "vllm", True)
@example({"dynatemp_low": 5, "dynatemp_high": 1, "dynamic_temperature": True}, "text-generation-webui", True)
def test_any_values_of_known_keys_are_read_and_whatever_is_not_taken_over_is_told(values, engine, defaults):
    text = json.dumps(values)
    assume(len(text) < LONGEST)
    try:
        found = read(text, engine, defaults=defaults)
    except PresetError:
        return
    assert [KINDS.index(each.kind) for each in found.told] == sorted(KINDS.index(each.kind) for each in found.told)
    for each in found.told:
        assert each.name and each.why and len(each.value) <= 201
        assert Text("zh").said(each.why) != str(each.why)


# --- the other way round ----------------------------------------------------------------------------------


def in_effect(values: dict[str, Any]) -> dict[str, Any]:
    """What acts of these, as far as it is not neutral."""
    mode = mode_of(values)
    return {
        name: value
        for name, value in values.items()
        if name in KNOBS and mode in KNOBS[name].modes and value != KNOBS[name].neutral and name != "max_length"
    }


STOPS = st.lists(st.text("ab\n", min_size=1), min_size=1, max_size=3)
IDS = st.lists(st.integers(0, 99), min_size=1, max_size=3)
probability = st.floats(0.01, 0.99).map(lambda p: round(p, 4))
SAYABLE: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "llama.cpp": {
        "temperature": st.floats(0.1, 3), "top_k": st.integers(0, 200), "top_p": probability, "min_p": probability,
        "typical_p": probability, "repetition_penalty": st.floats(0.5, 2), "max_new_tokens": st.integers(1, 500),
        "seed": st.integers(0, 2**32 - 2), "stop_strings": STOPS,
        "num_return_sequences": st.integers(1, 4), "suppress_tokens": IDS,
        "sequence_bias": st.lists(st.tuples(st.tuples(st.integers(0, 99)), st.floats(-9, 9)), min_size=1, max_size=3),
    },
    "vllm": {
        "temperature": st.floats(0.1, 3), "top_k": st.integers(0, 200), "top_p": probability, "min_p": probability,
        "repetition_penalty": st.floats(0.5, 2), "max_new_tokens": st.integers(9, 500),
        "seed": st.integers(0, 2**63 - 1), "min_new_tokens": st.integers(0, 9), "stop_strings": STOPS,
        "num_return_sequences": st.integers(1, 4), "bad_words_ids": st.lists(st.text("ab", min_size=1), min_size=1),
    },
    "ollama": {
        "temperature": st.floats(0.1, 3), "top_k": st.integers(0, 200), "top_p": probability, "min_p": probability,
        "typical_p": probability, "repetition_penalty": st.floats(0.5, 2), "max_new_tokens": st.integers(1, 500),
        "seed": st.integers(0, 2**31 - 1), "stop_strings": STOPS,
    },
    "text-generation-webui": {
        "temperature": st.floats(0.1, 3), "top_k": st.integers(0, 200), "top_p": probability, "min_p": probability,
        "typical_p": probability, "epsilon_cutoff": st.floats(1e-6, 0.1), "eta_cutoff": st.floats(1e-6, 0.1),
        "repetition_penalty": st.floats(0.5, 2), "encoder_repetition_penalty": st.floats(0.5, 2),
        "no_repeat_ngram_size": st.integers(0, 5), "guidance_scale": st.floats(1, 3), "min_length": st.integers(0, 9),
    },
}  # fmt: skip


@st.composite
def sayable(draw: Any, engine: str) -> Settings:
    values = draw(st.fixed_dictionaries({}, optional=SAYABLE[engine]))
    greedy = draw(st.booleans()) and (values.get("num_return_sequences") or 1) == 1
    return Settings(do_sample=not greedy, **values)


@pytest.mark.parametrize("engine", ENGINES)
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_what_can_be_said_is_read_back_as_it_was(engine, data):
    given_here = data.draw(sayable(engine))
    written = write(given_here, engine)
    beside = ("max_new_tokens",) if engine == "text-generation-webui" else ()  # which is no part of a preset
    expected = in_effect({"max_new_tokens": 20, **acting({}, given_here.given())})
    again = read(written.text, engine, defaults=engine == "text-generation-webui")
    found = in_effect(again.settings.given())
    assert set(found) == set(expected) - set(beside)
    for name, value in found.items():
        assert value == (pytest.approx(expected[name], rel=1e-11) if isinstance(value, float) else expected[name]), name
    assert not [each for each in written.told if each.kind == "missing" and each.name not in beside]
    assert not [each for each in again.told if each.kind in ("wrong", "unknown", "missing", "idle")]


@pytest.mark.parametrize("engine", ["llama.cpp", "text-generation-webui"])
def test_an_engine_that_can_be_told_the_order_is_told_ours(engine):
    settings = Settings(do_sample=True, temperature=1.5, top_k=9, top_p=0.9, min_p=0.1, typical_p=0.5)
    written = write(settings, engine)
    assert "order" not in {each.name for each in written.told}
    assert not [each for each in read(written.text, engine).told if each.kind == "differs"]


def test_what_cannot_be_said_is_listed():
    given_here = Settings(
        do_sample=True, typical_p=0.5, eta_cutoff=0.1, no_repeat_ngram_size=3, max_time=2.0, top_p=0.5, min_p=0.1,
        seed=1,
    )  # fmt: skip
    missing = {e: {t.name for t in write(given_here, e).told if t.kind == "missing"} for e in ENGINES}
    assert missing == {
        "llama.cpp": {"eta_cutoff", "no_repeat_ngram_size", "max_time"},
        "vllm": {"typical_p", "eta_cutoff", "no_repeat_ngram_size", "max_time"},
        "ollama": {"eta_cutoff", "no_repeat_ngram_size", "max_time"},
        "text-generation-webui": {"max_time", "max_new_tokens", "seed"},
    }
    assert {t.name for t in write(given_here, "vllm").told if t.kind == "differs"} == {"order", "seed"}
    beams = Settings(num_beams=4, num_return_sequences=2)
    assert {"num_beams", "do_sample"} <= {t.name for t in write(beams, "llama.cpp").told}
    assert write(beams, "vllm").values["use_beam_search"] is True
    assert {t.name for t in write(beams, "vllm").told} == {"num_beams", "num_return_sequences"}


def test_all_that_is_told_of_writing_is_there_in_chinese():
    everything = [
        Settings(do_sample=True, sequence_bias={"a": 1.0, (1, 2): 2.0, (3,): math.inf}, suppress_tokens=["a", 3],
                 stop_strings=["x"], temperature=2.0, top_p=0.5, min_p=0.1, bad_words_ids=["a", (1,)], min_new_tokens=2,
                 seed=2**60),
        Settings(num_beams=4, num_beam_groups=2, diversity_penalty=1.0),
        Settings(penalty_alpha=0.5, top_k=4),
        Settings(num_beams=4, do_sample=True),
    ]  # fmt: skip
    for given_here in everything:
        for engine in ENGINES:
            for each in write(given_here, engine).told:
                assert Text("zh").said(each.why) != str(each.why)


def test_what_acts_by_itself_here_is_written_and_what_would_act_there_is_switched_off():
    assert write(Settings(do_sample=True), "llama.cpp").values == {
        "temperature": 1.0, "top_k": 50, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0,
        "n_predict": 20, "samplers": ["temperature", "top_k"],
    }  # fmt: skip
    own = write(Settings(do_sample=True, max_new_tokens=3), "vllm", {"top_p": 0.8, "repetition_penalty": 1.1}).values
    assert (own["top_p"], own["repetition_penalty"], own["max_tokens"]) == (0.8, 1.1, 3)
    assert write(Settings(), "ollama").text == json.dumps(
        {"options": {"repeat_penalty": 1.0, "num_predict": 20, "temperature": 0.0}}, indent=2
    )


def test_a_text_of_the_settings_stays_a_text():
    hostile = '"}\n# !!python/object: ${x} {{y}} <script>\u2028'
    given_here = Settings(do_sample=True, stop_strings=[hostile])
    for engine in ("llama.cpp", "vllm", "ollama"):
        assert read(write(given_here, engine).text, engine).settings.stop_strings == (hostile,)


def test_a_files_own_defaults_that_are_no_settings_are_passed_over():
    own = {"top_k": "x", "eos_token_id": 2, "sequence_bias": [[[1], 2.0]], "temperature": float("nan"), "bogus": []}
    for engine in ENGINES:
        assert write(Settings(do_sample=True), engine, own).text
    assert write(Settings(do_sample=True), "llama.cpp", own).values["top_k"] == 50
    assert write(Settings(do_sample=True), "llama.cpp", own).values["logit_bias"] == [[1, 2.0]]


@pytest.mark.skipif("xtc_probability" not in KNOBS, reason="these samplers are no settings here")
def test_samplers_are_written_with_what_they_do_here_where_nothing_is_said_and_in_the_order_here():
    given_here = Settings(
        do_sample=True, temperature=0.8, top_p=0.9, min_p=0.1, dry_multiplier=0.8, xtc_probability=0.5,
        dynatemp_range=0.2, max_new_tokens=4,
    )  # fmt: skip
    written = write(given_here, "llama.cpp").values
    assert written["dry_penalty_last_n"] == 2**16  # all tokens, not the engine's 64
    assert written["samplers"] == ["dry", "top_k", "top_p", "min_p", "xtc", "temperature"]
    assert not [each for each in read(json.dumps(dict(written)), "llama.cpp").told if each.kind != "aside"]
    preset = read(write(given_here, "text-generation-webui").text)
    assert (preset.settings.dry_penalty_last_n, preset.settings.dynatemp_range) == (-1, pytest.approx(0.2))
    assert "order" not in {each.name for each in write(given_here, "ollama").told}  # which is llama.cpp's, as here
    steered = write(Settings(do_sample=True, top_k=5, mirostat_tau=4.0), "llama.cpp")
    assert steered.values["mirostat"] == 2
    assert "top_k" in {each.name for each in steered.told if each.kind == "missing"}
