"""What a caller gave to `generate()` that it does not hand on to a custom loop, read where it still is.

`generate(custom_generate=loop)` drops `tokenizer`, `streamer` and `assistant_model` before it calls the loop, and
does not say which processors, criteria and inputs came from the caller. It asks for the loop's signature first,
though, from a function that still has them all; `CustomLoop` reads them there. Nothing is patched: the one thing
changed is that call's own keyword arguments, where the tokenizer is put back, so that stop strings work as they do
without a custom loop. Seen so in transformers 5.17 to 5.23; where it is otherwise, nothing is known (`GIVEN_NOTHING`)
and transformers' own messages stand.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from types import FrameType
from typing import Any, cast

from transformers.generation import GenerationConfig

from decoding.transformers_private import SORTS_THE_ARGUMENTS

__all__ = ["GIVEN_NOTHING", "CustomLoop", "GivenToGenerate"]

HOW_DEEP = 12  # frames between our property and the function that asked: `inspect` has a few of its own
LOOP_TAKES = (
    "model", "input_ids", "logits_processor", "stopping_criteria", "generation_config", "inputs_tensor", "tokenizer"
)  # fmt: skip
# Keyword arguments that are in the trace, or that change no score.
NO_INPUTS = {"input_ids", "attention_mask", "decoder_input_ids", "logits_to_keep", "custom_generate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenToGenerate:
    """What came from the caller of `generate()`.

    Attributes:
        tokenizer, streamer, assistant_model: as given, or None.
        synced_gpus: all processes have to go on until the last one has ended.
        logits_processor, stopping_criteria: the caller's own.
        inputs: names of the arguments that are no decoding parameters: `position_ids`, `past_key_values`, ….
    """

    tokenizer: Any = None
    streamer: Any = None
    assistant_model: Any = None
    synced_gpus: bool = False
    logits_processor: Sequence[Any] = ()
    stopping_criteria: Sequence[Any] = ()
    inputs: frozenset[str] = frozenset()


GIVEN_NOTHING = GivenToGenerate()


class _AskedFor:
    """The signature of a loop; for `generate()`, which asks for it, the moment to look at what it was given."""

    def __get__(self, loop: CustomLoop | None, owner: type | None = None) -> Signature:
        if loop is None:
            raise AttributeError("__signature__")  # the class has the one of its __init__
        frame = _asking_frame()
        if frame is not None:
            loop.given = _given(frame)
            tokenizer = loop.given.tokenizer or loop.tokenizer
            if tokenizer is not None:
                frame.f_locals["kwargs"]["tokenizer"] = tokenizer
        kinds = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=None) for name in LOOP_TAKES]
        return Signature([*kinds, Parameter("model_kwargs", Parameter.VAR_KEYWORD)])


class CustomLoop:
    """A callable for `generate(custom_generate=…)` that knows what the call was given.

    Attributes:
        tokenizer: stands in where the caller gave `generate()` none.
        given: of the call that is about to decode.
    """

    __signature__ = _AskedFor()
    tokenizer: Any = None
    given: GivenToGenerate = GIVEN_NOTHING


def _asking_frame() -> FrameType | None:
    """The frame of `generate()`'s function that sorts its arguments, if that is who asks."""
    frame: FrameType | None = sys._getframe(2)
    for _ in range(HOW_DEEP):
        if frame is None or frame.f_code is SORTS_THE_ARGUMENTS:
            return frame
        frame = frame.f_back
    return None


def _given(frame: FrameType) -> GivenToGenerate:
    sorting, call = frame.f_locals, cast(FrameType, frame.f_back).f_locals  # generate() itself
    kept, kwargs = sorting.get("generation_mode_kwargs") or {}, sorting["kwargs"]
    known = vars(GenerationConfig())
    names = ("prefix_allowed_tokens_fn", "negative_prompt_ids", "negative_prompt_attention_mask")
    others = {name for name in names if call.get(name) is not None}
    others |= {name for name, value in kwargs.items() if value is not None and name not in known}
    return GivenToGenerate(
        tokenizer=kept.get("tokenizer"),
        streamer=sorting.get("streamer"),
        assistant_model=sorting.get("assistant_model"),
        synced_gpus=bool(kept.get("synced_gpus")),
        logits_processor=tuple(call.get("logits_processor") or ()),
        stopping_criteria=tuple(call.get("stopping_criteria") or ()),
        inputs=frozenset(others - NO_INPUTS - {"tokenizer"}),
    )
