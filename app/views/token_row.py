"""The token row: what an encoder read, the prompt's tokens and the generated ones, and how sure the model was."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from decoding.errors import NotRecordedError
from decoding.reading.distribution import distribution
from decoding.recorded.constrained import forbidden_at

from .token_text import LONGEST_CHARACTER, shown

if TYPE_CHECKING:
    from decoding.recorded.constrained import Forbidden
    from decoding.recorded.run import Step
    from decoding.tokens.token_table import TokenText
    from decoding.trace import Trace

__all__ = ["RowView", "TokenCell", "TokenMeasures", "measures_of", "row_view", "token_cells"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMeasures:
    """How sure the model was of the token it gave; NaN, and no rank, where the step's scores were lost.

    Attributes:
        probability: of the model's own logits, before any stage.
        surprisal_nats: −ln of it; inf for a token the model ruled out.
        entropy_nats: of the model's own distribution.
        rank: 1 for its likeliest token.
        final_probability: after all stages: what the choice was made from.
        forbidden: what a constraint did at this step; None where the run had none.
    """

    probability: float
    surprisal_nats: float
    entropy_nats: float
    rank: int | None
    final_probability: float
    forbidden: Forbidden | None = None


LOST = TokenMeasures(
    probability=math.nan, surprisal_nats=math.nan, entropy_nats=math.nan, rank=None, final_probability=math.nan
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCell:
    """A token in the row.

    Attributes:
        token_id, text: the token.
        kind: `plain`, `special` or `bytes` (part of a character).
        joined: the character(s) that it forms with its neighbours, for `bytes`.
        group: the first and the last of the tokens that form them, as `step` counts, or by place in a prompt; None
            for a token that stands alone.
        step: the step that chose it, or None for the prompt.
        measures: None for the prompt.
        wanted: the token that was likeliest, where a constraint forbade it; else "".
        taken: of a prompt's token that a fork has from the run that it leaves, `over`; of the one that it took
            instead, `by_hand`; else "".
        taken_at: the step that it stands at in that run: −1 for the last before the fork's own first, then backwards.
    """

    token_id: int
    text: str
    kind: str
    joined: str
    group: tuple[int, int] | None = None
    step: int | None = None
    measures: TokenMeasures | None = None
    wanted: str = ""
    taken: str = ""
    taken_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """One row of the run.

    Attributes:
        source: what the encoder of an encoder–decoder model read, as far as it is known.
        prompt, generated: its tokens; padding is left out.
        prompt_index, answer_index: from 0.
        stop_reason: why it ended, or "" while it runs.
    """

    source: tuple[TokenCell, ...]
    prompt: tuple[TokenCell, ...]
    generated: tuple[TokenCell, ...]
    prompt_index: int
    answer_index: int
    stop_reason: str


def measures_of(step: Step, row: int) -> TokenMeasures:
    """The measures of the token that a step chose for a row."""
    try:
        scores = step.all_scores(row=row)
    except NotRecordedError:  # the disk was full; the token is known
        return LOST
    token_id = step.token_ids[row]
    # In float64: a sum of 49,152 weights in float32 is off by 3e-5, and by how much depends on the processor.
    own, final = distribution(scores[0].numpy()), distribution(scores[-1].numpy())
    facts = step.facts(row)
    return TokenMeasures(
        probability=own.share(token_id),
        surprisal_nats=own.surprisal(token_id),
        entropy_nats=own.entropy if facts is None else facts[0].entropy_nats,
        rank=int(np.count_nonzero(own.scores > own.scores[token_id])) + 1,
        final_probability=final.share(token_id),
        forbidden=forbidden_at(step, row, scores),
    )


def token_cells(
    tokens, ids: list[int], *, begin: int | None = None, measures=(), before=(), after=()
) -> tuple[TokenCell, ...]:
    """Cells for a run of token ids; `tokens` is a `TokenTable`, or None for `#id`.

    Args:
        begin: the step of the first id, or None for a prompt.
        measures: one per id, for generated tokens.
        before, after: ids around them, with which bytes may form a character.
    """
    displayed: list[TokenText | None] = [None] * len(ids)
    if tokens is not None:
        displayed = list(tokens.display([*before, *ids, *after]))[len(before) : len(before) + len(ids)]
    first, cells = begin or 0, []
    for i, (token_id, token) in enumerate(zip(ids, displayed, strict=True)):
        kind = "plain" if token is None or not (token.is_special or token.is_partial) else "special"
        if token is not None and token.is_partial and not token.is_special:
            kind = "bytes"
        cells.append(
            TokenCell(
                token_id=token_id,
                text=f"#{token_id}" if token is None else shown(token.text),
                kind=kind,
                joined="" if token is None else shown(token.joined),
                group=None if token is None else _group(token, len(before), len(ids), first),
                step=None if begin is None else begin + i,
                measures=measures[i] if measures else None,
                wanted=_wanted(tokens, measures[i]) if measures else "",
            )
        )
    return tuple(cells)


def _wanted(tokens, measures: TokenMeasures) -> str:
    """The likeliest token before the constraint, where this forbade it."""
    forbidden = measures.forbidden
    if forbidden is None or not forbidden.wanted_forbidden:
        return ""
    return f"#{forbidden.wanted}" if tokens is None else shown(tokens.text(forbidden.wanted))


def _group(token: TokenText, n_before: int, n_ids: int, first: int) -> tuple[int, int] | None:
    """The tokens that form its character, as far as they are among the ids."""
    start, end = token.group
    if end == start + 1:
        return None
    return first + max(0, start - n_before), first + min(n_ids, end - n_before) - 1


def _with_taken(trace: Trace, cells: tuple[TokenCell, ...]) -> tuple[TokenCell, ...]:
    """The prompt's cells; of a fork those at its end say which step they stand at."""
    if trace.fork is None:
        return cells
    start = max(0, len(cells) - trace.first_step)
    by_hand = len(cells) - 1 if trace.fork.token_id is not None else None
    return cells[:start] + tuple(
        replace(cells[i], taken="by_hand" if i == by_hand else "over", taken_at=i - len(cells))
        for i in range(start, len(cells))
    )


def row_view(trace: Trace, row: int, measures: tuple[TokenMeasures, ...] | None = None) -> RowView:
    """A row of a trace; `measures` are those of its steps where they are known already."""
    prompt = trace.prompt_ids[row][trace.prompt_mask[row].bool()].tolist()
    live = [step for step in trace.steps if not step.ended[row]]
    new = [step.token_ids[row] for step in live]
    measures = measures if measures is not None else tuple(measures_of(step, row) for step in live)
    which = row // trace.rows_per_prompt
    return RowView(
        source=token_cells(trace.tokens, trace.source(which)),
        prompt=_with_taken(trace, token_cells(trace.tokens, prompt, after=new[:LONGEST_CHARACTER])),
        generated=token_cells(
            trace.tokens, new, begin=0, measures=measures[: len(live)], before=prompt[-LONGEST_CHARACTER:]
        ),
        prompt_index=which,
        answer_index=row % trace.rows_per_prompt,
        stop_reason=trace.stop_reasons[row] if row < len(trace.stop_reasons) else "",
    )
