"""Traces made by hand: known logits, transformers' own processors, token texts of one's choice."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.generation import LogitsProcessorList

from decoding.recorded.run import ModelInfo, Step
from decoding.recorded.stages import encode_stages, run_processors, stages_of
from decoding.recorded.step_store import MemoryStore
from decoding.tokens.token_table import TokenTable
from decoding.trace import Trace

__all__ = ["HOSTILE", "hand_made_trace", "token_table", "trace_of_logits", "with_lost_steps"]

HOSTILE = (
    "<img src=x onerror=\"window.owned='img'\">",
    "${window.owned='template'}",
    "</script><script>window.owned='script'</script>",
    "{{window.owned='handlebars'}}",
    "<b>&amp;</b>",
    "`'\"\\",
    "<s>",
    " %{y}",
)

MODEL = ModelInfo(
    name="hand-made",
    source="caller",
    class_name="None",
    dtype="float32",
    device="cpu",
    vocab_size=8,
    n_parameters=0,
    transformers_version="5",
    torch_version="2",
)


def token_table(texts: Sequence[str | bytes]) -> TokenTable:
    """A table with these tokens, none special."""
    pieces = [text if isinstance(text, bytes) else text.encode() for text in texts]
    flags = np.ones(len(pieces), dtype=np.uint8)
    offsets = np.cumsum([0, *(len(piece) for piece in pieces)]).astype(np.int64)
    flat = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    return TokenTable.from_arrays({"bytes": flat, "offsets": offsets, "flags": flags})


def hand_made_trace(
    logits: Sequence[Sequence[float]], chosen: Sequence[int], processors=(), texts: Sequence[str | bytes] = "abcdefgh"
) -> Trace:
    """One row: a step per list of logits, whose chosen token is given; the prompt is token 0.

    Args:
        logits: [n_steps][vocab].
        chosen: [n_steps].
        processors: transformers' logits processors.
        texts: [vocab], the tokens.
    """
    processors = LogitsProcessorList(processors)
    stages = stages_of(processors)
    store, steps, ids = MemoryStore(), [], [0]
    for index, (scores, token_id) in enumerate(zip(logits, chosen, strict=True)):
        raw = torch.tensor([scores], dtype=torch.float32)
        outputs, _ = run_processors(processors, torch.tensor([ids]), raw.clone())
        store.append({"logits": raw, **encode_stages(stages, outputs)})
        steps.append(Step(index=index, token_ids=(token_id,), ended=(False,), stages=stages, _store=store))
        ids.append(token_id)
    return Trace(
        steps=tuple(steps),
        stages=stages,
        prompt_ids=torch.tensor([[0]]),
        prompt_mask=torch.tensor([[1]]),
        sequences=torch.tensor([ids]),
        mode="sample" if stages else "greedy",
        generation_config={"do_sample": bool(stages)},
        model=MODEL,
        stop_reasons=("max_length",),
        tokens=token_table(texts),
        prompts=(str(texts[0]),),
        store=store,
    )


def trace_of_logits(
    logits: Tensor, chosen: Sequence[Sequence[int]], prompt_ids: Sequence[int] = (0,), **config: Any
) -> Trace:
    """A sampled run without any processor, and without texts.

    Args:
        logits: [n_steps, rows, vocab], in the dtype to record them in.
        chosen: [n_steps][rows].
        prompt_ids: of every row.
        config: parameters that acted, besides `do_sample`.
    """
    store, n_rows = MemoryStore(), logits.shape[1]
    for raw in logits:
        store.append({"logits": raw, **encode_stages((), [raw.float()])})
    prompt = torch.tensor([list(prompt_ids)] * n_rows)
    return Trace(
        steps=tuple(
            Step(index=t, token_ids=tuple(ids), ended=(False,) * n_rows, stages=(), _store=store)
            for t, ids in enumerate(chosen)
        ),
        stages=(),
        prompt_ids=prompt,
        prompt_mask=torch.ones_like(prompt),
        sequences=torch.cat([prompt, torch.tensor(chosen).T], dim=1),
        mode="sample",
        generation_config={"do_sample": True, "num_return_sequences": n_rows, **config},
        model=replace(MODEL, vocab_size=logits.shape[-1], dtype=str(logits.dtype).removeprefix("torch.")),
        stop_reasons=("max_length",) * n_rows,
        store=store,
    )


def with_lost_steps(trace: Trace, first: int) -> Trace:
    """The trace as it would be, had the disk been full from a step on."""
    store = MemoryStore(first_step=trace.first_step)
    for t in range(len(trace.steps)):
        if t == first:  # no room in memory from here on, and none on the disk
            store.lost_from, store.lost_because, store.memory_budget = first, "No space left on device", 0
        store.append(trace.store.load(t))
    out = copy.copy(trace)
    object.__setattr__(out, "store", store)
    object.__setattr__(out, "steps", tuple(replace(step, _store=store) for step in trace.steps))
    return out
