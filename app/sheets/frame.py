"""Words for the page's frame: header, settings, model state, and the question behind a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from decoding.constraints.texts import CONSTRAINTS
from decoding.parameters.knobs import KNOBS, Knob

from ..form import LONGEST_FIELD, MODE_NEEDS, MODES_SHOWN, modes_of
from ..text import LANGUAGES, Text
from ..views.numbers import setting

if TYPE_CHECKING:
    from ..serving.model_shelf import ModelState

__all__ = [
    "header_sheet", "knobs_sheet", "message_sheet", "model_status", "queue_status", "reading_status", "running_status",
]  # fmt: skip

Json = dict[str, Any]

GROUPS = ("mode", "beams", "sampling", "engines", "penalties", "length", "constrained", "constraints", "other")
OPEN_GROUPS = ("mode", "beams", "beams", "sampling", "length")
# Two names for one thing would only confuse; the rest of the group is behind its fold.
CHOICES = {"early_stopping": (True, False, "never")}
CONTROL_OF_KIND = {
    "int": "number", "float": "number", "bool": "checkbox", "early_stopping": "select", "constraint": "passage",
}  # fmt: skip
# What a text of several lines may begin from.
EXAMPLES = {
    "json_schema": """{
  "type": "object",
  "properties": {
    "city": {"type": "string", "maxLength": 20},
    "country": {"enum": ["France", "Italy", "Spain"]},
    "is_capital": {"type": "boolean"}
  },
  "required": ["city", "country", "is_capital"]
}""",
    "regex": "(Yes|No), because [a-z ]{10,60}\\.",
    "grammar": """root ::= "Monday" | day " and " day
day ::= "Tuesday" | "Thursday" | "Sunday\"""",
}


def header_sheet(text: Text) -> Json:
    """The header's `data`."""
    return {
        "name": text("name"),
        "tagline": text("tagline"),
        "lang": text.lang,
        "language_label": text("language"),
        "languages": [{"id": lang, "label": label} for lang, label in LANGUAGES.items()],
        "scheme_label": text("scheme"),
        "skip": text("skip"),
        "verify_tip": text("ask.verify.tip"),
    }


def knobs_sheet(text: Text) -> Json:
    """The knob panel's `data`: every knob that can act in a mode the page offers, by group."""
    groups = []
    for group in GROUPS:
        knobs = [_knob(knob, text) for knob in KNOBS.values() if knob.group == group and _offered(knob)]
        if knobs:
            groups.append(
                {"id": group, "label": text(f"group.{group}"), "open": group in OPEN_GROUPS, "knobs": knobs}
            )
    modes = [
        {"id": m, "label": text(f"mode.{m}"), "help": text(f"mode.{m}.help"), "needs": MODE_NEEDS.get(m, {})}
        for m in MODES_SHOWN
    ]
    labels = {name: text(f"settings.{name}") for name in ("title", "mode", "unset", "zero", "use_greedy")}
    return {"labels": labels, "modes": modes, "groups": groups}


def _offered(knob: Knob) -> bool:
    return knob.name != "do_sample" and bool(modes_of(knob) & set(MODES_SHOWN))


def _knob(knob: Knob, text: Text) -> dict[str, Any]:
    control = CONTROL_OF_KIND.get(knob.kind, "text")
    plain = control in ("number", "select")
    neutral = setting(knob.neutral) if knob.neutral is not None else text("settings.default")
    return {
        "name": knob.name,
        "control": control,
        "help": text(f"help.{knob.name}"),
        "not_here": text("settings.not_here"),
        "modes": sorted(modes_of(knob)),
        "neutral": knob.neutral,
        "slider": knob.slider,
        "placeholder": neutral if plain else text.or_else(f"format.{knob.kind}", ""),
        "choices": [{"value": value, "text": str(value)} for value in CHOICES.get(knob.kind, ())],
        **(_passage(knob, text) if control == "passage" else {}),
    }


def _passage(knob: Knob, text: Text) -> Json:
    """Of a text of several lines: how long it may be, an example, and which others it takes the place of."""
    return {
        "longest": LONGEST_FIELD,
        "placeholder": text.or_else(f"format.{knob.name}", ""),
        "example": {"value": EXAMPLES[knob.name], "label": text("settings.example")},
        "instead_of": [name for name in CONSTRAINTS if name != knob.name],
    }


def model_status(state: ModelState, text: Text) -> Json:
    """The status chip's `data` for a model that is not decoding."""
    doing = {"downloading": "downloading", "converting": "converting"}.get(state.doing, "opening")
    fields = {"name": state.name, "what": text(f"state.{doing}"), "device": "", "dtype": ""}
    if state.lm is not None:
        fields |= {"device": state.lm.place, "dtype": state.lm.dtype}
    return {
        "state": state.phase,
        "text": text(f"state.{state.phase}", **fields),
        "tip": text.said(state.error) if state.error is not None else _model_tip(state, text),
        "busy": state.phase == "loading",
        "fraction": state.fraction if state.phase == "loading" else None,
    }


def _model_tip(state: ModelState, text: Text) -> str:
    """What the chip explains, and with a measured dtype why it was chosen."""
    because = "" if state.lm is None else text.said(state.lm.dtype_because)
    return f"{text('state.tip')} {because}".rstrip()


def reading_status(name: str, device: str, text: Text) -> Json:
    """The status chip's `data` before the first token."""
    words = text("state.reading", name=name, device=device)
    return {"state": "loading", "text": words, "tip": text("state.tip"), "busy": True, "fraction": None}


def queue_status(name: str, n_before: int, seconds: float, text: Text) -> Json:
    """The status chip's `data` while others' runs come first.

    Args:
        n_before: of those who wait.
        seconds: about how long it will be.
    """
    words = text("state.queue", name=name, place=n_before + 1, about=_about(seconds, text))
    return {"state": "waiting", "text": words, "tip": text("state.queue.tip"), "busy": True, "fraction": None}


def _about(seconds: float, text: Text) -> str:
    """So long, in steps that need not be said anew every second."""
    if seconds < 3:
        return text("state.queue.moment")
    if seconds < 57:
        return text("state.queue.seconds", n=5 * max(1, round(seconds / 5)))
    return text("state.queue.minutes", n=max(1, round(seconds / 60)))


def running_status(name: str, device: str, done: int, of: int | None, text: Text) -> Json:
    """The status chip's `data` while tokens come in."""
    words = text("state.running", name=name, device=device, done=done)
    fraction = min(1.0, done / of) if of else None
    return {"state": "running", "text": words, "tip": text("state.tip"), "busy": True, "fraction": fraction}


def message_sheet(message: str, text: Text, kind: str = "error") -> Json:
    """The message box's `data`; an empty message hides it."""
    return {"text": message, "kind": kind, "close": text("close")}
