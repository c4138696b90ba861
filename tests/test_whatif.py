"""What-if gives what transformers' processors give on the recorded logits, bit for bit."""

from __future__ import annotations

import random

import pytest
import torch

from decoding import Settings, record
from tests.test_beam_parity import random_beam_settings
from tests.test_parity import assert_same_bits, random_settings
from tests.tiny_models import tiny_lm

LMS = {}


def lm_of(kind):
    return LMS.setdefault(kind, tiny_lm(kind))


def cleaned(values, lm):
    """Random parameters as `Settings` take them."""
    values = {k: v for k, v in values.items() if k != "guidance_scale"}
    if lm.is_encoder_decoder or values.get("num_return_sequences", 1) > 1:
        values = {k: v for k, v in values.items() if not k.startswith("encoder_")}
    if values.get("min_new_tokens", 0) > values["max_new_tokens"]:
        values.pop("min_new_tokens")  # Settings refuses it
    return Settings(**values, seed=3)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bart"])
@pytest.mark.parametrize("case", range(12))
def test_the_same_settings_give_the_recorded_stages_bit_for_bit(kind, case):
    rng, lm = random.Random(f"whatif-{kind}-{case}"), lm_of(kind)
    draw = random_beam_settings if case % 3 == 0 else random_settings
    settings = cleaned(draw(rng, 300), lm)
    trace = record(lm, ["The capital of", "A language"] if case % 2 else "The cat", settings)
    w = trace.whatif(settings)
    assert [s.name for s in w.stages] == [s.name for s in trace.stages]
    for step in trace.steps:
        for row in range(trace.n_rows):
            for stage in range(len(trace.stages) + 1):
                ours = w.scores(step=step.index, row=row, stage=stage)
                assert_same_bits(ours, step.scores(row=row, stage=stage))
    assert w.diverges_at is None
    assert w.statements == ()


@pytest.mark.parametrize("case", range(12))
def test_other_settings_give_what_a_run_with_them_gives_while_the_prefix_is_the_same(case):
    rng, lm = random.Random(f"other-{case}"), lm_of("llama")
    first = record(lm, "The capital of", Settings(max_new_tokens=6, eos_token_id=[290]))
    other = cleaned({**random_settings(rng, 300), "num_return_sequences": 1, "max_new_tokens": 6}, lm)
    other = Settings(**{**other.given(), "eos_token_id": [290]})
    second, w = record(lm, "The capital of", other), first.whatif(other)
    assert [s.name for s in w.stages] == [s.name for s in second.stages]
    same = 0
    while same < len(second.steps) and same < len(first.steps):
        assert_same_bits(w.scores(step=same), second.scores(step=same))
        if first.steps[same].token_ids != second.steps[same].token_ids:
            break
        same += 1
    if not other.do_sample:
        assert w.diverges_at == (same if same < len(first.steps) else None)


def test_a_removed_token_does_not_survive_and_says_from_where_on(tiny):
    trace = record(tiny, "The", Settings(do_sample=True, temperature=3.0, top_k=0, seed=1, max_new_tokens=8))
    w = trace.whatif(Settings(do_sample=True, top_k=1, seed=1, max_new_tokens=8))
    ranks = [w.trace.scores(step=t, stage=0) for t in range(len(trace.steps))]
    likeliest = [int(s.argmax()) == step.token_ids[0] for s, step in zip(ranks, trace.steps, strict=True)]
    assert [row[0] for row in w.chosen_survives] == likeliest
    assert w.diverges_at == likeliest.index(False)


@pytest.mark.parametrize("case", range(30))
def test_another_length_penalty_gives_generates_answer_wherever_it_is_decided(case):
    rng, lm = random.Random(f"replay-{case}"), lm_of(["llama", "gpt2"][case % 2])
    ends = rng.sample(range(4, 300), 30)  # many ends, so that pools fill and overflow
    common = {"num_beams": rng.randint(2, 4), "max_new_tokens": 10, "eos_token_id": ends}
    first = record(
        lm, ["The cat", "A language model"][: rng.randint(1, 2)],
        Settings(**common, length_penalty=rng.choice([0.0, 1.0]), early_stopping=rng.choice([False, "never"])),
    )  # fmt: skip
    other = Settings(
        **common, length_penalty=rng.choice([-1.0, 0.5, 2.0]), early_stopping=rng.choice([True, False, "never"]),
        num_return_sequences=2,
    )  # fmt: skip
    replayed = first.whatif(other).replay
    second = record(lm, list(first.prompts), other)
    if replayed.decided:
        assert replayed.n_steps == len(second.steps)
        assert replayed.hypotheses == second.hypotheses
    else:
        assert len(second.steps) > len(first.steps)


def test_what_needs_the_model_is_said(tiny):
    trace = record(tiny, "The", Settings(max_new_tokens=3))
    assert [s.what for s in trace.whatif(Settings(guidance_scale=2.0)).statements] == ["guidance_scale"]
    assert [s.why for s in trace.whatif(Settings(num_beams=3)).statements] == ["mode"]
    beams = record(tiny, "The", Settings(num_beams=2, max_new_tokens=3))
    w = beams.whatif(Settings(num_beams=3))
    assert [(s.why, s.what) for s in w.statements] == [("rerun", "num_beams")]
    assert w.replay is None


@pytest.mark.parametrize(
    "settings",
    [
        {"do_sample": True, "temperature": 0.01},
        {"do_sample": True, "top_p": 0.001},
        {"do_sample": True, "top_k": 10**9},
        {"do_sample": True, "top_k": 1, "min_p": 1.0, "typical_p": 0.001},
    ],
)
def test_sliders_at_their_ends_are_answered(tiny, settings):
    trace = record(tiny, "The", Settings(max_new_tokens=3))
    w = trace.whatif(Settings(**settings))
    assert torch.isfinite(w.scores(step=0)).any()
    assert all(w.chosen_survives[t][0] for t in range(3)) or w.diverges_at is not None


def test_a_choice_that_the_scores_alone_do_not_make_is_never_called_a_divergence(tiny):
    settings = Settings(penalty_alpha=0.9, top_k=8, max_new_tokens=8)
    trace = record(tiny, "The", settings)
    taken = [trace.scores(step=t)[step.token_ids[0]] for t, step in enumerate(trace.steps)]
    assert any(score < trace.scores(step=t).max() for t, score in enumerate(taken))
    w = trace.whatif(settings)
    assert w.diverges_at is None
    assert [s.what for s in w.statements] == ["penalty_alpha"]


def test_diverse_groups_are_said_to_be_left_out(tiny):
    settings = Settings(num_beams=4, num_beam_groups=2, diversity_penalty=1.0, max_new_tokens=3)
    w = record(tiny, "The", settings).whatif(settings)
    assert [s.what for s in w.statements] == ["diversity_penalty"]
    assert w.replay is None
