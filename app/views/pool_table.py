"""The pool of a prompt after a step: who is in it, who came, and who was driven out by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .token_text import LONGEST_CHARACTER, whole_texts

if TYPE_CHECKING:
    from decoding.recorded.ledger import Hypothesis, PoolChange
    from decoding.trace import Trace

__all__ = ["Pool", "PoolRow", "pool_view"]

LONGEST = 33  # characters of a hypothesis' end that a table has room for


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """A hypothesis.

    Attributes:
        step, rank: the candidate that completed it.
        text: its last tokens.
        score: sum ÷ length^length_penalty.
        sum_logprobs: in nats.
        length: number of new tokens.
        change: `in` where it came at this step, `out` where it was driven out at this step, else "".
        against: for `in` the text of the one it drove out, for `out` of the one that came; "" for nobody.
        group: beam group.
    """

    step: int
    rank: int
    text: str
    score: float
    sum_logprobs: float
    length: int
    change: str
    against: str
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A prompt's pool after a step, best first, then those that left at this step.

    Attributes:
        rows: hypotheses.
        room: how many more it can hold.
        worst: per beam group the score that a newcomer has to beat, or None while there is room.
    """

    rows: tuple[PoolRow, ...]
    room: int
    worst: tuple[float | None, ...]


def pool_view(trace: Trace, step: int, prompt: int = 0) -> Pool:
    """The pool of a prompt after a step."""
    ledger = trace.ledger
    held = ledger.pool(step)[prompt]
    changes = [change for change in ledger.pool_changes(step) if change.prompt == prompt]
    drove_out = {change.entered: change.evicted for change in changes}
    rows = [_row(trace, h, "in" if (h.step, h.rank) in drove_out else "", drove_out.get((h.step, h.rank)))
            for h in held]  # fmt: skip
    rows += _driven_out(trace, step, [change for change in changes if change.evicted], prompt)
    groups = range(int(ledger.steps[step]["group"].max()) + 1)
    worst = tuple(ledger.worst(step, prompt, group) for group in groups)
    return Pool(rows=tuple(rows), room=ledger.n_beams - len(held), worst=worst)


def _driven_out(trace: Trace, step: int, changes: list[PoolChange], prompt: int) -> list[PoolRow]:
    if not changes:
        return []
    before = {(h.step, h.rank): h for h in trace.ledger.pool(step - 1)[prompt]}
    return [_row(trace, before[change.evicted], "out", change.entered) for change in changes]


def _row(trace: Trace, h: Hypothesis, change: str, against: tuple[int, int] | None) -> PoolRow:
    return PoolRow(
        step=h.step, rank=h.rank, text=_end_of(trace, h.token_ids), score=h.score, sum_logprobs=h.sum_logprobs,
        length=len(h.token_ids), change=change, group=h.group,
        against="" if against is None else _end_of(trace, _ids(trace, h.prompt, *against)),
    )  # fmt: skip


def _ids(trace: Trace, prompt: int, step: int, rank: int) -> tuple[int, ...]:
    return trace.ledger.hypothesis(prompt, step, rank, 0.0).token_ids


def _end_of(trace: Trace, ids: tuple[int, ...]) -> str:
    pieces = whole_texts(trace, ids[-LONGEST_CHARACTER * LONGEST :])
    text = ""
    for piece in reversed(pieces):
        text = piece + text
        if len(text) > LONGEST:
            return f"…{text[1 - LONGEST :]}"
    return text
