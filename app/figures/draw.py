"""The draw figure: an outlined bar for each token's probability, a filled one for how often it came.

With the processors on the left, without them on the right, both on one scale; a whisker at the end of the outline
spans what at least 95% of such rounds give.
"""

from __future__ import annotations

import math

from ..palette import LIGHT
from ..text import Text
from ..views.draw import DrawRow, DrawView, TokenCount
from ..views.numbers import percent
from .escape import escaped
from .layout import Figure, Trace, axis, bar, base_layout, scatter, words

__all__ = ["draw_figure", "draw_height"]

LABELS = 0.27  # the part of the width that token texts take
GAP = 0.03  # between the panels
LONGEST_LABEL = 14
STEPS = (0.5, 0.25, 0.2, 0.1, 0.05, 0.025, 0.02, 0.01, 0.005, 0.0025, 0.001)  # between ticks
ROW, FRAME = 22, 62  # pixels


def draw_height(view: DrawView) -> int:
    """Pixels that the figure takes."""
    return FRAME + ROW * len(view.rows)


def draw_figure(view: DrawView, text: Text) -> Figure:
    """A panel for each of `view.sides`; before anything was drawn, the outlines alone."""
    n_sides = len(view.sides)
    width = (1 - LABELS - GAP * (n_sides - 1)) / n_sides
    most = max(_reach(side, view.n) for row in view.rows for side in row.sides)
    ticks = _ticks(most or 1.0)
    reach = max(1.18 * most, 1.06 * ticks[-1])
    data: list[Trace] = []
    axes, annotations = {}, []
    for i in range(n_sides):
        start = LABELS + i * (width + GAP)
        name = f"x{i + 1 if i else ''}"
        bars = [_bars(view, i, name, text), _whiskers(view, i, name)] if view.n else []
        data += [_outlines(view, i, name, text), *bars, _words(view, i, name)]
        title = "draw.axis.drawn" if view.n else "draw.axis"
        axes[f"xaxis{i + 1 if i else ''}"] = axis(
            text(title), range=[0, reach], domain=[start, start + width], tickformat="~%", tickvals=ticks,
        )  # fmt: skip
        heading = text("draw.with" if i == 0 else "draw.without") if n_sides > 1 else ""
        annotations.append(
            {"x": start, "y": 1, "xref": "paper", "yref": "paper", "yanchor": "bottom", "xanchor": "left",
             "text": f"<b>{heading}</b>", "showarrow": False, "font": {"size": 12, "color": LIGHT["ink"]}}
        )  # fmt: skip
    last = f"{n_sides + 1}"
    data.append(_labels(view, f"x{last}", text))
    layout = base_layout(
        **axes,
        **{f"xaxis{last}": {"domain": [0, LABELS], "range": [0, 1], "visible": False, "fixedrange": True}},
        yaxis={"range": [len(view.rows) - 0.4, -0.6], "visible": False, "fixedrange": True},
        barmode="overlay", uirevision="draw", margin={"l": 0, "r": 6, "t": 22, "b": 38}, annotations=annotations,
    )  # fmt: skip
    return {"data": data, "layout": layout}


def _ticks(most: float) -> list[float]:
    """From 0 to the end of the longest bar, which lies between the last two; four at most, two panels being narrow."""
    step = next((step for step in reversed(STEPS) if 3 * step >= most), STEPS[0])
    n = max(1, math.ceil(round(most / step, 9)))
    return [i * step for i in range(n + 1)]


def _reach(side: TokenCount, n: int | None) -> float:
    return max(side.probability, (side.high or 0) / n, (side.count or 0) / n) if n else side.probability


def _places(view: DrawView) -> list[int]:
    return list(range(len(view.rows)))


