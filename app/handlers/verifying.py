"""Verify: generate() once more, held against the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from decoding.errors import DecodingError

from ..components import Message, Status, Verdict
from ..serving.decoder import Decoder
from ..serving.failures import noted
from ..session.at import At
from ..session.session import Session
from ..sheets.frame import model_status, waiting_status
from ..sheets.run import verdict
from ..sheets.verdict import busy_sheet
from .decoding import ModelInUse, loaded, meant
from .shown import Changes, Shown, message

__all__ = ["Verifying"]


class Verifying:
    """Handlers of the button Verify.

    Args:
        in_use: shared with whoever else uses the model.
    """

    def __init__(self, shown: Shown, decoder: Decoder, in_use: ModelInUse) -> None:
        self._shelf, self._decoder, self._in_use = shown.shelf, decoder, in_use

    def wait(self, session: Session) -> Changes:
        """Says at once that another visitor's run comes first; it cannot be called off."""
        if self._in_use.is_free_for(session):
            return {}
        return {"status": Status(data=waiting_status(session.runs.active.model_name, session.text))}

    def verify(self, session: Session, about: Any) -> Iterator[Changes]:
        """Runs generate() again and says whether it gives the same, of the run that was in view when it was asked."""
        text = session.text
        failed: Changes = {}
        self._in_use.by = session
        try:
            run = meant(session, At.read(about))
            yield {
                "verdict": Verdict(data=busy_sheet(text)), "message": Message(data=None),
                "verify": gr.update(interactive=False),
            }  # fmt: skip
            lm = None
            for state in self._shelf.loading(run.model_name):
                session.model_name = state.name
                yield {"status": Status(data=model_status(state, text))}
                lm = loaded(state)
            session.runs.judge(run.number, self._decoder.verify(run.trace, lm))
        except DecodingError as error:
            failed = message(text.said(error), text)
        except Exception as error:
            failed = message(text("error.bug", id=noted("verify failed", error)), text)
        finally:
            self._in_use.by = None
        yield {"verdict": Verdict(data=verdict(session.look)), "verify": gr.update(interactive=True), **failed}
