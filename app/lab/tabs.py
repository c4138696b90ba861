"""TABS: the lab's tabs, and what the open one shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from decoding.errors import NotRecordedError

from ..sheets.sheet import about
from ..views.look import LabTab, Look
from . import code, compare, draw, in_words, microscope, orders, settings_map

__all__ = ["TABS", "chosen", "lab"]

TABS: dict[str, Callable[[Look, Mapping[str, Any]], dict[str, Any]]] = {
    "words": in_words.sheet,
    "microscope": microscope.sheet,
    "orders": orders.sheet,
    "draw": draw.sheet,
    "settings_map": settings_map.sheet,
    "compare": compare.sheet,
    "code": code.sheet,
}
LONGEST_WISH = 4_000  # characters; event data can be anything


def chosen(now: LabTab, data: Any) -> LabTab:
    """The tab, and the wish in it, of event data `{"tab": …, …}`; what cannot be read changes nothing."""
    tab = data.get("tab") if isinstance(data, dict) else None
    if not isinstance(tab, str) or tab not in TABS or len(json.dumps(data, default=str)) > LONGEST_WISH:
        return now
    wish = {name: value for name, value in data.items() if name not in ("tab", "turn", "about")}
    return replace(now, tab=tab, wishes={**now.wishes, tab: wish} if wish else now.wishes)


def lab(look: Look) -> dict[str, Any] | None:
    """The open tab as the component's `data`; None, which hides it, for a run that is not whole, or a lost step."""
    if not look.trace.steps or look.growing:
        return None
    text, tab = look.text, look.lab.tab
    try:
        sheet = TABS[tab](look, look.lab.wishes.get(tab, {}))
    except NotRecordedError:  # the waterfall's card says so
        return None
    return about(
        look,
        {
            "title": text("lab.title"),
            "label": text("lab.label"),
            "tabs": [{"id": each, "label": text(f"lab.{each}"), "tip": text(f"lab.{each}.tip")} for each in TABS],
            "tab": tab,
            "key": f"{look.row}.{look.step}",
            "whatif": look.whatif is not None,
            "sheet": sheet,
        },
    )
