"""Contrastive search as a subtraction: a bar for the confidence, cut back by the penalty to the score."""

from __future__ import annotations

from dataclasses import replace

from ..palette import LIGHT
from ..text import Text
from ..views.contrastive import ContrastiveRow, ContrastiveView
from ..views.numbers import percent, setting
from .escape import escaped
from .layout import Figure, Trace, axis, bar, base_layout, scatter, words

__all__ = ["contrastive_figure"]

LABELS = 0.3  # the part of the width that token texts take
LONGEST_LABEL = 14
MOST_ROWS = 14  # the table has all


def contrastive_figure(view: ContrastiveView, text: Text) -> Figure:
    """Per candidate (1 − α)·confidence to the right, α·similarity back to the left, and a mark at the score."""
    view = _the_first(view)
    lines = list(range(len(view.rows)))
    gain = [(1 - view.alpha) * row.confidence for row in view.rows]
    loss = [view.alpha * row.penalty for row in view.rows]
    most = max([*gain, *(row.score for row in view.rows), 0.0])
    least = min([row.score for row in view.rows] + [0.0])
    room = 0.06 * (most - least or 1.0)
    data = [
        _bars(view, gain, [0.0] * len(gain), 0.62, [LIGHT["chosen_fill" if r.chosen else "alive"] for r in view.rows],
              [_hover(row, "confidence", text) for row in view.rows]),
        _bars(view, [-value for value in loss], gain, 0.24, [LIGHT["removed"]] * len(loss),
              [_hover(row, "penalty", text) for row in view.rows]),
        _scores(view, text),
        _labels(view),
        *_keys(view, text),
    ]  # fmt: skip
    layout = base_layout(
        xaxis=axis(text("contrastive.score"), range=[least - room, most + room], domain=[LABELS, 1.0], zeroline=True,
                   zerolinecolor=LIGHT["muted"]),
        xaxis2={"domain": [0, LABELS], "range": [0, 1], "visible": False, "fixedrange": True},
        yaxis={"range": [len(lines) - 0.4, -0.6], "visible": False, "fixedrange": True},
        barmode="overlay", uirevision="contrastive", margin={"l": 0, "r": 8, "t": 40, "b": 34}, showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "itemclick": False, "itemdoubleclick": False,
                "font": {"size": 11, "color": LIGHT["ink"]}, "traceorder": "normal"},
    )  # fmt: skip
    return {"data": data, "layout": layout}


def _the_first(view: ContrastiveView) -> ContrastiveView:
    """The likeliest candidates, and the one that won."""
    if len(view.rows) <= MOST_ROWS:
        return view
    first = view.rows[:MOST_ROWS]
    return replace(view, rows=first if view.chosen in first else (*first[:-1], view.chosen))


def _keys(view: ContrastiveView, text: Text) -> list[Trace]:
    """The legend: what is drawn in many colours has a key of its own."""
    rest, alpha = setting(1 - view.alpha), setting(view.alpha)
    square = {"symbol": "square", "size": 11}
    keys = (
        (text("contrastive.key.confidence", rest=rest), {**square, "color": LIGHT["alive"]}),
        (text("contrastive.key.penalty", alpha=alpha), {**square, "color": LIGHT["removed"]}),
        (text("contrastive.key.score"), {"symbol": "diamond", "size": 9, "color": LIGHT["alive_line"]}),
    )
    return [
        scatter(x=[None], y=[None], mode="markers", name=name, marker=marker, hoverinfo="skip", showlegend=True)
        for name, marker in keys
    ]


def _bars(view: ContrastiveView, x, base, width: float, colours: list[str], hover: list[str]) -> Trace:
    return bar(
        x=x, y=list(range(len(view.rows))), base=base, orientation="h", width=width,
        showlegend=False,
        marker={"color": colours, "line": {"width": 0}}, hovertext=hover, hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _scores(view: ContrastiveView, text: Text) -> Trace:
    return scatter(
        x=[row.score for row in view.rows], y=list(range(len(view.rows))), mode="markers", showlegend=False,
        marker={"symbol": "diamond", "size": 9, "line": {"width": 0},
                "color": [LIGHT["chosen" if row.chosen else "alive_line"] for row in view.rows]},
        hovertext=[_hover(row, "score", text) for row in view.rows], hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _labels(view: ContrastiveView) -> Trace:
    texts = []
    for row in view.rows:
        short = row.text if len(row.text) <= LONGEST_LABEL else f"{row.text[: LONGEST_LABEL - 1]}…"
        texts.append(f"<b>▸ {escaped(short)}</b>" if row.chosen else escaped(short))
    return words(
        x=[0.97] * len(texts), y=list(range(len(texts))), xaxis="x2", text=texts,
        textposition="middle left", showlegend=False,
        textfont={"size": 12, "color": [LIGHT["chosen" if row.chosen else "ink"] for row in view.rows]},
    )  # fmt: skip


def _hover(row: ContrastiveRow, what: str, text: Text) -> str:
    fields = {"token": escaped(row.text), "what": text(f"contrastive.{what}")}
    if what == "penalty":
        return text(
            "contrastive.hover.penalty", token=fields["token"], value=f"{row.penalty:.3f}",
            context=escaped(row.context), position=row.position + 1,
        )  # fmt: skip
    value = percent(row.confidence) if what == "confidence" else f"{row.score:.3f}"
    return text("contrastive.hover", value=value, **fields)
