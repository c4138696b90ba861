"""`LabWindow`: which tab of the lab a visitor has open, and what was asked for in each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..text import Text
from ..views.look import Look
from . import code, compare, draw, in_words, microscope, orders

__all__ = ["TABS", "LabWindow"]

TABS: dict[str, Callable[[Look, Mapping[str, Any]], dict[str, Any]]] = {
    "words": in_words.sheet,
    "microscope": microscope.sheet,
    "orders": orders.sheet,
    "draw": draw.sheet,
    "compare": compare.sheet,
    "code": code.sheet,
}
LONGEST_WISH = 4_000  # characters; event data can be anything


class LabWindow:
    """The open tab, and the last wish in each."""

    def __init__(self) -> None:
        self.tab = "words"
        self._wishes: dict[str, dict[str, Any]] = {}

    def choose(self, data: Any) -> None:
        """Takes event data `{"tab": …, …}`; what it cannot read changes nothing."""
        tab = data.get("tab") if isinstance(data, dict) else None
        if not isinstance(tab, str) or tab not in TABS or len(json.dumps(data, default=str)) > LONGEST_WISH:
            return
        self.tab = tab
        wish = {name: value for name, value in data.items() if name not in ("tab", "turn", "about")}
        if wish:
            self._wishes[tab] = wish

    def to_json(self, look: Look) -> str:
        """The open tab as the component's `data`."""
        text: Text = look.text
        tabs = [{"id": tab, "label": text(f"lab.{tab}"), "tip": text(f"lab.{tab}.tip")} for tab in TABS]
        return json.dumps(
            {
                "title": text("lab.title"),
                "label": text("lab.label"),
                "tabs": tabs,
                "tab": self.tab,
                "key": f"{look.row}.{look.step}",
                "whatif": look.whatif is not None,
                "sheet": TABS[self.tab](look, self._wishes.get(self.tab, {})),
            },
            ensure_ascii=False,
        )
