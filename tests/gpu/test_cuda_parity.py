"""On CUDA, too, what is recorded is what `generate()` gives, bit for bit, in float32 and in bfloat16."""

from __future__ import annotations

import importlib.util
import random
import shutil
from dataclasses import replace
from functools import cache

import pytest
import torch

from decoding import ModelError, Recorder, Settings, load_model, load_trace, record, verify
from decoding.recorded.stages import (
    DIVIDED,
    MULTIPLIED,
    SHIFTED,
    decode_stage,
    encode_stages,
    run_processors,
    stages_of,
)
from decoding.strategies.host_copies import HostCopies
from tests.conftest import KINDS
from tests.gpu.device import DEVICE
from tests.laws import makers, same_bits, the_encoding_reproduces_bits
from tests.test_parity import ASK_FOR, inputs_of, random_settings
from tests.tiny_models import tiny_lm, tiny_model

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SAMPLE = {"do_sample": True, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "repetition_penalty": 1.2}


@cache
def model_of(kind: str, dtype: str):
    return tiny_model(kind).to(DEVICE, DTYPES[dtype])


def on_device(inputs):
    return {name: tensor.to(DEVICE) for name, tensor in inputs.items()}


def assert_same_run(model, inputs, settings, seed=0):
    """As in tests/test_parity.py; what was recorded is on the CPU, what was returned on the GPU."""
    torch.manual_seed(seed)
    expected = model.generate(**on_device(inputs), **settings, **ASK_FOR)
    state = torch.cuda.get_rng_state() if DEVICE == "cuda" else torch.get_rng_state()
    torch.manual_seed(seed)
    recorder = Recorder()
    got = model.generate(**on_device(inputs), **settings, **ASK_FOR, custom_generate=recorder)
    after = torch.cuda.get_rng_state() if DEVICE == "cuda" else torch.get_rng_state()
    assert type(got) is type(expected)
    assert torch.equal(got.sequences, expected.sequences)
    assert torch.equal(state, after)
    trace = recorder.trace
    assert torch.equal(trace.sequences, expected.sequences.cpu())
    assert trace.model.device.split(":")[0] == DEVICE
    assert len(trace.steps) == len(expected.scores)
    for t, step in enumerate(trace.steps):
        assert same_bits(got.scores[t], expected.scores[t])
        assert same_bits(got.logits[t], expected.logits[t])
        assert step.logits().device.type == "cpu"
        for row in range(trace.n_rows):
            assert same_bits(step.scores(row=row, stage=0), expected.logits[t][row].cpu())
            assert same_bits(step.scores(row=row, stage=-1), expected.scores[t][row].cpu())
    return trace


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", range(6))
def test_random_settings_give_what_generate_gives(kind: str, dtype: str, case: int):
    rng = random.Random(f"cuda-{kind}-{dtype}-{case}")
    model = model_of(kind, dtype)
    vocab = model.config.get_text_config().vocab_size
    inputs = inputs_of(rng, vocab, batch=rng.random() < 0.4)
    settings = random_settings(rng, vocab)
    if model.config.is_encoder_decoder or inputs["input_ids"].shape[0] > 1:
        settings.pop("guidance_scale", None)  # transformers supports it for neither
    if settings.get("num_return_sequences", 1) > 1:
        settings = {k: v for k, v in settings.items() if not k.startswith(("guidance", "encoder"))}
    try:
        torch.manual_seed(case)
        model.generate(**on_device(inputs), **settings)
    except ValueError as err:  # a combination that leaves no token: transformers' own processors refuse it
        with pytest.raises(type(err)):
            model.generate(**on_device(inputs), **settings, custom_generate=Recorder())
        return
    trace = assert_same_run(model, inputs, settings, seed=case)
    assert trace.model.dtype == dtype
    assert trace.steps[0].logits().dtype == DTYPES[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["llama", "gpt2", "bart"])
@pytest.mark.parametrize("given", [{"num_beams": 4, "num_return_sequences": 2}, {"num_beams": 3, **SAMPLE}])
def test_beams_give_what_generate_gives(kind: str, dtype: str, given: dict):
    model = model_of(kind, dtype)
    inputs = inputs_of(random.Random(7), 90, batch=True)
    trace = assert_same_run(model, inputs, {**given, "max_new_tokens": 8})
    assert trace.ledger is not None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(makers(97)))
