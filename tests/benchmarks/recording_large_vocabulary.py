"""The same as `recording` over 151,936 tokens, as Qwen2.5 has.

The model is the offline one with random rows added to its embedding, which is its head as well: what the added tokens
score means nothing, but every byte of it is computed, recorded and compared. The long prompt is left to modes with one
row: only the scores of its last token are computed over the vocabulary, so that beams of it would measure the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from decoding import load_model
from tests.benchmarks import Row
from tests.benchmarks.recording import matrix

VOCAB = 151_936


def run(quick: bool = False) -> Iterator[Row]:
    """Two rows for each mode and prompt."""
    lm = load_model(device="cpu", dtype="float32")
    torch.manual_seed(0)
    lm.model.resize_token_embeddings(VOCAB, mean_resizing=False)
    return matrix(lm, left_out=("beam 4", "beam 8", "diverse"), quick=quick)
