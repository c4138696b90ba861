"""The figure of a token at every step: its probability under the model, on a logarithmic axis."""

from __future__ import annotations

import math

from ..palette import LIGHT
from ..text import Text
from ..views.everywhere import Everywhere, EverywhereStep
from ..views.numbers import percent
from .escape import escaped
from .layout import Figure, axis, base_layout, scatter

__all__ = ["everywhere_figure"]

SMALLEST = 1e-6  # lower ones, and none at all, are drawn here
POINTS = 160  # of so many steps each has a mark of its own


def everywhere_figure(view: Everywhere, text: Text, *, step: int) -> Figure:
    """A point a step: full where the token was possible, a cross where it was removed, a diamond where it came.

    Args:
        step: the one in view, marked by a line.
    """
    x = [text.step(at.step) for at in view.steps]
    lowest = min((_height(at.probability) for at in view.steps), default=1.0)
    points = scatter(
        x=x, y=[_height(at.probability) for at in view.steps], mode="lines+markers",
        line={"color": LIGHT["line"], "width": 1},
        marker={
            "size": 8 if len(x) <= POINTS else 5, "symbol": [_symbol(at) for at in view.steps],
            "color": [_colour(at) for at in view.steps],
        },
        hovertext=[_hover(view, at, text) for at in view.steps], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip
    shapes = []
    if any(at.step == step for at in view.steps):
        shapes.append(
            {
                "type": "line", "x0": text.step(step), "x1": text.step(step), "yref": "paper", "y0": 0, "y1": 1,
                "layer": "below", "line": {"color": LIGHT["chosen"], "width": 1, "dash": "dot"},
            }
        )  # fmt: skip
    layout = base_layout(
        margin={"l": 60, "r": 8, "t": 8, "b": 34},
        xaxis=axis(text("everywhere.axis.step"), range=_around(x), tickformat="d", **_ticks(x)),
        yaxis=axis(type="log", range=[math.log10(lowest) - 0.3, 0.2], tickformat="~%", dtick=_decades(lowest)),
        shapes=shapes,
        uirevision="everywhere",
        meta={"columns": [[text.step(at.step), at.step, at.rank_in_view] for at in view.steps]},
    )
    return {"data": [points], "layout": layout}


def _height(p: float) -> float:
    return SMALLEST if math.isnan(p) else max(p, SMALLEST)


def _around(x: list[int]) -> list[float]:
    return [min(x, default=1) - 0.6, max(x, default=1) + 0.6]


def _ticks(x: list[int]) -> dict[str, int]:
    return {"dtick": 1} if len(x) <= 12 else {"nticks": 8}


def _decades(lowest: float) -> int:
    return 1 if lowest > 1e-3 else 2


def _symbol(at: EverywhereStep) -> str:
    return "diamond" if at.came else "x" if at.final == 0 else "circle"


def _colour(at: EverywhereStep) -> str:
    return LIGHT["chosen"] if at.came else LIGHT["faint"] if at.final == 0 else LIGHT["alive_line"]


def _hover(view: Everywhere, at: EverywhereStep, text: Text) -> str:
    return text(
        "everywhere.hover", token=escaped(view.text), step=text.step(at.step), p=escaped(_nearly(at, at.probability)),
        rank=_nearly_rank(at), q=escaped(_nearly(at, at.final)), instead=escaped(at.instead or "–"),
    )  # fmt: skip


def _nearly(at: EverywhereStep, p: float) -> str:
    return percent(p) if at.exact else f"≈ {percent(p)}"


def _nearly_rank(at: EverywhereStep) -> str:
    return f"{at.rank:,}" if at.exact else f"≈ {at.rank:,}"
