"""Looking around in a run: steps, nodes of the beam tree, tables, rules, the lab."""

from __future__ import annotations

from typing import Any

import gradio as gr

from decoding.errors import DecodingError

from ..components import BeamTree, Chart, Lab
from ..lab.tabs import lab
from ..session.at import At
from ..session.session import Session
from ..sheets import beam_step, step
from ..sheets.everywhere import everywhere
from ..views.look import Look
from .events import counts, field
from .shown import Changes, charts, message, of_the_view, tables, tree
from .whatif import answered

__all__ = ["Looking"]


class Looking:
    """Handlers that change what is looked at. Each may be called with anything: see app/page/wiring.py."""

    def choose_step(self, session: Session, value: Any) -> Changes:
        """The charts of the chosen step."""
        at = At.read(value)
        if session.look.node is not None or not session.fits(at):
            return {}
        session.go_to(row=at.row, step=at.step)
        return of_the_view(session, charts)

    def choose_node(self, session: Session, value: Any) -> Changes:
        """What the page shows of a node of the beam tree; all of its prompt's tree where that is another one."""
        at = At.read(value)
        if session.look.node is None or not session.fits(at):
            return {}
        other_prompt = session.go_to_node(prompt=at.prompt, step=at.step, rank=at.rank or 0)

        def of_node(look: Look) -> Changes:
            drawn = tree(look) if other_prompt else {"beam_tree": BeamTree(words=beam_step.words(look))}
            return drawn | tables(look) | charts(look)

        return of_the_view(session, of_node)

    def choose_table(self, session: Session, event: gr.EventData) -> Changes:
        """Ledger, pool, or the sum of a hypothesis."""
        with counts(session, "table", event) as it_does:
            if session.look.node is None or not it_does:
                return {}
            session.choose_table(field(event, "tab"), field(event, "place"))
            return of_the_view(session, tables)

    def choose_rule(self, session: Session, event: gr.EventData) -> Changes:
        """The cut-off of the chosen rule."""
        with counts(session, "rule", event) as it_does:
            if not it_does:
                return {}
            session.choose_rule(field(event, "tab"))
            return of_the_view(session, lambda look: {"cutoff": Chart(data=step.panels(look)["cutoff"])})

    def look_closer(self, session: Session) -> Changes:
        """The lab at the step in view, and that step among all; on its own, so that the charts need not wait for it."""

        def closer(look: Look) -> Changes:
            followed = everywhere(look)  # only where a token was asked about
            steps = {} if followed is None else {"everywhere": Chart(data=followed)}
            try:
                tried = answered(session, look, None)
            except DecodingError:  # a lost step: the charts say so
                tried = {}
            return {"lab": Lab(data=lab(look)), **tried, **steps}

        return of_the_view(session, closer)

    def choose_lab(self, session: Session, event: gr.EventData) -> Changes:
        """Another tab of the lab, or a wish within one."""
        with counts(session, "lab", event) as it_does:
            if not it_does:
                return {}
            session.choose_lab(event._data)
            try:
                return of_the_view(session, lambda look: {"lab": Lab(data=lab(look))})
            except DecodingError as error:
                return message(session.text.said(error), session.text)
