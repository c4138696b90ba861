"""Whatever decodes on the page: runs, forks, re-runs and verify; one at a time uses the model."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from typing import Any

import gradio as gr

from decoding.errors import DecodingError, NotRecordedError, PromptError
from decoding.models.load import LanguageModel
from decoding.parameters.acting import model_defaults
from decoding.recorded.run import Step
from decoding.recorder import Recorder
from decoding.trace import Trace

from ..components import ForkPanel, Gallery, Lab, Message, Notes, Share, Status, Verdict, WhatIfPanel
from ..form import prompt_of, settings_of, with_length
from ..runs import Run
from ..serving.decoder import Decoder
from ..serving.model_shelf import ModelShelf, ModelState
from ..session.at import At
from ..session.drafts import form_as_typed
from ..session.session import Session
from ..session.whatif import Trial
from ..sheets.frame import message_json, model_status, running_status, waiting_status
from ..sheets.share import share_json
from ..sheets.verdict import busy_json, verdict_json
from .live_beams import LiveBeams
from .live_tokens import LiveRow
from .updates import field, run_in_view
from .whatif import Trying

__all__ = ["Running", "model_name_of"]

log = logging.getLogger(__name__)

UPDATES_A_SECOND = 30  # Gradio has no back-pressure
CHARTS_A_SECOND = 3
MEMORY_BUDGET = 512 * 2**20  # of one visitor's trace; the rest goes to disk


class Running(Trying):
    """Handlers that use the model; `shelf` is shared by all visitors, the `Session` is one visitor's."""

    RUN = (
        "token_row", "beam_tree", "beam_step", "whatif", "waterfall", "cutoff", "lab", "fork", "runs", "facts", "notes",
        "verdict", "gallery", "share", "message", "status", "run", "stop", "verify",
    )  # fmt: skip

    WAIT = ("status", "run", "stop")
    REFUSED = (*WAIT, "verify", "message")

    def __init__(self, shelf: ModelShelf, space: str = "") -> None:
        self._shelf, self._space = shelf, space
        self._decoder = Decoder(shelf.limits)
        self._turn: Session | None = None  # whose run it is: one at a time uses the model

    @property
    def default_model(self) -> str:
        """The name of the model that a visitor gets without asking."""
        return self._shelf.default

    def at_hand(self, name: str) -> bool:
        """Whether the model of this name is the default one, or loaded already."""
        return name == self._shelf.default or self._shelf.state(name).phase == "ready"

    def wait(self, session: Session) -> list[Any]:
        """Says at once that another visitor's run comes first; Stop calls off what was asked for."""
        if self._turn in (None, session):
            return [gr.skip()] * len(self.WAIT)
        session.stop.clear()
        session.waiting = True
        status = waiting_status(session.model_name or self._shelf.default, session.text)
        return [Status(data=status), gr.update(interactive=False), gr.update(interactive=True)]

    def in_view(self, session: Session) -> dict[str, Any]:
        """Everything that shows the run in view, and the link to it."""
        return run_in_view(session) | {"share": self.share(session)}

    def share(self, session: Session) -> Share:
        """The share bar for the run in view."""
        data = share_json(
            session.trace, session.text, form=session.trial.recorded_form, default_model=self._shelf.default,
            space=self._space, gallery=session.example, chosen_lang=session.chosen_lang,
        )  # fmt: skip
        return Share(data=session.here.told(data))

    def refused(self, session: Session) -> list[Any]:
        """What was asked for could not even wait: too many visitors do already. It can be asked for again."""
        session.waiting = False
        changes = {
            "status": self._status(session), "stop": gr.update(interactive=session.running),
            "run": gr.update(interactive=not session.running), "verify": gr.update(interactive=not session.running),
            "message": Message(data=message_json(session.text("error.queue"), session.text)),
        }  # fmt: skip
        return [changes[name] for name in self.REFUSED]

    def wait_to_verify(self, session: Session) -> Any:
        """The same for Verify, which cannot be called off."""
        if self._turn in (None, session):
            return gr.skip()
        return Status(data=waiting_status(session.runs.active.model_name, session.text))

    def stop(self, session: Session) -> None:
        """Asks the run to end after its current token."""
        session.stop.set()

    def run(
        self, session: Session, model: str, kind: str, prompt: str, system: str, form: str
    ) -> Iterator[list[Any]]:
        """Records a run and shows it as it comes; what was in view stays when it cannot begin."""

        def record() -> Iterator[list[Any]]:
            asked, _ = prompt_of(kind, prompt, system, session.text), settings_of(form)  # before a model is loaded
            lm = yield from self._load(session, model_name_of(model, self._shelf.default))
            if lm is not None:
                settings = with_length(settings_of(form, model_defaults(lm.model)))
                recorder = self._decoder.recorder(MEMORY_BUDGET)
                steps = self._decoder.stream(lm, asked, settings, recorder)
                yield from self._decode(session, lm, recorder, steps, settings.max_new_tokens, form=form)

        yield from self._guarded(session, record())

    def fork(self, session: Session, event: gr.EventData) -> Iterator[list[Any]]:
        """Takes another token at the step in view and decodes on from there; the new run comes beside the first."""
        token_id, at = field(event, "token_id"), At.read(field(event, "about"))

        def record() -> Iterator[list[Any]]:
            source = self._meant(session, at)
            lm = yield from self._load(session, source.model_name)
            if lm is not None:
                recorder = self._decoder.recorder(MEMORY_BUDGET)
                steps = self._decoder.stream_fork(
                    source.trace, lm, recorder, step=at.step, token_id=token_id, row=at.row,
                    rank=_rank(source.trace, at, token_id), kept=source.kept,
                )  # fmt: skip
                yield from self._decode(session, lm, recorder, steps, None, source)

        yield from self._guarded(session, record())

    @staticmethod
    def _meant(session: Session, at: At | None) -> Run:
        """The run that an event means, though another one may have come into view since.

        Raises:
            NotRecordedError: it is not kept, or does not have the step.
        """
        run = None if at is None else session.runs.get(at.run)
        n_steps, n_rows = (0, 0) if run is None else (len(run.trace.steps), run.trace.n_rows)
        if run is None or at.step >= max(1, n_steps) or at.row >= max(1, n_rows):
            raise NotRecordedError(session.text("error.run_gone"))
        return run

    def _guarded(self, session: Session, body: Iterator[list[Any]]) -> Iterator[list[Any]]:
        """Runs what decodes, with Stop in reach, and turns failures into a message."""
        text, before = session.text, session.trace
        if session.waiting and session.stop.is_set():
            session.waiting = False
            yield self._out(status=self._status(session), **self._free())
            return
        session.stop.clear()
        session.running, session.waiting, self._turn = True, False, session
        try:
            yield self._out(
                run=gr.update(interactive=False), stop=gr.update(interactive=True), fork=ForkPanel(data="null"),
                whatif=WhatIfPanel(data="null"), message=Message(data="null"), verify=gr.update(interactive=False),
            )  # fmt: skip
            yield from body
        except DecodingError as error:
            yield from self._failed(session, str(error), error.trace or before)
        except GeneratorExit:
            raise
        except Exception as error:
            log.exception("a run failed")
            yield from self._failed(session, text("error.bug", kind=type(error).__name__), before)
        finally:
            session.running, session.waiting, self._turn = False, False, None
        yield self._out(**self._free())

    @staticmethod
    def _free() -> dict[str, Any]:
        """The buttons while nothing runs."""
        return {
            "run": gr.update(interactive=True), "stop": gr.update(interactive=False),
            "verify": gr.update(interactive=True),
        }  # fmt: skip

    def _load(self, session: Session, name: str) -> Generator[list[Any], None, LanguageModel | None]:
        """The model, once it is ready; None when the visitor stopped meanwhile."""
        lm = None
        for state in self._shelf.loading(name):
            session.model_name = name
            yield self._out(status=Status(data=model_status(state, session.text)))
            lm = _loaded(state)
            if session.stop.is_set():  # it goes on loading, for whoever asks next
                session.model_name = session.runs.active.model_name
                yield self._out(status=self._status(session))
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
    ) -> Iterator[list[Any]]:
        live: LiveRow | LiveBeams | None = None
        due, charts_due = 0.0, 0.0
        try:
            yield self._out(status=Status(data=waiting_status(lm.name, session.text, device=str(lm.device))))
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
        yield self._out(
            **self.in_view(session),
            message=Message(data=message_json(note, session.text, "note")),
            status=Status(
                data=model_status(ModelState(name=lm.name, phase="ready", lm=state.lm or lm), session.text)
            ),
        )

    def _live(
        self, session: Session, lm: LanguageModel, live: LiveRow | LiveBeams, of: int | None, charts: bool
    ) -> list[Any]:
        """What changed since the last update: tokens, and now and then the charts of the newest step."""
        status = running_status(lm.name, str(lm.device), live.n_steps, of, session.text)
        begins = not session.growing
        changes = live.changes(charts)
        if begins and session.growing:  # nothing that is left on the page may speak of the run before
            changes |= {
                "verdict": Verdict(data="null"), "lab": Lab(data="null"), "notes": Notes(data="null"),
                "gallery": Gallery(data=session.gallery()), "share": self.share(session),
            }  # fmt: skip
        return self._out(**changes, status=Status(data=status))

    def _failed(self, session: Session, message: str, trace: Trace | None) -> Iterator[list[Any]]:
        """The message, with what was recorded before, or else the run before."""
        if trace is not None and trace.steps and trace.store is not session.trace.store:
            session.take(trace, trace.model.name)
        yield self._out(
            **self.in_view(session), **self._free(),
            message=Message(data=message_json(message, session.text)),
            status=self._status(session),
        )  # fmt: skip

    def _out(self, **changes: Any) -> list[Any]:
        return [changes.get(name, gr.skip()) for name in self.RUN]

    def again(self, session: Session, event: gr.EventData) -> Iterator[list[Any]]:
        """The prompt of the run in view once more, under the settings tried: those that the click carries."""
        at, form = At.read(field(event, "about")), field(event, "form")

        def record() -> Iterator[list[Any]]:
            source = self._meant(session, at)
            trace, tried = source.trace, self._tried(source, form)
            asked = trace.prompts if trace.messages is None else trace.messages
            if not asked:
                raise PromptError(session.text("whatif.no_model"))
            settings = with_length((tried.whatif or tried.recorded).settings, trace.most_new_tokens)
            lm = yield from self._load(session, source.model_name)
            if lm is not None:
                recorder = self._decoder.recorder(MEMORY_BUDGET)
                steps = self._decoder.stream(lm, asked[0] if len(asked) == 1 else list(asked), settings, recorder)
                yield from self._decode(session, lm, recorder, steps, settings.max_new_tokens, form=form)

        yield from self._guarded(session, record())

    def onward(self, session: Session, event: gr.EventData) -> Iterator[list[Any]]:
        """Keeps the tokens before the parting, and decodes on from there under the settings that the click carries."""
        at, form = At.read(field(event, "about")), field(event, "form")

        def record() -> Iterator[list[Any]]:
            source = self._meant(session, at)
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

    def _tried(self, source: Run, form: Any) -> Trial:
        """The settings that an event carries, tried on the run that it means."""
        trial = Trial(source.trace, source.form)
        trial.try_out(form, self._tokenizer(source))
        return trial

    def _status(self, session: Session) -> Status:
        """The chip: the model that the visitor last asked for."""
        state = self._shelf.state(session.model_name or self._shelf.default)
        return Status(data=model_status(state, session.text))

    # -- verifying

    def verify(self, session: Session, meant: Any) -> Iterator[list[Any]]:
        """Runs generate() again and says whether it gives the same, of the run that was in view when it was asked."""
        text = session.text
        busy, done = gr.update(interactive=False), gr.update(interactive=True)
        self._turn = session
        try:
            run = self._meant(session, At.read(meant))
            yield [Verdict(data=busy_json(text)), Message(data="null"), gr.skip(), busy]
            lm = None
            for state in self._shelf.loading(run.model_name):
                session.model_name = state.name
                yield [gr.skip(), gr.skip(), Status(data=model_status(state, text)), gr.skip()]
                lm = _loaded(state)
            found = self._decoder.verify(run.trace, lm)
            session.runs.judge(run.number, lambda text: verdict_json(found, text))
            yield [Verdict(data=session.verdict()), gr.skip(), gr.skip(), done]
        except DecodingError as error:
            yield [Verdict(data=session.verdict()), Message(data=message_json(str(error), text)), gr.skip(), done]
        except Exception as error:
            log.exception("verify failed")
            message = Message(data=message_json(text("error.bug", kind=type(error).__name__), text))
            yield [Verdict(data=session.verdict()), message, gr.skip(), done]
        finally:
            self._turn = None


def _rank(trace: Trace, at: At, token_id: Any) -> int | None:
    """The candidate that a fork takes: the one in view if it has that token, else none of those recorded."""
    if trace.ledger is None or at.rank is None:
        return None
    here = (c for c in trace.steps[at.step].candidates if c.parent == at.row and c.rank == at.rank)
    return next((c.rank for c in here if c.token_id == token_id), None)


def _loaded(state: ModelState) -> LanguageModel | None:
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
