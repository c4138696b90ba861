"""What happens when a visitor does something. Every handler may be called with anything: see `_wire` in page.py."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from app.ask import form_of, prompt_of, settings_of
from app.components import (
    BeamStep,
    BeamTree,
    Chart,
    Facts,
    ForkPanel,
    Header,
    KnobPanel,
    Lab,
    Message,
    Notes,
    RunList,
    Status,
    TokenRow,
    Verdict,
    WhatIfPanel,
)
from app.live import LiveRow
from app.live_beams import LiveBeams
from app.runs import Run
from app.session import Session
from app.shelf import ModelShelf, ModelState
from app.text import Text, language_of
from app.words import header_json, knobs_json, message_json, model_status, running_status, waiting_status
from decoding.errors import DecodingError, PromptError
from decoding.fork import stream_fork
from decoding.models import LanguageModel
from decoding.record import stream
from decoding.recorder import Recorder
from decoding.settings import Settings
from decoding.trace import Step, Trace
from decoding.verify import CLOSE, verify

__all__ = ["Handlers"]

log = logging.getLogger(__name__)

UPDATES_A_SECOND = 30  # Gradio has no back-pressure
CHARTS_A_SECOND = 3
DEFAULT_NEW_TOKENS = 64  # where nothing was given; transformers' own 20 breaks most sentences off
MEMORY_BUDGET = 512 * 2**20  # of one visitor's trace; the rest goes to disk


class Handlers:
    """The page's handlers; `shelf` is shared by all visitors, the `Session` is one visitor's."""

    WORDED = (
        "header", "knobs", "model", "kind", "prompt", "system", "run", "stop", "verify", "facts", "token_row",
        "beam_tree", "beam_step", "whatif", "waterfall", "cutoff", "lab", "fork", "runs", "notes", "verdict", "message",
        "status",
    )  # fmt: skip
    RUN = (
        "token_row", "beam_tree", "beam_step", "whatif", "waterfall", "cutoff", "lab", "fork", "runs", "facts", "notes",
        "verdict", "message", "status", "run", "stop", "verify",
    )  # fmt: skip

    WAIT = ("status", "run", "stop")

    def __init__(self, shelf: ModelShelf) -> None:
        self._shelf = shelf
        self._turn: Session | None = None  # whose run it is: one at a time uses the model

    # -- opening the page, its language

    def open(self, session: Session, request: gr.Request) -> list[Any]:
        """Words in the visitor's language: the address's `?lang=`, else the browser's."""
        session.text = Text(
            language_of(request.query_params.get("lang"), request.headers.get("accept-language"))
        )
        return self._worded(session, "text" if session.trace.messages is None else "chat")

    def set_language(self, session: Session, kind: str, event: gr.EventData) -> list[Any]:
        """The page in another language; the run stays."""
        session.text = Text(str(_field(event, "lang")))
        return self._worded(session, kind)

    def _worded(self, session: Session, kind: str) -> list[Any]:
        text = session.text
        kind = kind if kind in ("text", "chat") else "text"
        kinds = [(text("ask.format.text"), "text"), (text("ask.format.chat"), "chat")]
        values = {
            "header": Header(data=header_json(text)),
            "knobs": KnobPanel(data=knobs_json(text)),
            "model": gr.update(label=text("ask.model"), info=text("ask.model.info")),
            "kind": gr.update(label=text("ask.format"), choices=kinds),
            "prompt": gr.update(label=text("ask.prompt"), info=text(f"ask.prompt.{kind}")),
            "system": gr.update(label=text("ask.system"), info=text("ask.system.info")),
            "run": gr.update(value=text("ask.run")),
            "stop": gr.update(value=text("ask.stop")),
            "verify": gr.update(value=text("ask.verify")),
            "status": self._status(session),
            "message": Message(data="null"),
            **_run_in_view(session),
        }
        return [values[name] for name in self.WORDED]

    def _status(self, session: Session) -> Status:
        """The chip: the model that the visitor last asked for."""
        state = self._shelf.state(session.model_name or self._shelf.default)
        return Status(data=model_status(state, session.text))

    def watch_model(self, session: Session, name: str) -> Iterator[Any]:
        """The state of the model until it is ready."""
        name = _model_name(name, self._shelf.default)
        before = None
        for state in self._shelf.loading(name) if name == self._shelf.default else ():
            if state != before and not session.running:
                yield Status(data=model_status(state, session.text))
            before = state

    # -- looking around in a run

    def choose_step(self, session: Session, value: Any) -> list[Any]:
        """The charts of the chosen step."""
        session.choose(value)
        try:
            charts = [Chart(data=session.waterfall()), Chart(data=session.cutoff())]
            return [*charts, ForkPanel(data=session.fork()), gr.skip()]
        except DecodingError as error:  # a step that was lost, because the disk was full
            return [gr.skip(), gr.skip(), gr.skip(), Message(data=message_json(str(error), session.text))]

    def choose_node(self, session: Session, value: Any) -> list[Any]:
        """What the page shows of a node of the beam tree; all of its prompt's tree where that is another one."""
        other_prompt = session.choose_node(value)
        if session.beams is None:
            return [gr.skip()] * 6
        tree = BeamTree(**session.beam_tree()) if other_prompt else BeamTree(words=session.beam_words())
        tables = BeamStep(data=session.beam_step())
        try:
            charts = [Chart(data=session.waterfall()), Chart(data=session.cutoff())]
            return [tree, tables, *charts, ForkPanel(data=session.fork()), gr.skip()]
        except DecodingError as error:  # a step that was lost, because the disk was full
            return [tree, tables, gr.skip(), gr.skip(), gr.skip(), Message(data=message_json(str(error), session.text))]

    def choose_table(self, session: Session, event: gr.EventData) -> Any:
        """Ledger, pool, or the sum of a hypothesis."""
        if session.beams is None:
            return gr.skip()
        session.beams.choose_table(_field(event, "tab"), _field(event, "place"))
        return BeamStep(data=session.beam_step())

    def choose_tab(self, session: Session, event: gr.EventData) -> Any:
        """The cut-off of the chosen rule."""
        session.tab = str(_field(event, "tab"))[:8]
        return Chart(data=session.cutoff())

    def look_closer(self, session: Session) -> Any:
        """The lab at the step in view; on its own, so that the charts need not wait for it."""
        try:
            return [Lab(data=session.lab()), self._answer(session, None)]
        except DecodingError:  # a lost step: the charts say so
            return [gr.skip(), gr.skip()]

    # -- what if

    def need_scores(self, session: Session, event: gr.EventData) -> Any:
        """The sorted scores of the step in view, for the page to compute from."""
        self._try_out(session, event)
        try:
            return WhatIfPanel(**session.whatif_scores(_field(event, "have")))
        except DecodingError:
            return gr.skip()

    def ask_whatif(self, session: Session, event: gr.EventData) -> list[Any]:
        """What transformers' processors make of the step and its row under the settings tried."""
        if session.running:
            return [gr.skip(), gr.skip()]
        self._try_out(session, event)
        try:
            return [self._answer(session, _field(event, "have")), gr.skip()]
        except DecodingError as error:
            return [gr.skip(), Message(data=message_json(str(error), session.text))]

    def show_whatif(self, session: Session) -> list[Any]:
        """Both charts and the lab under the settings tried; on its own, so that the answer need not wait for them."""
        if session.running:
            return [gr.skip()] * 3
        try:
            return [Chart(data=session.waterfall()), Chart(data=session.cutoff()), Lab(data=session.lab())]
        except DecodingError:  # the answer said so
            return [gr.skip()] * 3

    def _try_out(self, session: Session, event: gr.EventData) -> None:
        lm = self._shelf.state(session.runs.active.model_name).lm
        session.trial.try_out(_field(event, "form"), None if lm is None else lm.tokenizer)

    def _answer(self, session: Session, have: Any) -> Any:
        """The panel's update; only the step's name while nothing is being tried."""
        if session.trial.whatif is None and session.trial.error is None:
            return WhatIfPanel(at=session.at, answer="null")
        scores = session.whatif_scores(have) if session.trial.error is None else {"at": session.at}
        return WhatIfPanel(answer=session.whatif_answer(), **scores)

    def again(self, session: Session) -> Iterator[list[Any]]:
        """The prompt of the run in view once more, under the settings tried."""
        source, trace = session.runs.active, session.trace
        tried = session.trial.whatif or session.trial.recorded

        def record() -> Iterator[list[Any]]:
            asked = trace.prompts if trace.messages is None else trace.messages
            if not asked:
                raise PromptError(session.text("whatif.no_model"))
            settings = _with_length(tried.settings, trace.most_new_tokens)
            lm = yield from self._load(session, source.model_name)
            if lm is not None:
                recorder = Recorder(memory_budget=MEMORY_BUDGET)
                steps = stream(lm, asked[0] if len(asked) == 1 else list(asked), settings, recorder)
                yield from self._decode(session, lm, recorder, steps, settings.max_new_tokens)

        yield from self._guarded(session, record())

    def onward(self, session: Session) -> Iterator[list[Any]]:
        """Keeps the tokens before the parting, and decodes on from there under the settings tried."""
        source, row, tried = session.runs.active, session.row, session.trial.whatif

        def record() -> Iterator[list[Any]]:
            step = None if tried is None else tried.row_diverges_at[row]
            if step is None:
                return
            lm = yield from self._load(session, source.model_name)
            if lm is not None:
                recorder = Recorder(memory_budget=MEMORY_BUDGET)
                steps = stream_fork(
                    source.trace, lm, recorder, step=step, token_id=None, row=row, settings=tried.settings,
                    kept=source.kept,
                )  # fmt: skip
                yield from self._decode(session, lm, recorder, steps, None, source)

        yield from self._guarded(session, record())

    def choose_lab(self, session: Session, event: gr.EventData) -> list[Any]:
        """Another tab of the lab, or a wish within one."""
        session.lab_window.choose(event._data)
        try:
            return [Lab(data=session.lab()), gr.skip()]
        except DecodingError as error:
            return [gr.skip(), Message(data=message_json(str(error), session.text))]

    def choose_kind(self, session: Session, kind: str) -> list[Any]:
        """The hint under the prompt; the system message exists only in a chat."""
        kind = kind if kind in ("text", "chat") else "text"
        return [gr.update(info=session.text(f"ask.prompt.{kind}")), gr.update(visible=kind == "chat")]

    # -- running

    def wait(self, session: Session) -> list[Any]:
        """Says at once that another visitor's run comes first; Stop calls off what was asked for."""
        if self._turn in (None, session):
            return [gr.skip()] * len(self.WAIT)
        session.stop.clear()
        session.waiting = True
        status = waiting_status(session.model_name or self._shelf.default, session.text)
        return [Status(data=status), gr.update(interactive=False), gr.update(interactive=True)]

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
            asked, settings = prompt_of(kind, prompt, system, session.text), settings_of(form)
            settings = _with_length(settings, DEFAULT_NEW_TOKENS)
            lm = yield from self._load(session, _model_name(model, self._shelf.default))
            if lm is not None:
                recorder = Recorder(memory_budget=MEMORY_BUDGET)
                steps = stream(lm, asked, settings, recorder)
                yield from self._decode(session, lm, recorder, steps, settings.max_new_tokens)

        yield from self._guarded(session, record())

    def fork(self, session: Session, event: gr.EventData) -> Iterator[list[Any]]:
        """Takes another token at the step in view and decodes on from there; the new run comes beside the first."""
        token_id, source = _field(event, "token_id"), session.runs.active
        candidate = None if session.beams is None else session.beams.candidate
        rank = candidate.rank if candidate is not None and candidate.token_id == token_id else None

        def record() -> Iterator[list[Any]]:
            step, row = session.step, session.row
            lm = yield from self._load(session, source.model_name)
            if lm is not None:
                recorder = Recorder(memory_budget=MEMORY_BUDGET)
                steps = stream_fork(
                    source.trace, lm, recorder, step=step, token_id=token_id, row=row, rank=rank, kept=source.kept
                )
                yield from self._decode(session, lm, recorder, steps, None, source)

        yield from self._guarded(session, record())

    def pick(self, session: Session, event: gr.EventData) -> list[Any]:
        """Brings one of the runs into view."""
        run = session.runs.pick(_field(event, "number"))
        if run.trace is not session.trace and not session.running:
            session.show(run.trace)
        changes = {**_run_in_view(session), "knobs": KnobPanel(value=form_of(session.trial.trace.settings))}
        return [changes.get(name, gr.skip()) for name in (*self.RUN, "knobs")]

    def _guarded(self, session: Session, body: Iterator[list[Any]]) -> Iterator[list[Any]]:
        """Runs what decodes, with Stop in reach, and turns failures into a message."""
        text, before = session.text, session.trace
        if session.waiting and session.stop.is_set():
            session.waiting = False
            yield self._out(status=self._status(session), run=gr.update(interactive=True),
                            stop=gr.update(interactive=False))  # fmt: skip
            return
        session.stop.clear()
        session.running, session.waiting, self._turn = True, False, session
        try:
            yield self._out(
                run=gr.update(interactive=False), stop=gr.update(interactive=True), fork=ForkPanel(data="null"),
                whatif=WhatIfPanel(data="null"), message=Message(data="null"),
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
        yield self._out(run=gr.update(interactive=True), stop=gr.update(interactive=False))

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
                live.keep()
                session.remember(lm.name, recorder.kept_cache(), forked_from)
        stopped = session.stop.is_set() and live is not None
        note = session.text("note.stopped", n=live.n_steps) if stopped else ""
        state = self._shelf.state(lm.name)
        yield self._out(
            **_run_in_view(session),
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
        more: dict[str, Any] = {"status": Status(data=status)}
        if live.is_first:
            more |= {"verdict": Verdict(data="null"), "facts": Facts(data=live.facts())}
        return self._out(**live.changes(charts), **more)

    def _failed(self, session: Session, message: str, trace: Trace | None) -> Iterator[list[Any]]:
        """The message, with what was recorded before, or else the run before."""
        if trace is not None and trace.steps and trace is not session.trace:
            session.show(trace)
            session.remember(trace.model.name, None, None)
        yield self._out(
            **_run_in_view(session),
            message=Message(data=message_json(message, session.text)),
            status=self._status(session),
            run=gr.update(interactive=True),
            stop=gr.update(interactive=False),
        )

    def _out(self, **changes: Any) -> list[Any]:
        return [changes.get(name, gr.skip()) for name in self.RUN]

    # -- verifying

    def verify(self, session: Session) -> Iterator[list[Any]]:
        """Runs generate() again and says whether it gives the same."""
        text, trace = session.text, session.trace
        busy = gr.update(interactive=False)
        self._turn = session
        try:
            yield [Verdict(data=_verdict(text("verify.busy"), "busy")), Message(data="null"), gr.skip(), busy]
            lm = None
            for state in self._shelf.loading(session.runs.active.model_name):
                session.model_name = state.name
                yield [gr.skip(), gr.skip(), Status(data=model_status(state, text)), gr.skip()]
                lm = _loaded(state)
            data = _verification(verify(trace, lm), text)
            yield [Verdict(data=data), gr.skip(), gr.skip(), gr.update(interactive=True)]
        except DecodingError as error:
            message = Message(data=message_json(str(error), text))
            yield [Verdict(data="null"), message, gr.skip(), gr.update(interactive=True)]
        except Exception as error:
            log.exception("verify failed")
            message = Message(data=message_json(text("error.bug", kind=type(error).__name__), text))
            yield [Verdict(data="null"), message, gr.skip(), gr.update(interactive=True)]
        finally:
            self._turn = None


def _run_in_view(session: Session) -> dict[str, Any]:
    """Everything that shows the session's trace."""
    return {
        "token_row": TokenRow(**session.token_row()),
        "beam_tree": BeamTree(**session.beam_tree()),
        "beam_step": BeamStep(data=session.beam_step()),
        "whatif": WhatIfPanel(**session.whatif_panel()),
        "waterfall": Chart(data=session.waterfall()),
        "cutoff": Chart(data=session.cutoff()),
        "lab": Lab(data=session.lab()),
        "fork": ForkPanel(data=session.fork()),
        "runs": RunList(data=session.run_list()),
        "facts": Facts(data=session.facts()),
        "notes": Notes(data=session.notes()),
        "verdict": Verdict(data="null"),
    }


def _with_length(settings: Settings, n: int) -> Settings:
    """The settings with a length limit: `n` new tokens where they have none."""
    if settings.max_new_tokens is not None or settings.max_length is not None:
        return settings
    return replace(settings, max_new_tokens=n)


def _loaded(state: ModelState) -> LanguageModel | None:
    """The model once it is ready.

    Raises:
        DecodingError: it could not be loaded.
    """
    if state.error is not None:
        raise state.error
    return state.lm


def _model_name(name: Any, default: str) -> str:
    return str(name or "").strip()[:500] or default


def _field(event: gr.EventData, name: str) -> Any:
    """A field of event data, which anyone can send: None where it is missing."""
    data = event._data if isinstance(event._data, dict) else {}
    return data.get(name)


def _verdict(message: str, kind: str, **more: Any) -> str:
    return json.dumps({"text": message, "kind": kind, **more}, ensure_ascii=False)


def _verification(verification: Any, text: Text) -> str:
    """The verdict's `data`."""
    rows = [
        (check.name, text("verify.yes") if check.equal else text("verify.no"), check.detail or "")
        for check in verification.checks
    ]
    head = (text("verify.table.what"), text("verify.table.equal"), text("verify.table.detail"))
    table = {"caption": text("verify.table"), "head": head, "rows": rows}
    kind = "good" if verification.equal else "bad"
    if not verification.equal:
        key = "verify.unequal"
    elif verification.against != "generate()":
        key = "verify.equal.own_loop"
    else:
        key = "verify.equal" if verification.bitwise else "verify.equal.close"
    return _verdict(text(key, within=CLOSE), kind, table=table, table_label=text("verify.table"))
