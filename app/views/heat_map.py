"""The whole run at a glance: at every step the likeliest tokens with their probabilities, and how many were left."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from transformers.generation import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from decoding.errors import NotRecordedError
from decoding.reading import stats
from decoding.reading.cutoffs import RULES
from decoding.reading.survivors import scaled, survivors

from .token_text import token_text

if TYPE_CHECKING:
    from decoding.recorded.run import Step
    from decoding.recorded.stages import Stage
    from decoding.trace import Trace
    from decoding.whatif.whatif import WhatIf

__all__ = ["RANKS", "HeatColumn", "HeatMap", "cuts"]

RANKS = 12  # tokens shown of a step


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatColumn:
    """A step: its likeliest tokens before anything was cut off, likeliest first.

    Attributes:
        step: from 0.
        token_ids, texts: the tokens; none where the step was lost.
        probabilities: before the first rule that cuts off, and after penalties and temperature.
        finals: what the choice was made from; 0 for what was removed.
        chosen, text, rank: the token that was chosen, and its rank among all, from 1.
        probability, final: its own.
        n_left: tokens that were still possible.
        is_prefix: they are the likeliest ones, so that a line can part them from the others.
        entropy_own, entropy_final: of the model's own distribution and of the final one, in nats.
    """

    step: int
    token_ids: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    finals: tuple[float, ...] = ()
    chosen: int = -1
    text: str = ""
    rank: int = 0
    probability: float = math.nan
    final: float = math.nan
    n_left: int = 0
    is_prefix: bool = False
    entropy_own: float = math.nan
    entropy_final: float = math.nan


def cuts(stages: tuple[Stage, ...]) -> bool:
    """Whether any of the stages cuts off: there is a line to draw then."""
    return any(stage.name in RULES for stage in stages)


class HeatMap:
    """The map of a row, read step by step: 200 steps of 49,152 tokens take about half a second.

    Args:
        whatif: the settings that are being tried; None for the run as it was recorded.
    """

    def __init__(self, trace: Trace, row: int, whatif: WhatIf | None) -> None:
        self.trace, self.row, self.whatif = trace, row, whatif
        self.n_steps = sum(not step.ended[row] for step in trace.steps)
        self.columns: list[HeatColumn] = []
        self._text = lru_cache(maxsize=None)(lambda token_id: token_text(trace, token_id))
        self._reading = Lock()

    @property
    def is_whole(self) -> bool:
        """Every step has been read."""
        return len(self.columns) == self.n_steps

    def read_on(self, seconds: float) -> None:
        """Reads further steps, until so much time has passed; at least one."""
        until = time.monotonic() + seconds
        with self._reading:
            while not self.is_whole:
                self.columns.append(self._column(self.trace.steps[len(self.columns)]))
                if time.monotonic() > until:
                    return

    def _column(self, step: Step) -> HeatColumn:
        try:
            if self.whatif is None:
                return self._of_stages(step, step.stages, step.all_scores(row=self.row))
            quick = self._of_samplers(step, self.whatif)
            if quick is not None:
                return quick
            stages = self.whatif.stages
            return self._of_stages(step, stages, self.whatif.all_scores(step=step.index, row=self.row))
        except NotRecordedError:
            return HeatColumn(step=step.index)

    def _of_stages(self, step: Step, stages: tuple[Stage, ...], scores: list[Tensor]) -> HeatColumn:
        """From the scores before the first stage and after each."""
        first = next((i for i, stage in enumerate(stages) if stage.name in RULES), len(stages))
        before, final = scores[first], scores[-1]
        left, facts = int(stats.n_alive(final)), None if self.whatif else step.facts(self.row)
        entropies = [float(stats.entropy_nats(scores[0])), float(stats.entropy_nats(final))]
        if facts is not None:  # of a compact trace, which has kept these
            left, entropies = facts[-1].n_alive, [facts[0].entropy_nats, facts[-1].entropy_nats]
        lowest = before[final > -math.inf].min() if left else torch.tensor(math.inf)
        prefix = int((before >= lowest).sum()) == int(stats.n_alive(final))
        return self._made(step, before, stats.probs(final), left, prefix, entropies)

    def _of_samplers(self, step: Step, whatif: WhatIf) -> HeatColumn | None:
        """The same without transformers' sort, where the last processors allow it; None where they do not."""
        rules = {type(rule): rule for rule in whatif.samplers}
        n_before = len(whatif.processors) - len(rules)
        if not rules or any(stage.name in RULES for stage in whatif.stages[: len(whatif.stages) - len(rules)]):
            return None
        before = whatif.before(n_before, step=step.index, row=self.row).numpy()
        if TemperatureLogitsWarper in rules:
            before = scaled(before, rules[TemperatureLogitsWarper].temperature)
        if before.dtype != np.float32 or not np.isfinite(before.max()):
            return None
        top_k, top_p, min_p = (getattr(rules.get(kind), name, off) for kind, name, off in SAMPLERS)
        (left,) = survivors(np.sort(before), [top_p], top_k=top_k, min_p=min_p)
        if left is None or left.torn:
            return None
        with np.errstate(over="ignore"):
            final = np.where(before >= left.edge, np.exp(before.astype(np.float64) - left.log_total), 0.0)
        own = float(stats.entropy_nats(step.scores(row=self.row, stage=0)))
        entropies = [own, left.entropy_nats]
        return self._made(step, torch.from_numpy(before), torch.from_numpy(final), left.n_left, True, entropies)

    def _made(
        self, step: Step, before: Tensor, final: Tensor, n_left: int, is_prefix: bool, entropies: list[float]
    ) -> HeatColumn:
        """From the scores before anything is cut off and the final probabilities, [vocab]."""
        probabilities, chosen = stats.probs(before), step.token_ids[self.row]
        top = torch.topk(before, min(RANKS, len(before)))
        ids = [i for i, score in zip(top.indices.tolist(), top.values.tolist(), strict=True) if score > -math.inf]
        rank = ids.index(chosen) if chosen in ids else int((before > before[chosen]).sum())
        return HeatColumn(
            step=step.index, token_ids=tuple(ids), texts=tuple(map(self._text, ids)),
            probabilities=tuple(probabilities[ids].tolist()), finals=tuple(final[ids].tolist()),
            chosen=chosen, text=self._text(chosen), rank=rank + 1, probability=float(probabilities[chosen]),
            final=float(final[chosen]), n_left=n_left, is_prefix=is_prefix, entropy_own=entropies[0],
            entropy_final=entropies[1],
        )  # fmt: skip


SAMPLERS = ((TopKLogitsWarper, "top_k", 0), (TopPLogitsWarper, "top_p", 1.0), (MinPLogitsWarper, "min_p", 0.0))
