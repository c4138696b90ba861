"""What if: a step's sorted scores for the page to compute from, and Python's answers to confirm."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from decoding.parameters.knobs import KNOBS
from decoding.reading import stats

from .token_text import token_text, whole_text

if TYPE_CHECKING:
    from decoding.trace import Trace
    from decoding.whatif.beam_replay import Replay
    from decoding.whatif.whatif import WhatIf

__all__ = [
    "PAGE_STAGES", "RankedAnswer", "ReplayView", "RowMarks", "SortedScores", "StepAnswer",
    "head_of", "page_scores", "replay_view", "row_marks", "sorted_scores", "step_answer",
]  # fmt: skip

# The page computes these itself, in this order; see assets/js/arithmetic.js.
PAGE_STAGES = {
    "TemperatureLogitsWarper": "temperature", "TopKLogitsWarper": "top_k", "TopPLogitsWarper": "top_p",
    "MinPLogitsWarper": "min_p",
}  # fmt: skip
OFF = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
ALSO_CUT = ("TopHLogitsWarper", "TypicalLogitsWarper", "EpsilonLogitsWarper", "EtaLogitsWarper")
ENGINES = tuple(name for name, knob in KNOBS.items() if knob.group == "engines")
N_TOKENS = 24
LONGEST_ANSWER = 400  # tokens shown of a hypothesis


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredToken:
    """A token that the page may draw.

    Attributes:
        place: among the sorted scores, from 0; -1 where an earlier stage removed it.
        recorded: its final probability in the recorded run.
    """

    token_id: int
    text: str
    place: int
    chosen: bool
    recorded: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedScores:
    """A step's scores before temperature and truncation, and what of them the page may draw.

    Attributes:
        scores: float32 [n_alive], downwards; removed tokens left out.
        tokens: the likeliest of them, and the chosen one.
        sampling: temperature and truncation act in this mode.
        covered: nothing else happens after the first of them, so that the page can compute everything.
        min_keep: tokens that truncation must leave.
        alive, mass_removed, entropy_nats: of the recorded final distribution; `mass_removed` by truncation.
        likeliest: the token with the highest recorded final score.
    """

    scores: np.ndarray
    tokens: tuple[ScoredToken, ...]
    sampling: bool
    covered: bool
    min_keep: int
    alive: int
    mass_removed: float
    entropy_nats: float
    likeliest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeliest:
    """The token with the highest final score, under other settings."""

    token_id: int
    text: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAnswer:
    """A step under other settings, by transformers' own processors.

    Attributes:
        knobs: temperature, top_k, top_p, min_p as they act, at their neutral value where they do not.
        alive: tokens still possible.
        mass_removed: of the probability after temperature, by all truncation together.
        entropy_nats: of what is left; None where nothing is.
        likeliest: of what is left, its text and its probability; None where nothing is, or the scores are no numbers.
        probabilities: by id, of the tokens asked for; exactly 0 where removed.
    """

    knobs: dict[str, float]
    alive: int
    mass_removed: float
    entropy_nats: float | None
    likeliest: Likeliest | None
    probabilities: dict[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMarks:
    """A row's tokens under other settings.

    Attributes:
        probabilities: per step, of the token that came; 0 where it would have been impossible, None where the step
            was lost.
        n_gone: how many would have been.
        diverges_at: the first step at which the run would have gone another way, or None.
    """

    row: int
    probabilities: tuple[float | None, ...]
    n_gone: int
    diverges_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedAnswer:
    """A hypothesis as it would have been returned; `was` is the `answer` it had, None where it was not returned."""

    answer: int
    was: int | None
    score: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayView:
    """A prompt's hypotheses under other rules; see `decoding.whatif.beam_replay.Replay`."""

    answers: tuple[RankedAnswer, ...]
    n_steps: int
    decided: bool


def sorted_scores(
    trace: Trace, whatif: WhatIf, *, step: int, row: int, chosen: int | None, recorded: list[Tensor] | None = None
) -> SortedScores:
    """What the page computes a step from, under the settings of `whatif`.

    Args:
        recorded: the row's scores before the first stage and after each, where they are at hand.

    Raises:
        NotRecordedError: the step was lost.
    """
    before = page_scores(whatif, step=step, row=row)
    values = before.numpy()
    alive = np.sort(values[values > -math.inf])[::-1]
    recorded = trace.steps[step].all_scores(row=row) if recorded is None else recorded
    p = stats.probs(recorded[-1])
    cut = _cut(trace.steps[step].stages, recorded)
    following = {stage.name for stage in whatif.stages[_first_of_page(whatif) :]}
    return SortedScores(
        scores=np.ascontiguousarray(alive, dtype="<f4"),
        tokens=_tokens(trace, before, p, chosen),
        sampling=whatif.mode in ("sample", "beam_sample"),
        covered=following <= {*PAGE_STAGES, "LogitNormalization"},
        min_keep=_min_keep(whatif),
        alive=int((recorded[-1] > -math.inf).sum()),
        mass_removed=cut,
        entropy_nats=float(stats.entropy_nats(recorded[-1])),
        likeliest=int(recorded[-1].argmax()),
    )


def page_scores(whatif: WhatIf, *, step: int, row: int) -> Tensor:
    """The scores that the page's own stages begin with, float32 [vocab]."""
    return whatif.all_scores(step=step, row=row)[_first_of_page(whatif)]


