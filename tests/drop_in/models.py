"""Models as people have them: other dtypes, subclasses, wrappers, compiled."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers import LlamaForCausalLM

from tests.drop_in.call import BEAMS, ONE_ROW, Call, Request
from tests.drop_in.inputs import changed_model, model, two_rows

__all__ = ["CALLS"]


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """torch's default dtype is another for a while."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """torch refuses what is not deterministic."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def on(make_model: Callable[[], Any], **more: Any):
    """A call to a model of the caller's making."""
    return lambda mode: Request(model=make_model(), kwargs={**two_rows(), **mode}, **more)


def in_dtype(dtype: torch.dtype, kind: str = "llama") -> Callable[[], Any]:
    return lambda: copy.deepcopy(model(kind)).to(dtype)


def of_class(cls: type) -> Callable[[], Any]:
    """The tiny llama as an instance of a subclass."""

    def make() -> Any:
        own = changed_model()
        own.__class__ = cls
        return own

    return make


class OwnSample(LlamaForCausalLM):
    """Decodes without beams in a way of its own: the unlikeliest comes first."""

    def _sample(self, input_ids: torch.Tensor, **kwargs: Any) -> Any:
        kwargs["logits_processor"].append(lambda ids, scores: torch.where(scores.isfinite(), -scores, scores))
        return super()._sample(input_ids, **kwargs)


class OwnBeams(LlamaForCausalLM):
    """Searches with beams in a way of its own."""

    def _beam_search(self, input_ids: torch.Tensor, **kwargs: Any) -> Any:
        kwargs["logits_processor"].append(lambda ids, scores: scores - 1)
        return super()._beam_search(input_ids, **kwargs)


class OwnTopK(LlamaForCausalLM):
    """One part of the beam search is its own."""

    def _get_top_k_continuations(self, accumulated_log_probs: torch.Tensor, **kwargs: Any) -> Any:
        accumulated_log_probs = accumulated_log_probs.clone()
        accumulated_log_probs[:, ::2] -= 3.0
        return super()._get_top_k_continuations(accumulated_log_probs=accumulated_log_probs, **kwargs)


class OwnEnd(LlamaForCausalLM):
    """Thinks that a batch is at its end after three steps."""

    steps = 0

    def _has_unfinished_sequences(self, *args: Any, **kwargs: Any) -> bool:
        self.steps += 1
        return self.steps <= 3 and super()._has_unfinished_sequences(*args, **kwargs)


class OwnGenerate(LlamaForCausalLM):
    """Adds something to every call."""

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        return super().generate(*args, **{"repetition_penalty": 1.3, **kwargs})


class OwnInputs(LlamaForCausalLM):
    """Prepares what the model reads, and what it remembers, by itself."""

    def prepare_inputs_for_generation(self, input_ids: torch.Tensor, **kwargs: Any) -> dict[str, Any]:
        inputs = super().prepare_inputs_for_generation(input_ids, **kwargs)
        inputs["input_ids"] = inputs["input_ids"].clamp(max=200)
        return inputs

    def _update_model_kwargs_for_generation(self, outputs: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        outputs.logits[..., ::4] += 0.5
        return super()._update_model_kwargs_for_generation(outputs, *args, **kwargs)


class OwnProcessors(LlamaForCausalLM):
    """Adds a processor of its own."""

    def _get_logits_processor(self, *args: Any, **kwargs: Any) -> Any:
        processors = super()._get_logits_processor(*args, **kwargs)
        processors.append(lambda ids, scores: scores * 0.5)
        return processors


def with_own_sample() -> Any:
    """An instance whose `_sample` was replaced: generate() takes the class's and never sees it."""
    own = changed_model()
    own._sample = None
    return own


def dropping_out() -> Any:
    """A model in training mode, whose dropout draws, too."""
    own = changed_model()
    own.config.attention_dropout = 0.3
    for layer in own.model.layers:
        layer.self_attn.attention_dropout = 0.3
    return own.train()


def compiled() -> Any:
    own = changed_model()
    own.forward = torch.compile(own.forward, dynamic=True)
    return own


def wrapped(mode: dict[str, Any]) -> Request:
    """The model inside DataParallel, as training scripts hold it."""
    parallel = torch.nn.DataParallel(changed_model())
    return Request(model=parallel.module, kwargs={**two_rows(), **mode}, through=parallel.module.generate)


def optimized(mode: dict[str, Any]) -> Request:
    """`torch.compile(model)`, whose `generate` is called."""
    whole = torch.compile(changed_model(), backend="eager")
    return Request(model=whole._orig_mod, kwargs={**two_rows(), **mode}, through=whole.generate)


CALLS = (
    *(
        Call(name=f"a model in {str(dtype).removeprefix('torch.')}", make=on(in_dtype(dtype)))
        for dtype in (torch.bfloat16, torch.float16, torch.float64)
    ),
    Call(name="an encoder and a decoder in bfloat16", make=on(in_dtype(torch.bfloat16, "t5"))),
    *(
        Call(
            name=f"torch's default dtype is {str(dtype).removeprefix('torch.')}",
            make=on(in_dtype(dtype), within=lambda d=dtype: default_dtype(d)),
        )
        for dtype in (torch.bfloat16, torch.float16, torch.float64)
    ),
    Call(
        name="a float32 model where torch's default is bfloat16",
        make=on(model, within=lambda: default_dtype(torch.bfloat16)),
    ),
    Call(name="in autocast", make=on(model, within=lambda: torch.autocast("cpu", torch.bfloat16))),
    Call(name="in inference mode", make=on(model, within=torch.inference_mode)),
    Call(name="with deterministic algorithms", make=on(model, within=deterministic)),
    Call(name="a model in training mode, with dropout", make=on(dropping_out)),
    Call(
        name="a model with a _sample of its own",
        make=on(of_class(OwnSample)),
        refused="OwnSample.*_sample",
        refused_in=ONE_ROW,
    ),
    Call(
        name="a model with a _beam_search of its own",
        make=on(of_class(OwnBeams)),
        refused="OwnBeams.*_beam_search",
        refused_in=BEAMS,
    ),
    Call(
        name="a model with a part of beam search of its own",
        make=on(of_class(OwnTopK)),
        refused="OwnTopK.*_get_top_k",
        refused_in=BEAMS,
    ),
    Call(
        name="a model that ends by itself", make=on(of_class(OwnEnd)), refused="OwnEnd.*_has_unfinished", or_equal=True
    ),
    Call(name="a model with a generate of its own", make=on(of_class(OwnGenerate))),
    Call(name="a model that prepares its inputs by itself", make=on(of_class(OwnInputs))),
    Call(name="a model with a processor of its own", make=on(of_class(OwnProcessors))),
    Call(name="an instance whose _sample was replaced, which generate() does not see", make=on(with_own_sample)),
    Call(name="a model inside DataParallel", make=wrapped),
    Call(name="a compiled model's generate", make=optimized, slow=True),
    Call(name="a compiled forward", make=on(compiled), slow=True, modes=("greedy", "beam"), needs="c++"),
    Call(
        name="300 beams",
        make=lambda mode: Request(
            model=model(), kwargs={"inputs": torch.tensor([[5, 60]]), **mode, "num_beams": 300, "max_new_tokens": 3}
        ),
        modes=("beam",),
        slow=True,
    ),
)
