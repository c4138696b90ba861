"""Call: one way in which people call `generate()`, plainly and with a Recorder, and what must come of it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from decoding import DecodingError, Recorder, Trace
from tests.drop_in.same import assert_same

__all__ = ["MODES", "Call", "Outcome", "Request", "answer", "compare", "record_call"]

MODES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "sample": {"do_sample": True, "top_k": 20, "temperature": 0.8},
    "beam": {"num_beams": 3},
    "beam_sample": {"num_beams": 3, "do_sample": True, "top_k": 20, "temperature": 0.8},
}
ONE_ROW = ("greedy", "sample")
BEAMS = ("beam", "beam_sample")
ASK_FOR = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}
SEED = 11


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments of one call, made afresh for each: processors, criteria and caches keep a state.

    Attributes:
        model: whose forward calls are counted.
        kwargs: what is given to `generate`, or to `through`.
        through: called instead of `model.generate`, for instance a pipeline.
        recorder: the arguments of `Recorder`.
        within: a context to call in, for instance autocast.
        after: looks at what a call left behind; what it returns is compared, too.
        verify: what `verify` is given besides the trace and the model.
    """

    model: Any
    kwargs: dict[str, Any]
    through: Callable[..., Any] | None = None
    recorder: dict[str, Any] = field(default_factory=dict)
    within: Callable[[], Any] = contextlib.nullcontext
    after: Callable[[], Any] = lambda: None
    verify: dict[str, Any] = field(default_factory=dict)

    def run(self, **extra: Any) -> Any:
        """The answer of `generate()` and what `after` says of it, from the same random state each time."""
        with self.within():
            torch.manual_seed(SEED)
            answered = (self.through or self.model.generate)(**self.kwargs, **extra)
            return answered, torch.get_rng_state(), self.after()


@dataclass(frozen=True, kw_only=True)
class Call:
    """A named call and what must come of it: the same bits, unless it is said otherwise.

    Attributes:
        make: the call's arguments, from those of the mode.
        modes: the names of `MODES` in which it is made.
        refused: a pattern of the error that must come in place of the plain call's answer, before any decoding.
        refused_in: the modes in which it is refused; in the others the bits must be the same.
        or_equal: the same bits are right, too, where it could be refused.
        plain_fails: modes in which plain `generate()` raises; then the Recorder must raise the same or say why.
        snapshots: a processor writes into tensors that `generate()` returns, so the plain answer's scores are not
            those that the tokens were chosen from; these are taken from a plain run whose processors cannot.
        needs: a package, or a program, without which the call cannot be made.
        returns_scores: the answer holds `generate`'s output object (a pipeline's does not).
    """

    name: str
    make: Callable[[dict[str, Any]], Request]
    modes: tuple[str, ...] = tuple(MODES)
    refused: str | None = None
    refused_in: tuple[str, ...] = tuple(MODES)
    or_equal: bool = False
    plain_fails: tuple[str, ...] = ()
    snapshots: bool = False
    needs: str | None = None
    returns_scores: bool = True
    slow: bool = False

    def request(self, mode: str) -> Request:
        """The arguments for a mode, made afresh."""
        return self.make({"max_new_tokens": 6, **MODES[mode], **(ASK_FOR if self.returns_scores else {})})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a call: `equal`, `refused` or `plain fails`, and the trace where one was recorded."""

    what: str
    reason: str = ""
    trace: Trace | None = None


class Snapshot(LogitsProcessor):
    """A processor that neither sees nor gives a tensor that anybody else has."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return self.inner(input_ids, scores.clone()).clone()


def compare(call: Call, mode: str) -> Outcome:
    """Makes the call plainly and with a Recorder, and compares the two.

    Raises:
        AssertionError: they differ, or an error is none that a user can mend.
    """
    plain, error = answer(call.request(mode))
    if mode in call.plain_fails:
        assert error is not None, "plain generate() does take this call"
    elif error is not None:
        raise AssertionError(f"plain generate() does not take this call: {error!r}") from error
    request, recorder = call.request(mode), None
    calls: list[int] = []
    hook = request.model.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        recorder = Recorder(**request.recorder)
        got = request.run(custom_generate=recorder)
    except Exception as err:
        return _judged(call, mode, error, err, decoded=bool(calls))
    finally:
        hook.remove()
    assert error is None, f"plain generate() refuses this call ({error!r}), the Recorder answers it"
    refusable = call.refused is not None and mode in call.refused_in
    assert not refusable or call.or_equal, f"this call must be refused ({call.refused})"
    assert_same(got, plain)
    if call.returns_scores:
        truth, _ = answer(_snapshots(call.request(mode))) if call.snapshots else (plain, None)
        _assert_recorded(recorder.trace, truth[0])
    return Outcome(what="equal", trace=recorder.trace)


def record_call(call: Call, mode: str) -> tuple[Trace, Request]:
    """The trace of a call, and the same arguments made afresh."""
    request = call.request(mode)
    recorder = Recorder(**request.recorder)
    request.run(custom_generate=recorder)
    return recorder.trace, call.request(mode)


def answer(request: Request) -> tuple[Any, Exception | None]:
    """What a plain call answers, or the error it raises."""
    try:
        return request.run(), None
    except Exception as err:
        return None, err


def _judged(call: Call, mode: str, plain: Exception | None, err: Exception, *, decoded: bool) -> Outcome:
    """An error of the recorded call: right where the plain call fails, or where it must be refused."""
    if plain is not None:
        same = type(err) is type(plain) and str(err) == str(plain)
        if not same and not isinstance(err, DecodingError):
            raise AssertionError(f"plain generate() raises {plain!r}, the Recorder {err!r}") from err
        return Outcome(what="plain fails", reason=str(err))
    if call.refused is None or mode not in call.refused_in or not isinstance(err, DecodingError):
        raise AssertionError(f"plain generate() takes this call, the Recorder raises {err!r}") from err
    assert re.search(call.refused, str(err)), f"{err} does not say {call.refused}"
    assert not decoded, "refused only after decoding had begun"
    return Outcome(what="refused", reason=str(err))


def _snapshots(request: Request) -> Request:
    """The same call, whose processors share no memory with anybody."""
    wrapped = LogitsProcessorList([Snapshot(p) for p in request.kwargs["logits_processor"]])
    request.kwargs["logits_processor"] = wrapped
    return request


def _assert_recorded(trace: Trace, plain: Any) -> None:
    """The trace's tokens, logits and final scores are those of the plain answer."""
    assert torch.equal(trace.sequences, plain.sequences.cpu())
    if plain.scores is None:
        return
    assert len(trace.steps) == len(plain.scores)
    for t, (logits, scores) in enumerate(zip(plain.logits, plain.scores, strict=True)):
        for row in range(trace.n_rows):
            for stage, theirs in ((0, logits), (-1, scores)):
                expected = _over_the_vocabulary(theirs[row], trace.model.vocab_size)
                assert_same(trace.scores(step=t, row=row, stage=stage), expected, f"step {t}, row {row}, stage {stage}")


def _over_the_vocabulary(scores: torch.Tensor, n_tokens: int) -> torch.Tensor:
    """Scores [n] as a trace holds them, float32: tokens that a processor left out can no longer be chosen."""
    scores = scores.as_subclass(torch.Tensor).float()
    missing = max(0, n_tokens - scores.shape[0])
    return torch.nn.functional.pad(scores, (0, missing), value=-float("inf"))
