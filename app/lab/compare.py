"""The lab's tab `compare`: two of the visitor's runs side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from decoding.reading.run_statistics import RunStatistics

from ..runs import MOST_RUNS, Run, Runs
from ..sheets.runs import run_detail, run_label
from ..text import Sentence, Text
from ..views.compare import Cell, Comparison, Side, Taken, compare_view, n_rows, side_of
from ..views.look import Look
from ..views.numbers import decimal, nats, percent
from ..views.run_differences import Difference, Given
from ..views.runs import RunLine, run_lines

__all__ = ["sheet"]

Show = Callable[[RunStatistics], str]

# What the table of statistics shows: name, unit (a text key), value.
STATISTICS: tuple[tuple[str, str, Show], ...] = (
    ("tokens", "tokens", lambda s: f"{s.n_tokens:,}"),
    ("entropy_before", "nats", lambda s: nats(s.entropy_before)),
    ("entropy_after", "nats", lambda s: nats(s.entropy_after)),
    ("surprisal", "nats", lambda s: nats(s.surprisal)),
    ("perplexity", "", lambda s: decimal(s.perplexity, 2)),
    ("likeliest", "share", lambda s: percent(s.likeliest)),
    ("mass_removed", "probability", lambda s: percent(s.mass_removed)),
    ("n_left", "tokens", lambda s: decimal(s.n_left, 1 if s.n_left < 1000 else 0)),
    ("repeated", "share", lambda s: percent(s.repeated)),
    ("repeated_4", "grams", lambda s: percent(s.repeated_4)),
    ("distinct_1", "", lambda s: decimal(s.distinct_1, 2)),
    ("distinct_2", "", lambda s: decimal(s.distinct_2, 2)),
    ("distinct_3", "", lambda s: decimal(s.distinct_3, 2)),
    ("seconds", "seconds", lambda s: decimal(s.seconds, 2)),
    ("tokens_per_second", "speed", lambda s: decimal(s.tokens_per_second, 1)),
)


def sheet(look: Look, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Two runs beside each other; `wish` is `{"a": number, "b": number, "row_a", "row_b", "latest": number}`.

    The wish holds until there is a newer run than `latest`, so that a run just made comes into view.
    """
    text, runs = look.text, look.runs
    pair = _wished(runs, wish) or _by_default(runs)
    if pair is None:
        return _alone(look)
    a, b = pair
    rows = (_row(look, a, b, wish, "row_a"), _row(look, b, a, wish, "row_b"))
    view = compare_view(runs, a, b, rows=rows)
    lines = {line.number: line for line in run_lines(runs)}
    return {
        "key": f"{a.number}.{rows[0]}.{b.number}.{rows[1]}.{text.lang}",
        "pick": {
            "a": _pick("a", runs, a, rows[0], lines, text),
            "b": _pick("b", runs, b, rows[1], lines, text),
            "swap": text("compare.swap"),
            "latest": _latest(runs),
        },
        "reading": _reading(view, text),
        "notes": _notes(view, lines, text),
        "tokens": _tokens(view, text),
        "differences": _differences(view, text),
        "statistics": _statistics((view.a, view.b), text),
    }


def _alone(look: Look) -> dict[str, Any]:
    """A single run: its statistics, and how to get a second one."""
    text, run = look.text, look.runs.active
    row = _row(look, run, None, {}, "")
    side = side_of(look.runs, run, row) if n_rows(look.runs, run) else None
    return {
        "key": f"{run.number}.{row}.{text.lang}",
        "reading": text.pieces("compare.alone", n=MOST_RUNS),
        "statistics": _statistics((side,), text) if side is not None else None,
    }


# --- which two ------------------------------------------------------------------------------------------------


def _latest(runs: Runs) -> int:
    return max(run.number for run in runs)


def _wished(runs: Runs, wish: Mapping[str, Any]) -> tuple[Run, Run] | None:
    a, b = runs.get(wish.get("a")), runs.get(wish.get("b"))
    if a is None or b is None or a is b or wish.get("latest") != _latest(runs):
        return None
    return (a, b) if n_rows(runs, a) and n_rows(runs, b) else None


def _by_default(runs: Runs) -> tuple[Run, Run] | None:
    """The run in view and what it is held against, the older one first; None where there is nothing."""
    shown = runs.active
    other = runs.before(shown) or next((run for run in runs if run is not shown), None)
    if other is None or not n_rows(runs, shown) or not n_rows(runs, other):
        return None
    return (other, shown) if other.number < shown.number else (shown, other)


