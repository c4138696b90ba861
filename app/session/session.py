"""One visitor's state, and what the page shows of it."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from decoding.parameters.settings import Settings
from decoding.strategies.kept_cache import KeptCache
from decoding.trace import Trace
from decoding.whatif.processors import effective_config

from ..lab import LabWindow, Look
from ..runs import Run, Runs
from ..sheets.contrastive import contrastive_sheet
from ..sheets.cutoff import cutoff_sheet
from ..sheets.forks import fork_json, runs_json
from ..sheets.gallery import gallery_json
from ..sheets.token_row import cell_words, prompt_words, source_words
from ..sheets.waterfall import waterfall_sheet
from ..sheets.whatif import answer_json, frame_json, scores_json
from ..text import Text
from ..views.contrastive import contrastive_view
from ..views.cutoff import cutoff_view
from ..views.facts import facts_rows, notes_sections
from ..views.runs import run_lines
from ..views.token_row import RowView, TokenCell, TokenMeasures, measures_of, row_view
from ..views.waterfall import Waterfall, waterfall_view
from ..views.whatif import SortedScores, replay_view, row_marks, sorted_scores, step_answer
from .at import At
from .beam_window import BeamWindow
from .drafts import Asked, Drafts, asked_of
from .event_order import Turns
from .whatif import NOT_SCORES, ROWS_ONLY, Trial

if TYPE_CHECKING:
    from ..export.permalink import Configuration

__all__ = ["Session"]

MOST_ASKED = 50  # runs whose form is known after they are gone: Back in the browser leads there


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method while no other one moves what is in view."""

    @wraps(method)
    def moved(self: Session, *args: Any, **kwargs: Any) -> Any:
        with self._looking:
            return method(self, *args, **kwargs)

    return moved