def step_answer(whatif: WhatIf, *, step: int, row: int, token_ids: tuple[int, ...]) -> StepAnswer:
    """A step's final distribution under the settings of `whatif`."""
    outputs = whatif.all_scores(step=step, row=row)
    p = stats.probs(outputs[-1])
    alive = outputs[-1] > -math.inf
    nothing = not bool(alive.any())
    return StepAnswer(
        knobs=_knobs(whatif),
        alive=int(alive.sum()),
        mass_removed=_cut(whatif.stages, outputs),
        entropy_nats=None if nothing else float(stats.entropy_nats(outputs[-1])),
        likeliest=None if nothing else _likeliest(whatif.trace, outputs[-1], p),
        probabilities={i: 0.0 if nothing else float(p[i]) for i in token_ids},
    )


def _likeliest(trace: Trace, scores: Tensor, p: Tensor) -> Likeliest | None:
    first = int(scores.argmax())
    probability = float(p[first])
    if math.isnan(probability):
        return None
    return Likeliest(token_id=first, text=token_text(trace, first), probability=probability)


def row_marks(trace: Trace, whatif: WhatIf, row: int) -> RowMarks:
    """The row's tokens under the settings of `whatif`, from its first step to its end."""
    going = [t for t, step in enumerate(trace.steps) if not step.ended[row]]
    p = tuple(whatif.chosen_probability[t][row] for t in going)
    survives = [whatif.chosen_survives[t][row] for t in going]
    return RowMarks(
        row=row, probabilities=p, n_gone=survives.count(False), diverges_at=whatif.row_diverges_at[row]
    )


def replay_view(trace: Trace, replayed: Replay, prompt: int) -> ReplayView:
    """A prompt's hypotheses in their new order, with the numbers they had."""
    was = {(h.step, h.rank): h.answer for h in trace.hypotheses if h.prompt == prompt}
    answers = tuple(
        RankedAnswer(
            answer=h.answer, was=was.get((h.step, h.rank)), score=h.score,
            text=whole_text(trace, h.token_ids[:LONGEST_ANSWER]),
        )
        for h in replayed.hypotheses
        if h.prompt == prompt
    )  # fmt: skip
    return ReplayView(answers=answers, n_steps=replayed.n_steps, decided=replayed.decided)


def head_of(whatif: WhatIf) -> str:
    """A short name for everything that `sorted_scores` depends on but the step."""
    first = _first_of_page(whatif)
    parts = [(stage.name, sorted(stage.params.items())) for stage in whatif.stages[:first]]
    rest = sorted({stage.name for stage in whatif.stages[first:]} - set(PAGE_STAGES))
    return hashlib.sha256(repr((parts, rest, whatif.mode, _words(whatif))).encode()).hexdigest()[:12]


def _words(whatif: WhatIf) -> list[Any]:
    """What processors hold besides plain numbers: words, biases."""
    config = whatif.config
    return [
        config.bad_words_ids, config.sequence_bias, config.suppress_tokens, config.begin_suppress_tokens,
        config.forced_bos_token_id, config.forced_eos_token_id, config.exponential_decay_length_penalty,
        config.watermarking_config, *(getattr(config, name, None) for name in ENGINES),
    ]  # fmt: skip


def _first_of_page(whatif: WhatIf) -> int:
    """Index of the scores that the page's stages begin with: those before the first of them, else the last."""
    cuts = (*PAGE_STAGES, *ALSO_CUT)
    return next((i for i, stage in enumerate(whatif.stages) if stage.name in cuts), len(whatif.stages))


def _cut(stages, outputs: list[Tensor]) -> float:
    """Probability after temperature that truncation removed."""
    names = [stage.name for stage in stages]
    first = next((i for i, name in enumerate(names) if name in (*PAGE_STAGES, *ALSO_CUT)), None)
    if first is None:
        return 0.0
    scaled = outputs[first + 1] if names[first] == "TemperatureLogitsWarper" else outputs[first]
    gone = (outputs[-1] == -math.inf) & (scaled > -math.inf)
    return float(stats.probs(scaled)[gone].sum()) if bool(gone.any()) else 0.0


def _min_keep(whatif: WhatIf) -> int:
    """As transformers sets `min_tokens_to_keep`: beams need a continuation besides the ending ones."""
    if whatif.mode != "beam_sample":
        return 1
    ends = whatif.config.eos_token_id
    return 2 if not isinstance(ends, (list, tuple)) else len(ends) + 1


def _knobs(whatif: WhatIf) -> dict[str, float]:
    out = dict(OFF)
    for stage in whatif.stages:
        knob = PAGE_STAGES.get(stage.name)
        if knob is not None:
            out[knob] = stage.params.get(knob, OFF[knob])
    return out


def _tokens(trace: Trace, before: Tensor, recorded: Tensor, chosen: int | None) -> tuple[ScoredToken, ...]:
    top = torch.topk(before, min(N_TOKENS, len(before)))
    ids = [int(i) for i, score in zip(top.indices, top.values, strict=True) if score > -math.inf]
    places = {token_id: place for place, token_id in enumerate(ids)}
    if chosen is not None and chosen not in places:
        ids.append(chosen)
        places[chosen] = int((before > before[chosen]).sum()) if before[chosen] > -math.inf else -1
    return tuple(
        ScoredToken(
            token_id=i, text=token_text(trace, i), place=places[i], chosen=i == chosen, recorded=float(recorded[i])
        )
        for i in ids
    )
