"""Silent knobs: every reason is given where it holds, and never of a parameter that acted."""

from __future__ import annotations

import random

import pytest
import torch

from decoding import KNOBS, LanguageModel, Recorder, Settings, record
from decoding.recorded.silent import REASONS, silent_knobs
from decoding.recorded.stages import Stage
from tests.laws import same_bits
from tests.test_parity import random_settings
from tests.tiny_models import EOS, tiny_model


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def silent(tiny: LanguageModel, **given) -> dict[str, str]:
    trace = record(tiny, "The cat sat on the mat, the cat", Settings(**{"max_new_tokens": 4, **given}))
    return {knob.name: knob.why for knob in trace.silent}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"temperature": 0.7, "top_p": 0.5}, {"temperature": "needs_sampling", "top_p": "needs_sampling"}),
        ({"top_k": 5}, {"top_k": "needs_sampling"}),
        ({"temperature": 1.0, "top_k": 0}, {"temperature": "neutral", "top_k": "neutral"}),
        ({"num_return_sequences": 1}, {"num_return_sequences": "neutral"}),
        ({"seed": 3}, {"seed": "nothing_drawn"}),
        ({"length_penalty": 2.0}, {"length_penalty": "needs_beams"}),
        ({"early_stopping": True}, {"early_stopping": "needs_beams"}),
        ({"diversity_penalty": 0.5}, {"diversity_penalty": "needs_groups"}),
        ({"num_beams": 2, "diversity_penalty": 0.5}, {"diversity_penalty": "needs_groups"}),
        ({"penalty_alpha": 0.6, "do_sample": True}, {"penalty_alpha": "needs_contrastive"}),
        ({"do_sample": True, "top_p": 1.0, "min_p": 0.0}, {"top_p": "neutral", "min_p": "neutral"}),
        ({"repetition_penalty": 1.0}, {"repetition_penalty": "neutral"}),
        ({"guidance_scale": 1.0}, {"guidance_scale": "neutral"}),
        ({"max_length": 90}, {"max_length": "overruled"}),
        ({"min_length": 9, "min_new_tokens": 2}, {"min_length": "overruled"}),
        ({"min_length": 9, "min_new_tokens": 0}, {"min_length": "overruled", "min_new_tokens": "neutral"}),
        ({"negative_prompt": "dog"}, {"negative_prompt": "needs_guidance"}),
        (
            {"negative_prompt": "dog", "guidance_scale": 1.0},
            {"negative_prompt": "needs_guidance", "guidance_scale": "neutral"},
        ),
        ({"do_sample": True, "top_k": 10_000}, {"top_k": "never_changed"}),
        ({"remove_invalid_values": True}, {"remove_invalid_values": "never_changed"}),
        ({"bad_words_ids": [[300, 301, 302]]}, {"bad_words_ids": "never_changed"}),
        ({"no_repeat_ngram_size": 30}, {"no_repeat_ngram_size": "never_changed"}),
    ],
)  # fmt: skip
def test_a_parameter_without_effect_is_listed_with_the_reason(tiny, given, expected):
    assert silent(tiny, **given) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"do_sample": True, "seed": 0, "temperature": 0.7, "top_k": 5, "top_p": 0.9},
        {"do_sample": False, "num_beams": 1},
        {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
        {"min_new_tokens": 4},  # bans the end as a min_length first, so that its own processor has nothing to do
        {"min_length": 40},
        {"suppress_tokens": [5], "begin_suppress_tokens": [6], "sequence_bias": [[[7], 2.0]]},
        {"guidance_scale": 2.0, "negative_prompt": "dog"},
        {"renormalize_logits": True},
        {"num_beams": 3, "length_penalty": 2.0, "early_stopping": True, "num_return_sequences": 2},
        {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0},
        {"penalty_alpha": 0.6, "top_k": 4},
        {"exponential_decay_length_penalty": (0, 1.5)},
        {"max_time": 100.0, "stop_strings": ["zzz"], "eos_token_id": [2]},
        {"watermarking_config": {"bias": 1.0}},
    ],
)
def test_a_parameter_that_acted_is_not_listed(tiny, given):
    assert silent(tiny, **given) == {}


def test_a_processor_that_was_never_built_is_listed():
    model = tiny_model("llama")
    model.generation_config.eos_token_id = None
    recorder = Recorder()
    model.generate(
        torch.tensor([[5, 6]]), min_new_tokens=3, max_new_tokens=3, eos_token_id=None, custom_generate=recorder
    )
    assert [(k.name, k.why) for k in recorder.trace.silent] == [("min_new_tokens", "not_run")]


def test_nothing_is_said_of_processors_before_the_first_step():
    given = {"repetition_penalty": 1.3, "top_p": 0.9}
    stages = [Stage(name="RepetitionPenaltyLogitsProcessor", params={})]
    assert [k.why for k in silent_knobs(given, "greedy", stages, None)] == ["needs_sampling"]
    assert [k.why for k in silent_knobs(given, "greedy", stages, [False])] == ["never_changed", "needs_sampling"]
    assert [k.why for k in silent_knobs(given, "greedy", stages, [True])] == ["needs_sampling"]


def test_the_reason_is_in_words_and_the_value_is_kept(tiny):
    trace = record(tiny, "a", Settings(max_length=30, max_new_tokens=2, temperature=0.5))
    assert [(k.value, k.reason) for k in trace.silent] == [
        (0.5, "it acts only with do_sample=True; here the scores decide, and nothing is drawn"),
        (30, "max_new_tokens takes precedence"),
    ]


def test_a_drop_in_recording_lists_what_differs_from_the_defaults_of_transformers():
    recorder = Recorder()
    tiny_model("llama").generate(
        torch.tensor([[5, 6]]), max_new_tokens=2, top_p=0.5, eos_token_id=EOS, custom_generate=recorder
    )
    assert [(k.name, k.why) for k in recorder.trace.silent] == [("top_p", "needs_sampling")]


@pytest.mark.parametrize("case", range(40))
def test_taking_the_silent_ones_away_changes_no_bit(tiny, case):
    rng = random.Random(case)
    given = random_settings(rng, 300) | {"seed": case, "max_new_tokens": 8}
    if given.get("num_return_sequences", 1) > 1:
        given = {k: v for k, v in given.items() if not k.startswith(("guidance", "encoder"))}
    with_all = record(tiny, "The cat sat", Settings(**given))
    without = {k: v for k, v in given.items() if k not in {knob.name for knob in with_all.silent}}
    neutral = {k.name: KNOBS[k.name].neutral for k in with_all.silent}  # top_k left out would be 50
    again = record(tiny, "The cat sat", Settings(**without | {k: v for k, v in neutral.items() if v is not None}))
    assert torch.equal(with_all.sequences, again.sequences)
    for a, b in zip(with_all.steps, again.steps, strict=True):
        for row in range(with_all.n_rows):
            assert same_bits(a.scores(row=row), b.scores(row=row))


def test_every_reason_is_reached_here():
    reached = {
        "needs_sampling", "needs_beams", "needs_groups", "needs_contrastive", "neutral", "overruled",
        "needs_guidance", "nothing_drawn", "not_run", "never_changed",
        "needs_plain_sampling", "needs_sampler",  # in tests/test_samplers_recorded.py
    }  # fmt: skip
    assert reached == set(REASONS)
