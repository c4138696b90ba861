"""The cut-off figure: tokens from the top in the rule's order, and the line that the rule draws.

Rules that add up (top-p, typical, top-h) are a staircase of floating bars against a vertical threshold; rules
that compare (min-p, epsilon, eta) are points against a vertical threshold; top-k is points with a line under
the last rank.
"""

from __future__ import annotations

import math
from typing import Any

from ..palette import LIGHT, rule_colour
from ..text import Text
from ..views.cutoff import CutoffRow, CutoffView
from ..views.numbers import nats, percent
from .escape import escaped
from .layout import Figure, Trace, axis, bar, base_layout, scatter, words

__all__ = ["cutoff_figure"]

STAIRCASES = ("top_p", "typical", "top_h")
LABELS = 0.3  # the part of the width that token texts take
LONGEST_LABEL = 12
SMALLEST = 1e-9  # a log axis has no place for 0


def cutoff_figure(view: CutoffView, text: Text, fields: dict[str, Any]) -> Figure:
    """The figure of `view.cut`; `fields` are the rule's numbers as texts."""
    cut = view.cut
    y = _heights(view)
    line = rule_colour(cut.parameter)
    staircase = cut.rule in STAIRCASES
    data = [_staircase(view, y, text) if staircase else _points(view, y, text), _labels(view, y)]
    if staircase and view.crossing is not None:
        data.append(_crossing_mark(view, y, line))
    bottom = (max(y) if y else 0) + 1.9
    annotations = _gaps(view, y, text)
    shapes = []
    if cut.rule == "top_k":
        shapes, extra = _rank_line(view, y, line, text("cutoff.line.top_k", **fields))
        annotations += extra
    else:
        shapes, extra = _threshold_line(
            view, bottom, line, text(f"cutoff.line.{cut.rule}", **fields), not staircase
        )
        annotations += extra
    annotations += _crossing(view, y, line, text) if staircase else []
    layout = base_layout(
        margin={"l": 0, "r": 14, "t": 22, "b": 38},
        xaxis={**_value_axis(view, text), "domain": [LABELS, 1]},
        xaxis2={"domain": [0, LABELS], "range": [0, 1.04], "visible": False, "fixedrange": True},
        yaxis=axis(range=[bottom, -0.8], showgrid=False, showticklabels=False, visible=False),
        shapes=shapes,
        annotations=annotations,
        uirevision=f"cutoff.{cut.rule}",
        meta={"rows": [[at, row.token_id, row.text] for at, row in zip(y, view.rows, strict=True)]},
    )
    return {"data": data, "layout": layout}


def _heights(view: CutoffView) -> list[float]:
    """Where each row stands, from the top; tokens left out take one row."""
    y, at = [], 0.0
    for i, row in enumerate(view.rows):
        if i:
            at += 2 if row.place > view.rows[i - 1].place + 1 else 1
        y.append(at)
    return y


def _colour(row: CutoffRow) -> str:
    return LIGHT["removed"] if not row.kept else LIGHT["chosen_fill"] if row.chosen else LIGHT["alive"]


def _value_axis(view: CutoffView, text: Text) -> dict[str, Any]:
    cut = view.cut
    title = text(f"cutoff.axis.{cut.rule}")
    if cut.rule in ("top_p", "typical"):
        return axis(title, range=[0, _end(view)], tickformat=".0%", nticks=5)
    if cut.rule == "top_h":
        return axis(title, range=[0, _end(view)], nticks=5)
    probs = [max(row.probability, SMALLEST) for row in view.rows] or [1.0]
    lowest = min([*probs, cut.threshold if cut.unit == "probability" and cut.threshold > 0 else 1.0])
    return axis(
        title, type="log", range=[math.log10(lowest) - 0.3, math.log10(max(probs)) + 0.25],
        tickformat="~%", dtick=1 if math.log10(max(probs) / lowest) < 5 else 2,
    )  # fmt: skip


