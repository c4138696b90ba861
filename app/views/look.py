"""`Look`: what is looked at. All that is drawn is a function of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .candidate import Card
from .run_readings import RunReadings
from .step_scores import StepScores

if TYPE_CHECKING:
    from torch import Tensor

    from decoding.recorded.ledger import Candidate
    from decoding.recorded.stages import Stage
    from decoding.trace import Trace
    from decoding.whatif.whatif import WhatIf

    from ..runs import Run, Runs
    from ..text import Text
    from ..whatif import WhatIfForm

__all__ = ["BeamNode", "LabTab", "Look"]

BEAM_TABLES = ("ledger", "pool", "sum")


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamNode:
    """The candidate in view of a beam run, and what of its tables.

    Attributes:
        prompt, step, rank: the candidate's.
        table: one of `BEAM_TABLES`.
        place: the hypothesis whose sum is shown, from 0.
    """

    prompt: int = 0
    step: int
    rank: int
    table: str = "ledger"
    place: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabTab:
    """The lab's open tab, and the last wish in each: what a visitor asked for in it, which may be anything."""

    tab: str = "words"
    wishes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One step of one row of a run, in a language, as recorded or under other settings.

    Attributes:
        trace: the run in view.
        row, step: of its rows and steps; in a beam run those of the scores that the candidate was chosen from.
        token_id: the token in view: the one that came, or in a beam run the candidate's; None where the row had
            ended.
        whatif: the other settings that are being tried, or None: then everything is as recorded.
        runs: the runs of this visitor, the one in view among them unless it goes on.
        text: the page's words; they count the run's steps.
        number: of the run in view; of one that goes on, the number that it will have.
        growing: it goes on.
        node: of a beam run, the candidate in view.
        form: the settings panel, and what becomes of the run under its settings; None where there is no panel.
        rule: the stage whose cut-off is shown, by its place from 1 as text; "" for the last one.
        lab: the lab's tab.
        card: the token that was asked about, here and at every step; None where none was.
        at, readings: what has been read of the step and of the run; what does not fit them is made anew.
    """

    trace: Trace
    row: int
    step: int
    token_id: int | None
    runs: Runs
    text: Text
    whatif: WhatIf | None = None
    number: int = 0
    growing: bool = False
    node: BeamNode | None = None
    form: WhatIfForm | None = None
    rule: str = ""
    lab: LabTab = field(default_factory=LabTab)
    card: Card | None = None
    at: StepScores = field(default=None, compare=False, repr=False)
    readings: RunReadings = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text.of_run(self.trace.first_step))
        if self.at is None or not self.at.is_of(self.trace, self.row, self.step):
            object.__setattr__(self, "at", StepScores(trace=self.trace, row=self.row, step=self.step))
        if self.readings is None or self.readings.trace is not self.trace:
            object.__setattr__(self, "readings", RunReadings(self.trace))

    # -- moving

    @classmethod
    def opened(cls, trace: Trace, runs: Runs, text: Text, first: int = 0, **more: Any) -> Look:
        """A run where the model was least sure, a fork at its first step, a search at the best hypothesis' end.

        Args:
            first: the row to begin with; in a search one of its hypotheses.
        """
        look = cls(trace=trace, row=0, step=0, token_id=None, runs=runs, text=text, **more)
        if trace.ledger is not None and trace.steps:
            return look._at_hypothesis(first) if first else look._at_best(0)
        if look.growing or trace.fork is not None:  # a fork opens where it goes its own way
            return look.moved(row=first, step=0)
        measures = look.readings.measures(first) if trace.n_rows else ()
        unsure = [-1.0 if math.isnan(m.entropy_nats) else m.entropy_nats for m in measures]  # a lost step is not shown
        return look.moved(row=first, step=max(range(len(unsure)), key=unsure.__getitem__, default=0))

    def moved(self, *, row: int, step: int) -> Look:
        """At another row and step, kept within the run."""
        row = max(0, min(row, self.trace.n_rows - 1))
        step = min(max(step, 0), max(0, self.n_steps(row) - 1))
        ended = not self.trace.steps or self.trace.steps[step].ended[row]
        return replace(self, row=row, step=step, token_id=None if ended else self.trace.steps[step].token_ids[row])

    def at_node(self, *, prompt: int, step: int, rank: int) -> Look:
        """At another candidate of a beam run; another prompt opens at its best hypothesis' end."""
        ledger = self.trace.ledger
        prompt = min(max(prompt, 0), ledger.n_prompts - 1)
        if prompt != self.node.prompt:
            return self._at_best(prompt)
        return self._at(replace(self.node, step=max(step, 0), rank=rank))

    def _at_best(self, prompt: int) -> Look:
        best = next((h for h in self.trace.hypotheses if h.prompt == prompt), None)
        step, rank = (len(self.trace.ledger) - 1, 0) if best is None else (best.step, best.rank)
        if best is None and self.node is not None:
            step, rank = self.node.step, self.node.rank
        table = "ledger" if self.node is None else self.node.table
        return self._at(BeamNode(prompt=prompt, step=step, rank=rank, table=table))

    def _at_hypothesis(self, number: int) -> Look:
        found = self.trace.hypotheses[number]
        return self._at(BeamNode(prompt=found.prompt, step=found.step, rank=found.rank, table="ledger"))

    def _at(self, node: BeamNode) -> Look:
        """At the candidate of that rank or nearest to it; where the prompt's search was over, of its last step."""
        node = replace(node, step=min(node.step, self.trace.ledger.n_steps(node.prompt) - 1))
        near = min(
            self.trace.ledger.candidates(node.step, node.prompt), key=lambda candidate: abs(candidate.rank - node.rank)
        )
        node = replace(node, rank=near.rank)
        return replace(self, node=node, row=near.parent, step=node.step, token_id=near.token_id)

    def with_table(self, table: Any, place: Any) -> Look:
        """With another of a beam step's tables, and the hypothesis whose sum it is; both may be anything."""
        node = replace(self.node, table=table if table in BEAM_TABLES else self.node.table)
        return replace(self, node=replace(node, place=max(0, place)) if isinstance(place, int) else node)

    def under(self, form: WhatIfForm) -> Look:
        """Under the settings of a panel."""
        return replace(self, form=form, whatif=form.whatif)

    def rested(self) -> Look:
        """The same, with nothing read and nothing computed yet."""
        if self.form is not None:
            self.form.rest()
        return replace(self, at=None, readings=None)

    # -- what is in view

    def n_steps(self, row: int | None = None) -> int:
        """Steps that a row has; of the row in view if None."""
        row = self.row if row is None else row
        return sum(not step.ended[row] for step in self.trace.steps)

    @property
    def run(self) -> Run | None:
        """The run in view; None while it goes on."""
        return None if self.growing else self.runs.get(self.number)

    @property
    def example(self) -> str:
        """The id of the recorded example in view, or ""."""
        return "" if self.run is None else self.run.example

    @property
    def about(self) -> dict[str, Any]:
        """The place in view, as panels are told theirs; their events carry it back."""
        rank = None if self.node is None else self.node.rank
        at = {"run": self.number, "row": self.row, "step": self.step, "rank": rank}
        return at | {"place": self.place, "terms": self.terms}

    @property
    def place(self) -> str:
        """The place in view as the page names it: row and step, in a beam run prompt, step and rank."""
        row, rank = (self.row, "") if self.node is None else (self.node.prompt, self.node.rank)
        return f"{row}.{self.step}.{rank}"

    @property
    def terms(self) -> str:
        """A short name for all that the panels of a step depend on but the place; "" while the run goes on."""
        if self.growing:
            return ""
        tried = "" if self.whatif is None or self.form is None else self.form.form
        table = () if self.node is None else (self.node.table, self.node.place)
        parts = repr((self.number, self.text.lang, self.rule, tried, table, self.card))
        return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:12]

    @property
    def candidate(self) -> Candidate | None:
        """The candidate in view, in a beam run."""
        if self.node is None:
            return None
        candidates = self.trace.ledger.candidates(self.node.step, self.node.prompt)
        return next(candidate for candidate in candidates if candidate.rank == self.node.rank)

    @property
    def followed(self) -> int | None:
        """The token of the candidate in view; None where the charts follow the one that came."""
        return None if self.node is None else self.token_id

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that `scores` went through."""
        return self.trace.steps[self.step].stages if self.whatif is None else self.whatif.stages

    @property
    def scores(self) -> list[Tensor]:
        """The row's scores before the first stage and after each, each float32 [vocab].

        Raises:
            NotRecordedError: the step was lost.
        """
        return self.at.scores if self.whatif is None else self.whatif.all_scores(step=self.step, row=self.row)

    @property
    def prefix(self) -> Tensor:
        """What the row held before the step, int64 [length], prompt and padding included."""
        return self.trace.prefix(self.step, self.row)

    @property
    def mode(self) -> str:
        """The decoding mode: of the run, or of the settings tried."""
        return self.trace.mode if self.whatif is None else self.whatif.mode
