"""How exact a what-if of a compact trace is: bounds that hold wherever in its bin each token of the tail may lie.

A row is followed through the stages with what is certain about it: which tokens of the head surely live and which may,
which bins of the tail do, and between which limits the tail's mass lies. At temperature 1 that mass is known; at
another, the power mean of a bin lies between Jensen's inequality and the chord through the bin's ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from decoding.parameters.knobs import PROCESSOR_OF
from decoding.recorded.run import RecordedRun, Step
from decoding.recorded.stages import LOG_SOFTMAX, Stage
from decoding.recorded.step_store import FilledUpSteps
from decoding.recorded.tail import Tail
from decoding.samplers.chain import CLASSES

__all__ = ["Exactness", "exactness", "how_exact", "mass_limits", "nearly_equal", "probability_limit"]

FLOAT32 = 5e-6  # ten times what sums of 49,152 float32 were seen to be off; a token this near a threshold is undecided
# They add one number to all scores, which changes no probability.
SHIFTS = (LOG_SOFTMAX, PROCESSOR_OF["renormalize_logits"].name)
ROUNDED = 1e-6  # relative; `Tail.mass` is a float32
BY_ENTROPY = {PROCESSOR_OF[name].name: name for name in ("typical_p", "eta_cutoff")}
# Samplers of other engines that go by all scores: their spread, their entropy, or a limit that follows the text.
BY_ALL_SCORES = frozenset(kind.__name__ for name, kind in CLASSES.items() if name != "dry_multiplier")
TEMPERATURE = PROCESSOR_OF["temperature"].name
CLOSE = 5e-5  # nats; what a log-softmax of heads and tails may differ by from that of the run, in float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactness:
    """What is certain about a what-if of one step and row of a compact trace.

    Attributes:
        survivors: it is certain for every token of the head whether it survives.
        tail: what survives of the tokens outside the head: `none`, `all`, or `some`: a threshold falls among them.
        probability_error: the probability shown of any token of the head is at most this far from the truth; None
            where nothing bounds it.
        unbounded: the stage that acts on single tokens of the tail, where there is one; else "".
    """

    survivors: bool
    tail: str
    probability_error: float | None
    unbounded: str = ""


def exactness(recorded: Step, stages: Sequence[Stage], scores: Sequence[Tensor], row: int) -> Exactness:
    """How exact the scores of a what-if are at a recorded step; exact in every respect where the trace is lossless.

    Args:
        stages: the what-if's.
        scores: of the row, before the first of them and after each, float32 [vocab] each.
    """
    tail = recorded.tail(row)
    if tail is None or not len(tail.count):
        return Exactness(survivors=True, tail="none", probability_error=0.0)
    head = recorded.exact_ids(row).numpy()
    rest = np.ones(len(scores[0]), dtype=bool)
    rest[head] = False
    state = _begin(scores[0].numpy()[head], tail)
    if np.isnan(state.scores).any() or (state.scores == np.inf).any():
        return Exactness(survivors=False, tail="some", probability_error=None)
    for i, stage in enumerate(stages, start=1):
        before, after = scores[i - 1].numpy(), scores[i].numpy()
        rule = RULES.get(stage.name)
        if stage.name in BY_ALL_SCORES and not state.is_known:
            return Exactness(survivors=False, tail="some", probability_error=None, unbounded=stage.name)
        if rule is not None and (state.is_known or _has_all(state, stage.params.get("top_n"))):
            alive = after[head] > -np.inf  # the rule saw what it would have seen in the run
            gone = np.zeros_like(state.tail_sure)
            state = replace(state, sure=alive, may=alive, tail_sure=gone, tail_may=gone)
        elif rule is not None:
            state = rule(state, stage.params)
        else:
            moved = _moved(state, stage.name, stage.params, (before[head], after[head]), (before[rest], after[rest]))
            if moved is None:
                return Exactness(survivors=False, tail="some", probability_error=None, unbounded=stage.name)
            state = moved
    return _verdict(state)


def how_exact(trace: RecordedRun, stages: Sequence[Stage]) -> list[tuple[str, str, str]]:
    """What a what-if with these stages says of a compact trace: a key for translations, a value, and words."""
    temperature = next((s.params["temperature"] for s in stages if s.name == TEMPERATURE), 1.0)
    most = f"{math.ceil(1e4 * probability_limit(trace, float(temperature))) / 100:g}%"
    words = (
        "the recording is compact: as long as no threshold falls among the tokens that it keeps as a histogram, nor "
        f"within {most} of a token, which tokens survive is exact, and a probability is at most {most} off"
    )
    out = [("compact", most, words)]
    for name, knob in BY_ENTROPY.items():
        if any(stage.name == name for stage in stages):
            words = f"{knob} goes by the entropy of all tokens, which a compact recording gives only nearly"
            out.append(("compact_entropy", knob, words))
    return out


def nearly_equal(a: Tensor, b: Tensor, ids: Tensor) -> bool:
    """Whether two rows of scores give the tokens of the head the same score, but for rounding."""
    return bool(torch.allclose(a[ids], b[ids], rtol=0, atol=CLOSE, equal_nan=True))


def probability_limit(trace: RecordedRun, temperature: float) -> float:
    """By how much any probability may be off at a temperature, while no threshold falls into a tail.

    With a tail's mass between l and h, w / (W + mass) moves by at most (√h − √l) / (√h + √l), whatever W ≥ w is: so
    this holds whatever else is done to the tokens of the head.
    """
    if trace.compact is None:
        return 0.0
    tails, first = cast(FilledUpSteps, trace.store).all_tails
    if not len(first):
        return 0.0
    top = np.repeat(tails.high[first], np.diff(np.append(first, len(tails.high))))
    scale = np.exp((tails.high - top) / temperature)
    low, high = (np.sqrt(np.add.reduceat(part * scale, first)) for part in mass_limits(tails, 1 / temperature))
    return float(((high - low) / (high + low)).max())


def mass_limits(tail: Tail, power: float) -> tuple[np.ndarray, np.ndarray]:
    """Between what the sum of exp(power · (score − high)) of each bin lies, float64 [bins] each."""
    least = np.exp(tail.low - tail.high)  # of exp(score − high) in the bin; the most is 1
    mean = np.clip(tail.mass / tail.count, least, 1.0)
    curve = mean**power
    width = 1 - least
    part = np.divide(mean - least, width, out=np.zeros_like(mean), where=width > 0)
    chord = least**power + part * (1 - least**power)
    low, high = (curve, chord) if power >= 1 else (chord, curve)
    slack = ROUNDED * max(1.0, power)
    return tail.count * low * (1 - slack), tail.count * high * (1 + slack)


# --- what is certain ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """A row between two stages.

    Attributes:
        scores: of the head, float64 [n].
        sure, may: bool [n], the token surely lives, or may.
        tail, power, shift: a score of the tail is now power · score + shift.
        tail_sure, tail_may: bool [bins], all tokens of the bin surely live, or some may.
    """

    scores: np.ndarray
    sure: np.ndarray
    may: np.ndarray
    tail: Tail
    tail_sure: np.ndarray
    tail_may: np.ndarray
    power: float = 1.0
    shift: float = 0.0

    @property
    def is_known(self) -> bool:
        """Every score that is left is the run's own."""
        return not self.tail_may.any() and bool((self.sure == self.may).all())

    @property
    def low(self) -> np.ndarray:
        return self.power * self.tail.low + self.shift

    @property
    def high(self) -> np.ndarray:
        return self.power * self.tail.high + self.shift


