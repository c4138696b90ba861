"""The lab's tab `orders`: the step's scores through the sampler orders of several engines, and one arranged by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from decoding.reading.engine_orders import (
    LLAMA_CPP,
    TRANSFORMERS,
    VLLM,
    EngineOrder,
    compare,
    run_orders,
    sampler_places,
)
from decoding.recorded.stages import Stage

from ..palette import colour_name
from ..text import Sentence, Text
from ..views.look import Look
from ..views.numbers import margin_text, percent
from ..views.orders import Chip, FateCell, FateGroup, Lane, OrdersView, Reason, orders_view
from ..views.stage_names import stage_label
from .engine_run import EngineRun, engine_run, how, note, section

__all__ = ["sheet"]

LLAMA = 2  # llama.cpp's lane
OWN = 3  # the one arranged by hand
RANKS_ONLY = {"TemperatureLogitsWarper", "TopKLogitsWarper"}
EXAMPLE = (
    Stage(name="TemperatureLogitsWarper", params={"temperature": 1.5}),
    Stage(name="TopKLogitsWarper", params={"top_k": 50}),
    Stage(name="TopPLogitsWarper", params={"top_p": 0.9}),
    Stage(name="MinPLogitsWarper", params={"min_p": 0.05}),
)
"""What is shown where fewer than two samplers ran, so that there is an order to look at."""


def sheet(look: Look, wish: Mapping[str, Any]) -> dict[str, Any]:
    """The lanes, and the tokens whose fate depends on the order; `wish` is `{"order": [parameter, …]}`."""
    text = look.text
    ran = [look.stages[i] for i in sampler_places(look.stages)]
    example = len(ran) < 2
    samplers, before, known = _with_example(look, ran) if example else _as_ran(look)
    mine = EngineOrder(name=text("orders.own"), samplers=_wished(wish.get("order"), samplers))
    as_ran = EngineOrder(name=TRANSFORMERS.name, samplers=tuple(s.name for s in samplers))
    engine = engine_run(look, before, samplers)
    results = list(run_orders(before, samplers, (as_ran, VLLM, LLAMA_CPP, mine), known))
    if engine.result is not None:
        results[LLAMA] = engine.result
    view = orders_view(look.trace, compare(results), look.token_id)
    how_each = _how(engine, text)
    return {
        "key": f"{look.row}.{look.step}",
        "reading": [*text.pieces("orders.intro"), text("orders.space"), *_result(view, samplers, text)],
        "example": _example_note(look, ran, samplers) if example else "",
        "caution": _caution(look),
        "lanes": [_lane(lane, i, look, example) | how_each[i] for i, lane in enumerate(view.lanes)],
        "own": {key: text(f"orders.own.{key}") for key in ("hint", "reset")},
        "table": _table(view, text) if view.groups else None,
        "engine": section(engine, look),
        "notes": {"summary": text("orders.notes"), "items": _notes(look, example, engine)},
    }


def _as_ran(look: Look) -> tuple[list[Stage], Tensor, list[Tensor]]:
    """The step's samplers, the scores that the first of them saw, and those after it as far as they ran in a row."""
    places = sampler_places(look.stages)
    in_a_row = [p for n, p in enumerate(places) if p == places[0] + n]
    known = [look.scores[p + 1] for p in in_a_row]
    return [look.stages[p] for p in places], look.scores[places[0]], known


def _with_example(look: Look, ran: Sequence[Stage]) -> tuple[list[Stage], Tensor, list[Tensor]]:
    """The example's samplers, with the one that ran in its place, and the scores that it saw."""
    stages = {stage.name: stage for stage in (*EXAMPLE, *ran)}
    samplers = [stages[name] for name in TRANSFORMERS.samplers if name in stages]
    places = sampler_places(look.stages)
    return samplers, look.scores[places[0]] if places else look.scores[-1], []


def _wished(order: Any, samplers: Sequence[Stage]) -> tuple[str, ...]:
    """The samplers in the order asked for, which may be anything; those that it does not name come last."""
    names = {stage_label(stage)[0]: stage.name for stage in samplers}
    asked = [key for key in order if isinstance(key, str) and key in names] if isinstance(order, list) else []
    return tuple(dict.fromkeys([*(names[key] for key in asked), *names.values()]))


# --- in words -------------------------------------------------------------------------------------------------


def _result(view: OrdersView, samplers: Sequence[Stage], text: Text) -> Sentence:
    if view.n_differing:
        key = "orders.differ.one" if view.n_differing == 1 else "orders.differ"
        return text.pieces(key, n=f"{view.n_differing:,}")
    n = view.lanes[0].n_survivors
    why = "close" if any(s.name == "TemperatureLogitsWarper" for s in samplers) else "cuts"
    if all(stage.name in RANKS_ONLY for stage in samplers):
        why = "ranks"
    same = text("orders.agree.one" if n == 1 else "orders.agree", n=f"{n:,}")
    return [same, text("orders.space"), *text.pieces(f"orders.agree.{why}")]


def _example_note(look: Look, ran: Sequence[Stage], samplers: Sequence[Stage]) -> str:
    text = look.text
    named = _listed([_named(stage) for stage in samplers], text)
    if ran:
        return text("orders.example.one", sampler=_named(ran[0]), samplers=named)
    mode = look.mode if look.mode in ("greedy", "sample") else "other"
    return text(f"orders.example.{mode}", samplers=named)


def _caution(look: Look) -> str:
    step = look.trace.steps[look.step]
    return "" if step.exact else look.text("orders.compact", n=f"{len(step.exact_ids(look.row)):,}")


def _named(stage: Stage) -> str:
    return " ".join(stage_label(stage)).strip()


