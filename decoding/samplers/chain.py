"""Settings to processors: which of other engines' samplers run, where among transformers' own, and with what.

`generate()` puts a caller's processors after its own penalties and before its own temperature, top-k, top-p, …. DRY
and top-nσ belong there: in llama.cpp, too, they come before all truncation. XTC, the dynamic temperature, mirostat and
adaptive-p do not: in llama.cpp they come after it (its order is penalties, DRY, top-nσ, top-k, typical, top-p, min-p,
XTC, temperature, and last of all what steers by the draw). So as soon as one of these is asked for, temperature and
truncation run in llama.cpp's order, too: transformers' own classes go into the caller's list, and `generate()` is told
not to build them a second time. It stays one `generate()` call that anybody can make.

Mirostat runs alone in llama.cpp, after the temperature; here other truncation acts where it was given, and no default
does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transformers.generation import (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopHLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from decoding.parameters.acting import acting
from decoding.parameters.knobs import KNOBS, SAMPLING_MODES
from decoding.parameters.settings import mode_of
from decoding.samplers.adaptive_p import AdaptivePLogitsWarper
from decoding.samplers.dry import DRYLogitsProcessor
from decoding.samplers.dynamic_temperature import DynamicTemperatureLogitsWarper
from decoding.samplers.mirostat import MirostatLogitsWarper
from decoding.samplers.top_n_sigma import TopNSigmaLogitsWarper
from decoding.samplers.xtc import XTCLogitsWarper
from decoding.tokens.token_table import TokenTable

__all__ = ["CLASSES", "NO_CHAIN", "SAMPLERS", "Chain", "Plan", "chain_of", "is_on", "planned"]

Values = Mapping[str, Any]
# By the parameter that switches a sampler on, in llama.cpp's order, the others that are its own.
SAMPLERS: dict[str, tuple[str, ...]] = {
    "dry_multiplier": ("dry_base", "dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers"),
    "top_n_sigma": (),
    "xtc_probability": ("xtc_threshold",),
    "dynatemp_range": ("dynatemp_exponent",),
    "mirostat_tau": ("mirostat_eta",),
    "adaptive_target": ("adaptive_decay",),
}
CLASSES: dict[str, type] = {
    "dry_multiplier": DRYLogitsProcessor,
    "top_n_sigma": TopNSigmaLogitsWarper,
    "xtc_probability": XTCLogitsWarper,
    "dynatemp_range": DynamicTemperatureLogitsWarper,
    "mirostat_tau": MirostatLogitsWarper,
    "adaptive_target": AdaptivePLogitsWarper,
}
# Those that run after truncation.
LATE = ("xtc_probability", "dynatemp_range", "mirostat_tau", "adaptive_target")
# transformers' truncation in llama.cpp's order, those that it lacks last; and what has `generate()` build none.
CUTS: dict[str, tuple[type, str, Any]] = {
    "top_k": (TopKLogitsWarper, "top_k", 0),
    "typical_p": (TypicalLogitsWarper, "mass", 1.0),
    "top_p": (TopPLogitsWarper, "top_p", 1.0),
    "min_p": (MinPLogitsWarper, "min_p", None),
    "top_h": (TopHLogitsWarper, "top_h", None),
    "epsilon_cutoff": (EpsilonLogitsWarper, "epsilon", 0.0),
    "eta_cutoff": (EtaLogitsWarper, "epsilon", 0.0),
}
WITHOUT_A_LEAST = ("top_h",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has to be given to `generate()` for other engines' samplers.

    Attributes:
        calls: per processor, in order, its class and its arguments; none where no sampler acts.
        instead: parameters that `generate()` must be given otherwise than they were asked for, since their processors
            are among those.
        acts: the parameters behind the processors, with the values that act.
    """

    calls: tuple[tuple[type, Values], ...] = ()
    instead: Values = field(default_factory=dict)
    acts: Values = field(default_factory=dict)

    def given_to_generate(self, values: Values) -> dict[str, Any]:
        """Parameters for `generate()`, made of those asked for."""
        kept = {name: value for name, value in values.items() if name not in KNOBS or KNOBS[name].group != "engines"}
        return {**kept, **self.instead}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain(Plan):
    """A plan with its processors made, for `logits_processor`, in order."""

    processors: tuple[Any, ...] = ()


NO_CHAIN = Chain()


def is_on(name: str, value: Any) -> bool:
    """Whether this value of a parameter switches its sampler on."""
    if value is None:
        return False
    return value >= 0 if name in ("mirostat_tau", "adaptive_target") else value > 0


