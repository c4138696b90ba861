"""Settings and KNOBS: every parameter is there, every boundary is where it is said to be, every message helps."""

from __future__ import annotations

import dataclasses
import json
import math
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig, SynthIDTextWatermarkingConfig, WatermarkingConfig

from decoding import KNOBS, DecodingError, SettingError, Settings, record
from decoding.parameters.knobs import INT_LIMIT, MODES, NGRAM_LIMIT, SEED_LIMIT
from tests.tiny_models import tiny_lm, tiny_tokenizer

NUMBERS = [knob for knob in KNOBS.values() if knob.kind in ("int", "float")]

# Attributes of GenerationConfig that are no knobs, and why.
NOT_DECODING = {
    "use_cache": "speed and memory; the tokens are the same",
    "cache_implementation": "speed and memory",
    "cache_config": "speed and memory",
    "max_cache_len": "speed and memory",
    "prefill_chunk_size": "speed and memory",
    "compile_config": "speed",
    "disable_compile": "speed",
    "low_memory": "speed and memory; retired",
    "output_attentions": "what is returned, not what is decoded",
    "output_hidden_states": "what is returned",
    "output_scores": "what is returned",
    "output_logits": "what is returned",
    "return_dict_in_generate": "what is returned",
    "pad_token_id": "belongs to the model",
    "bos_token_id": "belongs to the model",
    "decoder_start_token_id": "belongs to the model",
    "token_healing": "changes the prompt before decoding starts",
    "use_mtp": "assisted decoding is not recorded",
    "is_assistant": "assisted decoding",
    "num_assistant_tokens": "assisted decoding",
    "num_assistant_tokens_schedule": "assisted decoding",
    "assistant_confidence_threshold": "assisted decoding",
    "assistant_early_exit": "assisted decoding",
    "assistant_lookbehind": "assisted decoding",
    "assistant_ensemble_weight": "assisted decoding",
    "target_lookbehind": "assisted decoding",
    "prompt_lookup_num_tokens": "assisted decoding",
    "max_matching_ngram_size": "assisted decoding",
    "speculation_type": "assisted decoding",
    "continuous_batching_config": "serving",
    "dola_layers": "retired from transformers 5",
    "constraints": "constrained beam search, retired from transformers 5",
    "force_words_ids": "constrained beam search, retired from transformers 5",
    "transformers_version": "about the file",
    "_from_model_config": "about the file",
    "_commit_hash": "about the file; until transformers 5.17",
}
BEYOND_GENERATION_CONFIG = {
    "seed", "negative_prompt", "json_schema", "regex", "grammar",
    *(n for n, knob in KNOBS.items() if knob.group == "engines"),
}  # fmt: skip


# --- the table is complete ---------------------------------------------------------------------------------------


def test_every_field_of_settings_is_a_knob_and_every_knob_a_field():
    fields = [field.name for field in dataclasses.fields(Settings)]
    assert fields == list(KNOBS)
    assert all(field.default is None for field in dataclasses.fields(Settings))


def test_every_parameter_of_generation_config_is_a_knob_or_left_out_for_a_reason():
    known = set(vars(GenerationConfig())) | set(GenerationConfig._get_default_generation_params())
    unexplained = known - set(KNOBS) - set(NOT_DECODING)
    assert not unexplained, f"new in this transformers: make a knob of {unexplained}, or say why not"
    assert set(KNOBS) - known == BEYOND_GENERATION_CONFIG
    assert not set(NOT_DECODING) & set(KNOBS)


@pytest.mark.parametrize("knob", KNOBS.values(), ids=lambda knob: knob.name)
def test_every_knob_explains_itself(knob):
    assert len(knob.help) > 20 and knob.help.endswith(".")
    assert knob.accepts and knob.off
    assert knob.modes and knob.modes <= set(MODES)
    if knob.neutral is not None:
        assert knob.checked(knob.neutral) == knob.neutral
    if knob.slider:
        low, high, step = knob.slider
        assert low < high and 0 < step <= high - low
        knob.checked(type(knob.slider[1])(high))
        if knob.name != "temperature":  # its slider goes down to 0, where the page offers greedy decoding
            knob.checked(low)


