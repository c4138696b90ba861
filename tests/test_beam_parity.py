"""Beam search and beam sampling return and record what `generate()` returns, bit for bit."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from decoding import Recorder
from tests.conftest import KINDS, random_cases
from tests.test_parity import ASK_FOR, assert_same_bits, assert_same_tensors, inputs_of, model_of, random_settings
from tests.tiny_models import EOS

N_COMBINATIONS = 26  # per architecture; nine architectures


def random_beam_settings(rng: random.Random, vocab: int) -> dict[str, Any]:
    """Beam parameters at random values, on top of a few processors."""
    settings = random_settings(rng, vocab)
    settings.pop("guidance_scale", None)
    for encoder_side in ("encoder_repetition_penalty", "encoder_no_repeat_ngram_size"):
        settings.pop(encoder_side, None)  # transformers does not expand their inputs to beams
    beams = rng.randint(2, 5)
    settings |= {
        "do_sample": rng.random() < 0.35,
        "num_beams": beams,
        "num_return_sequences": rng.randint(1, beams),
        "length_penalty": rng.choice([-1.0, 0.0, 0.5, 1.0, 2.0]),
        "early_stopping": rng.choice([True, False, "never"]),
        "max_new_tokens": rng.randint(1, 12),
    }
    if rng.random() < 0.7:  # an end that comes often, so that pools fill and overflow
        settings["eos_token_id"] = rng.choice([EOS, rng.sample(range(4, vocab), rng.randint(2, 6))])
    if settings.get("top_k") == 1 or settings.get("top_p", 1) < 0.1:
        settings["do_sample"] = False  # too few tokens are left to draw the candidates from
    return settings


def assert_same_beams(model, inputs, settings, seed=0):
    """Runs both, compares what is returned and recorded; returns the trace."""
    torch.manual_seed(seed)
    expected = model.generate(**inputs, **settings, **ASK_FOR)
    torch.manual_seed(seed)
    recorder = Recorder()
    got = model.generate(**inputs, **settings, **ASK_FOR, custom_generate=recorder)
    assert type(got) is type(expected)
    for name in ("sequences", "sequences_scores", "beam_indices"):
        assert torch.equal(got[name], expected[name]), name
    assert_same_tensors(got.logits, expected.logits)
    assert_same_tensors(got.scores, expected.scores)
    trace = recorder.trace
    assert len(trace.steps) == len(expected.scores)
    for t in range(len(trace.steps)):
        for row in range(trace.n_rows):
            assert_same_bits(trace.scores(step=t, row=row, stage=0), expected.logits[t][row])
            assert_same_bits(trace.scores(step=t, row=row, stage=-1), expected.scores[t][row])
    assert_ledger_is_complete(trace, expected)
    return trace


def assert_ledger_is_complete(trace, expected):
    """What the ledger must hold for every run: the issue's completeness rules."""
    ledger, beams = trace.ledger, trace.ledger.n_beams
    eos = trace.generation_config.get("eos_token_id")
    n_eos = 0 if eos is None else len(eos) if isinstance(eos, list) else 1
    wanted = max(2, 1 + n_eos) * beams
    for step in trace.steps:
        for prompt in range(ledger.n_prompts):
            candidates = ledger.candidates(step.index, prompt)
            assert len(candidates) == wanted
            n_alive = sum(c.ended_by is None for c in candidates)
            impossible = min(c.score for c in candidates) < -1e8  # -1e9 stands for "cannot be", and may tie
            n_kept = sum(c.fate == "kept" for c in candidates)
            assert n_kept == min(beams, n_alive) or (impossible and n_kept <= beams)
            assert sorted(c.row for c in candidates if c.row is not None) == list(
                range(prompt * beams, (prompt + 1) * beams)
            )
            for c in candidates:
                assert (c.ended_by is None) == (c.fate in ("kept", "pruned"))
                assert c.logprob == float(trace.scores(step=step.index, row=c.parent)[c.token_id])
    assert_pool_gives_the_answer(trace, expected)


def assert_pool_gives_the_answer(trace, expected):
    start = trace.prompt_ids.shape[1]
    for hypothesis in trace.hypotheses:
        if not hypothesis.finished:
            continue
        place = hypothesis.place
        sequence = expected.sequences[place]
        assert hypothesis.score == float(expected.sequences_scores[place])
        assert sequence[start : start + len(hypothesis.token_ids)].tolist() == list(hypothesis.token_ids)
        if hypothesis.sum_logprobs < -1e8:
            continue  # it descends from a row that transformers gave -1e9: as good as impossible, yet returned
        assert sum(hypothesis.logprobs) == pytest.approx(hypothesis.sum_logprobs, abs=1e-4)
        penalty = trace.generation_config["length_penalty"]
        quotient = hypothesis.sum_logprobs / len(hypothesis.token_ids) ** penalty
        assert hypothesis.score == pytest.approx(quotient, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", random_cases(N_COMBINATIONS))
def test_random_beams_give_what_generate_gives(kind: str, case: int):
    rng = random.Random(f"beams-{kind}-{case}")
    model = model_of(kind)
    vocab = model.config.get_text_config().vocab_size
    inputs = inputs_of(rng, vocab, batch=rng.random() < 0.4)
    assert_same_beams(model, inputs, random_beam_settings(rng, vocab), seed=case)
