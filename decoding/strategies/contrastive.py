"""Contrastive search: of the likeliest tokens, the one that is least like what was said before.

Su et al. 2022, "A Contrastive Framework for Neural Text Generation": among the k likeliest tokens the one with
the highest (1 − α) · probability − α · max cos(its hidden state, a hidden state of the context). transformers 5
no longer ships it; this loop chooses what transformers 4.46 chose.
"""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.generation import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from decoding.errors import RecordingError
from decoding.recorded.contrastive_candidates import contrastive_arrays
from decoding.recorded.run import Step
from decoding.recorded.stages import run_processors
from decoding.strategies.cache import CACHE_NAME, growing_cache, is_empty
from decoding.strategies.generate_output import GenerateOutput
from decoding.strategies.recording import Recording
from decoding.transformers_private import expand_inputs, is_stateful, pad_token_tensor, update_model_kwargs

__all__ = ["contrastive", "degeneration_penalty"]


@torch.no_grad()
def contrastive(
    model: Any,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    recording: Recording,
    generator: torch.Generator | None = None,
    **model_kwargs: Any,
) -> Generator[Step, None, Any]:
    """Yields each step; returns what `generate()` of transformers 4.46 returned.

    R rows, k candidates of each, V tokens, H values of a hidden state.

    Args:
        input_ids: [R, length].
        generator: not used; nothing is drawn.
    """
    config, k, alpha = generation_config, generation_config.top_k, generation_config.penalty_alpha
    model_kwargs = growing_cache(model, model_kwargs)
    _check(model, config, model_kwargs)
    returned = GenerateOutput(model, config, model_kwargs)
    pad_token_id, encoder_decoder = pad_token_tensor(config), model.config.is_encoder_decoder
    ends_at_eos = any(hasattr(criterion, "eos_token_id") for criterion in stopping_criteria)
    unfinished = torch.ones(input_ids.shape[0], dtype=torch.long, device=input_ids.device)  # [R]
    first_candidate = torch.arange(input_ids.shape[0], device=input_ids.device) * k  # [R], among all R · k

    # 1. The prompt, at once; the hidden states of the context are kept, those of padding count for nothing.
    model_kwargs["output_hidden_states"] = True
    mask = model_kwargs.get("decoder_attention_mask" if encoder_decoder else "attention_mask")
    inputs = model.prepare_inputs_for_generation(input_ids, is_first_iteration=True, **model_kwargs)
    outputs = model(**inputs, return_dict=True)
    context = _last_hidden(outputs)  # [R, length, H]
    ones = torch.ones(context.shape[:2], dtype=torch.long, device=context.device)
    mask = ones if mask is None else mask  # [R, length]
    raw, outputs.logits = outputs.logits[:, -1].clone(), None  # [R, V], in the model's dtype
    _check_top_k(k, raw.shape[-1])
    model_kwargs = update_model_kwargs(model, outputs, model_kwargs)
    cache = _checked_cache(model, model_kwargs)
    model_kwargs = expand_inputs(model, k, model_kwargs)
    read = input_ids  # [R, length], what the cache holds

    while True:
        # 2. The k likeliest tokens, after all processors.
        logits = raw.to(copy=True, dtype=torch.float32, device=input_ids.device)
        stages, scores = run_processors(logits_processor, input_ids, logits)  # [R, V] each
        returned.add(logits, scores, outputs)
        recording.observe(raw, stages)
        probs = torch.nn.functional.softmax(scores, dim=-1)  # [R, V]
        recording.check_drawable(probs)
        confidence, candidates = torch.topk(probs, k=k)  # [R, k]

        # 3. The model reads all of them, each after the same context.
        cache.batch_repeat_interleave(k)
        inputs = model.prepare_inputs_for_generation(candidates.view(-1, 1), **model_kwargs)
        outputs = model(**inputs, return_dict=True)
        recording.catch_up()
        hidden = _last_hidden(outputs).view(*candidates.shape, -1)  # [R, k, H]

        # 4. The choice: confidence, less the likeness to the context.
        penalty, where = degeneration_penalty(context, hidden, mask)  # [R, k]
        score = (1.0 - alpha) * confidence - alpha * penalty.to(confidence.device)
        best = score.max(dim=-1).indices  # [R]
        chosen = candidates.gather(1, best[:, None]).squeeze(1)
        tokens = chosen
        if ends_at_eos:
            tokens = chosen * unfinished + pad_token_id.to(chosen.device) * (1 - unfinished)
        input_ids = torch.cat([input_ids, tokens[:, None]], dim=-1)

        # 5. What the chosen candidate was read with is kept, the others are forgotten.
        of_chosen = first_candidate + best
        cache.batch_select_indices(of_chosen)
        model_kwargs = update_model_kwargs(model, outputs, model_kwargs)
        raw = outputs.logits[of_chosen, -1]
        outputs = _of_rows(outputs, of_chosen)
        context = torch.cat([context, _last_hidden(outputs)], dim=1)
        mask = torch.cat([mask, mask.new_ones(mask.shape[0], 1)], dim=-1)
        read = torch.cat([read, chosen[:, None]], dim=-1)

        # 6. Who goes on?
        hits = recording.stops(stopping_criteria, input_ids, returned.scores)  # [R]
        weighed = contrastive_arrays(candidates, confidence, penalty, where, score, best)
        step = recording.choose(tokens, unfinished == 0, extra=weighed)
        unfinished = unfinished & ~hits
        recording.keep_cache(cache, read)
        yield step
        if unfinished.max() == 0:
            break

    recording.sequences = input_ids
    return returned.build(input_ids, model_kwargs)


