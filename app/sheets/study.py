"""A study's figures as sheets: title, sentence, figure and table together, in English like the whole page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..figures.study import study_figure
from ..views.numbers import significant
from ..views.table import Table
from .sheet import Sheet

if TYPE_CHECKING:
    from decoding.studies.study import Panel

__all__ = ["study_sheet"]

IMAGES = {"png": "save the figure as PNG", "svg": "save the figure as SVG"}


def study_sheet(panel: Panel) -> Sheet:
    """The sheet of one figure."""
    rows = tuple(
        (f"{point.x:g}", curve.name, significant(point.y.estimate), significant(point.y.low), significant(point.y.high),
         str(len(point.runs)))
        for curve in panel.curves for point in curve.points
    )  # fmt: skip
    head = (panel.x, "curve", panel.y, "95 % from", "to", "runs")
    return Sheet(
        key=panel.id, title=[panel.title], reading=[panel.reading], label=f"{panel.title}: {panel.y} over {panel.x}",
        table=Table(caption=f"{panel.title}, with 95 % confidence intervals", head=head, rows=rows),
        table_label="Table", figure=study_figure(panel), images=IMAGES,
    )  # fmt: skip
