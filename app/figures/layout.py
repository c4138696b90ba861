"""What all figures share."""

from __future__ import annotations

from typing import Any

from ..palette import FONT, LIGHT

__all__ = ["Figure", "Trace", "axis", "bar", "base_layout", "scatter", "words"]

# Plain dicts in plotly's schema: the tests put every figure through `go.Figure`, whose checks would take longer than
# all else at a step change.
Figure = dict[str, Any]  # {"data": [trace, …], "layout": {…}}
Trace = dict[str, Any]


def bar(**more: Any) -> Trace:
    """Bars."""
    return {"type": "bar", **more}


def scatter(**more: Any) -> Trace:
    """Points."""
    return {"type": "scatter", **more}


def words(**more: Any) -> Trace:
    """Texts at their places, not to be hovered over, and drawn beyond the axes, too."""
    return scatter(mode="text", hoverinfo="skip", cliponaxis=False, **more)


def base_layout(**more: Any) -> dict[str, Any]:
    """A quiet layout: no title (the card has one), no zoom, the page's font and colours."""
    font = {"family": ", ".join(FONT), "size": 12, "color": LIGHT["ink"]}
    layout = {
        "font": font,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        "bargap": 0.2,
        "hoverlabel": {
            "bgcolor": LIGHT["surface"],
            "bordercolor": LIGHT["muted"],
            "font": {**font, "color": LIGHT["ink"]},
            "align": "left",
        },
    }
    return layout | more


def axis(title: str | None = None, **more: Any) -> dict[str, Any]:
    """An axis with faint lines and muted, tabular numbers."""
    out: dict[str, Any] = {
        "fixedrange": True,
        "zeroline": False,
        "showgrid": True,
        "gridcolor": LIGHT["line"],
        "linecolor": LIGHT["line"],
        "tickfont": {"size": 11, "color": LIGHT["muted"]},
        "nticks": 6,
    }
    if title:
        out["title"] = {"text": title, "font": {"size": 11, "color": LIGHT["muted"]}, "standoff": 6}
    return out | more
