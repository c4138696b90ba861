"""Tests that need CUDA: skipped, each with the reason, where there is none. `make test-gpu` runs them.

With the variable DECODING_EXPLORER_GPU_TESTS_ON_CPU they run on the CPU, which tries the tests and not CUDA.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.gpu.device import CPU_INSTEAD, DEVICE

# Before CUDA starts: cuBLAS gives the same bits for the same call only with a workspace of fixed size.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what lies in this folder, and skips it without CUDA."""
    import torch

    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.gpu)
            item.add_marker(pytest.mark.filterwarnings("ignore"))  # of algorithms that are not deterministic
            if DEVICE == "cuda" and not torch.cuda.is_available():
                item.add_marker(pytest.mark.skip(reason=f"no CUDA; {CPU_INSTEAD}=1 tries the tests on the CPU"))


@pytest.fixture(autouse=True)
def deterministic():
    """Two runs of the same call give the same bits; some CUDA kernels do not unless they are told to."""
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(before)
