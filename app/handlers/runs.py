"""The runs beside each other: what a visitor does with them, and with a draft that no run was made of yet."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from ..components import Lab, RunList
from ..lab.tabs import lab
from ..session.drafts import Asked
from ..session.session import Session
from ..sheets.run import runs
from .events import counts, field
from .shown import Changes, Shown, message, of_the_view

__all__ = ["ChoosingRuns"]


class ChoosingRuns:
    """Handlers of the list of runs: choosing one brings back all of it, its form with it."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def pick(
        self, session: Session, model: str, kind: str, prompt: str, system: str, form: str, event: gr.EventData
    ) -> Changes:
        """Brings one of the runs into view, with the form that gives it; of one that is gone the form is left."""

        def picked() -> Changes:
            number = field(event, "number")
            run, asked = session.runs.get(number), session.asked_for(number)
            if asked is None:
                return {}
            session.drafts.keep(Asked.read(model, kind, prompt, system, form), session.runs)
            if run is None:  # it was removed, had to make room, or is one that a reload could not bring back
                session.lost.pop(number, None)
                gone = message(session.text("runs.gone"), session.text, "note")
                return self._shown.form(session, asked) | self._shown.kept(session) | gone
            session.partials.leave()
            if run.number != session.look.number:
                session.runs.pick(run.number)
                session.view(run)
            return self._shown.whole(session)

        return self._in_turn(session, event, picked)

    def remove(
        self, session: Session, model: str, kind: str, prompt: str, system: str, form: str, event: gr.EventData
    ) -> Changes:
        """Lets one of the runs go; where it was in view, another one comes, with its form."""

        def removed() -> Changes:
            session.runs.remove(field(event, "number"))
            if session.runs.active.number == session.look.number:
                return self._listed(session)
            session.drafts.keep(Asked.read(model, kind, prompt, system, form), session.runs)
            session.view(session.runs.active)
            return self._shown.whole(session)

        return self._in_turn(session, event, removed)

    @staticmethod
    def _in_turn(session: Session, event: gr.EventData, change: Callable[[], Changes]) -> Changes:
        """What brings another run into view, one after the other; not while a run goes on."""
        with counts(session, "pick", event, about=False) as it_does:
            if not it_does:
                return {}
            return message(session.text("share.busy"), session.text) if session.running else change()

    def rename(self, session: Session, event: gr.EventData) -> Changes:
        """Names one of the runs."""
        with counts(session, "rename", event, about=False) as it_does:
            if not it_does:
                return {}
            session.runs.rename(field(event, "number"), field(event, "name"))
            return self._listed(session)

    def restore(self, session: Session, model: str, kind: str, prompt: str, system: str, form: str) -> Changes:
        """The newest draft, in the form again."""
        draft = session.drafts.take()
        if draft is None:
            return {}
        session.drafts.keep(Asked.read(model, kind, prompt, system, form), session.runs)
        return self._shown.form(session, draft)

    def _listed(self, session: Session) -> Changes:
        """Where the runs' names stand."""
        names = of_the_view(session, lambda look: {"runs": RunList(data=runs(look)), "lab": Lab(data=lab(look))})
        return names | self._shown.kept(session)
