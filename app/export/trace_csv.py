"""A run as tables for a spreadsheet: its steps, its likeliest tokens, its beam ledger.

A spreadsheet takes a cell that begins with = + - @ or a tab for a formula, and token texts are anyone's: in columns of
texts such a cell gets an apostrophe in front, as spreadsheets write it themselves. A number that is infinite, or of
which there is none, is an empty cell.

Steps count from 0 in the run; of a fork the last column, `first_step`, says how many came before.
"""

from __future__ import annotations

import csv
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from decoding.errors import NotRecordedError

from ..views.float32 import float32
from ..views.stage_names import stage_label
from ..views.step_head import is_open, step_head
from ..views.token_text import completed_at, token_text
from .cells import number_cell as _number
from .cells import text_cell as _text

if TYPE_CHECKING:
    from decoding.recorded.ledger import Candidate
    from decoding.trace import Trace

    from ..views.step_head import HeadToken, StepHead

__all__ = ["write_ledger_csv", "write_steps_csv", "write_tokens_csv"]

FIRST_STEP = "first_step"
KNOWN = ("step", "row", "parent_row", "token_id", "token", "completes")  # also of a step whose scores were lost
STEP_COLUMNS = (
    *KNOWN, "rank", "logit", "probability", "surprisal_nats", "final_probability", "entropy_nats",
)  # fmt: skip
TOKEN_COLUMNS = ("step", "row", "rank", "token_id", "token", "chosen", "logit", "probability")
TOKEN_COLUMNS_AT_THE_END = ("score", "removed_by", "margin", "unit", FIRST_STEP)
LEDGER_COLUMNS = (
    "step", "prompt", "rank", "parent_row", "token_id", "token", "completes", "logprob", "score", "fate", "margin",
    "rival", "row", "final_score", "ended_by", "group", "place", "answer", FIRST_STEP,
)  # fmt: skip


def write_steps_csv(trace: Trace, file: TextIO) -> None:
    """Writes a line for each token that a row went on with, and what every stage did to the whole distribution.

    `probability`, `rank`, `surprisal_nats` and `entropy_nats` are of the model's own distribution, before any stage.
    `completes` is the character that a token of bytes completes with those before it.
    In beam methods `row` is the row that goes on and `parent_row` the one whose distribution the token is from.
    Samplers of other engines that steer by something of their own (mirostat's `mu`) have columns for that, too.
    """
    stages, steering = _stage_names(trace), _steering(trace)
    out = csv.writer(file)
    facts = ("n_alive", "mass_removed", "entropy_nats")
    heads_of_stages = [_text(f"{name} {fact}") for name in stages for fact in facts]
    heads_of_samplers = [_text(f"{stages[stage]} {name}") for stage, name in steering]
    out.writerow([*STEP_COLUMNS, *heads_of_stages, *heads_of_samplers, FIRST_STEP])
    n_numbers = len(STEP_COLUMNS) - len(KNOWN) + len(heads_of_stages) + len(steering)
    for step in trace.steps:
        heads = _heads(trace, step.index, n_tokens=0)
        parents = step.parents or range(trace.n_rows)
        for row, (token_id, parent, ended) in enumerate(zip(step.token_ids, parents, step.ended, strict=True)):
            if ended:
                continue
            texts = token_text(trace, token_id), completed_at(trace, step.index, parent, token_id)
            known = [step.index, row, parent, token_id, *map(_text, texts)]
            head = heads.get(parent)
            numbers = [None] * n_numbers
            if head is not None:
                said = step.sampler_facts(parent) if steering else ()
                numbers = [*_of_step(head, token_id), *(_number(said[stage].get(name)) for stage, name in steering)]
            out.writerow([*known, *numbers, trace.first_step])


def _steering(trace: Trace) -> list[tuple[int, str]]:
    """What samplers tell of each step: the stage, from 0, and the name; as the first step has them that is not lost."""
    for step in trace.steps:
        with suppress(NotRecordedError):
            return [(stage, name) for stage, said in enumerate(step.sampler_facts()) for name in said]
    return []


