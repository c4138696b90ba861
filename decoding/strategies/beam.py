"""Beam search and beam sampling: several continuations at once, the best of all kept at each step."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import torch
import transformers
from packaging.version import Version
from torch import Tensor
from transformers.generation import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from decoding.recorded.ledger import NEVER, BeamStep
from decoding.recorded.run import Step
from decoding.recorded.stages import run_processors
from decoding.strategies.cache import CACHE_NAME, prefill
from decoding.strategies.generate_output import GenerateOutput
from decoding.strategies.prompt_once import forget_prompts
from decoding.strategies.read_rows import ReadRows
from decoding.strategies.recording import Recording
from decoding.transformers_private import eos_token_tensor, pad_token_tensor, update_model_kwargs

__all__ = ["beam"]

# From 5.24 on transformers sorts what beam sampling drew; before, the order was that of the draws.
BEST_DRAWN_FIRST = Version(transformers.__version__) >= Version("5.24.0.dev0")


@torch.no_grad()
def beam(
    model: Any,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    recording: Recording,
    generator: torch.Generator | None = None,
    **model_kwargs: Any,
) -> Generator[Step, None, Any]:
    """Yields each step; returns what `generate()` returns. Mirrors `GenerationMixin._beam_search`.

    P prompts, B beams, V tokens, K candidates a step, T positions up to the maximum length.

    With `recording.drop_finished` the rows of prompts whose search is over leave the batch: the model reads fewer. All
    else keeps its width, with a flat distribution in those rows, which the trace does not get. With
    `recording.compile_beams` the steps are compiled as those of sampling, which `generate()` does not do.

    Args:
        input_ids: [P · B, length].
        generator: draws in beam sampling; None draws from torch's global state, as `generate()` does.
    """
    config, device = generation_config, input_ids.device
    n_beams, penalty, early_stopping = config.num_beams, config.length_penalty, config.early_stopping
    n_prompts, start = input_ids.shape[0] // n_beams, input_ids.shape[1]
    eos = eos_token_tensor(config)
    n_candidates = max(2, 1 + (0 if eos is None else eos.shape[0])) * n_beams
    among_top = torch.arange(n_candidates, device=device) < n_beams  # [K]
    row_offset = torch.arange(n_prompts, device=device).view(-1, 1) * n_beams  # [P, 1]
    returned = GenerateOutput(model, config, model_kwargs)

    # 1. Only the first beam counts at first: all are the same prompt.
    fill = (pad_token_tensor(config) or eos[0]) if eos is not None else -1
    running = torch.full((n_prompts, n_beams, config.max_length), fill, dtype=torch.int64, device=device)
    running[:, :, :start] = input_ids.view(n_prompts, n_beams, start)  # [P, B, T]
    running_score = torch.zeros((n_prompts, n_beams), dtype=torch.float, device=device)
    running_score[:, 1:] = NEVER
    running_from = torch.full(
        (n_prompts, n_beams, config.max_length - start), -1, dtype=torch.int32, device=device
    )  # [P, B, T - start], the row each token was chosen in
    pool, pool_from = running.clone(), running_from.clone()
    pool_score = torch.full((n_prompts, n_beams), NEVER, dtype=torch.float, device=device)
    pool_done = torch.zeros((n_prompts, n_beams), dtype=torch.bool, device=device)
    improvable = torch.ones((n_prompts, 1), dtype=torch.bool, device=device)

    forward = recording.beam_forward(model_kwargs)
    outputs = prefill(model, input_ids, config, model_kwargs, share=recording.share_prefill)
    read, left = ReadRows(n_prompts * n_beams), torch.zeros(n_prompts, dtype=torch.bool, device=device)  # [P]
    padding = 0 if (pad := pad_token_tensor(config)) is None else max(0, int(pad))
    for length in range(start, config.max_length):
        model_kwargs = update_model_kwargs(model, outputs, model_kwargs)
        # 2. Log-probabilities of the next token, and what each processor makes of them.
        raw = outputs.logits[:, -1, :]  # [read, V], in the model's dtype
        logits = read.widened(raw.to(copy=True, dtype=torch.float32, device=device))  # [P · B, V]
        log_softmax = torch.nn.functional.log_softmax(logits, dim=-1)
        rows = running[:, :, :length].flatten(0, 1)  # [P · B, length]
        stages, logprobs = run_processors(logits_processor, rows, log_softmax)  # [P · B, V] each
        returned.add(read.told(logits.clone()), read.told(logprobs.clone()), outputs)
        recording.observe(raw, [read.of(scores) for scores in (logits, *stages)], read.left)

        # 3. The K best of all continuations of all beams, or K drawn from them.
        n_tokens = logprobs.shape[-1]
        per_beam = logprobs.reshape(n_prompts, n_beams, n_tokens) + running_score[:, :, None]  # [P, B, V]
        summed = per_beam.reshape(n_prompts, -1)  # [P, B · V]
        if config.do_sample:
            probs = torch.nn.functional.softmax(summed, dim=-1)
            chosen = recording.draw(probs, n_candidates, generator)
            score = torch.gather(summed, 1, chosen)
            if BEST_DRAWN_FIRST:
                score, order = score.sort(dim=-1, descending=True)
                chosen = chosen.gather(dim=-1, index=order)
        else:
            score, chosen = torch.topk(summed, k=n_candidates)  # [P, K]
        beam_of, token = chosen // n_tokens, chosen % n_tokens  # [P, K]
        candidates = _take(running, beam_of)  # [P, K, T]
        candidates[:, :, length] = token
        candidates_from = _take(running_from, beam_of)
        candidates_from[:, :, length - start] = beam_of + row_offset

        # 4. Which of them end here, and which go on.
        ended = recording.stops(
            stopping_criteria, candidates[:, :, : length + 1].flatten(0, 1), returned.scores
        ).reshape(n_prompts, n_candidates)  # [P, K]
        if_running = score + ended.to(torch.float32) * NEVER
        next_rows = torch.topk(if_running, k=n_beams)[1]  # [P, B]
        running, running_from = _take(candidates, next_rows), _take(candidates_from, next_rows)
        running_score = _take(if_running, next_rows)

        # 5. Those that ended among the top compete for the pool, with a score that counts their length.
        searching = improvable[:, 0] & ~(pool_done.bool().all(dim=-1) & (early_stopping is True))  # [P]
        finished = ended & among_top[None, :]
        final_score = score / ((length + 1 - start) ** penalty)
        competing = final_score.clone()
        competing += (pool_done.all(dim=-1, keepdim=True) & (early_stopping is True)).to(torch.float32) * NEVER
        competing += (~improvable).to(torch.float32) * NEVER
        competing += (~finished) * NEVER
        best = torch.topk(torch.cat([pool_score, competing], dim=1), k=n_beams)[1]  # [P, B], places among B + K
        pool = _take(torch.cat([pool, candidates], dim=1), best)
        pool_score = _take(torch.cat([pool_score, competing], dim=1), best)
        pool_from = _take(torch.cat([pool_from, candidates_from], dim=1), best)
        pool_done = _take(torch.cat([pool_done, finished], dim=1), best)

        # 6. Can the search still find better?
        improvable = improvable & _can_improve(
            running_score, pool_score, pool_done, length + 1 - start, config.max_length - start, penalty, early_stopping
        )
        go_on = improvable.any() & ~(pool_done.all() & (early_stopping is True)) & ~ended.all()
        parents = _take(beam_of + row_offset, next_rows).flatten()  # [P · B]
        leaving = _settled(pool_score, pool_done, improvable, early_stopping)  # [P]
        leaves = bool(go_on) and recording.may_leave(leaving, model_kwargs)
        model_kwargs = read.go_on(model, model_kwargs, parents, leaving.repeat_interleave(n_beams) if leaves else None)
        if not go_on:
            recording.sequences, beams = _cut(pool, pool_score, pool_from, config.num_return_sequences, start)
        logprob = torch.gather(logprobs.reshape(n_prompts, -1), 1, chosen)
        beam_step = BeamStep(
            parent=beam_of + row_offset, token=token, logprob=logprob, score=score, ended=ended.bool(),
            final_score=final_score, next_rows=next_rows, pool_from=best, pool_score=pool_score,
            pool_done=pool_done.bool(), searching=searching, n_top=n_beams,
        )  # fmt: skip
        recording.keep_cache(model_kwargs.get(CACHE_NAME), read.of(running[:, :, :length].flatten(0, 1)))
        beam_step = _but_left(beam_step, left, padding) if read.left else beam_step
        yield recording.choose_beams(beam_step, improvable[:, 0])
        if not go_on:
            break
        if leaves:
            left, improvable = left | leaving, improvable & ~leaving[:, None]

        # 7. The model reads the chosen tokens, each row with its parent's cache.
        outputs = None  # the first one's logits may be very large
        inputs = model.prepare_inputs_for_generation(
            read.of(running[:, :, : length + 1].flatten(0, 1)),
            next_sequence_length=1 if model_kwargs["use_cache"] else None,
            **model_kwargs,
        )
        outputs = forward(**inputs, return_dict=True)
        recording.catch_up()

    forget_prompts(model_kwargs.get(CACHE_NAME))
    final = beams["sequences_scores"] if config.output_scores else None
    return returned.build(recording.sequences, model_kwargs, beams={**beams, "sequences_scores": final})


def _take(tensor: Tensor, index: Tensor) -> Tensor:
    """Picks entries of dimension 1: tensor [P, n, …], index [P, m] gives [P, m, …]."""
    index = index.view(*index.shape, *([1] * (tensor.ndim - 2)))
    return torch.take_along_dim(tensor, index, dim=1)


def _can_improve(
    running_score: Tensor,
    pool_score: Tensor,
    pool_done: Tensor,
    n_new: int,
    n_most: int,
    penalty: float,
    early_stopping: bool | str,
) -> Tensor:
    """bool [P, 1]: could the best running beam still beat the worst hypothesis? Exact only for 'never'.

    Mirrors `GenerationMixin._check_early_stop_heuristic`: the best score still possible is taken to be the
    present sum at the present length, or with 'never' and a penalty above 0 at the greatest length.
    """
    length = n_most if early_stopping == "never" and penalty > 0.0 else n_new
    best_possible = running_score[:, :1] / (length**penalty)
    if pool_done.dtype == torch.uint8:  # from a criterion of the caller's; torch takes it, too, but warns
        pool_done = pool_done.bool()
    worst = torch.where(pool_done, pool_score.min(dim=1, keepdim=True)[0], NEVER)
    return torch.any(best_possible > worst, dim=-1, keepdim=True)


def _settled(pool_score: Tensor, pool_done: Tensor, improvable: Tensor, early_stopping: bool | str) -> Tensor:
    """bool [P]: the search of a prompt is over and its pool full, so that nothing more can come into it.

    From here on its candidates compete with -1e9 added to their score, as `generate()` has it: whatever is in the pool
    and came there by a sum of log-probabilities is better. `improvable` never becomes true again. Only a model whose
    logits turn into NaN later, which are above all, would still get something in.
    """
    over = ~improvable[:, 0] if early_stopping is not True else torch.ones_like(improvable[:, 0])
    return over & pool_done.bool().all(-1) & (pool_score > NEVER / 2).all(-1)


def _but_left(step: BeamStep, left: Tensor, padding: int) -> BeamStep:
    """The step without candidates of prompts that left (bool [P]): their rows carry on with padding."""
    n_prompts, n_candidates = step.parent.shape
    gone, n_beams = left[:, None].expand(-1, n_candidates), step.next_rows.shape[1]
    own = torch.arange(n_prompts * n_beams, device=left.device).view(n_prompts, n_beams)  # rows
    place = torch.arange(n_candidates, device=left.device).clamp(max=n_beams - 1)  # among the prompt's own
    return replace(
        step,
        parent=torch.where(gone, own[:, place], step.parent),
        token=step.token.masked_fill(gone, padding),
        logprob=step.logprob.masked_fill(gone, 0.0),
        score=step.score.masked_fill(gone, 0.0),
        ended=step.ended & ~gone,
        next_rows=torch.where(left[:, None], own[0], step.next_rows),
        absent=gone,
    )


def _cut(
    pool: Tensor, pool_score: Tensor, pool_from: Tensor, n_returned: int, start: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """The n best of each prompt, cut to the longest: sequences, and `generate`'s beam outputs."""
    sequences, origins = pool[:, :n_returned].flatten(0, 1), pool_from[:, :n_returned].flatten(0, 1)
    longest = ((origins + 1).bool()).sum(dim=1).max()
    beams = {"sequences_scores": pool_score[:, :n_returned].flatten(), "beam_indices": origins[:, :longest]}
    return sequences[:, : start + longest], beams
