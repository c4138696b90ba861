"""The sheet of a token at every step."""

from __future__ import annotations

from typing import Any

from ..figures.everywhere import everywhere_figure
from ..text import Sentence, Text
from ..views.everywhere import Everywhere
from ..views.look import Look
from ..views.numbers import percent
from ..views.table import Table
from .sheet import Sheet, about, images_of, pick_words

__all__ = ["everywhere"]


def everywhere(look: Look) -> dict[str, Any] | None:
    """The chart of the token that was asked about; None where none was, or the run still goes on."""
    if look.card is None or look.card.token_id is None or look.growing or not look.trace.steps:
        return None
    node = None if look.node is None else (look.node.step, look.node.rank)
    view, text = look.readings.everywhere(look.card.token_id, look.row, node), look.text
    return about(
        look,
        Sheet(
            images=images_of(text),
            picks=pick_words(text),
            key=f"{look.number}.{look.row}.{look.step}.{view.token_id}",
            title=text.pieces("everywhere.title", token=view.text),
            reading=_reading(view, text, beams=node is not None),
            label=text("everywhere.label"),
            table=_table(view, text, look.step),
            table_label=text("waterfall.table.show"),
            figure=everywhere_figure(view, text, step=look.step),
        ).data,
    )


def _reading(view: Everywhere, text: Text, *, beams: bool) -> Sentence:
    best = view.likeliest
    if best is None:
        return [text("everywhere.lost", n=view.n_lost)]
    came = [at for at in view.steps if at.came]
    out = text.pieces(
        "everywhere.reading", n=len(view.steps), step=text.step(best.step),
        p=_almost(best.exact, percent(best.probability)), rank=_almost(best.exact, f"{best.rank:,}"),
    )  # fmt: skip
    key = "never" if not came else "once" if len(came) == 1 else "came"
    out += text.pieces(f"everywhere.reading.{key}", n=len(came), step=text.step(came[0].step) if came else 0)
    if beams:
        out.append(text("everywhere.path"))
    return out + ([text("everywhere.lost", n=view.n_lost)] if view.n_lost else [])


def _table(view: Everywhere, text: Text, step: int) -> Table:
    head = tuple(text(f"everywhere.table.{name}") for name in ("step", "instead", "p", "rank", "q"))
    rows = tuple(
        (
            str(text.step(at.step)), at.instead or "–", _almost(at.exact, percent(at.probability)),
            _almost(at.exact, f"{at.rank:,}"), _almost(at.exact, percent(at.final)),
        )
        for at in view.steps
    )  # fmt: skip
    marked = next((i for i, at in enumerate(view.steps) if at.step == step), None)
    steps = tuple((at.step, at.rank_in_view) for at in view.steps)
    return Table(
        caption=text("everywhere.table", token=view.text), head=head, rows=rows, marked=marked, places=steps
    )


def _almost(exact: bool, number: str) -> str:
    return number if exact else f"≈ {number}"