def chain_of(
    given: Values,
    defaults: Values,
    *,
    tokenizer: Any = None,
    table: TokenTable | None = None,
    pad_token_id: int | None = None,
    seed: int | None = None,
) -> Chain:
    """The processors of some parameters.

    Args:
        given, defaults: see `planned`.
        tokenizer, table: for DRY's breakers.
        pad_token_id: where prompts are padded.
        seed: of XTC's chance; None takes one at random.

    Raises:
        SettingError: a value is out of range, or DRY's breakers need a tokenizer.
    """
    plan = planned(given, defaults)
    more: dict[type, Values] = {
        DRYLogitsProcessor: {"tokenizer": tokenizer, "table": table, "pad_token_id": pad_token_id},
        XTCLogitsWarper: {"seed": seed},
    }
    made = tuple(kind(**arguments, **more.get(kind, {})) for kind, arguments in plan.calls)
    return Chain(calls=plan.calls, instead=plan.instead, acts=plan.acts, processors=made)


def planned(given: Values, defaults: Values) -> Plan:
    """Which processors some parameters become, none of them made.

    Args:
        given: parameters asked for, the samplers' among them; token ids for words.
        defaults: the model's own, see `decoding.parameters.acting.model_defaults`.
    """
    wanted = {name: value for name, value in given.items() if name not in SAMPLERS or is_on(name, value)}
    values = acting(defaults, wanted)
    mode = mode_of(values)
    on = [name for name in SAMPLERS if name in wanted and mode in KNOBS[name].modes]
    least = _least(values, mode)
    early = [_call(name, values, least) for name in on if name not in LATE]
    acts = {name: value for sampler in on for name, value in _own(values, sampler).items()}
    if not set(on) & set(LATE):
        return Plan(calls=tuple(early), acts=acts)
    cut = values if "mirostat_tau" not in on else {n: v for n, v in values.items() if n not in CUTS or n in given}
    cuts, instead = _cuts(cut, values, least)
    heat: list[tuple[type, Values]] = []
    if values.get("temperature") not in (None, 1.0):
        instead["temperature"], acts["temperature"] = 1.0, values["temperature"]
        heat = [(TemperatureLogitsWarper, {"temperature": float(values["temperature"])})]
    if "dynatemp_range" in on:
        heat = [_call("dynatemp_range", values, least)]
    xtc = [_call(name, values, least) for name in on if name == "xtc_probability"]
    last = [_call(name, values, least) for name in on if name in ("mirostat_tau", "adaptive_target")]
    acts |= {name: cut.get(name, off) for name, (_, _, off) in CUTS.items() if name in instead}
    return Plan(calls=(*early, *cuts, *xtc, *heat, *last), instead=instead, acts=acts)


def _call(name: str, values: Values, least: int) -> tuple[type, Values]:
    """A sampler's class and arguments, by the parameter that switches it on."""
    arguments = _own(values, name)
    if name == "dynatemp_range":
        arguments["temperature"] = float(values.get("temperature") or 1.0)
    if name == "top_n_sigma" and least > 1:
        arguments["min_tokens_to_keep"] = least
    return CLASSES[name], arguments


def _own(values: Values, name: str) -> dict[str, Any]:
    """The parameters of a sampler that have a value."""
    return {n: values[n] for n in (name, *SAMPLERS[name]) if values.get(n) is not None}


def _cuts(cut: Values, values: Values, least: int) -> tuple[list[tuple[type, Values]], dict[str, Any]]:
    """transformers' truncation, and what keeps `generate()` from building it, too."""
    made: list[tuple[type, Values]] = []
    instead: dict[str, Any] = {}
    for name, (kind, argument, off) in CUTS.items():
        if _cuts_nothing(name, values.get(name)):
            continue
        instead[name] = off
        if not _cuts_nothing(name, cut.get(name)):
            kept = {} if name in WITHOUT_A_LEAST or least == 1 else {"min_tokens_to_keep": least}
            made.append((kind, {argument: cut[name], **kept}))
    return made, instead


def _cuts_nothing(name: str, value: Any) -> bool:
    """As `generate()` decides whether to build its processor."""
    if value is None:
        return True
    match name:
        case "top_k":
            return bool(value == 0)
        case "top_p" | "typical_p":
            return bool(value >= 1.0)
        case "epsilon_cutoff" | "eta_cutoff":
            return not 0.0 < value < 1.0
    return False


def _least(values: Values, mode: str) -> int:
    """How many tokens truncation has to leave: as in `generate()`, beams need one that does not end."""
    if mode not in SAMPLING_MODES or (values.get("num_beams") or 1) == 1:
        return 1
    ends = values.get("eos_token_id")
    return len(ends) + 1 if isinstance(ends, (list, tuple)) else 2