@dataclass(frozen=True, slots=True, kw_only=True)
class _Masses:
    """Tokens of the head and bins of the tail in one row, each with limits: score and mass.

    Attributes:
        low, high: of their scores.
        least, most: of their masses, as a share of the highest score's; `least` is 0 where it may not live.
        n_least, n_most: how many tokens.
    """

    low: np.ndarray
    high: np.ndarray
    least: np.ndarray
    most: np.ndarray
    n_least: np.ndarray
    n_most: np.ndarray


def _has_all(state: _State, n: int | None) -> bool:
    """Whether the n best tokens, which are all that the rule looks at, are for certain in the head."""
    if n is None or bool((state.sure != state.may).any()):
        return False
    return int((state.scores[state.sure] > state.high[state.tail_may].max(initial=-np.inf)).sum()) >= n


def _begin(logits: np.ndarray, tail: Tail) -> _State:
    alive = logits > -np.inf
    whole = np.ones(len(tail.count), dtype=bool)
    return _State(
        scores=logits.astype(np.float64), sure=alive, may=alive, tail=tail, tail_sure=whole, tail_may=whole
    )  # fmt: skip


def _moved(
    state: _State, name: str, params: Mapping[str, Any], head: tuple[np.ndarray, np.ndarray],
    rest: tuple[np.ndarray, np.ndarray],
) -> _State | None:  # fmt: skip
    """After a stage that acts on each token by itself; None where that cannot be followed."""
    before, after = head
    if np.array_equal(before, after) and np.array_equal(*rest):
        return state
    undecided = bool((state.sure != state.may).any() or (state.tail_sure != state.tail_may).any())
    if undecided:
        return state if name in SHIFTS else None
    alive = after > -np.inf
    state = replace(state, scores=after.astype(np.float64), sure=state.sure & alive, may=state.may & alive)
    if np.array_equal(*rest):
        return state
    if not (rest[1] > -np.inf).any():
        nothing = np.zeros_like(state.tail_sure)
        return replace(state, tail_sure=nothing, tail_may=nothing)
    if name == TEMPERATURE:
        by = 1 / float(params["temperature"])
        return replace(state, power=state.power * by, shift=state.shift * by)
    if name in SHIFTS and state.sure.any():
        one = int(np.argmax(state.sure))
        return replace(state, shift=state.shift + float(after[one]) - float(before[one]))
    return None


