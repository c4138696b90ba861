"""Calls through other packages: pipelines, PEFT, and constrained decoding by xgrammar and Outlines."""

from __future__ import annotations

from typing import Any

import torch
from transformers import pipeline

from tests.drop_in.call import Call, Request
from tests.drop_in.inputs import IDS, TOKENIZER, changed_model, model, two_rows

__all__ = ["CALLS"]


def in_pipeline(**given: Any):
    """A text-generation pipeline that hands `custom_generate` on."""

    def make(mode: dict[str, Any]) -> Request:
        pipe = pipeline("text-generation", model=changed_model(), tokenizer=TOKENIZER, device="cpu")
        return Request(
            model=pipe.model,
            kwargs={"text_inputs": "the cat", "return_tensors": True, **mode, **given},
            through=pipe,
            recorder={"tokenizer": TOKENIZER},
        )

    return make


def with_lora(mode: dict[str, Any]) -> Request:
    """A model with a LoRA adapter that says something, called through PEFT."""
    from peft import LoraConfig, get_peft_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
        own = get_peft_model(changed_model(), config).eval()
    return Request(model=own.base_model.model, kwargs={**two_rows(), **mode}, through=own.generate)


def xgrammar_processor() -> Any:
    """A processor that lets only a regular expression pass; each call needs a new one."""
    import xgrammar

    info = xgrammar.TokenizerInfo.from_huggingface(TOKENIZER, vocab_size=len(TOKENIZER), stop_token_ids=[2])
    grammar = xgrammar.GrammarCompiler(info).compile_regex("[0-9]{2}-[a-f]+")
    return xgrammar.contrib.hf.LogitsProcessor(grammar)


def outlines_processor() -> Any:
    """Outlines' processor for a regular expression."""
    import outlines
    from outlines.backends import get_regex_logits_processor

    return get_regex_logits_processor(
        "outlines_core", outlines.from_transformers(model(), TOKENIZER), "[0-9]{2}-[a-f]+"
    )


def constrained(make_processor: Any):
    """A call with a processor of a package, made afresh."""
    return lambda mode: Request(
        model=model(),
        kwargs={"inputs": IDS, "logits_processor": [make_processor()], **mode},
        verify={"logits_processor": [make_processor()]},
    )


CALLS = (
    Call(name="a pipeline", make=in_pipeline(), returns_scores=False),
    Call(name="a pipeline that stops at a string", make=in_pipeline(stop_sequence="e"), returns_scores=False),
    Call(
        name="a pipeline with two prompts",
        make=in_pipeline(text_inputs=["the cat", "a dog sat on"]),
        returns_scores=False,
    ),
    Call(name="PEFT: a LoRA adapter", make=with_lora, needs="peft"),
    Call(name="xgrammar's processor", make=constrained(xgrammar_processor), snapshots=True, needs="xgrammar"),
    Call(name="Outlines' processor", make=constrained(outlines_processor), snapshots=True, needs="outlines"),
)
