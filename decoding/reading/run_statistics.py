"""Statistics of a whole run: how sure it was, what its processors took away, how much it repeats itself.

They are computed from everything that was recorded, in float64, not from the likeliest few. What has a name in the
literature is computed as it is defined there; the source stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from decoding.errors import NotRecordedError
from decoding.reading.cutoffs import RULES
from decoding.reading.distribution import distribution
from decoding.recorded.run import RecordedRun, Step

__all__ = [
    "LOOK_BACK", "RunStatistics", "TokenStatistics", "all_but_left", "distinct", "repeated", "run_statistics",
]  # fmt: skip

LOOK_BACK = 128  # tokens in which `repeated` looks for an earlier one


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStatistics:
    """One token of a run, and the distributions it was chosen from; NaN where its scores were lost.

    Attributes:
        step, row: the step that decided it, and the row of its scores.
        token_id: the token.
        own_probability: of the model's own logits, before any stage, in [0, 1].
        probability: after all stages: what the choice was made from, in [0, 1].
        surprisal_nats: −ln `own_probability`, in [0, ∞].
        entropy_before, entropy_after: of the model's own distribution and of the final one, in nats, ≥ 0.
        mass_removed: by truncation, in [0, 1]: 1 − Π (1 − m) over the truncation stages, m being the probability,
            before the stage, of what it removed. Where they follow each other this is the probability, before the
            first, of what was gone after the last. 0 where none ran.
        n_left: tokens that were still possible after all stages.
        likeliest: no token had a higher logit.
    """

    step: int
    row: int
    token_id: int
    own_probability: float = math.nan
    probability: float = math.nan
    surprisal_nats: float = math.nan
    entropy_before: float = math.nan
    entropy_after: float = math.nan
    mass_removed: float = math.nan
    n_left: float = math.nan
    likeliest: float = math.nan


Measure = Callable[[int, int, int], TokenStatistics]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatistics:
    """A row of a run, or in beam methods one of its hypotheses, in numbers. A mean over nothing is NaN.

    Attributes:
        tokens: each token that was decoded, the one that ended the text included.
        n_lost: tokens whose scores were lost (the disk was full); means leave them out.
        entropy_before, entropy_after: mean entropy of the model's own distributions and of the final ones, in
            nats, in [0, ln vocab].
        surprisal: mean of −ln p over the tokens, p of the model's own distribution; in nats, in [0, ∞].
        perplexity: exp(`surprisal`), in [1, ∞].
        mass_removed: mean probability removed by truncation, in [0, 1]; see `TokenStatistics`.
        n_left: mean number of tokens still possible, in [1, vocab].
        likeliest: share of the tokens that were the model's own likeliest, in [0, 1].
        repeated: share of the tokens that stood among the 128 tokens before them, prompt counted in; in [0, 1]. The
            rep/128 of Welleck et al. 2020, of the tokens that were really decoded.
        distinct_1, distinct_2, distinct_3: different n-grams ÷ n-grams, in (0, 1]. Li et al. 2016, who divide by the
            number of tokens; divided by the number of n-grams a text without any repetition has 1.
        repeated_4: 1 − distinct-4, in [0, 1): seq-rep-4 of Welleck et al. 2020.
        seconds: of the whole run, recording included.
        tokens_per_second: steps ÷ seconds: how fast each row grew.
    """

    tokens: tuple[TokenStatistics, ...]
    n_lost: int
    entropy_before: float
    entropy_after: float
    surprisal: float
    perplexity: float
    mass_removed: float
    n_left: float
    likeliest: float
    repeated: float
    distinct_1: float
    distinct_2: float
    distinct_3: float
    repeated_4: float
    seconds: float
    tokens_per_second: float

    @property
    def n_tokens(self) -> int:
        """Tokens decoded."""
        return len(self.tokens)


def run_statistics(trace: RecordedRun, row: int = 0, measure: Measure | None = None) -> RunStatistics:
    """The statistics of a row; in beam methods `row` counts `trace.hypotheses`, as in `Trace.text`.

    Args:
        measure: what each token's numbers are, from the step that decided it, the row of its scores and its id;
            left out, they are computed from the scores.

    Raises:
        NotRecordedError: there is no such row or hypothesis.
    """
    measure = measure or partial(_measured, trace)
    tokens = tuple(measure(*place) for place in _decoded(trace, row))
    ids = [token.token_id for token in tokens]
    surprisal = _mean(tokens, lambda t: t.surprisal_nats)
    n_steps = len(trace.steps)
    return RunStatistics(
        tokens=tokens,
        n_lost=sum(math.isnan(t.n_left) for t in tokens),
        entropy_before=_mean(tokens, lambda t: t.entropy_before),
        entropy_after=_mean(tokens, lambda t: t.entropy_after),
        surprisal=surprisal,
        perplexity=_exp(surprisal),
        mass_removed=_mean(tokens, lambda t: t.mass_removed),
        n_left=_mean(tokens, lambda t: t.n_left),
        likeliest=_mean(tokens, lambda t: t.likeliest),
        repeated=repeated(_prompt(trace, row), ids),
        distinct_1=distinct(ids, 1),
        distinct_2=distinct(ids, 2),
        distinct_3=distinct(ids, 3),
        repeated_4=1 - distinct(ids, 4),
        seconds=trace.seconds,
        tokens_per_second=n_steps / trace.seconds if trace.seconds > 0 and n_steps else math.nan,
    )


def distinct(ids: Sequence[int], n: int) -> float:
    """Different n-grams ÷ n-grams, in (0, 1]; NaN where there are fewer than n tokens."""
    grams = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return len(set(grams)) / len(grams) if grams else math.nan


def repeated(prompt: Sequence[int], ids: Sequence[int]) -> float:
    """The share of `ids` that stood among the `LOOK_BACK` tokens before them, in [0, 1]; NaN without any.

    Args:
        prompt: what came before the first of `ids`.
    """
    if not ids:
        return math.nan
    last = {token: place for place, token in enumerate(prompt)}
    n_repeated = 0
    for place, token in enumerate(ids, start=len(prompt)):
        n_repeated += place - last.get(token, -math.inf) <= LOOK_BACK
        last[token] = place
    return n_repeated / len(ids)


# --- which tokens, and from which scores ------------------------------------------------------------------


def _decoded(trace: RecordedRun, row: int) -> list[tuple[int, int, int]]:
    """Step, row of the scores and id of each token that was decoded."""
    if trace.ledger is None:
        if not 0 <= row < trace.n_rows:
            raise NotRecordedError("row must be in [0, {last}], got {row}", last=trace.n_rows - 1, row=row)
        return [(step.index, row, step.token_ids[row]) for step in trace.steps if not step.ended[row]]
    found = trace.hypotheses
    if not 0 <= row < len(found):
        raise NotRecordedError(
            "there are {n_found} hypotheses, got {row}; they are counted from 0",
            n_found=len(found), row=row,
        )
    chosen = found[row]
    arrays = trace.ledger.steps
    path = trace.ledger.path(chosen.step, chosen.prompt, chosen.rank)
    return [
        (step, int(arrays[step]["parent"][chosen.prompt, rank]), int(arrays[step]["token"][chosen.prompt, rank]))
        for step, rank in path
    ]


def _prompt(trace: RecordedRun, row: int) -> list[int]:
    if trace.ledger is not None:
        row = trace.hypotheses[row].prompt * trace.ledger.n_beams
    return trace.prompt_ids[row][trace.prompt_mask[row].bool()].tolist()


# --- one token ---------------------------------------------------------------------------------------------


def _measured(trace: RecordedRun, index: int, row: int, token_id: int) -> TokenStatistics:
    step = trace.steps[index]
    try:
        scores = [s.numpy() for s in step.all_scores(row=row)]  # n_stages + 1 of [vocab]
    except NotRecordedError:
        return TokenStatistics(step=index, row=row, token_id=token_id)
    own = distribution(scores[0])
    final = own if np.array_equal(scores[0], scores[-1]) else distribution(scores[-1])
    facts = step.facts(row)
    removed = _removed(step, scores) if facts is None else all_but_left(
        facts[i].mass_removed for i, stage in enumerate(step.stages, start=1) if stage.name in RULES
    )  # fmt: skip
    return TokenStatistics(
        step=index,
        row=row,
        token_id=token_id,
        own_probability=own.share(token_id),
        probability=final.share(token_id),
        surprisal_nats=own.surprisal(token_id),
        entropy_before=own.entropy if facts is None else facts[0].entropy_nats,
        entropy_after=final.entropy if facts is None else facts[-1].entropy_nats,
        mass_removed=removed,
        n_left=int(np.count_nonzero(scores[-1] > -math.inf)) if facts is None else facts[-1].n_alive,
        likeliest=math.nan if math.isnan(own.total) else float(scores[0][token_id] >= own.top),
    )


def _removed(step: Step, scores: Sequence[np.ndarray]) -> float:
    """See `TokenStatistics.mass_removed`."""
    shares = []
    for i, stage in enumerate(step.stages, start=1):
        if stage.name in RULES:
            gone = (scores[i] == -math.inf) & (scores[i - 1] > -math.inf)
            shares.append(distribution(scores[i - 1]).share(gone) if gone.any() else 0.0)
    return all_but_left(shares)


def all_but_left(shares: Iterable[float]) -> float:
    """1 − Π (1 − share): what stages took away that each took a share of what was left to it."""
    left = math.prod(1 - share for share in shares)
    return max(1 - left, 0.0)


def _mean(tokens: Sequence[TokenStatistics], of: Callable[[TokenStatistics], float]) -> float:
    values = [of(token) for token in tokens if not math.isnan(token.n_left)]
    return math.fsum(values) / len(values) if values else math.nan


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf if value == value else math.nan
