"""Verify: generate() once more, held against the run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

import gradio as gr

from decoding.errors import DecodingError

from ..components import Message, Status, Verdict
from ..serving.decoder import Decoder
from ..serving.failures import noted
from ..serving.line import CalledOff, Line, Place
from ..session.at import At
from ..session.session import Session
from ..sheets.frame import model_status
from ..sheets.run import verdict
from ..sheets.verdict import busy_sheet
from .decoding import loaded, meant
from .in_line import LOOK_EVERY, in_line, one_after_another, size_of_again, until_let_in
from .shown import Changes, Shown, message

if TYPE_CHECKING:
    from decoding.models.load import LanguageModel

    from ..runs import Run

__all__ = ["Verifying"]


class Verifying:
    """Handlers of the button Verify.

    Args:
        line: of all who use the model.
    """

    def __init__(self, shown: Shown, decoder: Decoder, line: Line) -> None:
        self._shown, self._shelf, self._decoder, self._line = shown, shown.shelf, decoder, line

    def verify(self, session: Session, about: Any) -> Iterator[Changes]:
        """Runs generate() again and says whether it gives the same, of the run that was in view when it was asked."""
        text = session.text
        if not (yield from one_after_another(session)):
            yield message(text("error.busy"), text)
            return
        failed: Changes = {}
        session.stop.clear()
        try:
            run = meant(session, At.read(about))
            yield {
                "verdict": Verdict(data=busy_sheet(text)), "message": Message(data=None),
                "verify": gr.update(interactive=False), "run": gr.update(interactive=False),
                "stop": gr.update(interactive=True),
            }  # fmt: skip
            lm = None
            for state in self._shelf.loading(run.model_name):
                session.model_name = state.name
                yield {"status": Status(data=model_status(state, text))}
                lm = loaded(state)
            yield from self._in_turn(session, run, lm)
        except DecodingError as error:
            failed = message(text.said(error), text)
        except Exception as error:
            failed = message(text("error.bug", id=noted("verify failed", error)), text)
        finally:
            session.busy.release()
        free = {
            "verify": gr.update(interactive=True), "run": gr.update(interactive=True),
            "stop": gr.update(interactive=False),
        }  # fmt: skip
        yield {"verdict": Verdict(data=verdict(session.look)), **self._shown.status(session), **free, **failed}

    def _in_turn(self, session: Session, run: Run, lm: LanguageModel) -> Iterator[Changes]:
        """The second run, its steps among others'; it ends where the visitor stops it, or leaves."""
        with in_line(self._line, session, lm, size_of_again(run.trace, lm)) as place:
            yield from until_let_in(session, place)
            if not session.running:
                return
            session.running = False  # the run in view may be left meanwhile
            yield self._shown.status(session)
            going_on = place.whole(lambda others_first: self._decoder.verify(run.trace, lm, others_first))
            yield from _until_done(session, place, going_on)
            try:
                session.runs.judge(run.number, going_on.result())
            except CalledOff:
                return


def _until_done(session: Session, place: Place, going_on: Future[Any]) -> Iterator[Changes]:
    """Waits, and passes Stop on."""
    while wait([going_on], LOOK_EVERY).not_done:
        if session.stop.is_set():
            place.call_off()
        yield {}
