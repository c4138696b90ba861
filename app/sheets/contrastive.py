"""The contrastive sheet: what each candidate had for it and against it."""

from __future__ import annotations

from ..figures.contrastive import contrastive_figure
from ..text import Sentence, Text
from ..views.contrastive import ContrastiveView
from ..views.numbers import percent, setting
from ..views.table import Table
from .sheet import Sheet, images_of

__all__ = ["contrastive_reading", "contrastive_sheet", "contrastive_table"]


def contrastive_sheet(view: ContrastiveView, text: Text, *, row: int = 0) -> Sheet:
    """The candidates of a step in the given language."""
    return Sheet(
        images=images_of(text),
        key=f"{row}.{view.step}",
        title=text.pieces("contrastive.title"),
        reading=contrastive_reading(view, text),
        label=text("contrastive.label"),
        table=contrastive_table(view, text),
        table_label=text("waterfall.table.show"),
        figure=contrastive_figure(view, text),
    )


def contrastive_reading(view: ContrastiveView, text: Text) -> Sentence:
    """Why the chosen token won, and what the likeliest one lost by, where that is another."""
    won, likeliest = view.chosen, view.rows[0]
    out = text.pieces(
        "contrastive.reading", token=won.text, score=_three(won.score), alpha=setting(view.alpha),
        confidence=percent(won.confidence), penalty=_three(won.penalty), context=won.context,
    )  # fmt: skip
    if not likeliest.chosen:
        out = [*out, text("contrastive.space")] + text.pieces(
            "contrastive.reading.first", first=likeliest.text, confidence=percent(likeliest.confidence),
            penalty=_three(likeliest.penalty), context=likeliest.context,
        )  # fmt: skip
    return out


def contrastive_table(view: ContrastiveView, text: Text) -> Table:
    """The three numbers of each candidate."""
    keys = ("confidence", "penalty", "context", "position", "score")
    head = (text("cutoff.table.token"), *(text(f"contrastive.{key}") for key in keys))
    rows = tuple(
        (r.text, percent(r.confidence), _three(r.penalty), r.context, str(r.position + 1), _three(r.score))
        for r in view.rows
    )
    marked = next(i for i, r in enumerate(view.rows) if r.chosen)
    caption = text("contrastive.table", step=text.step(view.step), alpha=setting(view.alpha))
    return Table(caption=caption, head=head, rows=rows, marked=marked)


def _three(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
