"""The whole run at a glance: at every step the likeliest tokens with their probabilities, and how many were left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from transformers.generation import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from decoding.errors import NotRecordedError
from decoding.reading.cutoffs import RULES
from decoding.reading.survivors import scaled, spread, survivors

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
        own, before, final = (scores[i].numpy() for i in (0, first, -1))
        alive = final > -np.inf
        n_left, (total, entropy) = int(np.count_nonzero(alive)), spread(final[alive])
        whole = spread(before)
        entropies = (whole if first == 0 else spread(own))[1], entropy
        lowest = before[alive].min() if n_left else np.inf
        is_prefix = int(np.count_nonzero(before >= lowest)) == n_left
        facts = None if self.whatif else step.facts(self.row)
        if facts is not None:  # of a compact trace, which has kept these
            n_left, entropies = facts[-1].n_alive, (facts[0].entropy_nats, facts[-1].entropy_nats)
        return self._made(
            step, before, whole[0], lambda i: np.exp(final[i].astype(np.float64) - total), n_left=n_left,
            is_prefix=is_prefix, entropy_own=entropies[0], entropy_final=entropies[1],
        )  # fmt: skip

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
        edge, total = left.edge, left.log_total
        return self._made(
            step, before, spread(before)[0],
            lambda i: np.where(before[i] >= edge, np.exp(before[i].astype(np.float64) - total), 0.0),
            n_left=left.n_left, is_prefix=True, entropy_own=spread(step.scores(row=self.row, stage=0).numpy())[1],
            entropy_final=left.entropy_nats,
        )  # fmt: skip

    def _made(
        self, step: Step, before: np.ndarray, total: float, final: Callable[[Any], np.ndarray], **more: Any
    ) -> HeatColumn:
        """A step's column.

        Args:
            before: the scores before anything is cut off, [vocab]; `total` is ln Σ exp of them.
            final: the final probabilities of some tokens.
            more: what is true of the whole step.
        """
        chosen = step.token_ids[self.row]
        top = torch.topk(torch.from_numpy(before), min(RANKS, len(before))).indices.numpy()
        ids = top[before[top] > -np.inf]
        shown = np.flatnonzero(ids == chosen)
        rank = int(shown[0]) if len(shown) else int(np.count_nonzero(before > before[chosen]))
        probabilities = np.exp(before[[chosen, *ids]].astype(np.float64) - total).tolist()
        finals = final(np.array([chosen, *ids])).tolist()
        return HeatColumn(
            step=step.index, token_ids=tuple(ids.tolist()), texts=tuple(map(self._text, ids.tolist())),
            probabilities=tuple(probabilities[1:]), finals=tuple(finals[1:]), chosen=chosen, text=self._text(chosen),
            rank=rank + 1, probability=probabilities[0], final=finals[0], **more,
        )  # fmt: skip


SAMPLERS = ((TopKLogitsWarper, "top_k", 0), (TopPLogitsWarper, "top_p", 1.0), (MinPLogitsWarper, "min_p", 0.0))
