"""What if: the handlers behind the sliders."""

from __future__ import annotations

from typing import Any

import gradio as gr

from decoding.errors import DecodingError

from ..components import Chart, Lab, Message, WhatIfPanel
from ..runs import Run
from ..serving.model_shelf import ModelShelf
from ..session.session import Session
from ..sheets.frame import message_json
from .updates import field, is_about_the_run_in_view

__all__ = ["Trying", "answer_of"]


class Trying:
    """Handlers of the what-if panel."""

    _shelf: ModelShelf

    def need_scores(self, session: Session, event: gr.EventData) -> Any:
        """The sorted scores of the step in view, for the page to compute from."""
        if not self._try_out(session, event):
            return gr.skip()
        try:
            return WhatIfPanel(**session.whatif_scores(field(event, "have")))
        except DecodingError:
            return gr.skip()

    def ask_whatif(self, session: Session, event: gr.EventData) -> list[Any]:
        """What transformers' processors make of the step and its row under the settings tried."""
        if session.running or not self._try_out(session, event):
            return [gr.skip(), gr.skip()]
        try:
            return [answer_of(session, field(event, "have")), gr.skip()]
        except DecodingError as error:
            return [gr.skip(), Message(data=message_json(str(error), session.text))]

    def show_whatif(self, session: Session) -> list[Any]:
        """Both charts and the lab under the settings tried, once the answer to the last of them is there."""
        if session.running:
            return [gr.skip()] * 3
        try:
            return [Chart(data=session.waterfall()), Chart(data=session.cutoff()), Lab(data=session.lab())]
        except DecodingError:  # the answer said so
            return [gr.skip()] * 3

    def _try_out(self, session: Session, event: gr.EventData) -> bool:
        """Takes the settings that an event carries; False where it is not about the run in view, or late."""
        if not is_about_the_run_in_view(session, event):
            return False
        with session.turns.in_turn("whatif", field(event, "turn")) as counts:
            if counts:
                session.trial.try_out(field(event, "form"), self._tokenizer(session.runs.active))
            return counts

    def _tokenizer(self, run: Run) -> Any:
        """The tokenizer of a run's model, or None where that is not loaded."""
        lm = self._shelf.state(run.model_name).lm
        return None if lm is None else lm.tokenizer


def answer_of(session: Session, have: Any) -> Any:
    """The panel's update; only the step's name while nothing is being tried."""
    if session.trial.whatif is None and session.trial.error is None:
        return WhatIfPanel(at=session.at, answer=f'{{"none": true, "turn": {session.turns.last("whatif")}}}')
    scores = session.whatif_scores(have) if session.trial.error is None else {"at": session.at}
    return WhatIfPanel(answer=f'{session.whatif_answer()[:-1]}, "turn": {session.turns.last("whatif")}}}', **scores)
