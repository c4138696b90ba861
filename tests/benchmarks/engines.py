"""Recording every step's whole vocabulary, against engines that can give it, too; and the engine orders of a step.

Runs of ours and of llama.cpp's own server take turns on the same machine with as many threads, with the same prompt and
as many tokens, both greedy, and each ends when all probabilities of every step are in Python. llama.cpp's model is the
file that ours was made from, and still quantized: its steps alone are the faster ones. vLLM is measured where
`VLLM_PYTHON` names a Python that has it (tests/engines/README.md).
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from decoding import Recorder, Settings, load_model, record
from tests.benchmarks import Row
from tests.llama_server import started

N_TOKENS, N_ROUNDS = 16, 5
BAR, ORDERS_BAR = 10, 500  # times; milliseconds
PROMPT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,"
VLLM = "VLLM_PYTHON"


def run(quick: bool = False) -> Iterator[Row]:
    """A row for each engine, and one for the tab."""
    n_tokens, n_rounds = (2, 1) if quick else (N_TOKENS, N_ROUNDS)
    lm = load_model(device="cpu", dtype="float32")
    yield from against_llama_cpp(lm, n_tokens, n_rounds)
    yield from against_vllm(lm, n_tokens, n_rounds)
    yield orders_of_a_step(lm, 3 if quick else 16)


def against_llama_cpp(lm: Any, n_tokens: int, n_rounds: int) -> Iterator[Row]:
    """Recorded here, and with all probabilities from llama.cpp's server."""
    server = started(torch.get_num_threads(), n_parallel=1)
    ids = lm.tokenizer(PROMPT, return_tensors="pt")["input_ids"]
    asked = {"prompt": ids[0].tolist(), "n_predict": n_tokens, "temperature": 0, "cache_prompt": False}
    vocab = lm.model.config.vocab_size
    calls = {
        "recorded": lambda: recorded(lm, ids, n_tokens),
        "llama.cpp": lambda: theirs(server.handle_completions({**asked, "n_probs": vocab}), vocab),
        "llama.cpp plain": lambda: theirs(server.handle_completions(asked), 0),
    }
    seconds, tokens = in_turns(calls, n_rounds)
    yield compared("llama.cpp's server", seconds, tokens, n_tokens, plain="llama.cpp plain")


def against_vllm(lm: Any, n_tokens: int, n_rounds: int) -> Iterator[Row]:
    """Recorded here, and with all probabilities from vLLM in a process of its own."""
    from tests.engines.vllm_process import VllmProcess

    name = "full-vocabulary recording against vLLM"
    if not os.environ.get(VLLM):
        yield Row(name=name, measured="not run", spread=f"{VLLM} is not set", bar=f"≥ {BAR} ×", met=None)
        return
    ids = lm.tokenizer(PROMPT, return_tensors="pt")["input_ids"]
    with VllmProcess(os.environ[VLLM], threads=torch.get_num_threads()) as vllm:
        ours: dict[str, Callable[[], list[int]]] = {"recorded": lambda: recorded(lm, ids, n_tokens)}
        both = {**ours, "vLLM": lambda: vllm.generated(ids[0].tolist(), n_tokens)}
        seconds, tokens = in_turns(both, n_rounds)
        yield compared(f"vLLM {vllm.versions['vllm']}", seconds, tokens, n_tokens)


def recorded(lm: Any, ids: torch.Tensor, n_tokens: int) -> list[int]:
    """A recorded run, and every step's probabilities read from it; its tokens."""
    recorder = Recorder()
    lm.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=n_tokens,
        min_new_tokens=n_tokens, custom_generate=recorder,
    )  # fmt: skip
    trace = recorder.trace
    everything = [trace.scores(step=step, row=0, stage=0).softmax(0) for step in range(n_tokens)]
    assert all(probabilities.shape == (lm.model.config.vocab_size,) for probabilities in everything)
    return trace.sequences[0, ids.shape[1] :].tolist()


def theirs(answer: dict[str, Any], n_probabilities: int) -> list[int]:
    """The tokens of the server's answer, which must hold that many probabilities at each."""
    if "choices" not in answer:
        raise RuntimeError(f"llama.cpp's server answered {str(answer)[:300]}")
    said = (answer["choices"][0].get("logprobs") or {}).get("content", [])
    assert all(len(one["top_logprobs"]) == n_probabilities for one in said)
    assert said or not n_probabilities
    return [one["id"] for one in said]


def in_turns(calls: dict[str, Callable[[], list[int]]], n_rounds: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Seconds of each call, one a round, after one to warm up; every second round goes the other way round."""
    tokens = {name: call() for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for n in range(n_rounds):
        for name in reversed(calls) if n % 2 else calls:
            began = time.perf_counter()
            calls[name]()
            seconds[name].append(time.perf_counter() - began)
    return seconds, tokens


def compared(
    engine: str, seconds: dict[str, list[float]], tokens: dict[str, list[int]], n_tokens: int, plain: str = ""
) -> Row:
    """How many times as fast ours is, by rounds."""
    other = next(name for name in seconds if name not in ("recorded", plain))
    ratios = sorted(b / a for a, b in zip(seconds["recorded"], seconds[other], strict=True))
    ratio = statistics.median(ratios)
    rate = {name: n_tokens / statistics.median(taken) for name, taken in seconds.items()}
    same = sum(a == b for a, b in zip(tokens["recorded"], tokens[other], strict=True))
    alone = f"; it alone, without probabilities, {rate[plain]:.1f} tokens/s" if plain else ""
    return Row(
        name=f"full-vocabulary recording against {engine}, {n_tokens} tokens",
        measured=f"{ratio:.1f} × ({rate['recorded']:.1f} and {rate[other]:.2f} tokens/s)",
        spread=f"{ratios[0]:.1f} to {ratios[-1]:.1f}, n = {len(ratios)}, {torch.get_num_threads()} threads; "
        f"{same} of {n_tokens} tokens the same{alone}",
        bar=f"≥ {BAR} ×",
        met=ratio >= BAR,
        numbers={"ratio": ratio, "same_tokens": same, **{f"{name}_tokens_a_second": r for name, r in rate.items()}},
    )


def orders_of_a_step(lm: Any, n_steps: int) -> Row:
    """The lab's tab of each step, every engine's order and llama.cpp itself, when nothing of the step was read yet."""
    from app.lab.orders import sheet
    from app.runs import Runs
    from app.text import Text
    from app.views.look import Look

    given = {"top_k": 0, "temperature": 1.3, "top_p": 0.99, "min_p": 0.0001, "typical_p": 0.99}
    trace = record(lm, "Once upon a time", Settings(do_sample=True, seed=1, max_new_tokens=n_steps, **given))
    times, partings = [], 0
    for step in range(n_steps):
        look = Look(trace=trace, row=0, step=step, token_id=None, runs=Runs(trace, ""), text=Text("en"))
        began = time.perf_counter()
        shown = sheet(look, {})
        times.append(1000 * (time.perf_counter() - began))
        partings += len(shown["engine"]["partings"])
    return Row(
        name=f"engine orders of a step of {trace.model.vocab_size:,}, llama.cpp run",
        measured=f"{statistics.median(times):.0f} ms",
        spread=f"{min(times):.0f} to {max(times):.0f} ms, n = {n_steps}; {partings} samplers parted and accounted for",
        bar=f"≤ {ORDERS_BAR} ms",
        met=max(times) <= ORDERS_BAR,
        numbers={"median_ms": statistics.median(times), "most_ms": max(times)},
    )
