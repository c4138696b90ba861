"""A study's outcome as plain JSON values: everything that its page says, and each run in numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from decoding.errors import SettingError
from decoding.recorded.run import ModelInfo
from decoding.studies.conduct import Outcome, judged_outcome
from decoding.studies.study import Panel, Part, Run, Study
from decoding.studies.texts import Texts
from decoding.words import words

__all__ = ["SMALL_MODEL", "VERSION", "as_told", "outcome_told"]

VERSION = 1
SMALL_MODEL = (
    "Absolute values are this small model’s: another one has other numbers. What is tested is the direction, and "
    "whether it goes as far as was said beforehand."
)
DIGITS = 6  # significant; more would be noise


def as_told(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON values; numbers that JSON has no word for are None.

    A point's runs are pairs of a run's number in `runs` and its value. Rows, steps and prompts count from 0.
    """
    study, runs = outcome.study, [run for found in outcome.runs.values() for run in found]
    numbers = {(run.part, run.prompt, run.sample): i for i, run in enumerate(runs)}
    told = {
        "version": VERSION,
        "study": study.name,
        "title": study.title,
        "paper": asdict(study.paper),
        "observation": study.observation,
        "recorded": study.recorded,
        "caveat": SMALL_MODEL,
        "verdict": outcome.verdict,
        "claims": [
            {**asdict(j.claim), "found": asdict(j.found), "verdict": j.verdict, "by": j.by} for j in outcome.judged
        ],
        "panels": [_panel(panel, numbers) for panel in outcome.findings.panels],
        "notes": list(outcome.findings.notes),
        "seed": study.seed,
        "parts": [_part(part) for part in outcome.parts],
        "model": asdict(outcome.model),
        "made": outcome.made,
        "seconds": outcome.seconds,
        "runs": [asdict(run) for run in runs],
    }
    return dict(_plain(told))


def outcome_told(told: Mapping[str, Any], study: Study, texts: Texts) -> Outcome:
    """The outcome that was told: its runs in numbers are read and judged again, by the study as it is now.

    Args:
        told: from `as_told`, possibly by way of a file.
        study: that it was told of.
        texts: that it was asked.

    Raises:
        SettingError: it is no such outcome, or of another version.
    """
    try:
        if (told["version"], told["study"]) != (VERSION, study.name):
            here = f"{told['study']}, version {told['version']}"
            wanted = words("{study}, version {version}", study=study.name, version=VERSION)
            raise SettingError("study", here, wanted, "record it again")
        parts = study.parts(texts)
        runs: dict[str, list[Run]] = {part.name: [] for part in parts}
        for values in told["runs"]:
            run = Run(**{name: _value(value) for name, value in values.items()})
            runs[run.part].append(run)
        return judged_outcome(
            study, texts, parts, {name: tuple(found) for name, found in runs.items()},
            model=ModelInfo(**told["model"]), seconds=told["seconds"], made=told["made"],
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise SettingError("study", str(error), "an outcome as a study tells it", "record it again") from error


def _value(value: Any) -> Any:
    return tuple(math.nan if each is None else each for each in value) if isinstance(value, list) else value


def _panel(panel: Panel, numbers: dict[tuple[str, int, int], int]) -> dict[str, Any]:
    def of_run(run: Run, value: float) -> list[Any]:
        return [numbers[run.part, run.prompt, run.sample], value]

    curves = [
        {
            "name": curve.name,
            "points": [
                {"x": point.x, "y": asdict(point.y), "step": point.step, "runs": [of_run(*each) for each in point.runs]}
                for point in curve.points
            ],
        }
        for curve in panel.curves
    ]
    words = {name: getattr(panel, name) for name in ("id", "title", "x", "y", "reading", "value", "log")}
    return {**words, "curves": curves}


def _part(part: Part) -> dict[str, Any]:
    followed = None if part.follow is None else asdict(part.follow)
    return {
        "name": part.name, "prompts": list(part.prompts), "settings": part.settings.given(), "samples": part.samples,
        "follow": followed, "rows": part.rows,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