def _row(look: Look, run: Run, other: Run | None, wish: Mapping[str, Any], name: str) -> int:
    """The row asked for; else the one in view, or the one that the other run was forked from."""
    n = n_rows(look.runs, run)
    asked = wish.get(name)
    if isinstance(asked, int) and not isinstance(asked, bool) and 0 <= asked < n and _wished(look.runs, wish):
        return asked
    if run is look.runs.active:
        return _row_in_view(look, run) if n else 0
    fork = None if other is None or other.taken_from != run.number else other.trace.fork
    row = look.row if fork is None else fork.row
    return row if run.trace.ledger is None and row < n else 0


def _row_in_view(look: Look, run: Run) -> int:
    """In beam methods the best hypothesis of the prompt in view."""
    trace = run.trace
    if trace.ledger is None:
        return look.row if look.row < trace.n_rows else 0
    prompt = look.row // trace.ledger.n_beams
    return next((place for place, h in enumerate(trace.hypotheses) if h.prompt == prompt), 0)


def _pick(
    name: str, runs: Runs, chosen: Run, row: int, lines: Mapping[int, RunLine], text: Text
) -> dict[str, Any]:
    n = n_rows(runs, chosen)
    beams = chosen.trace.ledger is not None
    key = "compare.hypothesis" if beams else "compare.row"
    return {
        "label": text("compare.run", side=name.upper()),
        "name": name.upper(),
        "chosen": chosen.number,
        "options": [{"number": run.number, "text": _called(lines[run.number], text)} for run in runs],
        "row": row,
        "row_label": text("compare.rows", side=name.upper()),
        "rows": [text(key, n=i + 1) for i in range(n)] if n > 1 else [],
    }


def _called(line: RunLine, text: Text) -> str:
    return f"{run_label(line, text)} · {run_detail(line, text)}"


# --- in words -------------------------------------------------------------------------------------------------


def _reading(view: Comparison, text: Text) -> Sentence:
    """Where they part, and why, as far as the numbers say it."""
    parting = view.parting
    if parting is None:
        n = len(view.a.ids)
        return text.pieces("compare.same.one" if n == 1 else "compare.same", n=f"{n:,}")
    sides = [_took("A", parting.a, text), _took("B", parting.b, text)]
    n = parting.n_characters if view.by_text else parting.place
    after = "first" if n == 0 else ("characters" if view.by_text else "tokens") + (".one" if n == 1 else "")
    fields = {"n": f"{n:,}", "place": f"{parting.place + 1:,}"}
    if parting.a is None or parting.b is None:
        ended, goes_on = sides if parting.a is None else sides[::-1]
        out = text.pieces(f"compare.ends.{after}", ended=ended, goes_on=goes_on, **fields)
    else:
        out = text.pieces(f"compare.parts.{after}", a=sides[0], b=sides[1], **fields)
    given = [_gave("A", parting.b, text), _gave("B", parting.a, text)]
    if any(given):
        out += [text("compare.space"), text("compare.join").join(g for g in given if g), text("compare.stop")]
    return out + _why(view, text)


def _took(side: str, taken: Taken | None, text: Text) -> str:
    if taken is None:
        return text("compare.side.ended", side=side)
    key = "by_hand" if taken.by_hand else "took" if taken.probability is not None else "has"
    return text(f"compare.side.{key}", side=side, token=taken.text, p=percent(taken.probability))


def _gave(side: str, taken: Taken | None, text: Text) -> str:
    """What one run gave the token that the other took."""
    there = None if taken is None else taken.elsewhere
    if there is None or math.isnan(there.probability):
        return ""
    if there.removed_by and there.probability == 0:
        return text("compare.side.removed", side=side, token=taken.text, stage=there.removed_by)
    return text("compare.side.gave", side=side, token=taken.text, p=percent(there.probability))


def _why(view: Comparison, text: Text) -> Sentence:
    parting = view.parting
    if not parting.same_logits:
        return []
    key = "settings"
    if parting.same_choice:
        key = "draw" if {view.a.mode, view.b.mode} <= {"sample", "beam_sample"} else "choice"
    return [text("compare.space"), *text.pieces(f"compare.why.{key}")]


