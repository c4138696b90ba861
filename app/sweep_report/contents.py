"""What the report of a sweep shows, as plain values: its axes, its settings' statistics, and some of its runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from decoding.parameters.knobs import PARAMETER_OF

from ..figures.layout import axis, base_layout
from ..palette import LIGHT
from ..standalone.privacy import last_part, without_places_in
from ..text import Text

if TYPE_CHECKING:
    from decoding.sweeps.plan import Plan
    from decoding.sweeps.summary import Estimate, Summary

__all__ = ["MOST_CELLS", "contents_of"]

MOST_CELLS = 2_500  # settings on the page
MOST_OF_PROMPT, MOST_OF_TEXT, MOST_OF_ERROR = 300, 600, 400  # characters
UNITS = {  # of a statistic, and how its numbers are written
    "n_tokens": ("tokens", "count"), "logprob": ("nats", "nats"), "score": ("", "nats"),
    "entropy_before": ("nats", "nats"), "entropy_after": ("nats", "nats"), "surprisal": ("nats", "nats"),
    "perplexity": ("", "nats"), "mass_removed": ("probability", "share"), "n_left": ("tokens", "count"),
    "likeliest": ("share", "share"), "repeated": ("share", "share"), "repeated_4": ("grams", "share"),
    "self_bleu": ("", "nats"), "seconds": ("seconds", "nats"),
}  # fmt: skip
LABELS = {"n_tokens": "tokens"}  # whose texts are kept under another name
OF_A_RUN = ("n_tokens", "logprob", "surprisal", "entropy_before", "mass_removed", "n_left", "distinct_2", "self_bleu")
ORDER = ("surprisal", "entropy_before", "n_tokens")  # the first of them that there is, is shown first
COLOURS = ("surface", "alive", "alive_line", "chosen", "good", "bad", "muted", "ink", "line", "unsure", "accent")


def contents_of(summary: Summary, text: Text) -> dict[str, Any]:
    """Everything that the page shows; of folders that the sweep names only their last part."""
    cells = summary.cells[:MOST_CELLS]
    axes, places = _axes(summary.plan, len(cells), text)
    shown = {run["prompt"] for cell in cells for run in cell.runs} | {row["prompt"] for row in summary.failures}
    names = summary.statistics
    return {
        "axes": axes,
        "cells": places,
        "counts": [[cell.n_rows, cell.n_failed] for cell in cells],
        "statistics": [_statistic(name, text) for name in names],
        "first": next((name for name in ORDER if name in names), names[0] if names else ""),
        "values": {name: [_estimate(cell.estimates.get(name)) for cell in cells] for name in names},
        "of_a_run": [_statistic(name, text) for name in OF_A_RUN],
        "runs": [[_run(run) for run in cell.runs] for cell in cells],
        "prompts": {str(i): _short(_prompt(summary.plan.prompts[i]), MOST_OF_PROMPT) for i in sorted(shown)},
        "failures": [[row["cell"], row["prompt"], row["sample"], _error(row)] for row in summary.failures],
        "n_all": [summary.n_rows, summary.n_failed, len(summary.cells)],
        "plan": _plan(summary.plan, text),
        "colours": {name: LIGHT[name] for name in COLOURS},
        "layout": base_layout(),
        "axis": axis(),
        "axis_title": axis(" ")["title"],
    }


def _plan(plan: Plan, text: Text) -> dict[str, Any]:
    return {
        "model": last_part(plan.model) if "/" in plan.model or "\\" in plan.model else plan.model,
        "prompts": len(plan.prompts),
        "samples": plan.samples,
        "seed": str(plan.seed),  # larger than JavaScript's whole numbers
        "rows": plan.rows_per_batch,
        "threads": text("sweep.threads_default") if plan.threads is None else str(plan.threads),
    }


def _axes(plan: Plan, n_cells: int, text: Text) -> tuple[list[dict[str, Any]], list[list[int]]]:
    """The axes with their values, and the place of each setting on them; where these do not tell the settings apart,
    one axis numbers them."""
    columns = [[getattr(cell, name) for cell in plan.cells[:n_cells]] for name in plan.axes]
    if len(set(zip(*map(_written, columns), strict=True))) < n_cells:
        numbers = list(range(1, n_cells + 1))
        return [{"name": text("sweep.setting"), "labels": list(map(str, numbers)), "numbers": numbers}], [
            [i] for i in range(n_cells)
        ]
    axes, places = [], []
    for name, values in zip(plan.axes, columns, strict=True):
        written = _written(values)
        different = dict(zip(written, values, strict=True))
        numeric = all(type(value) in (int, float) for value in different.values())
        axes.append({"name": name, "labels": list(different), "numbers": list(different.values()) if numeric else None})
        order = {label: i for i, label in enumerate(different)}
        places.append([order[label] for label in written])
    return axes, [list(place) for place in zip(*places, strict=True)]


def _written(values: Sequence[Any]) -> list[str]:
    return [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values]


def _statistic(name: str, text: Text) -> dict[str, str]:
    what, _, stage = name.partition(":")
    unit, kind = UNITS.get(what, ("", "nats"))
    key = f"sweep.stat.{what}" if text.has(f"sweep.stat.{what}") else f"compare.stat.{LABELS.get(what, what)}"
    label = text(key)
    if stage:
        label = text(f"sweep.after.{what}", stage=PARAMETER_OF.get(stage, stage))
    return {"name": name, "label": label, "unit": text(f"compare.unit.{unit}") if unit else "", "kind": kind}


def _estimate(found: Estimate | None) -> list[float | None] | None:
    if found is None:
        return None
    return [*map(_rounded, (found.mean, found.low, found.high)), found.n]


def _run(row: dict[str, Any]) -> list[Any]:
    numbers = [_rounded(row.get(name)) for name in OF_A_RUN]
    said, error = _short(row["text"] or "", MOST_OF_TEXT), _error(row) if row["error"] else None
    return [row["prompt"], row["sample"], said, error, row["trace"], row["row"], numbers]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _error(row: dict[str, Any]) -> str:
    return _short(without_places_in(row["error"]), MOST_OF_ERROR)


def _prompt(prompt: Any) -> str:
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"{turn.get('role')}: {turn.get('content')}" for turn in prompt)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
