"""What the what-if panel is told: its words, the step's scores, and Python's answers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from decoding.parameters.knobs import KNOBS, Knob
from decoding.parameters.settings import Settings
from decoding.whatif.processors import effective_config

from ..form import MODES_SHOWN, modes_of, read_form
from ..text import Sentence, Text
from ..views.look import Look
from ..views.numbers import nats, percent
from ..views.whatif import (
    ReplayView,
    RowMarks,
    SortedScores,
    StepAnswer,
    head_of,
    replay_view,
    row_marks,
    sorted_scores,
    step_answer,
)
from ..whatif import NOT_SCORES, ROWS_ONLY
from .sheet import about

if TYPE_CHECKING:
    import numpy as np

    from decoding.trace import Trace
    from decoding.whatif.whatif import Statement, WhatIf

__all__ = ["answer", "key", "panel", "place", "scores", "scores_of"]

Json = dict[str, Any]

LABELS = (
    "title", "unset", "confirmed", "confirmed_tip", "computed", "computed_tip", "pending", "pending_tip", "wrong",
    "alive", "mass", "mass_tip", "entropy", "entropy_tip", "gone", "more", "rest", "hover", "chart", "facts", "was",
    "now", "none", "must", "onward", "onward_tip", "again", "again_tip", "no_model", "back", "tip", "tip_gone", "parts",
)  # fmt: skip
COMPACT = ("compact", "compact_entropy")  # statements about numbers; the likeliest token is exact all the same
FOR_THE_PAGE = {name: f"{{{name}}}" for name in ("n", "token", "was", "now", "step", "p", "name", "value", "range")}


def panel(look: Look) -> Json | None:
    """The panel's `data` for the run in view; None, which hides it, where there is no step to ask about."""
    if not look.trace.steps or look.growing:
        return None
    text, beams = look.text, look.node is not None
    return about(
        look,
        {
            "recorded": read_form(look.form.recorded_form),
            "defaults": _defaults(look),
            "ranges": {name: range_of(knob, text) for name, knob in KNOBS.items() if knob.kind in ("int", "float")},
            "ignored": sorted(NOT_SCORES if beams else NOT_SCORES | ROWS_ONLY),
            "modes": {mode: text(f"mode.{mode}") for mode in MODES_SHOWN},
            "first_step": look.trace.first_step,
            "rerun": _can_rerun(look.trace),
            "labels": {name: text(f"whatif.{name}", **FOR_THE_PAGE) for name in LABELS},
        },
    )


def _defaults(look: Look) -> dict[str, float]:
    """temperature, top_k, top_p, min_p where they are not given, in a sampling mode."""
    sampled = effective_config(look.form.trace, Settings(do_sample=True, num_beams=1))
    return {
        "temperature": sampled.temperature or 1.0, "top_k": sampled.top_k or 0,
        "top_p": 1.0 if sampled.top_p is None else sampled.top_p, "min_p": sampled.min_p or 0.0,
    }  # fmt: skip


def range_of(knob: Knob, text: Text) -> Json:
    """What the page has to know to see that a number cannot be, before Python says so."""
    return {
        "modes": sorted(modes_of(knob)), "low": knob.low, "high": knob.high, "low_open": knob.low_open,
        "high_open": knob.high_open, "whole": knob.kind == "int", "words": text.said(knob.accepts),
    }  # fmt: skip


def _can_rerun(trace: Trace) -> bool:
    """Whether the run's model has a name to load it by, and its prompt is known."""
    asked = trace.prompts if trace.messages is None else trace.messages
    return trace.model.source != "caller" and bool(asked)


def place(look: Look) -> str:
    """The step in view, as the panel names it."""
    return f"{look.number}.{look.row}.{look.step}.{look.followed}"


def key(look: Look) -> str:
    """Tells apart what `scores` gives."""
    return f"{place(look)}.{head_of(look.form.acting)}"


def scores(look: Look) -> Json:
    """The panel's `scores`: the step's sorted scores as base64 float32, and the tokens to draw.

    Raises:
        NotRecordedError: the step was lost.
    """
    head, values = scores_of(look)
    form = read_form(look.form.form)  # the scores are those under its settings, all but the page's own
    return head | {"form": form, "scores": base64.b64encode(values.tobytes()).decode()}


def scores_of(look: Look) -> tuple[Json, np.ndarray]:
    """What `scores` says besides the scores, and these: float32 [n_alive], downwards.

    Raises:
        NotRecordedError: the step was lost.
    """
    view = _sorted(look)
    head = {"key": key(look), "at": place(look), "mode": read_form(look.form.form)["mode"]}
    return head | _of_scores(view), view.scores


def _of_scores(view: SortedScores) -> Json:
    return {
        "sampling": view.sampling,
        "covered": view.covered,
        "min_keep": view.min_keep,
        "alive": view.alive,
        "mass": view.mass_removed,
        "entropy": view.entropy_nats,
        "tokens": [
            {"id": t.token_id, "text": t.text, "place": t.place, "chosen": t.chosen, "recorded": t.recorded}
            for t in view.tokens
        ],
    }


def _sorted(look: Look) -> SortedScores:
    return sorted_scores(
        look.trace, look.form.acting, step=look.step, row=look.row, chosen=look.token_id, recorded=look.at.scores
    )


