"""What a beam step comes to, and what became of one candidate: the facts behind the page's sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .ledger_table import LedgerRow, ledger_rows
from .pool_table import Pool, pool_view

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["BeamReading", "beam_reading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamReading:
    """A step of one prompt.

    Attributes:
        step: from 0.
        rows: its candidates.
        pool: after it.
        first: the kept candidate that stands highest, or None where nothing was kept.
        firsts: in each group of a diverse search, the kept candidate that stands highest; groups are searched, and
            ranked, one after the other.
        missed: the pruned candidate that came nearest to a place, or None.
        finished: those that entered the pool.
        others: those that ended and did not.
        stop_reason: why the search stopped here, or "" where it went on.
    """

    step: int
    rows: tuple[LedgerRow, ...]
    pool: Pool
    first: LedgerRow | None
    firsts: tuple[LedgerRow, ...]
    missed: LedgerRow | None
    finished: tuple[LedgerRow, ...]
    others: tuple[LedgerRow, ...]
    stop_reason: str

    @property
    def n_groups(self) -> int:
        """Beam groups in diverse beam search, else 1."""
        return len(self.pool.worst)


def beam_reading(trace: Trace, step: int, prompt: int = 0) -> BeamReading:
    """The facts of a step."""
    rows = ledger_rows(trace, step, prompt)
    pruned = [row for row in rows if row.fate == "pruned" and row.margin is not None]
    kept = [row for row in rows if row.fate == "kept"]
    reasons = trace.stop_reasons
    return BeamReading(
        step=step,
        rows=rows,
        pool=pool_view(trace, step, prompt),
        first=kept[0] if kept else None,
        firsts=tuple({row.group: row for row in reversed(kept)}[group] for group in sorted({r.group for r in kept})),
        missed=max(pruned, key=lambda row: row.margin, default=None),
        finished=tuple(row for row in rows if row.fate == "finished"),
        others=tuple(row for row in rows if row.fate in ("ended_outside", "beaten")),
        stop_reason=reasons[prompt] if _is_last(trace, step, prompt) and prompt < len(reasons) else "",
    )


def _is_last(trace: Trace, step: int, prompt: int) -> bool:
    """Whether the prompt's search ended with this step: the run did, or the next one no longer searches it."""
    if step == len(trace.ledger) - 1:
        return trace.stop_reasons[prompt : prompt + 1] != ("running",)
    now, later = trace.ledger.steps[step]["searching"], trace.ledger.steps[step + 1]["searching"]
    return bool(now[prompt]) and not bool(later[prompt])
