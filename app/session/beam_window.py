"""`BeamWindow`: which prompt, step and candidate of a beam run a visitor looks at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..sheets.beam_step import step_json, words_json
from ..sheets.beam_tree import tree_json
from ..views.beam_reading import BeamReading, beam_reading
from ..views.beam_tree import BeamTree, beam_tree
from ..views.hypothesis_sum import HypothesisSum, hypothesis_sums

if TYPE_CHECKING:
    from decoding.recorded.ledger import Candidate
    from decoding.trace import Trace

    from ..text import Text

__all__ = ["BeamWindow"]

TABS = ("ledger", "pool", "sum")


class BeamWindow:
    """A view into one beam trace; the rest of the page shows the scores that its candidate was chosen from.

    Args:
        trace: with a ledger and at least one step.
        streaming: the run goes on: nothing is summed up yet.
    """

    def __init__(self, trace: Trace, *, streaming: bool = False) -> None:
        self._trace, self._streaming = trace, streaming
        self.prompt, self.step, self.rank = 0, len(trace.ledger) - 1, 0
        self.place, self.tab = 0, "ledger"
        self._trees: dict[int, BeamTree] = {}
        self._sums: dict[int, tuple[HypothesisSum, ...]] = {}
        self._read: tuple[tuple[Any, ...], BeamReading] | None = None
        self._choose_the_best()

    @property
    def candidate(self) -> Candidate:
        """The candidate in view."""
        return min(self._candidates(), key=lambda c: abs(c.rank - self.rank))

    @property
    def row(self) -> int:
        """The row of the scores that it was chosen from."""
        return self.candidate.parent

    def _choose_the_best(self) -> None:
        """The step where the best hypothesis of the prompt was completed."""
        best = next((h for h in self._trace.hypotheses if h.prompt == self.prompt), None)
        if best is not None:
            self.step, self.rank = best.step, best.rank

    def choose(self, value: Any) -> bool:
        """Moves to the node in the tree's value, which may be anything; whether the prompt is another one now."""
        try:
            wish = json.loads(value)
            prompt, step, rank = (int(wish[name]) for name in ("prompt", "step", "rank"))
        except (TypeError, ValueError, KeyError, OverflowError, RecursionError):
            return False
        ledger, before = self._trace.ledger, self.prompt
        self.prompt = min(max(prompt, 0), ledger.n_prompts - 1)
        if self.prompt != before:
            self.place = 0
            self._choose_the_best()
            return True
        self.step = min(max(step, 0), len(ledger) - 1)
        self.rank = rank
        self.rank = self.candidate.rank
        return False

    def _candidates(self) -> tuple[Candidate, ...]:
        return self._trace.ledger.candidates(self.step, self.prompt)

    def choose_table(self, tab: Any, place: Any) -> None:
        """Which table is in view, and the hypothesis whose sum it is."""
        self.tab = tab if tab in TABS else self.tab
        if isinstance(place, int):
            self.place = max(0, place)

    # -- what is shown

    @property
    def tree(self) -> BeamTree:
        """The prompt's tree, made once."""
        if self.prompt not in self._trees:
            self._trees[self.prompt] = beam_tree(self._trace, self.prompt)
        return self._trees[self.prompt]

    def tree_json(self, text: Text, run: int) -> str:
        """The tree component's `data`; `run` is the run's number."""
        return tree_json(self.tree, text, run=run, step=self.step, rank=self.rank, streaming=self._streaming)

    def value_json(self, run: int) -> str:
        """The tree component's `value`: the node in view."""
        return json.dumps({"run": run, "prompt": self.prompt, "step": self.step, "rank": self.rank})

    def words_json(self, text: Text) -> str:
        """What the tree's card says."""
        reading = self._reading()
        row = next(row for row in reading.rows if row.rank == self.rank)
        node = self.tree.node(self.step, self.rank)
        return words_json(reading, row, text, prompt=self.prompt, evicted_at=node.evicted_at)

    def tables_json(self, text: Text) -> str:
        """Ledger, pool and sum."""
        return step_json(
            self._reading(), self.rank, self._summed(), text,
            n_groups=self.tree.n_groups, place=self.place, tab=self.tab,
        )  # fmt: skip

    def _reading(self) -> BeamReading:
        """The facts of the step in view, kept while it is."""
        key = (self.prompt, self.step, len(self._trace.ledger), self._trace.stop_reasons)
        if self._read is None or self._read[0] != key:
            self._read = key, beam_reading(self._trace, self.step, self.prompt)
        return self._read[1]

    def _summed(self) -> tuple[HypothesisSum, ...]:
        if self._streaming or self.tab != "sum":
            return ()
        if self.prompt not in self._sums:
            self._sums[self.prompt] = hypothesis_sums(self._trace, self.prompt)
        return self._sums[self.prompt]