def degeneration_penalty(context: Tensor, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """How much each candidate is like the context: the largest cosine, and the position it is reached at.

    Args:
        context: hidden states [R, length, H].
        hidden: hidden states of the candidates [R, k, H].
        mask: [R, length], 0 at padding, which is not looked at.

    Returns:
        Cosines in [-1, 1] and positions, both [R, k].
    """
    context = context / context.norm(dim=-1, keepdim=True)
    hidden = hidden / hidden.norm(dim=-1, keepdim=True)
    cosine = hidden @ context.transpose(1, 2)  # [R, k, length]
    cosine = cosine.masked_fill((mask == 0)[:, None, :].to(cosine.device), torch.finfo(cosine.dtype).min)
    return cosine.max(dim=-1)


def _last_hidden(outputs: Any) -> Tensor:
    """The last layer's hidden states (a decoder's, where there are two), [rows, positions, H]."""
    states = getattr(outputs, "decoder_hidden_states", None)
    return (outputs.hidden_states if states is None else states)[-1]


def _of_rows(outputs: Any, rows: Tensor) -> SimpleNamespace:
    """Hidden states and attentions of some rows, by the model's own names."""
    names = ("hidden_states", "attentions", "decoder_hidden_states", "decoder_attentions", "cross_attentions")
    layers = {name: getattr(outputs, name, None) for name in names}
    return SimpleNamespace(**{
        name: None if states is None else tuple(layer[rows] for layer in states) for name, states in layers.items()
    })  # fmt: skip


def _check(model: Any, config: GenerationConfig, model_kwargs: dict[str, Any]) -> None:
    cache = model_kwargs.get(CACHE_NAME)
    if not config.use_cache:
        raise RecordingError("use_cache must be True for contrastive search, got False; leave it out")
    if is_stateful(model):
        raise RecordingError(
            "{model_type} cannot do contrastive search: what it remembers cannot be taken back to try another "
            "candidate; use another model or another mode",
            model_type=type(model).__name__,
        )
    if cache is not None and not is_empty(cache):
        raise RecordingError(
            "contrastive search compares with the hidden states of the whole context, which a filled cache does not "
            "hold; leave {cache_name} out",
            cache_name=CACHE_NAME,
        )


def _checked_cache(model: Any, model_kwargs: dict[str, Any]) -> DynamicCache | EncoderDecoderCache:
    """The model's cache, which can be copied to the candidates and taken back from one."""
    cache = model_kwargs.get(CACHE_NAME)
    own = cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache
    if not isinstance(own, DynamicCache):
        raise RecordingError(
            "{model_type} with a {own_type} cannot do contrastive search, which copies the cache to every candidate; "
            "leave cache_implementation out",
            model_type=type(model).__name__, own_type=type(own).__name__,
        )
    return cache


def _check_top_k(k: int, n_tokens: int) -> None:
    if k > n_tokens:
        raise RecordingError(
            "top_k must be in [2, {n}], the size of the vocabulary, for contrastive search, got {k}; lower it",
            n=n_tokens, k=k,
        )