# --- ranges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("knob", [k for k in NUMBERS if k.low is not None], ids=lambda knob: knob.name)
def test_the_lower_end_of_the_range(knob):
    below = knob.low - 1 if knob.kind == "int" else math.nextafter(knob.low, -math.inf)
    above = knob.low + 1 if knob.kind == "int" else math.nextafter(knob.low, math.inf)
    assert knob.checked(above) == above
    refused(knob, below)
    if knob.low_open:
        refused(knob, knob.low)
    else:
        assert knob.checked(knob.low) == knob.low


@pytest.mark.parametrize("knob", [k for k in NUMBERS if k.high is not None], ids=lambda knob: knob.name)
def test_the_upper_end_of_the_range(knob):
    above = knob.high + 1 if knob.kind == "int" else math.nextafter(knob.high, math.inf)
    below = knob.high - 1 if knob.kind == "int" else math.nextafter(knob.high, -math.inf)
    assert knob.checked(below) == below
    refused(knob, above)
    if knob.high_open:
        refused(knob, knob.high)
    else:
        assert knob.checked(knob.high) == knob.high


@pytest.mark.parametrize("knob", NUMBERS, ids=lambda knob: knob.name)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, True, "1", [1], {}, b"1", 10**400, -(10**400), 1j]
)
def test_what_is_no_number_is_refused(knob, value):
    refused(knob, value)


def refused(knob, value):
    with pytest.raises(SettingError) as caught:
        Settings(**{knob.name: value})
    assert caught.value.parameter == knob.name
    assert str(caught.value).startswith(f"{knob.name} must be ")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("knob", [k for k in NUMBERS if k.kind == "int"], ids=lambda knob: knob.name)
def test_whole_numbers_stay_whole(knob):
    assert type(knob.checked(3.0)) is int
    refused(knob, 3.5)
    if knob.high is None:
        assert knob.checked(INT_LIMIT) == INT_LIMIT
        refused(knob, INT_LIMIT + 1)


def test_whole_numbers_become_floats_where_a_float_is_meant():
    assert type(Settings(temperature=1).temperature) is float


def test_ngram_sizes_are_bounded_as_transformers_copies_the_input_so_many_times():
    assert KNOBS["encoder_no_repeat_ngram_size"].high == NGRAM_LIMIT <= 10_000


# --- messages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"top_p": 1.7}, "top_p must be in (0, 1], got 1.7; use 1 to switch it off"),
        ({"temperature": -1}, "temperature must be > 0, got -1.0; use 1 to switch it off"),
        ({"top_k": -3}, "top_k must be a whole number >= 0, got -3; use 0 to switch it off"),
        ({"top_k": 2.5}, "top_k must be a whole number >= 0, got 2.5; use 0 to switch it off"),
        ({"epsilon_cutoff": 1.0}, "epsilon_cutoff must be in [0, 1), got 1.0; use 0 to switch it off"),
        (
            {"seed": 2**63},
            "seed must be a whole number in [0, 9223372036854775807], got 9223372036854775808; "
            "leave it out to draw from torch's global random state",
        ),
        ({"do_sample": 1}, "do_sample must be True or False, got 1; leave it out to switch it off"),
        (
            {"early_stopping": "always"},
            "early_stopping must be True, False or 'never', got 'always'; use False for transformers' default",
        ),
        (
            {"stop_strings": ["a", ""]},
            "stop_strings must be a list of texts that are not empty, got ['a', '']; leave it out to switch it off",
        ),
        (
            {"max_new_tokens": 0},
            "max_new_tokens must be a whole number >= 1, got 0; leave it out for transformers' own limit",
        ),
        (
            {"num_return_sequences": 3, "num_beams": 1, "do_sample": False},
            "num_return_sequences must be 1 for greedy decoding, got 3; "
            "greedy gives the same answer every time; use do_sample=True or num_beams > 1",
        ),
        (
            {"num_beams": 2, "num_return_sequences": 3},
            "num_return_sequences must be in [1, num_beams] = [1, 2], got 3; raise num_beams or ask for fewer",
        ),
        (
            {"num_beams": 4, "num_beam_groups": 3, "diversity_penalty": 1.0},
            "num_beam_groups must be a divisor of num_beams = 4, got 3; groups share the beams evenly",
        ),
        (
            {"min_new_tokens": 9, "max_new_tokens": 3},
            "min_new_tokens must be <= max_new_tokens = 3, got 9; lower it or raise max_new_tokens",
        ),
    ],
)
def test_a_message_names_the_parameter_the_value_the_range_and_the_remedy(given, message):
    with pytest.raises(SettingError) as caught:
        Settings(**given)
    assert str(caught.value) == message