def _masses(state: _State) -> _Masses:
    top = max(state.scores[state.may].max(initial=-np.inf), state.high[state.tail_may].max(initial=-np.inf))
    own = np.where(state.may, np.exp(np.where(state.may, state.scores, -np.inf) - top), 0.0)
    less, more = mass_limits(state.tail, state.power)
    scale = np.exp(np.minimum(state.high - top, 0.0))
    return _Masses(
        low=np.concatenate([state.scores, state.low]),
        high=np.concatenate([state.scores, state.high]),
        least=np.concatenate([own * state.sure, less * scale * state.tail_sure]),
        most=np.concatenate([own, more * scale * state.tail_may]),
        n_least=np.concatenate([state.sure.astype(int), state.tail.count * state.tail_sure]),
        n_most=np.concatenate([state.may.astype(int), state.tail.count * state.tail_may]),
    )


def _verdict(state: _State) -> Exactness:
    masses, n = _masses(state), len(state.scores)
    least, most = masses.least[:n], masses.most[:n]
    others_least, others_most = masses.least.sum() - least, masses.most.sum() - most
    with np.errstate(invalid="ignore", divide="ignore"):
        high = np.where(most > 0, most / (most + others_least), 0.0)
        low = np.where(least > 0, least / (least + others_most), 0.0)
    gone = not state.tail_may.any()
    return Exactness(
        survivors=bool((state.sure == state.may).all()),
        tail="none" if gone else "all" if bool(state.tail_sure.all()) else "some",
        probability_error=float(min((high - low).max(initial=0.0) + 1e-6, 1.0)) if state.may.any() else 0.0,
    )


# --- the rules ----------------------------------------------------------------------------------------------


