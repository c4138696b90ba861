"""The lab's tab `draw`: the step's token drawn again, with the processors and without."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from decoding.reading import stats
from decoding.reading.draws import draw
from decoding.recorded.stages import LOG_SOFTMAX

from ..figures.draw import draw_figure, draw_height
from ..text import Text
from ..views.draw import DrawRow, DrawView, draw_view
from ..views.look import Look
from ..views.numbers import percent

__all__ = ["sheet"]

ROUNDS = (10, 100, 1000)
MOST_AGAIN = 1_000_000
SAME_DISTRIBUTION = (LOG_SOFTMAX, "LogitNormalization")  # these add one number to all scores


def sheet(look: Look, wish: Mapping[str, Any]) -> dict[str, Any]:
    """The chart and its words; `wish` is `{"n": 10 | 100 | 1000, "again": k, "at": the step it was asked at}`."""
    text, at = look.text, _at(look)
    n, again = _wished(wish, at)
    scores = _scores(look)
    drawn = tuple(draw(s, n, again) for s in scores) if n else ()
    base = {"key": f"{look.row}.{look.step}", "at": at, "again": again, "buttons": _buttons(n, text)}
    if not bool(torch.isfinite(stats.probs(scores[0])).all()):
        return base | {"reading": text("draw.no_distribution"), "figure": None, "buttons": []}
    view = draw_view(look.trace, scores, drawn, look.token_id)
    label = text("draw.label")
    return base | {
        "draw": text("draw.draw"),
        "note": _note(look, view),
        "caution": _caution(look),
        "reading": _reading(view, text) if n else text("draw.invitation" if look.mode == "sample" else "draw.would"),
        "seed": text("draw.seed", seed=again) if n else "",
        "seed_tip": text("draw.seed.tip", n=n, seed=again),
        "legend": [text("draw.legend.p"), text("draw.legend.drawn"), text("draw.legend.range")] if n else [],
        "label": label,
        "figure": draw_figure(view, text),
        "height": draw_height(view),
        "table": _table(view, text),
        "table_label": text("waterfall.table.show"),
    }


def _at(look: Look) -> str:
    """Tells one step from another, also of another run: its place, and what came before it."""
    before = zlib.crc32(look.prefix.contiguous().numpy().tobytes())
    return f"{look.row}.{look.step}.{before:08x}"


def _wished(wish: Mapping[str, Any], at: str) -> tuple[int, int]:
    """How many draws, and the seed; 0 draws where none were asked for at this step. The wish may be anything."""
    n, again = wish.get("n"), wish.get("again", 0)
    if type(n) is not int or n not in ROUNDS or wish.get("at", at) != at:
        return 0, 0
    return n, again if type(again) is int and 0 <= again <= MOST_AGAIN else 0


def _scores(look: Look) -> tuple[Tensor, ...]:
    """What the choice is made from; and the model's own scores, where the processors made another distribution."""
    acted = any(
        stage.name not in SAME_DISTRIBUTION and not torch.equal(before, after)
        for stage, before, after in zip(look.stages, look.scores, look.scores[1:], strict=False)
    )
    return (look.scores[-1], look.scores[0]) if acted else (look.scores[-1],)


def _buttons(n: int, text: Text) -> list[dict[str, Any]]:
    return [
        {"n": k, "label": text("draw.times", n=f"{k:,}"), "pressed": k == n, "tip": text("draw.tip", n=f"{k:,}")}
        for k in ROUNDS
    ]


def _note(look: Look, view: DrawView) -> str:
    """What drawing has to do with the mode of the run; "" where it draws just so."""
    mode = "beam_search" if look.mode == "group_beam_search" else look.mode
    if mode == "sample" or not look.text.has(f"draw.mode.{mode}"):
        return ""
    first = max((row for row in view.rows if row.token_id is not None), key=lambda row: row.sides[0].probability)
    other = percent(max(0.0, 1 - first.sides[0].probability))
    return look.text(f"draw.mode.{mode}", token=first.text, other=other)


def _caution(look: Look) -> str:
    step = look.trace.steps[look.step]
    return "" if step.exact else look.text("draw.compact", n=f"{len(step.exact_ids(look.row)):,}")


def _reading(view: DrawView, text: Text) -> str:
    """How often the token in view came, or else the likeliest, and how many different ones."""
    row = next((row for row in view.rows if row.in_view), view.rows[0])
    parts = [_of_token(view, row, text), _count("draw.different", view.sides[0].n_different, text)]
    if len(view.sides) > 1:
        without = view.sides[1]
        parts.append(_count("draw.different.without", without.n_different, text))
        kind = {0: "none", 1: "one"}.get(without.n_impossible, "some")
        parts.append(text(f"draw.impossible.{kind}", m=f"{without.n_impossible:,}", n=f"{view.n:,}"))
    return text("draw.space").join(parts)


def _of_token(view: DrawView, row: DrawRow, text: Text) -> str:
    side = row.sides[0]
    if not side.probability:
        return text("draw.reading.removed", token=row.text)
    words = text(
        "draw.reading", token=row.text, k=f"{side.count:,}", n=f"{view.n:,}", p=percent(side.probability),
        expected=_expected(view.n * side.probability), low=f"{side.low:,}", high=f"{side.high:,}",
    )  # fmt: skip
    outside = not side.low <= side.count <= side.high
    return words + text("draw.space") + text("draw.reading.outside") if outside else words


def _expected(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 0.05 else "<0.1"


def _count(key: str, n: int, text: Text) -> str:
    return text(f"{key}.one" if n == 1 else key, d=f"{n:,}")


def _table(view: DrawView, text: Text) -> dict[str, Any]:
    columns = ("p", "expected", "drawn.head", "range") if view.n else ("p",)
    sides = ("with", "without")[: len(view.sides)]
    heads = [text(f"draw.table.{column}") for column in columns]
    if len(sides) > 1:
        heads = [text("draw.table.side", what=head, side=text(f"draw.{side}")) for side in sides for head in heads]
    rows = []
    for row in view.rows:
        name = row.text if row.token_id is not None else text("draw.rest.n", n=f"{row.n_tokens:,}")
        cells = [cell for side in row.sides for cell in _cells(side, view.n)]
        rows.append([name, *cells])
    return {
        "caption": text("draw.table.drawn", n=f"{view.n:,}", seed=view.seed) if view.n else text("draw.table"),
        "head": [text("waterfall.table.token"), *heads],
        "rows": rows,
        "marked": next((i for i, row in enumerate(view.rows) if row.in_view), None),
    }


def _cells(side: Any, n: int | None) -> list[str]:
    if not n:
        return [percent(side.probability)]
    return [
        percent(side.probability), _expected(n * side.probability) if side.probability else "0", f"{side.count:,}",
        f"{side.low:,}–{side.high:,}",
    ]  # fmt: skip
