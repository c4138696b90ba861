"""A trace without the places that it names: what is sent on tells nothing about a machine's folders."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["last_part", "without_places", "without_places_in"]

# An absolute path, a share, a drive, or one that begins at a home; not the slash in "and/or" or a Hub id.
_BEGIN = r"(?:file://)?(?:[A-Za-z]:[\\/]|\\\\|~[\w.-]*[\\/]|\.{1,2}[\\/]|/(?=[\w.~-]))"
_PLACE = re.compile(
    rf"""(?<=')(?={_BEGIN})[^'\n]*(?=')|(?<=")(?={_BEGIN})[^"\n]*(?=")|(?<![\w/\\.:<]){_BEGIN}[^\s'"<>|,;]*""", re.ASCII
)


def without_places(trace: Trace) -> Trace:
    """The same trace; of folders that it names in its header, only their last part is left.

    Prompts, messages and tokens are what the run is about, and stay.
    """
    model = trace.model
    name = last_part(model.name) if model.source == "directory" else without_places_in(model.name)
    silent = tuple(
        replace(knob, value=_plain(knob.value), reason=without_places_in(knob.reason)) for knob in trace.silent
    )
    return replace(
        trace,
        model=replace(model, name=name),
        silent=silent,
        warnings=tuple(map(without_places_in, trace.warnings)),
        stop_reasons=tuple(map(without_places_in, trace.stop_reasons)),
    )


def without_places_in(text: str) -> str:
    """The text with `…/last` in place of each path."""
    return _PLACE.sub(lambda match: f"…/{last_part(match[0])}", text)


def last_part(path: str) -> str:
    """The last part of a path as either kind of system writes it; the text itself where there is no other."""
    parts = [part for part in re.split(r"[\\/]+", path.strip()) if part not in ("", ".", "..", "~")]
    return parts[-1] if parts else "…"


def _plain(value: object) -> object:
    return without_places_in(value) if isinstance(value, str) else value
