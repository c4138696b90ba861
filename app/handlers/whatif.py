"""What if: the handlers behind the sliders."""

from __future__ import annotations

from typing import Any

import gradio as gr

from decoding.errors import DecodingError

from ..components import HeatMap, Lab, WhatIfPanel
from ..lab.tabs import lab
from ..session.session import Session
from ..sheets import heat_map, whatif
from ..views.look import Look
from .events import counts, field
from .shown import Changes, Shown, charts, message, of_the_view

__all__ = ["WhatIfHandlers", "answered"]


class WhatIfHandlers:
    """Handlers of the what-if panel."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def need_scores(self, session: Session, event: gr.EventData) -> Changes:
        """The sorted scores of the step in view, for the page to compute from."""
        if not self._try_out(session, event):
            return {}
        try:
            have = field(event, "have")
            return of_the_view(session, lambda look: {"whatif": WhatIfPanel(**_scores(look, have))})
        except DecodingError:
            return {}

    def confirm(self, session: Session, event: gr.EventData) -> Changes:
        """What transformers' processors make of the step and its row under the settings tried."""
        if session.running or not self._try_out(session, event):
            return {}
        try:
            return of_the_view(session, lambda look: answered(session, look, field(event, "have")))
        except DecodingError as error:
            return message(session.text.said(error), session.text)

    def show(self, session: Session) -> Changes:
        """Charts, card, lab and heat map under the settings tried, once the answer to the last of them is there."""
        if session.running:
            return {}

        def under_them(look: Look) -> Changes:
            return charts(look) | {"lab": Lab(data=lab(look)), "heat_map": HeatMap(data=heat_map.frame(look))}

        try:
            return of_the_view(session, under_them)
        except DecodingError:  # the answer said so
            return {}

    def _try_out(self, session: Session, event: gr.EventData) -> bool:
        """Takes the settings that an event carries; False where it comes too late."""
        with counts(session, "whatif", event) as it_does:
            if it_does:
                session.try_out(field(event, "form"), self._shown.tokenizer(session.runs.active.model_name))
            return it_does


def answered(session: Session, look: Look, have: Any) -> Changes:
    """The panel's update; only the step's name while nothing is being tried.

    Args:
        look: what is in view.
        have: names the scores that the page has.

    Raises:
        NotRecordedError: the step was lost.
    """
    form, answer = look.form, whatif.answer(look, session.order.last("whatif"))
    tried = form.whatif is not None and form.error is None
    scores = _scores(look, have) if tried else {"at": whatif.place(look)}
    return {"whatif": WhatIfPanel(answer=answer, **scores)}


def _scores(look: Look, have: Any) -> Changes:
    """The panel's `scores` of the step in view; nothing where it has those already."""
    scores = {} if have == whatif.key(look) else {"scores": whatif.scores(look)}
    return {"at": whatif.place(look), **scores}
