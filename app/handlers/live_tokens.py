"""The token row of a run that is under way."""

from __future__ import annotations

from collections.abc import Callable

from decoding.recorded.run import Step
from decoding.trace import Trace

from ..components import Answer, BeamStep, BeamTree, Facts, TokenRow
from ..session.session import Session
from ..sheets.answer import answer_begun
from ..sheets.run import facts
from ..sheets.token_row import frame, line
from ..views.token_row import TokenMeasures, measures_of, row_view, token_cells
from ..views.token_text import LONGEST_CHARACTER
from .live_text import LiveText
from .shown import Changes, charts

__all__ = ["LiveRow"]


class LiveRow:
    """Collects steps as they come; the session watches the trace from the first of them on, so one can look around.

    Args:
        session: whose view it is.
        trace: gives the trace so far.
    """

    def __init__(self, session: Session, trace: Callable[[], Trace]) -> None:
        self._session, self._trace = session, trace
        self._ids: list[list[int]] = []
        self._prompts: list[list[int]] = []  # the end of each, which a character may begin in
        self._measures: list[list[TokenMeasures]] = []
        self._lines: list[str] = []
        self._sent: dict[tuple[int, int], str] = {}
        self._framed = False
        self._charted: dict[str, int | None] = {}
        self.n_steps = 0

    def take(self, step: Step) -> None:
        """Adds a step's tokens."""
        n_rows = len(step.token_ids)
        if not self._ids:
            self._ids = [[] for _ in range(n_rows)]
            self._measures = [[] for _ in range(n_rows)]
            trace = self._trace()
            self._tokens, self._text, self._first_step = trace.tokens, LiveText(trace), trace.first_step
            self._prompts = [ids[mask.bool()][-LONGEST_CHARACTER:].tolist()
                             for ids, mask in zip(trace.prompt_ids, trace.prompt_mask, strict=True)]  # fmt: skip
        for row in range(n_rows):
            if not step.ended[row]:
                self._ids[row].append(step.token_ids[row])
                self._measures[row].append(measures_of(step, row))
                self._add_lines(row)
                self._text.take(row, step.token_ids[row])
        self._step = step
        self.n_steps += 1

    def _add_lines(self, row: int) -> None:
        """The newest token, and those just before it whose look it changed (half characters made whole)."""
        ids = self._ids[row]
        first = max(0, len(ids) - 2 * LONGEST_CHARACTER)
        before = [*self._prompts[row], *ids[:first]][-LONGEST_CHARACTER:]
        cells = token_cells(
            self._tokens, ids[first:], begin=first, measures=self._measures[row][first:], before=before
        )
        for cell in cells[-LONGEST_CHARACTER:]:
            told = TokenRow.line(line(row, cell, self._session.text.of_run(self._first_step)))
            if self._sent.get((row, cell.step)) != told:
                self._sent[row, cell.step] = told
                self._lines.append(told)

    def token_row(self) -> TokenRow:
        """The row so far: the frame once, then only `lines`, which Gradio sends as what was appended."""
        lines = "".join(self._lines)
        if self._framed:
            return TokenRow(lines=lines)
        look, self._framed = self._session.look, True
        rows = tuple(row_view(look.trace, row, ()) for row in range(look.trace.n_rows))
        return TokenRow(data=frame(look, rows, streaming=True), lines=lines)

    def changes(self, with_charts: bool) -> Changes:
        """What changes: the row, and if wanted the facts, and the charts of the step in view."""
        session, out = self._session, {}
        if with_charts:
            session.watch(self._trace)
        begun = {} if self._framed else {"data": answer_begun(session.look)}
        if not self._framed:
            out |= {"beam_tree": BeamTree(data=None), "beam_step": BeamStep(data=None)}
        out |= {"token_row": self.token_row(), "answer": Answer(**begun, lines=self._text.lines)}
        if with_charts:
            out["facts"] = Facts(data=facts(session.look))
        if with_charts and session.look.about != self._charted:  # a step that the visitor stays at does not change
            self._charted = session.look.about
            out |= charts(session.look)
        return out
