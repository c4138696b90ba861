"""What happens when a visitor does something. Every handler may be called with anything: see app/page/wiring.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from decoding.errors import DecodingError

from ..components import BeamStep, BeamTree, Chart, Draft, ForkPanel, Header, KnobPanel, Lab, Message, Status
from ..session.at import At
from ..session.session import Session
from ..sheets.draft import draft_json
from ..sheets.frame import header_json, knobs_json, message_json, model_status
from ..text import Text, language_of
from .decoding import model_name_of
from .runs import Choosing
from .updates import field, is_about_the_run_in_view
from .whatif import answer_of

__all__ = ["Handlers"]


class Handlers(Choosing):
    """The page's handlers: opening it and looking around are here, the rest by what it does."""

    WORDED = (
        "header", "knobs", "model", "kind", "prompt", "system", "run", "stop", "verify", "facts", "token_row",
        "beam_tree", "beam_step", "whatif", "waterfall", "cutoff", "lab", "fork", "runs", "notes", "verdict", "gallery",
        "share", "message", "status", "draft",
    )  # fmt: skip

    # -- opening the page, its language

    def open(self, session: Session, request: gr.Request) -> list[Any]:
        """Words in the visitor's language: the address's `?lang=`, else the browser's."""
        session.text = Text(
            language_of(request.query_params.get("lang"), request.headers.get("accept-language"))
        )
        return self._worded(session, "text" if session.trace.messages is None else "chat")

    def set_language(self, session: Session, kind: str, event: gr.EventData) -> list[Any]:
        """The page in another language; the run stays."""
        session.text, session.chosen_lang = Text(str(field(event, "lang"))), True
        return self._worded(session, kind)

    def _worded(self, session: Session, kind: str) -> list[Any]:
        text = session.text
        kind = kind if kind in ("text", "chat") else "text"
        kinds = [(text("ask.format.text"), "text"), (text("ask.format.chat"), "chat")]
        values = {
            "header": Header(data=header_json(text)),
            "knobs": KnobPanel(data=knobs_json(text)),
            "model": gr.update(label=text("ask.model"), info=text("ask.model.info")),
            "kind": gr.update(label=text("ask.format"), choices=kinds),
            "prompt": gr.update(label=text("ask.prompt"), info=text(f"ask.prompt.{kind}")),
            "system": gr.update(label=text("ask.system"), info=text("ask.system.info")),
            "run": gr.update(value=text("ask.run")),
            "stop": gr.update(value=text("ask.stop")),
            "verify": gr.update(value=text("ask.verify")),
            "status": self._status(session),
            "message": Message(data="null"),
            "draft": Draft(data=draft_json(session.drafts.newest, text)),
            **self.in_view(session),
        }
        return [values[name] for name in self.WORDED]

    def watch_model(self, session: Session, name: str) -> Iterator[Any]:
        """The state of the model until it is ready."""
        name = model_name_of(name, self._shelf.default)
        before = None
        for state in self._shelf.loading(name) if name == self._shelf.default else ():
            if state != before and not session.running:
                yield Status(data=model_status(state, session.text))
            before = state

    # -- looking around in a run

    def choose_step(self, session: Session, value: Any) -> list[Any]:
        """The charts of the chosen step."""
        if not session.fits(At.read(value)):
            return [gr.skip()] * 4
        session.choose(value)
        try:
            charts = [Chart(data=session.waterfall()), Chart(data=session.cutoff())]
            return [*charts, ForkPanel(data=session.fork()), gr.skip()]
        except DecodingError as error:  # a step that was lost, because the disk was full
            return [gr.skip(), gr.skip(), gr.skip(), Message(data=message_json(str(error), session.text))]

    def choose_node(self, session: Session, value: Any) -> list[Any]:
        """What the page shows of a node of the beam tree; all of its prompt's tree where that is another one."""
        if session.beams is None or not session.fits(At.read(value)):
            return [gr.skip()] * 6
        other_prompt = session.choose_node(value)
        tree = BeamTree(**session.beam_tree()) if other_prompt else BeamTree(words=session.beam_words())
        tables = BeamStep(data=session.beam_step())
        try:
            charts = [Chart(data=session.waterfall()), Chart(data=session.cutoff())]
            return [tree, tables, *charts, ForkPanel(data=session.fork()), gr.skip()]
        except DecodingError as error:  # a step that was lost, because the disk was full
            return [tree, tables, gr.skip(), gr.skip(), gr.skip(), Message(data=message_json(str(error), session.text))]

    def choose_table(self, session: Session, event: gr.EventData) -> Any:
        """Ledger, pool, or the sum of a hypothesis."""
        with session.turns.in_turn("table", field(event, "turn")) as counts:
            if session.beams is None or not counts or not is_about_the_run_in_view(session, event):
                return gr.skip()
            session.beams.choose_table(field(event, "tab"), field(event, "place"))
            return BeamStep(data=session.beam_step())

    def choose_tab(self, session: Session, event: gr.EventData) -> Any:
        """The cut-off of the chosen rule."""
        with session.turns.in_turn("tab", field(event, "turn")) as counts:
            if not counts or not is_about_the_run_in_view(session, event):
                return gr.skip()
            session.tab = str(field(event, "tab"))[:8]
            return Chart(data=session.cutoff())

    def look_closer(self, session: Session) -> Any:
        """The lab at the step in view; on its own, so that the charts need not wait for it."""
        try:
            return [Lab(data=session.lab()), answer_of(session, None)]
        except DecodingError:  # a lost step: the charts say so
            return [gr.skip(), gr.skip()]

    def choose_lab(self, session: Session, event: gr.EventData) -> list[Any]:
        """Another tab of the lab, or a wish within one."""
        with session.turns.in_turn("lab", field(event, "turn")) as counts:
            if not counts or not is_about_the_run_in_view(session, event):
                return [gr.skip(), gr.skip()]
            session.lab_window.choose(event._data)
            try:
                return [Lab(data=session.lab()), gr.skip()]
            except DecodingError as error:
                return [gr.skip(), Message(data=message_json(str(error), session.text))]

    def choose_kind(self, session: Session, kind: str) -> list[Any]:
        """The hint under the prompt; the system message exists only in a chat."""
        kind = kind if kind in ("text", "chat") else "text"
        return [gr.update(info=session.text(f"ask.prompt.{kind}")), gr.update(visible=kind == "chat")]
