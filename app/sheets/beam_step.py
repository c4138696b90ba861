"""The step of a beam run in words and tables: ledger, pool, and the sum behind a hypothesis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..text import Sentence, Text
from ..views.beam_reading import BeamReading
from ..views.hypothesis_sum import TERM_DIGITS, HypothesisSum, SumTerm
from ..views.ledger_table import LedgerRow
from ..views.look import Look
from ..views.numbers import nats, percent, setting
from ..views.pool_table import PoolRow
from .sheet import about

if TYPE_CHECKING:
    from decoding.recorded.ledger import Hypothesis

__all__ = ["node_reading", "step_reading", "sum_of", "tables", "words"]

LONGEST_LIST = 3
MOST_GROUPS = 4  # named in a sentence
POOL_DIGITS = 4
IMPOSSIBLE = -1.0e8  # transformers' −1e9 and what is added to it


def words(look: Look) -> dict[str, Any] | None:
    """What the tree's card says of the step and of the candidate in view; None in other modes."""
    if look.node is None:
        return None
    text, prompt = look.text, look.node.prompt
    reading = look.readings.beam_step(look.node.step, prompt)
    row = next(row for row in reading.rows if row.rank == look.node.rank)
    evicted_at = look.readings.tree(prompt).node(look.node.step, look.node.rank).evicted_at
    data = {
        "prompt": prompt,
        "step": reading.step,
        "rank": row.rank,
        "reading": step_reading(reading, text),
        "node": node_reading(
            row, text, n_beams=n_places(reading), n_groups=reading.n_groups, evicted_at=evicted_at
        ),
    }
    return about(look, data)


def n_places(reading: BeamReading) -> int:
    """Places in the pool: as many as there are beams."""
    return len(reading.pool.rows) - sum(row.change == "out" for row in reading.pool.rows) + reading.pool.room


def step_reading(reading: BeamReading, text: Text) -> Sentence:
    """The step in one sentence; in diverse beam search each group is named, since it has places of its own."""
    step, in_group = text.step(reading.step), ".group" if reading.n_groups > 1 else ""
    if reading.first is None:
        parts = [text.pieces("beam.read.none", step=step)]
    elif in_group:
        kept = [text("beam.read.kept.group", text=row.text, group=row.group + 1) for row in reading.firsts]
        parts = [text.pieces("beam.read.first.group", step=step, kept=_listed(kept, text, MOST_GROUPS))]
    else:
        parts = [text.pieces("beam.read.first", step=step, first=reading.first.text)]
    if reading.missed is not None and reading.first is not None:
        gap, missed = abs(reading.missed.margin), reading.missed
        key = f"beam.read.{'tied' if gap < 0.005 else 'missed'}{in_group}"
        parts.append(text.pieces(key, missed=missed.text, gap=nats(gap), group=missed.group + 1))
    if reading.finished:
        parts.append(text.pieces("beam.read.finished", names=_names(reading.finished, text, in_group)))
    parts += _evicted(reading, text, in_group)
    if reading.others:
        parts.append(text.pieces("beam.read.others", n=len(reading.others)))
    if reading.stop_reason:
        why = text.or_else(f"beam.stop.{reading.stop_reason}", reading.stop_reason)
        parts.append(text.pieces("beam.read.stop", why=why))
    return _joined(parts, text("beam.read.join")) + [text("beam.read.end")]


def _evicted(reading: BeamReading, text: Text, in_group: str) -> list[Sentence]:
    """Who was driven out, in one part; of many, how many."""
    out = [row for row in reading.pool.rows if row.change == "out"]
    if not out:
        return []
    if len(out) > 1:
        return [text.pieces("beam.read.evicted.many", n=len(out))]
    return [text.pieces(f"beam.read.evicted{in_group}", text=out[0].text, group=out[0].group + 1)]


def _names(rows: tuple[LedgerRow, ...], text: Text, in_group: str) -> str:
    return _listed([text(f"beam.quoted{in_group}", text=row.text, group=row.group + 1) for row in rows], text)


def _listed(words: list[str], text: Text, most: int = LONGEST_LIST) -> str:
    more = ["…"] if len(words) > most else []
    return text("beam.read.and").join([*words[:most], *more])


def _joined(parts: list[Sentence], between: str) -> Sentence:
    out: Sentence = []
    for part in parts:
        out += ([between] if out else []) + part
    return out


