"""`Sheet` and its values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..figures.layout import Figure
from ..text import Sentence, Text
from ..views.look import Look
from ..views.table import Table

__all__ = ["Sheet", "Tab", "about", "images_of", "pick_words"]


def images_of(text: Text) -> dict[str, str]:
    """The kinds of picture that every chart can be saved as."""
    return {kind: text("chart.image", kind=kind.upper()) for kind in ("png", "svg")}


def about(look: Look, data: dict[str, Any]) -> dict[str, Any]:
    """A panel's data with the place that it is about; what the visitor does there says it, too."""
    return {"about": look.about, **data}


def pick_words(text: Text) -> dict[str, str]:
    """What the page says of a row or column of a chart that the arrow keys are at; it fills in which."""
    return {"token": text("chart.pick", token="{token}"), "step": text("chart.go", step="{step}")}


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
        pin: the part of the x axis that stays in view then; its units are pixels of a chart as wide as `min_width`.
        tab: the tab in view.
        images: kinds of picture that the chart can be saved as, each with its explanation.
        picks: what to say of a row or column that can be asked about; see `pick_words`.
    """

    key: str
    title: Sentence
    reading: Sentence
    label: str
    table: Table
    table_label: str
    figure: Figure | None
    min_width: int = 0
    pin: tuple[float, float] | None = None
    tabs: tuple[Tab, ...] = ()
    tab: str = ""
    images: dict[str, str] = field(default_factory=dict)
    picks: dict[str, str] = field(default_factory=dict)
    extra_tables: tuple[Table, ...] = field(default=())

    @property
    def data(self) -> dict[str, Any]:
        """The component's `data`."""
        return {
            "key": self.key,
            "title": self.title,
            "reading": self.reading,
            "label": self.label,
            "table": _table(self.table),
            "extra_tables": [_table(table) for table in self.extra_tables],
            "table_label": self.table_label,
            "min_width": self.min_width,
            "pin": self.pin,
            "tabs": [{"id": t.id, "label": t.label, "tip": t.tip, "colour": t.colour} for t in self.tabs],
            "tab": self.tab,
            "images": self.images,
            "picks": self.picks,
            "figure": self.figure,
        }


def _table(table: Table) -> dict[str, object]:
    return {
        "caption": table.caption, "head": table.head, "rows": table.rows, "marked": table.marked,
        "token_ids": table.token_ids, "places": table.places,
    }  # fmt: skip
