"""The page as it opens, and in another language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ..components import Header, KnobPanel, Message, Presets, Status, Tour
from ..export.permalink import decode
from ..session.session import Session
from ..sheets.frame import header_sheet, knobs_sheet, model_status
from ..sheets.presets import presets_sheet
from ..sheets.tour import tour_sheet
from ..text import language_of
from .decoding import model_name_of
from .events import field
from .reload import Reloading
from .shown import Changes, Shown

__all__ = ["Opening"]


class Opening:
    """Handlers of the page's frame."""

    def __init__(self, shown: Shown, reloading: Reloading) -> None:
        self._shown, self._reloading = shown, reloading

    def open(self, session: Session, kept: Any, request: gr.Request) -> Changes:
        """Words in the visitor's language: the address's, else the browser's; and the runs of before.

        Args:
            kept: what the tab has kept, if its page was loaded again.
        """
        link, _ = decode(request.query_params.get("c") or "")
        session.chosen_lang = bool(link.lang)
        wish = request.query_params.get("lang") or link.lang
        session.speak(language_of(wish, request.headers.get("accept-language")))
        self._reloading.begin(session, kept)
        return self._worded(session, "text" if session.look.trace.messages is None else "chat")

    def set_language(self, session: Session, kind: str, event: gr.EventData) -> Changes:
        """The page in another language; the run stays."""
        session.speak(str(field(event, "lang")))
        session.chosen_lang = True
        return self._worded(session, kind)

    def _worded(self, session: Session, kind: str) -> Changes:
        text = session.text
        kind = kind if kind in ("text", "chat") else "text"
        kinds = [(text("ask.format.text"), "text"), (text("ask.format.chat"), "chat")]
        return {
            "header": Header(data=header_sheet(text)),
            "tour": Tour(data=tour_sheet(text)),
            "knobs": KnobPanel(data=knobs_sheet(text)),
            "presets": Presets(data=presets_sheet(text)),
            "model": gr.update(label=text("ask.model"), info=text("ask.model.info")),
            "kind": gr.update(label=text("ask.format"), choices=kinds),
            "prompt": gr.update(label=text("ask.prompt"), info=text(f"ask.prompt.{kind}")),
            "system": gr.update(label=text("ask.system"), info=text("ask.system.info")),
            "run": gr.update(value=text("ask.run")),
            "stop": gr.update(value=text("ask.stop")),
            "verify": gr.update(value=text("ask.verify")),
            "message": Message(data=None),
            **self._shown.status(session),
            **self._shown.draft(session),
            **self._shown.in_view(session),
        }

    def watch_model(self, session: Session, name: Any) -> Iterator[Changes]:
        """The state of the model until it is ready."""
        shelf = self._shown.shelf
        name = model_name_of(name, shelf.default)
        before = None
        for state in shelf.loading(name) if name == shelf.default else ():
            if state != before and not session.running:
                yield {"status": Status(data=model_status(state, session.text)), **self._shown.estimate(session)}
            before = state

    def choose_kind(self, session: Session, kind: str) -> Changes:
        """The hint under the prompt; the system message exists only in a chat."""
        kind = kind if kind in ("text", "chat") else "text"
        return {
            "prompt": gr.update(info=session.text(f"ask.prompt.{kind}")),
            "system": gr.update(visible=kind == "chat"),
        }
