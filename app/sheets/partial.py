"""What the page says of a response of another engine: its tokens, each step as far as it is known, beside a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from decoding.parameters.knobs import KNOBS

from ..partials import Opened, Partials
from ..runs import Runs
from ..text import Text
from ..views.numbers import nats, percent, setting
from ..views.partial import BesideRun, PartialRow, beside_run, choice_rows, default_run
from ..views.runs import run_lines
from .runs import run_label

if TYPE_CHECKING:
    from decoding.partial.partial_trace import PartialChoice, PartialTrace

    from ..runs import Run

__all__ = ["SAVES", "partial_sheet", "response_sheet"]

Json = dict[str, Any]

WORDS = (
    "close", "back", "save", "save.json", "save.csv", "save.html", "save.tip", "list", "choices", "row", "row.hint",
    "row.prompt", "table", "table.caption", "table.step", "table.least", "table.tail", "table.surprisal", "vocab",
    "vocab.tip", "entropy", "entropy.tip", "surprisal", "surprisal.tip", "caption", "tail", "column.token",
    "column.probability", "column.logprob", "column.sum", "column.rank", "badge", "badge.tip", "not_listed",
    "text",
)  # fmt: skip
FILLED = ("entropy.known", "entropy.range", "entropy.least", "entropy.exact", "entropy.none")  # by the script
PASTE = ("paste", "paste.tip", "paste.hint", "paste.label", "paste.open")
CANNOT = ("whatif", "stages", "orders", "microscope", "heat_map", "settings_map", "verify")
FAR_APART = 3.0  # nats on average: no rounding of weights explains it
SAVES = ("json", "csv", "html")
MOST_TEXT = 20_000  # characters of an answer
MOST_PROMPT = 300
RENAMED = {"n_predict": "max_new_tokens", "max_tokens": "max_new_tokens"}  # what they are among our parameters


def partial_sheet(partials: Partials, runs: Runs, text: Text) -> Json:
    """The panel's `data`: the list of responses, and the one in view."""
    opened = partials.in_view
    return {
        "paste": {name: text(f"partial.{name}") for name in PASTE},
        "list": [_entry(each, each is opened, text) for each in partials],
        "list_label": text("partial.list"),
        "response": None if opened is None else response_sheet(opened, text, _beside(opened, partials, runs, text)),
    }


def _entry(opened: Opened, active: bool, text: Text) -> Json:
    return {
        "number": opened.number, "active": active,
        "label": text("partial.show", n=opened.number + 1, name=opened.name),
    }  # fmt: skip


def response_sheet(opened: Opened, text: Text, beside: Json | None = None) -> Json:
    """A response, whole.

    Args:
        beside: what it is held against, on the page; None in a file, where there are no runs.
    """
    trace, choice = opened.trace, opened.trace.choices[opened.choice]
    rows = choice_rows(choice)
    return {
        "key": f"{opened.number}.{opened.choice}.{text.lang}",
        "number": opened.number,
        "choice": opened.choice,
        "title": text("partial.title"),
        "name": opened.name,
        "words": {name: text(f"partial.{name}") for name in WORDS}
        | {name: text.under("partial.")[name] for name in FILLED},
        "choices": [
            {"place": n, "label": text("partial.choice", n=n + 1), "active": n == opened.choice}
            for n in range(len(trace.choices))
        ][:100],
        "facts": [*_facts(trace, choice, rows, text)],
        "saves": [] if beside is None else list(SAVES),
        "notes": [text(f"partial.note.{note}") for note in choice.notes],
        "said": choice.text[:MOST_TEXT],
        "cells": [_cell(row, text) for row in rows],
        "more": text("partial.row.more", n=len(choice.steps) - len(rows)) if len(rows) < len(choice.steps) else "",
        "first": _least_sure(rows),
        "steps": [_step(row, text) for row in rows],
        "cannot": {
            "title": text("partial.cannot"), "intro": text("partial.cannot.intro"),
            "items": [text(f"partial.cannot.{name}") for name in CANNOT], "remedy": text("partial.cannot.remedy"),
        },
        "beside": beside,
        "vocab": None if beside is None else beside["vocab"],
    }  # fmt: skip


def _least_sure(rows: tuple[PartialRow, ...]) -> int:
    """Where there is most to see: the new token that surprised most."""
    new = [row for row in rows if row.number is not None] or list(rows)
    return max(new, key=lambda row: row.surprisal or 0.0).place if new else 0