def test_the_encoding_reproduces_what_cuda_computed(name: str, dtype: str):
    vocab = 49_152
    make = makers(vocab)[name]
    try:
        processor = make()
        logits = (3 * torch.randn(2, vocab, device=DEVICE)).to(DTYPES[dtype]).float()
        ids = torch.randint(0, vocab, (2, 4), device=DEVICE)
        outputs, _ = run_processors([processor], ids, logits)
    except RuntimeError as err:
        if "device" in str(err):
            pytest.skip("this one was built for the CPU")
        raise
    the_encoding_reproduces_bits(encode_stages, decode_stage, stages_of([processor]), [o.cpu() for o in outputs])


@pytest.mark.parametrize(
    ("name", "kinds"), [("TemperatureLogitsWarper", (DIVIDED, MULTIPLIED)), ("LogitNormalization", (SHIFTED,))]
)
def test_what_touches_every_score_takes_no_array(name: str, kinds: tuple[int, ...]):
    processor = makers(49_152)[name]()
    logits = 3 * torch.randn(2, 49_152, device=DEVICE)
    outputs, _ = run_processors([processor], torch.zeros(2, 1, dtype=torch.long, device=DEVICE), logits)
    arrays = encode_stages(stages_of([processor]), [o.cpu() for o in outputs])
    assert set(arrays["kinds"].flatten().tolist()) <= set(kinds)
    assert set(arrays) == {"kinds", "scalars"}


def test_a_trace_takes_little_more_than_its_logits():
    model = tiny_model("llama", vocab_size=49_152).to(DEVICE)
    ids = torch.tensor([[5, 6, 7]], device=DEVICE)
    model.generate(ids, **SAMPLE, max_new_tokens=8, eos_token_id=None, custom_generate=(recorder := Recorder()))
    logits = sum(step.logits().nbytes for step in recorder.trace.steps)
    assert recorder.trace.nbytes <= 1.3 * logits


def test_a_seed_of_its_own_draws_what_manual_seed_draws_and_leaves_the_global_state_alone():
    model, ids = model_of("llama", "float32"), torch.tensor([[5, 6, 7]], device=DEVICE)
    torch.manual_seed(42)
    expected = model.generate(ids, do_sample=True, max_new_tokens=8)
    torch.manual_seed(7)
    before = torch.cuda.get_rng_state() if DEVICE == "cuda" else torch.get_rng_state()
    got = model.generate(ids, do_sample=True, max_new_tokens=8, custom_generate=Recorder(seed=42))
    after = torch.cuda.get_rng_state() if DEVICE == "cuda" else torch.get_rng_state()
    assert torch.equal(got, expected)
    assert torch.equal(before, after)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("given", [{}, SAMPLE, {**SAMPLE, "seed": 5, "num_return_sequences": 2}])
def test_verify_is_equal(dtype: str, given: dict, tmp_path):
    lm = tiny_lm()
    lm = replace(lm, model=lm.model.to(DEVICE, DTYPES[dtype]), device=DEVICE, dtype=dtype)
    trace = record(lm, ["The cat", "A dog sat on"], Settings(**given, max_new_tokens=7))
    assert verify(trace, lm).equal, verify(trace, lm).text
    trace.save(tmp_path / "cuda.trace")
    assert verify(load_trace(tmp_path / "cuda.trace"), lm).equal


def test_what_is_recorded_leaves_the_gpu():
    model = tiny_model("llama", vocab_size=49_152).to(DEVICE)
    ids = torch.tensor([[5, 6, 7]], device=DEVICE)
    model.generate(ids, max_new_tokens=4, eos_token_id=None)
    before = torch.cuda.memory_allocated() if DEVICE == "cuda" else 0
    recorder = Recorder()
    for _ in recorder.stream(model, input_ids=ids, **SAMPLE, max_new_tokens=60, eos_token_id=None):
        pass
    after = torch.cuda.memory_allocated() if DEVICE == "cuda" else 0
    assert len(recorder.trace.steps) == 60
    assert after - before < 4 * 49_152 * 20  # a few steps' worth, not sixty


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_static_cache_gives_what_generate_gives(kind: str):
    inputs = inputs_of(random.Random(1), 90, batch=True)
    given = {**SAMPLE, "max_new_tokens": 6, "cache_implementation": "static", "disable_compile": True}
    assert_same_run(model_of(kind, "float32"), inputs, given)


@pytest.mark.slow
@pytest.mark.skipif(DEVICE == "cpu", reason="transformers compiles by itself on CUDA alone")
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="compiled decoding needs triton")
@pytest.mark.skipif(shutil.which("cc") is None and shutil.which("gcc") is None, reason="and a C compiler")
def test_compiled_decoding_gives_what_generate_gives():
    inputs = inputs_of(random.Random(2), 90, batch=False)
    given = {**SAMPLE, "max_new_tokens": 6, "cache_implementation": "static"}
    assert_same_run(tiny_model("llama").to(DEVICE), inputs, given)


