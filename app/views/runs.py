"""The runs beside each other: what each says, what tells it apart, and where a fork leaves its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .run_differences import Difference, run_differences
from .token_text import cut, split_text, token_text

if TYPE_CHECKING:
    from decoding.trace import Trace

    from ..runs import Run, Runs

__all__ = ["RunLine", "run_lines"]

LONGEST_LINE = 400  # tokens shown of a run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run as text.

    Attributes:
        number: of the run, from 0.
        name: that the visitor gave it, or "".
        active: it is in view.
        origin: `example` or `file`, `stored` for one that was recorded here before, or "" for one recorded just now.
        model, mode: of the run.
        source: the number of the run it was forked from, or None.
        compared: whether there is an earlier run, which `differences` tell it from.
        differences: from the run it was forked from, or else from the one before it (`a` is that one).
        shared: texts of its tokens that are the source's, the prompt left out; tokens of one character are one text.
        forked: the token taken instead, or the character that it is part of; empty where the run is no fork, or the
            step was decided again.
        instead_of: the token that stands there in the run it was taken from; empty where there is none.
        fresh: texts of the tokens decoded after the fork; for other runs all of them.
        step: of the fork, from 0 where the first of the runs began; None for other runs.
        reused: the prefix was not computed again.
        more: tokens left out at the end.
    """

    number: int
    name: str
    active: bool
    origin: str
    model: str
    mode: str
    source: int | None
    compared: bool
    differences: tuple[Difference, ...]
    shared: tuple[str, ...]
    forked: str
    instead_of: str
    fresh: tuple[str, ...]
    step: int | None
    reused: bool
    more: int


def run_lines(runs: Runs) -> tuple[RunLine, ...]:
    """A line per run, the oldest first."""
    return tuple(_line(run, runs) for run in runs)


def _line(run: Run, runs: Runs) -> RunLine:
    trace, fork, before = run.trace, run.trace.fork, runs.before(run)
    shared, forked, fresh, more = runs.once("texts", (run,), lambda: _said(run))
    source, instead = runs.source(run), ""
    if forked and source is not None and fork.rank is None:
        instead = token_text(source.trace, source.trace.steps[fork.step].token_ids[fork.row])
    return RunLine(
        number=run.number, name=run.name, active=run is runs.active, origin=run.origin,
        model=run.model_name, mode=trace.mode,
        source=run.taken_from, compared=before is not None,
        differences=() if before is None else runs.once("differences", (before, run), lambda: _told(before, run)),
        shared=shared, forked=forked, instead_of=instead, fresh=fresh,
        step=None if fork is None else _left_at(trace), reused=trace.prefill == "reused", more=more,
    )  # fmt: skip


def _said(run: Run) -> tuple[tuple[str, ...], str, tuple[str, ...], int]:
    """As characters what a fork took over, the token it took instead, and what was decoded; how much is left out."""
    trace, fork = run.trace, run.trace.fork
    prefix = [] if fork is None else trace.prompt_ids[0, run.start :].tolist()
    ids = [*prefix, *_decoded(trace)]
    seen = cut(trace, ids, len(prefix) + LONGEST_LINE)
    taken = fork is not None and fork.token_id is not None  # else the step was decided again, under other settings
    shared, fresh = split_text(trace, seen, [len(prefix) - taken])
    forked, fresh = (fresh[0], fresh[1:]) if taken else ("", fresh)
    return shared, forked, fresh, len(ids) - len(seen)


def _left_at(trace: Trace) -> int:
    """The step at which a fork leaves: where it took another token, its own first one comes after that."""
    return trace.first_step - (trace.fork.token_id is not None)


def _told(before: Run, run: Run) -> tuple[Difference, ...]:
    fork = run.trace.fork
    which = fork.row // before.trace.rows_per_prompt if fork is not None and run.taken_from == before.number else 0
    return run_differences(before, run, prompts=(which, 0))


def _decoded(trace: Trace) -> list[int]:
    """The tokens of the first row, or of the best hypothesis."""
    if trace.ledger is not None:
        best = trace.hypotheses
        return list(best[0].token_ids) if best else []
    return [step.token_ids[0] for step in trace.steps if not step.ended[0]]
