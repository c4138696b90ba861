"""The token row of a run that is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.components import BeamStep, BeamTree, Chart, TokenRow
from app.session import Session
from app.views.token_row import TokenMeasures, measures_of, row_view, token_cells
from app.views.token_text import LONGEST_CHARACTER
from decoding.trace import Step, Trace

__all__ = ["LiveRow"]


class LiveRow:
    """Collects steps as they come; the session takes the trace over with the first of them.

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
        self._shown: dict[tuple[int, int], str] = {}
        self._frame: str | None = None
        self.n_steps = 0

    @property
    def is_first(self) -> bool:
        """Whether nothing has been shown yet."""
        return self._frame is None

    def take(self, step: Step) -> None:
        """Adds a step's tokens."""
        n_rows = len(step.token_ids)
        if not self._ids:
            self._ids = [[] for _ in range(n_rows)]
            self._measures = [[] for _ in range(n_rows)]
            trace = self._trace()
            self._tokens = trace.tokens
            self._prompts = [ids[mask.bool()][-LONGEST_CHARACTER:].tolist()
                             for ids, mask in zip(trace.prompt_ids, trace.prompt_mask, strict=True)]  # fmt: skip
        for row in range(n_rows):
            if not step.ended[row]:
                self._ids[row].append(step.token_ids[row])
                self._measures[row].append(measures_of(step, row))
                self._add_lines(row)
        self._step = step
        self.n_steps += 1

    def _add_lines(self, row: int) -> None:
        """The newest token, and those just before it whose look it changed (half characters made whole)."""
        ids = self._ids[row]
        first = max(0, len(ids) - 2 * LONGEST_CHARACTER)
        before = [*self._prompts[row], *ids[:first]][-LONGEST_CHARACTER:]
        cells = token_cells(
            self._tokens, ids[first:], first_step=first, measures=self._measures[row][first:], before=before
        )
        for cell in cells[-LONGEST_CHARACTER:]:
            line = self._session.line(row, cell)
            if self._shown.get((row, cell.step)) != line:
                self._shown[row, cell.step] = line
                self._lines.append(line)

    def token_row(self) -> TokenRow:
        """The row so far: the frame once, then only `lines`, which Gradio sends as what was appended."""
        lines = "".join(self._lines)
        if self._frame is not None:
            return TokenRow(lines=lines)
        trace, session = self._trace(), self._session
        session.row, session.step = 0, 0
        rows = tuple(row_view(trace, row, ()) for row in range(trace.n_rows))
        self._frame = session.row_frame(rows, streaming=True)
        return TokenRow(data=self._frame, lines=lines)

    def changes(self, charts: bool) -> dict[str, Any]:
        """The components to update: the row, and if wanted the charts of the newest step."""
        out: dict[str, Any] = {}
        if self.is_first:
            out |= {"beam_tree": BeamTree(data="null"), "beam_step": BeamStep(data="null")}
        out["token_row"] = self.token_row()
        if charts:
            waterfall, cutoff = self.charts()
            out |= {"waterfall": Chart(data=waterfall), "cutoff": Chart(data=cutoff)}
        return out

    def facts(self) -> str:
        """Facts of the run so far."""
        return self._session.facts_of(self._trace())

    def charts(self) -> tuple[str, str]:
        """Waterfall and cut-off of the newest step."""
        return self._session.charts_of(self._trace(), len(self._ids[0]) - 1)

    def keep(self) -> None:
        """Hands the trace so far to the session."""
        self._session.show(self._trace())
