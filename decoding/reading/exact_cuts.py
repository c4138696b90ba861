"""What a truncation rule keeps in float64: the yardstick where two float32 implementations of it part.

The rule is what it is by definition, with the parameter as it was given; the scores are those that the rule saw, and
every float32 is a float64. Sums over 150,000 tokens are then right to about 1e-12.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from decoding.reading import stats
from decoding.recorded.stages import Stage

__all__ = ["ExactCut", "alike", "exact_cut", "no_cut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactCut:
    """A rule's cut in float64; every tensor is [vocab].

    Attributes:
        kept: the tokens that stay; of tokens that the rule cannot tell apart at its edge, the first few.
        keys: what it sorts by, highest first, float64; −inf for tokens that were gone before. Tokens with one key are
            the same to it.
        shares: probability of each token before the cut, float64.
        margins: how far inside each token is, below 0 outside, float64: for top_p and typical_p how much more mass
            could come before it, for min_p nats of its score above the line, for top_k places.
    """

    kept: Tensor
    keys: Tensor
    shares: Tensor
    margins: Tensor

    def same(self, kept: Tensor) -> bool:
        """Whether these tokens, bool [vocab], are the same to the rule as those that it keeps."""
        return alike(self.keys, self.kept, kept)


def alike(keys: Tensor, one: Tensor, other: Tensor) -> bool:
    """Whether two choices, bool [vocab], are the same to a rule that sorts by these keys."""
    return int(one.sum()) == int(other.sum()) and torch.equal(keys[one].sort().values, keys[other].sort().values)


def exact_cut(stage: Stage, before: Tensor) -> ExactCut | None:
    """The cut that a stage makes of these scores, or None for one that is not top-k, top-p, min-p or typical.

    Args:
        stage: with the parameters of transformers' class.
        before: the scores that it sees, float32 [vocab].
    """
    rule = _RULES.get(stage.name)
    if rule is None:
        return None
    attribute, cut = rule
    return cut(before.double(), stage.params[attribute], int(stage.params.get("min_tokens_to_keep", 1)))


def no_cut(before: Tensor) -> ExactCut:
    """What a temperature keeps: everything that is there."""
    scores = before.double()
    return _cut(scores, scores, torch.where(scores == -math.inf, -math.inf, math.inf), 0.0, 0)


def _top_k(scores: Tensor, top_k: int, least: int) -> ExactCut:
    places = torch.empty_like(scores)
    order = torch.sort(scores, descending=True, stable=True).indices
    places[order] = torch.arange(len(scores), dtype=scores.dtype)
    return _cut(scores, scores, max(top_k, least) - places, 0.0, 1)


def _top_p(scores: Tensor, top_p: float, least: int) -> ExactCut:
    return _summed(scores, scores, top_p, least)


def _typical(scores: Tensor, mass: float, least: int) -> ExactCut:
    surprisals = -stats.logprobs(scores)
    distances = (surprisals - stats.entropy_nats(scores)).abs()
    return _summed(scores, torch.where(scores == -math.inf, -math.inf, -distances), mass, least)


def _min_p(scores: Tensor, min_p: float, least: int) -> ExactCut:
    line = float(scores.max()) + (math.log(min_p) if min_p > 0 else -math.inf)
    margins = torch.where(scores == -math.inf, -math.inf, scores - line)
    return _cut(scores, scores, margins, -math.ulp(0.0), least)


def _summed(scores: Tensor, keys: Tensor, most: float, least: int) -> ExactCut:
    """A rule that takes tokens until they add up to `most`: a token stays while those before it have less."""
    order = torch.sort(keys, descending=True, stable=True).indices
    shares = stats.probs(scores)
    before_it = torch.empty_like(shares)
    before_it[order] = shares[order].cumsum(0) - shares[order]
    return _cut(scores, keys, most - before_it, 0.0, least)


def _cut(scores: Tensor, keys: Tensor, margins: Tensor, above: float, least: int) -> ExactCut:
    """What has a margin above `above`, and the first few by key in any case."""
    alive = scores > -math.inf
    first = torch.sort(keys, descending=True, stable=True).indices[:least]
    kept = margins > above
    kept[first] = True
    return ExactCut(kept=kept & alive, keys=keys, shares=stats.probs(scores), margins=margins)


_RULES = {
    "TopKLogitsWarper": ("top_k", _top_k),
    "TopPLogitsWarper": ("top_p", _top_p),
    "MinPLogitsWarper": ("min_p", _min_p),
    "TypicalLogitsWarper": ("mass", _typical),
}
