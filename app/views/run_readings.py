"""`RunReadings`: what is read of a whole run, each once for as long as the run is looked at."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from .beam_map import BeamColumn, beam_map
from .beam_reading import BeamReading, beam_reading
from .beam_tree import BeamTree, beam_tree
from .everywhere import Everywhere, everywhere
from .heat_map import HeatMap
from .hypothesis_sum import HypothesisSum, hypothesis_sum
from .settings_map import MapReading, others
from .token_row import TokenMeasures, measures_of

if TYPE_CHECKING:
    from decoding.recorded.ledger import Hypothesis
    from decoding.trace import Trace
    from decoding.whatif.whatif import WhatIf

__all__ = ["RunReadings"]


class RunReadings:
    """Measures of its rows' tokens, and the last token that was followed through all steps; of a beam run its trees,
    answers and their sums, and the last step read."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._measures: dict[int, tuple[TokenMeasures, ...]] = {}
        self._trees: dict[int, BeamTree] = {}
        self._answers: tuple[Hypothesis, ...] | None = None
        self._sums: dict[Hypothesis, HypothesisSum] = {}
        self._everywhere: tuple[tuple[object, ...], Everywhere] | None = None
        self._step: tuple[tuple[int, int], BeamReading] | None = None
        self._heat: dict[int, HeatMap] = {}
        self._tried: HeatMap | None = None
        self._maps: dict[bool, tuple[Hashable, MapReading]] = {}

    def measures(self, row: int) -> tuple[TokenMeasures, ...]:
        """The measures of a row's tokens."""
        if row not in self._measures:
            steps = [step for step in self.trace.steps if not step.ended[row]]
            self._measures[row] = tuple(measures_of(step, row) for step in steps)
        return self._measures[row]

    def heat_map(self, row: int, whatif: WhatIf | None) -> HeatMap:
        """A row's map, as far as it has been read; of the settings tried, the last one asked for is kept."""
        if whatif is None:
            return self._heat.setdefault(row, HeatMap(self.trace, row, None))
        tried = self._tried
        if tried is None or (tried.row, tried.whatif) != (row, whatif):
            self._tried = tried = HeatMap(self.trace, row, whatif)
        return tried

    def beam_map(self, prompt: int, whatif: WhatIf | None) -> tuple[BeamColumn, ...]:
        """What a prompt's beams kept, step by step."""
        return beam_map(self.trace, self.tree(prompt), whatif)

    def settings_map(self, row: int, acting: WhatIf, step: int | None) -> MapReading:
        """The map of a step, or of the row's whole run; of either, the last one asked for is kept."""
        of, whole = (row, step, others(acting)), step is None
        if whole not in self._maps or self._maps[whole][0] != of:
            self._maps[whole] = of, MapReading(self.trace, row, acting, step)
        return self._maps[whole][1]

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
