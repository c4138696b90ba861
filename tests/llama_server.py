"""The real llama.cpp server, in this process, with the offline model's own file."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from decoding.models.offline_model import find_gguf

__all__ = ["MODEL", "ask", "llama_server", "started"]

MODEL = "SmolLM2-135M-Instruct.Q4_1"  # what it calls itself: else it says where on the disk the file is


def started(n_threads: int = 1, n_parallel: int = 2) -> Any:
    """xllamacpp's `Server`; it ends when nobody holds it any more. One thread, since tests share the machine."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(find_gguf())
    params.model_alias = [MODEL]
    params.n_ctx, params.n_parallel, params.warmup, params.verbosity, params.ui = 2048, n_parallel, False, 0, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = n_threads
    params.hostnames, params.port, params.fit_params = ["127.0.0.1"], 0, False
    return xllamacpp.Server(params)


@contextmanager
def llama_server() -> Iterator[str]:
    """Its address, while it runs."""
    server = started()
    try:
        yield server.listening_address
    finally:
        del server


def ask(address: str, path: str, request: dict[str, Any]) -> str:
    """What the server answers, as it is: JSON, or the text of a stream."""
    question = urllib.request.Request(
        f"{address}{path}", json.dumps(request).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(question, timeout=300) as answer:
        return answer.read().decode()