def _kept(state: _State, surely: np.ndarray, maybe: np.ndarray) -> _State:
    """After a rule, from what it surely keeps and what it may keep, [n + bins] each."""
    n = len(state.scores)
    surely, maybe = surely & maybe, maybe
    return replace(
        state, sure=state.sure & surely[:n], may=state.may & maybe[:n],
        tail_sure=state.tail_sure & surely[n:], tail_may=state.tail_may & maybe[n:],
    )  # fmt: skip


def _ordered(order: np.ndarray, keys: np.ndarray, values: np.ndarray, side: Literal["left", "right"]) -> np.ndarray:
    """For each key the sum of the values whose own key (`order`) is above it, or with `left` above or equal."""
    by = np.argsort(order, kind="stable")
    sums = np.append(np.cumsum(values[by][::-1])[::-1], 0.0)  # sums[i]: from place i on
    return sums[np.searchsorted(order[by], keys, side=side)]


def _above(m: _Masses) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each: least and most mass, and least and most number, of tokens that come before (one of) it."""
    near = FLOAT32 * np.maximum(1.0, np.abs(np.where(np.isfinite(m.high), m.high, 0.0)))
    least = _ordered(m.low, m.high + near, m.least, "right")
    most = _ordered(m.high, m.low - near, m.most, "left")
    n_least = _ordered(m.low, m.high + near, m.n_least, "right")
    n_most = _ordered(m.high, m.low - near, m.n_most, "left")
    single = m.n_most == 1  # one token does not come before itself
    return least, np.where(single, most - m.most, most), n_least, np.where(single, n_most - 1, n_most)


def _minimum(m: _Masses, params: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """What `min_tokens_to_keep` surely saves, and may save."""
    at_least = int(params.get("min_tokens_to_keep", 1))
    _, _, n_least, n_most = _above(m)
    return n_most < at_least, n_least < at_least


def _top_p(state: _State, params: Mapping[str, Any]) -> _State:
    m, p = _masses(state), float(params["top_p"])
    least, most, _, _ = _above(m)
    total_least, total_most = m.least.sum(), m.most.sum()
    # The share of what comes before: it is itself part of the whole.
    most_share = most / np.maximum(most + np.maximum(total_least - np.minimum(most, total_least), 0.0), 1e-300)
    least_share = least / np.maximum(total_most, 1e-300)
    saved, perhaps = _minimum(m, params)
    return _kept(state, (most_share < p - FLOAT32) | saved, (least_share < p + FLOAT32) | perhaps)


def _top_k(state: _State, params: Mapping[str, Any]) -> _State:
    m, k = _masses(state), int(params["top_k"])
    _, _, n_least, n_most = _above(m)
    return _kept(state, n_most < k, n_least < k)


def _min_p(state: _State, params: Mapping[str, Any]) -> _State:
    m, least = _masses(state), math.log(float(params["min_p"])) if params["min_p"] > 0 else -math.inf
    surely_there = m.n_least > 0
    top_least, top_most = m.low[surely_there].max(initial=-np.inf), m.high[m.n_most > 0].max(initial=-np.inf)
    saved, perhaps = _minimum(m, params)
    near = FLOAT32 * max(1.0, abs(top_most))
    return _kept(state, (m.low >= top_most + least + near) | saved, (m.high >= top_least + least - near) | perhaps)


def _by_probability(state: _State, m: _Masses, low: float, high: float, params: Mapping[str, Any]) -> _State:
    """Keeps what is at least as probable as a threshold between `low` and `high`."""
    top = m.high[m.n_most > 0].max(initial=-np.inf)
    total_least, total_most = m.least.sum(), m.most.sum()
    p_least, p_most = np.exp(m.low - top) / total_most, np.exp(m.high - top) / max(total_least, 1e-300)
    saved, perhaps = _minimum(m, params)
    near = 1 + FLOAT32
    return _kept(state, (p_least >= high * near) | saved, (p_most >= low / near) | perhaps)


def _epsilon(state: _State, params: Mapping[str, Any]) -> _State:
    epsilon = float(params["epsilon"])
    return _by_probability(state, _masses(state), epsilon, epsilon, params)


def _eta(state: _State, params: Mapping[str, Any]) -> _State:
    m, epsilon = _masses(state), float(params["epsilon"])
    mean_low, mean_high, log_low, log_high = _mean_score(m)
    thresholds = (
        min(epsilon, math.sqrt(epsilon) * math.exp(-max(entropy, 0.0)))
        for entropy in (log_high - mean_low, log_low - mean_high)
    )
    low, high = thresholds
    return _by_probability(state, m, low, high, params)


def _mean_score(m: _Masses) -> tuple[float, float, float, float]:
    """Limits of the mean score under the distribution, and of the log of the sum of exp."""
    top = float(m.high[m.n_most > 0].max(initial=-np.inf))
    total_least, total_most = float(m.least.sum()), float(m.most.sum())
    # Sums of (score − top) · mass: all terms are at most 0, so the most mass gives the least sum.
    with np.errstate(invalid="ignore"):
        sum_least = float(np.where(m.most > 0, (m.low - top) * m.most, 0.0).sum())
        sum_most = float(np.where(m.least > 0, (m.high - top) * m.least, 0.0).sum())
    low, high = sum_least / max(total_least, 1e-300), sum_most / max(total_most, 1e-300)
    return top + low, top + high, top + math.log(max(total_least, 1e-300)), top + math.log(max(total_most, 1e-300))


def _typical(state: _State, params: Mapping[str, Any]) -> _State:
    """Tokens come in by how near their score is to the mean score, until the mass is reached."""
    m, mass = _masses(state), float(params["mass"])
    mean_low, mean_high, _, _ = _mean_score(m)
    near = FLOAT32 * max(1.0, abs(mean_low), abs(mean_high))
    far = np.maximum(np.abs(m.high - mean_low), np.abs(m.low - mean_high))
    far = np.maximum(far, np.maximum(np.abs(m.low - mean_low), np.abs(m.high - mean_high))) + near
    close = np.maximum(np.maximum(m.low - mean_high, mean_low - m.high), 0.0) - near
    # A nearer one has a higher key. Surely nearer than the nearest it can be; maybe nearer than the furthest.
    least = _ordered(-far, -close, m.least, "right")
    most = _ordered(-close, -far, m.most, "left")
    n_least, n_most = _ordered(-far, -close, m.n_least, "right"), _ordered(-close, -far, m.n_most, "left")
    single = m.n_most == 1
    most, n_most = np.where(single, most - m.most, most), np.where(single, n_most - 1, n_most)
    at_least = int(params.get("min_tokens_to_keep", 1))
    most_share, least_share = most / max(m.least.sum(), 1e-300), least / max(m.most.sum(), 1e-300)
    saved, perhaps = n_most < at_least, n_least < at_least
    return _kept(state, (most_share < mass - FLOAT32) | saved, (least_share < mass + FLOAT32) | perhaps)


def _top_h(state: _State, params: Mapping[str, Any]) -> _State:
    """Only the hundred best matter, and they are not known; see `_has_all` for where they are."""
    m = _masses(state)
    return _kept(state, np.zeros(len(m.low), dtype=bool), _above(m)[2] < int(params.get("top_n", 100)))


RULES: dict[str, Callable[[_State, Mapping[str, Any]], _State]] = {
    PROCESSOR_OF["top_p"].name: _top_p,
    PROCESSOR_OF["top_k"].name: _top_k,
    PROCESSOR_OF["min_p"].name: _min_p,
    PROCESSOR_OF["epsilon_cutoff"].name: _epsilon,
    PROCESSOR_OF["eta_cutoff"].name: _eta,
    PROCESSOR_OF["typical_p"].name: _typical,
    PROCESSOR_OF["top_h"].name: _top_h,
}
