"""Models of real size on CUDA: float32 the same bits as `generate()`, bfloat16 the same tokens, static caches, splits.

A llama of 135 million parameters is made from a config, so that this folder needs no weights; where the offline model
is there, it goes through the same.
"""

from __future__ import annotations

import importlib.util
import shutil
from functools import cache
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from decoding import LanguageModel, ModelError, Recorder, Settings, load_model, record, verify
from decoding.models.static_cache import use_static_cache
from tests.gpu.device import DEVICE
from tests.gpu.test_cuda_parity import DTYPES, SAMPLE, assert_same_run
from tests.tiny_models import LOGIT_STD, tiny_tokenizer

SHAPE = {
    "vocab_size": 49_152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192, "rope_theta": 100_000,
    "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
}  # fmt: skip
N_NEW = 24 if DEVICE == "cuda" else 4  # a processor takes a second for what CUDA does at once
MODES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sample": SAMPLE,
    "samples": {**SAMPLE, "num_return_sequences": 3},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "beam sampling": {**SAMPLE, "num_beams": 3},
}
RETIRED: dict[str, dict[str, Any]] = {
    "diverse beams": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    "contrastive": {"penalty_alpha": 0.6, "top_k": 4},
}
CAN_COMPILE = importlib.util.find_spec("triton") is not None and bool(shutil.which("cc") or shutil.which("gcc"))


@cache
def from_config(dtype: str) -> LanguageModel:
    """The shape of the offline model with random weights, and logits of a trained model's spread."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SHAPE)).eval()
    torch.nn.init.normal_(model.lm_head.weight, std=LOGIT_STD / SHAPE["hidden_size"] ** 0.5)
    model = model.to(DEVICE, DTYPES[dtype])
    return LanguageModel(
        model=model, tokenizer=tiny_tokenizer(), name="llama-135m", source="directory", revision=None,
        device=str(model.device), dtype=dtype,
    )  # fmt: skip


@cache
def offline(dtype: str) -> LanguageModel:
    try:
        return load_model(device=DEVICE, dtype=dtype)
    except ModelError as err:
        pytest.skip(f"the offline model is not here: {err}")


MODELS = {"config": from_config, "offline": offline}
both_models = pytest.mark.parametrize("of", MODELS)


def inputs_of(lm: LanguageModel) -> dict[str, torch.Tensor]:
    return dict(lm.tokenizer(["The capital of France is", "A cat"], return_tensors="pt", padding=True))


@both_models
@pytest.mark.parametrize("mode", MODES)
def test_float32_gives_the_bits_of_generate(of: str, mode: str) -> None:
    lm = MODELS[of]("float32")
    trace = assert_same_run(lm.model, inputs_of(lm), {**MODES[mode], "max_new_tokens": N_NEW})
    assert trace.model.dtype == "float32"


@both_models
@pytest.mark.parametrize("mode", MODES)
def test_bfloat16_gives_the_tokens_of_generate(of: str, mode: str) -> None:
    lm = MODELS[of]("bfloat16")
    given = {**inputs_of(lm), **MODES[mode], "max_new_tokens": N_NEW}
    given = {name: value.to(DEVICE) if isinstance(value, torch.Tensor) else value for name, value in given.items()}
    torch.manual_seed(1)
    expected = lm.model.generate(**given)
    torch.manual_seed(1)
    recorder = Recorder()
    assert torch.equal(lm.model.generate(**given, custom_generate=recorder), expected)
    assert torch.equal(recorder.trace.sequences, expected.cpu())
    assert recorder.trace.model.dtype == "bfloat16"


@both_models
@pytest.mark.parametrize("mode", RETIRED)
def test_what_generate_no_longer_has_gives_the_same_bits_again_and_the_cpus_tokens(of: str, mode: str) -> None:
    lm = MODELS[of]("float32")
    settings = Settings(**RETIRED[mode], max_new_tokens=min(N_NEW, 8))
    trace = record(lm, "The capital of France is", settings)
    report = verify(trace, lm)
    assert report.grade == "bits", report.text
    if of == "offline":  # a trained model's choices are clear; random weights have near ties
        on_cpu = record(load_model(device="cpu", dtype="float32"), "The capital of France is", settings)
        assert torch.equal(on_cpu.sequences, trace.sequences)


# --- static caches ----------------------------------------------------------------------------------------


@both_models
@pytest.mark.parametrize("mode", MODES)
def test_a_static_cache_gives_the_bits_of_generate_with_it(of: str, mode: str) -> None:
    lm = MODELS[of]("float32")
    given = {**MODES[mode], "max_new_tokens": N_NEW, "cache_implementation": "static", "disable_compile": True}
    assert_same_run(lm.model, inputs_of(lm), given)


@pytest.mark.slow
@pytest.mark.skipif(DEVICE == "cpu", reason="transformers compiles by itself on CUDA alone")
@pytest.mark.skipif(not CAN_COMPILE, reason="compiled decoding needs triton and a C compiler")
@pytest.mark.parametrize("mode", MODES)
def test_compiled_steps_give_the_bits_of_generate_and_are_run(mode: str) -> None:
    lm = from_config("float32")
    given = {**MODES[mode], "max_new_tokens": N_NEW, "cache_implementation": "static"}
    assert_same_run(lm.model, inputs_of(lm), given)
    if "num_beams" not in given:  # which generate() does not compile
        assert hasattr(lm.model, "_compiled_call")


@pytest.mark.slow
@pytest.mark.parametrize("mode", [*MODES, *RETIRED])
def test_a_model_with_a_static_cache_by_default_records_what_verify_finds_again(mode: str) -> None:
    lm = from_config("bfloat16")
    before = lm.model.generation_config.to_dict()
    try:
        assert use_static_cache(lm.model)
        settings = Settings(**{**MODES, **RETIRED}[mode], max_new_tokens=N_NEW)
        report = verify(record(lm, "The capital of France is", settings), lm)
        assert report.grade == "bits", report.text
    finally:
        lm.model.generation_config.cache_implementation = before.get("cache_implementation")
        lm.model.generation_config.disable_compile = before.get("disable_compile", False)


# --- split ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_model_split_between_the_device_and_the_cpu_gives_the_bits_of_its_own_generate(mode: str) -> None:
    layers = {f"model.layers.{n}": DEVICE if n < 20 else "cpu" for n in range(30)}
    ends = dict.fromkeys(("model.embed_tokens", "model.norm", "model.rotary_emb", "lm_head"), DEVICE)
    try:
        lm = load_model(device_map=ends | layers)
    except ModelError as err:
        pytest.skip(f"the offline model is not here: {err}")
    assert lm.place == (f"{DEVICE}:0 + cpu" if DEVICE == "cuda" else "cpu")
    # A static cache falls back by itself: with layers elsewhere nothing is compiled.
    for given in ({}, {"cache_implementation": "static"}):
        assert_same_run(lm.model, inputs_of(lm), {**MODES[mode], **given, "max_new_tokens": min(N_NEW, 8)})
