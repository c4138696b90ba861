"""What processors leave of a token that was chosen: its probability and its rank, fast enough for a whole run.

transformers' top-p argsorts the vocabulary at every step, which takes longer than everything else together. Where a
list of processors ends in nothing but temperature, top-k, top-p and min-p, the fate of one token can be told without:

- Dividing by the temperature rounds each score by itself, in numpy as in torch.
- The others keep the highest scores, down to an edge. So above a token that survives there are as many as before,
  above one that does not there are all survivors, and the probability needs the survivors' mass alone.
- top-k's edge is a score, and scores compare exactly. min-p's edge is a ratio of two probabilities, from which their
  common divisor cancels; a token within `SAME_RATIO` of it counts as undecided.
- top-p's edge depends on a float32 sum of exps over the vocabulary, in ascending order. Each addition is off by at most
  u = 2⁻²⁴ of the partial sum it makes. In vectors of n there are 1/n as many additions, and all partial sums together
  are the whole sum times the expected rank of a draw. So the sum is off by at most u ÷ n times the expected rank, as a
  share; a token nearer to the edge than that is undecided, too.

All of this is numpy's work on one thread: torch would share even a division of 49,152 scores out among its threads, and
wait for them wherever the machine is busy.

Where the answer hangs on an undecided token, the edge of top-p is found with torch's own operations on the scores as
numpy sorts them. They are the same numbers in the same order as in transformers, so the result has the same bits; it
comes faster because nobody asks which token is where. Where that does not decide it either (the chosen token ties with
others at the edge, and an argsort puts tied tokens in any order), transformers' processors run.

So survival and rank are always those of transformers' processors. The probability is off by less than
`PROBABILITY_ERROR`: by rounding, and where undecided tokens are among the survivors by half their mass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor
from transformers.generation import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from decoding.reading.stats import probs
from decoding.reading.survivors import LEAST_MIN_P, SAME_RATIO, UNIT, mass_from_below

__all__ = ["PROBABILITY_ERROR", "ChosenFact", "chosen_facts", "closing_rules"]

ORDER = (TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper)
PROBABILITY_ERROR = 1e-6
ROUNDED = 1e-6  # of exps, divisions and sums of sums in float32, relative, likewise
LANES = 4  # n in the above, of the narrowest vectors that torch uses; u is `UNIT`
UNDERFLOWS = (-760.0, -690.0)  # in nats: between them float64's exp loses its digits before it is 0
SAMPLE, MARGIN = 1536, 60  # scores that tell about where an edge lies, and within how many of them


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFact:
    """What the final scores say about one token.

    Attributes:
        probability: 0 where it was removed, and where there is no distribution.
        rank: how many tokens score higher; None where it takes a sort to tell, and that was not asked for.
        first: a greedy choice would take it; of tied tokens, it takes the first.
        has_distribution: some token is left, and no score is NaN or infinite.
        nothing_left: every token was removed.
    """

    probability: float
    rank: int | None
    first: bool
    has_distribution: bool = True
    nothing_left: bool = False


def chosen_facts(
    processors: Sequence[Any],
    input_ids: Tensor,
    scores: Tensor,
    rows: Sequence[int],
    token_ids: Sequence[int],
    *,
    ranks: bool = False,
) -> list[ChosenFact]:
    """For each token what the processors' final scores say about it; survival and rank are exactly transformers'.

    Args:
        processors: as `generate` would call them.
        input_ids: the rows so far, shape [rows, length].
        scores: before the first processor, float32 [rows, vocab]; they stay as they are.
        rows: of each token, the row of the scores that it was chosen from.
        token_ids: the tokens.
        ranks: sort, so that every rank is told.
    """
    rules = closing_rules(processors)
    for processor in processors[: len(processors) - len(rules)]:
        scores = processor(input_ids, scores.clone())
    asked = list(zip(rows, token_ids, strict=True))
    facts = [_quick_fact(scores[row].numpy(), token, rules, ranks) for row, token in asked]
    if None in facts:
        for rule in rules:
            scores = rule(input_ids, scores)
    return [fact or _fact(scores[row], token) for fact, (row, token) in zip(facts, asked, strict=True)]


def _fact(scores: Tensor, token_id: int) -> ChosenFact:
    """From the final scores themselves, [vocab]."""
    top, own = float(scores.max()), scores[token_id]  # the max of anything with NaN is NaN
    has_distribution = math.isfinite(top)
    return ChosenFact(
        probability=float(probs(scores)[token_id]) if has_distribution else 0.0,
        rank=int((scores > own).sum()),
        first=int(scores.argmax()) == token_id,
        has_distribution=has_distribution,
        nothing_left=top == -math.inf,
    )


def closing_rules(processors: Sequence[Any]) -> list[Any]:
    """The last processors, as far as they are those of `ORDER`, as sampling without beams has them."""
    n = len(processors)
    for kind in reversed(ORDER):
        n -= n > 0 and type(processors[n - 1]) is kind
    cuts = [p for p in processors[n:] if type(p) is not TemperatureLogitsWarper]
    plain = all(p.min_tokens_to_keep == 1 and p.filter_value == -math.inf for p in cuts)
    return list(processors[n:]) if plain else []


# --- without an argsort -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """The scores that some rules leave of a row; which token has which does not matter.

    Attributes:
        values: float32, in any order; what top-k leaves.
        top: the highest of them.
        masses: exp(values − top), float64.
        vocab: how many scores the row has.
        edge: those below are gone.
        sure: those from here on are left for certain; all that are left, where it is no higher than `edge`.
        torn: this many of those at the edge are left, although others with the same score are gone; 0 if none are torn.
    """

    values: np.ndarray
    top: np.float32
    masses: np.ndarray
    vocab: int
    edge: np.float32
    sure: np.float32 = np.float32(-math.inf)
    torn: int = 0


@np.errstate(over="ignore")
def _quick_fact(scores: np.ndarray, token_id: int, rules: Sequence[Any], ranks: bool) -> ChosenFact | None:
    """As `_fact` of what the rules make of the scores [vocab]; None where only they can tell."""
    by_kind = {type(rule): rule for rule in rules}
    if TemperatureLogitsWarper in by_kind:
        scores = scores / np.float32(by_kind[TemperatureLogitsWarper].temperature)
    top, lowest = scores.max(), scores.min()
    if scores.dtype != np.float32 or not np.isfinite(top):
        return None
    values = scores if lowest > -np.inf else scores[scores > -np.inf]
    if TopKLogitsWarper in by_kind:
        values = _top_k(values, by_kind[TopKLogitsWarper].top_k)
    masses = np.exp(values - top, dtype=np.float64)
    whole = _Left(values=values, top=top, masses=masses, vocab=len(scores), edge=values.min())
    for nucleus in (_nucleus_sorted,) if ranks else (_nucleus, _nucleus_sorted):
        left: _Left | None = whole
        if TopPLogitsWarper in by_kind:
            left = nucleus(whole, by_kind[TopPLogitsWarper].top_p)
        if MinPLogitsWarper in by_kind:
            left = None if left is None else _min_p(left, by_kind[MinPLogitsWarper].min_p)
        fact = None if left is None else _fact_among(left, scores, token_id, ranks)
        if fact is not None:
            return fact
    return None


def _fact_among(left: _Left, scores: np.ndarray, token_id: int, ranks: bool) -> ChosenFact | None:
    """None where the answer hangs on a score that may be left or not."""
    own, gap = scores[token_id], float(scores[token_id]) - float(left.top)
    kept = left.values > left.edge if left.torn else left.values >= left.edge
    unsure: Any = np.flatnonzero(kept & (left.values < left.sure)) if left.sure > left.edge else []
    if own < left.edge:
        rank = None if len(unsure) else int(np.count_nonzero(kept)) + left.torn
        return None if rank is None and ranks else ChosenFact(probability=0.0, rank=rank, first=False)
    if own < left.sure or (left.torn and own == left.edge) or UNDERFLOWS[0] < gap < UNDERFLOWS[1]:
        return None
    total = float(np.einsum("i,i", left.masses, kept)) + left.torn * math.exp(left.edge - left.top)
    in_doubt = float(left.masses[unsure].sum()) if len(unsure) else 0.0
    probability = math.exp(gap) / (total - in_doubt / 2)
    if probability * in_doubt > (total - in_doubt) * PROBABILITY_ERROR:
        return None
    rank = int(np.count_nonzero(left.values > own))
    return ChosenFact(probability=probability, rank=rank, first=rank == 0 and int(scores.argmax()) == token_id)


def _top_k(values: np.ndarray, k: int) -> np.ndarray:
    """Those from the k-th highest on, ties with it included."""
    if k >= len(values):
        return values
    place = len(values) // _stride(values) - k // _stride(values) - MARGIN
    part = values if place <= 0 else values[values >= _sample(values)[place]]
    if len(part) < k:
        part = values
    return part[part >= np.partition(part, len(part) - k)[len(part) - k]]


def _min_p(left: _Left, min_p: float) -> _Left | None:
    """None where it cannot be told which of torn tokens are left."""
    if min_p == 0:
        return left
    if min_p < LEAST_MIN_P:
        return None
    gap = math.log(min_p)
    blur = SAME_RATIO - gap * UNIT  # the difference of two scores is rounded, too
    edge = np.nextafter(np.float32(float(left.top) + gap - blur), np.float32(-math.inf))
    sure = np.nextafter(np.float32(float(left.top) + gap + blur), np.float32(math.inf))
    if edge <= left.edge and left.torn and sure > left.edge:
        return None
    return replace(
        left, edge=max(left.edge, edge), sure=max(left.sure, min(sure, left.top)),
        torn=left.torn if edge <= left.edge else 0,
    )  # fmt: skip


def _nucleus(left: _Left, top_p: float) -> _Left | None:
    """Sorts only the scores around the edge; None where it lies elsewhere than it seemed."""
    values, top, total = left.values, left.top, left.masses.sum()
    low, high = _about(values, top, (1 - top_p) * total)
    above = values > high
    n_above = np.count_nonzero(above)
    mass_above = np.einsum("i,i", left.masses, above) / total if n_above else 0.0
    inside = np.sort(values[values >= low if n_above == 0 else (values >= low) & ~above])[::-1]
    shares = np.exp((inside - top).astype(np.float64)) / total
    through = mass_above + np.cumsum(shares)
    expected_rank = n_above * mass_above + (n_above + len(inside)) * shares.sum() + len(values) * (1 - through[-1])
    error = (1 - top_p) * (UNIT / LANES * expected_rank + ROUNDED) + ROUNDED / 2
    before = through - shares  # the mass above each; those with less than top_p stay
    n_sure = np.searchsorted(before, top_p - error)
    n_may = np.searchsorted(before, top_p + error, side="right")
    if (n_above and n_sure == 0) or (low > -math.inf and n_may == len(inside)):
        return None
    n_sure, n_may = max(n_sure, 1), max(n_may, 1)  # the highest stays in any case
    edge, surely = inside[n_may - 1], inside[n_sure - 1]
    torn = n_may < len(inside) and inside[n_may] == edge
    if n_sure < n_may:  # those that tie with the last sure one may be torn
        return replace(left, edge=edge, sure=np.nextafter(surely, np.float32(math.inf)))
    return replace(left, edge=edge, torn=int(np.count_nonzero(inside[:n_may] == edge)) if torn else 0)


def _nucleus_sorted(left: _Left, top_p: float) -> _Left:
    """The same operations on the same numbers in the same order as transformers' top-p."""
    ascending = np.full(left.vocab, -np.inf, dtype=np.float32)
    ascending[left.vocab - len(left.values) :] = np.sort(left.values)
    n = max(left.vocab - int(np.count_nonzero(mass_from_below(ascending) <= np.float32(1 - top_p))), 1)
    edge = ascending[-n]
    torn = n < left.vocab and ascending[-n - 1] == edge
    return replace(left, edge=edge, torn=int(np.count_nonzero(ascending[-n:] == edge)) if torn else 0)


def _about(values: np.ndarray, top: np.float32, mass: float) -> tuple[float, float]:
    """Two scores between which, most likely, those from the lowest up reach this mass."""
    sample = _sample(values)
    below = np.cumsum(np.exp(sample - top, dtype=np.float64)) * _stride(values)
    place = int(np.searchsorted(below, mass))
    low = sample[place - MARGIN] if place > MARGIN else -math.inf
    return low, sample[place + MARGIN] if place + MARGIN < len(sample) else math.inf


def _sample(values: np.ndarray) -> np.ndarray:
    """Some of the scores, ascending."""
    return np.sort(values[:: _stride(values)])


def _stride(values: np.ndarray) -> int:
    return max(len(values) // SAMPLE, 1)
