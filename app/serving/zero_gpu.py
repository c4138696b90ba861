"""Decoding on a Space that borrows a GPU for each run (ZeroGPU): `decoding`'s functions, carried out by a worker.

The worker is a fork of this process. Only what can be pickled passes between the two, what the worker changes here is
not seen, and of its errors only a `gr.Error` would be; so it sends every step as bytes, and its errors as values, and
this side puts the trace together from them. The model stays on the CPU here; the worker moves its own copy to the GPU.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import gradio as gr
import safetensors.torch
import spaces  # before anything can touch CUDA
import torch

from decoding.errors import DecodingError, RecordingError
from decoding.fork import stream_fork as stream_fork_here
from decoding.models.load import load_model as load_model_here
from decoding.parameters.acting import acting, model_defaults
from decoding.parameters.settings import Settings
from decoding.record import stream as stream_here
from decoding.recorded.ledger import Ledger
from decoding.recorded.run import Step
from decoding.recorded.step_store import MemoryStore
from decoding.recorder import Recorder as RecorderHere
from decoding.tokens.token_table import TokenTable
from decoding.trace import Trace, load_trace
from decoding.verify import verify as verify_here
from decoding.words import words

from .passing_files import passing_files

if TYPE_CHECKING:
    from decoding.models.load import LanguageModel
    from decoding.models.prompts import Prompt
    from decoding.verify import Verification

__all__ = ["Recorder", "load_model", "stream", "stream_fork", "verify"]

DEVICE = "ZeroGPU"  # what the page says of a model that is on a GPU only while it runs
LEDGER = "ledger."  # before the names of a beam step's arrays
# Seconds that are asked for: less gets a place in the queue sooner, too little breaks the run off.
START, A_STEP, A_ROW, MOST = 12.0, 0.06, 0.01, 120.0

_models: dict[str, LanguageModel] = {}  # by name; a worker inherits what was here when it was forked


def load_model(name: str, **how: Any) -> LanguageModel:
    """The model, on the CPU; see `decoding.models.load.load_model`."""
    return replace(load_model_here(name, device="cpu", **how), device=DEVICE)


# --- what goes over ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the worker is asked to decode, or to verify.

    Attributes:
        model: its name.
        memory_budget: see `Recorder`.
        n_steps, n_rows: at most; for the time that is asked for.
        prompt, settings: of a new run.
        fork: of a fork, the arguments of `stream_fork`, with a trace that has no scores.
        path: of a file with the trace to verify.
    """

    model: str
    memory_budget: int
    n_steps: int
    n_rows: int
    prompt: Any = None
    settings: Settings | None = None
    fork: dict[str, Any] | None = None
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the worker answers.

    Attributes:
        trace: as far as the run has come, without steps, scores and token texts; its ledger has no steps.
        step, arrays: the newest step and its arrays, those of its beams among them, as safetensors; None for none.
        error: why it broke off.
    """

    trace: Trace | None = None
    step: Step | None = None
    arrays: bytes = field(default=b"", repr=False)
    error: DecodingError | None = None


def seconds(order: Order) -> int:
    """How long the GPU is asked for: by the tokens and rows of the run."""
    return int(min(MOST, START + order.n_steps * (A_STEP + A_ROW * order.n_rows)))


# --- the worker -------------------------------------------------------------------------------------------


@spaces.GPU(duration=seconds)
def _decode(order: Order) -> Iterator[bytes]:
    """The run, message by message; closing it stops decoding."""
    torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
    # Of its own: every worker is a copy of one process, whose random state would give all of them the same draws.
    recorder = RecorderHere(memory_budget=order.memory_budget, own_draws=True)
    steps = None
    try:
        lm = _here(order.model)
        steps = _steps(order, lm, recorder)
        for step in steps:
            yield pickle.dumps(_message(recorder.trace, step))
        yield pickle.dumps(_message(recorder.trace))
    except DecodingError as error:
        trace, error.trace = error.trace, None
        yield pickle.dumps(replace(_message(trace), error=error) if trace is not None else Message(error=error))
    finally:
        if steps is not None:
            steps.close()


@spaces.GPU(duration=seconds)
def _verify(order: Order) -> bytes:
    """The verification of the trace in a file, or why there is none."""
    torch.set_num_threads(1)
    try:
        return pickle.dumps(verify_here(load_trace(order.path), _here(order.model)))
    except DecodingError as error:
        error.trace = None
        return pickle.dumps(error)


def _here(name: str) -> LanguageModel:
    """The worker's own copy of the model, on the GPU; loaded from disk where the worker is older than the model."""
    lm = _models.get(name) or load_model_here(name, device="cpu")
    if torch.cuda.is_available():
        lm.model.to("cuda")
    _models[name] = lm = replace(lm, device=str(lm.model.device))
    return lm


