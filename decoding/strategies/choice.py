"""Which loop decodes a `generate()` call; what has none is refused before anything is decoded, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from transformers.generation import GenerationConfig, GenerationMixin
from transformers.generation.configuration_utils import GenerationMode

from decoding.errors import RecordingError
from decoding.recorded.run import Step
from decoding.strategies.beam import beam
from decoding.strategies.contrastive import contrastive
from decoding.strategies.diverse_beam import diverse_beam
from decoding.strategies.generate_call import GivenToGenerate
from decoding.strategies.sampling import sampling
from decoding.transformers_private import BEAM_SEARCH_METHODS, SAMPLE_METHODS

__all__ = ["strategy_of"]

STRATEGIES: dict[GenerationMode, Callable[..., Generator[Step, None, Any]]] = {
    GenerationMode.GREEDY_SEARCH: sampling,
    GenerationMode.SAMPLE: sampling,
    GenerationMode.BEAM_SEARCH: beam,
    GenerationMode.BEAM_SAMPLE: beam,
    GenerationMode.GROUP_BEAM_SEARCH: diverse_beam,
    GenerationMode.CONTRASTIVE_SEARCH: contrastive,
}
# Parameters that ask for a mode without a loop here.
OTHER_MODES = (
    "prompt_lookup_num_tokens", "assistant_early_exit", "use_mtp", "dola_layers", "constraints", "force_words_ids"
)  # fmt: skip
# The methods of transformers that our loops stand for; a model that has its own decodes in another way.
MIRRORED = {sampling: SAMPLE_METHODS, beam: BEAM_SEARCH_METHODS}


def strategy_of(
    model: Any, config: GenerationConfig, given: GivenToGenerate, streamer: Any = None
) -> Callable[..., Generator[Step, None, Any]]:
    """The loop for a prepared call.

    Args:
        streamer: of the Recorder, beside the one that the call may have been given.

    Raises:
        RecordingError: there is no loop for this mode or model, or `generate()` itself would refuse.
    """
    if given.assistant_model is not None:
        raise RecordingError(
            "assistant_model cannot be used while recording: assisted decoding is another algorithm and draws other "
            "tokens; leave it out"
        )
    if given.synced_gpus:
        raise RecordingError("synced_gpus (ZeRO-3, FSDP) must be off while recording, got True; record on one process")
    mode = config.get_generation_mode()
    if mode not in STRATEGIES:
        modes = ", ".join(sorted(m.value for m in STRATEGIES))
        because = ", ".join(name for name in OTHER_MODES if getattr(config, name, None))
        raise RecordingError(
            "the mode {mode!r} cannot be recorded, only {modes}; leave out {because}",
            mode=mode.value, modes=modes, because=because or "what asks for it",
        )
    loop = STRATEGIES[mode]
    if loop in (beam, diverse_beam):
        _check_beams(config, given.streamer if given.streamer is not None else streamer)
    for name in MIRRORED.get(loop, ()):
        _check_is_transformers(model, name)
    return loop


def _check_beams(config: GenerationConfig, streamer: Any) -> None:
    """What transformers refuses with beams, in its own words."""
    if streamer is not None:
        raise RecordingError(
            "`streamer` cannot be used with beam search (yet!). Make sure that `num_beams` is set to 1."
        )
    if config.low_memory:
        raise RecordingError(
            "`low_memory=True` is not supported after the beam search refactor. Please check the discussion in "
            "#35802 *after the PR got merged*, and add a comment there if your questions are not yet answered."
        )


def _check_is_transformers(model: Any, name: str) -> None:
    """Returns if `generate()` would run transformers' own method, which our loop mirrors."""
    usual = getattr(GenerationMixin, name, None)
    if usual is None:  # another release of transformers has it under another name
        return
    for kind in type(model).__mro__:
        if name in vars(kind):
            method = getattr(kind, name)
            if method is not usual or method.__module__ != GenerationMixin.__module__:
                raise RecordingError(
                    "{model_type} cannot be recorded: it decodes with a {name} of its own (in {module}.{kind_type}), "
                    "which is another algorithm than the one recorded here; use plain generate()",
                    model_type=type(model).__name__, name=name, module=method.__module__, kind_type=kind.__name__,
                )
            return
