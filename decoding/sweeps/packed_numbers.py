"""The numbers of a compact run's tokens, read as they are kept: no step is filled up for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import numpy as np
from torch import Tensor

from decoding.errors import NotRecordedError
from decoding.files.head_and_tail import head_of
from decoding.reading.cutoffs import RULES
from decoding.reading.run_statistics import TokenStatistics, all_but_left
from decoding.recorded.run import RecordedRun, StageFacts
from decoding.recorded.step_store import FilledUpSteps

__all__ = ["PackedNumbers"]

FACTS = ("n_alive", "n_removed", "mass_removed", "entropy_nats")


class PackedNumbers:
    """What a compact run says of each token.

    Args:
        run: in the compact form.
    """

    def __init__(self, run: RecordedRun) -> None:
        self._packed, self._run = cast(FilledUpSteps, run.store).packed, run
        self._cuts = [i for i, stage in enumerate(run.stages, start=1) if stage.name in RULES]
        self._steps: dict[int, _Step | None] = {}

    def measure(self, index: int, row: int, token_id: int) -> TokenStatistics:
        """A token's numbers, all but its final probability; as `run_statistics` asks for them."""
        nothing = TokenStatistics(step=index, row=row, token_id=token_id)
        step = self._step(index)
        if step is None:
            return nothing
        place = self._run.steps[index].place_of(row)
        ids, logits = step.head(place)
        own, logit, facts = step.log_total(place), float(logits[ids == token_id][0]), step.facts(place)
        surprisal = max(own - logit, 0.0)  # in this order NaN stays
        return TokenStatistics(
            step=index,
            row=row,
            token_id=token_id,
            own_probability=math.exp(-surprisal),
            surprisal_nats=surprisal,
            entropy_before=facts[0].entropy_nats,
            entropy_after=facts[-1].entropy_nats,
            mass_removed=all_but_left(facts[i].mass_removed for i in self._cuts),
            n_left=facts[-1].n_alive,
            likeliest=math.nan if math.isnan(own) else float(logit >= logits[0]),
        )

    def facts(self, index: int, row: int) -> tuple[StageFacts, ...] | None:
        """What was true of a row before the first stage and after each; None where the step was lost."""
        step = self._step(index)
        return None if step is None else step.facts(self._run.steps[index].place_of(row))

    def _step(self, index: int) -> _Step | None:
        if index not in self._steps:
            try:
                self._steps[index] = _Step(self._packed.load(index))
            except NotRecordedError:
                self._steps[index] = None
        return self._steps[index]


class _Step:
    """A packed step, and what was read of it."""

    def __init__(self, packed: Mapping[str, Tensor]) -> None:
        self._packed = dict(packed)
        self._facts = [packed[f"facts.{name}"].T.tolist() for name in FACTS]  # [rows][before, after each]
        self._tail = packed["tail.lse"][0].tolist()  # [rows]

    def head(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids, likeliest first, and their logits as float64, both [n]."""
        ids, logits = head_of(self._packed, row)
        return ids, logits.numpy().astype(np.float64)

    def log_total(self, row: int) -> float:
        """Log of the sum of exp of all logits; NaN where they are no distribution."""
        _, logits = self.head(row)
        top = max(float(logits.max()), self._tail[row])
        if not math.isfinite(top):
            return math.nan
        return top + math.log(float(np.exp(logits - top).sum()) + math.exp(self._tail[row] - top))

    def facts(self, row: int) -> tuple[StageFacts, ...]:
        """See `PackedNumbers.facts`."""
        columns = (of_rows[row] for of_rows in self._facts)
        return tuple(
            StageFacts(n_alive=n, n_removed=gone, mass_removed=mass, entropy_nats=entropy)
            for n, gone, mass, entropy in zip(*columns, strict=True)
        )
