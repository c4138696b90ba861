"""What the token row's cells say: those of a prompt, of what an encoder read, and generated ones."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..text import Text
from ..views.numbers import nats, percent

if TYPE_CHECKING:
    from ..views.token_row import RowView, TokenCell

__all__ = ["cell_words", "prompt_words", "source_words"]

Json = dict[str, Any]


def prompt_words(cells: tuple[TokenCell, ...], text: Text) -> list[Json]:
    """The tokens of a prompt, those of one character as that character."""
    each = groupby(enumerate(cells), key=lambda item: item[1].group or item[0])
    return [_prompt_cell([cell for _, cell in group], text) for _, group in each]


def _prompt_cell(cells: list[TokenCell], text: Text) -> Json:
    first = cells[0]
    if first.group is None:
        tip = text("row.tip.prompt", kind=_kind(first, text), id=first.token_id)
        return {"text": first.text, "kind": first.kind, "tip": tip}
    parts = "\n".join(text("row.tip.joined.part", text=cell.text, id=cell.token_id) for cell in cells)
    return {"text": first.joined, "kind": "joined", "tip": text("row.tip.joined", n=len(cells), parts=parts)}


def source_words(view: RowView, text: Text) -> Json | None:
    """What the encoder read, and what to call it and the decoder's start; None where there was no encoder."""
    if not view.source:
        return None
    return {
        "label": text("row.source"),
        "tip": text("row.source.tip", n=len(view.source)),
        "tokens": prompt_words(view.source, text),
        "decoder": text("row.decoder"),
        "decoder_tip": text("row.decoder.tip"),
    }


def cell_words(cell: TokenCell, text: Text) -> Json:
    """A generated token without its measures."""
    m = cell.measures
    tip = text(
        "row.tip", kind=_kind(cell, text), id=cell.token_id, step=cell.step + 1, p=percent(m.probability),
        rank=m.rank, q=percent(m.final_probability), s=nats(m.surprisal_nats), h=nats(m.entropy_nats),
    )  # fmt: skip
    words = {"step": cell.step, "text": cell.text, "kind": cell.kind, "tip": tip}
    if cell.group is not None:
        name = text("row.part", text=cell.text, joined=cell.joined)
        words |= {"group": cell.group, "joined": cell.joined, "name": name}
    return words


def _kind(cell: TokenCell, text: Text) -> str:
    key = f"row.kind.{cell.kind}"
    if cell.kind == "bytes" and cell.group is None:
        key = "row.kind.no_character"
    return text(key, joined=cell.joined) if text.has(key) else ""
