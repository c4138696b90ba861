"""`Shown`: what the page shows of a visitor's session, by the names of its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from decoding.recorded.step_store import FOR_STEPS

from ..components import (
    Answer,
    BeamStep,
    BeamTree,
    CandidateCard,
    Chart,
    Draft,
    Estimate,
    Facts,
    Gallery,
    HeatMap,
    KnobPanel,
    Lab,
    Lecture,
    Message,
    Notes,
    Partial,
    Reload,
    RunList,
    Share,
    Status,
    TokenRow,
    Verdict,
    WhatIfPanel,
)
from ..lab.tabs import lab
from ..runs import MEMORY_BUDGET, Runs
from ..serving.model_shelf import ModelShelf
from ..session.drafts import Asked, asked_of
from ..session.reload import Visits, to_ask_again
from ..session.session import Session
from ..sheets import beam_step, beam_tree, heat_map, run, step, whatif
from ..sheets.answer import answer
from ..sheets.draft import draft_sheet
from ..sheets.estimate import estimate_sheet
from ..sheets.everywhere import everywhere
from ..sheets.frame import message_sheet, model_status
from ..sheets.gallery import gallery_sheet
from ..sheets.partial import partial_sheet
from ..sheets.reload import reload_sheet
from ..sheets.share import share_sheet
from ..sheets.token_row import token_row
from ..text import Text
from ..views.estimate import known_of
from ..views.look import Look

__all__ = [
    "Changes", "Shown", "asked_about", "charts", "estimate", "message", "of_the_view", "run_in_view", "tables",
    "tree",
]  # fmt: skip

Changes = dict[str, Any]
"""What changes on the page: an update by the name of a part; `app.page.wiring` knows which component that is."""


def message(words: str, text: Text, kind: str = "error") -> Changes:
    """A message in the page's box."""
    return {"message": Message(data=message_sheet(words, text, kind))}


def of_the_view(session: Session, make: Callable[[Look], Changes]) -> Changes:
    """What `make` gives of what is in view, made again where the visitor's next event has changed that meanwhile.

    So of two answers to quick events none is of a step, or a token, that the other has left: that which the page takes
    last (see `app.serving.answer_number`) is of what is in view.
    """
    for _ in range(3):  # what grows is another one each time
        look = session.look
        made = make(look)
        if session.answers_of(look):
            break
    return made


def charts(look: Look) -> Changes:
    """Both charts of the step in view, how it is told, and the card of another token there."""
    found = step.panels(look)
    return {
        "waterfall": Chart(data=found["waterfall"]), "cutoff": Chart(data=found["cutoff"]),
        "lecture": Lecture(data=found["lecture"]), "candidate": CandidateCard(data=found["candidate"]),
    }  # fmt: skip


def tree(look: Look) -> Changes:
    """The beam tree; without data, which hides it, in other modes."""
    place = {} if look.node is None else {"value": beam_tree.place(look)}
    return {"beam_tree": BeamTree(data=beam_tree.tree(look), words=beam_step.words(look), **place)}


def tables(look: Look) -> Changes:
    """Ledger, pool and sum of the beam step in view."""
    return {"beam_step": BeamStep(data=beam_step.tables(look))}


def asked_about(look: Look) -> Changes:
    """The token that was asked about: its card, and its way through all steps.

    Raises:
        NotRecordedError: the step was lost.
    """
    return {"candidate": CandidateCard(data=step.candidate(look)), "everywhere": Chart(data=everywhere(look))}


def run_in_view(look: Look) -> Changes:
    """Everything that shows the run."""
    panel = whatif.panel(look)
    at = {} if panel is None else {"at": whatif.place(look)}
    return {
        "answer": Answer(**answer(look)),
        "token_row": TokenRow(**token_row(look)),
        **tree(look),
        **tables(look),
        "heat_map": HeatMap(data=heat_map.frame(look)),
        "whatif": WhatIfPanel(data=panel, answer=None, **at),
        **charts(look),
        "lab": Lab(data=lab(look)),
        "everywhere": Chart(data=everywhere(look)),
        "runs": RunList(data=run.runs(look)),
        "facts": Facts(data=run.facts(look)),
        "notes": Notes(data=run.notes(look)),
        "verdict": Verdict(data=run.verdict(look)),
        "gallery": Gallery(data=gallery_sheet(look.text, look.example)),
    }


