"""What vLLM's own server answers, into tests/data/responses: python -m tests.engines.vllm_responses PYTHON

PYTHON is that of vLLM's environment. As for llama.cpp's answers, each file is the answer as it came, but for what
differs each time.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.conftest import _free_port
from tests.data.record_responses import CHANGES, EMOJI, FOLDER, GREEDY, PARIS, note_versions
from tests.data.record_responses import REQUESTS as SERVERS
from tests.engines.vllm_process import model_folder
from tests.llama_server import ask

__all__ = ["MODEL", "REQUESTS", "main"]

MODEL = "SmolLM2-135M-Instruct"
# By the file's name: where it is asked, and what; the first few are what llama.cpp's server is asked, too.
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"vllm-{name}": (path, {**asked, "model": MODEL}) for name, (path, asked) in SERVERS.items()
       if path.startswith("/v1/")},
    **{name: ("/v1/completions", {**asked, **GREEDY, "model": MODEL}) for name, asked in {
        "vllm-emoji.json": {"prompt": EMOJI, "max_tokens": 10, "logprobs": 3},
        "vllm-ids.json": {"prompt": PARIS, "max_tokens": 4, "logprobs": 3, "return_tokens_as_token_ids": True},
        "vllm-echo.json": {"prompt": PARIS, "max_tokens": 3, "logprobs": 2, "echo": True},
    }.items()},
}  # fmt: skip
MORE_CHANGES = (
    (re.compile(r'"id":\s?"(chatcmpl|cmpl)-[\w-]+"'), r'"id":"\1-0"'),
    (re.compile(r'"system_fingerprint":\s?"[^"]*"'), '"system_fingerprint":null'),
)
PATIENCE = 240.0  # seconds until it answers


@contextmanager
def vllm_server(python: str) -> Iterator[str]:
    """vLLM's server with the offline model in float32; its address."""
    port = _free_port()
    told = {
        "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1",
    }  # fmt: skip
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model_folder()), "--served-model-name",
             MODEL, "--dtype", "float32", "--enforce-eager", "--max-model-len", "512", "--host", "127.0.0.1",
             "--port", str(port)],
            env=os.environ | told, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(server, f"{address}/health", log)
            yield address
        finally:
            server.terminate()
            server.wait(60)


def _wait(server: subprocess.Popen[bytes], url: str, log: Any) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    log.seek(0)
    raise RuntimeError(f"vLLM's server did not start:\n{log.read().decode(errors='replace')[-4000:]}")


def main(python: str) -> None:
    """Asks it all of it."""
    with vllm_server(python) as address:
        said = json.loads(urllib.request.urlopen(f"{address}/version").read())["version"]
        for name, (path, request) in REQUESTS.items():
            answer = ask(address, path, request)
            for pattern, instead in (*CHANGES, *MORE_CHANGES):
                answer = pattern.sub(instead, answer)
            (FOLDER / name).write_text(answer, encoding="utf-8", newline="")
    note_versions({"vllm": said})


if __name__ == "__main__":
    main(sys.argv[1])
