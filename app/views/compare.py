"""Two runs side by side: their tokens aligned, where they part, and what each gave the other's token there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from decoding.errors import NotRecordedError
from decoding.reading import stats
from decoding.reading.run_statistics import RunStatistics, TokenStatistics, run_statistics

from .run_differences import Difference, prompt_of_row, run_differences
from .stage_names import stage_label
from .token_text import shown, tokens_within

if TYPE_CHECKING:
    from torch import Tensor

    from decoding.trace import Trace

    from ..runs import Run, Runs

__all__ = ["Cell", "Column", "Comparison", "Elsewhere", "Parting", "Side", "Taken", "compare_view", "n_rows", "side_of"]

LONGEST = 400  # columns shown
BEFORE = 40  # of them before the parting, where there are more


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A token.

    Attributes:
        text: the token's; in a column of a whole character the character, and nothing for its other tokens.
        probability: it was chosen with; None where it was taken over from another run.
        joined: the character that it makes with others; "" for a token that is whole.
        opens, closes: it is the first, the last of these.
    """

    text: str
    probability: float | None
    joined: str = ""
    opens: bool = True
    closes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What stands at one place of both; where tokenizers differ, the tokens of the same piece of text.

    Attributes:
        place: of the first of its tokens, from 0 at the end of the prompt, in A; in B where A has ended.
        a, b: empty where that one has ended.
        same: they say the same.
    """

    place: int
    a: tuple[Cell, ...]
    b: tuple[Cell, ...]
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What the other run made of a token: its probability there, and the stage that removed it, or ""."""

    probability: float
    removed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The token that one of them took where they part.

    Attributes:
        text: the token's.
        probability: it was chosen with; None where this run did not decide it.
        by_hand: a fork put it there.
        elsewhere: what the other run gave it, after the same tokens; None where it never had that choice.
    """

    text: str
    probability: float | None
    by_hand: bool
    elsewhere: Elsewhere | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """Where two runs begin to differ.

    Attributes:
        place: of the first token that differs, from 0 at the end of the prompt (A's place, where tokenizers differ).
        n_characters: of text that is the same.
        a, b: None for one that had ended.
        same_logits: the model's own numbers were the same in both, bit for bit; None where they can't be compared.
        same_choice: the distributions that the choice was made from were.
    """

    place: int
    n_characters: int
    a: Taken | None
    b: Taken | None
    same_logits: bool | None
    same_choice: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two.

    Attributes:
        number, row: of the run, and of its rows, or in beam methods of its hypotheses.
        mode: of the run.
        n_shared: tokens that a fork took over; `statistics` do not count them.
        statistics: of the tokens that this run decoded.
        ids: all tokens after the prompt, those taken over among them.
    """

    number: int
    row: int
    mode: str
    n_shared: int
    statistics: RunStatistics
    ids: tuple[int, ...]

    def decided(self, place: int) -> TokenStatistics | None:
        """The token at a place, if this run decoded it."""
        at = place - self.n_shared
        return self.statistics.tokens[at] if 0 <= at < len(self.statistics.tokens) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs.

    Attributes:
        differences: what they were given differently.
        columns: their tokens; `n_before` and `n_after` are left out at either end.
        parting: None where both say the same to the end.
        by_text: their tokenizers differ, so the texts are aligned, not the tokens.
        same_start: both began with the same tokens.
    """

    a: Side
    b: Side
    differences: tuple[Difference, ...]
    columns: tuple[Column, ...]
    n_before: int
    n_after: int
    parting: Parting | None
    by_text: bool
    same_start: bool


def compare_view(runs: Runs, a: Run, b: Run, *, rows: tuple[int, int] = (0, 0)) -> Comparison:
    """Row `rows[0]` of A beside row `rows[1]` of B; made once for as long as both are kept.

    In beam methods rows count the returned hypotheses.
    """
    return runs.once(("compare", *rows), (a, b), lambda: _compared(runs, a, b, rows))


def n_rows(runs: Runs, run: Run) -> int:
    """How many rows, or hypotheses, a run can be looked at by."""
    trace = run.trace
    return runs.once("rows", (run,), lambda: trace.n_rows if trace.ledger is None else len(trace.hypotheses))


def side_of(runs: Runs, run: Run, row: int) -> Side:
    """A row of a run; its statistics are made once for as long as the run is kept."""
    return runs.once(("side", row), (run,), lambda: _side(run, row))


def _side(run: Run, row: int) -> Side:
    trace = run.trace
    made = run_statistics(trace, row)
    first = prompt_of_row(trace, row) * trace.rows_per_prompt if trace.ledger is not None else row
    taken_over = trace.prompt_ids[first, run.start :].tolist()
    return Side(
        number=run.number, row=row, mode=trace.mode, n_shared=len(taken_over), statistics=made,
        ids=(*taken_over, *(token.token_id for token in made.tokens)),
    )  # fmt: skip


def _compared(runs: Runs, a: Run, b: Run, rows: tuple[int, int]) -> Comparison:
    left, right = side_of(runs, a, rows[0]), side_of(runs, b, rows[1])
    prompts = prompt_of_row(a.trace, rows[0]), prompt_of_row(b.trace, rows[1])
    by_text = not _same_tokens(a.trace, b.trace)
    same_start = not by_text and _start(a, rows[0]) == _start(b, rows[1])
    columns = _by_character((_by_text if by_text else _by_place)(a.trace, b.trace, left, right))
    differing = next((i for i, column in enumerate(columns) if not column.same), None)
    first = 0
    if len(columns) > LONGEST and differing is not None:
        first = max(0, min(differing - BEFORE, len(columns) - LONGEST))
    parting = None
    if differing is not None:
        parting = _parting(a.trace, b.trace, left, right, columns[differing], same_start)
    return Comparison(
        a=left, b=right, differences=run_differences(a, b, prompts=prompts),
        columns=tuple(columns[first : first + LONGEST]), n_before=first,
        n_after=max(0, len(columns) - first - LONGEST), parting=parting, by_text=by_text, same_start=same_start,
    )  # fmt: skip


# --- alignment ------------------------------------------------------------------------------------------------


def _same_tokens(a: Trace, b: Trace) -> bool:
    """Whether an id means the same token in both."""
    if a.tokens is not None and b.tokens is not None and a.compact is None and b.compact is None:
        return a.tokens is b.tokens or a.tokens == b.tokens
    # A compact trace has the texts of some tokens only, a drop-in recording may have none.
    return (a.model.name, a.model.revision, a.model.vocab_size) == (b.model.name, b.model.revision, b.model.vocab_size)


def _start(run: Run, row: int) -> tuple[list[int], list[int]]:
    """What the row began with: the encoder's input, and the prompt; without padding."""
    trace = run.trace
    prompt = prompt_of_row(trace, row)
    first = min(prompt * trace.rows_per_prompt, trace.n_rows - 1)
    ids = trace.prompt_ids[first, : run.start][trace.prompt_mask[first, : run.start].bool()].tolist()
    return trace.source(prompt), ids


def _cells(trace: Trace, side: Side) -> list[Cell]:
    texts = tokens_within(trace, side.ids)
    chosen_with = [None] * side.n_shared + [token.probability for token in side.statistics.tokens]
    cells = [Cell(text=text, probability=p) for text, p in zip(texts, chosen_with, strict=True)]
    for i, token in enumerate(trace.tokens.display(side.ids) if trace.tokens is not None else ()):
        start, end = token.group
        if end > start + 1:
            cells[i] = replace(cells[i], joined=shown(token.joined), opens=i == start, closes=i + 1 == end)
    return cells


def _by_character(columns: list[Column]) -> list[Column]:
    """The columns with those of one character as one, where both sides have all of it."""
    out: list[Column] = []
    waiting: list[Column] = []
    for column in columns:
        cells = (*column.a, *column.b)
        if not waiting and not (column.same and all(c.opens for c in cells) and not all(c.closes for c in cells)):
            out.append(column)
            continue
        waiting.append(column)
        if not column.same or all(c.closes for c in cells):
            out += [_one(waiting)] if column.same else waiting
            waiting = []
    return out + waiting


def _one(columns: list[Column]) -> Column:
    a, b = (tuple(_of_whole(c) for column in columns for c in side(column)) for side in (lambda c: c.a, lambda c: c.b))
    return replace(columns[0], a=a, b=b)


def _of_whole(cell: Cell) -> Cell:
    return replace(cell, text=cell.joined if cell.opens else "") if cell.joined else cell


def _by_place(a: Trace, b: Trace, left: Side, right: Side) -> list[Column]:
    """The tokens of both place by place: they mean the same where their ids are the same."""
    cells, others = _cells(a, left), _cells(b, right)
    columns = []
    for place in range(max(len(cells), len(others))):
        mine, theirs = tuple(cells[place : place + 1]), tuple(others[place : place + 1])
        same = left.ids[place : place + 1] == right.ids[place : place + 1]
        columns.append(Column(place=place, a=mine, b=theirs, same=same))
    return columns


def _by_text(a: Trace, b: Trace, left: Side, right: Side) -> list[Column]:
    """The tokens of both by the text they add up to, as long as that is the same; after it one by one.

    Special tokens are no text, and each model has its own: the one that ends both texts counts as the same.
    """
    mine, theirs = _pieces(a, left), _pieces(b, right)
    columns: list[Column] = []
    i = j = 0
    while i < len(mine) and j < len(theirs):
        ends = _next_meeting(mine, theirs, i, j)
        if ends is None:
            break
        columns.append(_column(mine[i : ends[0]], theirs[j : ends[1]], same=True))
        i, j = ends
    while i < len(mine) or j < len(theirs):
        columns.append(_column(mine[i : i + 1], theirs[j : j + 1], same=False))
        i, j = i + 1, j + 1
    return columns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    place: int
    cell: Cell
    raw: bytes


def _pieces(trace: Trace, side: Side) -> list[_Piece]:
    """The tokens that are text."""
    tokens = trace.tokens
    return [
        _Piece(place=place, cell=cell, raw=tokens.bytes(i) if tokens is not None else cell.text.encode())
        for place, (i, cell) in enumerate(zip(side.ids, _cells(trace, side), strict=True))
        if tokens is None or not tokens.is_special(i)
    ]


def _next_meeting(mine: list[_Piece], theirs: list[_Piece], i: int, j: int) -> tuple[int, int] | None:
    """The first places after `i` and `j` up to which both add up to the same text; None where they never do."""
    one, other = mine[i].raw, theirs[j].raw
    i, j = i + 1, j + 1
    while one != other:
        shorter = min(len(one), len(other))
        if one[:shorter] != other[:shorter]:
            return None
        if len(one) < len(other):
            if i == len(mine):
                return None
            one, i = one + mine[i].raw, i + 1
        else:
            if j == len(theirs):
                return None
            other, j = other + theirs[j].raw, j + 1
    return i, j


def _column(mine: Sequence[_Piece], theirs: Sequence[_Piece], *, same: bool) -> Column:
    return Column(
        place=(mine or theirs)[0].place, a=tuple(p.cell for p in mine), b=tuple(p.cell for p in theirs), same=same
    )


# --- where they part ------------------------------------------------------------------------------------------


def _parting(a: Trace, b: Trace, left: Side, right: Side, column: Column, same_start: bool) -> Parting:
    place = column.place
    trace, ids = (a, left.ids) if column.a else (b, right.ids)
    same = trace.tokens.plain(ids[:place]) if trace.tokens is not None else ""
    ours = _scores(a, left, place) if same_start else None
    others = _scores(b, right, place) if same_start else None
    exact = a.compact is None and b.compact is None
    equal = partial(_equal, ours if exact else None, others)
    return Parting(
        place=place,
        n_characters=len(same),
        a=_taken(a, b, left, column.a, place, others, right),
        b=_taken(b, a, right, column.b, place, ours, left),
        same_logits=equal(0),
        same_choice=equal(-1),
    )


def _scores(trace: Trace, side: Side, place: int) -> list[Tensor] | None:
    """What the token at a place was chosen from; None where it was not decoded there, or is lost."""
    token = side.decided(place)
    if token is None:
        return None
    try:
        return trace.steps[token.step].all_scores(row=token.row)
    except NotRecordedError:
        return None


def _equal(ours: list[Tensor] | None, others: list[Tensor] | None, stage: int) -> bool | None:
    return None if ours is None or others is None else torch.equal(ours[stage], others[stage])


def _is_known(trace: Trace, at: TokenStatistics, token_id: int) -> bool:
    """Whether the token's score at a step is the run's own: a compact trace keeps that of some only."""
    step = trace.steps[at.step]
    return step.exact or token_id in step.exact_ids(at.row).tolist()


def _taken(
    trace: Trace, other: Trace, side: Side, cells: tuple[Cell, ...], place: int, others: list[Tensor] | None,
    there: Side,
) -> Taken | None:  # fmt: skip
    if not cells:
        return None
    elsewhere, token_id = None, side.ids[place]
    if others is not None and token_id < len(others[-1]) and _is_known(other, there.decided(place), token_id):
        elsewhere = _elsewhere(other, others, token_id, there.decided(place))
    probability = cells[0].probability
    lost = probability is None or math.isnan(probability)
    by_hand = trace.fork is not None and trace.fork.token_id is not None and place == side.n_shared - 1
    return Taken(
        text=cells[0].text, probability=None if lost else probability, by_hand=by_hand, elsewhere=elsewhere
    )


def _elsewhere(trace: Trace, scores: list[Tensor], token_id: int, at: TokenStatistics) -> Elsewhere:
    stages = trace.steps[at.step].stages
    gone = next((i for i, s in enumerate(scores) if i and s[token_id] == -math.inf < scores[i - 1][token_id]), None)
    return Elsewhere(
        probability=float(stats.probs(scores[-1])[token_id]),
        removed_by="" if gone is None else " ".join(stage_label(stages[gone - 1])).strip(),
    )