def _outlines(view: DrawView, i: int, axis_name: str, text: Text) -> Trace:
    """The probabilities."""
    return bar(
        x=[row.sides[i].probability for row in view.rows], y=_places(view), orientation="h", width=0.78,
        xaxis=axis_name,
        marker={"color": "rgba(0,0,0,0)", "line": {"width": 1.2, "color": [_edge(row) for row in view.rows]}},
        hovertext=[_hover(view, row, i, text) for row in view.rows], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _bars(view: DrawView, i: int, axis_name: str, text: Text) -> Trace:
    """How often each came."""
    return bar(
        x=[row.sides[i].count / view.n for row in view.rows], y=_places(view), orientation="h", width=0.46,
        xaxis=axis_name, marker={"color": [_fill(row) for row in view.rows], "line": {"width": 0}},
        hovertext=[_hover(view, row, i, text) for row in view.rows], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _whiskers(view: DrawView, i: int, axis_name: str) -> Trace:
    """What at least 95% of rounds give, over the bars; nothing for a token that cannot come."""
    places = [y for y, row in enumerate(view.rows) if row.sides[i].probability]
    sides = [view.rows[y].sides[i] for y in places]
    return scatter(
        x=[s.probability for s in sides], y=places, xaxis=axis_name, mode="markers", hoverinfo="skip",
        marker={"size": 1, "color": LIGHT["muted"]},
        error_x={
            "type": "data", "symmetric": False, "thickness": 1, "width": 3, "color": LIGHT["muted"],
            "array": [s.high / view.n - s.probability for s in sides],
            "arrayminus": [s.probability - s.low / view.n for s in sides],
        },
    )  # fmt: skip


def _words(view: DrawView, i: int, axis_name: str) -> Trace:
    """At the end of each bar: how often it came, or the probability while nothing was drawn; ✕ for what is removed."""
    texts = []
    for row in view.rows:
        side = row.sides[i]
        drawn = percent(side.probability) if side.count is None else f"{side.count:,}"
        texts.append(drawn if side.probability else "✕")
    sides = [row.sides[i] for row in view.rows]
    return words(
        x=[_reach(side, view.n) for side in sides], y=_places(view), xaxis=axis_name,
        text=[f" {word}" for word in texts], textposition="middle right",
        textfont={"size": 11, "color": [LIGHT["ink" if s.probability else "faint"] for s in sides]},
    )  # fmt: skip


def _labels(view: DrawView, axis_name: str, text: Text) -> Trace:
    texts = []
    for row in view.rows:
        cut = row.token_id is not None and len(row.text) > LONGEST_LABEL
        short = escaped(f"{row.text[: LONGEST_LABEL - 1]}…" if cut else _label(row, text))
        texts.append(f"<b>▸ {short}</b>" if row.in_view else f"<i>{short}</i>" if row.token_id is None else short)
    colours = [LIGHT["chosen" if row.in_view else "muted" if row.token_id is None else "ink"] for row in view.rows]
    return words(
        x=[0.95] * len(texts), y=_places(view), xaxis=axis_name, text=texts, textposition="middle left",
        textfont={"size": 12, "color": colours},
    )  # fmt: skip


def _edge(row: DrawRow) -> str:
    return LIGHT["chosen" if row.in_view else "alive_line"]


def _fill(row: DrawRow) -> str:
    return LIGHT["chosen_fill" if row.in_view else "alive"]


def _label(row: DrawRow, text: Text) -> str:
    return row.text if row.token_id is not None else text("draw.rest")


def _hover(view: DrawView, row: DrawRow, i: int, text: Text) -> str:
    side = row.sides[i]
    name = escaped(row.text if row.token_id is not None else text("draw.rest.n", n=f"{row.n_tokens:,}"))
    words = text("draw.hover", token=name, p=percent(side.probability))
    if side.count is None:
        return words
    drawn = text("draw.hover.drawn", k=f"{side.count:,}", n=f"{view.n:,}", low=f"{side.low:,}", high=f"{side.high:,}")
    return f"{words}<br>{drawn}"
