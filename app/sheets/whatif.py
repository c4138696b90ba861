"""What the what-if panel is told: its words, the step's scores, and Python's answers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from decoding.parameters.settings import Settings
from decoding.whatif.processors import effective_config

from ..form import MODES_SHOWN, read_form
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
    "now", "onward", "onward_tip", "again", "again_tip", "no_model", "back", "tip", "tip_gone", "parts",
)  # fmt: skip
COMPACT = ("compact", "compact_entropy")  # statements about numbers; the likeliest token is exact all the same
FOR_THE_PAGE = {name: f"{{{name}}}" for name in ("n", "token", "was", "now", "step", "p")}


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
            "ignored": sorted(NOT_SCORES if beams else NOT_SCORES | ROWS_ONLY),
            "modes": {mode: text(f"mode.{mode}") for mode in MODES_SHOWN},
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
    return head | {"scores": base64.b64encode(values.tobytes()).decode()}


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
        return about(look, {"form": form.form, "key": place(look), "error": str(form.error), "turn": turn})
    if form.whatif is None:
        return {"none": True, "turn": turn}
    beams, whatif = look.node is not None, form.whatif
    base = _sorted(look)
    ids = tuple(token.token_id for token in base.tokens)
    step = step_answer(whatif, step=look.step, row=look.row, token_ids=ids)
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
            "reading": _reading(step, base, row, whatif, look.step, look.text),
            "notes": [_statement(s, look.text) for s in whatif.statements] + _replay_notes(replay, look.text),
            "replay": None if replay is None else _ranks(replay, look.text),
            "turn": turn,
        },
    )


def _reading(
    step: StepAnswer, base: SortedScores, row: RowMarks | None, whatif: WhatIf, number: int, text: Text
) -> Sentence:
    chosen = next((token for token in base.tokens if token.chosen), None)
    alive = {"step": number + 1, "alive": f"{step.alive:,}", "was": f"{base.alive:,}"}
    key = "whatif.read.alive" if step.alive != base.alive else "whatif.read.same"
    out = text.pieces(f"{key}.one" if step.alive == 1 else key, **alive)
    if chosen is not None:
        p = step.probabilities[chosen.token_id]
        key = "whatif.read.token" if p > 0 else "whatif.read.token_gone"
        out += text.pieces(key, token=chosen.text, p=percent(p), was=percent(chosen.recorded))
    if row is not None:
        n = sum(p is not None for p in row.probabilities)
        if row.n_gone:
            out.append(text("whatif.read.gone", gone=row.n_gone, n=n))
        elif whatif.mode in ("sample", "beam_sample") and n == len(row.probabilities):
            out.append(text("whatif.read.none_gone", n=n))
        if row.diverges_at is not None:
            key = "whatif.read.parts" if whatif.mode in ("sample", "beam_sample") else "whatif.read.parts_greedy"
            out.append(text(key, step=row.diverges_at + 1))
        elif whatif.mode not in ("sample", "beam_sample") and all(s.why in COMPACT for s in whatif.statements):
            out.append(text("whatif.read.never_parts"))
    return out


def _statement(statement: Statement, text: Text) -> str:
    step = "" if statement.step is None else statement.step + 1
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
