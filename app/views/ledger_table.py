"""The ledger of a step: every candidate of one prompt with its fate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .token_text import candidate_text

if TYPE_CHECKING:
    from decoding.recorded.ledger import Candidate
    from decoding.trace import Trace

__all__ = ["LedgerRow", "ledger_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A candidate.

    Attributes:
        rank: from 0.
        token_id, text: of its token.
        after: of the token it follows; "" at the first step.
        beam: which of the prompt's beams it continues, from 0.
        logprob, score, margin, final_score: in nats, as in `Candidate`; `margin` and `final_score` may be None.
        rival: text of the candidate that the margin is measured against, or "".
        rival_rank: its rank, or None.
        fate, ended_by, group: as in `Candidate`.
        answer: as in `Hypothesis`, where it was returned; else None.
    """

    rank: int
    token_id: int
    text: str
    after: str
    beam: int
    logprob: float
    score: float
    margin: float | None
    rival: str
    rival_rank: int | None
    fate: str
    ended_by: str | None
    final_score: float | None
    group: int
    answer: int | None


def ledger_rows(trace: Trace, step: int, prompt: int = 0) -> tuple[LedgerRow, ...]:
    """The candidates of a step by rank."""
    candidates = {c.rank: c for c in trace.ledger.candidates(step, prompt)}
    came = () if step == 0 else trace.ledger.candidates(step - 1, prompt)
    before = {c.row: candidate_text(trace, step - 1, c) for c in came if c.row is not None}
    answers = _answers(trace, prompt)
    texts = {rank: candidate_text(trace, step, c) for rank, c in candidates.items()}
    return tuple(_row(trace, c, texts, before, answers.get((step, c.rank)), prompt) for c in candidates.values())


def _row(trace: Trace, c: Candidate, texts, before, answer: int | None, prompt: int) -> LedgerRow:
    return LedgerRow(
        rank=c.rank, token_id=c.token_id, text=texts[c.rank], after=before.get(c.parent, ""),
        beam=c.parent - prompt * trace.ledger.n_beams, logprob=c.logprob, score=c.score, margin=c.margin,
        rival="" if c.rival is None else texts[c.rival], rival_rank=c.rival,
        fate=c.fate, ended_by=c.ended_by, final_score=c.final_score, group=c.group, answer=answer,
    )  # fmt: skip


def _answers(trace: Trace, prompt: int) -> dict[tuple[int, int], int]:
    if "running" in trace.stop_reasons:
        return {}
    return {(h.step, h.rank): h.answer for h in trace.hypotheses if h.prompt == prompt}
