"""`Question`: all that determines a run, bit for bit; the same question asked again has the same answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers

import decoding
from decoding.parameters.acting import acting, model_defaults
from decoding.parameters.settings import mode_of
from decoding.recorded.arithmetic import arithmetic_of

from .decoder import on_zero_gpu

if TYPE_CHECKING:
    from decoding.models.load import LanguageModel
    from decoding.models.prompts import Prompt
    from decoding.parameters.settings import Settings
    from decoding.trace import Trace

__all__ = ["Question"]

DRAWS = {"sample", "beam_sample"}
# How a run ends that was neither stopped nor broken off.
ENDS = {"eos", "max_length", "stop_string", "all_ended", "early_stopping", "no_improvement"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked of which model, on which machine.

    Attributes:
        asked: prompt or chat, and the settings as they were given.
        answered_by: the model and the arithmetic: everything else that decides a bit.
    """

    asked: dict[str, Any]
    answered_by: dict[str, Any]

    @classmethod
    def of(cls, lm: LanguageModel, prompt: Prompt, settings: Settings) -> Question | None:
        """The question; None where its answer is left to chance, to the clock, or to what was asked before."""
        values = acting(model_defaults(lm.model), settings.given())
        by_chance = mode_of(values) in DRAWS and settings.seed is None
        grows = lm.model.generation_config.cache_implementation is not None  # it is as long as the longest one so far
        if by_chance or grows or values.get("max_time") is not None or on_zero_gpu():  # which GPU, nobody knows before
            return None
        return cls(asked={"prompt": prompt, "settings": settings.to_json()}, answered_by=_answered_by(lm))

    @property
    def key(self) -> str:
        """64 hex digits; another question has others."""
        return hashlib.sha256(_canonical({"asked": self.asked, "answered_by": self.answered_by})).hexdigest()

    def is_answered_by(self, trace: Trace) -> bool:
        """Whether a run is the whole answer: nothing was stopped or lost, and it was recorded by this model, here."""
        model, by = trace.model, self.answered_by
        same = all(getattr(model, name) == by[name] for name in ("name", "source", "revision", "dtype", "arithmetic"))
        versions = (model.torch_version, model.transformers_version) == (by["torch"], by["transformers"])
        prompts = trace.prompts if trace.messages is None else trace.messages
        if prompts is None or trace.settings is None or not (same and versions):
            return False
        prompt = prompts[0] if len(prompts) == 1 else list(prompts)
        asked = {"prompt": prompt, "settings": trace.settings.to_json()}
        lost = getattr(trace.store, "lost_from", None) is not None  # steps: the disk was full
        whole = set(trace.stop_reasons) <= ENDS and not lost and not trace.from_caller
        plain = trace.prefill == "plain" and trace.fork is None and trace.compact is None
        return whole and plain and _canonical(asked) == _canonical(self.asked)


def _answered_by(lm: LanguageModel) -> dict[str, Any]:
    identity, tokenizer = lm.identity(), lm.tokenizer
    return {
        **{name: identity[name] for name in ("name", "source", "revision", "class_name", "dtype", "device")},
        "place": lm.place,
        "defaults": lm.model.generation_config.to_dict(),
        "template": getattr(tokenizer, "chat_template", None),
        "arithmetic": arithmetic_of(lm.model.device),
        "precision": torch.get_float32_matmul_precision(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "decoding": _own_code(),
    }


@cache
def _own_code() -> str:
    """A digest of the library that decodes: between releases, too, a run is recorded by the code that is there."""
    digest, root = hashlib.sha256(), Path(decoding.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
