"""What was asked for was not begun: why, in the page's words."""

from __future__ import annotations

import gradio as gr

from ..serving.refusal import Refusals
from ..session.session import Session
from .decoding import Decoding
from .shown import Changes, message

__all__ = ["Refusing"]


class Refusing:
    """The handler of events whose handler was never called.

    Args:
        refusals: of the guard that stands before Gradio.
    """

    def __init__(self, decoding: Decoding, refusals: Refusals) -> None:
        self._decoding, self._refusals = decoding, refusals

    def refused(self, session: Session, request: gr.Request) -> Changes:
        """The page as it was, with what the guard had against it; else the queue was full."""
        changes = self._decoding.refused(session)
        refusal = self._refusals.take(request.session_hash)
        return changes if refusal is None else changes | message(refusal.said(session.text), session.text)