@pytest.mark.parametrize("zero", [0, 0.0, -0.0])
def test_temperature_zero_is_explained_and_greedy_offered(zero):
    with pytest.raises(SettingError) as caught:
        Settings(temperature=zero)
    assert str(caught.value) == (
        "temperature must be > 0, got "
        f"{float(zero)}; temperature divides the logits, so 0 is no temperature. For 'always the same answer' use "
        "do_sample=False (greedy decoding), which always takes the most likely token"
    )
    assert caught.value.remedy.count("do_sample=False") == 1


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        ({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0, "do_sample": True}, "do_sample"),
        ({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.0}, "diversity_penalty"),
        ({"num_beams": 1, "num_beam_groups": 2, "diversity_penalty": 1.0}, "num_beam_groups"),
        ({"penalty_alpha": 0.6, "top_k": 1, "num_beams": 1, "do_sample": False}, "top_k"),
        ({"min_length": 9, "max_length": 3}, "min_length"),
    ],
)
def test_combinations_that_cannot_be_decoded_whatever_the_model_are_refused_at_once(given, parameter):
    with pytest.raises(SettingError) as caught:
        Settings(**given)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        ({"num_return_sequences": 3}, "num_return_sequences"),
        ({"num_beams": 4, "num_beam_groups": 2}, "diversity_penalty"),
        ({"num_beam_groups": 2, "diversity_penalty": 1.0}, "num_beam_groups"),
        ({"penalty_alpha": 0.6, "top_k": 1}, "top_k"),
    ],
)
def test_combinations_that_hang_on_the_models_defaults_are_refused_once_these_are_known(given, parameter):
    settings = Settings(**given)
    with pytest.raises(SettingError) as caught:
        record(tiny_lm(), "The cat", settings)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("long", ["x" * 10_000, 10**5000, list(range(10_000))], ids=["text", "number", "list"])
def test_a_value_of_thousands_of_characters_is_cut_in_the_message(long):
    with pytest.raises(SettingError) as caught:
        Settings(top_p=long)
    assert len(str(caught.value)) < 400


# --- mode -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("do_sample", [None, False, True])
@pytest.mark.parametrize("num_beams", [None, 1, 4])
@pytest.mark.parametrize("groups", [None, 2])
@pytest.mark.parametrize("alpha", [None, 0.0, 0.6])
@pytest.mark.parametrize("top_k", [None, 0, 5])
def test_the_mode_is_the_one_that_generate_chooses(do_sample, num_beams, groups, alpha, top_k):
    given = {"do_sample": do_sample, "num_beams": num_beams, "num_beam_groups": groups, "penalty_alpha": alpha}
    given = {name: value for name, value in (given | {"top_k": top_k}).items() if value is not None}
    try:
        ours = Settings(**given, **({"diversity_penalty": 1.0} if groups else {})).mode
    except SettingError:
        assert groups and (num_beams != 4 or do_sample)
        return
    theirs = GenerationConfig(**({"top_k": 50} | given)).get_generation_mode()
    assert ours == {"greedy_search": "greedy"}.get(theirs.value, theirs.value)


