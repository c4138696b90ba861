"""The names of transformers that begin with an underscore: all that we use of them, each in one place.

They may change with any release. Each says for which versions it was seen as it is used here; a test finds every name
in the installed one, and another that no other file uses one. `make test-releases` runs the loops at both ends of the
range.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import CodeType
from typing import Any

from torch import Tensor
from transformers.generation import GenerationConfig, GenerationMixin, LogitsProcessorList

__all__ = [
    "BEAM_SEARCH_METHODS", "LAST_SEEN", "SAMPLE_METHODS", "SORTS_THE_ARGUMENTS", "attention_of", "can_compile",
    "default_parameters", "eos_token_tensor", "expand_inputs", "has_own_reorder", "has_static_cache", "is_stateful",
    "logits_processors", "optimized_for_decoding", "pad_token_tensor", "prefill", "reorder_cache_of",
    "set_special_tokens", "update_model_kwargs",
]  # fmt: skip

# The last release whose loops were read beside ours. A run of a later one says so: verify tells whether it is the same.
LAST_SEEN = (5, 24)

# The methods that our sampling stands for; a model with its own decodes in another way. 5.17, 5.23, 5.24.
SAMPLE_METHODS = ("_sample", "_has_unfinished_sequences")

# The same of beam search. 5.17, 5.23, 5.24.
BEAM_SEARCH_METHODS = (
    "_beam_search", "_has_unfinished_sequences", "_get_top_k_continuations", "_update_finished_beams",
    "_get_running_beams_for_next_iteration", "_check_early_stop_heuristic", "_beam_search_has_unfinished_sequences",
)  # fmt: skip

# The code of the function that sorts generate()'s arguments, and asks a custom loop for its signature: what it drops
# is read in its frame. None where a release has no such function. 5.17, 5.23, 5.24.
SORTS_THE_ARGUMENTS: CodeType | None = getattr(
    getattr(GenerationMixin, "_extract_generation_mode_kwargs", None), "__code__", None
)


def default_parameters() -> dict[str, Any]:
    """The parameters that act where neither the caller nor the model says anything. 5.17, 5.23, 5.24."""
    return GenerationConfig._get_default_generation_params()


def logits_processors(model: Any, **prepared: Any) -> LogitsProcessorList:
    """The processors that `generate()` builds from a prepared configuration, in its order. 5.17, 5.23, 5.24."""
    return model._get_logits_processor(**prepared)


def eos_token_tensor(config: GenerationConfig) -> Any:
    """The end tokens that a call was prepared with, on its device, or None. 5.17, 5.23, 5.24."""
    return config._eos_token_tensor


def pad_token_tensor(config: GenerationConfig) -> Any:
    """The padding token that a call was prepared with, on its device, or None. 5.17, 5.23, 5.24."""
    return config._pad_token_tensor


def set_special_tokens(config: GenerationConfig, *, eos: Tensor | None, pad: Tensor | None) -> None:
    """Prepares a configuration as far as `logits_processors` asks for it. 5.17, 5.23, 5.24."""
    config._eos_token_tensor, config._pad_token_tensor = eos, pad


def prefill(model: Any, input_ids: Tensor, config: GenerationConfig, model_kwargs: dict[str, Any]) -> Any:
    """The model's outputs for the prompt; the cache is filled. 5.17, 5.23, 5.24."""
    return model._prefill(input_ids, config, model_kwargs, is_first_iteration=not config.is_assistant)


def update_model_kwargs(model: Any, outputs: Any, model_kwargs: dict[str, Any]) -> dict[str, Any]:
    """The model's arguments for the next step: cache, mask and positions. 5.17, 5.23, 5.24."""
    return model._update_model_kwargs_for_generation(
        outputs, model_kwargs, is_encoder_decoder=model.config.is_encoder_decoder
    )


def expand_inputs(model: Any, n: int, model_kwargs: dict[str, Any]) -> dict[str, Any]:
    """The model's arguments with each row n times. 5.17, 5.23, 5.24."""
    return model._expand_inputs_for_generation(n, model.config.is_encoder_decoder, **model_kwargs)[1]


def can_compile(model: Any, model_kwargs: dict[str, Any], config: GenerationConfig) -> bool:
    """Whether `generate()` would compile the steps of sampling by itself. 5.17, 5.23, 5.24."""
    return model._valid_auto_compile_criteria(model_kwargs, config)


def optimized_for_decoding(model: Any) -> AbstractContextManager[Any]:
    """In which sampling's steps run: it may take other kernels for some models. 5.17, 5.23, 5.24."""
    return model._optimize_model_for_decode()


def is_stateful(model: Any) -> bool:
    """Whether what the model remembers cannot be taken back, as with linear attention. 5.17, 5.23, 5.24."""
    return model._is_stateful


def has_static_cache(model: Any) -> bool:
    """Whether the model decodes the same with a cache of fixed size, and can be compiled with it. 5.17, 5.23, 5.24."""
    return bool(model._can_compile_fullgraph) and not model._is_stateful


def has_own_reorder(model: Any) -> bool:
    """Whether the model reorders its cache for beams itself; few do. 5.17, 5.23, 5.24."""
    return hasattr(model, "_reorder_cache")


def reorder_cache_of(model: Any, cache: Any, parents: Tensor) -> Any:
    """The cache of such a model with each row at the row that continues it; `parents` is [rows]. 5.17, 5.23, 5.24."""
    return model._reorder_cache(cache, parents)


def attention_of(model: Any) -> str:
    """By which of transformers' functions a model computes attention: `sdpa`, `eager`, …. 5.17, 5.23, 5.24."""
    return str(model.config.get_text_config()._attn_implementation)
