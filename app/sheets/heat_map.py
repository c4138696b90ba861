"""The heat map: its words at once, its columns as they are read, and the sentence when all are there."""

from __future__ import annotations

import statistics
import zlib
from typing import Any

from ..text import Sentence, Text
from ..views.beam_map import BeamColumn
from ..views.heat_map import RANKS, HeatColumn, HeatMap, cuts
from ..views.look import Look
from ..views.numbers import nats
from .sheet import about

__all__ = ["columns", "frame"]

Json = dict[str, Any]

LABELS = (
    "title", "label", "label.beams", "rank", "beam", "entropy", "left", "overview", "in", "out", "whole", "fold",
    "unfold", "export", "reading", "tip", "tip.removed",
    "tip.left", "tip.entropy", "tip.chosen", "tip.gone", "tip.lost",
    "tip.beam", "tip.untold", "tip.sum", "tip.ended", "tip.best", "row", "row.table", "legend", "legend.removed",
    "legend.chosen", "legend.best", "legend.line", "legend.own", "legend.final", "caption", "caption.beams", "step",
    "token", "p", "likeliest", "entropy.own", "entropy.final", "kept", "none",
)  # fmt: skip
FILLED = (
    "step", "rank", "token", "p", "q", "n", "h", "own", "beam", "sum", "row", "first", "last", "of", "kind",
)  # fmt: skip
SECONDS = 0.25  # a question takes so long; the page asks again until the map is whole


def frame(look: Look) -> Json | None:
    """The component's `data`; None, which hides it, for a run without steps and for one that goes on."""
    if not look.trace.steps or look.growing:
        return None
    text, beams = look.text, look.node is not None
    return about(
        look,
        {
            "key": _key(look),
            "beams": beams,
            "place": look.node.prompt if beams else look.row,
            "step": look.step,
            "first_step": look.trace.first_step,
            "n": look.trace.ledger.n_steps(look.node.prompt) if beams else look.n_steps(),
            "ranks": look.trace.ledger.n_beams if beams else min(RANKS, look.trace.model.vocab_size),
            "cuts": not beams and cuts(look.stages),
            "if": look.whatif is not None,
            "approximate": look.whatif is not None and look.trace.compact is not None,
            "labels": {name: text(f"heat.{name}", **{n: f"{{{n}}}" for n in FILLED}) for name in LABELS},
        },
    )


def columns(look: Look, place: int, have: int) -> Json:
    """Further columns of a row, or of a prompt's beams: those from `have` on, as far as a moment goes.

    Args:
        place: the row or prompt; kept within the run.
        have: how many the page has.
    """
    if look.node is not None:
        place = min(place, look.trace.ledger.n_prompts - 1)
        told = look.readings.beam_map(place, look.whatif)
        out = {"columns": [_beams(column) for column in told[have:]], "n": len(told)}
        whole, reading = True, _beam_reading(told, look.text)
    else:
        place = min(place, look.trace.n_rows - 1)
        found = look.readings.heat_map(place, look.whatif)
        found.read_on(SECONDS)
        out = {"columns": [_column(column) for column in found.columns[have:]], "n": found.n_steps}
        whole, reading = found.is_whole, _reading(found, look) if found.is_whole else []
    return {"key": _key(look), "place": place, "from": have, "whole": whole, "reading": reading, **out}


def _key(look: Look) -> str:
    """The run, and what it is looked at under."""
    tried = "" if look.whatif is None else f"{zlib.crc32(look.form.form.encode()):08x}"
    return f"{look.number}.{tried}"


def _column(column: HeatColumn) -> Json:
    return {
        "ids": column.token_ids, "texts": column.texts, "p": _rounded(column.probabilities),
        "q": _rounded(column.finals), "left": column.n_left, "line": column.is_prefix, "own": column.entropy_own,
        "final": column.entropy_final,
        "at": {"id": column.chosen, "text": column.text, "rank": column.rank, "p": column.probability,
               "q": column.final},
    }  # fmt: skip


def _beams(column: BeamColumn) -> Json:
    return {
        "ids": column.token_ids, "texts": column.texts, "p": _rounded(column.probabilities), "ranks": column.ranks,
        "rows": column.rows, "sums": column.sums, "ended": column.ended, "best": column.best,
    }  # fmt: skip


def _rounded(values: tuple[float | None, ...]) -> list[float | None]:
    """To more digits than are ever shown."""
    return [None if value is None else float(f"{value:.9g}") for value in values]


def _reading(found: HeatMap, look: Look) -> Sentence:
    text, read = look.text, [column for column in found.columns if column.token_ids]
    lost = found.n_steps - len(read)
    if not read:
        return text.pieces("heat.read.lost", n=lost)
    unsure = max(read, key=lambda column: column.entropy_own)
    out = text.pieces("heat.read.unsure", step=text.step(unsure.step), h=nats(unsure.entropy_own))
    if cuts(look.stages):
        left = [column.n_left for column in read]
        about = "≈ " if look.whatif is not None and look.trace.compact is not None else ""
        out += text.pieces(
            "heat.read.left" if min(left) != max(left) else "heat.read.same", low=f"{about}{min(left):,}",
            high=f"{about}{max(left):,}", middle=f"{about}{statistics.median_high(left):,}",
        )  # fmt: skip
    out += _choices(read, text)
    return out + (text.pieces("heat.read.lost", n=lost) if lost else [])


def _choices(read: list[HeatColumn], text: Text) -> Sentence:
    others = [column for column in read if column.rank > 1]
    if not others:
        return text.pieces("heat.read.first", n=f"{len(read):,}")
    far = max(others, key=lambda column: column.rank)
    return text.pieces(
        "heat.read.others", k=f"{len(others):,}", n=f"{len(read):,}", token=far.text, rank=f"{far.rank:,}",
        step=text.step(far.step),
    )  # fmt: skip


def _beam_reading(told: tuple[BeamColumn, ...], text: Text) -> Sentence:
    on_path = [column for column in told if column.best >= 0]
    if not on_path:
        return text.pieces("heat.read.beams")
    low = max(on_path, key=lambda column: column.best)
    behind = sum(column.best > 0 for column in on_path)
    if not behind:
        return text.pieces("heat.read.always", n=len(on_path))
    return text.pieces("heat.read.behind", n=len(on_path), k=behind, place=low.best + 1, step=text.step(low.step))
