"""The beam tree of a run that is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from decoding.recorded.run import Step
from decoding.trace import Trace

from ..components import BeamStep, BeamTree, Chart, Facts
from ..session.session import Session

__all__ = ["LiveBeams"]


class LiveBeams:
    """Shows the tree so far; the session watches the trace from the first step on, so that one can look around.

    Args:
        session: whose view it is.
        trace: gives the trace so far.
    """

    def __init__(self, session: Session, trace: Callable[[], Trace]) -> None:
        self._session, self._trace = session, trace
        self.n_steps = 0

    def take(self, step: Step) -> None:
        """Counts a step."""
        self.n_steps += 1

    def changes(self, charts: bool) -> dict[str, Any]:
        """The components to update; the tree grows as seldom as the charts, since it is sent whole."""
        if not charts:
            return {}
        session = self._session
        session.watch(self._trace)
        return {
            "facts": Facts(data=session.facts()),
            "beam_tree": BeamTree(**session.beam_tree()),
            "beam_step": BeamStep(data=session.beam_step()),
            "waterfall": Chart(data=session.waterfall()),
            "cutoff": Chart(data=session.cutoff()),
        }
