"""What is shown of settings from and to other engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from decoding.errors import DecodingError
from decoding.presets import ENGINES, ReadPreset, Told
from decoding.presets.told import KINDS

from ..form import form_of
from ..text import Text

__all__ = ["found_sheet", "not_read_sheet", "presets_sheet", "told_groups"]

Json = dict[str, Any]
LABELS = (
    "title", "hint", "text", "engine", "any", "defaults", "defaults.tip", "read", "use", "use.tip", "used", "settings",
)  # fmt: skip


def presets_sheet(text: Text) -> Json:
    """The panel's `data`: its words, and the engines to choose among."""
    return {
        "labels": {name: text(f"presets.{name}") for name in LABELS},
        "engines": [{"id": "", "label": text("presets.any")}]
        + [{"id": engine.name, "label": engine.title} for engine in ENGINES.values()],
    }


def found_sheet(found: ReadPreset, text: Text) -> Json:
    """The panel's `found`: what was read, and the form that it makes."""
    title, settings = ENGINES[found.engine].title, found.settings.to_json()
    filled = ", ".join(found.filled)
    return {
        "error": "",
        "whose": text("presets.as" if found.sure else "presets.unsure", engine=title),
        "settings": [{"name": name, "value": _written(value)} for name, value in settings.items()],
        "none": "" if settings else text("presets.none"),
        "filled": text("presets.filled", names=filled) if filled else "",
        "told": told_groups(found.told, text),
        "exact": "" if found.told else text("presets.exact"),
        "form": form_of(found.settings),
    }


def not_read_sheet(error: DecodingError, text: Text) -> Json:
    """The panel's `found` where nothing could be read."""
    return {"error": text.said(error)}


def told_groups(told: Sequence[Told], text: Text) -> list[Json]:
    """What is told, by its kind."""
    groups = ((kind, [each for each in told if each.kind == kind]) for kind in KINDS)
    return [
        {
            "kind": kind,
            "label": text(f"presets.kind.{kind}"),
            "items": [{"name": each.name, "value": each.value, "why": text.said(each.why)} for each in those],
        }
        for kind, those in groups
        if those
    ]


def _written(value: Any) -> str:
    """A setting's value in a line."""
    written = f"{value:.6g}" if isinstance(value, float) else str(value)
    return written if len(written) <= 80 else written[:79] + "…"
