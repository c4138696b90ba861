"""Engine orders: a lane per order, the tokens whose fate depends on it, and why."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .stage_names import stage_label
from .token_text import token_text

if TYPE_CHECKING:
    from decoding.reading.engine_orders import Comparison, Fate, OrderResult, Pattern
    from decoding.reading.llama_cpp_order import Parting
    from decoding.recorded.stages import Stage
    from decoding.trace import Trace

__all__ = [
    "Chip",
    "FateCell",
    "FateGroup",
    "FateRow",
    "Lane",
    "OrdersView",
    "PartingRow",
    "PartingView",
    "Reason",
    "orders_view",
    "parting_view",
]

TEMPERATURE = "TemperatureLogitsWarper"
ADD_UP = ("TopPLogitsWarper", "TypicalLogitsWarper", "TopHLogitsWarper")
SHARES = ("EpsilonLogitsWarper", "EtaLogitsWarper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A sampler in a lane.

    Attributes:
        stage: the class name.
        key: the parameter people know it by.
        value: of the parameter.
        n_alive: tokens left after it; None where the lane leaves it out.
        n_removed: tokens it removed.
    """

    stage: str
    key: str
    value: str
    n_alive: int | None = None
    n_removed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One order.

    Attributes:
        name: the engine's.
        n_before: tokens alive before the first sampler.
        n_survivors: after the last.
        mass_kept: probability of the survivors before the first sampler.
        n_more, n_fewer: survivors that the first lane does not have, and the other way round.
        ran: the engine's version, where the engine itself ran; "" where transformers' classes did.
    """

    name: str
    chips: tuple[Chip, ...]
    left_out: tuple[Chip, ...]
    n_before: int
    n_survivors: int
    mass_kept: float
    n_more: int
    n_fewer: int
    ran: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why one lane keeps tokens that another removes.

    Attributes:
        kind: what is otherwise in the cutter. `left_out`: the keeper has no such sampler. `before`: it comes before
            `moved`, which the keeper runs first. `after`: it comes after `also`, which the keeper runs later. `both`.
            `extra`: it comes after `also`, which the keeper does not have. `fewer`: in the keeper it comes after
            `moved`, which the cutter does not have. `order`: it comes after the same ones, in another order.
            `arithmetic`: not the order: the engine, which both are, decides otherwise than transformers' classes do in
            its order.
        keeper, cutter: names of lanes.
        sampler: the one that removes the tokens, as `top_p 0.9`.
        moved, also: other samplers, in the same form.
        n_kept: tokens that the sampler leaves in the keeper; None where it has none.
        n_cut: in the cutter.
        because: what the ones on the other side do: `flatter` (the keeper has a temperature above 1 before it),
            `sharper` (the cutter has one below 1 before it), `fewer_add_up`, `more_reach` (cuts leave the rest larger
            shares: fewer add up to the same, more reach the same share).
        temperature: its value as text, or "".
    """

    kind: str
    keeper: str
    cutter: str
    sampler: str
    moved: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    n_kept: int | None = None
    n_cut: int = 0
    because: tuple[str, ...] = ()
    temperature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FateCell:
    """What a lane did to a token: `removed_by` is "" for one that survived, with its final probability."""

    probability: float
    removed_by: str
    margin: float | None
    unit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FateRow:
    """A token that only some lanes keep; `probability` is that before the first sampler."""

    token_id: int
    text: str
    in_view: bool
    probability: float
    cells: tuple[FateCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FateGroup:
    """Tokens that the same samplers remove in the same lanes; `n_tokens` counts those beyond `rows`, too."""

    reason: Reason
    n_tokens: int
    rows: tuple[FateRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartingRow:
    """A token that only one of llama.cpp and transformers' class keeps, and whether float64 does."""

    token_id: int
    text: str
    in_view: bool
    probability: float
    by_engine: bool
    in_float64: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartingView:
    """A sampler of which llama.cpp and transformers' class make two different things.

    Attributes:
        sampler: as `top_p 0.9`.
        found: the numbers.
        n_before: tokens alive before it.
        rows: the likeliest tokens between them.
    """

    sampler: str
    found: Parting
    n_before: int
    rows: tuple[PartingRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersView:
    """The orders of a step, and the tokens that differ, in groups; the likeliest token's group first."""

    lanes: tuple[Lane, ...]
    n_differing: int
    groups: tuple[FateGroup, ...]

    @property
    def n_shown(self) -> int:
        """Tokens that differ and have a row."""
        return sum(len(group.rows) for group in self.groups)


def orders_view(trace: Trace, found: Comparison, token_id: int | None = None) -> OrdersView:
    """The view of a comparison; the first result is what the others are held against.

    Args:
        trace: for the tokens' texts.
        token_id: the token in view.
    """
    first = found.results[0]
    rows: dict[Pattern, list[FateRow]] = defaultdict(list)
    for difference in found.differences:
        cells = tuple(
            _cell(fate, result) for fate, result in zip(difference.fates, found.results, strict=True)
        )
        row = FateRow(
            token_id=difference.token_id,
            text=token_text(trace, difference.token_id),
            in_view=difference.token_id == token_id,
            probability=difference.probability,
            cells=cells,
        )
        rows[difference.pattern].append(row)
    groups = tuple(
        FateGroup(
            reason=_reason(pattern, found.results, of_pattern[0].token_id), n_tokens=found.patterns[pattern],
            rows=tuple(of_pattern),
        )
        for pattern, of_pattern in rows.items()
    )  # fmt: skip
    lanes = tuple(_lane(result, first) for result in found.results)
    return OrdersView(lanes=lanes, n_differing=found.n_differing, groups=groups)


def parting_view(
    trace: Trace, found: Parting, result: OrderResult, token_id: int | None = None, limit: int = 20
) -> PartingView:
    """The view of a parting of the engine's result; `limit` is how many tokens to give."""
    given = zip(found.token_ids, found.shares, found.kept_by_engine, found.kept_in_float64, strict=True)
    rows = tuple(
        PartingRow(
            token_id=each, text=token_text(trace, each), in_view=each == token_id, probability=share,
            by_engine=by_engine, in_float64=in_float64,
        )
        for each, share, by_engine, in_float64 in list(given)[:limit]
    )  # fmt: skip
    return PartingView(sampler=_words(found.stage), found=found, n_before=result.n_alive[found.place], rows=rows)


def _lane(result: OrderResult, first: OrderResult) -> Lane:
    mine, theirs = result.survivors, first.survivors
    counts = zip(result.stages, result.n_alive, result.n_alive[1:], strict=False)
    return Lane(
        name=result.order.name,
        chips=tuple(_chip(stage, after, before - after) for stage, before, after in counts),
        left_out=tuple(_chip(stage) for stage in result.left_out),
        n_before=result.n_alive[0],
        n_survivors=result.n_alive[-1],
        mass_kept=result.mass_kept,
        n_more=int((mine & ~theirs).sum()),
        n_fewer=int((theirs & ~mine).sum()),
        ran=str(result.ran or ""),
    )


def _chip(stage: Stage, n_alive: int | None = None, n_removed: int = 0) -> Chip:
    key, value = stage_label(stage)
    return Chip(stage=stage.name, key=key, value=value, n_alive=n_alive, n_removed=n_removed)


def _cell(fate: Fate, result: OrderResult) -> FateCell:
    if fate.removed_by is None:
        return FateCell(probability=fate.probability, removed_by="", margin=None, unit=None)
    margin = fate.margin.margin if fate.margin is not None else None
    return FateCell(
        probability=0.0,
        removed_by=stage_label(result.stages[fate.removed_by])[0],
        margin=None if margin is None else abs(margin),
        unit=None if margin is None else fate.margin.unit,
    )


def _reason(pattern: Pattern, results: tuple[OrderResult, ...], token_id: int) -> Reason:
    """Why the first lane that decides otherwise than the first of all does so; `token_id` is one of the tokens."""
    by_stage, engine = pattern
    if engine is not None:
        return _rounding(results[engine], token_id)
    other = next(i for i, by in enumerate(by_stage) if (by is None) != (by_stage[0] is None))
    keep, cut = (0, other) if by_stage[0] is None else (other, 0)
    keeper, cutter, place = results[keep], results[cut], by_stage[cut]
    sampler = cutter.stages[place]
    words = {"keeper": keeper.order.name, "cutter": cutter.order.name, "sampler": _words(sampler)}
    if sampler not in keeper.stages:
        return Reason(kind="left_out", **words)
    kind, moved, also = _crossed(keeper, cutter, sampler)
    return Reason(
        kind=kind,
        moved=tuple(_words(s) for s in moved),
        also=tuple(_words(s) for s in also),
        n_kept=keeper.n_alive[keeper.stages.index(sampler) + 1],
        n_cut=cutter.n_alive[place + 1],
        because=_because(sampler, moved, also),
        temperature=next((stage_label(s)[1] for s in (*moved, *also) if s.name == TEMPERATURE), ""),
        **words,
    )


def _rounding(result: OrderResult, token_id: int) -> Reason:
    """Why an engine that ran decides otherwise about a token than its order computed does."""
    one_that_cuts = result.computed if result.survivors[token_id] else result
    place = next(i for i, after in enumerate(one_that_cuts.scores[1:]) if after[token_id] == -math.inf)
    return Reason(
        kind="arithmetic",
        keeper=result.order.name,
        cutter=result.order.name,
        sampler=_words(result.stages[place]),
        n_kept=result.computed.n_alive[place + 1],
        n_cut=result.n_alive[place + 1],
    )


def _crossed(keeper: OrderResult, cutter: OrderResult, sampler: Stage) -> tuple[str, list[Stage], list[Stage]]:
    """What acts before the sampler in one of the two only: the kind, the keeper's, the cutter's."""
    in_keeper, in_cutter = _acting_before(keeper, sampler), _acting_before(cutter, sampler)
    all_in_keeper, all_in_cutter = (r.stages[: r.stages.index(sampler)] for r in (keeper, cutter))
    moved = [s for s in in_keeper if s not in all_in_cutter]
    also = [s for s in in_cutter if s not in all_in_keeper]
    # What both engines have stands on the other side; only where there is no such thing does it count what one lacks.
    both_have = [s for s in moved if s in cutter.stages], [s for s in also if s in keeper.stages]
    if any(both_have):
        kind = "both" if all(both_have) else "before" if both_have[0] else "after"
        return kind, *both_have
    if also:
        return "extra", [], also
    return ("fewer", moved, []) if moved else ("order", [], [])


def _acting_before(result: OrderResult, sampler: Stage) -> list[Stage]:
    """The samplers before this one that changed anything: temperatures, and those that removed a token."""
    out = []
    for stage, before, after in zip(result.stages, result.n_alive, result.n_alive[1:], strict=False):
        if stage == sampler:
            break
        if stage.name == TEMPERATURE or after < before:
            out.append(stage)
    return out


def _because(sampler: Stage, moved: list[Stage], also: list[Stage]) -> tuple[str, ...]:
    """What those that stand on the other side do to what the sampler measures."""
    if sampler.name == "TopKLogitsWarper":  # it looks at ranks alone
        return ()
    out = []
    if any(s.name == TEMPERATURE and s.params.get("temperature", 1) > 1 for s in moved):
        out.append("flatter")
    if any(s.name == TEMPERATURE and s.params.get("temperature", 1) < 1 for s in also):
        out.append("sharper")
    if sampler.name in ADD_UP and any(s.name != TEMPERATURE for s in also):
        out.append("fewer_add_up")
    if sampler.name in SHARES and any(s.name != TEMPERATURE for s in moved):
        out.append("more_reach")
    return tuple(out)


def _words(stage: Stage) -> str:
    return " ".join(stage_label(stage)).strip()
