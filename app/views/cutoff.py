"""The cut-off: one truncation rule of a step, as the rule itself sees the tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from decoding.reading import stats
from decoding.reading.cutoffs import RULES, Cutoff, cutoff

from .stage_names import stage_label
from .token_text import token_text

if TYPE_CHECKING:
    from torch import Tensor

    from decoding.trace import Trace
    from decoding.whatif.whatif import WhatIf

__all__ = ["CutoffRow", "CutoffView", "Gap", "RuleTab", "cutoff_view"]

N_FIRST = 9
N_AT_MOST = 14  # rows before the boundary when the chosen token lies that deep
N_AROUND = 3  # tokens on either side of a boundary further down


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTab:
    """A rule that ran at this step; `id` is the stage's place among all stages, from 1."""

    id: str
    stage: str
    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoffRow:
    """A token in the rule's order.

    Attributes:
        place: in that order, from 1.
        token_id, text, chosen: the token.
        value: what the rule adds up or compares.
        probability: before the stage.
        kept: as recorded.
        minimum: outside the threshold, kept so that enough tokens remain.
        margin: distance from the boundary in the rule's unit, negative outside; None without one.
    """

    place: int
    token_id: int
    text: str
    chosen: bool
    value: float
    probability: float
    kept: bool
    minimum: bool
    margin: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Tokens left out after a row: how many, and their probability before the stage."""

    after: int
    n: int
    mass: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoffView:
    """The rules that ran, and one of them in full.

    Attributes:
        step, mode: of the run.
        tabs: rules that ran, in order; empty when none did.
        tab: the id of the one in view, or "".
        cut: its numbers, or None.
        rows: the tokens shown, in the rule's order.
        gaps: tokens left out between the rows, and after the last one.
        crossing: index into `rows` of the last token that the threshold lets in, or None.
        hidden_chosen: the chosen token's text when it is alive but not among `rows`.
    """

    step: int
    mode: str
    tabs: tuple[RuleTab, ...] = ()
    tab: str = ""
    cut: Cutoff | None = None
    rows: tuple[CutoffRow, ...] = ()
    gaps: tuple[Gap, ...] = ()
    crossing: int | None = None


def cutoff_view(
    trace: Trace,
    *,
    step: int,
    row: int = 0,
    stage: str = "",
    token_id: int | None = None,
    whatif: WhatIf | None = None,
    scores: list[Tensor] | None = None,
) -> CutoffView:
    """The rule of the stage with this id at a step; of the last rule that ran where there is no such stage.

    Args:
        token_id: the token to follow; None for the one that the row went on with. A beam's row has several.
        whatif: other settings, under which the step is shown instead.
        scores: the row's before the first stage and after each, where they are at hand.

    Raises:
        NotRecordedError: there is no such step or row.
    """
    recorded, mode = trace.steps[step], trace.mode if whatif is None else whatif.mode
    stages = recorded.stages if whatif is None else whatif.stages
    tabs = tuple(
        RuleTab(id=str(i), stage=s.name, label=stage_label(s)[0], value=stage_label(s)[1])
        for i, s in enumerate(stages, start=1)
        if s.name in RULES
    )
    if not tabs:
        return CutoffView(step=step, mode=mode)
    tab = stage if any(t.id == stage for t in tabs) else tabs[-1].id
    if scores is None:
        scores = recorded.all_scores(row=row) if whatif is None else whatif.all_scores(step=step, row=row)
    scores = scores[: int(tab) + 1]
    which = stages[int(tab) - 1]
    chosen = token_id
    if chosen is None and not recorded.ended[row]:
        chosen = recorded.token_ids[row]
    depth = 0 if chosen is None else int(stats.rank(scores[-2], chosen)) + 1
    limit = depth if N_FIRST < depth <= N_AT_MOST else N_FIRST
    cut = cutoff(which.name, which.params, scores[-2], scores[-1], limit, chosen)
    facts = recorded.facts(row) if whatif is None else None
    if facts is not None:  # of a compact trace: what was true, which the scores tell only nearly
        cut = replace(cut, mass_removed=facts[int(tab)].mass_removed)
    every = _rows(trace, cut, chosen)
    rows = tuple(
        r for r in every if r.place <= limit or abs(r.place - _last_inside(cut)) <= N_AROUND or r.chosen
    )
    crossing = next((i for i, r in enumerate(rows) if r.place - 1 == cut.crossing), None)
    return CutoffView(
        step=step, mode=mode, tabs=tabs, tab=tab, cut=cut, rows=rows, crossing=crossing,
        gaps=_gaps(cut, every, rows),
    )  # fmt: skip


def _last_inside(cut: Cutoff) -> int:
    """The place, from 1, of the last token that the threshold lets in; 0 when it lets in none."""
    return 0 if cut.crossing is None else cut.crossing + 1


def _gaps(cut: Cutoff, every: tuple[CutoffRow, ...], rows: tuple[CutoffRow, ...]) -> tuple[Gap, ...]:
    """What is not among `rows`: tokens that `cut` left out, and those of `every` that the view did."""
    places = [row.place for row in rows]
    weights = [(row.place, row.probability, more) for row, more in zip(every, cut.following_mass, strict=True)]
    gaps = []
    for i, (place, following) in enumerate(zip(places, [*places[1:], cut.n_alive + 1], strict=True)):
        if following - place > 1:
            inside = [(at, p, more) for at, p, more in weights if place <= at < following]
            mass = sum(more + (p if at > place else 0.0) for at, p, more in inside)
            gaps.append(Gap(after=i, n=following - place - 1, mass=mass))
    return tuple(gaps)


def _rows(trace: Trace, cut: Cutoff, chosen: int | None) -> tuple[CutoffRow, ...]:
    return tuple(
        CutoffRow(
            place=place + 1,
            token_id=token_id,
            text=token_text(trace, token_id),
            chosen=token_id == chosen,
            value=value,
            probability=p,
            kept=kept,
            minimum=kept and minimum and (cut.crossing is None or place > cut.crossing),
            margin=margin,
        )
        for place, token_id, value, p, kept, minimum, margin in zip(
            cut.positions,
            cut.token_ids,
            cut.values,
            cut.probs,
            cut.kept,
            cut.minimum,
            cut.margins,
            strict=True,
        )
    )
