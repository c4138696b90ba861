"""Whatever decodes on the page: runs, forks, re-runs; each takes its steps among those of other visitors' runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from decoding.errors import DecodingError, NotRecordedError, PromptError
from decoding.models.load import LanguageModel
from decoding.parameters.acting import model_defaults
from decoding.recorded.run import Step
from decoding.recorder import Recorder
from decoding.trace import Trace

from ..components import CandidateCard, Chart, Gallery, HeatMap, Lab, Message, Notes, Status, Verdict, WhatIfPanel
from ..form import form_as_typed, prompt_of, settings_of, with_length
from ..runs import MEMORY_BUDGET, Run
from ..serving.decoder import Decoder
from ..serving.failures import noted
from ..serving.model_shelf import ModelState
from ..serving.pace import size_of
from ..serving.question import Question
from ..session.at import At
from ..session.session import Session
from ..sheets.frame import model_status, reading_status, running_status
from ..sheets.gallery import gallery_sheet
from ..views.facts import moment
from ..whatif import WhatIfForm
from .events import field
from .in_line import in_line, one_after_another, size_of_again, until_let_in
from .live_beams import LiveBeams
from .live_tokens import LiveRow
from .shown import Changes, Shown, message

if TYPE_CHECKING:
    from decoding.models.prompts import Prompt
    from decoding.parameters.settings import Settings

    from ..serving.line import Line, Place
    from ..serving.stored_runs import StoredRun, StoredRuns

__all__ = ["Decoding", "loaded", "meant", "model_name_of"]

# Of all runs that go on together: what is shown of one takes the processor from the steps of the others.
UPDATES_A_SECOND = 15  # Gradio has no back-pressure: a page that cannot keep up would answer no click any more
CHARTS_A_SECOND = 3


class Decoding:
    """Handlers that use the model.

    Args:
        line: of all who use it.
        stored: runs that were recorded before; None where every run is decoded.
    """

    def __init__(self, shown: Shown, decoder: Decoder, line: Line, stored: StoredRuns | None = None) -> None:
        self._shown, self._shelf, self._decoder, self._line = shown, shown.shelf, decoder, line
        self._stored = stored

    def refused(self, session: Session) -> Changes:
        """What was asked for could not even begin: the server has too much to do. It can be asked for again."""
        free = gr.update(interactive=not session.running)
        return {
            **self._shown.status(session), "stop": gr.update(interactive=session.running), "run": free, "verify": free,
            **message(session.text("error.queue"), session.text),
        }  # fmt: skip

    def stop(self, session: Session) -> None:
        """Asks the run to end after its current token, or before its first where it waits."""
        session.stop.set()
        place = session.place
        if place is not None:
            place.woken.set()

    # -- runs

    def run(
        self, session: Session, model: str, kind: str, prompt: str, system: str, form: str
    ) -> Iterator[Changes]:
        """Records a run and shows it as it comes; what was in view stays when it cannot begin."""

        def record() -> Iterator[Changes]:
            asked, _ = prompt_of(kind, prompt, system, session.text), settings_of(form)  # before a model is loaded
            lm = yield from self._load(session, model_name_of(model, self._shelf.default))
            if lm is not None:
                settings = with_length(settings_of(form, model_defaults(lm.model)))
                yield from self._new(session, lm, asked, settings, form)

        yield from self._guarded(session, record())

    def _new(
        self, session: Session, lm: LanguageModel, asked: Prompt, settings: Settings, form: Any
    ) -> Iterator[Changes]:
        """A run of a prompt."""
        n_prompts = len(asked) if isinstance(asked, list) and isinstance(asked[0], str) else 1
        size = size_of(settings.given(), model_defaults(lm.model), n_prompts)
        question = None if self._stored is None else Question.of(lm, asked, settings)
        if (found := self._answer(question)) is not None:
            yield from self._open_stored(session, lm, found, form)
            return

        def begin(recorder: Recorder) -> Generator[Step, None, Any]:
            return self._decoder.stream(lm, asked, settings, recorder)

        yield from self._in_turn(
            session, lm, size, begin, settings.max_new_tokens, form=form, question=question
        )  # fmt: skip

    def _answer(self, question: Question | None) -> StoredRun | None:
        """A run that was recorded before, if it answers the question."""
        return None if self._stored is None else self._stored.find(question)

    def _open_stored(self, session: Session, lm: LanguageModel, found: StoredRun, form: Any) -> Iterator[Changes]:
        """Shows a run that was recorded before, and says so."""
        session.take(
            found.trace, lm.name, form=form_as_typed(form), origin="stored", recorded_at=found.recorded_at
        )  # fmt: skip
        note = session.text("note.stored", when=moment(found.recorded_at))
        yield {**self._shown.in_view(session), **message(note, session.text, "note"), **self._shown.status(session)}

    def fork(self, session: Session, event: gr.EventData) -> Iterator[Changes]:
        """Takes another token at the step in view and decodes on from there; the new run comes beside the first."""
        token_id, at = field(event, "token_id"), At.read(field(event, "about"))

        def record() -> Iterator[Changes]:
            source = meant(session, at)
            lm = yield from self._load(session, source.model_name)
            if lm is not None:
                rank = _rank(source.trace, at, token_id)
                yield from self._onward(
                    session, lm, source, step=at.step, token_id=token_id, row=at.row, rank=rank
                )  # fmt: skip

        yield from self._guarded(session, record())

    def _onward(self, session: Session, lm: LanguageModel, source: Run, **where: Any) -> Iterator[Changes]:
        """A run that goes on from another one's step."""

        def begin(recorder: Recorder) -> Generator[Step, None, Any]:
            return self._decoder.stream_fork(source.trace, lm, recorder, kept=source.kept, **where)

        yield from self._in_turn(session, lm, size_of_again(source.trace, lm), begin, forked_from=source)

    def _guarded(self, session: Session, body: Iterator[Changes]) -> Iterator[Changes]:
        """Runs what decodes, with Stop in reach, and turns failures into a message."""
        if not (yield from one_after_another(session)):
            yield message(session.text("error.busy"), session.text)
            return
        text, before = session.text, session.look.trace
        session.stop.clear()
        session.running = True
        try:
            yield self._begins()
            yield from body
        except DecodingError as error:
            yield from self._failed(session, session.text.said(error), error.trace or before)
        except GeneratorExit:
            raise
        except Exception as error:
            yield from self._failed(session, text("error.bug", id=noted("a run failed", error)), before)
        finally:
            session.running = False
            session.busy.release()
        yield self._free()

    @staticmethod
    def _begins() -> Changes:
        """The buttons while something runs, and nothing of the run before that could be asked about."""
        return {
            "run": gr.update(interactive=False), "stop": gr.update(interactive=True),
            "verify": gr.update(interactive=False), "candidate": CandidateCard(data=None),
            "everywhere": Chart(data=None), "whatif": WhatIfPanel(data=None), "message": Message(data=None),
        }  # fmt: skip

    @staticmethod
    def _free() -> Changes:
        """The buttons while nothing runs."""
        return {
            "run": gr.update(interactive=True), "stop": gr.update(interactive=False),
            "verify": gr.update(interactive=True),
        }  # fmt: skip

    def _load(self, session: Session, name: str) -> Generator[Changes, None, LanguageModel | None]:
        """The model, once it is ready; None when the visitor stopped meanwhile."""
        lm = None
        for state in self._shelf.loading(name):
            session.model_name = name
            lm = loaded(state)
            if lm is None:
                yield {"status": Status(data=model_status(state, session.text))}
            if session.stop.is_set():  # it goes on loading, for whoever asks next
                session.model_name = session.runs.active.model_name
                yield self._shown.status(session)
                return None
        return lm

    def _in_turn(
        self,
        session: Session,
        lm: LanguageModel,
        size: tuple[int, int],
        begin: Callable[[Recorder], Generator[Step, None, Any]],
        n_most: int | None = None,
        forked_from: Run | None = None,
        form: Any = None,
        question: Question | None = None,
    ) -> Iterator[Changes]:
        """What `begin` decodes, once its place has come, step by step among others' steps.

        Args:
            question: what it answers; the answer is stored. Others may have asked it meanwhile.
        """
        with in_line(self._line, session, lm, size, None if question is None else question.key) as place:
            recorder = self._decoder.recorder(MEMORY_BUDGET)
            steps = place.prepare(lambda: begin(recorder))  # what cannot be is said before anybody waits for it
            if not place.is_let_in:
                found = yield from until_let_in(session, place, lambda: self._answer(question))
                if not session.running:
                    yield self._shown.status(session)
                    return
                if (found := found or self._answer(question)) is not None:
                    yield from self._open_stored(session, lm, found, form)
                    return
                yield self._begins()  # a visitor who waits looks around
                steps = place.prepare(lambda: begin(recorder))  # anew: a limit of time counts from here
            yield from self._decode(session, lm, recorder, place, steps, n_most, forked_from, form)
            # Before the place is given back: whoever waits for this answer has it then, or waits no longer.
            if self._stored is not None and self._stored.keep(question, recorder.trace) is None:
                place.no_answer()

    def _decode(
        self,
        session: Session,
        lm: LanguageModel,
        recorder: Recorder,
        place: Place,
        coming: Generator[Step, None, Any],
        n_most: int | None,
        forked_from: Run | None,
        form: Any,
    ) -> Iterator[Changes]:
        note = ""
        live: LiveRow | LiveBeams | None = None
        due, charts_due = 0.0, 0.0
        steps = place.steps(coming, until=lambda: due, is_over=session.stop.is_set)
        try:
            yield {"status": Status(data=reading_status(lm.name, str(lm.device), session.text))}
            for some in steps:
                if live is None:
                    live = (LiveBeams if some[0].parents else LiveRow)(session, lambda: recorder.trace)
                for step in some:
                    live.take(step)
                now, n_runs = time.monotonic(), max(1, self._line.n_running)
                if now >= due:
                    due = now + n_runs / UPDATES_A_SECOND
                    charts = now >= charts_due
                    if charts:
                        charts_due = now + n_runs / CHARTS_A_SECOND
                    yield self._live(session, lm, live, n_most, charts)
                if session.stop.is_set():
                    note = session.text("note.stopped", n=live.n_steps)
                    break
        finally:
            # Closing ends decoding; what was recorded stays, also when the visitor left.
            steps.close()
            if live is not None:
                kept = recorder.kept_cache()
                session.take(recorder.trace, lm.name, kept, forked_from, form=form_as_typed(form))
        state = self._shelf.state(lm.name)
        ready = ModelState(name=lm.name, phase="ready", lm=state.lm or lm)
        yield {
            **self._shown.in_view(session), **message(note, session.text, "note"),
            "status": Status(data=model_status(ready, session.text)),
        }  # fmt: skip

    def _live(
        self, session: Session, lm: LanguageModel, live: LiveRow | LiveBeams, of: int | None, charts: bool
    ) -> Changes:
        """What changed since the last update: tokens, and now and then the charts of the newest step."""
        status = running_status(lm.name, str(lm.device), live.n_steps, of, session.text)
        begins = not session.look.growing
        changes = live.changes(charts)
        if begins and session.look.growing:  # nothing that is left on the page may speak of the run before
            changes |= {
                "verdict": Verdict(data=None), "lab": Lab(data=None), "notes": Notes(data=None),
                "heat_map": HeatMap(data=None), "gallery": Gallery(data=gallery_sheet(session.text)),
                **self._shown.share(session),
            }  # fmt: skip
        return changes | {"status": Status(data=status)}

    def _failed(self, session: Session, words: str, trace: Trace | None) -> Iterator[Changes]:
        """The message, with what was recorded before, or else the run before."""
        if trace is not None and trace.steps and trace.store is not session.look.trace.store:
            session.take(trace, trace.model.name)
        shown = self._shown.in_view(session) | self._free() | message(words, session.text)
        yield shown | self._shown.status(session)

    def again(self, session: Session, event: gr.EventData) -> Iterator[Changes]:
        """The prompt of the run in view once more, under the settings tried: those that the click carries."""
        at, form = At.read(field(event, "about")), field(event, "form")

        def record() -> Iterator[Changes]:
            source = meant(session, at)
            trace, tried = source.trace, self._tried(source, form)
            asked = trace.prompts if trace.messages is None else trace.messages
            if not asked:
                raise PromptError(session.text("whatif.no_model"))
            if tried.error is not None:
                raise tried.error
            settings = with_length(tried.acting.settings, trace.most_new_tokens)
            lm = yield from self._load(session, source.model_name)
            if lm is not None:
                yield from self._new(session, lm, asked[0] if len(asked) == 1 else list(asked), settings, form)

        yield from self._guarded(session, record())

    def onward(self, session: Session, event: gr.EventData) -> Iterator[Changes]:
        """Keeps the tokens before the parting, and decodes on from there under the settings that the click carries."""
        at, form = At.read(field(event, "about")), field(event, "form")

        def record() -> Iterator[Changes]:
            source = meant(session, at)
            tried = self._tried(source, form).whatif
            step = None if tried is None else tried.row_diverges_at[at.row]
            if step is None:
                return
            lm = yield from self._load(session, source.model_name)
            if lm is not None:
                yield from self._onward(
                    session, lm, source, step=step, token_id=None, row=at.row, settings=tried.settings
                )  # fmt: skip

        yield from self._guarded(session, record())

    def _tried(self, source: Run, form: Any) -> WhatIfForm:
        """The settings that an event carries, tried on the run that it means."""
        return WhatIfForm.of(source.trace, source.form).under(form, self._shown.tokenizer(source.model_name))


def meant(session: Session, at: At | None) -> Run:
    """The run that an event means, though another one may have come into view since.

    Raises:
        NotRecordedError: it is not kept, or does not have the step.
    """
    run = None if at is None else session.runs.get(at.run)
    n_steps, n_rows = (0, 0) if run is None else (len(run.trace.steps), run.trace.n_rows)
    if run is None or at.step >= max(1, n_steps) or at.row >= max(1, n_rows):
        raise NotRecordedError(session.text("error.run_gone"))
    return run


def _rank(trace: Trace, at: At, token_id: Any) -> int | None:
    """The candidate that a fork takes: the one in view if it has that token, else none of those recorded."""
    if trace.ledger is None or at.rank is None:
        return None
    here = (c for c in trace.steps[at.step].candidates if c.parent == at.row and c.rank == at.rank)
    return next((c.rank for c in here if c.token_id == token_id), None)


def loaded(state: ModelState) -> LanguageModel | None:
    """The model once it is ready.

    Raises:
        DecodingError: it could not be loaded.
    """
    if state.error is not None:
        raise state.error
    return state.lm


def model_name_of(name: Any, default: str) -> str:
    """A model's name as it was typed; the default one where nothing was."""
    return str(name or "").strip()[:500] or default
