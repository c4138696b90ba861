"""`python -m tests.engines.vllm_table PYTHON`: what vLLM makes of its logits, and what its order computes here.

Writes `vllm.json`: for each set of samplers in how many rows the same tokens survive, how far their scores lie apart,
and in how many rows transformers' own order would have kept others, so that agreeing says something.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer

from decoding.reading.engine_orders import TRANSFORMERS, VLLM, run_orders
from tests.engine import TEXT, samplers_of
from tests.engines.vllm_process import VllmProcess, model_folder

TABLE = Path(__file__).with_name("vllm.json")
N_ROWS = 80
CASES: list[dict[str, float]] = [
    {"temperature": 1.0, "top_p": 0.9},
    {"temperature": 1.0, "min_p": 0.05},
    {"temperature": 1.5, "top_k": 50, "top_p": 0.9, "min_p": 0.02},
    {"temperature": 0.7, "top_k": 200, "top_p": 0.95},
]


def main(python: str) -> None:
    """Makes the table."""
    ids = AutoTokenizer.from_pretrained(model_folder())(TEXT)["input_ids"]
    prompts = [ids[: n + 1] for n in range(min(N_ROWS, len(ids)))]
    with VllmProcess(python, mode="raw_logits") as vllm:
        raw = [vllm.scores(prompt) for prompt in prompts]
    with VllmProcess(python, mode="processed_logits") as vllm:
        versions = vllm.versions
        cases = [case_of(case, raw, [vllm.scores(prompt, case) for prompt in prompts]) for case in CASES]
    table = {"versions": versions, "rows": len(prompts), "vocab": len(raw[0]), "cases": cases}
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


def case_of(case: dict[str, float], raw: list[Tensor], processed: list[Tensor]) -> dict[str, Any]:
    """One line of the table."""
    samplers = samplers_of(**{name: value for name, value in case.items() if value != 1.0})
    same, otherwise, farthest, between = 0, 0, 0.0, 0
    for before, theirs in zip(raw, processed, strict=True):
        ours, others = run_orders(before, samplers, (VLLM, TRANSFORMERS))
        kept = theirs > -math.inf
        same += torch.equal(kept, ours.survivors)
        between = max(between, int((kept != ours.survivors).sum()))
        otherwise += not torch.equal(kept, others.survivors)
        both = kept & ours.survivors
        farthest = max(farthest, float((theirs[both] - ours.scores[-1][both]).abs().max()))
    return {
        "settings": case, "rows": len(raw), "same_survivors": same, "most_tokens_between": between,
        "largest_score_difference": farthest, "transformers_order_differs": otherwise,
    }  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