def _of_step(head: StepHead, token_id: int) -> list[Any]:
    token = next(token for token in head.tokens if token.token_id == token_id)
    p = token.probabilities[0]
    numbers = [
        token.rank, float32(token.logit), _number(p), -math.log(p) if p > 0 else None, _number(token.probabilities[-1]),
        _number(head.facts[0].entropy_nats),
    ]  # fmt: skip
    for fact in head.facts[1:]:
        numbers += [fact.n_alive, _number(fact.mass_removed), _number(fact.entropy_nats)]
    return numbers


def write_tokens_csv(trace: Trace, file: TextIO, *, n_head: int = 20, step: int | None = None) -> None:
    """Writes a line for each of the likeliest tokens of each row and step: its way through the stages.

    Args:
        n_head: how many tokens, before the first stage and after the last; the chosen ones are there, too.
        step: only this step.
    """
    stages = _stage_names(trace)
    out = csv.writer(file)
    out.writerow([*TOKEN_COLUMNS, *(_text(f"{name} probability") for name in stages), *TOKEN_COLUMNS_AT_THE_END])
    for index in range(len(trace.steps)) if step is None else (step,):
        for row, head in _heads(trace, index, n_tokens=n_head).items():
            for token in head.tokens:
                out.writerow([index, row, *_of_token(token, stages), trace.first_step])


def _of_token(token: HeadToken, stages: list[str]) -> list[Any]:
    return [
        token.rank, token.token_id, _text(token.text), int(token.chosen), float32(token.logit),
        *map(_number, token.probabilities), float32(token.score),
        "" if token.removed_by is None else _text(stages[token.removed_by - 1]), _number(token.margin), token.unit,
    ]  # fmt: skip


def write_ledger_csv(trace: Trace, file: TextIO) -> None:
    """Writes a line for each candidate of each step.

    `place` is its row among all sequences that were returned, `answer` its number among those of its prompt, from 0.

    Raises:
        NotRecordedError: the run used no beams.
    """
    if trace.ledger is None:
        raise NotRecordedError("a ledger needs a beam method; this run was recorded in mode {mode}", mode=trace.mode)
    out = csv.writer(file)
    out.writerow(LEDGER_COLUMNS)
    returned = () if "running" in trace.stop_reasons else trace.hypotheses
    places = {(h.prompt, h.step, h.rank): (h.place, h.answer) for h in returned}
    for step in trace.steps:
        for c in step.candidates:
            place, answer = places.get((c.prompt, step.index, c.rank), (None, None))
            out.writerow([step.index, *_of_candidate(trace, step.index, c), place, answer, trace.first_step])


def _of_candidate(trace: Trace, step: int, c: Candidate) -> list[Any]:
    return [
        c.prompt, c.rank, c.parent, c.token_id, _text(token_text(trace, c.token_id)),
        _text(completed_at(trace, step, c.parent, c.token_id)), float32(c.logprob),
        float32(c.score), c.fate, float32(c.margin), c.rival, c.row, float32(c.final_score), _text(c.ended_by or ""),
        c.group,
    ]  # fmt: skip


def _heads(trace: Trace, step: int, n_tokens: int) -> dict[int, StepHead]:
    """By row of the scores; nothing where the row had ended, or the scores were lost."""
    heads = {}
    for row in range(trace.n_rows):
        if is_open(trace.steps[step], row, trace.rows_per_prompt):
            try:
                heads[row] = step_head(trace, step=step, row=row, n_tokens=n_tokens)
            except NotRecordedError:
                continue
    return heads


def _stage_names(trace: Trace) -> list[str]:
    """`1 temperature 0.8`, `2 top_p 0.9`, …"""
    return [" ".join(filter(None, (str(i), *stage_label(stage)))) for i, stage in enumerate(trace.stages, start=1)]
