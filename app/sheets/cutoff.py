"""The cut-off's sheet: one tab per truncation rule that ran."""

from __future__ import annotations

from typing import Any

from ..figures.cutoff import cutoff_figure
from ..palette import colour_name
from ..text import Sentence, Text
from ..views.cutoff import CutoffView
from ..views.numbers import nats, percent, setting
from ..views.table import Table
from .sheet import Sheet, Tab, images_of, pick_words

__all__ = ["cutoff_fields", "cutoff_reading", "cutoff_sheet", "cutoff_table"]

ROOMY = 3  # tabs that fit on one line with their values


def cutoff_sheet(view: CutoffView, text: Text, *, row: int = 0) -> Sheet:
    """The rule in view in the given language; without a figure where no rule ran."""
    tabs = tuple(
        Tab(
            id=tab.id,
            label=f"{tab.label} {tab.value}" if len(view.tabs) <= ROOMY else tab.label,
            tip=text(f"help.{tab.label}"),
            colour=colour_name(tab.stage),
        )
        for tab in view.tabs
    )
    return Sheet(
        images=images_of(text),
        picks=pick_words(text),
        key=f"{row}.{view.step}.{view.tab}",
        title=text.pieces("cutoff.title"),
        reading=cutoff_reading(view, text),
        label=text("cutoff.label"),
        table=cutoff_table(view, text),
        table_label=text("waterfall.table.show"),
        figure=None if view.cut is None else cutoff_figure(view, text, cutoff_fields(view)),
        tabs=tabs,
        tab=view.tab,
    )


def cutoff_reading(view: CutoffView, text: Text) -> Sentence:
    """What the rule did at this step, in one sentence."""
    if view.cut is None:
        return text.pieces("cutoff.none.greedy" if view.mode == "greedy" else "cutoff.none")
    key = "minimum" if view.cut.crossing is None else view.cut.rule
    return text.pieces(f"cutoff.reading.{key}", **cutoff_fields(view))


def cutoff_fields(view: CutoffView) -> dict[str, Any]:
    """The rule's numbers as texts, for sentences and labels."""
    cut = view.cut
    in_probability = cut.unit == "probability"
    number = percent if in_probability else nats
    reference = cut.reference
    if reference is not None:
        reference = percent(reference) if cut.rule == "min_p" else nats(reference)
    crossing = None if view.crossing is None else view.rows[view.crossing]
    # A setting is shown as it was set (0.9), what is compared with it as a percentage.
    cumulative = cut.rule in ("top_p", "typical")
    return {
        "parameter": cut.parameter,
        "setting": setting(cut.setting),
        "threshold": setting(cut.threshold) if cumulative else number(cut.threshold),
        "reference": reference or "",
        "crossing": "" if crossing is None else crossing.text,
        "value": "" if crossing is None else number(crossing.value),
        "kept": f"{cut.n_kept:,}",
        "alive": f"{cut.n_alive:,}",
        "mass": percent(cut.mass_removed),
    }


def cutoff_table(view: CutoffView, text: Text) -> Table:
    """The chart's numbers; a row of dots marks tokens left out."""
    if view.cut is None:
        return Table(caption=text("cutoff.none"), head=(), rows=())
    cut = view.cut
    head = (
        text("cutoff.table.token"), text("cutoff.table.rank"), text("cutoff.table.p"),
        text(f"cutoff.axis.{cut.rule}") if cut.rule in ("top_p", "typical", "top_h") else text("waterfall.table.logit"),
        text("cutoff.table.margin"), text("cutoff.table.kept"),
    )  # fmt: skip
    if cut.rule in ("min_p", "epsilon", "eta"):
        head = (*head[:3], *head[4:])
    rows, ids = [], []
    for i, row in enumerate(view.rows):
        if i and row.place > view.rows[i - 1].place + 1:
            rows.append(("…",) + ("",) * (len(head) - 1))
            ids.append(None)
        kept = "cutoff.table.minimum" if row.minimum else "verify.yes" if row.kept else "verify.no"
        value = percent(row.value) if cut.unit == "probability" else nats(row.value)
        margin = "–" if row.margin is None else _signed(row.margin, cut.unit)
        cells = (row.text, str(row.place), percent(row.probability), value, margin, text(kept))
        rows.append(cells if len(head) == 6 else (*cells[:3], *cells[4:]))
        ids.append(row.token_id)
    marked = next((i for i, cells in enumerate(rows) if _is_chosen(view, cells)), None)
    caption = text(
        "cutoff.table", stage=f"{cut.parameter} = {setting(cut.setting)}", step=text.step(view.step),
        kept=f"{cut.n_kept:,}", alive=f"{cut.n_alive:,}",
    )  # fmt: skip
    return Table(caption=caption, head=head, rows=tuple(rows), marked=marked, token_ids=tuple(ids))


def _is_chosen(view: CutoffView, cells: tuple[str, ...]) -> bool:
    return any(row.chosen and str(row.place) == cells[1] for row in view.rows)


def _signed(margin: float, unit: str) -> str:
    sign = "−" if margin < 0 else "+"
    size = abs(margin)
    return f"{sign}{percent(size)}" if unit == "probability" else f"{sign}{nats(size)}"
