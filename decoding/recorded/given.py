"""What a recorded run was given, and where each parameter that acted came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from decoding.parameters.acting import DERIVED, SPECIAL_TOKENS, TRANSFORMERS_DEFAULTS, default_of
from decoding.parameters.knobs import BESIDE_THE_CONFIG, INT_LIMIT, KNOBS
from decoding.recorded.run import RecordedRun

__all__ = ["Origin", "defaults_known", "given_in", "given_to", "origins_of", "undecided_defaults"]

Origin = Literal["given", "model", "transformers", "unknown"]


def defaults_known(run: RecordedRun) -> dict[str, Any] | None:
    """The defaults of the model's own under which a run was recorded; None where its file does not say.

    Files of earlier versions do not, but the offline model is known to set nothing but its special tokens.
    """
    if run.model_defaults is not None or run.model.source != "package":
        return run.model_defaults
    given = run.settings.given() if run.settings else {}
    return {n: v for n, v in run.generation_config.items() if n in SPECIAL_TOKENS and n not in given}


def given_to(run: RecordedRun) -> dict[str, Any]:
    """The parameters that a run was given.

    Of a drop-in recording only the configuration that acted is known: what differs from the defaults was given. A
    value given that is the default cannot be told from one left out, nor, in a file of an earlier version, which has
    not kept the model's own defaults, one of these from one given. A parameter given as None is None here.
    """
    if run.settings is not None:
        return run.settings.given()
    return given_in(
        run.generation_config, defaults_known(run), run.prompt_ids.shape[1], run.model.context_length
    )


def given_in(
    config: Mapping[str, Any], defaults: Mapping[str, Any] | None, start: int, context_length: int | None
) -> dict[str, Any]:
    """`given_to`, from a prepared configuration, the model's own defaults and the length of the prompt."""
    out = {}
    for name in KNOBS:
        if name not in config or config.get(DERIVED.get(name, "")) is not None:
            continue
        if defaults is None and name in (*DERIVED, "eos_token_id"):
            continue  # most models have them set
        default = default_of(name, defaults or {})
        if name == "max_length" and name not in (defaults or {}):
            default = min(default + start, context_length or INT_LIMIT)  # generate()'s own counts from the prompt
        if config[name] != default:
            out[name] = config[name]
    return out


def origins_of(run: RecordedRun) -> dict[str, Origin]:
    """Where each parameter that acted came from: `given`, `model` (its own default), or `transformers`.

    In the order of `KNOBS`; a length that was made of another parameter is left out. `unknown`, only of drop-in
    recordings of earlier versions, is what differs from transformers' default: given, or the model's own.
    """
    given, defaults, config = given_to(run), defaults_known(run), run.generation_config
    out: dict[str, Origin] = {}
    for name in KNOBS:
        if name in BESIDE_THE_CONFIG:
            if given.get(name, getattr(run, name, None)) is not None:
                out[name] = "given"
        elif name in config and config.get(DERIVED.get(name, "")) is None:
            if defaults is None and run.settings is None:
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


def undecided_defaults(run: RecordedRun, names: Mapping[str, Any]) -> tuple[str, ...]:
    """What was given to a run and is left out among `names`, where it is not known whether the model has its own."""
    if defaults_known(run) is not None:
        return ()
    shapes_scores = [n for n in given_to(run) if n not in BESIDE_THE_CONFIG and KNOBS[n].group != "length"]
    return tuple(name for name in shapes_scores if name not in names and name != "num_return_sequences")
