"""The heat map's columns, asked for when the page has been painted."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..components import HeatMap
from ..session.at import At
from ..session.session import Session
from ..sheets import heat_map
from .events import counts, field
from .shown import Changes

__all__ = ["HeatMapHandlers"]


class HeatMapHandlers:
    """The handler of the heat map; it may be called with anything."""

    def read_on(self, session: Session, event: gr.EventData) -> Changes:
        """The next columns of a row, or of a prompt's beams: as many as can be read in a moment."""
        with counts(session, "heat_map", event) as it_does:
            look, at = session.look, At.read(field(event, "about"))
            if not it_does or at is None or heat_map.frame(look) is None:
                return {}
            return {"heat_map": HeatMap(columns=heat_map.columns(look, at.row, _number(field(event, "have"))))}


def _number(value: Any) -> int:
    """How many columns the page has, which may be anything."""
    return value if type(value) is int and value >= 0 else 0
