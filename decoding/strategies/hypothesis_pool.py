"""The pool of hypotheses of one beam group, by the rules of transformers 4.46."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.generation import GenerationConfig

from decoding.recorded.ledger import NEVER

__all__ = ["HypothesisPool", "Pooled", "best_of", "places_of"]


@dataclass(slots=True)
class Pooled:
    """A hypothesis.

    Attributes:
        score: sum of log-probabilities ÷ length^length_penalty, in double precision.
        tokens: int64 [length], the prompt included, an EOS token that ended it not.
        rows: int64 [new tokens], the row of `generate` that each new token was chosen in, EOS included.
        source: where it comes from, as `BeamStep.pool_from` counts: below `num_beams` its place in the pools
            after the step before, from there on a candidate of this step.
    """

    score: float
    tokens: Tensor
    rows: Tensor
    source: int


class HypothesisPool:
    """The best `size` hypotheses, in the order they came. Mirrors `BeamHypotheses` of transformers 4.46.

    Attributes:
        held: the hypotheses.
        closed: nothing better can come, and nothing more is taken.
    """

    def __init__(self, size: int, config: GenerationConfig, start: int) -> None:
        self.size, self.penalty, self.early_stopping = size, config.length_penalty, config.early_stopping
        self.n_most = config.max_length - start  # new tokens at most
        self.held: list[Pooled] = []
        self.closed = False

    def add(self, sum_logprobs: float, tokens: Tensor, rows: Tensor, source: int) -> None:
        """Takes a hypothesis, if there is room or it is better than the worst; then the worst leaves."""
        score = sum_logprobs / len(rows) ** self.penalty
        if len(self.held) < self.size or score > self._worst():
            self.held.append(Pooled(score, tokens, rows, source))
        if len(self.held) > self.size:
            self.held.remove(min(self.held, key=lambda hypothesis: hypothesis.score))

    def close_if_settled(self, best_sum: float, n_new: int) -> None:
        """Closes when it is full, and by `early_stopping` no candidate can still improve it.

        Args:
            best_sum: the highest sum of log-probabilities among the step's candidates.
            n_new: their number of new tokens.
        """
        if len(self.held) < self.size:
            return
        n_best = self.n_most if self.early_stopping == "never" and self.penalty > 0.0 else n_new
        self.closed = self.early_stopping is True or self._worst() >= best_sum / n_best**self.penalty

    def _worst(self) -> float:
        return min(hypothesis.score for hypothesis in self.held)


def places_of(pools: Sequence[Sequence[HypothesisPool]]) -> dict[str, Tensor]:
    """The pools after a step as the ledger keeps them, each [prompts, beams]; sources become places.

    Args:
        pools: per prompt those of its groups.
    """
    n_prompts, n_beams = len(pools), sum(pool.size for pool in pools[0])
    source = torch.arange(n_beams).repeat(n_prompts, 1)  # a place that nothing took stays itself
    score = torch.full(source.shape, NEVER, dtype=torch.float64)  # an extreme length_penalty is beyond float32
    done = torch.zeros(source.shape, dtype=torch.bool)
    for p, groups in enumerate(pools):
        for g, pool in enumerate(groups):
            for place, hypothesis in enumerate(pool.held, g * pool.size):
                source[p, place], score[p, place], done[p, place] = hypothesis.source, hypothesis.score, True
                hypothesis.source = place
    return {"pool_from": source, "pool_score": score.float(), "pool_done": done}


def best_of(pools: Iterable[HypothesisPool], n: int) -> list[Pooled]:
    """The n best of a prompt's groups, best first; of equal ones the one that came last, as in 4.46."""
    everything = [hypothesis for pool in pools for hypothesis in pool.held]
    return sorted(everything, key=lambda hypothesis: hypothesis.score)[::-1][:n]
