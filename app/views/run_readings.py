"""`RunReadings`: what is read of a whole run, each once for as long as the run is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .beam_reading import BeamReading, beam_reading
from .beam_tree import BeamTree, beam_tree
from .everywhere import Everywhere, everywhere
from .hypothesis_sum import HypothesisSum, hypothesis_sums
from .token_row import TokenMeasures, measures_of

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["RunReadings"]


class RunReadings:
    """Measures of its rows' tokens, and the last token that was followed through all steps; of a beam run its trees,
    the sums behind its answers, and the last step read."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._measures: dict[int, tuple[TokenMeasures, ...]] = {}
        self._trees: dict[int, BeamTree] = {}
        self._sums: dict[int, tuple[HypothesisSum, ...]] = {}
        self._everywhere: tuple[tuple[object, ...], Everywhere] | None = None
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

    def sums(self, prompt: int) -> tuple[HypothesisSum, ...]:
        """The sums behind what was returned for a prompt."""
        if prompt not in self._sums:
            self._sums[prompt] = hypothesis_sums(self.trace, prompt)
        return self._sums[prompt]

    def everywhere(self, token_id: int, row: int, node: tuple[int, int] | None) -> Everywhere:
        """A token at every step of a row, or of a beam's path; the last that was asked for is kept."""
        read, what = self._everywhere, (token_id, row, node)
        if read is None or read[0] != what:
            self._everywhere = read = what, everywhere(self.trace, token_id, row=row, node=node)
        return read[1]

    def beam_step(self, step: int, prompt: int) -> BeamReading:
        """The facts of a beam step."""
        read = self._step
        if read is None or read[0] != (step, prompt):
            self._step = read = (step, prompt), beam_reading(self.trace, step, prompt)
        return read[1]
