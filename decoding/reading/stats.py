"""Named statistics of scores, with their units.

Scores are what a processor sees: logits or log-probabilities, -inf for a token that was removed. Both give
the same numbers here, because nothing below changes when a constant is added to all scores of a row.
Everything is computed in float64 from float32 scores (that costs about a millisecond for 150,000 tokens and
keeps sums over the vocabulary exact to about 1e-12) and returned in float64.

A row without any token left (all -inf), or with NaN or +inf in it, has no distribution: whatever is made of
its probabilities is NaN, not zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "STATISTICS",
    "Statistic",
    "entropy_nats",
    "logprobs",
    "mass_removed",
    "n_alive",
    "perplexity",
    "probs",
    "rank",
    "surprisal_nats",
]


def probs(scores: Tensor) -> Tensor:
    """The softmax of the scores, in [0, 1], each row summing to 1; exactly 0 for -inf.

    Args:
        scores: float [..., vocab].

    Returns:
        float64 [..., vocab]; NaN in a row without a distribution.
    """
    return torch.softmax(scores.double(), dim=-1)


def logprobs(scores: Tensor) -> Tensor:
    """The logarithm of `probs`, in nats, in [-inf, 0]; float64 [..., vocab]."""
    return torch.log_softmax(scores.double(), dim=-1)


def entropy_nats(scores: Tensor) -> Tensor:
    """The Shannon entropy of the distribution, in nats, in [0, log n_alive]; float64 [...].

    A removed token counts exactly nothing, because `torch.special.entr(0)` is 0.
    """
    return torch.special.entr(probs(scores)).sum(-1)


def surprisal_nats(scores: Tensor, token_id: int | Tensor) -> Tensor:
    """How unexpected the token is: -log of its probability, in nats, in [0, inf].

    Args:
        scores: float [..., vocab].
        token_id: an id for all rows, or int64 [...], one for each row.

    Returns:
        float64 [...]; inf for a removed token.
    """
    return 0.0 - _score_of(logprobs(scores), token_id)  # 0.0 - x, because -x would show a certain token as -0


def rank(scores: Tensor, token_id: int | Tensor) -> Tensor:
    """How many tokens score strictly higher: 0 for the best; tied tokens share the better rank. int64 [...].

    A removed token ranks behind all that are alive, so its rank is `n_alive`.
    """
    return (scores > _score_of(scores, token_id).unsqueeze(-1)).sum(-1)


def n_alive(scores: Tensor) -> Tensor:
    """How many tokens are still possible, that is, score more than -inf; int64 [...]."""
    return (scores > -math.inf).sum(-1)


def mass_removed(before: Tensor, after: Tensor) -> Tensor:
    """The probability, before, of the tokens that are -inf after; in [0, 1], float64 [...].

    Args:
        before, after: float [..., vocab], what went into a stage and what came out.
    """
    return (probs(before) * (after == -math.inf)).sum(-1).clamp(max=1.0)


def perplexity(surprisals: Tensor) -> Tensor:
    """exp of the mean surprisal: among how many equally likely tokens the model chose; in [1, inf].

    Args:
        surprisals: in nats, of the tokens of a sequence, float [..., length].

    Returns:
        float64 [...]; NaN for an empty sequence.
    """
    return surprisals.double().mean(-1).exp()


def _score_of(scores: Tensor, token_id: int | Tensor) -> Tensor:
    """The score of one token in each row, [...]."""
    if isinstance(token_id, int):
        return scores[..., token_id]
    return scores.gather(-1, token_id.unsqueeze(-1)).squeeze(-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A number that each chosen token has, and by which a row of tokens can be coloured.

    Attributes:
        name: as the code and the trace know it.
        label: as a reader knows it, in English.
        unit: "" for a pure number, or "nats".
        low, high: the range it may take; `high` is inf where nothing bounds it.
        of: from scores [..., vocab] and the chosen ids [...] to float64 [...].
        help: what it says about a token, in one sentence.
    """

    name: str
    label: str
    unit: str
    low: float
    high: float
    of: Callable[[Tensor, int | Tensor], Tensor]
    help: str


def _probability(scores: Tensor, token_id: int | Tensor) -> Tensor:
    return torch.exp(-surprisal_nats(scores, token_id))


def _entropy(scores: Tensor, token_id: int | Tensor) -> Tensor:
    return entropy_nats(scores)  # of the whole distribution, whichever token was chosen


STATISTICS: dict[str, Statistic] = {
    s.name: s
    for s in (
        Statistic(
            name="probability",
            label="Probability",
            unit="",
            low=0.0,
            high=1.0,
            of=_probability,
            help="How likely the model found the token that was chosen.",
        ),
        Statistic(
            name="surprisal",
            label="Surprisal",
            unit="nats",
            low=0.0,
            high=math.inf,
            of=surprisal_nats,
            help="How unexpected the chosen token was: the negative logarithm of its probability.",
        ),
        Statistic(
            name="entropy",
            label="Entropy",
            unit="nats",
            low=0.0,
            high=math.inf,
            of=_entropy,
            help="How undecided the model was before it chose: 0 when one token takes all.",
        ),
    )
}
"""By what a row of tokens can be coloured, by name, in the order in which to offer them."""
