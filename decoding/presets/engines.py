"""ENGINES: those whose settings are read and written, and how one is told by its keys."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from decoding.errors import PresetError, shown
from decoding.presets.key import Engine
from decoding.presets.llama_cpp import LLAMA_CPP
from decoding.presets.ollama import OLLAMA
from decoding.presets.pasted import Pasted
from decoding.presets.text_generation_webui import TEXT_GENERATION_WEBUI
from decoding.presets.vllm import VLLM

__all__ = ["ENGINES", "engine_named", "recognised"]

ENGINES: Mapping[str, Engine] = MappingProxyType(
    {engine.name: engine for engine in (LLAMA_CPP, VLLM, OLLAMA, TEXT_GENERATION_WEBUI)}
)
OF_OPENAI = ("messages", "max_tokens", "max_completion_tokens")  # bodies after OpenAI's, which vLLM serves


def engine_named(name: str) -> Engine:
    """The engine of this name.

    Raises:
        PresetError: there is none.
    """
    if not isinstance(name, str) or name not in ENGINES:
        raise PresetError(
            "the engine must be one of {names}, got {name}", names=", ".join(ENGINES), name=shown(name)
        )  # fmt: skip
    return ENGINES[name]


def recognised(pasted: Pasted) -> tuple[Engine, bool]:
    """Whose the text is: the engine that knows most of its keys; and whether no other one knows as many."""
    if pasted.syntax == "modelfile" or isinstance(pasted.values.get("options"), dict):
        return OLLAMA, True
    if pasted.syntax == "call":
        return VLLM, True
    known = {name: _n_known(engine, pasted) for name, engine in ENGINES.items()}
    best = [name for name in _likely(pasted) if known[name] == max(known.values())]
    return ENGINES[best[0]], len(best) == 1


def _n_known(engine: Engine, pasted: Pasted) -> int:
    """How many of the keys are settings of this engine, or parts of its requests."""
    names = engine.unfold(pasted)
    return sum(engine.key(name) is not None or name in engine.aside for name in names)


def _likely(pasted: Pasted) -> list[str]:
    """The engines, the likeliest first where several know the same keys."""
    first = TEXT_GENERATION_WEBUI if pasted.syntax == "yaml" else LLAMA_CPP
    if any(name in pasted.values for name in OF_OPENAI):
        first = VLLM
    return [first.name, *(name for name in ENGINES if name != first.name)]