def estimate(shelf: ModelShelf, runs: Runs, name: str, text: Text) -> dict[str, Any]:
    """The line's data for the model of this name."""
    lm = shelf.state(name).lm
    vocab = None if lm is None else lm.model.config.get_text_config().vocab_size
    known = known_of(runs, name, vocab, 2 if lm is not None and "16" in lm.dtype else 4)
    return estimate_sheet(known, text, model=name, in_memory=int(FOR_STEPS * MEMORY_BUDGET))


class Shown:
    """What of a session needs to know the server, too: the model's state, and links.

    Args:
        shelf: the models, shared by all visitors.
        space: the address of the Space that the page runs in, or "".
    """

    def __init__(self, shelf: ModelShelf, space: str = "") -> None:
        self.shelf, self._space, self.visits = shelf, space, Visits()

    def in_view(self, session: Session) -> Changes:
        """Everything that shows the run in view, the link to it, and what a reload brings back."""
        whole = of_the_view(session, run_in_view) | self.share(session) | self.estimate(session) | self.kept(session)
        return whole | self.partial(session)

    @staticmethod
    def partial(session: Session) -> Changes:
        """The responses of other engines, and the one in view, if one is."""
        return {"partial": Partial(data=partial_sheet(session.partials, session.runs, session.text))}

    def whole(self, session: Session) -> Changes:
        """The whole page for the run in view: all that shows it, and the form that gives it."""
        asked = asked_of(session.runs.active)
        return self.in_view(session) | self.form(session, asked) | {"message": Message(data=None)}

    def share(self, session: Session) -> Changes:
        """The share bar for the run in view."""
        data = share_sheet(
            session.look, default_model=self.shelf.default, space=self._space, chosen_lang=session.chosen_lang
        )
        return {"share": Share(data=data)}

    def kept(self, session: Session) -> Changes:
        """What the tab keeps so that a reload brings its runs back."""
        self.visits.add(session)
        asked = ((number, name, session.asked_for(number)) for number, name in session.lost.items())
        lost = [(number, name, form.prompt) for number, name, form in asked if form is not None]
        data = reload_sheet(session.key, to_ask_again(session), lost, session.text, goes_on=session.goes_on)
        return {"reload": Reload(data=data)}

    def estimate(self, session: Session) -> Changes:
        """What the next run of the model asked for last will take."""
        name = session.model_name or self.shelf.default
        return {"estimate": Estimate(data=estimate(self.shelf, session.runs, name, session.text))}

    def status(self, session: Session) -> Changes:
        """The chip: the model that the visitor last asked for."""
        state = self.shelf.state(session.model_name or self.shelf.default)
        return {"status": Status(data=model_status(state, session.text))}

    def form(self, session: Session, asked: Asked) -> Changes:
        """The form, filled in, and the draft that is offered beside it."""
        return {
            "model": asked.model or gr.skip(),
            "kind": asked.kind,
            "prompt": gr.update(value=asked.prompt, info=session.text(f"ask.prompt.{asked.kind}")),
            "system": gr.update(value=asked.system, visible=asked.kind == "chat"),
            "knobs": KnobPanel(value=asked.form),
            **self.draft(session),
        }

    @staticmethod
    def draft(session: Session) -> Changes:
        """The newest draft, to bring back."""
        newest = session.drafts.newest
        return {"draft": Draft(data=draft_sheet(None if newest is None else newest.prompt, session.text))}

    def at_hand(self, name: str) -> bool:
        """Whether the model of this name is the default one, or loaded already."""
        return name == self.shelf.default or self.shelf.state(name).phase == "ready"

    def tokenizer(self, model_name: str) -> Any:
        """The tokenizer of a model, or None where that is not loaded."""
        lm = self.shelf.state(model_name).lm
        return None if lm is None else lm.tokenizer
