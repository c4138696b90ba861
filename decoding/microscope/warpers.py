"""Temperature and the truncation rules, with transformers' operations in transformers' order.

Each function executes what the `__call__` of the class it is named after does to one row, [1, vocab], notes every
operation on a slide, and returns the processed scores. Lines are quoted as the source has them, so that it can be
read beside this; what a line does in several operations stands in several lines here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from decoding.microscope.slide import ONE, VOCAB, Slide, Space, listed

__all__ = ["epsilon", "eta", "min_p", "temperature", "top_h", "top_k", "top_p", "typical"]

SOFTMAX = "torch.nn.functional.softmax"
LOG_SOFTMAX = "torch.nn.functional.log_softmax"


def temperature(s: Slide, scores: Tensor, params: Mapping[str, Any]) -> Tensor:
    """scores ÷ temperature."""
    t = params["temperature"]
    scores_processed = scores / t
    side = "one" if t == 1 else "below" if t < 1 else "above"
    s.op(
        "torch.div", "scores_processed = scores / self.temperature",
        [VOCAB("scores", scores), ONE("self.temperature", t)], [VOCAB("scores_processed", scores_processed)],
        f"temperature.div.{side}", edits=True, temperature=t,
    )  # fmt: skip
    return scores_processed


def top_k(s: Slide, scores: Tensor, params: Mapping[str, Any]) -> Tensor:
    """All below the k-th best score go; what ties with it stays."""
    asked = params["top_k"]
    k = min(asked, scores.size(-1))
    best, best_ids = torch.topk(scores, k)
    line = best[..., -1, None]
    note = "top_k.topk" if k == asked else "top_k.topk.capped"
    s.op(
        "torch.topk", "torch.topk(scores, top_k)[0][..., -1, None]",
        [VOCAB("scores", scores), ONE("top_k", k)],
        [listed("top", best_ids[0])("torch.topk(scores, top_k)[0]", best),
         ONE("torch.topk(scores, top_k)[0][..., -1, None]", line)],
        note, k=k, asked=asked, n=scores.size(-1), line=line.item(),
    )  # fmt: skip
    indices_to_remove = scores < line
    s.op(
        "torch.lt", "indices_to_remove = scores < torch.topk(scores, top_k)[0][..., -1, None]",
        [VOCAB("scores", scores), ONE("torch.topk(scores, top_k)[0][..., -1, None]", line)],
        [VOCAB("indices_to_remove", indices_to_remove)],
        "top_k.lt", line=line.item(), n_true=int(indices_to_remove.sum()),
    )  # fmt: skip
    return _masked(s, scores, indices_to_remove)


def top_p(s: Slide, scores: Tensor, params: Mapping[str, Any]) -> Tensor:
    """Summed from the least likely up, all go while the sum is at most 1 − top_p."""
    p, least, n = params["top_p"], params.get("min_tokens_to_keep", 1), scores.size(-1)
    sorted_logits, sorted_indices = torch.sort(scores, descending=False)
    order = s.order = listed("sorted", sorted_indices[0])
    s.op(
        "torch.sort", "sorted_logits, sorted_indices = torch.sort(scores, descending=False)",
        [VOCAB("scores", scores)],
        [order("sorted_logits", sorted_logits), order("sorted_indices", sorted_indices)],
        "top_p.sort", n=n, last=n - 1,
    )  # fmt: skip
    cumulative_probs = _softmax_cumsum(s, order, sorted_logits, "top_p.cumsum")
    sorted_indices_to_remove = cumulative_probs <= (1 - p)
    s.op(
        "torch.le", "sorted_indices_to_remove = cumulative_probs <= (1 - self.top_p)",
        [order("cumulative_probs", cumulative_probs), ONE("1 - self.top_p", 1 - p)],
        [order("sorted_indices_to_remove", sorted_indices_to_remove)],
        "top_p.le", top_p=p, line=1 - p, n_true=int(sorted_indices_to_remove.sum()),
    )  # fmt: skip
    marked = sorted_indices_to_remove.clone()
    marked[..., -least:] = 0
    _exempted(s, order, sorted_indices_to_remove, marked, "[..., -self.min_tokens_to_keep :] = 0", least, "last")
    return _masked(s, scores, _scattered_back(s, order, marked, sorted_indices))


def min_p(s: Slide, scores: Tensor, params: Mapping[str, Any]) -> Tensor:
    """All go that are less than min_p times as likely as the likeliest."""
    share, asked = params["min_p"], params.get("min_tokens_to_keep", 1)
    probs = torch.softmax(scores, dim=-1)
    s.op(
        SOFTMAX, "probs = torch.softmax(scores, dim=-1)", [VOCAB("scores", scores)], [VOCAB("probs", probs)], "softmax"
    )
    top_probs = probs.amax(dim=-1, keepdim=True)
    s.op(
        "torch.amax", "top_probs = probs.amax(dim=-1, keepdim=True)",
        [VOCAB("probs", probs)], [ONE("top_probs", top_probs)], "min_p.amax", best=top_probs.item(),
    )  # fmt: skip
    scaled_min_p = share * top_probs
    s.op(
        "torch.mul", "scaled_min_p = self.min_p * top_probs",
        [ONE("self.min_p", share), ONE("top_probs", top_probs)], [ONE("scaled_min_p", scaled_min_p)],
        "min_p.mul", min_p=share, best=top_probs.item(), line=scaled_min_p.item(),
    )  # fmt: skip
    tokens_to_remove = probs < scaled_min_p
    s.op(
        "torch.lt", "tokens_to_remove = probs < scaled_min_p",
        [VOCAB("probs", probs), ONE("scaled_min_p", scaled_min_p)], [VOCAB("tokens_to_remove", tokens_to_remove)],
        "below_line", line=scaled_min_p.item(), n_true=int(tokens_to_remove.sum()),
    )  # fmt: skip
    k = min(asked, probs.shape[-1])
    sorted_indices = torch.topk(probs, k, dim=-1).indices
    top = listed("top", sorted_indices[0])
    s.op(
        "torch.topk", "sorted_indices = torch.topk(probs, k, dim=-1).indices",
        [VOCAB("probs", probs), ONE("k", k)], [top("sorted_indices", sorted_indices)], "min_p.topk", k=k,
    )  # fmt: skip
    marked = tokens_to_remove.scatter(-1, sorted_indices, False)
    s.op(
        "torch.Tensor.scatter_", "tokens_to_remove.scatter_(-1, sorted_indices, False)",
        [VOCAB("tokens_to_remove", tokens_to_remove), top("sorted_indices", sorted_indices)],
        [VOCAB("tokens_to_remove", marked)],
        "min_p.scatter", edits=True, n_saved=int((tokens_to_remove & ~marked).sum()),
    )  # fmt: skip
    return _masked(s, scores, marked, "tokens_to_remove")


def typical(s: Slide, scores: Tensor, params: Mapping[str, Any]) -> Tensor:
    """Tokens stay by how near their surprisal is to the entropy, until their mass is reached."""
    mass, least = params["mass"], params.get("min_tokens_to_keep", 1)
    normalized = torch.nn.functional.log_softmax(scores, dim=-1)
    s.op(
        LOG_SOFTMAX, "normalized = torch.nn.functional.log_softmax(scores, dim=-1)",
        [VOCAB("scores", scores)], [VOCAB("normalized", normalized)], "log_softmax",
    )  # fmt: skip
    p = torch.exp(normalized)
    s.op("torch.exp", "p = torch.exp(normalized)", [VOCAB("normalized", normalized)], [VOCAB("p", p)], "typical.exp")
    ent = -(normalized * p).nansum(-1, keepdim=True)
    s.op(
        "torch.nansum", "ent = -(normalized * p).nansum(-1, keepdim=True)",
        [VOCAB("normalized", normalized), VOCAB("p", p)], [VOCAB("normalized * p", normalized * p), ONE("ent", ent)],
        "typical.nansum", also=("torch.mul", "torch.neg"), entropy=ent.item(),
    )  # fmt: skip
    shifted_scores = torch.abs((-normalized) - ent)
    s.goodness = -shifted_scores[0]
    s.op(
        "torch.abs", "shifted_scores = torch.abs((-normalized) - ent)",
        [VOCAB("normalized", normalized), ONE("ent", ent)], [VOCAB("shifted_scores", shifted_scores)],
        "typical.abs", also=("torch.neg", "torch.sub"), entropy=ent.item(),
    )  # fmt: skip
    return _typical_cut(s, scores, shifted_scores, mass, least)


def _typical_cut(s: Slide, scores: Tensor, shifted_scores: Tensor, mass: float, least: int) -> Tensor:
    """The second half of `TypicalLogitsWarper.__call__`: from the distances to who stays."""
    sorted_scores, sorted_indices = torch.sort(shifted_scores, descending=False)
    order = s.order = listed("sorted", sorted_indices[0])
    s.op(
        "torch.sort", "sorted_scores, sorted_indices = torch.sort(shifted_scores, descending=False)",
        [VOCAB("shifted_scores", shifted_scores)],
        [order("sorted_scores", sorted_scores), order("sorted_indices", sorted_indices)], "typical.sort",
    )  # fmt: skip
    sorted_logits = scores.gather(-1, sorted_indices)
    s.op(
        "torch.gather", "sorted_logits = scores.gather(-1, sorted_indices)",
        [VOCAB("scores", scores), order("sorted_indices", sorted_indices)], [order("sorted_logits", sorted_logits)],
        "typical.gather",
    )  # fmt: skip
    cumulative_probs = _softmax_cumsum(s, order, sorted_logits, "typical.cumsum")
    last_ind = (cumulative_probs < mass).sum(dim=1)
    s.op(
        "torch.sum", "last_ind = (cumulative_probs < self.mass).sum(dim=1)",
        [order("cumulative_probs", cumulative_probs), ONE("self.mass", mass)],
        [order("cumulative_probs < self.mass", cumulative_probs < mass), ONE("last_ind", last_ind)],
        "typical.sum", also=("torch.lt",), mass=mass, last_ind=last_ind.item(),
    )  # fmt: skip
    place = last_ind.clamp(max=sorted_scores.shape[-1] - 1)
    s.op(
        "torch.Tensor.clamp_", "last_ind.clamp_(max=sorted_scores.shape[-1] - 1)",
        [ONE("last_ind", last_ind)], [ONE("last_ind", place)], "typical.clamp", last=sorted_scores.shape[-1] - 1,
    )  # fmt: skip
    line = sorted_scores.gather(1, place.view(-1, 1))
    sorted_indices_to_remove = sorted_scores > line
    s.op(
        "torch.gt",
        "sorted_indices_to_remove = sorted_scores > sorted_scores.gather(1, last_ind.view(-1, 1))",
        [order("sorted_scores", sorted_scores), ONE("sorted_scores.gather(1, last_ind.view(-1, 1))", line)],
        [order("sorted_indices_to_remove", sorted_indices_to_remove)],
        "typical.gt", also=("torch.gather", "torch.Tensor.view"), line=line.item(), place=place.item(),
        n_true=int(sorted_indices_to_remove.sum()),
    )  # fmt: skip
    marked = sorted_indices_to_remove.clone()
    marked[..., :least] = 0
    _exempted(s, order, sorted_indices_to_remove, marked, "[..., : self.min_tokens_to_keep] = 0", least, "first")
    return _masked(s, scores, _scattered_back(s, order, marked, sorted_indices))


def epsilon(s: Slide, scores: Tensor, params: Mapping[str, Any]) -> Tensor:
    """All go that are less likely than epsilon."""
    line, least = params["epsilon"], params.get("min_tokens_to_keep", 1)
    probabilities = _probabilities(s, scores)
    indices_to_remove = probabilities < line
    s.op(
        "torch.lt", "indices_to_remove = probabilities < self.epsilon",
        [VOCAB("probabilities", probabilities), ONE("self.epsilon", line)],
        [VOCAB("indices_to_remove", indices_to_remove)],
        "below_line", line=line, n_true=int(indices_to_remove.sum()),
    )  # fmt: skip
    return _masked(s, scores, _unless_among_best(s, scores, indices_to_remove, least))


def eta(s: Slide, scores: Tensor, params: Mapping[str, Any]) -> Tensor:
    """As epsilon, with a line that sinks as the entropy grows."""
    least, highest = params.get("min_tokens_to_keep", 1), torch.tensor(params["epsilon"])
    probabilities = _probabilities(s, scores)
    entropy = torch.distributions.Categorical(logits=scores).entropy()
    s.op(
        "torch.distributions.Categorical", "entropy = torch.distributions.Categorical(logits=scores).entropy()",
        [VOCAB("scores", scores)], [ONE("entropy", entropy)], "entropy", entropy=entropy.item(),
    )  # fmt: skip
    line = torch.min(highest, torch.sqrt(highest) * torch.exp(-entropy))[..., None]
    s.op(
        "torch.min", "eta = torch.min(self.epsilon, torch.sqrt(self.epsilon) * torch.exp(-entropy))[..., None]",
        [ONE("self.epsilon", highest), ONE("entropy", entropy)],
        [ONE("torch.sqrt(self.epsilon) * torch.exp(-entropy)", torch.sqrt(highest) * torch.exp(-entropy)),
         ONE("eta", line)],
        "eta.min", also=("torch.sqrt", "torch.exp", "torch.mul"), epsilon=highest.item(), line=line.item(),
    )  # fmt: skip
    indices_to_remove = probabilities < line
    s.op(
        "torch.lt", "indices_to_remove = probabilities < eta",
        [VOCAB("probabilities", probabilities), ONE("eta", line)], [VOCAB("indices_to_remove", indices_to_remove)],
        "below_line", line=line.item(), n_true=int(indices_to_remove.sum()),
    )  # fmt: skip
    return _masked(s, scores, _unless_among_best(s, scores, indices_to_remove, least))


def top_h(s: Slide, scores: Tensor, params: Mapping[str, Any]) -> Tensor:
    """Of the 100 best, the first whose entropy terms together stay within top_h of the entropy of the 100."""
    share, top_n = params["top_h"], min(params.get("top_n", 100), scores.size(-1))
    top_logits, top_idx = torch.topk(scores, top_n, dim=-1, largest=True, sorted=True)
    top = listed("top", top_idx[0])
    s.op(
        "torch.topk", "top_logits, top_idx = torch.topk(scores, top_n, dim=-1, largest=True, sorted=True)",
        [VOCAB("scores", scores), ONE("top_n", top_n)], [top("top_logits", top_logits), top("top_idx", top_idx)],
        "top_h.topk", k=top_n,
    )  # fmt: skip
    dist = torch.distributions.Categorical(logits=top_logits)
    probs = dist.probs
    s.op(
        "torch.distributions.Categorical", "probs = torch.distributions.Categorical(logits=top_logits).probs",
        [top("top_logits", top_logits)], [top("probs", probs)], "top_h.probs", k=top_n,
    )  # fmt: skip
    log_probs = torch.log(probs)
    s.op("torch.log", "log_probs = torch.log(probs)", [top("probs", probs)], [top("log_probs", log_probs)], "top_h.log")
    tau = (dist.entropy() * share).unsqueeze(-1)
    s.op(
        "torch.mul", "tau = (dist.entropy() * self.top_h).unsqueeze(-1)",
        [ONE("dist.entropy()", dist.entropy()), ONE("self.top_h", share)], [ONE("tau", tau)],
        "top_h.tau", also=("torch.distributions.Categorical", "torch.unsqueeze"),
        entropy=dist.entropy().item(), top_h=share, line=tau.item(), k=top_n,
    )  # fmt: skip
    return _top_h_cut(s, scores, top, top_idx, tau, -probs * log_probs, {"probs": probs, "log_probs": log_probs})


def _top_h_cut(
    s: Slide, scores: Tensor, top: Space, top_idx: Tensor, tau: Tensor, entropy_terms: Tensor, made: dict[str, Tensor]
) -> Tensor:
    """The second half of `TopHLogitsWarper.__call__`: from the entropy terms to who stays."""
    s.op(
        "torch.mul", "entropy_terms = -probs * log_probs",
        [top(name, tensor) for name, tensor in made.items()], [top("entropy_terms", entropy_terms)],
        "top_h.terms", also=("torch.neg",),
    )  # fmt: skip
    cumulative_entropy = torch.cumsum(entropy_terms, dim=-1)
    s.op(
        "torch.cumsum", "cumulative_entropy = torch.cumsum(entropy_terms, dim=-1)",
        [top("entropy_terms", entropy_terms)], [top("cumulative_entropy", cumulative_entropy)], "top_h.cumsum",
    )  # fmt: skip
    selection_mask = cumulative_entropy <= tau
    s.op(
        "torch.le", "selection_mask = cumulative_entropy <= tau",
        [top("cumulative_entropy", cumulative_entropy), ONE("tau", tau)], [top("selection_mask", selection_mask)],
        "top_h.le", line=tau.item(), n_true=int(selection_mask.sum()),
    )  # fmt: skip
    marked = selection_mask.clone()
    marked[:, 0] = True
    s.op(
        "torch.Tensor.fill_", "selection_mask[:, 0] = True",
        [top("selection_mask", selection_mask)], [top("selection_mask", marked)], "top_h.first", edits=True,
    )  # fmt: skip
    nothing = torch.zeros_like(scores, dtype=torch.bool)
    keep_mask = nothing.scatter(1, top_idx, marked)
    s.op(
        "torch.Tensor.scatter_", "keep_mask.scatter_(dim=1, index=top_idx, src=selection_mask)",
        [VOCAB("keep_mask", nothing), top("top_idx", top_idx), top("selection_mask", marked)],
        [VOCAB("keep_mask", keep_mask)], "top_h.scatter", edits=True, n=scores.size(-1),
    )  # fmt: skip
    scores_processed = scores.clone()
    scores_processed[~keep_mask] = -math.inf
    s.op(
        "torch.Tensor.index_put_", "scores_processed[~keep_mask] = self.filter_value",
        [VOCAB("scores_processed", scores), VOCAB("keep_mask", keep_mask)],
        [VOCAB("scores_processed", scores_processed)],
        "masked_fill", also=("torch.clone", "torch.bitwise_not"), edits=True, **_who_stays(scores, scores_processed),
    )  # fmt: skip
    return scores_processed


# --- what the rules share


def _softmax_cumsum(s: Slide, order: Space, sorted_logits: Tensor, note: str) -> Tensor:
    probs = sorted_logits.softmax(dim=-1)
    s.op(
        SOFTMAX, "sorted_logits.softmax(dim=-1)",
        [order("sorted_logits", sorted_logits)], [order("sorted_logits.softmax(dim=-1)", probs)], "softmax",
    )  # fmt: skip
    cumulative_probs = probs.cumsum(dim=-1)
    s.op(
        "torch.cumsum", "cumulative_probs = sorted_logits.softmax(dim=-1).cumsum(dim=-1)",
        [order("sorted_logits.softmax(dim=-1)", probs)], [order("cumulative_probs", cumulative_probs)], note,
    )  # fmt: skip
    return cumulative_probs


def _exempted(s: Slide, order: Space, unmarked: Tensor, marked: Tensor, assigned: str, least: int, end: str) -> None:
    n_saved = int((unmarked & ~marked).sum())
    s.op(
        "torch.Tensor.fill_", f"sorted_indices_to_remove{assigned}",
        [order("sorted_indices_to_remove", unmarked)], [order("sorted_indices_to_remove", marked)],
        f"exempt.{end}", edits=True, least=least, n_saved=n_saved,
    )  # fmt: skip


def _scattered_back(s: Slide, order: Space, sorted_indices_to_remove: Tensor, sorted_indices: Tensor) -> Tensor:
    indices_to_remove = sorted_indices_to_remove.scatter(1, sorted_indices, sorted_indices_to_remove)
    s.op(
        "torch.scatter",
        "indices_to_remove = sorted_indices_to_remove.scatter(1, sorted_indices, sorted_indices_to_remove)",
        [order("sorted_indices_to_remove", sorted_indices_to_remove), order("sorted_indices", sorted_indices)],
        [VOCAB("indices_to_remove", indices_to_remove)], "scatter_back",
    )  # fmt: skip
    return indices_to_remove


def _probabilities(s: Slide, scores: Tensor) -> Tensor:
    probabilities = scores.softmax(dim=-1)
    s.op(
        SOFTMAX, "probabilities = scores.softmax(dim=-1)",
        [VOCAB("scores", scores)], [VOCAB("probabilities", probabilities)], "softmax",
    )  # fmt: skip
    return probabilities


def _unless_among_best(s: Slide, scores: Tensor, indices_to_remove: Tensor, least: int) -> Tensor:
    """What epsilon and eta keep all the same: the `least` best, and what ties with the last of them."""
    k = min(least, scores.size(-1))
    line = torch.topk(scores, k)[0][..., -1, None]
    name, below = "torch.topk(scores, top_k)[0][..., -1, None]", scores < line
    both = indices_to_remove & below
    s.op(
        "torch.bitwise_and", f"indices_to_remove = indices_to_remove & (scores < {name})",
        [VOCAB("indices_to_remove", indices_to_remove), VOCAB("scores", scores), ONE("top_k", k)],
        [VOCAB(f"scores < {name}", below), VOCAB("indices_to_remove", both)],
        "unless_best", also=("torch.topk", "torch.lt"), k=k, line=line.item(),
        n_saved=int((indices_to_remove & ~both).sum()),
    )  # fmt: skip
    return both


def _masked(s: Slide, scores: Tensor, mask: Tensor, name: str = "indices_to_remove") -> Tensor:
    scores_processed = scores.masked_fill(mask, -math.inf)
    s.op(
        "torch.Tensor.masked_fill", f"scores_processed = scores.masked_fill({name}, self.filter_value)",
        [VOCAB("scores", scores), VOCAB(name, mask)], [VOCAB("scores_processed", scores_processed)],
        "masked_fill", edits=True, **_who_stays(scores, scores_processed),
    )  # fmt: skip
    return scores_processed


def _who_stays(before: Tensor, after: Tensor) -> dict[str, Any]:
    n_before, n_alive = int((before > -math.inf).sum()), int((after > -math.inf).sum())
    return {"n_removed": n_before - n_alive, "n_alive": n_alive}
