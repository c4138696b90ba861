"""Whatever decodes on the page: runs, forks, re-runs; one at a time uses the model."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

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
from ..session.at import At
from ..session.session import Session
from ..sheets.frame import model_status, running_status, waiting_status
from ..sheets.gallery import gallery_sheet
from ..whatif import WhatIfForm
from .events import field
from .live_beams import LiveBeams
from .live_tokens import LiveRow
from .shown import Changes, Shown, message

__all__ = ["Decoding", "ModelInUse", "loaded", "meant", "model_name_of"]

UPDATES_A_SECOND = 30  # Gradio has no back-pressure
CHARTS_A_SECOND = 3


@dataclass
class ModelInUse:
    """Whose run it is: one visitor at a time uses the model."""

    by: Session | None = None

    def is_free_for(self, session: Session) -> bool:
        """Whether no other visitor uses it."""
        return self.by in (None, session)


class Decoding:
    """Handlers that use the model.

    Args:
        in_use: shared with whoever else uses it.
    """

    def __init__(self, shown: Shown, decoder: Decoder, in_use: ModelInUse) -> None:
        self._shown, self._shelf, self._decoder, self._in_use = shown, shown.shelf, decoder, in_use

    # -- waiting for another visitor's run

    def wait(self, session: Session) -> Changes:
        """Says at once that another visitor's run comes first; Stop calls off what was asked for."""
        if self._in_use.is_free_for(session):
            return {}
        session.stop.clear()
        session.waiting = True
        status = waiting_status(session.model_name or self._shelf.default, session.text)
        return {
            "status": Status(data=status), "run": gr.update(interactive=False), "stop": gr.update(interactive=True)
        }  # fmt: skip

    def refused(self, session: Session) -> Changes:
        """What was asked for could not even wait: too many visitors do already. It can be asked for again."""
        session.waiting = False
        free = gr.update(interactive=not session.running)
        return {
            **self._shown.status(session), "stop": gr.update(interactive=session.running), "run": free, "verify": free,
            **message(session.text("error.queue"), session.text),
        }  # fmt: skip

    def stop(self, session: Session) -> None:
        """Asks the run to end after its current token."""
        session.stop.set()

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
                recorder = self._decoder.recorder(MEMORY_BUDGET)
                steps = self._decoder.stream(lm, asked, settings, recorder)
                yield from self._decode(session, lm, recorder, steps, settings.max_new_tokens, form=form)

        yield from self._guarded(session, record())

    def fork(self, session: Session, event: gr.EventData) -> Iterator[Changes]:
        """Takes another token at the step in view and decodes on from there; the new run comes beside the first."""
        token_id, at = field(event, "token_id"), At.read(field(event, "about"))

        def record() -> Iterator[Changes]:
            source = meant(session, at)
            lm = yield from self._load(session, source.model_name)
            if lm is not None:
                recorder = self._decoder.recorder(MEMORY_BUDGET)
                steps = self._decoder.stream_fork(
                    source.trace, lm, recorder, step=at.step, token_id=token_id, row=at.row,
                    rank=_rank(source.trace, at, token_id), kept=source.kept,
                )  # fmt: skip
                yield from self._decode(session, lm, recorder, steps, None, source)

        yield from self._guarded(session, record())

    def _guarded(self, session: Session, body: Iterator[Changes]) -> Iterator[Changes]:
        """Runs what decodes, with Stop in reach, and turns failures into a message."""
        text, before = session.text, session.look.trace
        if session.waiting and session.stop.is_set():
            session.waiting = False
            yield self._shown.status(session) | self._free()
            return
        session.stop.clear()
        session.running, session.waiting, self._in_use.by = True, False, session
        try:
            yield {
                "run": gr.update(interactive=False), "stop": gr.update(interactive=True),
                "verify": gr.update(interactive=False), "candidate": CandidateCard(data=None),
                "everywhere": Chart(data=None), "whatif": WhatIfPanel(data=None), "message": Message(data=None),
            }  # fmt: skip
            yield from body
        except DecodingError as error:
            yield from self._failed(session, session.text.said(error), error.trace or before)
        except GeneratorExit:
            raise
        except Exception as error:
            yield from self._failed(session, text("error.bug", id=noted("a run failed", error)), before)
        finally:
            session.running, session.waiting, self._in_use.by = False, False, None
        yield self._free()

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
            yield {"status": Status(data=model_status(state, session.text))}
            lm = loaded(state)
            if session.stop.is_set():  # it goes on loading, for whoever asks next
                session.model_name = session.runs.active.model_name
                yield self._shown.status(session)
                return None
        return lm

    def _decode(
        self,
        session: Session,
        lm: LanguageModel,
        recorder: Recorder,
        steps: Generator[Step, None, Any],
        n_most: int | None,
        forked_from: Run | None = None,
        form: Any = None,
    ) -> Iterator[Changes]:
        live: LiveRow | LiveBeams | None = None
        due, charts_due = 0.0, 0.0
        try:
            yield {"status": Status(data=waiting_status(lm.name, session.text, device=str(lm.device)))}
            for step in steps:
                if live is None:
                    live = (LiveBeams if step.parents else LiveRow)(session, lambda: recorder.trace)
                live.take(step)
                now = time.monotonic()
                if now >= due:
                    due = now + 1 / UPDATES_A_SECOND
                    charts = now >= charts_due
                    if charts:
                        charts_due = now + 1 / CHARTS_A_SECOND
                    yield self._live(session, lm, live, n_most, charts)
                if session.stop.is_set():
                    break
        finally:
            # Closing ends decoding; what was recorded stays, also when the visitor left.
            steps.close()
            if live is not None:
                kept = recorder.kept_cache()
                session.take(recorder.trace, lm.name, kept, forked_from, form=form_as_typed(form))
        stopped = session.stop.is_set() and live is not None
        note = session.text("note.stopped", n=live.n_steps) if stopped else ""
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
                recorder = self._decoder.recorder(MEMORY_BUDGET)
                steps = self._decoder.stream(lm, asked[0] if len(asked) == 1 else list(asked), settings, recorder)
                yield from self._decode(session, lm, recorder, steps, settings.max_new_tokens, form=form)

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
                recorder = self._decoder.recorder(MEMORY_BUDGET)
                steps = self._decoder.stream_fork(
                    source.trace, lm, recorder, step=step, token_id=None, row=at.row, settings=tried.settings,
                    kept=source.kept,
                )  # fmt: skip
                yield from self._decode(session, lm, recorder, steps, None, source)

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