def _staircase(view: CutoffView, y: list[float], text: Text) -> Trace:
    """Each token's own part, beginning where the tokens before it ended."""
    own = [_own(view, row) for row in view.rows]
    return bar(
        x=own, base=[row.value - part for row, part in zip(view.rows, own, strict=True)], y=y, orientation="h",
        width=0.8, marker={"color": [_colour(row) for row in view.rows], "line": {"width": 0}},
        hovertext=[_hover(view, row, text) for row in view.rows], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _own(view: CutoffView, row: CutoffRow) -> float:
    """What a token itself adds to the sum."""
    if view.cut.rule != "top_h":
        return min(row.value, row.probability)
    return min(row.value, -row.probability * math.log(row.probability) if row.probability > 0 else 0.0)


def _end(view: CutoffView) -> float:
    """Where a staircase's axis ends."""
    if view.cut.rule != "top_h":
        return 1.02
    return 1.08 * max([view.cut.threshold, *(v for v in view.cut.values if v == v)])


def _points(view: CutoffView, y: list[float], text: Text) -> Trace:
    return scatter(
        x=[max(row.probability, SMALLEST) for row in view.rows], y=y, mode="markers",
        marker={
            "color": [_colour(row) for row in view.rows], "size": 11,
            "symbol": ["circle" if row.kept else "x" for row in view.rows],
            "line": {"width": 1, "color": [_edge(row) for row in view.rows]},
        },
        hovertext=[_hover(view, row, text) for row in view.rows], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _edge(row: CutoffRow) -> str:
    return LIGHT["faint"] if not row.kept else LIGHT["chosen"] if row.chosen else LIGHT["alive_line"]


def _hover(view: CutoffView, row: CutoffRow, text: Text) -> str:
    state = "minimum" if row.minimum else "kept" if row.kept else "removed"
    value = escaped(percent(row.value)) if view.cut.unit == "probability" else nats(row.value)
    axis_name = (
        text(f"cutoff.axis.{view.cut.rule}") if view.cut.rule in STAIRCASES else text("waterfall.table.logit")
    )
    if view.cut.rule not in (*STAIRCASES, "top_k"):
        axis_name, value = text("cutoff.table.p"), escaped(percent(row.probability))
    return text(
        "cutoff.hover", token=escaped(row.text), rank=row.place, p=escaped(percent(row.probability)), axis=axis_name,
        value=value, state=text(f"cutoff.state.{state}"),
    )  # fmt: skip


def _labels(view: CutoffView, y: list[float]) -> Trace:
    """Token texts, chosen marked, removed greyed, in axes of their own to the left."""
    texts, colours = [], []
    for row in view.rows:
        short = _short(row.text)
        texts.append(f"<b>▸ {escaped(short)}</b>" if row.chosen else escaped(short))
        colours.append(LIGHT["chosen"] if row.chosen else LIGHT["ink"] if row.kept else LIGHT["faint"])
    return words(
        x=[1.0] * len(texts), y=y, xaxis="x2", text=texts, textposition="middle left",
        textfont={"size": 12, "color": colours},
    )  # fmt: skip


def _threshold_line(view, bottom, colour, label, log) -> tuple[list[dict], list[dict]]:
    threshold = view.cut.threshold
    if not math.isfinite(threshold) or log and threshold <= 0:
        return [], []
    shape = {
        "type": "line", "x0": threshold, "x1": threshold, "y0": -0.8, "y1": bottom,
        "line": {"color": colour, "width": 2, "dash": "dash"},
    }  # fmt: skip
    note = {
        "x": math.log10(threshold) if log else threshold, "y": 1.0, "yref": "paper", "yanchor": "bottom",
        "text": f"<b>{escaped(label)}</b>", "showarrow": False, "font": {"size": 11, "color": colour},
        "xanchor": "right" if not log and threshold > 0.5 * (1 if view.cut.unit == "probability" else threshold * 2)
        else "center",
    }  # fmt: skip
    return [shape], [note]


def _rank_line(view, y, colour, label) -> tuple[list[dict], list[dict]]:
    last = max((i for i, row in enumerate(view.rows) if row.kept), default=None)
    if last is None:
        return [], []
    at = y[last] + 0.5
    shape = {
        "type": "line", "xref": "paper", "x0": 0.04, "x1": 1, "y0": at, "y1": at,
        "line": {"color": colour, "width": 2, "dash": "dash"},
    }  # fmt: skip
    note = {
        "xref": "paper", "x": 1, "xanchor": "right", "y": at, "yanchor": "bottom", "showarrow": False,
        "text": f"<b>{escaped(label)}</b>", "font": {"size": 11, "color": colour},
    }  # fmt: skip
    return [shape], [note]


def _crossing_mark(view: CutoffView, y: list[float], colour: str) -> Trace:
    """Where the token that crosses the threshold ends."""
    return scatter(
        x=[view.rows[view.crossing].value],
        y=[y[view.crossing]],
        mode="markers",
        marker={"symbol": "diamond", "size": 9, "color": colour},
        hoverinfo="skip",
    )


def _crossing(view, y, colour, text) -> list[dict]:
    """Names the token that crosses the threshold: beside its own part, where neither bar nor line is.

    Right of it, or left of it; where there is room on neither side, a row below and left of the line.
    """
    if view.crossing is None:
        return []
    row, at = view.rows[view.crossing], y[view.crossing]
    value = escaped(percent(row.value)) if view.cut.unit == "probability" else nats(row.value)
    end = _end(view)
    if row.value < 0.55 * end:
        place = {"x": row.value + 0.035 * end, "y": at, "xanchor": "left"}
    elif row.value - _own(view, row) > 0.45 * end:
        place = {"x": row.value - _own(view, row) - 0.015 * end, "y": at, "xanchor": "right"}
    else:
        place = {"x": min(view.cut.threshold, row.value) - 0.02 * end, "y": at + 1, "xanchor": "right"}
    words = {"text": text("cutoff.crosses", value=value), "font": {"size": 11, "color": colour}}
    return [{**place, **words, "showarrow": False, "borderpad": 0}]


def _gaps(view: CutoffView, y: list[float], text: Text) -> list[dict]:
    """Says how many tokens are left out, and how much they weigh; the threshold's line goes behind it."""
    return [
        {
            "xref": "paper", "x": LABELS + 0.01, "xanchor": "left", "y": y[gap.after] + 1, "showarrow": False,
            "text": text("cutoff.gap", n=f"{gap.n:,}", mass=escaped(percent(gap.mass))), "bgcolor": LIGHT["surface"],
            "borderpad": 1, "font": {"size": 11, "color": LIGHT["muted"]},
        }
        for gap in view.gaps
    ]  # fmt: skip


def _short(token: str) -> str:
    return token if len(token) <= LONGEST_LABEL else f"{token[: LONGEST_LABEL - 1]}…"