def _facts(trace: PartialTrace, choice: PartialChoice, rows: tuple[PartialRow, ...], text: Text) -> Iterable[Json]:
    def fact(name: str, value: str, tip: str = "") -> Json:
        return {"label": text(f"partial.fact.{name}"), "value": value, "tip": tip}

    yield fact("kind", text(f"partial.kind.{trace.kind}"), text(f"partial.kind.{trace.kind}.tip"))
    if trace.model:
        yield fact("model", trace.model)
    yield fact("form", text(f"partial.form.{trace.form}"))
    if trace.streamed:
        yield fact("streamed", text("partial.streamed", n=trace.streamed))
    yield fact("tokens", str(sum(not step.in_prompt for step in choice.steps)))
    if choice.finish_reason:
        yield fact("finish", choice.finish_reason)
    if fingerprint := trace.about.get("system_fingerprint"):
        yield fact("server", str(fingerprint))
    yield fact("prompt", _prompt(trace, choice) or text("partial.prompt.unsaid"))
    if settings := _settings(trace):
        yield fact("settings", settings)
    masses = [min(1.0, row.mass) for row in rows if row.n_known]
    if masses:
        mean = math.fsum(masses) / len(masses)
        yield fact("mass", text("partial.mass", mean=percent(mean), least=percent(min(masses))))


def _prompt(trace: PartialTrace, choice: PartialChoice) -> str:
    if trace.messages is not None:
        said = " ⏎ ".join(f"{message['role']}: {message['content']}" for message in trace.messages)
    elif choice.prompt < len(trace.prompts):
        said = trace.prompts[choice.prompt]
    elif choice.prompt < len(trace.prompt_ids):
        said = " ".join(f"#{i}" for i in trace.prompt_ids[choice.prompt][:MOST_PROMPT])
    else:
        return ""
    return said if len(said) <= MOST_PROMPT else f"{said[: MOST_PROMPT - 1]}…"


def _settings(trace: PartialTrace) -> str:
    """What was asked for, of what has a name among our parameters."""
    known = [
        (name, value) for name, value in trace.request.items() if RENAMED.get(name, name) in KNOBS or name == "seed"
    ]
    return ", ".join(f"{name}={setting(value)}" for name, value in known)


def _cell(row: PartialRow, text: Text) -> Json:
    p = row.probability
    tip = text("partial.row.prompt") if row.number is None else ""
    if row.number is not None:
        tip = text(
            "partial.tip", n=row.number, p=percent(p), s=nats(row.surprisal),
            tail=percent(row.tail),
        )  # fmt: skip
    marks = [_mark(mark, row, text) for mark in row.marks]
    name = text("partial.step.prompt") if row.number is None else text("partial.step", n=row.number)
    return {
        "text": row.whole or row.text, "left_out": "" if row.whole else row.left_out,
        "kind": "" if row.whole else row.kind, "prompt": row.number is None, "tip": "\n".join([tip, *marks]),
        "name": f"{name}: {row.whole or row.left_out + row.text}", "marked": bool(marks),
        "p": None if p is None else round(p, 4),
    }  # fmt: skip


def _mark(mark: str, row: PartialRow, text: Text) -> str:
    return text(f"partial.mark.{mark}", **({"left_out": row.left_out} if mark == "joined" else {}))


def _step(row: PartialRow, text: Text) -> Json:
    return {
        "title": text("partial.step.prompt") if row.number is None else text("partial.step", n=row.number),
        "number": row.number,
        "reading": _reading(row, text),
        "rows": [
            {
                "text": known.text, "p": percent(known.probability), "width": _width(known.probability),
                "logprob": _logprob(known.logprob), "sum": percent(min(1.0, known.sum)),
                "rank": _rank(known.rank, known.rank_is_least, text), "chosen": known.chosen,
                "listed": known.listed,
            }
            for known in row.known
        ],
        "tail": None if not row.tail else {
            "p": percent(row.tail), "width": _width(row.tail),
            "tip": text("partial.tail.tip", highest=percent(row.highest_unknown))
            if row.highest_unknown < row.tail else text("partial.tail.tip.any"),
        },
        "notes": [_mark(mark, row, text) for mark in row.marks]
        + ([text("partial.excess", mass=f"{row.mass:.6f}")] if 0 < row.excess and row.tail is not None else []),
        "tail_p": row.tail, "known": row.entropy_known, "least": row.lower, "n_known": row.n_known,
        "surprisal": nats(row.surprisal), "least_said": nats(row.lower), "p": percent(row.probability),
        "tail_said": percent(row.tail),
    }  # fmt: skip


