"""Penalties, and processors that ban or force tokens, with transformers' operations in transformers' order.

As in `decoding.microscope.warpers`; besides the scores they look at the row's text, or at what else they were given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from decoding.errors import NotRecordedError
from decoding.microscope.slide import ONE, VOCAB, Slide, listed

__all__ = [
    "Context",
    "encoder_repetition_penalty",
    "forced_bos",
    "forced_eos",
    "hamming_diversity",
    "log_softmax",
    "min_length",
    "min_new_tokens",
    "remove_invalid",
    "renormalized",
    "repetition_penalty",
    "suppressed",
    "suppressed_at_begin",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a processor may look at besides the scores.

    Attributes:
        input_ids: int64 [1, length], the row so far, prompt and padding included.
        encoder_ids: int64 [1, length], what an encoder read, or the prompt where there is no encoder.
        row: which of `generate`'s rows this is.
        chosen_before: int64 [n], what beams of earlier groups chose at this step, in diverse beam search.
    """

    input_ids: Tensor
    encoder_ids: Tensor | None = None
    row: int = 0
    chosen_before: Tensor | None = None


def log_softmax(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """Beam methods begin with log-probabilities."""
    log_probs = torch.nn.functional.log_softmax(scores, dim=-1)
    s.op(
        "torch.nn.functional.log_softmax", "log_probs = nn.functional.log_softmax(logits, dim=-1)",
        [VOCAB("logits", scores)], [VOCAB("log_probs", log_probs)], "log_softmax",
    )  # fmt: skip
    return log_probs


def renormalized(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """Scores as log-probabilities again."""
    scores_processed = scores.log_softmax(dim=-1)
    s.op(
        "torch.nn.functional.log_softmax", "scores_processed = scores.log_softmax(dim=-1)",
        [VOCAB("scores", scores)], [VOCAB("scores_processed", scores_processed)], "log_softmax",
    )  # fmt: skip
    return scores_processed


# --- penalties


def repetition_penalty(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """What stands in the text, prompt included, is made less likely."""
    vocab_size = scores.shape[-1]
    input_ids = _without_padding(s, context, params.get("prompt_ignore_length"), vocab_size)
    text = listed("prefix", input_ids[0])
    clamped = input_ids.clamp(max=vocab_size)
    s.op(
        "torch.clamp", "input_ids = input_ids.clamp(max=vocab_size)",
        [text("input_ids", input_ids)], [text("input_ids", clamped)], "penalty.clamp", edits=True,
        n=input_ids.shape[-1], vocab=vocab_size, n_tokens=len(clamped.unique()),
    )  # fmt: skip
    padded = torch.nn.functional.pad(scores, (0, 1))
    s.op(
        "torch.nn.functional.pad", "scores = torch.nn.functional.pad(scores, (0, 1))",
        [VOCAB("scores", scores)], [VOCAB("scores", padded)], "penalty.pad", vocab=vocab_size,
    )  # fmt: skip
    s.wanted = _likeliest_of(scores[0], clamped[0])
    scores_processed = _penalized(s, padded, clamped, params["penalty"], "input_ids")
    cut = scores_processed[..., :vocab_size]
    s.op(
        "torch.Tensor[:]", "scores_processed = scores_processed[..., :vocab_size]",
        [VOCAB("scores_processed", scores_processed)], [VOCAB("scores_processed", cut)], "penalty.cut",
        vocab=vocab_size,
    )  # fmt: skip
    return cut


def _without_padding(s: Slide, context: Context, skipped: int | list[int] | None, vocab_size: int) -> Tensor:
    """The row's ids without what the penalty leaves out: a number of first ones, or for each row its padding."""
    input_ids = context.input_ids
    if skipped is None:
        return input_ids
    whole = listed("prefix", input_ids[0])
    if isinstance(skipped, int):
        kept = input_ids[:, skipped:]
        s.op(
            "torch.Tensor[:]", "input_ids = input_ids[:, self.prompt_ignore_length :]",
            [whole("input_ids", input_ids), ONE("self.prompt_ignore_length", skipped)],
            [listed("prefix", kept[0])("input_ids", kept)], "penalty.skip", n=skipped,
        )  # fmt: skip
        return kept
    n, positions = torch.tensor([skipped[context.row]]), torch.arange(input_ids.shape[1])
    filled = input_ids.masked_fill(positions[None, :] < n[:, None], vocab_size)
    s.op(
        "torch.Tensor.masked_fill",
        "input_ids = input_ids.masked_fill(positions[None, :] < self.prompt_ignore_length[:, None], vocab_size)",
        [whole("input_ids", input_ids), whole("positions", positions), ONE("self.prompt_ignore_length", n)],
        [listed("prefix", filled[0])("input_ids", filled)],
        "penalty.padding" if int(n) else "penalty.padding.none",
        also=("torch.arange", "torch.lt"), edits=True, n=int(n), vocab=vocab_size,
    )  # fmt: skip
    return filled


def encoder_repetition_penalty(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """What stands in the input is made more likely: the same operations with 1 ÷ penalty."""
    if context.encoder_ids is None:
        raise NotRecordedError("the ids that the encoder read are not known")
    s.wanted = _likeliest_of(scores[0], context.encoder_ids[0])
    return _penalized(s, scores, context.encoder_ids, params["penalty"], "encoder_input_ids")


def _penalized(s: Slide, scores: Tensor, ids: Tensor, penalty: float, name: str) -> Tensor:
    text = listed("prefix", ids[0])
    score = torch.gather(scores, 1, ids)
    s.op(
        "torch.gather", f"score = torch.gather(scores, 1, {name})",
        [VOCAB("scores", scores), text(name, ids)], [text("score", score)], f"penalty.gather.{name}", n=ids.shape[-1],
    )  # fmt: skip
    below = score < 0
    s.op(
        "torch.lt", "score < 0", [text("score", score)], [text("score < 0", below)], "penalty.lt",
        n_true=int(below.sum()),
    )  # fmt: skip
    penalized = torch.where(below, score * penalty, score / penalty)
    s.op(
        "torch.where", "score = torch.where(score < 0, score * self.penalty, score / self.penalty)",
        [text("score", score), text("score < 0", below), text("score * self.penalty", score * penalty),
         text("score / self.penalty", score / penalty), ONE("self.penalty", penalty)],
        [text("score", penalized)],
        "penalty.where", also=("torch.mul", "torch.div"), edits=True, penalty=penalty,
    )  # fmt: skip
    scores_processed = scores.scatter(1, ids, penalized)
    s.op(
        "torch.scatter", f"scores_processed = scores.scatter(1, {name}, score)",
        [VOCAB("scores", scores), text(name, ids), text("score", penalized)],
        [VOCAB("scores_processed", scores_processed)],
        "penalty.scatter", edits=True, n_changed=int((scores_processed != scores).sum()),
    )  # fmt: skip
    return scores_processed


def hamming_diversity(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """What beams of earlier groups chose at this step costs; `HammingDiversityLogitsProcessor` is this project's."""
    chosen, penalty = context.chosen_before, params["diversity_penalty"]
    if chosen is None:
        raise NotRecordedError("what the earlier groups chose is not known")
    if not len(chosen):
        s.op("torch.clone", "scores", [VOCAB("scores", scores)], [VOCAB("scores", scores)], "hamming.first")
        return scores
    s.wanted = tuple(chosen.unique().tolist())
    nothing = torch.zeros_like(scores)
    counts = nothing.scatter_add(1, chosen[None], torch.ones_like(chosen[None], dtype=scores.dtype))
    s.op(
        "torch.Tensor.scatter_add_", "counts.scatter_add_(1, tokens, torch.ones_like(tokens, dtype=scores.dtype))",
        [VOCAB("counts", nothing), listed("chosen", chosen)("tokens", chosen[None])], [VOCAB("counts", counts)],
        "hamming.count", also=("torch.ones_like",), edits=True, n=len(chosen),
    )  # fmt: skip
    scores_processed = scores - penalty * counts
    s.op(
        "torch.sub", "scores - self.diversity_penalty * counts",
        [VOCAB("scores", scores), VOCAB("counts", counts), ONE("self.diversity_penalty", penalty)],
        [VOCAB("scores - self.diversity_penalty * counts", scores_processed)],
        "hamming.sub", also=("torch.mul",), edits=True, penalty=penalty,
    )  # fmt: skip
    return scores_processed


# --- bans and forced tokens


def min_length(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """No end before the whole is so long."""
    acts = context.input_ids.shape[-1] < params["min_length"]
    return _banned(s, scores, params["eos_token_id"], "eos_token_id", "eos_token_mask", acts, "-math.inf")


def min_new_tokens(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """No end before there are so many new tokens."""
    n_new = context.input_ids.shape[-1] - params["prompt_length_to_skip"]
    acts = n_new < params["min_new_tokens"]
    return _banned(s, scores, params["eos_token_id"], "eos_token_id", "eos_token_mask", acts, "-math.inf")


def suppressed(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """Tokens that may never come."""
    name = "suppress_tokens"
    return _banned(s, scores, params[name], name, "suppress_token_mask", True, '-float("inf")', "scores")


def suppressed_at_begin(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """Tokens that may not come first."""
    name, acts = "begin_suppress_tokens", context.input_ids.shape[-1] == params["begin_index"]
    return _banned(s, scores, params[name], name, "suppress_token_mask", acts, '-float("inf")')


def _banned(
    s: Slide, scores: Tensor, ids: Sequence[int] | int, name: str, mask: str, acts: bool, never: str,
    result: str = "scores_processed",
) -> Tensor:  # fmt: skip
    banned = torch.tensor(ids if isinstance(ids, list) else [ids])
    s.wanted = tuple(banned.tolist())
    vocab_tensor = torch.arange(scores.shape[-1])
    masked = torch.isin(vocab_tensor, banned)
    s.op(
        "torch.isin", f"{mask} = torch.isin(vocab_tensor, self.{name})",
        [VOCAB("vocab_tensor", vocab_tensor), listed("list", banned)(f"self.{name}", banned)], [VOCAB(mask, masked)],
        "ban.isin", also=("torch.arange",), n=len(banned), n_true=int(masked.sum()),
    )  # fmt: skip
    if not acts:
        s.op("torch.clone", "scores", [VOCAB("scores", scores)], [VOCAB("scores", scores)], "ban.idle")
        return scores
    after = torch.where(masked, -math.inf, scores)
    s.op(
        "torch.where", f"{result} = torch.where({mask}, {never}, scores)",
        [VOCAB("scores", scores), VOCAB(mask, masked)], [VOCAB(result, after)], "masked_fill", edits=True,
        n_removed=int(((scores > -math.inf) & masked).sum()), n_alive=int((after > -math.inf).sum()),
    )  # fmt: skip
    return after


def forced_bos(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """The first token is given."""
    return _forced(s, scores, params["bos_token_id"], "bos_token_id", context.input_ids.shape[-1] == 1)


def forced_eos(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """The last token is given."""
    acts = context.input_ids.shape[-1] == params["max_length"] - 1
    return _forced(s, scores, params["eos_token_id"], "eos_token_id", acts)


def _forced(s: Slide, scores: Tensor, ids: Sequence[int] | int, name: str, acts: bool) -> Tensor:
    ids = [ids] if isinstance(ids, int) else list(ids)
    s.wanted = tuple(ids)
    if not acts:
        s.op("torch.clone", "scores", [VOCAB("scores", scores)], [VOCAB("scores", scores)], "ban.idle")
        return scores
    nothing = torch.full_like(scores, -math.inf)
    s.op(
        "torch.full_like", "scores_processed = torch.full_like(scores, -math.inf)",
        [VOCAB("scores", scores)], [VOCAB("scores_processed", nothing)], "force.full", edits=True,
    )  # fmt: skip
    after = nothing.clone()
    after[:, torch.tensor(ids)] = 0
    s.op(
        "torch.Tensor.index_put_", f"scores_processed[:, self.{name}] = 0",
        [VOCAB("scores_processed", nothing)], [VOCAB("scores_processed", after)], "force.put", edits=True, n=len(ids),
    )  # fmt: skip
    return after


def remove_invalid(s: Slide, scores: Tensor, params: Mapping[str, Any], context: Context) -> Tensor:
    """NaN becomes 0, the infinities the largest and the smallest number."""
    limits = torch.finfo(scores.dtype)
    steps = (
        ("scores != scores", "0.0", scores != scores, 0.0, "torch.ne"),
        ('scores == float("inf")', "torch.finfo(scores.dtype).max", scores == math.inf, limits.max, "torch.eq"),
        ('scores == -float("inf")', "torch.finfo(scores.dtype).min", scores == -math.inf, limits.min, "torch.eq"),
    )
    after, name = scores, "scores"
    for test, written, where, value, compared in steps:
        changed = torch.where(where, value, after)
        s.op(
            "torch.where", f"scores_processed = torch.where({test}, {written}, {name})",
            [VOCAB(name, after), VOCAB(test, where)], [VOCAB("scores_processed", changed)], "invalid.where",
            also=(compared,), edits=True, n_true=int(where.sum()), value=value,
        )  # fmt: skip
        after, name = changed, "scores_processed"
    return after


def _likeliest_of(scores: Tensor, ids: Tensor) -> tuple[int, ...]:
    """The four tokens of a text with the highest scores."""
    known = ids[ids < len(scores)].unique()
    return tuple(known[torch.topk(scores[known], min(4, len(known))).indices].tolist())
