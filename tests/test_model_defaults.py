"""A model's own defaults act where nothing was given, are known to act, and never stand in the way of what was."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from app.form import MODES_SHOWN, form_of, settings_of
from app.serving.bounds import Bounds
from app.serving.decoder import Decoder
from app.serving.limits import limits_of
from app.views.acting import acting_rows
from app.whatif import WhatIfForm, acting_settings
from decoding import Recorder, Settings, load_trace, record, verify
from decoding.errors import PromptError, SettingError
from decoding.fork import fork
from decoding.parameters.acting import acting, model_defaults
from tests.tiny_models import tiny_lm

PROMPT = "The cat sat on"
PUBLIC = limits_of(Bounds.read(public=True, environment={}))


def lm_with(kind: str = "llama", **defaults):
    """A tiny model whose generation_config sets these."""
    lm = tiny_lm(kind)
    for name, value in defaults.items():
        setattr(lm.model.generation_config, name, value)
    return lm


def generated(lm, **given):
    ids = lm.tokenizer(PROMPT, return_tensors="pt")
    return lm.model.generate(**ids, **given)


def dropped_in(lm, **given):
    recorder = Recorder(tokenizer=lm.tokenizer, seed=0)
    generated(lm, **given, custom_generate=recorder)
    return recorder.trace


# --- what is merged is what transformers merges ---------------------------------------------------------------------

MODELS_DEFAULTS = (
    {},
    {"num_beams": 4},
    {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "top_k": 20},
    {"num_beams": 4, "do_sample": True, "length_penalty": 2.0},
    {"repetition_penalty": 1.3, "max_new_tokens": 3},
    {"max_length": 9, "min_length": 6, "no_repeat_ngram_size": 2},
    {"suppress_tokens": [5, 6], "eos_token_id": [2, 9], "guidance_scale": 1.5},
    {"penalty_alpha": 0.6, "top_k": 4},
    {"sequence_bias": {(5,): 2.0}, "early_stopping": "never", "num_beams": 2},
)
GIVEN = (
    {},
    {"do_sample": True},
    {"num_beams": 2},
    {"max_new_tokens": 2},
    {"top_k": 3, "temperature": 0.5},
    {"do_sample": False, "num_beams": 1},
)


@pytest.mark.parametrize("defaults", MODELS_DEFAULTS, ids=str)
@pytest.mark.parametrize("given", GIVEN, ids=str)
def test_what_acts_is_what_transformers_merges(defaults, given):
    model = lm_with(**defaults).model
    theirs, _ = model._prepare_generation_config(None, **given)
    ours = acting(model_defaults(model), given)
    theirs = theirs.to_dict()
    if isinstance(theirs.get("sequence_bias"), dict):
        theirs["sequence_bias"] = [[list(ids), bias] for ids, bias in theirs["sequence_bias"].items()]
    assert {n: v for n, v in ours.items() if theirs[n] != v} == {}


@pytest.mark.parametrize("defaults", MODELS_DEFAULTS, ids=str)
def test_a_run_told_nothing_is_what_generate_gives_when_told_nothing(defaults):
    lm = lm_with(**defaults)
    torch.manual_seed(3)
    theirs = generated(lm) if not defaults.get("penalty_alpha") else None
    torch.manual_seed(3)
    trace = record(lm, PROMPT)
    assert theirs is None or torch.equal(trace.sequences, theirs)
    assert verify(trace, lm).equal


# --- combinations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("defaults", "given", "n"),
    [
        ({"num_beams": 4}, {"num_return_sequences": 2}, 2),
        ({"do_sample": True}, {"num_return_sequences": 3, "seed": 0}, 3),
        ({"num_beams": 4, "diversity_penalty": 1.0}, {"num_beam_groups": 2}, 1),
        ({"do_sample": True, "top_k": 1}, {"penalty_alpha": 0.6}, 1),
        ({"num_beam_groups": 2, "num_beams": 4, "diversity_penalty": 1.0}, {"num_beams": 1}, 1),
        ({"min_length": 56}, {"max_new_tokens": 3}, 1),
    ],
)
def test_what_the_models_defaults_allow_is_not_refused(defaults, given, n):
    trace = record(lm_with(**defaults), PROMPT, Settings(**{"max_new_tokens": 3, **given}))
    assert trace.sequences.shape[0] == n


@pytest.mark.parametrize(
    ("defaults", "given", "message"),
    [
        (
            {"num_return_sequences": 3, "num_beams": 3}, {"num_beams": 2},
            "num_return_sequences must be in [1, num_beams] = [1, 2], got 3; raise num_beams or ask for fewer "
            "(num_return_sequences=3 is the model's own default; what is given takes its place)",
        ),
        (
            {"num_beams": 4}, {"num_return_sequences": 5},
            "num_return_sequences must be in [1, num_beams] = [1, 4], got 5; raise num_beams or ask for fewer "
            "(num_beams=4 is the model's own default; what is given takes its place)",
        ),
        (
            {"num_beam_groups": 2, "diversity_penalty": 1.0}, {"num_beams": 3},
            "num_beam_groups must be a divisor of num_beams = 3, got 2; groups share the beams evenly "
            "(num_beam_groups=2 is the model's own default; what is given takes its place)",
        ),
        (
            {"max_length": 3}, {},
            "max_length must be > 4, the tokens of the prompt, got 3; raise it, or use max_new_tokens, which does not "
            "count the prompt (3 is the own default of tiny-llama)",
        ),
    ],
)  # fmt: skip
def test_what_they_do_not_allow_is_refused_and_the_message_says_whose_value_it_is(defaults, given, message):
    lm, prompt = lm_with(**defaults), "The cat " * 2
    message = message.replace("> 4", f"> {len(lm.tokenizer(prompt).input_ids)}")
    with pytest.raises(SettingError) as caught:
        record(lm, prompt, Settings(**given))
    assert str(caught.value) == message


# --- public bounds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("defaults", "given", "parameter"),
    [
        ({"num_beams": 64}, {}, "num_beams"),
        ({"do_sample": True, "num_return_sequences": 17}, {}, "num_return_sequences"),
        ({"max_new_tokens": 2048}, {"max_length": 50}, "max_new_tokens"),
        ({"max_length": 4096}, {}, "max_length"),
        ({"penalty_alpha": 0.6}, {}, "top_k"),  # transformers' 50: so many continuations are weighed at once
        ({}, {"penalty_alpha": 0.6}, "top_k"),
    ],
)
def test_public_bounds_count_what_acts_not_only_what_was_given(defaults, given, parameter):
    with pytest.raises(SettingError, match="at most .* here.* that is a default, not what was given") as caught:
        Decoder(PUBLIC).stream(lm_with(**defaults), PROMPT, Settings(**given), Recorder())
    assert caught.value.parameter == parameter


def test_public_bounds_count_the_rows_of_all_prompts_with_the_models_own_beams():
    with pytest.raises(PromptError, match="5 prompts with 4 rows each make 20 rows"):
        Decoder(PUBLIC).stream(lm_with(num_beams=4), ["a", "b", "c", "d", "e"], Settings(), Recorder())


def test_public_bounds_hold_for_a_fork_of_a_file_that_does_not_say_how_many_beams():
    lm = lm_with()
    trace = record(lm, PROMPT, Settings(max_new_tokens=3))
    trace.generation_config.pop("num_beams")
    lm.model.generation_config.num_beams = 64
    with pytest.raises(SettingError, match="num_beams must be at most 16"):
        Decoder(PUBLIC).stream_fork(trace, lm, Recorder(), step=1, token_id=5)
    with pytest.raises(SettingError, match="num_beams must be at most 16"):
        Decoder(PUBLIC).verify(trace, lm)


def test_what_was_given_passes_the_bounds_in_place_of_a_default_beyond_them():
    lm = lm_with(num_beams=64, max_new_tokens=4096)
    steps = Decoder(PUBLIC).stream(lm, PROMPT, Settings(num_beams=2, max_new_tokens=2), recorder := Recorder())
    assert len(list(steps)) == len(recorder.trace.steps) == 2


# --- the page's modes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES_SHOWN)
@pytest.mark.parametrize(
    "defaults",
    [
        {},
        {"num_beams": 4},
        {"do_sample": True},
        {"num_beams": 4, "do_sample": True, "num_return_sequences": 4},
        {"penalty_alpha": 0.6, "top_k": 8},
        {"num_beams": 4, "num_beam_groups": 4, "diversity_penalty": 0.5},
        {"do_sample": True, "num_return_sequences": 3},
    ],
    ids=str,
)
def test_the_mode_chosen_on_the_page_is_the_one_that_runs(mode, defaults):
    lm = lm_with(**defaults)
    form = json.dumps({"mode": mode, "given": {"max_new_tokens": 2, "seed": 0}})
    settings = settings_of(form, model_defaults(lm.model))
    if defaults.get("num_return_sequences", 1) > (settings.num_beams or 1) > 1:
        settings = replace(settings, num_return_sequences=1)
    trace = record(lm, PROMPT, settings)
    assert trace.mode == mode
    assert verify(trace, lm).equal
    again = settings_of(form_of(trace.settings, trace), trace.model_defaults)
    assert record(lm, PROMPT, again).sequences.equal(trace.sequences)
    assert WhatIfForm.of(trace).recorded_form == form_of(trace.settings, trace)


def test_nothing_is_said_to_a_model_whose_defaults_make_no_other_mode_of_it():
    assert settings_of('{"mode": "greedy"}').given() == {"do_sample": False}
    assert settings_of('{"mode": "greedy"}', {"num_beams": 1, "eos_token_id": 2}).given() == {"do_sample": False}
    assert settings_of('{"mode": "greedy"}', {"num_beams": 4}).given() == {"do_sample": False, "num_beams": 1}


def test_a_run_told_nothing_shows_the_mode_that_its_models_defaults_chose():
    lm = lm_with(num_beams=3)
    form = json.loads(WhatIfForm.of(record(lm, PROMPT, Settings(max_new_tokens=2))).form)
    assert form == {"mode": "beam_search", "given": {"num_beams": 3, "max_new_tokens": 2}}


# --- what if --------------------------------------------------------------------------------------------------------

OWN = {"do_sample": True, "top_p": 0.8, "temperature": 0.7, "repetition_penalty": 1.4}


def stages(trace, settings):
    return [(stage.name, stage.params) for stage in trace.whatif(settings).stages]


@pytest.mark.parametrize("how", [record, dropped_in])
def test_left_out_in_what_if_means_the_models_own_default(how):
    lm = lm_with(**OWN)
    given = {"top_p": 0.3, "max_new_tokens": 4}
    trace = record(lm, PROMPT, Settings(**given, seed=0)) if how is record else dropped_in(lm, **given)
    without = record(lm, PROMPT, Settings(max_new_tokens=4, seed=0))
    assert stages(trace, Settings()) == [(s.name, s.params) for s in without.stages]
    assert trace.whatif(Settings()).config.top_p == 0.8
    assert trace.whatif(Settings()).statements == ()


@pytest.mark.parametrize("given", [{}, {"top_k": 7}, {"do_sample": False}, {"num_beams": 2}, {"guidance_scale": 2.0}])
@pytest.mark.parametrize("tried", [{}, {"top_p": 0.5}, {"do_sample": False, "num_beams": 1}, {"guidance_scale": 2.0}])
def test_the_same_call_gives_the_same_what_if_whether_by_record_or_dropped_in(given, tried):
    lm = lm_with(**OWN)
    one = record(lm, PROMPT, Settings(**given, max_new_tokens=4, seed=0)).whatif(Settings(**tried))
    two = dropped_in(lm, **given, max_new_tokens=4).whatif(Settings(**tried))
    assert one.stages == two.stages
    assert one.config.to_dict() == two.config.to_dict()
    assert one.statements == two.statements
    assert one.chosen_probability == two.chosen_probability


def test_the_models_defaults_are_kept_in_the_file(tmp_path):
    trace = record(lm_with(**OWN), PROMPT, Settings(max_new_tokens=2, seed=0))
    trace.save(tmp_path / "a.trace")
    again = load_trace(tmp_path / "a.trace")
    assert again.model_defaults == trace.model_defaults
    assert again.model_defaults["top_p"] == 0.8
    assert again.origins == trace.origins


def without_defaults(trace):
    """As a file of an earlier version has it."""
    return replace(trace, model_defaults=None)


def test_what_an_old_file_cannot_tell_of_the_models_defaults_is_said():
    lm = lm_with(**OWN)
    old = without_defaults(record(lm, PROMPT, Settings(top_p=0.3, max_new_tokens=4, seed=0)))
    w = old.whatif(Settings(do_sample=True))
    assert w.config.temperature == 0.7  # not given then: the default that acted
    assert w.config.top_p == 1.0
    assert [(s.why, s.what) for s in w.statements] == [("default", "top_p")]
    assert old.whatif(Settings(top_p=0.3)).statements == ()


def test_an_old_drop_in_recording_says_so_of_everything_that_may_have_been_given():
    old = without_defaults(dropped_in(lm_with(), do_sample=True, top_p=0.3, max_new_tokens=4))
    w = old.whatif(Settings(do_sample=True))
    assert w.config.top_p == 1.0
    assert [(s.why, s.what) for s in w.statements] == [("default", "top_p")]


# --- origins --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [record, dropped_in])
def test_every_acting_parameter_says_where_it_came_from(how):
    lm = lm_with(**OWN)
    given = {"temperature": 0.5, "max_new_tokens": 2}
    trace = record(lm, PROMPT, Settings(**given, seed=0)) if how is record else dropped_in(lm, **given)
    assert {name: trace.origins[name] for name in (*OWN, *given, "seed", "top_k", "num_beams", "eos_token_id")} == {
        "do_sample": "model", "top_p": "model", "temperature": "given", "repetition_penalty": "model",
        "max_new_tokens": "given", "seed": "given", "top_k": "transformers", "num_beams": "transformers",
        "eos_token_id": "model",
    }  # fmt: skip
    assert "max_length" not in trace.origins  # made of max_new_tokens
    assert [(row.name, row.origin) for row in acting_rows(trace)][:3] == [
        ("seed", "given"), ("temperature", "given"), ("max_new_tokens", "given")
    ]  # fmt: skip


def test_a_length_that_nobody_set_is_transformers_own():
    assert record(lm_with(), PROMPT).origins["max_length"] == "transformers"
    assert dropped_in(lm_with()).origins["max_length"] == "transformers"
    assert dropped_in(lm_with(max_length=30)).origins["max_length"] == "model"
    assert dropped_in(lm_with(), max_length=12).origins["max_length"] == "given"


def test_origins_of_old_files():
    lm = lm_with(**OWN)
    told = without_defaults(record(lm, PROMPT, Settings(temperature=0.5, max_new_tokens=2, seed=0)))
    assert (told.origins["temperature"], told.origins["top_p"], told.origins["top_k"]) == (
        "given", "model", "transformers",
    )  # fmt: skip
    untold = without_defaults(dropped_in(lm, temperature=0.5, max_new_tokens=2))
    assert (untold.origins["temperature"], untold.origins["top_p"]) == ("unknown", "unknown")


def test_a_generation_config_of_the_callers_is_given():
    from transformers import GenerationConfig

    lm = lm_with(**OWN)
    trace = dropped_in(lm, generation_config=GenerationConfig(top_p=0.4, max_new_tokens=2))
    assert (trace.origins["top_p"], trace.origins["temperature"]) == ("given", "model")
    assert trace.generation_config["top_p"] == 0.4


# --- None given against a default -----------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{"top_k": None}, {"top_p": None, "repetition_penalty": None}])
def test_none_given_against_a_default_is_kept_and_given_again(tmp_path, given):
    lm = lm_with(**OWN)
    trace = dropped_in(lm, **given, max_new_tokens=5)
    assert all(trace.generation_config[name] is None and trace.origins[name] == "given" for name in given)
    assert verify(trace, lm).equal
    trace.save(tmp_path / "a.trace")
    again = load_trace(tmp_path / "a.trace")
    assert verify(again, lm).equal
    assert [s.name for s in again.whatif(acting_settings(again)).stages] == [s.name for s in trace.stages]
    follow = fork(trace, lm, step=2, token_id=trace.steps[2].token_ids[0])
    assert [s.name for s in follow.stages] == [s.name for s in trace.stages]


# --- forks ----------------------------------------------------------------------------------------------------------


def test_a_fork_of_a_run_that_its_models_defaults_made_a_beam_search_is_one_too():
    lm = lm_with(num_beams=3)
    recorder = Recorder()
    list(recorder.stream(lm.model, **lm.tokenizer(PROMPT, return_tensors="pt"), max_new_tokens=4))
    trace = recorder.trace
    follow = fork(trace, lm, step=1, token_id=5, settings=Settings(max_new_tokens=2), kept=recorder.kept_cache())
    assert (trace.mode, follow.mode) == ("beam_search", "beam_search")


# --- silent ---------------------------------------------------------------------------------------------------------


def test_a_length_overruled_by_a_default_of_the_models_is_silent():
    trace = record(lm_with(max_new_tokens=3), PROMPT, Settings(max_length=90))
    assert [(knob.name, knob.why) for knob in trace.silent] == [("max_length", "overruled")]
    assert len(trace.steps) <= 3


@pytest.mark.parametrize(
    ("defaults", "given", "silent"),
    [
        ({"num_beams": 4}, {"num_beams": 1}, []),
        ({"repetition_penalty": 1.3}, {"repetition_penalty": 1.0}, []),
        ({"do_sample": True, "num_return_sequences": 3}, {"num_return_sequences": 1, "do_sample": False}, []),
        ({"temperature": 0.5}, {"temperature": 1.0}, ["temperature"]),  # nothing is drawn either way
        ({}, {"repetition_penalty": 1.0}, ["repetition_penalty"]),
    ],
)
def test_a_value_that_switches_a_default_of_the_models_off_is_not_silent(defaults, given, silent):
    trace = record(lm_with(**defaults), PROMPT, Settings(**given, max_new_tokens=2))
    assert [knob.name for knob in trace.silent] == silent
    assert all((name in {row.name for row in acting_rows(trace)}) is (name not in silent) for name in given)


def test_the_models_own_defaults_are_not_called_given_in_a_drop_in_recording():
    trace = dropped_in(lm_with(top_p=0.5, temperature=0.6), length_penalty=2.0, max_new_tokens=2)
    assert [knob.name for knob in trace.silent] == ["length_penalty"]
