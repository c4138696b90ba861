"""Lecture mode: a step's stages, each with its sentence, and the keys."""

from __future__ import annotations

from typing import Any

from ..text import Text
from ..views.lecture import LectureView, StageTold, lecture_view
from ..views.look import Look
from ..views.numbers import nats, percent
from ..views.waterfall import Waterfall
from .sheet import about

__all__ = ["KEYS", "lecture_keys", "lecture_sheet"]

KEYS = ("start", "steps", "stages", "play", "speed", "predict", "reveal", "charts", "leave")
"""What the keys of lecture mode do, in the order in which they are told: `lecture.key.NAME` and `lecture.keys.NAME`."""

WORDS = (
    "title", "open", "open.tip", "close", "play", "pause", "back", "forward", "predict", "predict.tip", "reveal",
    "speed", "slower", "faster", "stages", "charts", "question", "hidden", "keys",
)  # fmt: skip
CHARTS = ("waterfall", "cutoff", "heat_map", "beam_tree")


def lecture_keys(text: Text) -> list[tuple[str, str]]:
    """Each key, or keys, with what they do."""
    return [(text(f"lecture.key.{name}"), text(f"lecture.keys.{name}")) for name in KEYS]


def lecture_sheet(look: Look, view: Waterfall, scores: Any) -> dict[str, Any]:
    """The component's `data`: words, and the step in view as it is told; `view` is its waterfall."""
    text = look.text
    told = lecture_view(look.trace, view, scores, row=look.row, n_steps=look.n_steps())
    return about(look, {**lecture_words(text), **_step(told, look.mode, text)})


def lecture_words(text: Text) -> dict[str, Any]:
    """The words that no step changes."""
    return {
        "words": {name: text(f"lecture.{name}", n="{n}") for name in WORDS},  # the page fills in n
        "names": {name: text(f"lecture.chart.{name}") for name in CHARTS},
        "keys": lecture_keys(text),
    }


def _step(view: LectureView, mode: str, text: Text) -> dict[str, Any]:
    return {
        "at": text("lecture.at", step=text.step(view.step), n=text.step(view.n_steps - 1)),
        "n_steps": view.n_steps,
        "before": ("… " if view.cut else "") + view.before,
        "token": view.token,
        "stages": [*(_stage(stage, i, text) for i, stage in enumerate(view.stages)), _choice(view, mode, text)],
    }


def _stage(stage: StageTold, i: int, text: Text) -> dict[str, Any]:
    column = stage.column
    name = f"{column.label} {column.value}".strip() if i else text("lecture.stage.model")
    fields = {
        "stage": name, "token": stage.likeliest, "p": percent(stage.probability), "n": f"{column.n_removed:,}",
        "mass": percent(column.mass_removed), "alive": f"{column.n_alive:,}", "entropy": nats(column.entropy_nats),
        "before": nats(stage.entropy_before),
    }  # fmt: skip
    key = "model" if i == 0 else "same" if not column.changed else "cuts" if column.n_removed else "shapes"
    if key == "shapes" and not stage.reshapes:
        key = "shifts"
    return {"name": name, "sentence": text.pieces(f"lecture.says.{key}", **fields)}


def _choice(view: LectureView, mode: str, text: Text) -> dict[str, Any]:
    key = "none" if not view.token else "beams" if view.beams else mode if mode in ("greedy", "sample") else "chosen"
    return {
        "name": text("lecture.stage.choice"),
        "sentence": text.pieces(f"lecture.says.{key}", token=view.token, p=percent(view.probability)),
    }