SEARCHES = {
    "beams": {"num_beams": 3}, "beam sampling": {**SAMPLE, "num_beams": 3},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
}  # fmt: skip


@pytest.mark.parametrize("mode", SEARCHES)
@pytest.mark.parametrize("kind", ["llama", "mistral", "gpt2", "bart"])
def test_rows_that_have_finished_leave_the_batch(kind: str, mode: str):
    model = model_of(kind, "float32")
    vocab = model.config.get_text_config().vocab_size
    left = 0
    for case in range(12):
        rng = random.Random(case)
        inputs = on_device(inputs_of(rng, vocab, batch=True))
        given = {**SEARCHES[mode], "max_new_tokens": 12, "eos_token_id": rng.sample(range(4, vocab), 6)}
        torch.manual_seed(case)
        expected = model.generate(**inputs, **given, custom_generate=(plain := Recorder()))
        torch.manual_seed(case)
        got = model.generate(**inputs, **given, custom_generate=(recorder := Recorder(drop_finished=True)))
        assert torch.equal(got, expected)
        left += bool(recorder.trace.shortcuts)
        for step, other in zip(recorder.trace.steps, plain.trace.steps, strict=True):
            for row in range(plain.trace.n_rows):
                if not other.ended[row]:
                    torch.testing.assert_close(step.scores(row=row), other.scores(row=row), atol=1e-3, rtol=1e-3)
    assert left


@pytest.mark.slow
@pytest.mark.skipif(DEVICE == "cpu", reason="transformers compiles by itself on CUDA alone")
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="compiled decoding needs triton")
@pytest.mark.skipif(shutil.which("cc") is None and shutil.which("gcc") is None, reason="and a C compiler")
@pytest.mark.parametrize("mode", SEARCHES)
def test_a_compiled_search_gives_the_same_answer(mode: str):
    model = tiny_model("llama").to(DEVICE)
    inputs = on_device(inputs_of(random.Random(2), 90, batch=True))
    given = {**SEARCHES[mode], "max_new_tokens": 8, "cache_implementation": "static", "eos_token_id": None}
    torch.manual_seed(0)
    expected = model.generate(**inputs, **given, custom_generate=(plain := Recorder()))
    for _ in range(2):  # the second run replays what the first one captured
        torch.manual_seed(0)
        got = model.generate(**inputs, **given, custom_generate=(recorder := Recorder(compile_beams=True)))
        assert torch.equal(got, expected)
        assert recorder.trace.shortcuts == ("compile_beams",)
        for step, other in zip(recorder.trace.steps, plain.trace.steps, strict=True):
            for row in range(plain.trace.n_rows):
                torch.testing.assert_close(step.scores(row=row), other.scores(row=row), atol=1e-3, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_offline_model_gives_what_generate_gives(dtype: str):
    try:
        lm = load_model(device=DEVICE, dtype=dtype)
    except ModelError as err:
        pytest.skip(f"the offline model is not here: {err}")
    inputs = dict(lm.tokenizer(["The capital of France is"], return_tensors="pt"))
    for given in ({}, SAMPLE, {**SAMPLE, "num_return_sequences": 3}, {"num_beams": 3}):
        trace = assert_same_run(lm.model, inputs, {**given, "max_new_tokens": 16})
        assert (trace.model.dtype, trace.model.device.split(":")[0]) == (dtype, DEVICE)


def test_scores_go_to_pinned_memory_on_a_stream_of_their_own():
    tensors = [torch.randn(4, 3, 50_000, device=DEVICE)[:, -1], torch.arange(7, device=DEVICE)]
    expected = [tensor.cpu() for tensor in tensors]
    copies = HostCopies(tensors)
    del tensors
    again = [torch.full((4, 3, 50_000), -1.0, device=DEVICE) for _ in range(8)]  # whoever wants that memory has to wait
    got = copies.get()
    assert all(tensor.is_pinned() for tensor in got)
    assert all(torch.equal(one, other) for one, other in zip(got, expected, strict=True))
    assert len(again) == 8


@pytest.mark.parametrize("given", [SAMPLE, {"num_beams": 3}])
def test_a_step_is_encoded_when_the_next_forward_has_been_started(given: dict):
    waiting = []
    recorder = Recorder(on_step=lambda step: waiting.append(recorder._recording.store._later is not None))
    model_of("llama", "bfloat16").generate(
        torch.tensor([[5, 6, 7]], device=DEVICE), max_new_tokens=4, eos_token_id=None, **given, custom_generate=recorder
    )
    assert waiting == [True] * 4
    assert recorder.trace.store._later is None
