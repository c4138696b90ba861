"""The lab's tab `microscope`: a stage of the step in view, taken apart into its tensor operations."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
import transformers

from decoding.microscope import FOLLOWS, Account, account_of, doc_url
from decoding.parameters.knobs import BEAM_MODES
from decoding.recorded.stages import LOG_SOFTMAX, Stage

from ..palette import colour_name
from ..text import Sentence, Text
from ..views.look import Look
from ..views.microscope import CellView, ColumnView, LineView, OpView, columns, op_view
from ..views.numbers import entry
from ..views.stage_names import stage_label
from ..views.token_text import token_text

__all__ = ["sheet"]

LIBRARY = "transformers/"
ORDERED = ("sorted", "top", "rank")  # spaces in whose order the columns may stand


def sheet(look: Look, wish: Mapping[str, Any]) -> dict[str, Any]:
    """The stages and the open one's operations; `wish` is `{"stage": number, "name": its class name}`."""
    text, idle = look.text, _idle(look)
    number = _wished(look, wish, idle)
    account = account_of(
        look.trace, step=look.step, row=look.row, stage=number, token_id=look.token_id, whatif=look.whatif,
        scores=look.scores,
    )  # fmt: skip
    colour = colour_name(look.stages[number - 1].name) if number <= len(look.stages) else "other_rule"
    frame = {
        "key": f"{look.row}.{look.step}.{number}",
        "open": number,
        "colour": colour.replace("_", "-"),
        "labels": {
            key: text(f"microscope.{key}") for key in ("stages", "absent", "digits.all", "digits.tip", "legend.changed")
        },
        "stages": [*(_chip(s, i, idle[i - 1], text) for i, s in enumerate(look.stages, 1)), _choice_chip(look)],
    }
    if account is None:
        over = look.whatif is None and look.mode == "group_beam_search"
        return frame | {"none": text("microscope.none.group" if over else "microscope.none")}
    tokens = columns(look.trace, account)
    ops = [op_view(look.trace, op) for op in account.ops]
    return frame | {
        "source": _source(look, account),
        "count": _count(look, account, text),
        "verdict": _verdict(look, account),
        "legend": _legend(tokens, _gaps(ops), text),
        "columns": [_column(*parts, text) for parts in zip(tokens, _edges(tokens), _gaps(ops), strict=True)],
        "ops": [_op(op, text) for op in ops],
    }


def _idle(look: Look) -> list[bool]:
    """Per stage, whether it changed nothing at this step."""
    return [
        before.shape == after.shape and torch.equal(before.view(torch.int32), after.view(torch.int32))
        for before, after in zip(look.scores, look.scores[1:], strict=False)
    ]


def _wished(look: Look, wish: Mapping[str, Any], idle: list[bool]) -> int:
    """The stage asked for, from 1, the choice last; by default the last that changed something, else the choice.

    The log-probabilities that beam methods begin with count as no change. A stage that was asked for by a name that
    is elsewhere now (under other settings) is looked for there.
    """
    number, name = wish.get("stage"), wish.get("name")
    names = [stage.name for stage in look.stages] + [""]
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= len(names):
        if not isinstance(name, str) or names[number - 1] == name:
            return number
    if isinstance(name, str) and name in names:
        return names.index(name) + 1
    acted = [i for i, s in enumerate(look.stages, 1) if not idle[i - 1] and s.name != LOG_SOFTMAX]
    return acted[-1] if acted else len(names)


def _chip(stage: Stage, number: int, idle: bool, text: Text) -> dict[str, Any]:
    tip = text("microscope.stage.idle", name=stage.name) if idle else stage.name
    label = " ".join(stage_label(stage)).strip()
    return {"number": number, "name": stage.name, "label": label, "tip": tip, "idle": idle}


def _choice_chip(look: Look) -> dict[str, Any]:
    kind = {"sample": "sample", "contrastive_search": "contrastive"}.get(look.mode, "greedy")
    kind = "beam" if look.mode in BEAM_MODES else kind
    tip = look.text("microscope.choice.tip.beam" if kind == "beam" else "microscope.choice.tip")
    label = look.text(f"microscope.choice.{kind}")
    return {"number": len(look.stages) + 1, "name": "", "label": label, "tip": tip, "idle": False}


# --- in words ---------------------------------------------------------------------------------------------------


def _source(look: Look, account: Account) -> dict[str, Any]:
    """Where the code is that was executed here."""
    text, notes = look.text, []
    if not account.file:
        return {"text": text("microscope.source.own", method=account.source), "version": "", "notes": notes}
    version = text("microscope.source.project")
    if account.file.startswith(LIBRARY):
        number = transformers.__version__ if look.whatif is not None else look.trace.model.transformers_version
        version = text("microscope.source.version", version=number)
        if account.taken_apart and number.split(".")[:2] != FOLLOWS.split("."):
            notes.append(text("microscope.follows", follows=FOLLOWS, version=number))
    elif account.source == "diverse_beam" and len(account.ops) > 1:
        notes.append(text("microscope.diverse"))
    where = text("microscope.source", method=account.source, file=account.file)
    return {"text": where, "version": version, "notes": notes}