# --- texts and token ids ---------------------------------------------------------------------------------------------


def test_texts_become_token_ids_and_words_are_meant_with_and_without_a_leading_space():
    tokenizer = tiny_tokenizer()

    def ids(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    got = Settings(
        suppress_tokens=["a", 7],
        bad_words_ids=["cat", [5, 6]],
        sequence_bias=[("cat", -2), ([9], 1.5)],
        eos_token_id="<|im_end|>",
        forced_bos_token_id="a",
        stop_strings="stop",
    ).generate_kwargs(tokenizer)
    assert ids("cat") != ids(" cat")
    assert got == {
        "suppress_tokens": [*ids("a"), 7],
        "bad_words_ids": [ids("cat"), ids(" cat"), [5, 6]],
        "sequence_bias": [[ids("cat"), -2.0], [ids(" cat"), -2.0], [[9], 1.5]],
        "eos_token_id": tokenizer.eos_token_id,
        "forced_bos_token_id": ids("a")[0],
        "stop_strings": ["stop"],
    }


def test_a_text_of_several_tokens_where_one_is_needed_is_refused():
    with pytest.raises(SettingError, match=r"'fjord' is \d+ tokens \[.*\] for this model; give one token, or its id"):
        Settings(suppress_tokens=["fjord"]).generate_kwargs(tiny_tokenizer())


def test_texts_without_a_tokenizer_are_refused():
    with pytest.raises(SettingError, match="texts need a tokenizer to become token ids; give the ids"):
        Settings(bad_words_ids=["cat"]).generate_kwargs()


def test_seed_and_negative_prompt_are_not_for_generate():
    given = Settings(seed=3, negative_prompt="no", top_k=4)
    assert given.generate_kwargs() == {"top_k": 4}
    assert given.given() == {"seed": 3, "top_k": 4, "negative_prompt": "no"}


def test_what_is_given_keeps_the_order_of_the_table():
    given = Settings(stop_strings=["."], top_p=0.5, temperature=0.5, do_sample=True)
    assert list(given.given()) == ["do_sample", "temperature", "top_p", "stop_strings"]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"greenlist_ratio": 0.5, "bias": 3}, WatermarkingConfig),
        ({"ngram_len": 3, "keys": [1, 2]}, SynthIDTextWatermarkingConfig),
        (WatermarkingConfig(bias=1.0), WatermarkingConfig),
        ({}, WatermarkingConfig),
    ],
)
def test_watermarking_becomes_the_config_of_its_kind(given, kind):
    assert type(Settings(watermarking_config=given).generate_kwargs()["watermarking_config"]) is kind


@pytest.mark.parametrize(
    "given",
    [
        {"no_such": 1}, {"greenlist_ratio": "x"}, {"hashing_key": "x"}, {"bias": math.nan}, {"keys": [10**30]},
        {"context_history_size": 10**12}, {"sampling_table_size": 10**12}, {"debug_mode": 1}, [1], 3, "x",
        [[[1], 2]], [[{}, 2]],
    ],
)  # fmt: skip
def test_a_watermarking_config_of_nonsense_is_refused(given):
    with pytest.raises(SettingError, match="^watermarking_config must be"):
        Settings(watermarking_config=given)


@pytest.mark.parametrize("given", [{"seeding_scheme": "no"}, {"greenlist_ratio": 7}, {"ngram_len": 3}])
def test_what_transformers_says_of_a_watermarking_config_is_passed_on(given):
    with pytest.raises(SettingError, match="^watermarking_config must be"):
        Settings(watermarking_config=given).generate_kwargs()


