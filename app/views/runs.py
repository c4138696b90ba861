"""The runs beside each other: what each says, and where a fork leaves the run it was taken from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.views.token_text import shown, token_text

if TYPE_CHECKING:
    from app.runs import Run, Runs
    from decoding.trace import Trace

__all__ = ["RunLine", "run_lines"]

LONGEST_LINE = 400  # tokens shown of a run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run as text.

    Attributes:
        number: of the run.
        active: it is in view.
        shared: texts of its tokens that are the first run's, the prompt left out.
        forked: the token taken instead; empty for the first run.
        instead_of: the token that stands there in the run it was taken from; empty where there is none.
        fresh: texts of the tokens decoded after the fork; for the first run all of them.
        step: of the fork, from 0; None for the first run.
        reused: the prefix was not computed again.
        more: tokens left out at the end.
    """

    number: int
    active: bool
    shared: tuple[str, ...]
    forked: str
    instead_of: str
    fresh: tuple[str, ...]
    step: int | None
    reused: bool
    more: int


def run_lines(runs: Runs) -> tuple[RunLine, ...]:
    """A line per run, the first run first."""
    return tuple(_line(run, runs) for run in runs)


def _line(run: Run, runs: Runs) -> RunLine:
    trace, fork = run.trace, run.trace.fork
    fresh = _texts(trace, _decoded(trace))
    shared: tuple[str, ...] = ()
    forked = instead = ""
    if fork is not None:
        anew = fork.token_id is None  # no token was taken: the step was decided again, under other settings
        prefix = trace.prompt_ids[0, _first_prompt(run, runs) : None if anew else -1].tolist()
        shared, forked = _texts(trace, prefix), "" if anew else token_text(trace, fork.token_id)
        source = runs.source(run)
        if source is not None and fork.rank is None:
            instead = token_text(source, source.steps[fork.step].token_ids[fork.row])
    return RunLine(
        number=run.number, active=run is runs.active, shared=shared, forked=forked, instead_of=instead,
        fresh=fresh[:LONGEST_LINE], step=None if fork is None else fork.step, reused=trace.prefill == "reused",
        more=max(0, len(fresh) - LONGEST_LINE),
    )  # fmt: skip


def _first_prompt(run: Run, runs: Runs) -> int:
    """Length of the first run's prompt: what forks of forks share counts as decoded."""
    first = next(iter(runs))
    return first.trace.prompt_ids.shape[1]


def _decoded(trace: Trace) -> list[int]:
    """The tokens of the first row, or of the best hypothesis."""
    if trace.ledger is not None:
        best = trace.hypotheses
        return list(best[0].token_ids) if best else []
    return [step.token_ids[0] for step in trace.steps if not step.ended[0]]


def _texts(trace: Trace, ids: list[int]) -> tuple[str, ...]:
    if trace.tokens is None:
        return tuple(f"#{i}" for i in ids)
    return tuple(shown(token.text) for token in trace.tokens.display(ids))
