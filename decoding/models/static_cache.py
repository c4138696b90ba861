"""A key–value cache of fixed size as a model's own default: with it `generate()` compiles its decode steps on CUDA."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import Any

__all__ = ["use_static_cache"]

COMPILERS = ("cc", "gcc", "clang")


def use_static_cache(model: Any) -> bool:
    """Makes it the default of every `generate()` of this model, recorded or not; False where the model cannot have it.

    Where torch has nothing to compile with (no triton, no C compiler), the cache stays and nothing is compiled.
    """
    from decoding.transformers_private import has_static_cache

    if not has_static_cache(model):
        return False
    model.generation_config.cache_implementation = "static"
    if model.device.type == "cuda" and not _can_compile():
        model.generation_config.disable_compile = True
    return True


def _can_compile() -> bool:
    compiler = os.environ.get("CC") or next(filter(shutil.which, COMPILERS), None)
    return importlib.util.find_spec("triton") is not None and compiler is not None
