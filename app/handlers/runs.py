"""The runs beside each other: what a visitor does with them, and with a draft that no run was made of yet."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..components import Draft, KnobPanel, Lab, Message, RunList
from ..session.drafts import Asked, asked_of
from ..session.session import Session
from ..sheets.draft import draft_json
from ..sheets.frame import message_json
from .decoding import Running
from .updates import field

__all__ = ["Choosing"]


class Choosing(Running):
    """Handlers of the list of runs: choosing one brings back all of it, its form with it."""

    ASKED = ("model", "kind", "prompt", "system", "knobs")
    CHOSEN = (*Running.RUN, *ASKED, "draft")
    LISTED = ("runs", "lab", "message")

    def pick(
        self, session: Session, model: str, kind: str, prompt: str, system: str, form: str, event: gr.EventData
    ) -> list[Any]:
        """Brings one of the runs into view, with the form that gives it; of one that is gone the form is left."""
        with session.turns.in_turn("pick", field(event, "turn")) as counts:
            if not counts:
                return self.only(self.CHOSEN)
            run = session.runs.get(field(event, "number"))
            if session.running:
                return self.only(self.CHOSEN, message=self.said(session, "share.busy"))
            asked = session.asked_for(field(event, "number"))
            if asked is None:
                return self.only(self.CHOSEN)
            session.drafts.keep(Asked.read(model, kind, prompt, system, form), session.runs)
            if run is None:  # Back in the browser led to one that was removed, or had to make room
                changes = self.form(session, asked) | {"message": self.said(session, "runs.gone", "note")}
                return self.only(self.CHOSEN, **changes)
            if run.number != session.number:
                session.runs.pick(run.number)
                session.view(run)
            return self.only(self.CHOSEN, **self.whole(session))

    def rename(self, session: Session, event: gr.EventData) -> list[Any]:
        """Names one of the runs."""
        with session.turns.in_turn("rename", field(event, "turn")) as counts:
            if not counts:
                return self.only(self.LISTED)
            session.runs.rename(field(event, "number"), field(event, "name"))
            return self.only(self.LISTED, **self._listed(session))

    def remove(
        self, session: Session, model: str, kind: str, prompt: str, system: str, form: str, event: gr.EventData
    ) -> list[Any]:
        """Lets one of the runs go; where it was in view, another one comes, with its form."""
        with session.turns.in_turn("pick", field(event, "turn")) as counts:
            if not counts:
                return self.only(self.CHOSEN)
            if session.running:
                return self.only(self.CHOSEN, message=self.said(session, "share.busy"))
            session.runs.remove(field(event, "number"))
            if session.runs.active.number == session.number:
                return self.only(self.CHOSEN, **self._listed(session))
            session.drafts.keep(Asked.read(model, kind, prompt, system, form), session.runs)
            session.view(session.runs.active)
            return self.only(self.CHOSEN, **self.whole(session))

    def restore(self, session: Session, model: str, kind: str, prompt: str, system: str, form: str) -> list[Any]:
        """The newest draft, in the form again."""
        draft = session.drafts.take()
        if draft is None:
            return self.only(self.CHOSEN)
        session.drafts.keep(Asked.read(model, kind, prompt, system, form), session.runs)
        return self.only(self.CHOSEN, **self.form(session, draft))

    @staticmethod
    def _listed(session: Session) -> dict[str, Any]:
        """Where the runs' names stand."""
        return {"runs": RunList(data=session.run_list()), "lab": Lab(data=session.lab())}

    # -- what the page shows

    def whole(self, session: Session) -> dict[str, Any]:
        """The whole page for the run in view: all that shows it, and the form that gives it."""
        asked = asked_of(session.runs.active)
        return self.in_view(session) | self.form(session, asked) | {"message": Message(data="null")}

    @staticmethod
    def form(session: Session, asked: Asked) -> dict[str, Any]:
        """The form, filled in, and the draft that is offered beside it."""
        return {
            "model": asked.model or gr.skip(),
            "kind": asked.kind,
            "prompt": gr.update(value=asked.prompt, info=session.text(f"ask.prompt.{asked.kind}")),
            "system": gr.update(value=asked.system, visible=asked.kind == "chat"),
            "knobs": KnobPanel(value=asked.form),
            "draft": Draft(data=draft_json(session.drafts.newest, session.text)),
        }

    @staticmethod
    def only(names: tuple[str, ...], **changes: Any) -> list[Any]:
        """A handler's answer: what changes of the components of these names."""
        return [changes.get(name, gr.skip()) for name in names]

    @staticmethod
    def said(session: Session, key: str, kind: str = "error") -> Message:
        """A message of the page's own."""
        return Message(data=message_json(session.text(key), session.text, kind))