def answer(look: Look, turn: int = 0) -> Json:
    """The panel's `answer`: what the settings tried make of the step in view and of its row.

    Args:
        turn: the question's, as the page numbers them.

    Raises:
        NotRecordedError: the step was lost.
    """
    form = look.form
    if form.error is not None:
        return about(look, {"form": form.form, "key": place(look), "error": look.text.said(form.error), "turn": turn})
    if form.whatif is None:
        return {"none": True, "turn": turn}
    beams, whatif = look.node is not None, form.whatif
    base = _sorted(look)
    ids = {base.likeliest, *(token.token_id for token in base.tokens)}
    step = step_answer(whatif, step=look.step, row=look.row, token_ids=tuple(ids))
    row = None if beams else row_marks(look.trace, whatif, look.row)
    replayed = whatif.replay if beams else None
    replay = None if replayed is None else replay_view(look.trace, replayed, look.node.prompt)
    return about(
        look,
        {
            "form": form.form,
            "key": place(look),
            "error": "",
            "alive": step.alive,
            "mass": step.mass_removed,
            "entropy": step.entropy_nats,
            "p": {str(i): p for i, p in step.probabilities.items()},
            "row": None if row is None else {"row": row.row, "p": row.probabilities, "diverges": row.diverges_at},
            "reading": _reading(step, base, row, replay, whatif, look.step, look.text),
            "notes": [_statement(s, look.text) for s in whatif.statements] + _replay_notes(replay, look.text),
            "replay": None if replay is None else _ranks(replay, look.text),
            "turn": turn,
        },
    )


def _reading(
    step: StepAnswer, base: SortedScores, row: RowMarks | None, replay: ReplayView | None, whatif: WhatIf, number: int,
    text: Text,
) -> Sentence:  # fmt: skip
    """What changed comes first: other hypotheses, then in the step or the run, then what stays as it was."""
    parts = [_of_ranks(replay, text), _of_step(step, base, number, text), _of_run(row, whatif, text)]
    out: Sentence = []
    for part in sorted(parts, key=lambda facts: not any(changed for changed, _ in facts)):
        for _, pieces in part:
            out += pieces
    return out


Fact = tuple[bool, Sentence]
"""Whether it tells of a change, and the words."""


def _of_ranks(replay: ReplayView | None, text: Text) -> list[Fact]:
    if replay is None or not replay.answers:
        return []
    first = replay.answers[0].was
    if first == 0:
        return [(False, text.pieces("whatif.read.same_hypothesis"))]
    if first is None:
        return [(True, text.pieces("whatif.read.new_hypothesis"))]
    return [(True, text.pieces("whatif.read.hypothesis", place=first + 1))]


def _of_step(step: StepAnswer, base: SortedScores, number: int, text: Text) -> list[Fact]:
    facts: list[Fact] = []
    first, before = step.likeliest, base.likeliest
    if first is not None and step.probabilities[before] < first.probability:
        facts.append((True, text.pieces("whatif.read.winner", token=first.text, p=percent(first.probability))))
    chosen = next((token for token in base.tokens if token.chosen), None)
    if chosen is not None:
        p, was = step.probabilities[chosen.token_id], percent(chosen.recorded)
        key = "token_gone" if not p > 0 else "token_same" if percent(p) == was else "token"
        pieces = text.pieces(f"whatif.read.{key}", token=chosen.text, p=percent(p), was=was)
        facts.append((key != "token_same", pieces))
    key = "none" if not step.alive else "alive" if step.alive != base.alive else "same"
    key = f"whatif.read.{key}.one" if step.alive == 1 else f"whatif.read.{key}"
    facts.append((step.alive != base.alive, text.pieces(key, alive=f"{step.alive:,}", was=f"{base.alive:,}")))
    facts.sort(key=lambda fact: not fact[0])
    lead = text.pieces("whatif.read.step", step=text.step(number))
    return [(facts[0][0], lead + facts[0][1]), *facts[1:]]


def _of_run(row: RowMarks | None, whatif: WhatIf, text: Text) -> list[Fact]:
    if row is None:
        return []
    sampled = whatif.mode in ("sample", "beam_sample")
    n = sum(p is not None for p in row.probabilities)
    facts: list[Fact] = []
    if row.n_gone:
        facts.append((True, text.pieces("whatif.read.gone", gone=row.n_gone, n=n)))
    elif sampled and n == len(row.probabilities):
        facts.append((False, text.pieces("whatif.read.none_gone", n=n)))
    if row.diverges_at is not None:
        key = "parts" if sampled else "parts_greedy"
        facts.append((True, text.pieces(f"whatif.read.{key}", step=text.step(row.diverges_at))))
    elif not sampled and all(s.why in COMPACT for s in whatif.statements):
        facts.append((False, text.pieces("whatif.read.never_parts")))
    return facts


def _statement(statement: Statement, text: Text) -> str:
    step = "" if statement.step is None else text.step(statement.step)
    words = text.or_else(f"whatif.cannot.{statement.why}", "{text}")
    return words.format(what=statement.what, text=statement.text, step=step)


def _replay_notes(replay: ReplayView | None, text: Text) -> list[str]:
    if replay is None:
        return []
    return [text("whatif.replay.decided" if replay.decided else "whatif.replay.undecided", n=replay.n_steps)]


def _ranks(replay: ReplayView, text: Text) -> dict[str, Any]:
    """The hypotheses in their new order, as a table."""
    rows = [
        (a.text, str(a.answer + 1), "–" if a.was is None else str(a.was + 1), nats(a.score)) for a in replay.answers
    ]
    head = [text(f"whatif.replay.{name}") for name in ("text", "place", "was", "score")]
    return {"caption": text("whatif.replay"), "head": head, "rows": rows, "marked": None}
