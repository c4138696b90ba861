"""Real logits: what the offline model says after each token of the texts in this repository.

    python -m tests.engines.real_rows FILE [N]

writes N rows (10,000 where left out; 2 GB) and the tokens that they came after, for `tests.engines.llama_samplers`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

__all__ = ["real_windows", "saved_windows"]

ROOT = Path(__file__).parents[2]
TEXTS = ("README.md", "CHANGELOG.md", "SERVING.md", "CONTRIBUTING.md", "decoding/sweeps/SWEEPS.md", "LICENSE")
WINDOW = 256  # tokens that the model reads at once, from the beginning of which each row's context counts

Window = tuple[np.ndarray, np.ndarray]
"""Token ids int64 [n], and after each the model's logits, float32 [n, vocab]."""


@torch.inference_mode()
def real_windows(lm, n_rows: int, window: int = WINDOW) -> Iterator[Window]:
    """Windows with `n_rows` rows in all."""
    ids = [token for name in TEXTS for token in lm.tokenizer((ROOT / name).read_text())["input_ids"]]
    while len(ids) < n_rows:
        ids += ids
    for start in range(0, n_rows, window):
        part = torch.tensor(ids[start : min(start + window, n_rows)])
        yield part.numpy(), lm.model(part[None]).logits[0].float().numpy()


def saved_windows(file: str | Path, window: int = WINDOW) -> Iterator[Window]:
    """The windows of a file that was written here."""
    ids, logits = np.load(f"{file}.ids.npy"), np.load(f"{file}.npy", mmap_mode="r")
    for start in range(0, len(ids), window):
        yield ids[start : start + window], np.array(logits[start : start + window])


def main(file: str, n_rows: int) -> None:
    from decoding import load_model

    lm, done = load_model(), 0
    ids = np.empty(n_rows, dtype=np.int64)
    shape = (n_rows, lm.model.config.vocab_size)
    logits = np.lib.format.open_memmap(f"{file}.npy", mode="w+", dtype=np.float32, shape=shape)
    for part, rows in real_windows(lm, n_rows):
        ids[done : done + len(part)], logits[done : done + len(part)] = part, rows
        np.save(f"{file}.ids.npy", ids[: done + len(part)])  # a file broken off can be used as far as it goes
        done += len(part)
        print(f"{done} rows", flush=True)
    logits.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
