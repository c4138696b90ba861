"""What recording a constrained run costs over `generate()` with the same processor, and what the constraint takes."""

from __future__ import annotations

import importlib.util
import statistics
import time
from typing import Any

import torch

from decoding import Recorder, Trace, load_model
from decoding.constraints import JsonSchemaConstraint, RegexConstraint
from tests.benchmarks import Row
from tests.benchmarks.cost import time_row

N_PAIRS, N_TOKENS = 7, 48
TIME_BAR, STEP_BAR = 1.08, 5.0
SCHEMA = {
    "type": "array", "minItems": 40,
    "items": {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
              "required": ["name", "age"]},
}  # fmt: skip
PROMPT = "The persons of the novel, as JSON:\n"
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {"max_new_tokens": N_TOKENS},
    "sampling": {"do_sample": True, "temperature": 0.8, "top_k": 50, "top_p": 0.9, "max_new_tokens": N_TOKENS},
}


def run() -> list[Row]:
    """Time over generate() with the same processor; time of the processor for a step."""
    if importlib.util.find_spec("xgrammar") is None:
        return [Row(name="constrained decoding", measured="–", spread="xgrammar is not installed", bar="", met=None)]
    lm = load_model(device="cpu", dtype="float32")
    ends = lm.model.generation_config.eos_token_id
    inputs = dict(lm.tokenizer([PROMPT], return_tensors="pt"))
    rows = []
    for way, settings in WAYS.items():
        only = JsonSchemaConstraint(SCHEMA, lm.tokenizer, eos_token_id=ends)

        def plain(only: Any = only, settings: dict[str, Any] = settings, **beside: Any) -> Any:
            torch.manual_seed(0)
            return lm.model.generate(**inputs, **settings, logits_processor=[only], **beside)

        def recorded(plain: Any = plain) -> Trace:
            plain(custom_generate=(recorder := Recorder()))
            return recorder.trace

        what = f"json_schema, {way}, {N_TOKENS} tokens, recorded over generate() with the same processor"
        rows.append(time_row(what, plain, recorded, bar=TIME_BAR, n_pairs=N_PAIRS))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # waiting for other work is no time of this process
        rows.append(time_row(f"{what}, processor time, 1 thread", plain, recorded, time.process_time, n_pairs=5))
        torch.set_num_threads(threads)
    return [*rows, step_row(lm, 200)]


def step_row(lm: Any, n_steps: int) -> Row:
    """The processor alone, step after step of one text."""
    only = RegexConstraint("[a-z ,.]+", lm.tokenizer, start=0)
    text = lm.tokenizer("the cat sat on the mat, and ", add_special_tokens=False)["input_ids"]
    ids = torch.tensor([(text * n_steps)[:n_steps]])
    scores, times = torch.zeros(1, lm.model.config.vocab_size), []
    for n in range(n_steps):
        began = time.perf_counter()
        only(ids[:, :n], scores)
        times.append(1000 * (time.perf_counter() - began))
    low, median, high = statistics.quantiles(times, n=4)
    return Row(
        name=f"regex, the processor for a step, {n_steps} steps", measured=f"{median:.2f} ms",
        spread=f"IQR {low:.2f} to {high:.2f}, last {times[-1]:.2f}", bar=f"≤ {STEP_BAR} ms", met=median <= STEP_BAR,
    )  # fmt: skip
