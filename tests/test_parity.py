"""What Recorder returns and records is what `generate()` returns, bit for bit."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList

from decoding import Recorder
from tests.conftest import KINDS, random_cases
from tests.tiny_models import EOS, PAD, tiny_model

N_COMBINATIONS = 30  # per architecture; nine architectures
MODELS = {}

ASK_FOR = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}


def model_of(kind: str):
    torch.set_num_threads(1)
    return MODELS.setdefault(kind, tiny_model(kind))


def inputs_of(rng: random.Random, vocab: int, *, batch: bool) -> dict[str, torch.Tensor]:
    """One prompt, or a left-padded batch."""
    lengths = [rng.randint(1, 9) for _ in range(rng.randint(2, 3) if batch else 1)]
    longest = max(lengths)
    ids = torch.full((len(lengths), longest), PAD)
    mask = torch.zeros_like(ids)
    for row, n in enumerate(lengths):
        ids[row, longest - n :] = torch.tensor([rng.randrange(4, vocab) for _ in range(n)])
        mask[row, longest - n :] = 1
    return {"input_ids": ids, "attention_mask": mask}


def random_settings(rng: random.Random, vocab: int) -> dict[str, Any]:
    """A handful of parameters at random values, boundaries among them."""

    def ids(n: int) -> list[int]:
        return [rng.randrange(4, vocab) for _ in range(n)]

    sampled = {
        "temperature": lambda: rng.choice([0.1, 0.7, 1.0, 1.3, 3.0]),
        "top_k": lambda: rng.choice([0, 1, 5, 40, 10_000]),
        "top_p": lambda: rng.choice([0.05, 0.5, 0.9, 0.999, 1.0]),
        "min_p": lambda: rng.choice([0.0, 0.05, 0.5, 1.0]),
        "top_h": lambda: rng.choice([0.2, 0.6, 1.0]),
        "typical_p": lambda: rng.choice([0.2, 0.9, 1.0]),
        "epsilon_cutoff": lambda: rng.choice([0.0, 0.001, 0.05]),
        "eta_cutoff": lambda: rng.choice([0.0, 0.001, 0.05]),
    }
    always = {
        "repetition_penalty": lambda: rng.choice([0.7, 1.0, 1.2, 2.0]),
        "encoder_repetition_penalty": lambda: rng.choice([0.8, 1.5]),
        "no_repeat_ngram_size": lambda: rng.choice([0, 1, 2, 3]),
        "encoder_no_repeat_ngram_size": lambda: rng.choice([1, 2]),
        "bad_words_ids": lambda: [ids(1), ids(2), ids(1)],
        "sequence_bias": lambda: [[ids(1), 4.0], [ids(2), -3.5]],
        "suppress_tokens": lambda: ids(4),
        "begin_suppress_tokens": lambda: ids(3),
        "min_new_tokens": lambda: rng.choice([0, 3, 8]),
        "min_length": lambda: rng.choice([0, 6, 12]),
        "forced_bos_token_id": lambda: ids(1)[0],
        "forced_eos_token_id": lambda: rng.choice([EOS, [EOS, 5]]),
        "exponential_decay_length_penalty": lambda: (rng.choice([0, 2]), rng.choice([1.1, 1.5])),
        "renormalize_logits": lambda: rng.choice([True, False]),
        "remove_invalid_values": lambda: True,
        "guidance_scale": lambda: rng.choice([1.0, 1.5, 3.0]),
        "watermarking_config": lambda: rng.choice([
            {"greenlist_ratio": 0.25, "bias": 2.0},
            {"greenlist_ratio": 0.5, "bias": 1.0, "seeding_scheme": "selfhash", "context_width": 2},
        ]),
        "eos_token_id": lambda: rng.choice([EOS, [EOS, 7], [EOS, 7, 9, 11]]),
    }  # fmt: skip
    out: dict[str, Any] = {"max_new_tokens": rng.randint(1, 8), "do_sample": rng.random() < 0.65}
    pool = list(always.items()) + (list(sampled.items()) * 2 if out["do_sample"] else [])
    for name, draw in rng.sample(pool, rng.randint(1, 6)):
        out[name] = draw()
    if out["do_sample"] and rng.random() < 0.3:
        out["num_return_sequences"] = rng.randint(2, 3)
    return out


def assert_same_run(model, inputs, settings, seed=0, **more):
    """Runs both, compares what is returned, then what is recorded; returns the trace."""
    torch.manual_seed(seed)
    expected = model.generate(**inputs, **settings, **ASK_FOR, **more)
    state_after = torch.get_rng_state()
    torch.manual_seed(seed)
    recorder = Recorder()
    got = model.generate(**inputs, **settings, **ASK_FOR, **more, custom_generate=recorder)
    assert type(got) is type(expected)
    assert torch.equal(got.sequences, expected.sequences)
    assert torch.equal(torch.get_rng_state(), state_after)
    assert_same_tensors(got.logits, expected.logits)
    assert_same_tensors(got.scores, expected.scores)
    trace = recorder.trace
    assert len(trace.steps) == len(expected.scores)
    assert torch.equal(trace.sequences, expected.sequences)
    for t in range(len(trace.steps)):
        for row in range(trace.n_rows):
            assert_same_bits(trace.scores(step=t, row=row, stage=0), expected.logits[t][row])
            assert_same_bits(trace.scores(step=t, row=row, stage=-1), expected.scores[t][row])
    return trace


def assert_same_tensors(got, expected):
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert_same_bits(a, b)


def assert_same_bits(a: torch.Tensor, b: torch.Tensor):
    assert a.dtype == b.dtype and a.shape == b.shape
    assert torch.equal(a.contiguous().view(torch.int32), b.contiguous().view(torch.int32))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", random_cases(N_COMBINATIONS))
def test_random_settings_give_what_generate_gives(kind: str, case: int):
    rng = random.Random(f"{kind}-{case}")
    model = model_of(kind)
    vocab = model.config.get_text_config().vocab_size
    inputs = inputs_of(rng, vocab, batch=rng.random() < 0.4)
    settings = random_settings(rng, vocab)
    if model.config.is_encoder_decoder or inputs["input_ids"].shape[0] > 1:
        settings.pop("guidance_scale", None)  # transformers supports it for neither
    if settings.get("num_return_sequences", 1) > 1:
        for encoder_side in ("guidance_scale", "encoder_repetition_penalty", "encoder_no_repeat_ngram_size"):
            settings.pop(encoder_side, None)  # transformers does not expand their inputs
    assert_same_run(model, inputs, settings, seed=case)


@pytest.mark.parametrize("kind", ["llama", "bart"])
def test_stages_are_the_processors_that_generate_built_in_its_order(kind: str, monkeypatch):
    model = model_of(kind)
    built = []
    original = type(model)._get_logits_processor

    def spy(self, *args, **kwargs):
        built.append(original(self, *args, **kwargs))
        return built[-1]

    monkeypatch.setattr(type(model), "_get_logits_processor", spy)
    recorder = Recorder()
    model.generate(
        torch.tensor([[5, 6, 7]]), do_sample=True, temperature=0.7, top_k=20, top_p=0.9, min_p=0.01, typical_p=0.95,
        epsilon_cutoff=0.001, eta_cutoff=0.001, top_h=0.9, repetition_penalty=1.2, no_repeat_ngram_size=2,
        suppress_tokens=[9], renormalize_logits=True, max_new_tokens=3, custom_generate=recorder,
    )  # fmt: skip
    assert [s.name for s in recorder.trace.stages] == [type(p).__name__ for p in built[0]]
    assert len(recorder.trace.stages) >= 12


class Writes(LogitsProcessor):
    """A processor as users write them: changes its argument in place."""

    def __call__(self, input_ids, scores):
        scores[:, 5] += 3.0
        scores[:, 6] = -float("inf")
        return scores


@pytest.mark.parametrize("do_sample", [False, True])
def test_a_processor_of_the_users_own_that_writes_in_place_is_recorded_under_its_name(do_sample: bool):
    trace = assert_same_own_processor(do_sample)
    assert [s.name for s in trace.stages][0] == "Writes"
    assert trace.stages[0].own
    before, after = trace.scores(step=0, stage=0), trace.scores(step=0, stage=1)
    assert after[5] == before[5] + 3.0
    assert before[6] > -float("inf") and after[6] == -float("inf")


def assert_same_own_processor(do_sample: bool):
    model, ids = model_of("llama"), torch.tensor([[5, 6, 7]])
    own = {"logits_processor": LogitsProcessorList([Writes()])}
    settings = {"do_sample": do_sample, "top_k": 9, "max_new_tokens": 4, **ASK_FOR}
    torch.manual_seed(1)
    expected = model.generate(ids, **settings, **own)
    torch.manual_seed(1)
    recorder = Recorder()
    got = model.generate(ids, **settings, **own, custom_generate=recorder)
    assert torch.equal(got.sequences, expected.sequences)
    assert_same_tensors(got.scores, expected.scores)
    assert_same_tensors(got.logits, expected.logits)  # generate() itself returns the overwritten ones
    return recorder.trace


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_attentions_and_hidden_states_are_returned_as_generate_returns_them(kind: str):
    model = model_of(kind)
    model.set_attn_implementation("eager")
    ask = {"output_attentions": True, "output_hidden_states": True, "return_dict_in_generate": True}
    ids = torch.tensor([[5, 6, 7, 8]])
    expected = model.generate(ids, max_new_tokens=4, **ask)
    got = model.generate(ids, max_new_tokens=4, **ask, custom_generate=Recorder())
    assert list(got) == list(expected)
    for name in (n for n in expected if n.endswith(("attentions", "hidden_states"))):
        assert torch.equal(flat(expected[name]), flat(got[name])), name
    model.set_attn_implementation("sdpa")


def flat(nested) -> torch.Tensor:
    if isinstance(nested, torch.Tensor):
        return nested.flatten()
    return torch.cat([flat(item) for item in nested]) if nested else torch.empty(0)  # t5's, in transformers 5.17


def test_without_return_dict_a_plain_tensor_comes_back():
    ids = torch.tensor([[5, 6, 7]])
    got = model_of("gpt2").generate(ids, max_new_tokens=5, custom_generate=Recorder())
    assert torch.equal(got, model_of("gpt2").generate(ids, max_new_tokens=5))


def test_batch_rows_are_the_rows_of_the_single_runs():
    model = model_of("gpt2")
    ids = torch.tensor([[5, 6, 7], [9, 10, 11]])
    both, one = Recorder(), Recorder()
    model.generate(ids, max_new_tokens=4, eos_token_id=None, custom_generate=both)
    model.generate(ids[1:], max_new_tokens=4, eos_token_id=None, custom_generate=one)
    assert torch.equal(both.trace.generated_ids[1], one.trace.generated_ids[0])
    torch.testing.assert_close(both.trace.scores(step=2, row=1), one.trace.scores(step=2), atol=1e-5, rtol=0)


def test_a_seed_of_its_own_draws_what_manual_seed_draws_and_leaves_the_global_state_alone():
    model, ids = model_of("llama"), torch.tensor([[5, 6, 7]])
    torch.manual_seed(42)
    expected = model.generate(ids, do_sample=True, max_new_tokens=8)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    got = model.generate(ids, do_sample=True, max_new_tokens=8, custom_generate=Recorder(seed=42))
    assert torch.equal(got, expected)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.parametrize("case", range(6))
def test_the_offline_model_gives_what_generate_gives(lm, case: int):
    rng = random.Random(case)
    text = rng.choice(["The capital of France is", "Once upon a time", "def add(a, b):\n    return"])
    inputs = dict(lm.tokenizer([text], return_tensors="pt"))
    settings = random_settings(rng, 40_000) | {"max_new_tokens": 8}
    assert_same_run(lm.model, inputs, settings, seed=case)
