"""The waterfall: a step's likeliest tokens before and after every stage."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from decoding.reading import stats
from decoding.reading.cutoffs import TokenMargin, removal_margin

from .stage_names import stage_label
from .token_text import token_text

if TYPE_CHECKING:
    from decoding.recorded.stages import Stage
    from decoding.trace import Trace
    from decoding.whatif.whatif import WhatIf

__all__ = ["StageColumn", "TokenLine", "Waterfall", "waterfall_view"]

N_TOKENS = 14
N_OF_THE_END = 4  # tokens that stages made likely are shown, too, though the model ranked them low


@dataclass(frozen=True, slots=True, kw_only=True)
class StageColumn:
    """A stage's effect on the whole vocabulary.

    Attributes:
        name: the processor's class name; empty for the model's own logits.
        label, value: the parameter it stands for and that parameter's value.
        n_alive: tokens whose score is not −∞ after it.
        n_removed: tokens it removed.
        mass_removed: their probability before it.
        entropy_nats: of the distribution after it.
        changed: whether it changed any score at this step.
        said: what a sampler with a state, a chance or a temperature of its own says of the step, by name.
    """

    name: str
    label: str
    value: str
    n_alive: int
    n_removed: int
    mass_removed: float
    entropy_nats: float
    changed: bool
    said: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLine:
    """A token's way through the stages.

    Attributes:
        token_id, text: the token.
        chosen: it is the one that came.
        rank: 1 for the model's likeliest.
        logit: as the model gave it.
        scores: before the first stage and after each; −∞ where it was removed.
        probabilities: the same as probabilities.
        removed_at: index into `Waterfall.columns` of the stage that removed it, or None.
        margin, unit: how far outside the rule's boundary it lay (0 or more) and in what; None where the
            stage has no threshold: it bans, or it never looked at the token.
    """

    token_id: int
    text: str
    chosen: bool
    rank: int
    logit: float
    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    removed_at: int | None
    margin: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """One step of one row: a column per stage (the logits first), a line per token, likeliest first."""

    step: int
    n_vocab: int
    columns: tuple[StageColumn, ...]
    tokens: tuple[TokenLine, ...]
    is_candidate: bool = False  # the token in view is one of several that the row was continued with

    @property
    def chosen(self) -> TokenLine | None:
        """The line of the token that came; None where the row had ended."""
        return next((token for token in self.tokens if token.chosen), None)


def waterfall_view(
    trace: Trace,
    *,
    step: int,
    row: int = 0,
    token_id: int | None = None,
    n_tokens: int = N_TOKENS,
    whatif: WhatIf | None = None,
    scores: list[Tensor] | None = None,
) -> Waterfall:
    """The waterfall of a step.

    Args:
        token_id: the token to follow; None for the one that the row went on with. A beam's row has several.
        whatif: other settings, under which the step is shown instead.
        scores: the row's before the first stage and after each, where they are at hand: n_stages + 1 of [vocab].

    Raises:
        NotRecordedError: there is no such step or row.
    """
    recorded = trace.steps[step]
    stages = recorded.stages if whatif is None else whatif.stages
    if scores is None:
        scores = recorded.all_scores(row=row) if whatif is None else whatif.all_scores(step=step, row=row)
    probs = [stats.probs(s) for s in scores]
    chosen = token_id
    if chosen is None and not recorded.ended[row]:
        chosen = recorded.token_ids[row]
    columns = [_column(None, "logits", "", None, scores[0], None, probs[0])]
    for i, stage in enumerate(stages, start=1):
        label, value = stage_label(stage)
        columns.append(_column(stage.name, label, value, scores[i - 1], scores[i], probs[i - 1], probs[i]))
    facts = recorded.facts(row) if whatif is None else None
    if facts is not None:  # of a compact trace: what was true, which the scores tell only nearly
        columns = [replace(column, **asdict(fact)) for column, fact in zip(columns, facts, strict=True)]
    said = recorded.sampler_facts(row) if whatif is None else whatif.sampler_facts(step=step, row=row)
    columns = [columns[0], *(replace(c, said=tuple(s.items())) for c, s in zip(columns[1:], said, strict=True))]
    ids = _worth_showing(scores, chosen, n_tokens)
    margins = _margins(stages, scores, ids)
    higher = scores[0] > scores[0][ids].unsqueeze(1)  # [n_tokens, vocab]
    ranks = (higher.sum(-1) + 1).tolist()
    lines = tuple(
        _line(trace, token_id, rank, chosen, scores, probs, margins)
        for token_id, rank in zip(ids, ranks, strict=True)
    )
    return Waterfall(
        step=step, n_vocab=len(scores[0]), columns=tuple(columns), tokens=lines,
        is_candidate=token_id is not None,
    )  # fmt: skip


def _column(name, label, value, before, after, p_before, p_after) -> StageColumn:
    # In numpy: torch shares so little work out to threads, and waits for them, also where a run keeps them busy.
    alive = after.numpy() > -math.inf  # [vocab]
    gone = np.zeros_like(alive) if before is None else (before.numpy() > -math.inf) & ~alive
    p = p_after.numpy()[p_after.numpy() > 0]
    return StageColumn(
        name=name or "",
        label=label,
        value=value,
        n_alive=int(np.count_nonzero(alive)),
        n_removed=int(np.count_nonzero(gone)),
        mass_removed=0.0 if before is None else float(p_before.numpy()[gone].sum()),
        entropy_nats=float(-(p * np.log(p)).sum()),
        changed=before is None or not torch.equal(before, after),
    )


def _worth_showing(scores: list[Tensor], chosen: int | None, n_tokens: int) -> list[int]:
    """Ids of the likeliest tokens in the model's order, with the end's likeliest and the chosen one among them."""
    n = min(n_tokens, len(scores[0]))
    wanted = [] if chosen is None else [chosen]
    top_of_end = scores[-1].topk(min(N_OF_THE_END, n))
    wanted += [int(i) for s, i in zip(*top_of_end, strict=True) if s > -math.inf and int(i) not in wanted]
    for i in scores[0].topk(n).indices.tolist():
        if i not in wanted and len(wanted) < n:
            wanted.append(i)
    return sorted(wanted[:n], key=lambda i: (-scores[0][i].item(), i))


def _margins(
    stages: tuple[Stage, ...], scores: list[Tensor], ids: list[int]
) -> dict[int, tuple[int, TokenMargin]]:
    """For each token that was removed: the stage that did it, counted from 1, and its decision."""
    out: dict[int, tuple[int, TokenMargin]] = {}
    for i, stage in enumerate(stages, start=1):
        gone = [t for t in ids if scores[i][t] == -math.inf < scores[i - 1][t] and t not in out]
        if gone:
            decided = removal_margin(stage.name, stage.params, scores[i - 1], scores[i], gone)
            out.update({decision.token_id: (i, decision) for decision in decided})
    return out


def _line(trace, token_id, rank, chosen, scores, probs, margins) -> TokenLine:
    removed_at, decision = margins.get(token_id, (None, None))
    margin = decision.margin if decision is not None else None
    return TokenLine(
        token_id=token_id,
        text=token_text(trace, token_id),
        chosen=token_id == chosen,
        rank=rank,
        logit=float(scores[0][token_id]),
        scores=tuple(float(s[token_id]) for s in scores),
        probabilities=tuple(float(p[token_id]) for p in probs),
        removed_at=removed_at,
        margin=None if margin is None else abs(margin),
        unit=None if margin is None else decision.unit,
    )