@pytest.mark.parametrize(
    "given",
    [
        {"suppress_tokens": []}, {"suppress_tokens": [-1]}, {"suppress_tokens": [1.5]}, {"suppress_tokens": [True]},
        {"suppress_tokens": [""]}, {"suppress_tokens": [2**31]}, {"suppress_tokens": {}}, {"eos_token_id": -1},
        {"forced_bos_token_id": [3, 4]}, {"bad_words_ids": [[]]}, {"bad_words_ids": [""]}, {"bad_words_ids": "cat"},
        {"bad_words_ids": [[["deep"]]]}, {"sequence_bias": [["a"]]}, {"sequence_bias": [["a", "b"]]},
        {"sequence_bias": [["a", math.nan]]}, {"sequence_bias": [["a", 10**400]]}, {"sequence_bias": {}},
        {"exponential_decay_length_penalty": [1]}, {"exponential_decay_length_penalty": [1, 0.0]},
        {"exponential_decay_length_penalty": [-1, 1.1]}, {"exponential_decay_length_penalty": [1, 10**400]},
        {"negative_prompt": 3}, {"stop_strings": [3]}, {"early_stopping": 1.0}, {"early_stopping": "Never"},
    ],
)  # fmt: skip
def test_lists_and_texts_of_the_wrong_shape_are_refused(given):
    with pytest.raises(SettingError):
        Settings(**given)


# --- against the model ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"bad_words_ids": [[3], [5, 320]]}, {"sequence_bias": [[[320], 1.0]]}, {"suppress_tokens": [320]},
        {"begin_suppress_tokens": [320]}, {"eos_token_id": 320}, {"forced_bos_token_id": 320},
        {"forced_eos_token_id": [2, 320]},
    ],
)  # fmt: skip
def test_token_ids_beyond_the_vocabulary_are_refused_before_the_run(given):
    (name,) = given
    with pytest.raises(SettingError) as caught:
        record(tiny_lm(), "The cat", Settings(**given, max_new_tokens=2))
    assert str(caught.value) == f"{name} must be made of token ids in [0, 319], got 320; tiny-llama has 320 tokens"


def test_a_maximum_length_that_the_prompt_already_has_is_refused():
    with pytest.raises(SettingError, match="^max_length must be > 2, the tokens of the prompt, got 2; raise"):
        record(tiny_lm(), "The cat", Settings(max_length=2))


def test_a_maximum_length_beyond_the_context_is_refused_like_max_new_tokens():
    with pytest.raises(DecodingError, match="128"):
        record(tiny_lm(), "The cat", Settings(max_length=4000))


@pytest.mark.parametrize(
    ("name", "value"),
    [(k.name, v) for k in NUMBERS if "sample" in k.modes for v in (k.low, k.high, k.neutral) if v is not None],
)
def test_transformers_accepts_the_ends_of_every_range(name, value):
    torch.set_num_threads(1)
    try:
        given = Settings(**{"max_new_tokens": 1, "do_sample": True, name: value})
    except SettingError:
        return  # an open end
    if name not in ("max_length", "max_time", "num_beams"):
        assert len(record(tiny_lm(), "The cat", given).steps) == 1


# --- JSON -------------------------------------------------------------------------------------------------------------


CONSTRAINTS = {
    "json_schema": {"enum": ["</script>", "${x}", "漢"]}, "regex": "[\u202e<&]+\n", "grammar": 'root ::= "\\"" | "a"'
}  # fmt: skip


