"""What the run came to, in plain text, for reading and copying."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..text import Text
from ..views.answer import Answer, Asked, answers, asked, row_text
from ..views.look import Look
from ..views.numbers import nats

__all__ = ["answer", "answer_begun"]

Json = dict[str, Any]

ROLES = ("user", "system", "assistant")
LABELS = ("copy", "copy_tip", "copy_all", "copy_all_tip", "copied", "more", "less", "empty", "show_tip")


def answer(look: Look) -> Json:
    """The component's properties for the run in view, also for one that goes on."""
    return {"data": _data(look, answers(look.trace)) if look.trace.n_rows else None, "lines": []}


def answer_begun(look: Look) -> Json:
    """The component's `data` before the first token of a run without beams; its text comes in lines."""
    begun = (replace(one, text=row_text(look.trace, row, [])) for row, one in enumerate(answers(look.trace)))
    return _data(look, tuple(begun))


def _data(look: Look, found: tuple[Answer, ...]) -> Json:
    text, prompts = look.text, asked(look.trace)
    return {
        "run": look.number,
        "streaming": look.growing,
        "title": text("answer.title" if len(found) < 2 else "answer.titles", n=len(found)),
        "labels": {name: text(f"answer.{name}") for name in LABELS},
        "prompts": [_asked(a, i, len(prompts), text) for i, a in enumerate(prompts)],
        "answers": [_answer(a, text) for a in found],
    }


def _asked(prompt: Asked, index: int, n: int, text: Text) -> Json:
    parts = [{"who": text(f"answer.who.{r}") if r in ROLES else r, "text": words} for r, words in prompt.parts]
    return {"label": text("answer.prompt", n=index + 1) if n > 1 else "", "parts": parts, "goes_on": prompt.goes_on}


def _answer(one: Answer, text: Text) -> Json:
    running = one.stop_reason in ("", "running") and one.score is None
    key = "answer.score" if one.finished else "answer.running"
    return {
        "prompt": one.prompt,
        "label": str(one.place + 1),
        "text": one.text,
        "detail": "" if one.score is None else text(key, score=nats(one.score)),
        "at": None if one.at is None else {"step": one.at[0], "rank": one.at[1]},
        "tail": "" if running else text.or_else(f"stop.{one.stop_reason}", one.stop_reason) if one.stop_reason else "",
    }