def node_reading(
    row: LedgerRow, text: Text, *, n_beams: int, n_groups: int = 1, evicted_at: int | None = None
) -> Sentence:
    """What became of a candidate: by how much it lived or died, and against whom; in diverse beams in which group."""
    after = text("beam.quoted", text=row.after) if row.after else text("beam.node.start")
    out = text.pieces(
        "beam.node" if n_groups == 1 else "beam.node.in_group", text=row.text, rank=row.rank + 1, after=after,
        p=percent(_probability(row)), group=row.group + 1,
    )  # fmt: skip
    key = row.fate
    if row.margin is None:
        key += "" if row.fate == "finished" else ".alone" if text.has(f"beam.node.{row.fate}.alone") else ""
    elif row.fate == "finished":
        key += ".over"
    if n_groups > 1 and text.has(f"beam.node.{key}.group"):
        key += ".group"
    fields = {
        "margin": "–" if row.margin is None else nats(abs(row.margin)),
        "rival": row.rival, "final": "–" if row.final_score is None else nats(row.final_score),
        "n": n_beams // n_groups,
        "why": text.or_else(f"stop.{row.ended_by}", row.ended_by or ""),
    }  # fmt: skip
    out = out + text.pieces(f"beam.node.{key}", **fields)
    if evicted_at is not None:
        out.append(text("beam.node.evicted", step=text.step(evicted_at)))
    if row.answer is not None:
        out.append(text("beam.node.place", place=row.answer + 1))
    return out


def _probability(row: LedgerRow) -> float:
    return math.exp(min(0.0, row.logprob))


def tables(look: Look) -> dict[str, Any] | None:
    """Ledger, pool and sum; None in other modes."""
    node = look.node
    if node is None:
        return None
    data = tables_sheet(
        look.readings.beam_step(node.step, node.prompt), node.rank, look.text,
        n_groups=look.readings.tree(node.prompt).n_groups, tab=node.table,
    )  # fmt: skip
    return about(look, data | {"sum": _sum_in_view(look)})


def _sum_in_view(look: Look) -> dict[str, Any]:
    """The sum that is shown, and of no other table: it takes reading."""
    node = look.node
    answers = () if look.growing or node.table != "sum" else look.readings.answers(node.prompt)
    return sum_of(look, answers, node.place)


def sum_of(look: Look, answers: tuple[Hypothesis, ...], place: int) -> dict[str, Any]:
    """The table of one answer's sum, by its place among them from 0."""
    if not answers:
        return {"none": look.text("sum.none"), "rows": [], "places": []}
    place = min(max(place, 0), len(answers) - 1)
    return sum_table(look.readings.sum(answers[place]), answers, look.text)


def tables_sheet(
    reading: BeamReading, chosen: int, text: Text, *, n_groups: int, tab: str = "ledger"
) -> dict[str, Any]:
    """The tables' `data`, without the sum.

    Args:
        chosen: rank of the candidate in view.
        tab: the table in view.
    """
    names = ("ledger", "pool", "sum")
    tabs = [{"id": name, "label": text(f"beam.tab.{name}"), "tip": text(f"beam.tab.{name}.tip")} for name in names]
    return {
        "label": text("beam.views"),
        "tabs": tabs,
        "tab": tab,
        "step": reading.step,
        "chosen": chosen,
        "n_groups": n_groups,
        "ledger": ledger_table(reading, text, n_groups=n_groups),
        "pool": pool_table(reading, text, n_groups=n_groups),
    }


def ledger_table(reading: BeamReading, text: Text, *, n_groups: int) -> dict[str, Any]:
    """The ledger: a row per candidate, each a node of the tree."""
    with_group = n_groups > 1
    keys = ("rank", "token", "fate", "logprob", "score", "margin", "rival", "after")
    heads = [{"text": text(f"ledger.{key}")} for key in keys]
    if with_group:
        heads.append({"text": text("ledger.group"), "tip": text("ledger.group.tip")})
    rows = []
    for row in reading.rows:
        margin = "" if row.margin is None else _signed(row.margin)
        cells = [
            str(row.rank + 1), row.text, text(f"fate.{row.fate}"), _score(row.logprob), _score(row.score), margin,
            row.rival, text("ledger.after.beam", text=row.after, n=row.beam + 1).strip(),
        ]  # fmt: skip
        cells += [str(row.group + 1)] if with_group else []
        answer = None if row.answer is None else row.answer + 1
        rows.append(
            {"rank": row.rank, "token_id": row.token_id, "fate": row.fate, "answer": answer, "cells": cells}
        )  # fmt: skip
    kept = n_places(reading)
    caption = text(
        "ledger.caption.groups" if with_group else "ledger.caption", step=text.step(reading.step), n=len(rows),
        beams=kept, each=kept // n_groups, groups=n_groups,
    )  # fmt: skip
    tips = {fate: text(f"fate.{fate}.help") for fate in {row.fate for row in reading.rows}}
    return {"caption": caption, "heads": heads, "rows": rows, "tips": tips, "button": 1, "fate": 2}


