"""What the list of runs says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from decoding.parameters.knobs import KNOBS
from decoding.recorded.step_number import step_number

from ..runs import LONGEST_NAME
from ..text import Text
from ..views.numbers import setting
from ..views.runs import RunLine

if TYPE_CHECKING:
    from ..views.run_differences import Difference

__all__ = ["run_detail", "run_label", "runs_sheet"]

WORDS = ("rename", "name.label", "remove", "remove.sure", "remove.sure_tip")
MOST_DETAILS = 3  # settings that a run's line has room for


def runs_sheet(lines: tuple[RunLine, ...], text: Text) -> dict[str, Any]:
    """The list's `data`."""
    runs = [
        {
            "number": line.number,
            "active": line.active,
            "label": run_label(line, text),
            "name": line.name,
            "words": {key: text(f"runs.{key}", n=line.number + 1) for key in WORDS},
            "detail": run_detail(line, text),
            "tip": f"{line.name}\n{_tip(line, text)}".strip(),  # a long name is cut on the button
            "shared": line.shared,
            "forked": line.forked,
            "fresh": line.fresh,
            "more": text("runs.more", n=line.more) if line.more else "",
        }
        for line in lines
    ]
    return {"title": text("runs.title"), "hint": text("runs.hint"), "runs": runs, "longest": LONGEST_NAME}


def run_label(line: RunLine, text: Text) -> str:
    """What a run is called: its number, and the name that the visitor gave it."""
    return text("runs.named" if line.name else "runs.name", n=line.number + 1, name=line.name)


def run_detail(line: RunLine, text: Text, most: int = MOST_DETAILS) -> str:
    """What tells a run apart: where it is from, and what it was given that the run before was not.

    Args:
        most: settings named; more end in an ellipsis.
    """
    words = [text(f"runs.detail.{line.origin}")] if line.origin else []
    if line.source is not None:
        key = "runs.detail.fork" if line.forked else "runs.detail.anew"
        words.append(text(key, n=line.source + 1, step=step_number(line.step)))
    if not line.compared:
        words.append(text.or_else(f"mode.{line.mode}", line.mode))
    differing = [said for d in line.differences if (said := _difference(d, text))]
    words += differing[:most] + ["…"] * (len(differing) > most)
    return text("runs.detail.join").join(words) or text("runs.detail.same")


def _difference(difference: Difference, text: Text) -> str:
    """What the later run was given, in few words; "" for what no longer acts in its mode."""
    kind, given = difference.kind, difference.b
    if kind == "mode":
        return text.or_else(f"mode.{given.value}", given.value)
    if kind == "template":
        return text(f"runs.detail.template.{given.value}")
    if kind in ("system", "prompt", "prompts"):
        return text("runs.detail.prompt")
    if kind == "revision":
        return ""
    if kind in ("model", "dtype", "device"):
        return given.value
    if not given.acts:
        return ""
    neutral = KNOBS[difference.name].neutral
    if not given.value or neutral is not None and given.value == setting(neutral):
        return text("runs.detail.without", name=difference.name)
    return f"{difference.name} {given.value}"


def _tip(line: RunLine, text: Text) -> str:
    if line.step is None or not line.forked:
        return run_detail(line, text, most=len(line.differences))
    key = "runs.tip.fork.instead" if line.instead_of else "runs.tip.fork"
    tip = text(key, token=line.forked, step=step_number(line.step), other=line.instead_of)
    return f"{tip} {text('runs.tip.reused')}" if line.reused else tip
