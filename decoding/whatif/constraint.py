"""The constraint of a what-if: made again from the trace's own tokens, or else the mask that was recorded.

What a constraint forbids depends on the tokens so far alone, and these are the recorded ones; so temperature, top-p and
all else after it can be tried exactly, and another constraint, too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.generation import GenerationConfig, LogitsProcessor

from decoding.constraints.of_settings import constraint_of
from decoding.constraints.vocabulary import is_installed
from decoding.errors import SettingError, shown
from decoding.parameters.settings import Settings
from decoding.recorded.constrained import constrained_stage, constraint_in, start_of
from decoding.recorded.run import RecordedRun

__all__ = ["RecordedMask", "constraint_under"]


def constraint_under(trace: RecordedRun, settings: Settings, config: GenerationConfig) -> list[Any]:
    """The processors, one or none, that hold the recorded run to the constraint in `settings`.

    A constraint that a caller brought is no setting and stays as it was.

    Raises:
        SettingError: it is another one than the recorded, and cannot be made from what the trace holds.
    """
    now, then = constraint_in(settings.given()), constraint_in((trace.settings or Settings()).given())
    stage = constrained_stage(trace)
    if stage is not None and trace.stages[stage - 1].own:
        return [_as_recorded(trace, stage)]
    if not now:
        return []
    same = stage is not None and now == then
    if trace.tokens is not None and trace.compact is None and is_installed():
        start = start_of(trace) if same else None
        start = trace.start if start is None else start
        return constraint_of(now, trace.tokens, _ends(config), start=start, strict=False)
    if same and stage is not None:
        return [_as_recorded(trace, stage)]
    name, text = next(iter(now.items()))
    raise SettingError(
        name, shown(text), "that of the recorded run",
        "another one needs xgrammar, and a trace with the whole vocabulary; run again with it",
    )  # fmt: skip


def _ends(config: GenerationConfig) -> Any:
    return config.eos_token_id.tolist() if isinstance(config.eos_token_id, Tensor) else config.eos_token_id


class RecordedMask(LogitsProcessor):
    """Removes what was removed after a recorded stage: by it, or before.

    What an earlier processor had removed is not known of the constraint, and stays removed.
    """

    def __init__(self, run: RecordedRun, stage: int) -> None:
        self._run, self._stage = run, stage

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores [rows, vocab] of all rows at the step that follows `input_ids`."""
        step = self._run.steps[input_ids.shape[1] - self._run.prompt_ids.shape[1]]
        out = scores.clone()
        for row in range(len(out)):
            if not step.left or not step.left[row]:
                gone = step.scores(row=row, stage=self._stage) == -torch.inf
                out[row] = out[row].masked_fill(gone, -torch.inf)
        return out


def _as_recorded(trace: RecordedRun, stage: int) -> RecordedMask:
    """It, called as the stage was."""
    kind: type[RecordedMask] = type(trace.stages[stage - 1].name, (RecordedMask,), {"__module__": __name__})
    return kind(trace, stage)
