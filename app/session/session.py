"""`Session`: one visitor's state."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from decoding.strategies.kept_cache import KeptCache
from decoding.trace import Trace

from ..lab.tabs import chosen
from ..partials import Partials
from ..runs import Run, Runs
from ..serving.run_memory import run_memory
from ..text import Text
from ..views.candidate import Card
from ..views.look import Look
from ..whatif import WhatIfForm
from .at import At
from .drafts import Asked, Drafts, asked_of
from .event_order import EventOrder

if TYPE_CHECKING:
    from datetime import datetime

    from ..export.permalink import Configuration
    from ..serving.line import Place
    from .reload import AskAgain

__all__ = ["Session"]

MOST_ASKED = 50  # runs whose form is known after they are gone: Back in the browser leads there


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method while no other one moves what is in view."""

    @wraps(method)
    def moved(self: Session, *args: Any, **kwargs: Any) -> Any:
        with self._looking:
            return method(self, *args, **kwargs)

    return moved


class Session:
    """What one visitor looks at, the runs beside each other, and what is going on; all that is drawn is made of `look`.

    Gradio keeps one per visitor and hands out the object itself; a copy is a fresh one.

    Args:
        first: the trace to begin with.
        origin: `example` or `file`: where that one is from.
        row: of it, to begin with; of a search one of its hypotheses.
        partials: responses of other engines that are open from the beginning.
    """

    def __init__(
        self, first: Trace, origin: str = "example", lang: str = "en", *, row: int = 0, partials: Partials | None = None
    ) -> None:
        self.first = first
        self.origin = origin
        self._first_partials = partials or Partials()
        self.partials = self._first_partials.copy()
        self._first_row = row
        self.key = secrets.token_urlsafe(32)  # its tab alone is told: whoever shows it gets the runs
        self.goes_on = False  # the runs' numbers are those that they had in the tab before its page was loaded again
        self.back = False  # and so are the runs
        self.lost: dict[int, str] = {}  # names by number of runs of that tab that the server has no longer
        self.running = False
        self.busy, self.next = threading.Lock(), threading.Lock()  # of the run that goes on, and of the one after it
        self.place: Place | None = None  # in the line of those who use the model
        self.model_name = ""  # that the visitor last asked for and that could be looked for; "" for the default
        self.stop = threading.Event()
        self.link: Configuration | None = None  # that the page was opened with, until it was run
        self.order = EventOrder()
        self.chosen_lang = False  # the language was chosen by hand
        self.drafts = Drafts()
        self.runs = Runs(first, first.model.name, origin=origin)
        self._asked = {0: asked_of(self.runs.active)}
        self.following = True  # the newest step of a run that goes on is in view; no longer once one was chosen
        self._wanted = -1  # a step that was chosen while its scores were still on their way
        self._looking = threading.RLock()  # a visitor looks around in a run while it grows
        self.look = self._opened(self.runs.active, Text(lang), first=row)

    def __deepcopy__(self, memo: dict[int, Any]) -> Session:
        return Session(self.first, self.origin, self.text.lang, row=self._first_row, partials=self._first_partials)

    # -- what is in view

    @property
    def text(self) -> Text:
        """The page's words."""
        return self.look.text

    @_one_at_a_time
    def speak(self, lang: str) -> None:
        """The page in another language."""
        self.look = replace(self.look, text=Text(lang))

    @_one_at_a_time
    def answers_of(self, look: Look) -> bool:
        """Whether this is still what is in view; the answer made of it is numbered before that can change."""
        if look is not self.look:
            return False
        self.order.answered()
        return True

    def fits(self, at: At | None) -> bool:
        """Whether what an event means is in view: its run, and there such a step, also one that has just come."""
        look = self.look
        return at is not None and at.run == look.number and (look.growing or at.step < max(1, len(look.trace.steps)))

    @_one_at_a_time
    def go_to(self, *, row: int, step: int, rank: int = 0) -> None:
        """Moves to a row and step, or in a beam run to a prompt, step and candidate; kept within the run."""
        self.following = False
        if self.look.node is None:
            self.look = self.look.moved(row=row, step=step)
            self._wanted = step if self.look.growing and step >= self.look.n_steps() else -1
            return
        for _ in range(2):  # another prompt first, its node then
            self.look = self.look.at_node(prompt=row, step=step, rank=rank)

    @_one_at_a_time
    def go_to_node(self, *, prompt: int, step: int, rank: int) -> bool:
        """Moves to a candidate of a beam run, or to the best one of another prompt; whether it is another prompt."""
        before, self.following = self.look, False
        self.look = before.at_node(prompt=prompt, step=step, rank=rank)
        return self.look.node.prompt != before.node.prompt

    @_one_at_a_time
    def choose_table(self, table: Any, place: Any) -> None:
        """Which of a beam step's tables is in view; anything else changes nothing."""
        self.look = self.look.with_table(table, place)

    @_one_at_a_time
    def choose_rule(self, rule: Any) -> None:
        """Which rule's cut-off is in view."""
        self.look = replace(self.look, rule=str(rule)[:8])

    @_one_at_a_time
    def ask_about(self, card: Card | None) -> None:
        """The token whose card is open; None closes it."""
        self.look = replace(self.look, card=card)

    @_one_at_a_time
    def choose_lab(self, data: Any) -> None:
        """The lab's tab, and what is wished for in it, from event data."""
        self.look = replace(self.look, lab=chosen(self.look.lab, data))

    @_one_at_a_time
    def try_out(self, form: Any, tokenizer: Any = None) -> None:
        """The settings panel's value, which may be anything, as the settings to try on the run in view."""
        self.look = self.look.under(self.look.form.under(form, tokenizer))

    @_one_at_a_time
    def rest(self) -> None:
        """Lets go of the scores that were read and computed for what is in view: the next look makes them again."""
        if not self.look.growing:
            self.look = self.look.rested()

    # -- runs

    def _opened(self, run: Run, text: Text, **more: Any) -> Look:
        form = WhatIfForm.of(run.trace, run.form)
        return Look.opened(run.trace, self.runs, text, number=run.number, form=form, **more)

    @_one_at_a_time
    def view(self, run: Run) -> None:
        """Brings a run into view, at the step where the model was least sure, or at the best hypothesis' end.

        One that has been in view as it was recorded stays at the step that the visitor chose meanwhile.
        """
        self.partials.leave()
        before = self.look
        self.look = self._opened(run, before.text, rule=before.rule, lab=before.lab)
        if before.number == run.number and not self.following:
            self.look = _where(before, self.look)

    def take(
        self,
        trace: Trace,
        model_name: str,
        kept: KeptCache | None = None,
        forked_from: Run | None = None,
        origin: str = "",
        example: str = "",
        form: str | None = None,
        recorded_at: datetime | None = None,
    ) -> None:
        """Puts a run beside the others, as a fork of one of them or on its own, and brings it into view."""
        if not example:  # those are everybody's
            run_memory().admit(trace, kept)
        run = self.runs.add(trace, model_name, kept, forked_from, origin, example, form, recorded_at)
        self._asked[run.number] = asked_of(run)
        for number in list(self._asked)[:-MOST_ASKED]:
            del self._asked[number]
        self.view(run)

    @_one_at_a_time
    def go_on_from(self, before: Session) -> None:
        """Brings back what the tab had before its page was loaded again; that page may still be open in another tab.

        Of a run that was going on, no more is here than of one that never began.
        """
        with before._looking:
            self.runs, self.drafts, look = before.runs.copy(), before.drafts.copy(), before.look
            self.partials = before.partials.copy()
            self._asked, self.lost = dict(before._asked), dict(before.lost)
        self.model_name, self.goes_on, self.back = before.model_name, True, True
        if before.chosen_lang:
            self.chosen_lang = True
            self.speak(before.text.lang)
        self.look = self._opened(self.runs.active, self.text, rule=look.rule, lab=look.lab)
        if look.number == self.look.number:
            self.look = _where(look, self.look)

    @_one_at_a_time
    def remember(self, runs: Iterable[AskAgain]) -> None:
        """What runs that are here no longer were asked for; new ones come after them."""
        for run in runs:
            if run.number:  # 0 is the run that the page opens on
                self._asked[run.number], self.lost[run.number] = run.asked, run.name
        self.runs.next_number = max((self.runs.next_number, *(number + 1 for number in self.lost)))
        self.goes_on = True

    def asked_for(self, number: object) -> Asked | None:
        """The form that gives the run of that number, which may be anything, and may be gone; None for none known."""
        return self._asked.get(number) if type(number) is int else None

    @_one_at_a_time
    def watch(self, growing: Callable[[], Trace]) -> None:
        """Brings a run into view that is still going on, at its newest step unless the visitor chose another one.

        Args:
            growing: gives its trace so far, of at least one step.
        """
        self.partials.leave()
        before, trace = self.look, growing()
        begins = not before.growing
        if begins:
            self.following, self._wanted = True, -1
        look = Look.opened(
            trace, self.runs, before.text, number=self.runs.next_number, growing=True, form=WhatIfForm.of(trace),
            rule=before.rule, lab=before.lab,
        )  # fmt: skip
        if not begins and not self.following:
            look = _where(before, look)
        elif look.node is None:
            row = 0 if begins else before.row
            look = look.moved(row=row, step=look.n_steps(row) - 1)
        if look.node is None and 0 <= self._wanted < look.n_steps():
            look, self._wanted = look.moved(row=look.row, step=self._wanted), -1
        self.look = look


def _where(before: Look, look: Look) -> Look:
    """The run at the place that another recording of it was looked at."""
    node = before.node
    if look.node is None or node is None:
        return look if look.node is not None else look.moved(row=before.row, step=before.step)
    for _ in range(2):  # another prompt first, its node then
        look = look.at_node(prompt=node.prompt, step=node.step, rank=node.rank)
    return look.with_table(node.table, node.place)
