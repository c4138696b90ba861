"""A study's figures as sheets: title, sentence, figure and table together, in English like the whole page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..figures.study import study_figure
from ..views.table import Table
from .sheet import Sheet

if TYPE_CHECKING:
    from decoding.studies.interval import Interval
    from decoding.studies.study import Panel

__all__ = ["number", "study_sheet", "with_interval"]

IMAGES = {"png": "save the figure as PNG", "svg": "save the figure as SVG"}


def study_sheet(panel: Panel) -> Sheet:
    """The sheet of one figure."""
    rows = tuple(
        (f"{point.x:g}", curve.name, number(point.y.estimate), number(point.y.low), number(point.y.high),
         str(len(point.runs)))
        for curve in panel.curves for point in curve.points
    )  # fmt: skip
    head = (panel.x, "curve", panel.y, "95 % from", "to", "runs")
    return Sheet(
        key=panel.id, title=[panel.title], reading=[panel.reading], label=f"{panel.title}: {panel.y} over {panel.x}",
        table=Table(caption=f"{panel.title}, with 95 % confidence intervals", head=head, rows=rows),
        table_label="Table", figure=study_figure(panel), images=IMAGES,
    )  # fmt: skip


def number(value: float) -> str:
    """Three significant digits, and a minus that is one; `–` where there is no value."""
    if not math.isfinite(value):
        return "–"
    written = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return written.replace("-", "−")


def with_interval(found: Interval) -> str:
    """An estimate and its interval: `0.91 [0.79, 0.97]`."""
    return f"{number(found.estimate)} [{number(found.low)}, {number(found.high)}]"
