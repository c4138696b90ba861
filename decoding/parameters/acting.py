"""What acts on a run: what was given, else the model's own default, else transformers'.

`generate()` fills up what it was given with the model's `generation_config` and then with its own defaults
(`GenerationMixin._prepare_generation_config`); here the same is said of plain values, before and after a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers.generation import GenerationConfig

from decoding.parameters.knobs import ALSO_KEPT, KNOBS
from decoding.transformers_private import default_parameters

__all__ = ["TRANSFORMERS_DEFAULTS", "acting", "config_as_json", "default_of", "model_defaults"]

TRANSFORMERS_DEFAULTS: dict[str, Any] = {
    name: value for name, value in default_parameters().items() if value is not None
}
# generate() makes the one of the other, so that it says nothing of its own.
DERIVED = {"max_length": "max_new_tokens", "min_length": "min_new_tokens"}
SPECIAL_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")


def model_defaults(model: Any) -> dict[str, Any]:
    """The parameters that a model's own `generation_config` sets, as JSON values; empty where it sets none."""
    config = getattr(model, "generation_config", None)
    return {} if config is None else config_as_json(config)


def acting(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that act where `given` was given to a model with these defaults of its own.

    Lengths are as they were given: `generate()` still makes a `max_length` of `max_new_tokens`.
    """
    return {**TRANSFORMERS_DEFAULTS, **defaults, **given}


def default_of(name: str, defaults: Mapping[str, Any]) -> Any:
    """What a parameter is where it is left out: the model's own default, else transformers'; None for nothing."""
    return defaults.get(name, TRANSFORMERS_DEFAULTS.get(name))


def config_as_json(config: GenerationConfig, defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The parameters of a `GenerationConfig` that decide the tokens, as JSON values; those that are None left out.

    Args:
        config: the model's own, or a prepared one.
        defaults: of a prepared one the model's own: what is None against a default was given as None, and stays in,
            since a second run has to be given it, too.
    """
    values = config.to_dict()
    kept = {name: values.get(name) for name in (*KNOBS, *ALSO_KEPT)}
    bias = kept.get("sequence_bias")
    if isinstance(bias, dict):
        kept["sequence_bias"] = [[list(ids), value] for ids, value in bias.items()]
    overruled = {n for n in kept if defaults is not None and default_of(n, defaults) is not None}
    return {name: _plain(value) for name, value in kept.items() if value is not None or name in overruled}


def _plain(value: Any) -> Any:
    """Token ids that came as a tensor as a list, and watermarking's config as its arguments."""
    if isinstance(value, Tensor):
        return value.tolist()
    return value.to_dict() if hasattr(value, "to_dict") else value