def pool_table(reading: BeamReading, text: Text, *, n_groups: int) -> dict[str, Any]:
    """The pool: hypotheses best first, then those driven out at this step."""
    pool = reading.pool
    with_group = n_groups > 1
    heads = [{"text": text(f"pool.{key}")} for key in ("text", "score", "sum", "length", "change")]
    heads += [{"text": text("pool.group")}] if with_group else []
    rows = []
    for row in pool.rows:
        sums = (_number(row.score, POOL_DIGITS), _score(row.sum_logprobs), str(row.length))
        cells = [row.text, *sums, _change(row, text)]
        cells += [str(row.group + 1)] if with_group else []
        rows.append({"step": row.step, "rank": row.rank, "change": row.change, "cells": cells})
    taken = n_places(reading) - pool.room
    note = text("pool.empty") if not taken else text("pool.room", n=pool.room) if pool.room else ""
    full = [(group, worst) for group, worst in enumerate(pool.worst) if worst is not None]
    if full and not with_group:
        note = text("pool.worst", worst=_number(full[0][1], POOL_DIGITS))
    elif full:
        each = [text("pool.worst.group", n=group + 1, worst=_number(worst, POOL_DIGITS)) for group, worst in full]
        note = text("pool.worst", worst=", ".join(each))
    caption = text("pool.caption", step=text.step(reading.step), n=taken, beams=n_places(reading))
    return {"caption": caption, "heads": heads, "rows": rows, "note": note}


def _change(row: PoolRow, text: Text) -> str:
    if row.change == "in":
        return text("pool.in.over", text=row.against) if row.against else text("pool.in")
    return text("pool.out", text=row.against) if row.change == "out" else ""


def sum_table(shown: HypothesisSum, answers: tuple[Hypothesis, ...], text: Text) -> dict[str, Any]:
    """A hypothesis' addition and division, to the digits that a reader can check; the others to be chosen."""
    heads = [
        {"text": text("sum.token")}, {"text": text("sum.logprob")},
        {"text": text("sum.transition"), "tip": text("sum.transition.tip")},
        {"text": text("sum.row"), "tip": text("sum.row.tip")},
    ]  # fmt: skip
    rows = [
        {"step": t.step, "rank": t.rank, "cells": [t.text, _number(t.logprob), _transition(t), str(t.row)]}
        for t in shown.terms
    ]
    place = [answer.answer or 0 for answer in answers].index(shown.answer)
    kept = [t for t in shown.terms if t.transition is not None and t.logprob != t.transition]
    worst = max((abs(t.logprob - t.transition) for t in kept), default=0.0)
    total = _number(shown.sum_logprobs, shown.sum_digits)
    feet = [
        [text("sum.total"), total],
        [text("sum.length"), f"{shown.length} ^ {setting(shown.length_penalty)} = {_plain(shown.divisor)}"],
        [text("sum.quotient"), f"{total} ÷ {_plain(shown.divisor)} = {_number(shown.score, shown.score_digits)}"],
    ]
    caption = "sum.caption" if shown.finished else "sum.caption.running"
    note = text("sum.equal") if worst == 0 else text("sum.unequal", most=f"{worst:.2g}")
    if shown.sum_logprobs < IMPOSSIBLE:
        note = f"{note} {text('sum.forced')}"
    return {
        "caption": text(caption, place=shown.answer + 1, n=shown.length), "heads": heads, "rows": rows, "feet": feet,
        "note": note, "label": text("sum.places"), "place": place,
        "places": [
            {"place": n, "label": f"#{(answer.answer or 0) + 1}", "score": _number(answer.score)}
            for n, answer in enumerate(answers)
        ],
    }  # fmt: skip


def _number(value: float, digits: int = TERM_DIGITS) -> str:
    if not math.isfinite(value):
        return nats(value)
    return f"{value:.{digits}f}".replace("-", "−")


def _plain(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e9 else f"{value:.6g}"


def _transition(term: SumTerm) -> str:
    return "–" if term.transition is None else _number(term.transition)


def _score(value: float) -> str:
    return "−10⁹" if -math.inf < value < IMPOSSIBLE else nats(value)


def _signed(margin: float) -> str:
    if 0 < abs(margin) < 0.005:
        return "−<0.01" if margin < 0 else "+<0.01"
    return nats(margin) if margin < 0 else f"+{nats(margin)}"
