"""The offline model's vocabulary, as llama.cpp reads it."""

from __future__ import annotations

from decoding.engines.llama_cpp import Vocabulary
from decoding.models.offline_model import find_gguf

__all__ = ["offline_vocabulary"]


def offline_vocabulary() -> Vocabulary:
    """From the GGUF file inside the package of the offline model."""
    return Vocabulary(find_gguf())
