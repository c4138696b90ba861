"""The beam tree of a run that is under way."""

from __future__ import annotations

from collections.abc import Callable

from decoding.recorded.run import Step
from decoding.trace import Trace

from ..components import Answer, Facts
from ..session.session import Session
from ..sheets.answer import answer
from ..sheets.run import facts
from .shown import Changes, charts, tables, tree

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

    def changes(self, with_charts: bool) -> Changes:
        """What changes; the tree grows as seldom as the charts, since it is sent whole."""
        if not with_charts:
            return {}
        self._session.watch(self._trace)
        look = self._session.look
        said = {"facts": Facts(data=facts(look)), "answer": Answer(**answer(look))}
        return {**said, **tree(look), **tables(look), **charts(look)}
