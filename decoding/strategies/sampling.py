"""Greedy decoding and multinomial sampling: one token a step, the likeliest or a drawn one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
from torch import Tensor
from transformers.generation import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from decoding.recorded.run import Step
from decoding.recorded.stages import run_processors
from decoding.strategies.cache import CACHE_NAME
from decoding.strategies.generate_output import GenerateOutput
from decoding.strategies.read_rows import ReadRows
from decoding.strategies.recording import Recording
from decoding.transformers_private import (
    can_compile,
    optimized_for_decoding,
    pad_token_tensor,
    prefill,
    update_model_kwargs,
)
from decoding.words import words

__all__ = ["sampling"]

GO_ON = words("without an end token rows that have ended go on all the same")


@torch.no_grad()
def sampling(
    model: Any,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    recording: Recording,
    generator: torch.Generator | None = None,
    **model_kwargs: Any,
) -> Generator[Step, None, Any]:
    """Yields each step; returns what `generate()` returns. Mirrors `GenerationMixin._sample`.

    With `recording.drop_finished` rows that have ended leave the batch: the model reads fewer. All else keeps its
    width, with a flat distribution in those rows, which the trace does not get.

    Args:
        input_ids: [rows, length].
        generator: draws the samples; None draws from torch's global state, as `generate()` does.
    """
    returned = GenerateOutput(model, generation_config, model_kwargs)
    pad_token_id = pad_token_tensor(generation_config)
    ends_at_eos = any(hasattr(criterion, "eos_token_id") for criterion in stopping_criteria)
    unfinished = torch.ones(input_ids.shape[0], dtype=torch.long, device=input_ids.device)  # [rows]
    compiled = can_compile(model, model_kwargs, generation_config)
    read = ReadRows(input_ids.shape[0])
    own_place = torch.arange(input_ids.shape[0], device=input_ids.device)
    forward = model.get_compiled_call(generation_config.compile_config) if compiled else model.__call__

    # 1. The prompt, at once.
    outputs = prefill(model, input_ids, generation_config, model_kwargs)
    with optimized_for_decoding(model):
        while True:
            model_kwargs = update_model_kwargs(model, outputs, model_kwargs)
            # 2. Logits of the next token, and what each processor makes of them.
            raw = outputs.logits[:, -1]  # [read, vocab], in the model's dtype
            logits = read.widened(raw.to(copy=True, dtype=torch.float32, device=input_ids.device))  # [rows, vocab]
            stages, scores = run_processors(logits_processor, input_ids, logits)  # [rows, vocab] each
            returned.add(read.told(logits), read.told(scores), outputs)
            recording.observe(raw, [read.of(each) for each in stages], read.left)

            # 3. The choice.
            if generation_config.do_sample:
                probs = torch.nn.functional.softmax(scores, dim=-1)
                tokens = recording.draw(probs, 1, generator).squeeze(1)  # [rows]
            else:
                tokens = torch.argmax(scores, dim=-1)  # [rows]
            if ends_at_eos:
                tokens = tokens * unfinished + pad_token_id.to(tokens.device) * (1 - unfinished)
            input_ids = torch.cat([input_ids, tokens[:, None]], dim=-1)

            # 4. Who goes on?
            hits = recording.stops(stopping_criteria, input_ids, returned.scores)  # [rows]
            step = recording.choose(tokens, unfinished == 0)
            unfinished = unfinished & ~hits
            leaving = unfinished == 0
            why_not = None if ends_at_eos else GO_ON
            if recording.drop_finished and not leaving.all() and recording.may_leave(leaving, model_kwargs, why_not):
                model_kwargs = read.go_on(model, model_kwargs, own_place, leaving)
            recording.keep_cache(model_kwargs.get(CACHE_NAME), read.of(input_ids[:, :-1]))
            yield step
            if unfinished.max() == 0:
                break

            # 5. The model reads the chosen token.
            del outputs  # the first one's logits may be very large
            inputs = model.prepare_inputs_for_generation(
                read.of(input_ids), next_sequence_length=1 if model_kwargs["use_cache"] else None, **model_kwargs
            )
            outputs = forward(**inputs, return_dict=True)
            recording.catch_up()

    recording.sequences = input_ids
    return returned.build(input_ids, model_kwargs)
