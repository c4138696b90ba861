"""What the token row says: its frame, and its cells: those of a prompt, of what an encoder read, and generated ones."""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..text import Text
from ..views.look import Look
from ..views.numbers import nats, percent
from ..views.token_row import row_view

if TYPE_CHECKING:
    from ..views.token_row import RowView, TokenCell

__all__ = ["frame", "line", "prompt_words", "source_words", "token_row"]

Json = dict[str, Any]


def token_row(look: Look) -> Json:
    """The component's properties for a whole run: `data`, and a line per token; of a beam run nothing, its tree shows
    the tokens."""
    if look.node is not None:
        return {"data": None, "lines": []}
    rows = tuple(row_view(look.trace, row, look.readings.measures(row)) for row in range(look.trace.n_rows))
    lines = [line(row, cell, look.text) for row, view in enumerate(rows) for cell in view.generated]
    return {"data": frame(look, rows), "lines": lines}


def frame(look: Look, rows: tuple[RowView, ...], *, streaming: bool = False) -> Json:
    """The token row's `data`: words, prompts and scales."""
    text = look.text
    return {
        "run": look.number,  # another run makes other data, also where all else is the same
        "row": look.row,
        "step": look.step,
        "first_step": look.trace.first_step,
        "streaming": streaming,
        "labels": {
            "title": text("row.title"),
            "hint": text("row.hint"),
            "rows": text("row.rows"),
            "colour": text("row.colour"),
            "step": text("row.step"),
            "play": text("row.play"),
            "pause": text("row.pause"),
        },
        "rows": [_row(i, view, text) for i, view in enumerate(rows)],
        "scales": {
            "probability": _scale("probability", 1.0, 0.0, "100%", "0", text),
            "final": _scale("final", 1.0, 0.0, "100%", "0", text),
            "surprisal": _scale("surprisal", 0.0, 6.0, "0", "≥ 6 nats", text),
            "entropy": _scale("entropy", 0.0, 6.0, "0", "≥ 6 nats", text),
        },
    }


def _scale(name: str, sure: float, unsure: float, start: str, end: str, text: Text) -> Json:
    label, tip = text(f"row.{name}"), text(f"term.{name}")
    return {"label": label, "tip": tip, "sure": sure, "unsure": unsure, "from": start, "to": end}


def _row(index: int, view: RowView, text: Text) -> Json:
    stop = text.or_else(f"stop.{view.stop_reason}", view.stop_reason)
    return {
        "source": source_words(view, text),
        "prompt": prompt_words(view.prompt, text),
        "length": len(view.generated),
        "label": text("row.row", n=index + 1),
        "tip": text("row.row.tip", prompt=view.prompt_index + 1, answer=view.answer_index + 1),
        "tail": f"← {stop}" if stop else "",
    }


def line(row: int, cell: TokenCell, text: Text) -> Json:
    """A generated token with its measures; it is sent once, while a run comes in."""
    m = cell.measures
    return {
        "row": row,
        **_cell_words(cell, text),
        "probability": _finite(m.probability, 0.0),
        "final": _finite(m.final_probability, 0.0),
        "surprisal": _finite(m.surprisal_nats, 1e9),
        "entropy": _finite(m.entropy_nats, 0.0),
    }


def _finite(value: float, otherwise: float) -> float | None:
    """A number that JSON has a word for; None, which has no colour, where the scores were lost."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else otherwise


def prompt_words(cells: tuple[TokenCell, ...], text: Text) -> list[Json]:
    """The tokens of a prompt, those of one character as that character."""
    each = groupby(enumerate(cells), key=lambda item: item[1].group or item[0])
    return [_prompt_cell([cell for _, cell in group], text) for _, group in each]


def _prompt_cell(cells: list[TokenCell], text: Text) -> Json:
    first, last = cells[0], cells[-1]
    if first.group is None:
        key = f"row.tip.{first.taken}" if first.taken else "row.tip.prompt"
        step = None if first.taken_at is None else text.step(first.taken_at)
        words = {"tip": text(key, kind=_kind(first, text), id=first.token_id, step=step)}
        return {"text": first.text, "kind": first.kind, "taken": first.taken, **words}
    parts = "\n".join(text("row.tip.joined.part", text=cell.text, id=cell.token_id) for cell in cells)
    tip = text("row.tip.joined", n=len(cells), parts=parts)
    if last.taken:
        tip += "\n" + text(f"row.tip.{last.taken}", kind="", id=last.token_id, step=text.step(last.taken_at))
    return {"text": first.joined, "kind": "joined", "taken": last.taken, "tip": tip}


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


def _cell_words(cell: TokenCell, text: Text) -> Json:
    """A generated token without its measures."""
    m = cell.measures
    tip = text(
        "row.tip", kind=_kind(cell, text), id=cell.token_id, step=text.step(cell.step), p=percent(m.probability),
        rank=m.rank or "–", q=percent(m.final_probability), s=nats(m.surprisal_nats), h=nats(m.entropy_nats),
    )  # fmt: skip
    words = {"step": cell.step, "text": cell.text, "kind": cell.kind, "tip": tip + _forbidden_words(cell, text)}
    if cell.wanted:
        words["barred"] = True
    if cell.group is not None:
        name = text("row.part", text=cell.text, joined=cell.joined)
        words |= {"group": cell.group, "joined": cell.joined, "name": name}
    return words


def _forbidden_words(cell: TokenCell, text: Text) -> str:
    """What a constraint forbade there, and what the model would have said instead."""
    found = cell.measures.forbidden
    if found is None or not found.n:
        return ""
    words = text("row.tip.forbidden", parameter=found.parameter, n=f"{found.n:,}", mass=percent(found.mass))
    if not cell.wanted:
        return f"\n{words}"
    p = percent(found.wanted_probability)
    return "\n" + text("row.tip.wanted", words=words, token=cell.wanted, p=p)


def _kind(cell: TokenCell, text: Text) -> str:
    key = f"row.kind.{cell.kind}"
    if cell.kind == "bytes" and cell.group is None:
        key = "row.kind.no_character"
    return text(key, joined=cell.joined) if text.has(key) else ""