class Session:
    """What one visitor looks at: a trace, a row and a step of it, in a language.

    Gradio keeps one per visitor and hands out the object itself; a copy is a fresh one.

    Args:
        first: the trace to begin with.
        origin: `example` or `file`: where that one is from.
    """

    def __init__(self, first: Trace, origin: str = "example", lang: str = "en") -> None:
        self.first = first
        self.origin = origin
        self.text = Text(lang)
        self.row = 0
        self.step = 0
        self.tab = ""
        self.beams: BeamWindow | None = None  # of a beam run; then row and step are those of its node
        self.running = False
        self.waiting = False  # for another visitor's run to end
        self.model_name = ""  # that the visitor last asked for and that could be looked for; "" for the default
        self.stop = threading.Event()
        self.lab_window = LabWindow()
        self.link: Configuration | None = None  # that the page was opened with, until it was run
        self.turns = Turns()
        self.chosen_lang = False  # the language was chosen by hand
        self._measures: dict[int, tuple[TokenMeasures, ...]] = {}
        self._step_in_view: dict[bool, tuple[Any, Waterfall]] = {}
        self.drafts = Drafts()
        self.runs = Runs(first, first.model.name, origin=origin)
        self._asked = {0: asked_of(self.runs.active)}
        self._growing: Callable[[], Trace] | None = None  # gives the trace so far, while the run in view goes on
        self.following = True  # its newest step is in view; no longer once the visitor has chosen one
        self._wanted = -1  # a step that was chosen while its scores were still on their way
        self._looking = threading.RLock()  # a visitor looks around in a run while it grows
        self.number = 0  # of the run in view; of one that goes on, the number that it will have
        self.trace, self.trial = first, Trial(first)
        self.view(self.runs.active)

    def __deepcopy__(self, memo: dict[int, Any]) -> Session:
        return Session(self.first, self.origin, self.text.lang)

    # -- what is in view

    @_one_at_a_time
    def go_to(self, *, row: int, step: int, rank: int = 0) -> None:
        """Moves to a row and step, or in a beam run to a prompt, step and candidate; kept within the run."""
        if self.beams is None:
            return self.choose(json.dumps({"row": row, "step": step}))
        for _ in range(2):  # another prompt first, its node then
            self.choose_node(json.dumps({"prompt": row, "step": step, "rank": rank}))

    @_one_at_a_time
    def view(self, run: Run) -> None:
        """Brings a run into view, at the step where the model was least sure, or at the best hypothesis' end.

        One that has been in view as it was recorded stays at the step that the visitor chose meanwhile.
        """
        trace, beams, stays = run.trace, self.beams, self.number == run.number and not self.following
        self.number, self._growing = run.number, None
        self.trace, self.trial = trace, Trial(trace, run.form)
        self._measures = {}
        self.beams = BeamWindow(trace) if trace.ledger is not None and trace.steps else None
        if self.beams is not None:
            if stays and beams is not None:
                self.go_to(row=beams.prompt, step=beams.step, rank=beams.rank)
                self.beams.choose_table(beams.tab, beams.place)
            return self._follow_beams()
        if stays:
            return
        self.row = 0
        measures = self.measures(0) if trace.n_rows else ()
        self.step = max(range(len(measures)), key=lambda i: measures[i].entropy_nats, default=0)

    def take(
        self,
        trace: Trace,
        model_name: str,
        kept: KeptCache | None = None,
        forked_from: Run | None = None,
        origin: str = "",
        example: str = "",
        form: str | None = None,
    ) -> None:
        """Puts a run beside the others, as a fork of one of them or on its own, and brings it into view."""
        run = self.runs.add(trace, model_name, kept, forked_from, origin, example, form)
        self._asked[run.number] = asked_of(run)
        for number in list(self._asked)[:-MOST_ASKED]:
            del self._asked[number]
        self.view(run)

    def asked_for(self, number: object) -> Asked | None:
        """The form that gives the run of that number, which may be anything, and may be gone; None for none known."""
        return self._asked.get(number) if type(number) is int else None

    @_one_at_a_time
    def watch(self, growing: Callable[[], Trace]) -> None:
        """Brings a run into view that is still going on, at its newest step unless the visitor chose another one.

        Args:
            growing: gives its trace so far, of at least one step.
        """
        if self._growing is None:
            self.number, self.following, self._wanted = self.runs.next_number, True, -1
            self.row = self.step = 0
        self._growing, trace = growing, growing()
        self.trace, self.trial = trace, Trial(trace)
        before, self._measures = self.beams, {}
        self.beams = None if trace.ledger is None else BeamWindow(trace, streaming=True)
        if self.beams is not None:
            if not self.following and before is not None:
                self.go_to(row=before.prompt, step=before.step, rank=before.rank)
                self.beams.choose_table(before.tab, before.place)
            self._follow_beams()
            return
        n_steps = self._n_steps()
        if self.following:
            self.step = max(0, n_steps - 1)
        elif 0 <= self._wanted < n_steps:
            self.step, self._wanted = self._wanted, -1

    @property
    def growing(self) -> bool:
        """Whether the run in view is still going on."""
        return self._growing is not None

    @property
    def here(self) -> At:
        """The step in view."""
        rank = None if self.beams is None else self.beams.candidate.rank
        return At(run=self.number, row=self.row, step=self.step, rank=rank)

    def fits(self, at: At | None) -> bool:
        """Whether what an event means is in view: its run, and there such a step, also one that has just come."""
        return at is not None and at.run == self.number and (self.growing or at.step < max(1, len(self.trace.steps)))

    def _follow_beams(self) -> None:
        self.row, self.step = self.beams.row, self.beams.step

    @_one_at_a_time
    def choose_node(self, value: Any) -> bool:
        """Moves to the node in the tree's value, which may be anything; whether the prompt is another one now."""
        if self.beams is None:
            return False
        other_prompt, self.following = self.beams.choose(value), False
        self._follow_beams()
        return other_prompt

    def measures(self, row: int) -> tuple[TokenMeasures, ...]:
        """The measures of a row's tokens, computed once."""
        if row not in self._measures:
            steps = [step for step in self.trace.steps if not step.ended[row]]
            self._measures[row] = tuple(measures_of(step, row) for step in steps)
        return self._measures[row]

    @_one_at_a_time
    def choose(self, value: Any) -> None:
        """Moves to the row and step in the token row's value, which may be anything: kept within the trace."""
        try:
            wish = json.loads(value)
            row, step = int(wish["row"]), int(wish["step"])
        except (TypeError, ValueError, KeyError, OverflowError, RecursionError):
            return
        self.row = min(max(row, 0), self.trace.n_rows - 1)
        n_steps, self.following = self._n_steps(), False
        self.step = min(max(step, 0), max(0, n_steps - 1))
        self._wanted = step if self.growing and step >= n_steps else -1

    def _n_steps(self) -> int:
        """Steps that the row in view has."""
        return sum(not step.ended[self.row] for step in self.trace.steps)

    # -- what is shown

    def token_row(self) -> dict[str, str]:
        """The whole token row: its `data` and `lines`; of a beam run nothing, its tree shows the tokens."""
        if self.beams is not None:
            return {"data": "null", "lines": ""}
        rows = tuple(row_view(self.trace, row, self.measures(row)) for row in range(self.trace.n_rows))
        lines = "".join(self.line(row, cell) for row, view in enumerate(rows) for cell in view.generated)
        return {"data": self.row_frame(rows), "lines": lines}

    def row_frame(self, rows: tuple[RowView, ...], *, streaming: bool = False) -> str:
        """The token row's `data`: words, prompts and scales."""
        text = self.text
        return json.dumps(
            {
                "run": self.number,  # another run makes other data, also where all else is the same
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
        return {
            "source": source_words(view, text),
            "prompt": prompt_words(view.prompt, text),
            "length": len(view.generated),
            "label": text("row.row", n=index + 1),
            "tip": text("row.row.tip", prompt=view.prompt_index + 1, answer=view.answer_index + 1),
            "tail": f"← {stop}" if stop else "",
        }

    def line(self, row: int, cell: TokenCell) -> str:
        """A generated token as one JSON line for the token row."""
        m = cell.measures
        values = {
            "row": row,
            **cell_words(cell, self.text),
            "probability": _finite(m.probability, 0.0),
            "surprisal": _finite(m.surprisal_nats, 1e9),
            "entropy": _finite(m.entropy_nats, 0.0),
        }
        return json.dumps(values, ensure_ascii=False) + "\n"

    def beam_tree(self) -> dict[str, str]:
        """The beam tree's properties; without data, which hides it, in other modes."""
        if self.beams is None:
            return {"data": "null", "words": "null"}
        tree = self.beams.tree_json(self.text, self.number)
        return {"value": self.beams.value_json(self.number), "data": tree, "words": self.beam_words()}

    def beam_words(self) -> str:
        """What the tree's card says of the node in view, as JSON."""
        return "null" if self.beams is None else self.beams.words_json(self.text)

    def beam_step(self) -> str:
        """Ledger, pool and sum of the step in view, as JSON."""
        return "null" if self.beams is None else self.here.told(self.beams.tables_json(self.text))

    def waterfall(self) -> str:
        """The waterfall of the step in view, as JSON."""
        whatif = self.trial.whatif is not None
        return waterfall_sheet(self._waterfall_view(whatif), self.text, row=self.row, whatif=whatif).to_json()

    def _waterfall_view(self, whatif: bool = False) -> Waterfall:
        """The step in view, as recorded or under other settings; kept: chart and fork chooser are made from it."""
        tried = self.trial.whatif if whatif else None
        key = (self.trace.store, self.step, self.row, self._token(), tried)
        if whatif not in self._step_in_view or self._step_in_view[whatif][0] != key:
            view = waterfall_view(self.trace, step=self.step, row=self.row, token_id=self._token(), whatif=tried)
            self._step_in_view[whatif] = (key, view)
        return self._step_in_view[whatif][1]

    def fork(self) -> str:
        """The fork chooser of the step in view, as JSON; `null` hides it."""
        if not self.trace.steps or self.trace.model.source == "caller" or self.growing:
            return "null"
        candidate = None if self.beams is None else self.beams.candidate
        n_left = self.trace.most_new_tokens - self.step - 1
        return self.here.told(fork_json(self._waterfall_view(), self.text, candidate=candidate, n_left=n_left))

    def lab(self) -> str:
        """The lab's open tab, as JSON; `null` hides it: it looks at runs that are whole."""
        if not self.trace.steps or self.growing:
            return "null"
        return self.here.told(self.lab_window.to_json(self._look()))

    def _look(self) -> Look:
        token_id = self._token()
        if token_id is None and not self.trace.steps[self.step].ended[self.row]:
            token_id = self.trace.steps[self.step].token_ids[self.row]
        return Look(
            trace=self.trace, row=self.row, step=self.step, token_id=token_id, runs=self.runs, text=self.text,
            whatif=self.trial.whatif,
        )  # fmt: skip

    # -- what if

    @property
    def at(self) -> str:
        """The step in view, as the what-if panel names it."""
        return f"{self.number}.{self.row}.{self.step}.{self._token()}"

    @property
    def can_rerun(self) -> bool:
        """Whether the run's model has a name to load it by, and its prompt is known."""
        asked = self.trace.prompts if self.trace.messages is None else self.trace.messages
        return self.trace.model.source != "caller" and bool(asked)

    def whatif_panel(self) -> dict[str, str]:
        """The what-if panel's properties for the run in view; without data, which hides it, where there is no step."""
        if not self.trace.steps or self.growing:
            return {"data": "null", "answer": "null"}
        sampled = effective_config(self.trial.trace, Settings(do_sample=True, num_beams=1))
        defaults = {
            "temperature": sampled.temperature or 1.0, "top_k": sampled.top_k or 0,
            "top_p": 1.0 if sampled.top_p is None else sampled.top_p, "min_p": sampled.min_p or 0.0,
        }  # fmt: skip
        ignored = NOT_SCORES if self.beams is not None else NOT_SCORES | ROWS_ONLY
        data = frame_json(self.trial.recorded_form, defaults, ignored, self.text, can_rerun=self.can_rerun)
        return {"data": self.here.told(data), "answer": "null", "at": self.at}

    def whatif_scores(self, have: Any = None) -> dict[str, str]:
        """The panel's `scores` of the step in view; nothing where it has those already."""
        key = f"{self.at}.{self.trial.head()}"
        if have == key:
            return {"at": self.at}
        scores = scores_json(self._sorted(), key=key, at=self.at, form=self.trial.form)
        return {"at": self.at, "scores": scores}

    def whatif_answer(self) -> str:
        """The panel's `answer`: what the settings tried make of the step in view and of its row."""
        trial, whatif = self.trial, self.trial.whatif
        if trial.error is not None:
            return self.here.told(answer_json(trial.form, self.at, self.text, error=str(trial.error)))
        if whatif is None:
            return "null"
        base = self._sorted()
        ids = tuple(token.token_id for token in base.tokens)
        replayed = whatif.replay if self.beams is not None else None
        answer = answer_json(
            trial.form, self.at, self.text, number=self.step, base=base, whatif=whatif,
            step=step_answer(whatif, step=self.step, row=self.row, token_ids=ids),
            row=None if self.beams is not None else row_marks(self.trace, whatif, self.row),
            replay=None if replayed is None else replay_view(self.trace, replayed, self.beams.prompt),
        )  # fmt: skip
        return self.here.told(answer)

    def _sorted(self) -> SortedScores:
        look = self._look()
        whatif = self.trial.whatif or self.trial.recorded
        return sorted_scores(self.trace, whatif, step=self.step, row=self.row, chosen=look.token_id)

    def run_list(self) -> str:
        """The runs beside each other, as JSON."""
        return runs_json(run_lines(self.runs), self.text)

    @property
    def example(self) -> str:
        """The id of the recorded example in view, or ""."""
        return "" if self.growing else self.runs.active.example

    def gallery(self) -> str:
        """The gallery, with what is to be seen in the run in view where it is one of its examples, as JSON."""
        return gallery_json(self.text, self.example)

    def verdict(self) -> str:
        """What Verify found of the run in view, as JSON; `null` where it was not asked."""
        verdict = None if self.growing else self.runs.active.verdict
        return "null" if verdict is None else verdict(self.text)

    def cutoff(self) -> str:
        """The cut-off of the step in view, as JSON; in contrastive search what it weighed, which is its rule."""
        tried = self.trial.whatif is not None and self.trial.whatif.mode != self.trace.mode
        weighed = None if tried else contrastive_view(self.trace, step=self.step, row=self.row)
        if weighed is not None:
            return self.here.told(contrastive_sheet(weighed, self.text, row=self.row).to_json())
        view = cutoff_view(
            self.trace, step=self.step, row=self.row, stage=self.tab, token_id=self._token(),
            whatif=self.trial.whatif,
        )  # fmt: skip
        return self.here.told(cutoff_sheet(view, self.text, row=self.row).to_json())

    def _token(self) -> int | None:
        """The token of the candidate in view, in a beam run."""
        return None if self.beams is None else self.beams.candidate.token_id

    def facts(self) -> str:
        """The run's facts, as JSON."""
        rows = facts_rows(self.trace, self.text, origin="" if self.growing else self.runs.active.origin)
        return json.dumps({"facts": rows}, ensure_ascii=False)

    def notes(self) -> str:
        """Stages, silent knobs and warnings, as JSON; of a run that goes on they are not known yet."""
        if self.growing:
            return "null"
        return json.dumps({"sections": notes_sections(self.trace, self.text)}, ensure_ascii=False)


def _finite(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
