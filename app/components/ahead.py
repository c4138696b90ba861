"""`Ahead`: the steps next to the one in view, there before they are asked for."""

from __future__ import annotations

from typing import Any

from .drawn import Drawn, as_json

__all__ = ["Ahead"]


class Ahead(Drawn):
    """Nothing to see. The event `need` carries `{"wanted": [place, …], "about", "turn"}`, untrusted.

    `data`: `{"turn", "terms", "in_view", "steps": [{"place", "panels": {part: JSON}}]}`; `in_view` says whether
    what is in view is still under these terms. A panel's JSON is the very string that it would be sent: the page draws
    it, and knows it again when it comes.
    """

    scripts = ("ahead.js",)
    markup = '<div class="dx" hidden></div>'
    script = 'dx.goAhead(element.firstElementChild, props, watch, (data) => trigger("need", data));'

    @staticmethod
    def step(place: str, panels: dict[str, Any]) -> dict[str, Any]:
        """A step of `data`."""
        return {"place": place, "panels": {part: as_json(value) for part, value in panels.items()}}