def _why(reason: Reason, text: Text) -> str:
    fields = {
        "keeper": reason.keeper,
        "cutter": reason.cutter,
        "sampler": reason.sampler,
        "moved": _listed(reason.moved, text),
        "also": _listed(reason.also, text),
        "kept": f"{reason.n_kept or 0:,}",
        "cut": f"{reason.n_cut:,}",
    }
    words = text(f"orders.why.{reason.kind}", **fields)
    if words.startswith(text("orders.own")):  # a name of ours begins a sentence as other words do
        words = words[0].upper() + words[1:]
    return words + "".join(text(f"orders.because.{because}", t=reason.temperature) for because in reason.because)


def _listed(names: Sequence[str], text: Text) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = names or [""]
    return text("orders.and").join([text("orders.comma").join(first), last] if first else [last])


def _how(engine: EngineRun, text: Text) -> list[dict[str, str]]:
    """Who computed each lane, and how."""
    ours, computed = (text("orders.how.ours"), ""), (text("orders.how.computed"), "")
    return [{"how": words, "how_tip": tip} for words, tip in (ours, computed, how(engine, text), computed)]


def _notes(look: Look, example: bool, engine: EngineRun) -> list[str]:
    text = look.text
    notes = [text(f"orders.note.{key}") for key in ("order", "before", "vllm", "llama")]
    notes += [words] if (words := note(engine, text)) else []
    places = sampler_places(look.stages)
    later = [s for i, s in enumerate(look.stages) if places and i > places[0] and i not in places]
    if later and not example:
        notes.append(text("orders.note.later", stages=_listed([_named(s) for s in later], text)))
    if look.whatif is None and not example and look.trace.model.device != "cpu":
        notes.append(text("orders.note.device", device=look.trace.model.device))
    return notes


# --- as JSON ----------------------------------------------------------------------------------------------------


def _lane(lane: Lane, index: int, look: Look, example: bool) -> dict[str, Any]:
    text = look.text
    mark, words = "same", text("orders.mark.same")
    if index == 0:
        mark, words = "first", "" if example else text("orders.mark.first")
    elif lane.n_more or lane.n_fewer:
        both = "both" if lane.n_more and lane.n_fewer else "more" if lane.n_more else "fewer"
        mark, words = "differs", text(f"orders.mark.{both}", more=f"{lane.n_more:,}", fewer=f"{lane.n_fewer:,}")
    survivors = "orders.tokens.one" if lane.n_survivors == 1 else "orders.tokens"
    return {
        "name": lane.name,
        "own": index == OWN,
        "start": text("orders.tokens", n=f"{lane.n_before:,}"),
        "start_tip": text("orders.start"),
        "chips": [_chip(chip, text) for chip in lane.chips],
        "left_out": _left_out(lane, text) if lane.left_out else None,
        "survivors": text(survivors, n=f"{lane.n_survivors:,}"),
        "mass": text("orders.mass.short", mass=percent(lane.mass_kept)),
        "mass_tip": text("orders.mass", mass=percent(lane.mass_kept)),
        "mark": mark,
        "mark_text": words,
    }


def _left_out(lane: Lane, text: Text) -> dict[str, Any]:
    names = [chip.key for chip in lane.left_out]
    tip = text("orders.left_out", engine=lane.name, samplers=_listed(names, text))
    return {"label": text("orders.left_out.label"), "samplers": names, "tip": tip}


def _chip(chip: Chip, text: Text) -> dict[str, Any]:
    removed = "orders.chip.none" if not chip.n_removed else "orders.chip"
    return {
        "key": chip.key,
        "label": _chip_label(chip),
        "alive": text("orders.alive", n=f"{chip.n_alive:,}"),
        "cuts": bool(chip.n_removed),
        "tip": text(removed, sampler=_chip_label(chip), n=f"{chip.n_removed:,}", alive=f"{chip.n_alive:,}"),
        "earlier": text("orders.own.earlier", sampler=chip.key),
        "later": text("orders.own.later", sampler=chip.key),
        "colour": colour_name(chip.stage).replace("_", "-"),
    }


def _chip_label(chip: Chip) -> str:
    return f"{chip.key} {chip.value}".strip()


def _table(view: OrdersView, text: Text) -> dict[str, Any]:
    hidden = view.n_differing - view.n_shown
    return {
        "caption": text("orders.table"),
        "head": [text("orders.table.token"), text("orders.table.before"), *(lane.name for lane in view.lanes)],
        "groups": [_group(group, text) for group in view.groups],
        "more": text("orders.table.more", n=f"{hidden:,}") if hidden else "",
    }


def _group(group: FateGroup, text: Text) -> dict[str, Any]:
    count = text("orders.tokens.one" if group.n_tokens == 1 else "orders.tokens", n=f"{group.n_tokens:,}")
    return {
        "count": count,
        "why": _why(group.reason, text),
        "rows": [
            {
                "token": row.text,
                "in_view": row.in_view,
                "before": percent(row.probability),
                "cells": [_cell(cell, text) for cell in row.cells],
            }
            for row in group.rows
        ],
    }


def _cell(cell: FateCell, text: Text) -> dict[str, Any]:
    if not cell.removed_by:
        return {"kept": True, "text": percent(cell.probability)}
    margin = margin_text(cell.margin, cell.unit)
    words = text("orders.removed", sampler=cell.removed_by, margin=margin).strip()
    unit = text(f"unit.{cell.unit}") if margin else ""
    tip = text("orders.removed.tip", sampler=cell.removed_by, margin=margin, unit=unit) if margin else ""
    return {"kept": False, "text": words, "tip": tip}
