"""`KnownToken`: a token that a response names, with its log-probability and its rank as far as these are known."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["ROUNDING", "KnownToken"]

ROUNDING = 1e-3  # a server's float16 or float32 sums may miss 1 by less than this; more is a contradiction


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownToken:
    """One token at one step.

    Attributes:
        text: as the response writes it; bytes that form no character may be anything in it.
        raw: its bytes: those that the response gives, else its text in UTF-8; None where neither tells them.
        token_id: where the response gives it, else None.
        logprob: in nats; −inf for an impossible token; None where the response gives no number that can be one.
        listed: it is one of the alternatives; else it is named only because it came.
        rank: 1 for the likeliest; None where it is not known.
        rank_is_least: the true rank may be a greater one.
    """

    text: str
    raw: bytes | None = None
    token_id: int | None = None
    logprob: float | None = None
    listed: bool = True
    rank: int | None = None
    rank_is_least: bool = False

    @property
    def probability(self) -> float | None:
        """In [0, 1]; what rounding put above it counts as 1."""
        return None if self.logprob is None else math.exp(min(self.logprob, 0.0))

    @property
    def surprisal_nats(self) -> float | None:
        """−log of its probability, at least 0."""
        return None if self.logprob is None else max(0.0, -self.logprob)
