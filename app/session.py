"""One visitor's state, and what the page shows of it."""

from __future__ import annotations

import json
import math
import threading
from typing import Any

from app.sheets.cutoff import cutoff_sheet
from app.sheets.waterfall import waterfall_sheet
from app.text import Text
from app.views.cutoff import cutoff_view
from app.views.facts import facts_rows, notes_sections
from app.views.numbers import nats, percent
from app.views.token_row import RowView, TokenCell, TokenMeasures, measures_of, row_view
from app.views.waterfall import waterfall_view
from decoding.trace import Trace

__all__ = ["Session"]


class Session:
    """What one visitor looks at: a trace, a row and a step of it, in a language.

    Gradio keeps one per visitor and hands out the object itself; a copy is a fresh one.

    Args:
        first: the trace to begin with.
        origin: `example` or `file`: where that one is from.
    """

    def __init__(self, first: Trace, origin: str = "example", lang: str = "en") -> None:
        self.trace = first
        self.first = first
        self.origin = origin
        self.text = Text(lang)
        self.row = 0
        self.step = 0
        self.tab = ""
        self.running = False
        self.stop = threading.Event()
        self._measures: dict[int, tuple[TokenMeasures, ...]] = {}
        self.show(first)

    def __deepcopy__(self, memo: dict[int, Any]) -> Session:
        return Session(self.first, self.origin, self.text.lang)

    def show(self, trace: Trace) -> None:
        """Takes a trace into view, at the step where the model was least sure."""
        self.trace = trace
        self._measures = {}
        self.row = 0
        measures = self.measures(0) if trace.n_rows else ()
        self.step = max(range(len(measures)), key=lambda i: measures[i].entropy_nats, default=0)

    def measures(self, row: int) -> tuple[TokenMeasures, ...]:
        """The measures of a row's tokens, computed once."""
        if row not in self._measures:
            steps = [step for step in self.trace.steps if not step.ended[row]]
            self._measures[row] = tuple(measures_of(step, row) for step in steps)
        return self._measures[row]

    def choose(self, value: Any) -> None:
        """Moves to the row and step in the token row's value, which may be anything: kept within the trace."""
        try:
            wish = json.loads(value)
            row, step = int(wish["row"]), int(wish["step"])
        except (TypeError, ValueError, KeyError, OverflowError):
            return
        self.row = min(max(row, 0), self.trace.n_rows - 1)
        n_steps = sum(not step.ended[self.row] for step in self.trace.steps)
        self.step = min(max(step, 0), max(0, n_steps - 1))

    # -- what is shown

    def token_row(self) -> dict[str, str]:
        """The whole token row: its `data` and `lines`."""
        rows = tuple(row_view(self.trace, row, self.measures(row)) for row in range(self.trace.n_rows))
        lines = "".join(self.line(row, cell) for row, view in enumerate(rows) for cell in view.generated)
        return {"data": self.row_frame(rows), "lines": lines}

    def row_frame(self, rows: tuple[RowView, ...], *, streaming: bool = False) -> str:
        """The token row's `data`: words, prompts and scales."""
        text = self.text
        return json.dumps(
            {
                "row": self.row,
                "step": self.step,
                "streaming": streaming,
                "labels": {
                    "title": text("row.title"),
                    "hint": text("row.hint"),
                    "rows": text("row.rows"),
                    "colour": text("row.colour"),
                    "step": text("row.step"),
                },
                "rows": [self._row_words(i, view) for i, view in enumerate(rows)],
                "scales": {
                    "probability": self._scale("probability", 1.0, 0.0, "100%", "0"),
                    "surprisal": self._scale("surprisal", 0.0, 6.0, "0", "≥ 6 nats"),
                    "entropy": self._scale("entropy", 0.0, 6.0, "0", "≥ 6 nats"),
                },
            },
            ensure_ascii=False,
        )

    def _scale(self, name: str, sure: float, unsure: float, start: str, end: str) -> dict[str, Any]:
        label, tip = self.text(f"row.{name}"), self.text(f"term.{name}")
        return {"label": label, "tip": tip, "sure": sure, "unsure": unsure, "from": start, "to": end}

    def _row_words(self, index: int, view: RowView) -> dict[str, Any]:
        text = self.text
        stop = text.or_else(f"stop.{view.stop_reason}", view.stop_reason)
        prompt = [
            {
                "text": cell.text,
                "kind": cell.kind,
                "tip": text("row.tip.prompt", kind=self._kind(cell), id=cell.token_id),
            }
            for cell in view.prompt
        ]
        return {
            "prompt": prompt,
            "length": len(view.generated),
            "label": text("row.row", n=index + 1),
            "tip": text("row.row.tip", prompt=view.prompt_index + 1, answer=view.answer_index + 1),
            "tail": f"← {stop}" if stop else "",
        }

    def line(self, row: int, cell: TokenCell) -> str:
        """A generated token as one JSON line for the token row."""
        m = cell.measures
        tip = self.text(
            "row.tip", kind=self._kind(cell), id=cell.token_id, step=cell.step + 1, p=percent(m.probability),
            rank=m.rank, q=percent(m.final_probability), s=nats(m.surprisal_nats), h=nats(m.entropy_nats),
        )  # fmt: skip
        values = {
            "row": row,
            "step": cell.step,
            "text": cell.text,
            "kind": cell.kind,
            "tip": tip,
            "probability": _finite(m.probability, 0.0),
            "surprisal": _finite(m.surprisal_nats, 1e9),
            "entropy": _finite(m.entropy_nats, 0.0),
        }
        return json.dumps(values, ensure_ascii=False) + "\n"

    def _kind(self, cell: TokenCell) -> str:
        key = f"row.kind.{cell.kind}"
        return self.text(key, joined=cell.joined) if self.text.has(key) else ""

    def waterfall(self) -> str:
        """The waterfall of the step in view, as JSON."""
        view = waterfall_view(self.trace, step=self.step, row=self.row)
        return waterfall_sheet(view, self.text, row=self.row).to_json()

    def cutoff(self) -> str:
        """The cut-off of the step in view, as JSON."""
        view = cutoff_view(self.trace, step=self.step, row=self.row, stage=self.tab)
        return cutoff_sheet(view, self.text, row=self.row).to_json()

    def charts_of(self, trace: Trace, step: int) -> tuple[str, str]:
        """Both charts of a step of a trace that is still growing; the session's own stays as it is."""
        before = self.trace, self.row, self.step
        self.trace, self.row, self.step = trace, 0, step
        try:
            return self.waterfall(), self.cutoff()
        finally:
            self.trace, self.row, self.step = before

    def facts(self) -> str:
        """The run's facts, as JSON."""
        return self.facts_of(self.trace)

    def facts_of(self, trace: Trace) -> str:
        """A trace's facts, as JSON."""
        rows = facts_rows(trace, self.text, origin=self.origin if trace is self.first else "")
        return json.dumps({"facts": rows}, ensure_ascii=False)

    def notes(self) -> str:
        """Stages, silent knobs and warnings, as JSON."""
        return json.dumps({"sections": notes_sections(self.trace, self.text)}, ensure_ascii=False)


def _finite(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
