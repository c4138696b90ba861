"""What acts on a run: what was given, else the model's own default, else transformers'.

`generate()` fills up what it was given with the model's `generation_config` and then with its own defaults
(`GenerationMixin._prepare_generation_config`); here the same is said of plain values, before and after a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor
from transformers.generation import GenerationConfig

from decoding.parameters.knobs import ALSO_KEPT, INT_LIMIT, KNOBS

if TYPE_CHECKING:
    from decoding.recorded.run import Trace

__all__ = [
    "TRANSFORMERS_DEFAULTS", "Origin", "acting", "config_as_json", "default_of", "defaults_known", "given_in",
    "given_to", "model_defaults", "origins_of", "undecided_defaults",
]  # fmt: skip

Origin = Literal["given", "model", "transformers", "unknown"]

TRANSFORMERS_DEFAULTS: dict[str, Any] = {
    name: value for name, value in GenerationConfig._get_default_generation_params().items() if value is not None
}
# generate() makes the one of the other, so that it says nothing of its own.
DERIVED = {"max_length": "max_new_tokens", "min_length": "min_new_tokens"}
BESIDE_THE_CONFIG = ("seed", "negative_prompt")
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


# --- of a recorded run ------------------------------------------------------------------------------------


def defaults_known(trace: Trace) -> dict[str, Any] | None:
    """The defaults of the model's own under which a run was recorded; None where its file does not say.

    Files of earlier versions do not, but the offline model is known to set nothing but its special tokens.
    """
    if trace.model_defaults is not None or trace.model.source != "package":
        return trace.model_defaults
    given = trace.settings.given() if trace.settings else {}
    return {n: v for n, v in trace.generation_config.items() if n in SPECIAL_TOKENS and n not in given}


def given_to(trace: Trace) -> dict[str, Any]:
    """The parameters that a run was given.

    Of a drop-in recording only the configuration that acted is known: what differs from the defaults was given. A
    value given that is the default cannot be told from one left out, nor, in a file of an earlier version, which has
    not kept the model's own defaults, one of these from one given. A parameter given as None is None here.
    """
    if trace.settings is not None:
        return trace.settings.given()
    return given_in(
        trace.generation_config, defaults_known(trace), trace.prompt_ids.shape[1], trace.model.context_length
    )


def given_in(
    config: Mapping[str, Any], defaults: Mapping[str, Any] | None, start: int, context_length: int | None
) -> dict[str, Any]:
    """`given_to`, from a prepared configuration, the model's own defaults and the length of the prompt."""
    out = {}
    for name in KNOBS:
        if name not in config or config.get(DERIVED.get(name)) is not None:
            continue
        if defaults is None and name in (*DERIVED, "eos_token_id"):
            continue  # most models have them set
        default = default_of(name, defaults or {})
        if name == "max_length" and name not in (defaults or {}):
            default = min(default + start, context_length or INT_LIMIT)  # generate()'s own counts from the prompt
        if config[name] != default:
            out[name] = config[name]
    return out


def origins_of(trace: Trace) -> dict[str, Origin]:
    """Where each parameter that acted came from: `given`, `model` (its own default), or `transformers`.

    In the order of `KNOBS`; a length that was made of another parameter is left out. `unknown`, only of drop-in
    recordings of earlier versions, is what differs from transformers' default: given, or the model's own.
    """
    given, defaults, config = given_to(trace), defaults_known(trace), trace.generation_config
    out: dict[str, Origin] = {}
    for name in KNOBS:
        if name in BESIDE_THE_CONFIG:
            if given.get(name, getattr(trace, name, None)) is not None:
                out[name] = "given"
        elif name in config and config.get(DERIVED.get(name)) is None:
            if defaults is None and trace.settings is None:
                out[name] = "transformers" if _is_transformers(name, config) else "unknown"
            elif name in given:
                out[name] = "given"
            elif defaults is None:
                out[name] = "transformers" if _is_transformers(name, config) else "model"
            else:
                out[name] = "model" if name in defaults else "transformers"
    return out


def _is_transformers(name: str, config: Mapping[str, Any]) -> bool:
    return name == "max_length" or config[name] == TRANSFORMERS_DEFAULTS.get(name)


def undecided_defaults(trace: Trace, names: Mapping[str, Any]) -> tuple[str, ...]:
    """What was given to a run and is left out among `names`, where it is not known whether the model has its own."""
    if defaults_known(trace) is not None:
        return ()
    shapes_scores = [n for n in given_to(trace) if n not in BESIDE_THE_CONFIG and KNOBS[n].group != "length"]
    return tuple(name for name in shapes_scores if name not in names and name != "num_return_sequences")