def everything(constraint: str = "json_schema") -> Settings:
    return Settings(
        do_sample=True, num_return_sequences=2, seed=SEED_LIMIT, temperature=0.1 + 0.2, top_h=0.5, top_k=7, top_p=0.9,
        min_p=0.0, typical_p=1.0, epsilon_cutoff=5e-324, eta_cutoff=0.001, repetition_penalty=1.1,
        encoder_repetition_penalty=0.9, no_repeat_ngram_size=2, encoder_no_repeat_ngram_size=3,
        exponential_decay_length_penalty=(3, 1.5), guidance_scale=1.0,
        negative_prompt="<img onerror=…> ${x} \u202e\ud800", max_new_tokens=5, max_length=50, min_new_tokens=1,
        min_length=2, max_time=1e300, stop_strings=["</script>", "\x00"], eos_token_id=[1, "</s>"], num_beams=4,
        length_penalty=-1.0, early_stopping="never", num_beam_groups=1, diversity_penalty=0.0, penalty_alpha=0.5,
        bad_words_ids=["a", [1, 2]], sequence_bias={"a": -math.inf, (1, 2): 2}, suppress_tokens=[1, "b"],
        **{constraint: CONSTRAINTS[constraint]},
        begin_suppress_tokens=[3], forced_bos_token_id=4, forced_eos_token_id=[5, "c"], remove_invalid_values=True,
        renormalize_logits=False, watermarking_config={"ngram_len": 3, "keys": [1, 2]},
        dry_multiplier=0.8, dry_base=1.75, dry_allowed_length=2, dry_penalty_last_n=-1,
        dry_sequence_breakers=["\n", "北京"], top_n_sigma=1.5, xtc_probability=0.5, xtc_threshold=0.1,
        dynatemp_range=0.3, dynatemp_exponent=2.0, mirostat_tau=5.0, mirostat_eta=0.1, adaptive_target=-1.0,
        adaptive_decay=0.9,
    )  # fmt: skip


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_json_takes_every_parameter_there_and_back(constraint):
    given = everything(constraint)
    assert set(given.given()) == set(KNOBS) - set(CONSTRAINTS) | {constraint}  # one at a time
    assert Settings.from_json(json.loads(json.dumps(given.to_json()))) == given
    assert hash(given) == hash(everything(constraint))


@pytest.mark.parametrize("values", [None, [], "x", 3, [["top_p", 0.5]]])
def test_settings_that_are_no_object_are_refused(values):
    with pytest.raises(SettingError, match="^settings must be an object of parameter names and values"):
        Settings.from_json(values)


@pytest.mark.parametrize("name", ["no_such", "__class__", "mode", "checked", "", "top_p ", "__post_init__"])
def test_names_that_are_no_parameter_are_refused(name):
    with pytest.raises(SettingError, match="must be the name of a decoding parameter"):
        Settings.from_json({name: 1})


def test_a_value_nested_beyond_all_reason_is_refused():
    deep: list = []
    for _ in range(5 * sys.getrecursionlimit()):
        deep = [deep]
    with pytest.raises(SettingError):
        Settings.from_json({"bad_words_ids": deep})


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(tuple(KNOBS)), ANY_JSON, max_size=4))
def test_any_json_becomes_settings_or_a_setting_error(values):
    try:
        got = Settings.from_json(values)
    except SettingError as err:
        assert str(err)
    else:
        assert Settings.from_json(got.to_json()) == got
        got.mode  # noqa: B018 - must not raise


@pytest.mark.parametrize("given", [{"num_beams": 3}, {"do_sample": True, "num_return_sequences": 2}])
def test_a_negative_prompt_for_several_sequences_is_refused_because_generate_fails_on_it(given):
    lm, guided = tiny_lm(), {"guidance_scale": 2.0, "max_new_tokens": 2, **given}
    ids = lm.tokenizer(["The cat"], return_tensors="pt").input_ids
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        lm.model.generate(ids, negative_prompt_ids=ids[:, :1], **guided)
    ((name, n),) = [(name, n) for name, n in given.items() if name.startswith("num_")]
    with pytest.raises(SettingError, match=f"^{name} must be 1 where guidance_scale .* got {n}; leave"):
        Settings(**guided, negative_prompt="dog")
    record(lm, "The cat", Settings(**guided))
    record(lm, "The cat", Settings(**guided | {"guidance_scale": None}, negative_prompt="dog"))
