"""What a user can mend is told as such, before decoding where that is possible: never a bare error, never a "bug"."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import BartForConditionalGeneration

from app.api.endpoints import Api
from app.cli.main import main
from app.handlers.handlers import Handlers
from app.serving import limits
from app.serving.model_shelf import ModelState
from app.session.session import Session
from decoding import KNOBS, Recorder, Settings, record
from decoding.errors import DecodingError, PromptError, RecordingError, SettingError
from decoding.fork import fork
from decoding.models.prompts import encode_prompt
from decoding.parameters.knobs import INT_LIMIT, NGRAM_LIMIT
from tests.tiny_models import CONTEXT, tiny_lm

KINDS = ("llama", "gpt2", "bart", "t5")
LMS = {}


def lm_of(kind):
    return LMS.setdefault(kind, tiny_lm(kind))


def with_a_new_token(kind):
    """A model whose tokenizer was given a token that the model was not resized for."""
    lm = tiny_lm(kind)
    lm.tokenizer.add_tokens(["<new>"])
    return lm


# --- tokens beyond the model ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_the_model_does_not_have_is_named_with_the_remedy(kind):
    lm = with_a_new_token(kind)
    with pytest.raises(PromptError) as caught:
        record(lm, "The <new> cat", Settings(max_new_tokens=2))
    assert str(caught.value) == (
        "the prompt has the token '<new>' (id 320), and the model has tokens in [0, 319]; leave it out, use the "
        "tokenizer of this model, or, where tokens were added to it, call model.resize_token_embeddings(321)"
    )
    lm.model.resize_token_embeddings(321)
    assert record(lm, "The <new> cat", Settings(max_new_tokens=2)).steps


def test_so_is_one_of_the_negative_prompt():
    lm = with_a_new_token("llama")
    with pytest.raises(PromptError, match="^negative_prompt has the token '<new>'"):
        record(lm, "The cat", Settings(negative_prompt="<new>", guidance_scale=2.0, max_new_tokens=2))


def test_a_drop_in_says_it_where_torch_would_only_say_index_out_of_range():
    lm = lm_of("llama")
    with pytest.raises(PromptError, match=r"the prompt has the token \(id 400\).*resize_token_embeddings"):
        lm.model.generate(torch.tensor([[5, 400]]), max_new_tokens=2, custom_generate=Recorder())


def test_an_embedding_larger_than_the_vocabulary_takes_what_it_holds():  # padded to a multiple of 64, say
    lm = tiny_lm("llama")
    lm.model.get_input_embeddings().num_embeddings += 5
    assert encode_prompt(lm, "The cat").input_ids.shape == (1, 2)


# --- guidance, lengths ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bart", "t5"])
@pytest.mark.parametrize("by_default", [False, True])
def test_guidance_of_an_encoder_decoder_is_refused(kind, by_default):
    lm = tiny_lm(kind)
    if by_default:
        lm.model.generation_config.guidance_scale = 2.0
    with pytest.raises(SettingError, match="^guidance_scale must be 1 for an encoder–decoder like tiny-.*, got 2.0; "):
        record(lm, "The cat", Settings() if by_default else Settings(guidance_scale=2.0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by_default", [False, True])
def test_a_maximum_length_that_leaves_no_room_is_refused(kind, by_default):
    lm = tiny_lm(kind)
    start = 1 if lm.is_encoder_decoder else 2
    if by_default:
        lm.model.generation_config.max_length = start
    settings = Settings() if by_default else Settings(max_length=start)
    message = f"^max_length must be > {start}, .* got {start}; .*max_new_tokens"
    with pytest.raises(SettingError, match=message) as caught:
        record(lm, "The cat", settings)
    assert ("own default" in str(caught.value)) is by_default
    assert record(lm, "The cat", Settings(max_new_tokens=2)).steps  # which takes precedence


def test_a_default_of_the_models_beyond_its_context_is_no_reason_to_refuse_as_the_text_may_end_before():
    lm = tiny_lm("gpt2")
    lm.model.generation_config.max_new_tokens = 4096
    lm.model.generation_config.eos_token_id = list(range(320))
    assert len(record(lm, "The cat").steps) == 1
    lm.model.generation_config.eos_token_id = None
    message = f"the model has {CONTEXT} positions, .* at most {CONTEXT - 2}, "
    with pytest.raises(RecordingError, match=message) as caught:
        record(lm, "The cat")
    assert len(caught.value.trace.steps) == CONTEXT - 1


def test_a_fork_of_an_encoder_decoder_that_goes_beyond_its_positions_is_refused():
    lm = lm_of("bart")
    trace = record(lm, "The cat", Settings(max_new_tokens=20, eos_token_id=[319]))
    with pytest.raises(PromptError, match="set it to at most"):
        fork(trace, lm, step=10, token_id=5, settings=Settings(max_new_tokens=CONTEXT - 5))


@pytest.mark.parametrize("max_length", [1, 3])
def test_a_fork_under_a_maximum_length_that_it_has_already_is_refused(max_length):
    lm = lm_of("llama")
    trace = record(lm, "The cat", Settings(max_new_tokens=6))
    with pytest.raises(SettingError, match="^max_length must be > 6, the tokens of the prompt"):
        fork(trace, lm, step=3, token_id=5, settings=Settings(max_length=max_length))


# --- what transformers or torch fail on in the midst ----------------------------------------------------------------


def test_a_power_that_no_number_holds_is_told_with_the_steps_before():
    given = Settings(exponential_decay_length_penalty=(0, 1e308), min_new_tokens=9, max_new_tokens=9)
    with pytest.raises(RecordingError, match="^exponential_decay_length_penalty must be such that") as caught:
        record(lm_of("llama"), "The cat", given)
    assert len(caught.value.trace.steps) == 2


def test_so_it_is_in_what_if():
    trace = record(lm_of("llama"), "The cat", Settings(max_new_tokens=6, eos_token_id=[319]))
    with pytest.raises(SettingError, match="^exponential_decay_length_penalty must be such that"):
        trace.whatif(Settings(exponential_decay_length_penalty=(0, 1e308)))


@pytest.mark.parametrize("rule", [{"eta_cutoff": 0.5}, {"top_h": 0.5}])
def test_a_rule_that_needs_a_distribution_says_so_where_there_is_none(rule, monkeypatch):
    # torch checks distributions until torch.compile switches that off for the whole process; then the draw says it
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", True)
    given = {"do_sample": True, "suppress_tokens": list(range(320)), **rule}
    with pytest.raises(SettingError, match=f"^{next(iter(rule))} must be used on scores of which some are left"):
        record(lm_of("llama"), "The cat", Settings(**given, max_new_tokens=2))
    trace = record(lm_of("llama"), "The cat", Settings(max_new_tokens=2))
    with pytest.raises(SettingError, match=f"^{next(iter(rule))} must be used on scores of which some are left"):
        trace.whatif(Settings(**given)).chosen_survives  # noqa: B018


@pytest.mark.parametrize("mode", [{}, {"do_sample": True}])
def test_beams_that_find_fewer_continuations_than_they_look_at_are_refused(mode):
    with pytest.raises(SettingError, match="^eos_token_id must be fewer than the 320 tokens of tiny-llama with num"):
        record(lm_of("llama"), "The cat", Settings(num_beams=2, eos_token_id=list(range(320)), **mode))


def test_what_transformers_refuses_while_it_prepares_is_passed_on_in_its_words():
    with pytest.raises(SettingError, match="forced_bos_token_id"):
        record(lm_of("bart"), "The cat", Settings(forced_bos_token_id=5, suppress_tokens=[5]))


@pytest.mark.parametrize(
    "given", [{"stop_strings": ["a\ud800"]}, {"bad_words_ids": ["\udfff"]}, {"suppress_tokens": ["\ud800"]}]
)
def test_half_a_character_is_refused_in_words_as_in_a_prompt(given):
    with pytest.raises(SettingError, match="half a character"):
        record(lm_of("llama"), "The cat", Settings(**given, max_new_tokens=2))


# --- on the command line, by the API, on the page -------------------------------------------------------------------

TOLD = (
    ("llama", "The <new> cat", {}, {}, "call model.resize_token_embeddings(321)"),
    ("bart", "The cat", {"guidance_scale": 2.0}, {}, "guidance_scale must be 1 for an encoder–decoder"),
    ("bart", "The cat", {"max_length": 1}, {}, "max_length must be > 1, the tokens that the answer begins with, got 1"),
    ("bart", "The cat", {}, {"guidance_scale": 2.0}, "guidance_scale must be 1 for an encoder–decoder"),
)  # fmt: skip


@pytest.fixture(params=TOLD, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}-{case[3]}")
def told(request):
    kind, prompt, given, defaults, message = request.param
    lm = with_a_new_token(kind)
    for name, value in defaults.items():
        setattr(lm.model.generation_config, name, value)
    return lm, prompt, given, message


def shelf_of(lm):
    ready = ModelState(name=lm.name, phase="ready", lm=lm)
    look = {"state": lambda _: ready, "loading": lambda _: iter([ready])}
    return SimpleNamespace(default=lm.name, batchers=None, limits=limits.NONE, **look)


def test_the_api_tells_it(told):
    lm, prompt, given, message = told
    with pytest.raises(gr.Error) as caught:
        Api(shelf_of(lm)).record(prompt, given)
    assert message in str(caught.value)
    assert "a bug" not in str(caught.value)


def test_the_page_tells_it(told):
    lm, prompt, given, message = told
    handlers, session = Handlers(shelf_of(lm)), Session(record(tiny_lm(), "The cat", Settings(max_new_tokens=1)))
    form = json.dumps({"mode": "greedy", "given": given})
    outs = list(handlers.decoding.run(session, "", "text", prompt, "", form))
    said = [json.loads(out["message"].props["data"]) for out in outs if "message" in out]
    (words,) = [update["text"] for update in said if update]
    assert message in words


def test_the_command_line_tells_it(told, tmp_path, capsys):
    lm, prompt, given, message = told
    lm.model.save_pretrained(tmp_path / "model")
    lm.tokenizer.save_pretrained(tmp_path / "model")
    options = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    assert main(["record", "--model", str(tmp_path / "model"), "--device", "cpu", "--prompt", prompt, *options]) != 0
    assert message in capsys.readouterr().err


# --- every knob at its ends, in every mode, on every kind of prompt -------------------------------------------------

BASES = (
    {}, {"do_sample": True, "seed": 0}, {"num_beams": 3}, {"num_beams": 3, "do_sample": True, "seed": 0},
    {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0}, {"penalty_alpha": 0.6, "top_k": 4},
)  # fmt: skip
LEAST, MOST = 5e-324, 1.7e308
ALL = tuple(range(320))
SHAPED = {
    "exponential_decay_length_penalty": [(0, LEAST), (0, MOST), (0, 1e38), (INT_LIMIT, 2.0)],
    "negative_prompt": ["dog", "", "\x00", "\ud800", "<|pad|>"],
    "stop_strings": ["a", "\x00", "\ud800", "字", "x" * 300, "\n", "<|im_end|>"],
    "early_stopping": [True, False, "never"],
    "eos_token_id": [0, 319, ALL, "a"],
    "bad_words_ids": [[[2]], [[i] for i in ALL], ["a"], [[5] * 200]],
    "sequence_bias": [
        [[[5], math.inf]], [[[5], -math.inf]], [[[5], MOST], [[5], -MOST]], [[[i], -math.inf] for i in ALL],
        [[[5], math.inf], [[5], -math.inf]], [[[5] * 200, 1.0]],
    ],
    "suppress_tokens": [[0], ALL], "begin_suppress_tokens": [[0], ALL],
    "forced_bos_token_id": [0, 319], "forced_eos_token_id": [0, 319, [1, 2]],
    "watermarking_config": [
        {}, {"greenlist_ratio": LEAST}, {"greenlist_ratio": 1 - 1e-9}, {"bias": MOST}, {"hashing_key": INT_LIMIT},
        {"seeding_scheme": "selfhash"}, {"context_width": INT_LIMIT}, {"ngram_len": 2, "keys": [1]},
        {"ngram_len": NGRAM_LIMIT, "keys": [INT_LIMIT]}, {"ngram_len": 5, "keys": [1], "sampling_table_size": 1},
        {"ngram_len": 5, "keys": [1], "context_history_size": 0}, {"ngram_len": 5, "keys": [1], "debug_mode": True},
    ],
}  # fmt: skip
# What would only take long: as many rows, or as many steps.
BOUNDED = {
    "num_beams": (1, 2, 24), "num_return_sequences": (1, 2, 5), "max_new_tokens": (1, 3), "num_beam_groups": (1, 2, 3),
}  # fmt: skip
PROMPTS = (
    "The cat", "<|im_end|>", "<|pad|>", " ", "\n\n", "字猫 🙂", "a" * 300, "\x00\x01", "\ud800", "",
    ["The", "The cat sat on"], ["a", "b", "c"], [{"role": "user", "content": "Hi"}], [], [{"role": "user"}],
)  # fmt: skip


def ends_of(knob):
    """The knob's values at the ends of its range."""
    if knob.name in SHAPED or knob.name in BOUNDED:
        return [*SHAPED.get(knob.name, ()), *BOUNDED.get(knob.name, ())]
    if knob.kind == "bool":
        return [True, False]
    if knob.kind == "int":
        return [knob.low, knob.low + 1, knob.low + 2, INT_LIMIT if knob.high is None else knob.high]
    low = [LEAST, 1e-6] if knob.low == 0 else [knob.low]
    high = [1e38, MOST] if knob.high is None else [math.nextafter(knob.high, 0) if knob.high_open else knob.high]
    return [*low, *high]


