"""What the what-if panel is told: its words, the step's scores, and Python's answers."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from ..form import MODES_SHOWN
from ..text import Sentence, Text
from ..views.numbers import nats, percent
from ..views.whatif import ReplayView, RowMarks, SortedScores, StepAnswer

if TYPE_CHECKING:
    from decoding.whatif.whatif import Statement, WhatIf

__all__ = ["answer_json", "frame_json", "scores_json"]

LABELS = (
    "title", "unset", "confirmed", "confirmed_tip", "computed", "computed_tip", "pending", "pending_tip", "wrong",
    "alive", "mass", "mass_tip", "entropy", "entropy_tip", "gone", "more", "rest", "hover", "chart", "facts", "was",
    "now", "onward", "onward_tip", "again", "again_tip", "no_model", "back", "tip", "tip_gone", "parts",
)  # fmt: skip
COMPACT = ("compact", "compact_entropy")  # statements about numbers; the likeliest token is exact all the same
FOR_THE_PAGE = {name: f"{{{name}}}" for name in ("n", "token", "was", "now", "step", "p")}


def frame_json(form: str, defaults: dict[str, float], ignored: frozenset[str], text: Text, *, can_rerun: bool) -> str:
    """The panel's `data`.

    Args:
        form: the settings panel's value for the recorded run.
        defaults: temperature, top_k, top_p, min_p where they are not given, in a sampling mode.
        ignored: parameters that make no what-if.
        can_rerun: the run can be decoded again: its model has a name.
    """
    return _json(
        {
            "recorded": json.loads(form),
            "defaults": defaults,
            "ignored": sorted(ignored),
            "modes": {mode: text(f"mode.{mode}") for mode in MODES_SHOWN},
            "rerun": can_rerun,
            "labels": {name: text(f"whatif.{name}", **FOR_THE_PAGE) for name in LABELS},
        }
    )


def scores_json(view: SortedScores, *, key: str, at: str, form: str) -> str:
    """The panel's `scores`: the step's sorted scores as base64 float32, and the tokens to draw."""
    return _json(
        {
            "key": key,
            "at": at,
            "mode": json.loads(form).get("mode"),
            "scores": base64.b64encode(view.scores.tobytes()).decode(),
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
    )


def answer_json(
    form: str,
    at: str,
    text: Text,
    *,
    step: StepAnswer | None = None,
    base: SortedScores | None = None,
    row: RowMarks | None = None,
    whatif: WhatIf | None = None,
    replay: ReplayView | None = None,
    number: int = 0,
    error: str = "",
) -> str:
    """The panel's `answer` to the settings in `form`.

    Args:
        at: the step answered for.
        row: None in beam runs.
        number: of the step, from 0.
        error: what is wrong with these settings; then there is no answer.
    """
    if step is None or base is None or whatif is None:
        return _json({"form": form, "key": at, "error": error})
    return _json(
        {
            "form": form,
            "key": at,
            "error": "",
            "alive": step.alive,
            "mass": step.mass_removed,
            "entropy": step.entropy_nats,
            "p": {str(i): p for i, p in step.probabilities.items()},
            "row": None if row is None else {"row": row.row, "p": row.probabilities, "diverges": row.diverges_at},
            "reading": _reading(step, base, row, whatif, number, text),
            "notes": [_statement(s, text) for s in whatif.statements] + _replay_notes(replay, text),
            "replay": None if replay is None else _ranks(replay, text),
        }
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


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
