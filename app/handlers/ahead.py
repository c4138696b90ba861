"""What a visitor may look at next, made before it is asked for."""

from __future__ import annotations

import threading

import gradio as gr

from decoding.errors import DecodingError

from ..components import Ahead
from ..serving.line import Line
from ..session.at import At
from ..session.session import Session
from ..sheets.ahead import panels
from ..views.look import Look
from .events import field, is_about_the_run_in_view
from .shown import Changes

__all__ = ["GoingAhead"]

MOST = 4  # steps of one question
PATIENCE = 0.2  # seconds that a question waits for the one before it


class GoingAhead:
    """The handler behind `Ahead`: it moves nothing, and makes nothing while there is other work.

    Args:
        line: of those who use the model; while a run goes on, nobody is helped ahead.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._free = threading.Lock()  # one visitor at a time

    def need(self, session: Session, event: gr.EventData) -> Changes:
        """The panels of the steps that the page names, as far as there are such and there is leisure for them."""
        turn, look, steps = field(event, "turn"), session.look, []
        if is_about_the_run_in_view(session, event) and self._free.acquire(timeout=PATIENCE):
            try:
                wanted = field(event, "wanted")
                for place in wanted[:MOST] if isinstance(wanted, list) else ():
                    near = _at(look, At.read(place))
                    if near is None or not self._at_leisure(session):
                        continue
                    steps.append(Ahead.step(near.place, panels(near)))
            except DecodingError:  # a lost step: its charts say so when it comes into view
                pass
            finally:
                self._free.release()
        said = {"turn": turn if type(turn) is int else 0, "terms": look.terms, "in_view": session.answers_of(look)}
        return {"ahead": Ahead(data={**said, "steps": steps})}

    def _at_leisure(self, session: Session) -> bool:
        return not session.look.growing and not session.running and self._line.is_idle


def _at(look: Look, at: At | None) -> Look | None:
    """What would be in view at that place; None where there is no such place."""
    if at is None or at.run != look.number or at.step >= len(look.trace.steps):
        return None
    if look.node is not None:
        if at.row != look.node.prompt:
            return None
        near = look.at_node(prompt=at.row, step=at.step, rank=at.rank or 0)
        return near if near.node.rank == at.rank else None
    near = look.moved(row=at.row, step=at.step)
    return near if (near.row, near.step) == (at.row, at.step) else None
