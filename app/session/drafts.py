"""`Asked`: what a run is asked for in the form, and the drafts that no run was made of yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..export.permalink import Configuration, encode
from ..form import ask_of, read_form
from ..whatif import WhatIfForm

if TYPE_CHECKING:
    from ..runs import Run

__all__ = ["Asked", "Drafts", "asked_of"]

MOST_DRAFTS = 5
LONGEST_DRAFT = 400_000  # characters; ten times what a run takes, so that one who pasted too much can cut it down


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The form.

    Attributes:
        model: what is loaded as the model; "" where a run's model has no name to load it by.
        kind: `text` or `chat`.
        prompt, system: as typed.
        form: the settings panel's value.
    """

    model: str
    kind: str
    prompt: str
    system: str
    form: str

    @classmethod
    def read(cls, model: Any, kind: Any, prompt: Any, system: Any, form: Any) -> Asked:
        """From the page's values, which may be anything."""
        return cls(
            model=str(model or "")[:500], kind="chat" if kind == "chat" else "text", prompt=str(prompt or ""),
            system=str(system or ""), form=form if isinstance(form, str) else "",
        )  # fmt: skip

    @classmethod
    def of(cls, link: Configuration, model: str) -> Asked:
        """As a link says; `model` is loaded where it names none."""
        return cls(
            model=link.model or model, kind=link.kind, prompt=link.prompt, system=link.system, form=link.form,
        )  # fmt: skip

    @property
    def link(self) -> str:
        """A link that says the same."""
        form = read_form(self.form)
        return encode(
            Configuration(
                model=self.model, mode=form["mode"], given=form["given"], kind=self.kind, system=self.system,
                prompt=self.prompt,
            )
        )  # fmt: skip

    def says_the_same(self, other: Asked) -> bool:
        """Whether it has the same prompt; a system message counts in a chat alone."""
        mine, others = ((a.kind, a.prompt, a.system if a.kind == "chat" else "") for a in (self, other))
        return mine == others


def asked_of(run: Run) -> Asked:
    """The form that gives a run."""
    words = ask_of(run.trace)
    return Asked(
        model="" if run.trace.model.source == "caller" else run.model_name, kind=words["kind"], prompt=words["prompt"],
        system=words["system"], form=WhatIfForm.of(run.trace, run.form).recorded_form,
    )  # fmt: skip


class Drafts:
    """What was typed and not run before another run came into the form; the newest is offered."""

    def __init__(self) -> None:
        self._drafts: list[Asked] = []

    @property
    def newest(self) -> Asked | None:
        """The one that is offered, or None."""
        return self._drafts[-1] if self._drafts else None

    def keep(self, form: Asked, runs: Iterable[Run]) -> None:
        """Keeps the form where it holds a prompt that no run has: choosing that run would bring it back."""
        if not form.prompt.strip() or len(form.prompt) + len(form.system) + len(form.form) > LONGEST_DRAFT:
            return
        if any(form.says_the_same(asked_of(run)) for run in runs):
            return
        others = [draft for draft in self._drafts if not draft.says_the_same(form)]
        self._drafts = [*others, form][-MOST_DRAFTS:]

    def copy(self) -> Drafts:
        """The same drafts for another page."""
        other = Drafts()
        other._drafts = list(self._drafts)
        return other

    def take(self) -> Asked | None:
        """The newest, which is a draft no longer; None where there is none."""
        return self._drafts.pop() if self._drafts else None
