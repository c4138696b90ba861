"""What a response says of a step's distribution: the mass that is known, the tail that is not, bounds of the entropy.

The tail's probability is known, how it is spread is not. Entropy is concave: it is greatest where the tail is spread
evenly over all other tokens, and least where it lies on as few of them as can be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from decoding.partial.token import ROUNDING, KnownToken

__all__ = ["Measures", "measures_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """One step, as far as it is known; all entropies in nats.

    Attributes:
        n_known: tokens whose probability is known.
        mass: the sum of these; it may lie above 1 by rounding.
        tail: 1 − mass, at least 0: the probability of all tokens that are not known; None where the mass is no
            probability (above 1 by more than rounding, or nothing is known).
        entropy_known: the known tokens' part of the entropy, Σ −p·ln p.
        lower: no distribution with these probabilities has less entropy; None where there is no tail.
        upper: none has more; None where there is no tail, or where the tail is not empty and nobody knows over how
            many tokens it can be spread.
        highest_unknown: no token that is not known is likelier than that; 1 where nothing bounds it.
        surprisal: of the token that came; None where it is not known.
    """

    n_known: int
    mass: float
    tail: float | None
    entropy_known: float
    lower: float | None
    upper: float | None
    highest_unknown: float
    surprisal: float | None

    @property
    def excess(self) -> float:
        """By how much the mass is above 1; 0 where it is not."""
        return max(0.0, self.mass - 1.0)


def measures_of(
    known: Sequence[KnownToken], chosen: int, *, is_top: bool = False, vocab_size: int | None = None
) -> Measures:
    """The measures of one step.

    Args:
        known: its tokens.
        chosen: the place of the one that came.
        is_top: the alternatives are the likeliest tokens.
        vocab_size: of the model, if known.
    """
    found = [p for token in known if (p := token.probability) is not None]
    mass, entropy = math.fsum(found), math.fsum(map(_part, found))
    surprisal = known[chosen].surprisal_nats
    listed = [p for token in known if token.listed and (p := token.probability) is not None]
    highest = min(listed) if is_top and listed else 1.0
    if not found or mass > 1.0 + ROUNDING:
        return Measures(
            n_known=len(found), mass=mass, tail=None, entropy_known=entropy, lower=None, upper=None,
            highest_unknown=highest, surprisal=surprisal,
        )  # fmt: skip
    tail = max(0.0, 1.0 - mass)
    n_others = None if vocab_size is None else max(0, vocab_size - len(found))
    upper = entropy if tail == 0.0 else None
    if tail > 0.0 and n_others:
        upper = entropy + _part(tail) + tail * math.log(n_others)
    lower = entropy + _least(tail, highest, n_others)
    return Measures(
        n_known=len(found), mass=mass, tail=tail, entropy_known=entropy,
        lower=lower if upper is None else min(lower, upper),  # with a single other token they are the same sum
        upper=upper, highest_unknown=min(highest, tail), surprisal=surprisal,
    )  # fmt: skip


def _part(p: float) -> float:
    """What a probability adds to the entropy."""
    return -p * math.log(p) if p > 0.0 else 0.0


def _least(tail: float, highest: float, n_others: int | None) -> float:
    """The least entropy of a tail none of whose tokens is likelier than `highest`: as few tokens as can be."""
    room = math.inf if n_others is None else n_others * highest
    if tail <= 0.0 or highest >= tail or highest <= 0.0 or room < tail:  # the last two: what is said is not so
        return _part(tail)
    n_full = math.floor(tail / highest)
    return n_full * _part(highest) + _part(max(0.0, tail - n_full * highest))
