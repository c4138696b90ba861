"""Why a hypothesis scored what it scored: an addition and a division that a reader can do again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from decoding.errors import NotRecordedError

from .token_text import tokens_within

if TYPE_CHECKING:
    from decoding.recorded.ledger import Candidate, Hypothesis
    from decoding.trace import Trace

__all__ = ["HypothesisSum", "SumTerm", "hypothesis_sum"]

TERM_DIGITS, RESULT_DIGITS = 5, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SumTerm:
    """A token of the hypothesis.

    Attributes:
        step, rank: its candidate.
        text: the token's, with the character that it is part of.
        logprob: as the ledger added it, in nats.
        row: the row of `generate` it was chosen in: `beam_indices`.
        transition: the recorded score of that row and token, as `compute_transition_scores` takes it; None where it
            was lost.
    """

    step: int
    rank: int
    text: str
    logprob: float
    row: int
    transition: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HypothesisSum:
    """A hypothesis' score taken apart.

    Attributes:
        answer: as in `Hypothesis`.
        finished: False for a running beam that stands in.
        terms: its tokens.
        sum_logprobs: their sum as accumulated in float32.
        length_penalty, length, divisor: divisor = length^length_penalty.
        score: `sequences_scores`: the quotient.
        sum_digits: decimals to which the terms, shown with `TERM_DIGITS`, add up to the sum.
        score_digits: decimals to which the shown sum over the divisor is the score.
    """

    answer: int
    finished: bool
    terms: tuple[SumTerm, ...]
    sum_logprobs: float
    length_penalty: float
    length: int
    divisor: float
    score: float
    sum_digits: int
    score_digits: int


def hypothesis_sum(trace: Trace, hypothesis: Hypothesis) -> HypothesisSum:
    """The sum behind a hypothesis' score."""
    terms, texts = [], tokens_within(trace, hypothesis.token_ids)
    path = trace.ledger.path(hypothesis.step, hypothesis.prompt, hypothesis.rank)
    for text, (step, rank) in zip(texts, path, strict=True):
        candidate = next(c for c in trace.ledger.candidates(step, hypothesis.prompt) if c.rank == rank)
        terms.append(
            SumTerm(
                step=step, rank=rank, text=text, logprob=candidate.logprob,
                row=candidate.parent, transition=_transition(trace, step, candidate),
            )
        )  # fmt: skip
    penalty = trace.generation_config.get("length_penalty")
    penalty = 1.0 if penalty is None else float(penalty)
    divisor = len(terms) ** penalty
    added = sum(round(term.logprob, TERM_DIGITS) for term in terms)
    sum_digits = agreeing_digits(added, hypothesis.sum_logprobs)
    quotient = round(hypothesis.sum_logprobs, sum_digits) / divisor
    return HypothesisSum(
        answer=hypothesis.answer or 0, finished=hypothesis.finished, terms=tuple(terms),
        sum_logprobs=hypothesis.sum_logprobs,
        length_penalty=penalty, length=len(terms), divisor=divisor, score=hypothesis.score, sum_digits=sum_digits,
        score_digits=agreeing_digits(quotient, hypothesis.score),
    )  # fmt: skip


def _transition(trace: Trace, step: int, candidate: Candidate) -> float | None:
    try:
        return float(trace.scores(step=step, row=candidate.parent)[candidate.token_id])
    except NotRecordedError:  # the disk was full
        return None


def agreeing_digits(a: float, b: float, most: int = RESULT_DIGITS) -> int:
    """The most decimals, up to `most`, to which two numbers are written alike; 0 where they never are."""
    return next((n for n in range(most, 0, -1) if f"{a:.{n}f}" == f"{b:.{n}f}"), 0)