def _verdict(look: Look, account: Account) -> dict[str, Any]:
    """Whether the numbers are those of the run: `good`, `bad`, or `open` where there is nothing to compare."""
    key = f"microscope.{_verdict_key(look, account)}"
    special = ".whatif" if look.whatif is not None else "" if look.trace.steps[look.step].exact else ".compact"
    key += special if look.text.has(key + special) else ""
    n_tokens, taken = len(look.scores[-1]), look.trace.steps[look.step].token_ids[look.row]
    fields = {
        "n": f"{account.n_compared if account.agrees else account.n_differing:,}",
        "of": f"{account.n_compared:,}",
        "greatest": entry(account.greatest_difference),
        "kept": f"{account.n_compared:,}",
        "rest": f"{n_tokens - account.n_compared:,}",
        "device": look.trace.model.device,
        "version": look.trace.model.transformers_version,
        "token": token_text(look.trace, account.result[0]) if account.result else "",
        "taken": token_text(look.trace, taken),
    }
    kind = {True: "good", False: "bad", None: "open"}[account.agrees]
    return {"kind": kind, "text": look.text.pieces(key, **fields)}


def _verdict_key(look: Look, account: Account) -> str:
    same = "equal" if account.agrees else "differs"
    if not account.taken_apart:
        return "one_step"
    if account.kind in ("greedy", "draw") and look.whatif is None and look.trace.steps[look.step].ended[look.row]:
        return "ended"
    if account.kind == "draw":
        return "drawn"
    if account.agrees is None:
        return "beams.whatif" if account.kind == "beam" else "choice.would"
    if account.kind == "greedy":
        return f"choice.{same}"
    if account.kind in ("beam", "contrastive"):
        return f"{'beams' if account.kind == 'beam' else 'weighed'}.{same}"
    return same


def _count(look: Look, account: Account, text: Text) -> str:
    """How many operations there are, and of how many tokens or candidates the numbers are shown."""
    key = "microscope.operations" if len(account.ops) > 1 else "microscope.operations.one"
    what, of = "tokens", len(look.scores[-1])
    if account.kind in ("beam", "contrastive"):
        what, of = "candidates", account.n_candidates
    shown = text(f"microscope.shown.{what}", n=len(account.tokens), of=f"{of:,}")
    return text(key, n=len(account.ops), shown=shown)


def _legend(tokens: tuple[ColumnView, ...], gaps: list[bool], text: Text) -> list[dict[str, str]]:
    """What the marks above the columns mean, those that are there."""
    fates = dict.fromkeys(column.fate for column in tokens if column.fate != "kept")
    marks = ["chosen"] if any(column.chosen for column in tokens) else []
    if any(_edges(tokens)):
        marks.append("edge")
    if any(gaps):
        marks.append("gap")
    return [{"mark": mark, "text": text(f"microscope.legend.{mark}")} for mark in (*marks, *fates)]


# --- as JSON ----------------------------------------------------------------------------------------------------


def _edges(tokens: tuple[ColumnView, ...]) -> list[bool]:
    """Per column, whether the boundary of the stage runs before it: only one of the two was removed by it."""
    fates = [column.fate for column in tokens]
    return [False] + [{a, b} in ({"kept", "removed"}, {"kept", "pruned"}) for a, b in pairwise(fates)]


def _gaps(ops: list[OpView]) -> list[bool]:
    """Per column, whether others stand between it and the one before, in the order that the columns have."""
    ordered = [line.cells for op in ops for line in op.lines if line.role == "place" and line.label in ORDERED]
    if not ordered:
        return [False] * max((len(line.cells) for op in ops for line in op.lines), default=0)
    places = [int(cell.text) if cell.text else None for cell in ordered[0]]
    return [False] + [None not in (a, b) and b - a > 1 for a, b in pairwise(places)]


def _column(column: ColumnView, edge: bool, gap: bool, text: Text) -> dict[str, Any]:
    tip = column.text if column.fate == "kept" else f"{column.text} · {text(f'microscope.legend.{column.fate}')}"
    beam = "" if column.beam is None else text("microscope.beam", n=column.beam + 1)
    return {
        "text": column.text,
        "chosen": column.chosen,
        "fate": column.fate,
        "edge": edge,
        "gap": gap,
        "tip": tip,
        "beam": beam,
    }


def _op(op: OpView, text: Text) -> dict[str, Any]:
    note: Sentence = text.pieces(f"microscope.op.{op.note}", **op.facts)
    return {
        "name": op.name,
        "functions": [_function(name, text) for name in (op.name, *op.also)],
        "call": op.call,
        "takes": op.takes,
        "gives": op.gives,
        "note": note,
        "lines": [_line(line, text) for line in op.lines],
    }


def _function(name: str, text: Text) -> dict[str, str]:
    url = doc_url(name)
    return {"name": name, "url": url, "tip": text("microscope.docs", name=name) if url else ""}


def _line(line: LineView, text: Text) -> dict[str, Any]:
    label = text(f"microscope.place.{line.label}") if line.role == "place" else line.label
    return {"role": line.role, "label": label, "shape": line.shape, "cells": [_cell(cell) for cell in line.cells]}


def _cell(cell: CellView) -> list[str]:
    return [cell.text, cell.full if cell.full != cell.text else "", cell.state]
