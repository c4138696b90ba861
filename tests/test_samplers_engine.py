"""Our samplers beside llama.cpp's own, on real logits; on 10,000 rows: tests/engines/llama_samplers.py."""

from __future__ import annotations

import pytest

from decoding.engines.llama_cpp import Vocabulary
from decoding.engines.llama_library import why_not
from tests.engine import gguf_file
from tests.engines.llama_samplers import CASES, compared
from tests.engines.real_rows import real_windows

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"llama.cpp cannot be run: {why_not()}")
N_ROWS = 48


@pytest.fixture(scope="module")
def windows(lm):
    return list(real_windows(lm, N_ROWS, window=N_ROWS))


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary(gguf_file())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_sampler_leaves_what_llama_cpp_leaves(case, lm, windows, vocabulary):
    counts = compared(case, windows, lm.tokenizer, vocabulary)
    assert counts["unexplained"] == 0 and counts.total() == N_ROWS
