"""Silent knobs: parameters that were given and had no effect, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from decoding.parameters.knobs import BEAM_MODES, KNOBS, PLAIN_SAMPLING, PROCESSOR_OF, SAMPLING_MODES
from decoding.recorded.stages import Stage
from decoding.samplers.chain import SAMPLERS, is_on

__all__ = ["SilentKnob", "silent_knobs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentKnob:
    """A parameter without effect.

    Attributes:
        name: the parameter.
        value: what it was set to.
        why: a key for translations: `needs_sampling`, `needs_plain_sampling`, `needs_sampler`, `needs_beams`,
            `needs_groups`, `needs_contrastive`,
            `neutral`, `overruled`, `needs_guidance`, `nothing_drawn`, `not_run`, `never_changed`.
        reason: the same in English.
    """

    name: str
    value: Any
    why: str
    reason: str


REASONS = {
    "needs_sampling": "it acts only with do_sample=True; here the scores decide, and nothing is drawn",
    "needs_plain_sampling": "it acts only with do_sample=True and num_beams=1",
    "needs_sampler": "it acts only with {by}",
    "needs_beams": "it acts only with num_beams > 1",
    "needs_groups": "it acts only with num_beam_groups > 1",
    "needs_contrastive": "it acts only in contrastive search (do_sample=False, num_beams=1, top_k > 1)",
    "neutral": "this value switches it off",
    "overruled": "{by} takes precedence",
    "needs_guidance": "it acts only with guidance_scale other than 1",
    "nothing_drawn": "nothing was drawn at random, so there was nothing to seed",
    "not_run": "transformers has nothing to run it on here (no end token, or no input ids)",
    "never_changed": "it ran at every step and changed no score",
}

# By parameter the class that it becomes; for telling that it ran and never did anything.
PROCESSORS = {name: processor.name for name, processor in PROCESSOR_OF.items()}
# Of a sampler's further parameters the one that switches it on.
SAMPLER_OF = {name: sampler for sampler, names in SAMPLERS.items() for name in names}
CHOOSE_THE_MODE = ("do_sample", "num_return_sequences", "num_beams", "num_beam_groups", "penalty_alpha")


def silent_knobs(
    given: Mapping[str, Any],
    mode: str,
    stages: Sequence[Stage],
    acted: Sequence[bool] | None,
    config: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> tuple[SilentKnob, ...]:
    """The given parameters that had no effect on this run, in the order they were given.

    Args:
        given: parameter names and values, as in `Settings.given`.
        mode: the decoding mode.
        stages: the processors that ran.
        acted: per stage, whether it changed any score at any step; None when no step was recorded.
        config: the parameters that acted, the model's own defaults among them: these, too, may take precedence.
        defaults: the model's own: a value that switches one of them off has had an effect.
    """
    beside = {**(config or {}), **given}
    changed = {stage.name for stage, did in zip(stages, acted or (), strict=False) if did}
    ran = None if acted is None else {stage.name for stage in stages}
    out = []
    for name, value in given.items():
        if name not in KNOBS or value is None or _overrules(name, value, mode, defaults or {}):
            continue
        why = _why_silent(name, value, mode, beside, ran, changed)
        if why:
            other = SAMPLER_OF.get(name) or ("max_new_tokens" if name == "max_length" else "min_new_tokens")
            out.append(SilentKnob(name=name, value=value, why=why, reason=REASONS[why].format(by=other)))
    return tuple(out)


def _overrules(name: str, value: Any, mode: str, defaults: Mapping[str, Any]) -> bool:
    """Whether it switches off a default of the model's own that would have acted, or made another mode of it."""
    other = defaults.get(name) not in (None, value)
    return other and value == KNOBS[name].neutral and (name in CHOOSE_THE_MODE or mode in KNOBS[name].modes)


def _why_silent(
    name: str, value: Any, mode: str, beside: Mapping[str, Any], ran: Set[str] | None, changed: Set[str]
) -> str | None:
    knob, processor = KNOBS[name], PROCESSORS.get(name)
    if knob.neutral is not None and value == knob.neutral and (processor or mode not in knob.modes):
        return "neutral"
    if name in SAMPLERS and not is_on(name, value):
        return "neutral"
    if name in SAMPLER_OF and not is_on(SAMPLER_OF[name], beside.get(SAMPLER_OF[name])):
        return "needs_sampler"
    if mode not in knob.modes:
        if name == "seed":
            return "nothing_drawn"
        if knob.modes == PLAIN_SAMPLING:
            return "needs_plain_sampling" if mode in BEAM_MODES else "needs_sampling"
        if SAMPLING_MODES <= knob.modes and not BEAM_MODES <= knob.modes:
            return "needs_sampling"
        if knob.modes == BEAM_MODES:
            return "needs_beams"
        return "needs_contrastive" if name == "penalty_alpha" else "needs_groups"
    if name in ("max_length", "min_length") and beside.get(name.replace("_length", "_new_tokens")) is not None:
        return "overruled"
    if name == "negative_prompt" and beside.get("guidance_scale") in (None, 1):
        return "needs_guidance"
    if not processor or ran is None or name not in _acts_as_processor(mode):
        return None
    if name == "temperature" and PROCESSORS["dynatemp_range"] in ran:
        return None  # it is the middle of the range
    if processor not in ran:
        return "not_run"
    # generate() makes a min_length of min_new_tokens, too, and that one bans the end first.
    also = {PROCESSORS["min_length"]} if name == "min_new_tokens" else set()
    return None if changed & {processor, *also} else "never_changed"


def _acts_as_processor(mode: str) -> set[str]:
    """The parameters that act through their processor in this mode."""
    return set(PROCESSORS) - ({"top_k"} if mode == "contrastive_search" else set())
