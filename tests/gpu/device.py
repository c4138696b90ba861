"""Where the tests of this folder compute: on CUDA; or, to try the tests themselves without one, on the CPU."""

from __future__ import annotations

import os

__all__ = ["CPU_INSTEAD", "DEVICE"]

CPU_INSTEAD = "DECODING_EXPLORER_GPU_TESTS_ON_CPU"
DEVICE = "cpu" if os.environ.get(CPU_INSTEAD) else "cuda"
