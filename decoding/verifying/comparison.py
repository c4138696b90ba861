"""Two runs held against each other: recorded scores and those of a second run, step by step, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from decoding.recorded.run import RecordedRun
from decoding.recorded.step_number import step_number
from decoding.words import words

__all__ = ["Differences", "RunComparison", "with_width"]


@dataclass(slots=True)
class Differences:
    """What differed among values that were compared.

    Attributes:
        n_values, n_differ: values compared, and those with other bits.
        largest: the largest difference between two finite values.
        n_unmatched: values that are finite on one side only, such as a token that was removed only there.
        first: where the first difference is and how large, or "".
    """

    n_values: int = 0
    n_differ: int = 0
    largest: float = 0.0
    n_unmatched: int = 0
    first: str = ""

    def add(self, where: str, ours: Tensor, theirs: Tensor) -> None:
        """Compares two rows of scores, float32 [vocab]."""
        self.n_values += len(ours)
        other = ours.view(torch.int32) != theirs.view(torch.int32)
        n = int(torch.count_nonzero(other))
        if not n:
            return
        finite = torch.isfinite(ours) & torch.isfinite(theirs)
        largest = float((ours - theirs)[finite].abs().max()) if bool(finite.any()) else float("nan")
        self.n_differ += n
        self.largest = max(self.largest, 0.0 if largest != largest else largest)
        self.n_unmatched += int(torch.count_nonzero(torch.isfinite(ours) != torch.isfinite(theirs)))
        self.first = self.first or words(
            "first at {where}: {n} values differ, by up to {largest:.3g}", where=where, n=n, largest=largest
        )


@dataclass(slots=True)
class RunComparison:
    """A recorded run and a second one, compared while that one runs; see `ObservedRun`.

    Rows are compared as long as they have the same prefix: after another token everything is another. Those that had
    left the batch have no scores to compare.

    Attributes:
        trace: the recording.
        stages: recorded stages (0 the logits) that the second run's are compared with, in its order.
        logits, scores, between: what differed before the first processor, after the last, and after each.
        n_steps: steps that the second run took.
        same_prefix: per step and row, whether it is compared.
    """

    trace: RecordedRun
    stages: list[int]
    logits: Differences = field(default_factory=Differences)
    scores: Differences = field(default_factory=Differences)
    between: Differences = field(default_factory=Differences)
    n_steps: int = 0
    same_prefix: list[list[bool]] = field(default_factory=list)
    _ours: list[list[Tensor]] = field(default_factory=list)

    def look(self, stage: int, input_ids: Tensor, scores: Tensor) -> None:
        """Compares all rows after a stage of the second run, counted by its own processors."""
        if stage == 0:
            self.n_steps += 1
            self._begin(input_ids)
        step = self.n_steps - 1
        if step >= len(self.trace.steps) or stage >= len(self.stages):
            return
        recorded, number = self.stages[stage], step_number(step, self.trace.first_step)
        for row, same in enumerate(self.same_prefix[step]):
            if not same:
                continue
            ours = self._ours[row][recorded]
            theirs = with_width(scores[row].detach().cpu().float(), len(ours))
            if recorded == 0:
                self.logits.add(words("step {step}, row {row}", step=number, row=row + 1), ours, theirs)
            else:
                after = self.trace.stages[recorded - 1].name
                place = words("step {step}, row {row} after {name}", step=number, row=row + 1, name=after)
                self.between.add(place, ours, theirs)
            if stage == len(self.stages) - 1:
                self.scores.add(words("step {step}, row {row}", step=number, row=row + 1), ours, theirs)

    def compare_logits(self, theirs: tuple[Tensor, ...]) -> None:
        """Compares raw logits [rows, vocab] per step; for loops whose processors do not see them."""
        for step, expected in zip(self.trace.steps, theirs, strict=False):
            for row, same in enumerate(self.same_prefix[step.index]):
                if same:
                    ours = step.scores(row=row, stage=0)
                    number = step_number(step.index, self.trace.first_step)
                    place = words("step {step}, row {row}", step=number, row=row + 1)
                    self.logits.add(place, ours, expected[row].cpu().float())

    def _begin(self, input_ids: Tensor) -> None:
        step = self.n_steps - 1
        if step >= len(self.trace.steps):
            return
        ids, recorded = input_ids.cpu(), self.trace.steps[step]
        same = [row < len(ids) and not (recorded.left and recorded.left[row]) for row in range(self.trace.n_rows)]
        for row in range(self.trace.n_rows):
            same[row] = same[row] and torch.equal(self.trace.prefix(step, row), ids[row])
        self.same_prefix.append(same)
        self._ours = [recorded.all_scores(row=row) if here else [] for row, here in enumerate(same)]


def with_width(scores: Tensor, width: int) -> Tensor:
    """Scores [n] filled up with −∞ for tokens that a processor left out, as `Step.all_scores` shows them."""
    return torch.nn.functional.pad(scores, (0, max(0, width - len(scores))), value=-torch.inf)
