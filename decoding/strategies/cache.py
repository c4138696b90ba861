"""The model's cache: where a release of transformers keeps it, and what beam loops do with it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import (
    DynamicCache,
    EncoderDecoderCache,
    StaticCache,
    StaticLayer,
    StaticSlidingWindowLayer,
)
from transformers.generation import GenerationConfig
from transformers.generation.utils import ALL_CACHE_NAMES

from decoding import transformers_private
from decoding.errors import RecordingError
from decoding.strategies.prompt_once import repeat_prompts

__all__ = [
    "CACHE_NAME", "cache_of", "growing_cache", "is_empty", "named_here", "prefill", "reorder_cache", "stays_in_place",
]  # fmt: skip

# What the cache is called among generate()'s arguments, in a model's outputs and in what generate() returns: `cache`
# from 5.24 on, which warns of the other.
CACHE_NAME = "cache" if "cache" in ALL_CACHE_NAMES else "past_key_values"
FIXED_LAYERS = (StaticLayer, StaticSlidingWindowLayer)  # that hold keys and values by row, and nothing else
OTHER_NAMES = {"cache", "past_key_values"}


def cache_of(model_kwargs: dict[str, Any]) -> str | None:
    """The name under which the model's cache is kept, or None without one."""
    return next((name for name in ALL_CACHE_NAMES if name in model_kwargs), None)


def named_here(argument: str) -> str:
    """An argument of `generate()` under the name that this release has for it."""
    return CACHE_NAME if argument in OTHER_NAMES else argument


def is_empty(cache: Any) -> bool:
    """Whether no position is in a cache; False of one that counts none (linear attention alone), filled or not."""
    try:
        return cache.get_seq_length() == 0
    except ValueError:  # so from 5.24 on
        return False


def reorder_cache(model: Any, model_kwargs: dict[str, Any], parents: Tensor, n_cached: int) -> None:
    """Gives each row the cache of the row it continues, where that is not its own.

    Args:
        parents: int64 [rows], places among the `n_cached` rows that the cache has; there may be fewer rows than that.
    """
    name = cache_of(model_kwargs)
    if name is None or parents.tolist() == list(range(n_cached)):
        return
    if transformers_private.has_own_reorder(model):
        model_kwargs[name] = transformers_private.reorder_cache_of(model, model_kwargs[name], parents)
    elif stays_in_place(model_kwargs[name]):
        _reorder_in_place(model_kwargs[name], parents)
    elif hasattr(model_kwargs[name], "reorder_cache"):
        model_kwargs[name].reorder_cache(parents)
    else:
        raise RecordingError(
            "{model_type} cannot search with beams: its cache cannot be reordered; use num_beams=1",
            model_type=type(model).__name__,
        )


def stays_in_place(cache: Any) -> bool:
    """Whether beams can change places in a cache without new memory, as a compiled step asks for: it knows where it is.

    transformers' own `reorder_cache` makes new tensors.
    """
    return type(cache) is StaticCache and all(type(layer) in FIXED_LAYERS for layer in cache.layers)


def _reorder_in_place(cache: StaticCache, parents: Tensor) -> None:
    for layer in cache.layers:
        if layer.is_initialized:
            for kept in (layer.keys, layer.values):
                kept.copy_(kept.index_select(0, parents.to(kept.device)))


def growing_cache(model: Any, model_kwargs: dict[str, Any]) -> dict[str, Any]:
    """The model's arguments with a cache that can grow, for a loop that copies it to candidates.

    Only where a fixed size is the model's own default, and nothing is in it yet: what the caller chose stays.
    """
    cache: Any = model_kwargs.get(CACHE_NAME)
    paired = isinstance(cache, EncoderDecoderCache)
    own = cache.self_attention_cache if paired else cache
    by_default = getattr(model.generation_config, "cache_implementation", None) == "static"
    if type(own) is not StaticCache or not by_default or not is_empty(own):
        return model_kwargs
    config = model.config.get_text_config(decoder=True)
    grows = DynamicCache(config=config)
    return model_kwargs | {CACHE_NAME: EncoderDecoderCache(grows, DynamicCache(config=config)) if paired else grows}


def prefill(
    model: Any, input_ids: Tensor, config: GenerationConfig, model_kwargs: dict[str, Any], *, share: bool
) -> Any:
    """The model's outputs for the prompt, logits [rows, positions, vocab]; the cache is filled.

    With `share` a prompt is computed once and its cache copied to its beams, whose steps leave it alone: same numbers
    but for the last bits, which depend on the batch size. It is done where that is possible: decoder-only models with
    a dynamic cache that is still empty.
    """
    cache = model_kwargs.get(CACHE_NAME)
    shareable = (
        share
        and not model.config.is_encoder_decoder
        and config.prefill_chunk_size is None
        and not transformers_private.has_own_reorder(model)
        and type(cache) is DynamicCache
        and is_empty(cache)
    )
    if not shareable:
        return transformers_private.prefill(model, input_ids, config, model_kwargs)
    n_rows, each = input_ids.shape[0], config.num_beams
    once = {
        name: value[::each] if isinstance(value, Tensor) and value.ndim == 2 and value.shape[0] == n_rows else value
        for name, value in model_kwargs.items()
    }
    outputs = transformers_private.prefill(model, input_ids[::each], config, once)
    repeat_prompts(outputs[CACHE_NAME], each)
    outputs.logits = torch.repeat_interleave(outputs.logits, each, dim=0)
    return outputs
