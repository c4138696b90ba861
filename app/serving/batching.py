"""`Batcher`: the steps of runs that are under way at the same time, computed together. `Batchers`: one for each model.

Decoding reads all of a model's weights for every step, and reading them is what takes the time: a step for eight runs
costs little more than one for a single run. Each run gets a view of the model, which any loop, `generate()`'s too,
calls as it would the model itself. What it is called with waits a moment for the steps of the other runs and is
computed with them (`shared_forward`); what cannot be shared is computed alone, in turn (`turns`).

The tokens are those of a run alone, unless two are as close as the last bits, which may differ: a product of matrices
is summed in another order when it has more rows. So the trace of such a run says that its steps were shared
(`RecordedRun.shortcuts`), and `verify` what that comes to. A run that happens to be alone all the time has the very
bits that it has without a batcher.

Whoever decodes in several threads must have each run draw from a generator of its own, by a seed or `own_draws`:
torch's global random state is one for all threads, here as without a batcher.
"""

from __future__ import annotations

import copy
import functools
import logging
import os
import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

from decoding.errors import DecodingError
from decoding.recorder import is_out_of_memory

from .batchable import NotBatchableError, shared_forward_of
from .shared_forward import Part, SharedForward, part_of
from .turns import Call, Member, Turns

if TYPE_CHECKING:
    from decoding.models.load import LanguageModel
    from decoding.recorded.run import Step

__all__ = ["VARIABLE", "Batcher", "Batchers", "batching_wanted", "to_its_end"]

log = logging.getLogger(__name__)

VARIABLE = "DECODING_EXPLORER_BATCHING"
MOST_ROWS = 32  # more rows than that cost as much together as one after the other
WAIT = 0.006  # seconds; what a run does between two steps takes Python about half of it


def batching_wanted(*, public: bool) -> bool:
    """Whether runs of several visitors are to be computed together: on a public server, unless the variable decides.

    Raises:
        DecodingError: the variable is neither 0 nor 1.
    """
    said = os.environ.get(VARIABLE, "")
    if said not in ("", "0", "1"):
        raise DecodingError(
            "the variable {variable} must be 0 or 1, got {said!r}; unset it to have it on for the public page alone",
            variable=VARIABLE, said=said,
        )  # fmt: skip
    return said == "1" or (public and not said)


class Batcher:
    """Computes the steps of several runs of a model together.

    Args:
        lm: the model; neither it nor its model is changed.
        most_rows: of a shared pass; a run with more goes alone.
        wait: seconds that a step waits for the next run that is known to be on its way; see `Turns`.

    Raises:
        NotBatchableError: the model is of a kind for which this is not made, or a trial gave other numbers.
    """

    def __init__(self, lm: LanguageModel, *, most_rows: int = MOST_ROWS, wait: float = WAIT) -> None:
        self._shared: SharedForward | None = shared_forward_of(lm.model)
        self._lm = replace(lm)  # a copy: whoever keeps a batcher for a model must not keep the model alive with it
        self._most_rows = most_rows
        self._turns = Turns(self._compute, most=most_rows, wait=wait)

    def view(self, *, share: bool = True) -> LanguageModel:
        """The same language model for one run, whose forward passes are computed here.

        Args:
            share: False has each computed alone, in turn with the others'.
        """
        run = _Run(self._turns, share)
        return replace(self._lm, model=run.view_of(self._lm.model))

    def _compute(self, calls: list[Call]) -> None:
        """Carries out the calls of a round. What one of them breaks, the others do not notice."""
        shared = self._shared
        if len(calls) == 1 or shared is None:
            for call in calls:
                _alone(call)
            return
        try:
            results = shared([call.what.part for call in calls])
        except Exception as error:
            if is_out_of_memory(error):
                half = len(calls) // 2
                self._compute(calls[:half])
                self._compute(calls[half:])
                return
            for call in calls:
                _alone(call)
            if not any(call.error for call in calls):  # none of the runs is to blame
                log.exception("runs are computed one by one from here on: a shared step failed")
                self._shared = None
            return
        for call, result in zip(calls, results, strict=True):
            call.result = result
            call.what.run.n_shared_forwards += 1


class _Asked:
    """What a run's model was called with.

    Attributes:
        run: whose.
        compute: computes it alone, by the model itself.
        part: the same as a part of a shared pass, or None.
    """

    def __init__(self, run: _Run, compute: Callable[[], Any], part: Part | None) -> None:
        self.run, self.compute, self.part = run, compute, part


class _Run:
    """A run among others; a view of the model has it as `sharing`.

    Attributes:
        n_shared_forwards: passes that it shared with other runs.
    """

    def __init__(self, turns: Turns, share: bool) -> None:
        self._turns, self._share = turns, share
        self._member = Member()
        self.n_shared_forwards = 0

    def view_of(self, model: Any) -> Any:
        """A copy of the outermost module, whose passes take their turn; all that is inside is the model's."""

        @functools.wraps(model.forward)  # generate() looks at its signature
        def forward(*args: Any, **inputs: Any) -> Any:
            part = None if args or not self._share or not _is_plain_context() else part_of(inputs)
            return self._take(lambda: model(*args, **inputs), part)

        def get_compiled_call(*how: Any) -> Callable[..., Any]:
            call = model.get_compiled_call(*how)  # what is compiled is the model itself
            return lambda *args, **inputs: self._take(lambda: call(*args, **inputs), None)

        view = copy.copy(model)
        view.sharing, view.forward, view.get_compiled_call = self, forward, get_compiled_call
        return view

    def leave(self) -> None:
        """The run is over: nobody waits for its next step."""
        self._turns.leave(self._member)

    def _take(self, compute: Callable[[], Any], part: Part | None) -> Any:
        call = Call(
            self._member, 1 if part is None else part.n_rows, _Asked(self, compute, part), fits=part is not None
        )
        self._turns.take(call)
        if call.error is not None:
            raise call.error
        return call.result


def _alone(call: Call) -> None:
    try:
        call.result = call.what.compute()
    except BaseException as error:
        call.error = error


def _is_plain_context() -> bool:
    """Whether this thread computes as the one does that computes for it: without gradients and the like."""
    return not (torch.is_grad_enabled() or torch.is_inference_mode_enabled() or _autocasts())


def _autocasts() -> bool:
    return any(torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda"))


class Batchers:
    """A `Batcher` for each model that can have one, made when the model is first asked for.

    It keeps no model alive: one that nobody uses any more takes its batcher along.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: WeakKeyDictionary[LanguageModel, Batcher | None] = WeakKeyDictionary()

    def view(self, lm: LanguageModel, *, share: bool = True) -> LanguageModel:
        """See `Batcher.view`; the model itself where its runs cannot be computed together."""
        batcher = self.prepare(lm)
        return lm if batcher is None else batcher.view(share=share)

    def prepare(self, lm: LanguageModel) -> Batcher | None:
        """The model's batcher, after a trial of well under a second; None, and a line in the log, where it has none."""
        with self._lock:
            if lm not in self._of:
                try:
                    self._of[lm] = Batcher(lm)
                except NotBatchableError as error:
                    log.info("runs of %s are computed one by one: %s", lm.name, error)
                    self._of[lm] = None
            return self._of[lm]


def to_its_end(steps: Generator[Step, None, Any], lm: LanguageModel) -> Generator[Step, None, Any]:
    """The steps of a run with a view `lm`; when they end or are closed, the run has left the batch."""
    try:
        return (yield from steps)
    finally:
        sharing = getattr(lm.model, "sharing", None)
        if isinstance(sharing, _Run):
            sharing.leave()