def _steps(order: Order, lm: LanguageModel, recorder: RecorderHere) -> Generator[Step, None, Any]:
    if order.fork is None:
        return stream_here(lm, order.prompt, order.settings, recorder)
    vocab_size = lm.model.config.get_text_config().vocab_size
    trace = replace(order.fork["trace"], tokens=TokenTable.from_tokenizer(lm.tokenizer, vocab_size))
    return stream_fork_here(**{**order.fork, "trace": trace}, lm=lm, recorder=recorder)


def _message(trace: Trace, step: Step | None = None) -> Message:
    ledger = trace.ledger
    if ledger is not None:
        ledger = Ledger(n_prompts=ledger.n_prompts, n_beams=ledger.n_beams, reasons=list(ledger.reasons))
    bare = replace(trace, steps=(), store=None, tokens=None, ledger=ledger)
    if step is None:
        return Message(trace=bare)
    arrays = dict(trace.store.load(step.index))
    if trace.ledger is not None:
        arrays |= {LEDGER + name: array for name, array in trace.ledger.steps[step.index].items()}
    arrays = {name: array.contiguous() for name, array in arrays.items()}
    return Message(trace=bare, step=_bare(step), arrays=safetensors.torch.save(arrays))


def _bare(step: Step) -> Step:
    return replace(step, _store=None, _ledger=None)


# --- this side --------------------------------------------------------------------------------------------


class Recorder:
    """Puts together what a worker records; like `decoding.Recorder`, but nothing is kept for forks to reuse."""

    def __init__(self, *, memory_budget: int, own_draws: bool = True) -> None:
        self.memory_budget = memory_budget  # the draws are the worker's own anyway
        self._tokens: TokenTable | None = None
        self._bare: Trace | None = None
        self._begin()

    def _begin(self) -> None:
        self._steps: list[Step] = []
        self._store = MemoryStore(self.memory_budget)
        self._ledger: Ledger | None = None

    @property
    def trace(self) -> Trace:
        """What has arrived so far.

        Raises:
            NotRecordedError: nothing has.
        """
        if self._bare is None:
            return RecorderHere().trace  # which says so
        return replace(
            self._bare, steps=tuple(self._steps), store=self._store, ledger=self._ledger, tokens=self._tokens
        )

    def kept_cache(self) -> None:
        """Nothing: it was on the GPU."""

    def follow(self, order: Order, tokens: TokenTable | None) -> Generator[Step, None, None]:
        """Yields the steps as they arrive; closing it stops the worker at its next step.

        Raises:
            DecodingError: as the worker met it; RecordingError: no GPU was to be had, or it was taken back.
        """
        self._tokens, self._bare = tokens, None
        self._begin()
        messages = _decode(order)
        try:
            for message in map(pickle.loads, messages):
                step = self._take(message)
                if message.error is not None:
                    raise message.error
                if step is not None:
                    yield step
        except GeneratorExit:
            self._end("user")
            raise
        except DecodingError as error:
            self._end("error")
            error.trace = None if self._bare is None else self.trace
            raise
        except gr.Error as error:
            self._end("error")
            raised = RecordingError(_words(error))
            raised.trace = None if self._bare is None else self.trace
            raise raised from error
        finally:
            messages.close()

    def _take(self, message: Message) -> Step | None:
        if message.trace is not None:
            self._bare = message.trace
            self._store.first_step = message.trace.first_step
            if self._ledger is None:
                self._ledger = message.trace.ledger
            else:  # the same object as before: by it the page knows that this is the same run
                self._ledger.reasons[:] = message.trace.ledger.reasons
        if message.step is None:
            return None
        arrays = safetensors.torch.load(message.arrays)
        beams = {name.removeprefix(LEDGER): arrays.pop(name) for name in list(arrays) if name.startswith(LEDGER)}
        if beams:
            self._ledger.steps.append(beams)
        self._store.append(arrays)
        self._steps.append(replace(message.step, _store=self._store, _ledger=self._ledger))
        return self._steps[-1]

    def _end(self, reason: str) -> None:
        """Marks the rows that were still open."""
        if self._bare is not None:
            reasons = tuple(reason if r == "running" else r for r in self._bare.stop_reasons)
            self._bare = replace(self._bare, stop_reasons=reasons)