def _notes(view: Comparison, lines: Mapping[int, RunLine], text: Text) -> list[str]:
    notes = []
    if view.by_text:
        notes.append(text("compare.note.by_text"))
    elif not view.same_start:
        notes.append(text("compare.note.start"))
    lengths = (view.a.statistics.n_tokens, view.b.statistics.n_tokens)
    if lengths[0] != lengths[1]:
        notes.append(text("compare.note.lengths", a=f"{lengths[0]:,}", b=f"{lengths[1]:,}"))
    for name, side in (("A", view.a), ("B", view.b)):
        if side.n_shared:
            notes.append(text("compare.note.fork", side=name, n=f"{side.n_shared:,}"))
        if side.statistics.n_lost:
            notes.append(text("compare.note.lost", side=name, n=f"{side.statistics.n_lost:,}"))
    return notes


# --- as JSON --------------------------------------------------------------------------------------------------


def _tokens(view: Comparison, text: Text) -> dict[str, Any]:
    """A column is `[place, A's tokens, B's tokens, same]`, a token `[text, probability]`."""
    parting = next((i for i, column in enumerate(view.columns) if not column.same), None)
    return {
        "label": text("compare.tokens"),
        "columns": [[c.place + 1, _cells(c.a), _cells(c.b), c.same] for c in view.columns],
        "parting": parting,
        "before": text("compare.more.before", n=f"{view.n_before:,}") if view.n_before else "",
        "after": _after(view, text),
        "tips": {key: text.or_else(f"compare.tip.{key}", "") for key in ("token", "taken_over")},
        "mark": _mark(view, text),
        "table": text("compare.table"),
        "head": [text(f"compare.table.{key}") for key in ("place", "a", "p_a", "b", "p_b")],
    }


def _mark(view: Comparison, text: Text) -> str:
    """What is said above the place where they part: where one of them merely ends, which."""
    parting = view.parting
    if parting is not None and (parting.a is None or parting.b is None):
        return text("compare.mark.ends", side="A" if parting.a is None else "B")
    return text("compare.mark")


def _after(view: Comparison, text: Text) -> str:
    """How many tokens are left out at the end; whose they are, where the other run has ended."""
    if not view.n_after:
        return ""
    ends = (len(view.a.ids), len(view.b.ids))
    alone = not view.by_text and min(ends) <= view.n_before + len(view.columns)
    side = "A" if ends[0] > ends[1] else "B"
    return text("compare.more.after.of" if alone else "compare.more.after", n=f"{view.n_after:,}", side=side)


def _cells(cells: tuple[Cell, ...]) -> list[list[str]]:
    return [[cell.text, "" if cell.probability is None else percent(cell.probability)] for cell in cells]


def _differences(view: Comparison, text: Text) -> dict[str, Any]:
    return {
        "caption": text("compare.differences"),
        "head": [text("compare.parameter"), "A", "B"],
        "rows": [_difference(d, text) for d in view.differences],
        "none": text("compare.differences.none"),
    }


def _difference(difference: Difference, text: Text) -> dict[str, Any]:
    knob = difference.kind == "knob"
    return {
        "name": difference.name if knob else text(f"compare.given.{difference.kind}"),
        "code": knob,
        "tip": text(f"help.{difference.name}") if knob else "",
        "a": _given(difference, difference.a, text),
        "b": _given(difference, difference.b, text),
    }


def _given(difference: Difference, given: Given, text: Text) -> str:
    if difference.kind == "mode":
        return text.or_else(f"mode.{given.value}", given.value)
    if difference.kind == "template":
        return text(f"compare.template.{given.value}")
    if not given.value:
        return text("compare.not_set") if given.acts and difference.kind == "knob" else "–"
    return given.value if given.acts else text("compare.silent", value=given.value)


def _statistics(sides: tuple[Side, ...], text: Text) -> dict[str, Any]:
    names = ["A", "B"] if len(sides) > 1 else [text("compare.alone.column")]
    return {
        "caption": text("compare.statistics"),
        "head": [text("compare.statistic"), *names, text("compare.unit")],
        "rows": [
            {
                "label": text.pieces(f"compare.stat.{name}"),
                "values": [show(side.statistics) for side in sides],
                "unit": text(f"compare.unit.{unit}") if unit else "",
            }
            for name, unit, show in STATISTICS
        ],
    }
