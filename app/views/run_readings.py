"""`RunReadings`: what is read of a whole run, each once for as long as the run is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .beam_reading import BeamReading, beam_reading
from .beam_tree import BeamTree, beam_tree
from .hypothesis_sum import HypothesisSum, hypothesis_sum
from .token_row import TokenMeasures, measures_of

if TYPE_CHECKING:
    from decoding.recorded.ledger import Hypothesis
    from decoding.trace import Trace

__all__ = ["RunReadings"]


class RunReadings:
    """Measures of its rows' tokens; of a beam run its trees, its answers and the sums behind them, and the last step read."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._measures: dict[int, tuple[TokenMeasures, ...]] = {}
        self._trees: dict[int, BeamTree] = {}
        self._answers: tuple[Hypothesis, ...] | None = None
        self._sums: dict[Hypothesis, HypothesisSum] = {}
        self._step: tuple[tuple[int, int], BeamReading] | None = None

    def measures(self, row: int) -> tuple[TokenMeasures, ...]:
        """The measures of a row's tokens."""
        if row not in self._measures:
            steps = [step for step in self.trace.steps if not step.ended[row]]
            self._measures[row] = tuple(measures_of(step, row) for step in steps)
        return self._measures[row]

    def tree(self, prompt: int) -> BeamTree:
        """A prompt's beam tree."""
        if prompt not in self._trees:
            self._trees[prompt] = beam_tree(self.trace, prompt)
        return self._trees[prompt]

    def answers(self, prompt: int) -> tuple[Hypothesis, ...]:
        """What was returned for a prompt, best first."""
        if self._answers is None:
            self._answers = tuple(self.trace.hypotheses)
        return tuple(answer for answer in self._answers if answer.prompt == prompt)

    def sum(self, answer: Hypothesis) -> HypothesisSum:
        """The sum behind one of the answers: each reads as many steps as it is long, so none is read unasked."""
        if answer not in self._sums:
            self._sums[answer] = hypothesis_sum(self.trace, answer)
        return self._sums[answer]

    def beam_step(self, step: int, prompt: int) -> BeamReading:
        """The facts of a beam step."""
        read = self._step
        if read is None or read[0] != (step, prompt):
            self._step = read = (step, prompt), beam_reading(self.trace, step, prompt)
        return read[1]
