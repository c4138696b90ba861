"""`Look`: the step of a run that the lab looks at, as recorded or under other settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from decoding.recorded.stages import Stage
    from decoding.trace import Trace
    from decoding.whatif.whatif import WhatIf

    from ..runs import Runs
    from ..text import Text

__all__ = ["Look"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """One step of one row.

    Attributes:
        trace: the run in view.
        row, step: of its rows and steps.
        token_id: the token in view: the one that came, or in a beam run the candidate's; None where the row had
            ended.
        whatif: the other settings that are being tried, or None: then everything is as recorded.
        runs: the runs of this visitor, the one in view among them.
        text: the page's words.
    """

    trace: Trace
    row: int
    step: int
    token_id: int | None
    runs: Runs
    text: Text
    whatif: WhatIf | None = None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that `scores` went through."""
        return self.trace.steps[self.step].stages if self.whatif is None else self.whatif.stages

    @cached_property
    def scores(self) -> list[Tensor]:
        """The row's scores before the first stage and after each, each float32 [vocab].

        Raises:
            NotRecordedError: the step was lost.
        """
        if self.whatif is None:
            return self.trace.steps[self.step].all_scores(row=self.row)
        return self.whatif.all_scores(step=self.step, row=self.row)

    @cached_property
    def prefix(self) -> Tensor:
        """What the row held before the step, int64 [length], prompt and padding included."""
        return self.trace.prefix(self.step, self.row)

    @property
    def mode(self) -> str:
        """The decoding mode: of the run, or of the settings tried."""
        return self.trace.mode if self.whatif is None else self.whatif.mode
