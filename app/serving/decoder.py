"""`Decoder`: where runs are decoded, and within which bounds; the only place that knows of ZeroGPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from decoding.models.prompts import encode_prompt
from decoding.parameters.acting import model_defaults

from . import limits
from . import line as lines
from .batching import to_its_end
from .bounds import bounds_here
from .line import Line
from .operation import operation

if TYPE_CHECKING:
    from decoding.models.load import LanguageModel
    from decoding.models.prompts import Prompt
    from decoding.parameters.settings import Settings
    from decoding.recorded.run import Step
    from decoding.recorder import Recorder
    from decoding.trace import Trace
    from decoding.verify import Verification

    from .batching import Batchers
    from .limits import Limits

__all__ = ["Decoder", "load_model", "new_line", "on_zero_gpu"]


def on_zero_gpu() -> bool:
    """Whether this is a Space that borrows a GPU for each run."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")  # as the package `spaces` asks


if on_zero_gpu():
    from .zero_gpu import Recorder as _Recorder
    from .zero_gpu import load_model, stream, stream_fork, verify
else:
    from decoding.fork import stream_fork
    from decoding.models.load import load_model
    from decoding.record import stream
    from decoding.recorder import Recorder as _Recorder
    from decoding.verify import verify


def new_line(together: int = 1) -> Line:
    """The line of those who use this process's models; where a GPU is borrowed for each run, one has it at a time.

    Args:
        together: runs that may be in a step at the same time, because something computes their steps together.
    """
    most = bounds_here().queue_length
    if on_zero_gpu():
        return Line(at_once=1, behind=False, most_waiting=most)
    return Line(at_once=max(lines.AT_ONCE, together), seats=together, most_waiting=most)


class Decoder:
    """`decoding`'s `stream`, `stream_fork` and `verify`, each after a look at the bounds.

    Args:
        limits: what a run may take.
        batchers: computes the steps of runs that are under way at the same time together. One object for all that
            decode on this server; None computes each alone. A GPU that is borrowed for each run is never shared.
    """

    def __init__(self, limits: Limits = limits.NONE, batchers: Batchers | None = None) -> None:
        self.limits, self._batchers = limits, None if on_zero_gpu() else batchers

    def _one_of_many(self, lm: LanguageModel, *, share: bool = True) -> LanguageModel:
        """The model for one run: where runs are computed together, a view of it (see `Batcher.view`)."""
        return lm if self._batchers is None else self._batchers.view(lm, share=share)

    def recorder(self, memory_budget: int) -> Recorder:
        """One for the next run, whose draws are its own: others take their steps between its steps."""
        return _Recorder(memory_budget=memory_budget, own_draws=True)

    def stream(
        self, lm: LanguageModel, prompt: Prompt, settings: Settings, recorder: Recorder
    ) -> Generator[Step, None, Any]:
        """See `decoding.record.stream`.

        Raises:
            As there; SettingError, PromptError: it is more than a run may take.
        """
        if self.limits != limits.NONE:
            given, defaults = settings.given(), model_defaults(lm.model)
            self.limits.check(given, defaults)  # before a batch of a thousand prompts is read
            n_prompts, length = encode_prompt(lm, prompt).input_ids.shape
            self.limits.check(given, defaults, n_prompts=n_prompts, length=length)
        lm = self._one_of_many(lm)
        steps = to_its_end(stream(lm, prompt, settings, recorder), lm)
        return operation().run("run", lm, steps, recorder, self.limits.seconds)

    def stream_fork(
        self, trace: Trace, lm: LanguageModel, recorder: Recorder, *, settings: Settings | None = None, **where: Any
    ) -> Generator[Step, None, Any]:
        """See `decoding.fork.stream_fork`.

        Raises:
            As there; SettingError, PromptError: it is more than a run may take.
        """
        defaults = model_defaults(lm.model)
        self.limits.check_trace(trace, defaults)
        if settings is not None:
            given = {"max_new_tokens": trace.most_new_tokens, **settings.given()}
            self.limits.check(given, defaults, length=trace.prompt_ids.shape[1] + len(trace.steps))
        lm = self._one_of_many(lm)
        steps = to_its_end(stream_fork(trace, lm, recorder, settings=settings, **where), lm)
        return operation().run("fork", lm, steps, recorder, self.limits.seconds)

    def verify(self, trace: Trace, lm: LanguageModel, on_step: Callable[[], None] | None = None) -> Verification:
        """See `decoding.verify.verify`; where the GPU is borrowed, `on_step` is not called.

        Raises:
            As there; SettingError, PromptError: it is more than a run may take.
        """
        self.limits.check_trace(trace, model_defaults(lm.model))
        with operation().verification(lm):
            return verify(trace, self._one_of_many(lm, share=False), on_step=on_step)
