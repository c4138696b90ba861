"""A study's figure: curves of points with their 95 % intervals, as bars where they are few and as a band where many."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..palette import LIGHT, rule_colour
from .escape import escaped
from .layout import Figure, Trace, axis, base_layout, scatter

if TYPE_CHECKING:
    from decoding.studies.study import Curve, Panel, Point

__all__ = ["MOST_BARS", "study_figure"]

MOST_BARS = 16  # points; more intervals than that are a band
COLOURS = ("alive_line", "chosen")
SYMBOLS = ("circle", "square")
FAINT = ("dot", "dash")
BAND = 0.18  # opacity


def study_figure(panel: Panel) -> Figure:
    """The figure. A point's `customdata` are its curve's number and its own: what stands behind it is found by them."""
    data: list[Trace] = []
    n_faint = 0
    for number, curve in enumerate(panel.curves):
        if curve.faint:
            data.insert(0, _faint(curve, number, FAINT[n_faint % len(FAINT)]))
            n_faint += 1
        else:
            data += _curve(panel, curve, number)
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12, "color": LIGHT["ink"]}}
    return {
        "data": data,
        "layout": base_layout(
            margin={"l": 56, "r": 12, "t": 34, "b": 46},
            showlegend=len(panel.curves) > 1,
            legend=legend,
            xaxis=_axis(panel, "x"),
            yaxis=_axis(panel, "y"),
        ),
    }


def _axis(panel: Panel, letter: str) -> dict[str, object]:
    title = escaped(panel.x if letter == "x" else panel.y)
    if letter not in panel.log:
        return axis(title, automargin=True)
    xs = sorted({point.x for curve in panel.curves for point in curve.points})
    ticks = {"tickvals": xs, "ticktext": [f"{x:,g}" for x in xs]} if letter == "x" else {"dtick": 1}
    return axis(title, type="log", automargin=True) | ticks


def _colour(curve: Curve, number: int) -> str:
    """A rule's own, where the curve is one's."""
    rule = curve.name.partition(" = ")[0]
    return rule_colour(rule) if rule in LIGHT else LIGHT[COLOURS[number % len(COLOURS)]]


def _curve(panel: Panel, curve: Curve, number: int) -> list[Trace]:
    colour, points = _colour(curve, number), curve.points
    line = scatter(
        x=[point.x for point in points],
        y=[_finite(point.y.estimate) for point in points],
        name=escaped(curve.name),
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"color": colour, "size": 8, "symbol": SYMBOLS[number % len(SYMBOLS)]},
        customdata=[[number, i] for i in range(len(points))],
        hovertext=[_said(panel, point) for point in points],
        hoverinfo="text",
    )
    if len(points) > MOST_BARS:
        line["marker"]["size"] = 5
        return [_band(points, colour), line]
    line["error_y"] = {
        "type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 4,
        "array": [_finite(point.y.high - point.y.estimate) for point in points],
        "arrayminus": [_finite(point.y.estimate - point.y.low) for point in points],
    }  # fmt: skip
    return [line]


def _band(points: tuple[Point, ...], colour: str) -> Trace:
    xs = [point.x for point in points]
    return scatter(
        x=[*xs, *reversed(xs)],
        y=[_finite(y) for y in (*(p.y.low for p in points), *(p.y.high for p in reversed(points)))],
        fill="toself",
        fillcolor=colour,
        mode="lines",
        line={"width": 0, "color": colour},
        opacity=BAND,
        hoverinfo="skip",
        showlegend=False,
    )


def _faint(curve: Curve, number: int, dash: str) -> Trace:
    return scatter(
        x=[point.x for point in curve.points],
        y=[_finite(point.y.estimate) for point in curve.points],
        name=escaped(curve.name),
        mode="lines",
        line={"color": LIGHT["faint"], "width": 1, "dash": dash},
        customdata=[[number, i] for i in range(len(curve.points))],
        hoverinfo="skip",
    )


def _said(panel: Panel, point: Point) -> str:
    y = point.y
    return (
        f"{escaped(panel.x)} {point.x:g}<br>{y.estimate:.3g} [{y.low:.3g}, {y.high:.3g}]"
        f"<br>{len(point.runs)} runs: click to see them"
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