def stream(
    lm: LanguageModel, prompt: Prompt, settings: Settings | None, recorder: Recorder
) -> Generator[Step, None, None]:
    """See `decoding.record.stream`; nothing is checked before the first step."""
    settings = settings or Settings()
    values = acting(model_defaults(lm.model), settings.given())
    order = Order(
        model=_remember(lm), memory_budget=recorder.memory_budget, prompt=prompt, settings=settings,
        n_steps=values.get("max_new_tokens") or values["max_length"], n_rows=_rows(values),
    )  # fmt: skip
    tokens = TokenTable.from_tokenizer(lm.tokenizer, lm.model.config.get_text_config().vocab_size)
    return recorder.follow(order, tokens)


def stream_fork(
    trace: Trace,
    lm: LanguageModel,
    recorder: Recorder,
    *,
    settings: Settings | None = None,
    kept: Any = None,
    **where: Any,
) -> Generator[Step, None, None]:
    """See `decoding.fork.stream_fork`; the prefix is computed again."""
    steps = tuple(_bare(step) for step in trace.steps)
    scoreless = replace(trace, steps=steps, store=None, tokens=None)
    values = acting(model_defaults(lm.model), trace.generation_config if settings is None else settings.given())
    order = Order(
        model=_remember(lm), memory_budget=recorder.memory_budget, n_steps=trace.most_new_tokens, n_rows=_rows(values),
        fork={"trace": scoreless, "settings": settings, **where},
    )  # fmt: skip
    return recorder.follow(order, trace.tokens)


def verify(trace: Trace, lm: LanguageModel, on_step: Any = None) -> Verification:
    """See `decoding.verify.verify`; the worker cannot let others go first.

    Raises:
        As there; RecordingError: no GPU was to be had, or it was taken back.
    """
    path = passing_files().new("run.trace")  # of a process that is killed the next one removes it
    try:
        trace.save(path)
        order = Order(
            model=_remember(lm), memory_budget=0, n_steps=len(trace.steps), n_rows=trace.n_rows, path=str(path)
        )
        answer = pickle.loads(_verify(order))
    except gr.Error as error:
        raise RecordingError(_words(error)) from error
    finally:
        path.unlink(missing_ok=True)
    if isinstance(answer, DecodingError):
        raise answer
    return answer


def _remember(lm: LanguageModel) -> str:
    """Leaves the model where a worker that is forked now finds it; the one before makes room."""
    if _models.get(lm.name) is not lm:
        _models.clear()
        _models[lm.name] = lm
    return lm.name


def _rows(values: dict[str, Any]) -> int:
    return max(values.get("num_beams") or 1, values.get("num_return_sequences") or 1)


def _words(error: gr.Error) -> str:
    """What ZeroGPU says, without the links in it."""
    said = re.sub(r"<[^>]*>", "", str(getattr(error, "message", error)))
    return words("the borrowed GPU failed: {said}; try again in a while, with fewer new tokens", said=said)