@st.composite
def asked(draw):
    knobs = draw(st.lists(st.sampled_from(list(KNOBS)), min_size=1, max_size=4, unique=True))
    given = {"max_new_tokens": 3, **draw(st.sampled_from(BASES))}
    given |= {name: draw(st.sampled_from(ends_of(KNOBS[name]))) for name in knobs}
    if draw(st.booleans()) and given.get("max_length", 99) < 40:
        del given["max_new_tokens"]
    return draw(st.sampled_from(PROMPTS)), given


def run_and_look(kind, prompt, given):
    """Records, and asks everything of the trace that the page asks; only what can be mended is raised."""
    lm = lm_of(kind)
    torch.set_num_threads(1)
    trace = record(lm, prompt, Settings(**given))
    w = trace.whatif(trace.settings)
    return w.chosen_survives, w.chosen_rank, w.statements, w.replay, w.diverges_at, trace.origins, trace.text()


@pytest.mark.parametrize("kind", ["llama", pytest.param("bart", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", list(KNOBS))
def test_every_knob_at_its_ends_runs_or_is_refused_in_words(kind, name):
    for value in ends_of(KNOBS[name]):
        for base in BASES if KNOBS[name].kind in ("float", "int") else BASES[:3]:
            try:
                run_and_look(kind, "The cat", {"max_new_tokens": 2, **base, name: value})
            except DecodingError as error:
                assert str(error)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(kind=st.sampled_from(KINDS), run=asked())
@pytest.mark.slow
def test_any_settings_at_their_ends_on_any_prompt_run_or_are_refused_in_words(kind, run):
    try:
        run_and_look(kind, *run)
    except DecodingError as error:
        assert str(error)


@settings(deadline=None, max_examples=60)
@given(kind=st.sampled_from(("llama", "bart")), given=st.sampled_from(list(KNOBS)), data=st.data())
def test_what_if_of_any_settings_at_their_ends_is_answered_or_refused_in_words(kind, given, data):
    lm = lm_of(kind)
    trace = LMS.setdefault((kind, "trace"), None) or record(lm, "The cat", Settings(max_new_tokens=4))
    LMS[kind, "trace"] = trace
    value = data.draw(st.sampled_from(ends_of(KNOBS[given])))
    base = data.draw(st.sampled_from(BASES))
    try:
        w = trace.whatif(Settings(**{**base, given: value}))
        assert len(w.chosen_survives) == len(trace.steps) and w.statements is not None
    except DecodingError as error:
        assert str(error)


def test_the_models_tried_are_of_both_kinds():
    assert isinstance(lm_of("bart").model, BartForConditionalGeneration)
    assert not lm_of("llama").is_encoder_decoder
