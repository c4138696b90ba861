"""A response of another engine as plain rows: its tokens, what is known of a step, and both beside a recorded run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from decoding.errors import NotRecordedError
from decoding.partial.together import Beside, Together, prompts_agree, together
from decoding.tokens.token_table import visible

from .token_text import LONGEST, shown, token_text

if TYPE_CHECKING:
    from decoding.partial.partial_trace import PartialChoice, PartialStep, PartialTrace
    from decoding.partial.token import KnownToken

    from ..runs import Run, Runs

__all__ = [
    "MOST_TOKENS", "BesideRow", "BesideRun", "KnownRow", "PartialRow", "beside_run", "choice_rows", "default_run",
    "known_text",
]  # fmt: skip

MOST_TOKENS = 4_000  # of an answer that the page shows; an export has all of them
MOST_AFTER = 60  # tokens shown of each side after they part


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRow:
    """A token that a step names; numbers as in `KnownToken`, the mass up to and with it in `sum`."""

    text: str
    logprob: float | None
    probability: float | None
    sum: float
    rank: int | None
    rank_is_least: bool
    chosen: bool
    listed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialRow:
    """A token of an answer.

    Attributes:
        place: in the answer, from 0, tokens of the prompt included.
        number: of the step, from 1; None of a token of the prompt.
        text: to show; `left_out` is what the server held back before it.
        whole: the character that both make together; "" where nothing was held back, or they make none.
        kind: `bytes` where it is no whole characters, else "".
        known: the tokens that are named, the likeliest first.
        mass, tail, excess, entropy_known, lower, n_known, surprisal, probability, highest_unknown: see `Measures`.
    """

    place: int
    number: int | None
    text: str
    left_out: str
    whole: str
    kind: str
    known: tuple[KnownRow, ...]
    marks: tuple[str, ...]
    mass: float
    tail: float | None
    excess: float
    entropy_known: float
    lower: float | None
    n_known: int
    surprisal: float | None
    probability: float | None
    highest_unknown: float


def choice_rows(choice: PartialChoice) -> tuple[PartialRow, ...]:
    """The first tokens of an answer, as many as the page shows."""
    n_prompt = 0
    rows = []
    for place, step in enumerate(choice.steps[:MOST_TOKENS]):
        n_prompt += step.in_prompt
        rows.append(_row(place, None if step.in_prompt else place - n_prompt + 1, step))
    return tuple(rows)


def _row(place: int, number: int | None, step: PartialStep) -> PartialRow:
    found = step.measures()
    token = step.token
    left_out = shown(visible(step.left_out)) if step.left_out else ""
    return PartialRow(
        place=place, number=number, text=known_text(token), left_out=left_out, whole=_whole(step),
        kind="" if _is_whole(token) else "bytes", known=_known(step), marks=step.marks, mass=found.mass,
        tail=found.tail, excess=found.excess, entropy_known=found.entropy_known, lower=found.lower,
        n_known=found.n_known, surprisal=found.surprisal, probability=token.probability,
        highest_unknown=found.highest_unknown,
    )  # fmt: skip


def _known(step: PartialStep) -> tuple[KnownRow, ...]:
    rows, total = [], 0.0
    for place, token in enumerate(step.known):
        total += token.probability or 0.0
        rows.append(
            KnownRow(
                text=known_text(token), logprob=token.logprob, probability=token.probability, sum=total,
                rank=token.rank, rank_is_least=token.rank_is_least, chosen=place == step.chosen, listed=token.listed,
            )  # fmt: skip
        )
    return tuple(rows)


def known_text(token: KnownToken) -> str:
    """What to show of a token that a response names: its bytes, where it gives them; `#id` where it has no text."""
    if not token.text and not token.raw:
        return "‹›" if token.token_id is None else f"#{token.token_id}"
    raw = token.raw if token.raw is not None else token.text.encode("utf-8", "surrogatepass")
    text = shown(visible(raw))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _whole(step: PartialStep) -> str:
    if not step.left_out or step.token.raw is None:
        return ""
    try:
        (raw := step.left_out + step.token.raw).decode()
    except UnicodeDecodeError:
        return ""
    return shown(visible(raw))


def _is_whole(token: KnownToken) -> bool:
    try:
        (token.raw or b"").decode()
    except UnicodeDecodeError:
        return False
    return token.raw is not None


# --- beside a recorded run ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideRow:
    """One step of both.

    Attributes:
        theirs, ours: places in the answer and in the run, from 0; None where that side has no more.
        a, b: the tokens' texts, of the response and of the run.
        same: they are the same token.
        compared: both were asked the same there.
        chosen: the difference in log-probability of the response's token; None where it is not known to both.
        largest: the greatest absolute difference of all tokens known to both; None where there are none.
        tokens: these, as (text, theirs, ours, difference), in nats.
    """

    theirs: int | None
    ours: int | None
    a: str
    b: str
    same: bool
    compared: bool
    chosen: float | None = None
    largest: float | None = None
    tokens: tuple[tuple[str, float, float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideRun:
    """A response beside a run.

    Attributes:
        run: the run's number.
        found: what the library says; None where it cannot be, for the reason in `error`.
        rows: the steps of both.
        parts_at: the place in `rows` at which the tokens part, or None.
        n_known: tokens known to both, in all compared steps.
        mean, largest: of the absolute differences, in nats; None where there are none.
        vocab_size: of the run's model.
    """

    run: int
    found: Together | None
    error: NotRecordedError | None
    rows: tuple[BesideRow, ...]
    parts_at: int | None
    n_known: int
    mean: float | None
    largest: float | None
    vocab_size: int


def default_run(partial: PartialTrace, runs: Runs) -> Run:
    """The run that a response is held against unless another is chosen: of the same prompt, else the one in view."""
    for run in (runs.active, *reversed(list(runs))):
        if run.trace.ledger is None and any(
            prompts_agree(partial, choice, run.trace, prompt) == "same"
            for choice in partial.choices[:1]
            for prompt in range(run.trace.n_prompts)
        ):
            return run
    return runs.active


def beside_run(partial: PartialTrace, place: int, run: Run) -> BesideRun:
    """An answer beside a run."""
    try:
        found = together(partial, place, run.trace)
    except NotRecordedError as error:
        return BesideRun(
            run=run.number, found=None, error=error, rows=(), parts_at=None, n_known=0, mean=None, largest=None,
            vocab_size=run.trace.model.vocab_size,
        )  # fmt: skip
    steps = partial.choices[place].steps
    rows = [
        BesideRow(
            theirs=pair.theirs, ours=pair.ours, a=_whole(steps[pair.theirs]) or known_text(steps[pair.theirs].token),
            b=token_text(run.trace, pair.token_id), same=pair.same, compared=True,
            chosen=_chosen(pair.tokens, steps[pair.theirs]),
            largest=max((abs(t.difference) for t in pair.tokens if math.isfinite(t.difference)), default=None),
            tokens=tuple((token_text(run.trace, t.token_id), t.theirs, t.ours, t.difference) for t in pair.tokens),
        )
        for pair in found.pairs[:MOST_TOKENS]
    ]  # fmt: skip
    parts_at = found.parts_at if found.parts_at is not None and found.parts_at < len(rows) else None
    differences = [abs(value) for value in found.differences]
    return BesideRun(
        run=run.number, found=found, error=None, rows=(*rows, *_after(partial, place, run, found, rows)),
        parts_at=parts_at, n_known=len(differences), largest=found.largest,
        mean=math.fsum(differences) / len(differences) if differences else None,
        vocab_size=run.trace.model.vocab_size,
    )  # fmt: skip


def _chosen(tokens: tuple[Beside, ...], step: PartialStep) -> float | None:
    """The difference of the token that came in the response, by its place among those known to both."""
    text, logprob = step.token.text, step.token.logprob
    return next((t.difference for t in tokens if t.text == text and t.theirs == logprob), None)


def _after(
    partial: PartialTrace, place: int, run: Run, found: Together, rows: list[BesideRow]
) -> tuple[BesideRow, ...]:
    """What follows on each side, tokens without a comparison; all of it where the prompts differ."""
    steps = partial.choices[place].steps
    ids = [step.token_ids[found.row] for step in run.trace.steps if not step.ended[found.row]]
    a = rows[-1].theirs + 1 if rows else sum(step.in_prompt for step in steps)
    b = rows[-1].ours + 1 if rows else 0
    n = min(MOST_AFTER, max(len(steps) - a, len(ids) - b))
    return tuple(
        BesideRow(
            theirs=a + i if a + i < len(steps) else None, ours=b + i if b + i < len(ids) else None,
            a=_whole(steps[a + i]) or known_text(steps[a + i].token) if a + i < len(steps) else "",
            b=token_text(run.trace, ids[b + i]) if b + i < len(ids) else "",
            same=False, compared=False,
        )
        for i in range(n)
    )  # fmt: skip
