"""`Sheet` and its JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ..figures.layout import Figure, figure_json
from ..text import Sentence, Text
from ..views.table import Table

__all__ = ["Sheet", "Tab", "images_of"]


def images_of(text: Text) -> dict[str, str]:
    """The kinds of picture that every chart can be saved as."""
    return {kind: text("chart.image", kind=kind.upper()) for kind in ("png", "svg")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A button above a chart with several sheets; `colour` is a name of the palette."""

    id: str
    label: str
    tip: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A chart, its words and its table.

    Attributes:
        key: tells one drawing from another, e.g. `row.step`.
        label: what the chart shows, for a screen reader.
        figure: None where there is nothing to draw: the sentence says why.
        min_width: pixels below which the chart scrolls sideways.
        tab: the tab in view.
        images: kinds of picture that the chart can be saved as, each with its explanation.
    """

    key: str
    title: Sentence
    reading: Sentence
    label: str
    table: Table
    table_label: str
    figure: Figure | None
    min_width: int = 0
    tabs: tuple[Tab, ...] = ()
    tab: str = ""
    images: dict[str, str] = field(default_factory=dict)
    extra_tables: tuple[Table, ...] = field(default=())

    def to_json(self) -> str:
        """One string for the component's `data`."""
        figure = "null" if self.figure is None else figure_json(self.figure)
        words = {
            "key": self.key,
            "title": self.title,
            "reading": self.reading,
            "label": self.label,
            "table": _table(self.table),
            "extra_tables": [_table(table) for table in self.extra_tables],
            "table_label": self.table_label,
            "min_width": self.min_width,
            "tabs": [{"id": t.id, "label": t.label, "tip": t.tip, "colour": t.colour} for t in self.tabs],
            "tab": self.tab,
            "images": self.images,
        }
        return f'{json.dumps(words, ensure_ascii=False)[:-1]}, "figure": {figure}}}'


def _table(table: Table) -> dict[str, object]:
    return {"caption": table.caption, "head": table.head, "rows": table.rows, "marked": table.marked}
