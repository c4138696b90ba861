"""`StepScores`: a step's scores, read once for all that is drawn of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .contrastive import ContrastiveView, contrastive_view

if TYPE_CHECKING:
    from torch import Tensor

    from decoding.trace import Trace

__all__ = ["StepScores"]


@dataclass(frozen=True, eq=False, kw_only=True)
class StepScores:
    """One step of one row, as it was recorded."""

    trace: Trace
    row: int
    step: int
    _made: dict[tuple[Hashable, ...], Any] = field(default_factory=dict, repr=False)

    def is_of(self, trace: Trace, row: int, step: int) -> bool:
        """Whether these are the scores of that place; a run that goes on is another trace of the same store."""
        return (self.row, self.step) == (row, step) and self.trace.store is trace.store

    @cached_property
    def scores(self) -> list[Tensor]:
        """The row's scores before the first stage and after each, each float32 [vocab].

        Raises:
            NotRecordedError: the step was lost.
        """
        return self.trace.steps[self.step].all_scores(row=self.row)

    @cached_property
    def contrastive(self) -> ContrastiveView | None:
        """What contrastive search weighed; None where the run was none, or the row had ended."""
        return contrastive_view(self.trace, step=self.step, row=self.row)

    def once(self, *what: Hashable, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once for the step."""
        if what not in self._made:
            self._made[what] = make()
        return self._made[what]