def _reading(row: PartialRow, text: Text) -> str:
    token = row.whole or f"{row.left_out}{row.text}"
    if row.probability is None and not row.n_known:
        return text("partial.reading.nothing", token=token)
    fields = {"token": token, "p": percent(row.probability), "n": row.n_known}
    if row.tail is None:
        return text("partial.reading.no_tail", mass=f"{row.mass:.3f}", **fields)
    if "alone" in row.marks:
        return text("partial.reading.alone", tail=percent(row.tail), **fields)
    if row.tail < 1e-6:
        return text("partial.reading.whole", **fields)
    return text("partial.reading", mass=percent(row.mass), tail=percent(row.tail), **fields)


def _width(p: float | None) -> float:
    return 0.0 if p is None else round(100 * p, 2)


def _logprob(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return nats(value)
    return f"{value:.3f}".replace("-", "−")


def _rank(rank: int | None, is_least: bool, text: Text) -> str:
    if rank is None:
        return "–"
    return text("partial.rank.least", n=rank) if is_least else str(rank)


# --- beside a recorded run ------------------------------------------------------------------------------------


def _beside(opened: Opened, partials: Partials, runs: Runs, text: Text) -> Json:
    run = runs.get(opened.against) or default_run(opened.trace, runs)
    key = (opened.choice, run.number)
    found = partials.once(opened.number, key, lambda: beside_run(opened.trace, opened.choice, run))
    lines = {line.number: run_label(line, text) for line in run_lines(runs)}
    return {
        "title": text("partial.beside"),
        "run": run.number,
        "run_label": text("partial.beside.run"),
        "runs": [{"number": each.number, "label": _run_name(each, lines[each.number])} for each in runs],
        "reading": _said(found, run, text),
        "names": [text("partial.beside.a"), text("partial.beside.b")],
        "pairs": [{"a": row.a, "b": row.b, "same": row.same, "compared": row.compared} for row in found.rows],
        "parts": found.parts_at,
        "parts_label": "" if found.parts_at is None else _number(found, found.parts_at, text),
        "by_step": {
            str(row.theirs): {
                "title": text("partial.beside.here", n=n),
                "rows": [[token, _logprob(a), _logprob(b), _logprob(d)] for token, a, b, d in row.tokens],
            }
            for n, row in enumerate(found.rows, 1)
            if row.compared and row.tokens
        },
        "head": [
            text("partial.column.token"), text("partial.beside.a"), text("partial.beside.b"),
            text("partial.beside.difference"),
        ],
        "caption": text("partial.beside.caption"),
        "after": text("partial.beside.after"),
        "steps": {
            "caption": text("partial.beside.steps"),
            "head": [
                text("partial.table.step"), text("partial.beside.a"), text("partial.beside.b"),
                text("partial.beside.chosen"), text("partial.beside.largest"),
            ],
            "rows": [
                [str(n), row.a, row.b, _logprob(row.chosen), _logprob(row.largest)]
                for n, row in enumerate(found.rows, 1) if row.compared
            ],
        },
        "vocab": found.vocab_size if found.found is not None and found.found.by_id else None,
    }  # fmt: skip


def _run_name(run: Run, label: str) -> str:
    return f"{label} · {run.model_name}"


def _number(found: BesideRun, place: int, text: Text) -> str:
    return text("partial.step", n=place + 1)


def _said(found: BesideRun, run: Run, text: Text) -> list[str]:
    """The comparison in words, a sentence an item."""
    if found.found is None or found.error is not None:
        return [text.said(found.error)]
    prompt = found.found.prompt
    if prompt == "differs":
        return [text("partial.beside.differs")]
    n_same = sum(row.same for row in found.rows)
    said = text(f"partial.beside.{prompt}", n=n_same)
    if found.parts_at is None:
        first = text("partial.beside.whole", said=said)
    else:
        row = found.rows[found.parts_at]
        first = text("partial.beside.parts", said=said, a=row.a, b=row.b)
    of = text(f"partial.beside.{'final' if found.found.stage else 'model'}")
    if not found.n_known:
        return [first, text("partial.beside.none")]
    numbers = text(
        "partial.beside.numbers", n=found.n_known, mean=f"{found.mean:.3f}", largest=f"{found.largest:.3f}"
    )  # fmt: skip
    if prompt == "unsaid" and found.mean > FAR_APART:
        return [first, numbers, text("partial.beside.far")]
    row_note = [text("partial.beside.row", n=found.found.row + 1)] if run.trace.n_rows > 1 else []
    return [first, numbers, of, *row_note]
