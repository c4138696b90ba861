"""Our samplers beside llama.cpp's own, row by row, with float64 as the judge.

    python -m tests.engines.llama_samplers FILE [NAME …]     (a file of `tests.engines.real_rows`; samplers by name)

Per sampler: rows on which the same tokens are left and no probability differs by more than 1e-6; rows on which they
differ and ours are those of the definition in float64, so that the engine's float32 sums explain it (or a token lies as
near to the edge as float32 can tell); and rows that nothing explains, of which there must be none.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from decoding.engines.llama_cpp import Outcome, Sampler, SamplerChain, Vocabulary, sampler
from decoding.samplers import (
    AdaptivePLogitsWarper,
    DRYLogitsProcessor,
    DynamicTemperatureLogitsWarper,
    MirostatLogitsWarper,
    TopNSigmaLogitsWarper,
    XTCLogitsWarper,
)

from .real_rows import Window, saved_windows

__all__ = ["CASES", "Case", "Truth", "compared"]

CLOSE = 1e-6  # of a probability
# By how much ours may be off the definition: a score of 40 in float32 is rounded by 2e-6 itself, and one that was
# divided by a small temperature by as much more as it is larger.
ROUNDED, OF_A_SCORE = 5e-6, float(np.finfo(np.float32).eps) / 2
SUMS = 1e-2  # by how much the engine's own may be off: adaptive-p steepens the error of its sums some hundred times
EDGE = 1e-6  # of what a rule compares, relative
ENGINES_EDGE = 4e-5  # the same of the engine, where its sums are not those of the probabilities


@dataclass(frozen=True)
class Case:
    """One sampler with some parameters.

    Attributes:
        name: to be told by.
        engine: llama.cpp's sampler of the same parameters.
        ours: makes our processor, given a tokenizer.
        truth: makes the definition in float64; None where float32 explains nothing, since both do the same few
            additions.
        draws: the engine draws a token, which both are told; else both are told the text.
    """

    name: str
    engine: Callable[[], Sampler]
    ours: Callable[[Any], Any]
    truth: Callable[[], Truth] | None
    draws: bool = False


class Truth:
    """A definition in float64, with a state of its own."""

    def of(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is left (bool), the scores of that, and how near each token is to the edge, relative; each [vocab]."""
        raise NotImplementedError

    def engines_edge(self, scores: np.ndarray) -> float:
        """How near to the edge the engine may leave another token of these scores, relative."""
        return ENGINES_EDGE

    def kept(self, left: np.ndarray) -> None:
        """Is told what whoever it judges has left of the last scores."""

    def drawn(self, token: int) -> None:
        """Is told what was drawn from it."""


def _softmax(scores: np.ndarray) -> np.ndarray:
    with np.errstate(under="ignore"):
        p = np.exp(scores - scores.max())
    return p / p.sum()


def _engines_total(scores: np.ndarray) -> float:
    """By how much the engine's total is off, relative: it adds up 49,152 exponentials one by one, in float32."""
    p = np.exp(np.sort(scores)[::-1] - scores.max())
    return abs(float(np.add.accumulate(p.astype(np.float32))[-1]) / p.sum() - 1)


class _TopNSigma(Truth):
    def __init__(self, n: float) -> None:
        self.n = n

    def of(self, scores):
        edge = scores.max() - self.n * scores[scores > -np.inf].std()
        return scores >= edge, scores, np.abs(scores - edge) / max(abs(edge), 1.0)


class _XTC(Truth):
    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def of(self, scores):
        p = _softmax(scores)
        above, left = np.flatnonzero(p >= self.threshold), scores > -np.inf
        if len(above) > 1:
            left[np.setdiff1d(above, above[p[above].argmin()])] = False
        near = np.abs(p - self.threshold) / self.threshold
        near[p > self.threshold * 0.99] = near.min()  # whether one of them is above decides which are removed
        return left, scores, near

    def engines_edge(self, scores):
        return EDGE + _engines_total(scores)


class _Dynamic(Truth):
    def __init__(self, middle: float, around: float, exponent: float) -> None:
        self.low, self.high, self.exponent = max(0.0, middle - around), middle + around, exponent

    def of(self, scores):
        p, n = _softmax(scores), (scores > -np.inf).sum()
        share = -(p[p > 0] * np.log(p[p > 0])).sum() / np.log(n)
        temperature = self.low + (self.high - self.low) * share**self.exponent
        return scores > -np.inf, scores / temperature, np.ones_like(scores)


class _Mirostat(Truth):
    def __init__(self, tau: float, eta: float) -> None:
        self.tau, self.eta, self.mu = tau, eta, 2 * tau
        self.drift = 0.0  # bits by which the engine's limit may be off after what it has drawn

    def of(self, scores):
        with np.errstate(divide="ignore"):
            surprisal = -np.log2(_softmax(scores))
        left = surprisal <= self.mu
        left[scores.argmax()] = True
        self.scores = scores
        return left, scores, np.abs(surprisal - self.mu) / max(abs(self.mu), 1.0)

    def engines_edge(self, scores):
        return EDGE + (_engines_total(scores) / np.log(2) + self.drift) / max(abs(self.mu), 1.0)

    def kept(self, left):
        self.p = _softmax(np.where(left, self.scores, -np.inf))
        self.off = _engines_total(self.scores[left]) / np.log(2)

    def drawn(self, token):
        self.mu -= self.eta * (-np.log2(self.p[token]) - self.tau)
        self.drift += self.eta * self.off + EDGE * abs(self.mu)


class _Adaptive(Truth):
    def __init__(self, target: float, decay: float) -> None:
        self.target, self.decay, self.sum, self.weight = target, decay, target / (1 - decay), 1 / (1 - decay)

    def of(self, scores):
        self.p, aim = _softmax(scores), np.clip(2 * self.target - self.sum / self.weight, 0, 1)
        d = np.abs(self.p - aim) / 0.3
        return scores > -np.inf, 5 - 10 * d * d / (1 + d), np.ones_like(scores)

    def drawn(self, token):
        self.sum, self.weight = self.p[token] + self.decay * self.sum, 1 + self.decay * self.weight


def _top_n_sigma(n: float) -> Case:
    return Case(
        f"top-nσ {n}", lambda: sampler("top_n_sigma", n=n), lambda _: TopNSigmaLogitsWarper(n), lambda: _TopNSigma(n)
    )


def _xtc(threshold: float) -> Case:
    return Case(
        f"XTC {threshold}", lambda: sampler("xtc", p=1.0, t=threshold),
        lambda _: XTCLogitsWarper(1.0, threshold, seed=0), lambda: _XTC(threshold),
    )  # fmt: skip


def _dynamic(middle: float, around: float, exponent: float) -> Case:
    return Case(
        f"dynamic temperature {middle} ± {around} ^{exponent}",
        lambda: sampler("temp_ext", t=middle, delta=around, exponent=exponent),
        lambda _: DynamicTemperatureLogitsWarper(around, exponent, middle), lambda: _Dynamic(middle, around, exponent),
    )  # fmt: skip


def _mirostat(tau: float, eta: float) -> Case:
    return Case(
        f"mirostat {tau} {eta}", lambda: sampler("mirostat_v2", tau=tau, eta=eta, seed=7),
        lambda _: MirostatLogitsWarper(tau, eta), lambda: _Mirostat(tau, eta), draws=True,
    )  # fmt: skip


def _adaptive(target: float, decay: float) -> Case:
    return Case(
        f"adaptive-p {target} {decay}", lambda: sampler("adaptive_p", target=target, decay=decay, seed=7),
        lambda _: AdaptivePLogitsWarper(target, decay), lambda: _Adaptive(target, decay), draws=True,
    )  # fmt: skip


def _dry(multiplier: float, base: float, allowed: int, last_n: int, breakers: tuple[str, ...]) -> Case:
    n = 1 << 16 if last_n == -1 else last_n
    return Case(
        f"DRY {multiplier} {base} {allowed} {last_n} {breakers}",
        lambda: sampler("dry", multiplier=multiplier, base=base, allowed_length=allowed, last_n=n, breakers=breakers),
        lambda tokenizer: DRYLogitsProcessor(multiplier, base, allowed, last_n, list(breakers), tokenizer=tokenizer),
        None,
    )  # fmt: skip


CASES = (
    _top_n_sigma(1.0), _top_n_sigma(0.3), _top_n_sigma(2.5), _xtc(0.1), _xtc(0.02), _xtc(0.4),
    _dynamic(0.8, 0.5, 1.0), _dynamic(1.0, 1.0, 2.0), _dynamic(0.3, 0.9, 0.5),
    _mirostat(5.0, 0.1), _mirostat(2.0, 0.5), _adaptive(0.5, 0.9), _adaptive(0.1, 0.5),
    _dry(0.8, 1.75, 2, -1, ()), _dry(0.8, 1.75, 2, -1, ("\n", ":", '"', "*")),
    _dry(1.5, 1.2, 1, 64, ("the", ". A", "](")), _dry(2.0, 3.0, 0, 40, ("\n",)),
)  # fmt: skip


def compared(case: Case, windows: Iterable[Window], tokenizer: Any, vocabulary: Vocabulary | None) -> Counter[str]:
    """How many rows are the `same`, `explained` and `unexplained`."""
    counts: Counter[str] = Counter()
    for ids, rows in windows:
        with SamplerChain([case.engine()], rows.shape[1], vocabulary) as chain:
            done = 0
            while done < len(rows):
                chain.reset()
                done += _text_compared(case, ids[done:], rows[done:], chain, tokenizer, counts)
    return counts


def _text_compared(
    case: Case, ids: np.ndarray, rows: np.ndarray, chain: SamplerChain, tokenizer: Any, counts: Counter[str]
) -> int:
    """How many rows one text had: the engine may draw what it alone has left, and with that ours cannot go on."""
    ours, truths = case.ours(tokenizer), None if case.truth is None else (case.truth(), case.truth())
    context: list[int] = [0] if case.draws else []
    for n, (token, row) in enumerate(zip(ids.tolist(), rows, strict=True), 1):
        if not case.draws:
            context.append(token)
            chain.accept(token)
        found = chain.apply(torch.from_numpy(row.copy()))
        made = ours(torch.tensor([context]), torch.from_numpy(row.copy())[None])[0].numpy()
        counts[_verdict(truths, case.draws, row, made, found)] += 1
        if not case.draws:
            continue
        if made[found.selected] == -np.inf:
            return n
        context.append(found.selected)
        chain.accept(found.selected)
        for truth in truths or ():
            truth.drawn(found.selected)
    return len(rows)


def _verdict(
    truths: tuple[Truth, Truth] | None, remembers: bool, row: np.ndarray, made: np.ndarray, found: Outcome
) -> str:
    """Ours and the engine's, each held against the definition in float64 that has seen what it did before.

    A token on the very edge may be left by one of them alone; then all that follows is another's.
    """
    left, p = found.survivors.numpy(), found.probabilities.numpy().astype(np.float64)
    alive, mine = made > -np.inf, _softmax(made.astype(np.float64))  # our processors give scores, not probabilities
    same = np.array_equal(left, alive) and np.abs(p - mine).max() <= CLOSE
    if truths is None or same and not remembers:
        return "same" if same else "unexplained"
    true = []
    engines_edge = truths[1].engines_edge(row.astype(np.float64))
    ours, engines = (truths[0], alive, mine, ROUNDED, EDGE), (truths[1], left, p, SUMS, engines_edge)
    for truth, kept, q, off, edge in (ours, engines):
        truly, scores, near = truth.of(row.astype(np.float64))  # asked in any case where its state goes on from here
        truth.kept(kept)
        sure = near > edge
        off = max(off, OF_A_SCORE * np.abs(scores[kept]).max())
        true.append(
            np.array_equal(kept[sure], truly[sure])
            and np.abs(q - _softmax(np.where(kept, scores, -np.inf))).max() <= off
        )
    return "same" if same else "explained" if all(true) else "unexplained"


def main(file: str, names: list[str]) -> int:
    from decoding import load_model
    from decoding.engines.llama_library import library_version
    from tests.engine import gguf_file

    tokenizer, vocabulary, bad = load_model().tokenizer, Vocabulary(gguf_file()), 0
    print(f"llama.cpp {library_version()}\nsampler | same | explained | unexplained")
    for case in (case for case in CASES if not names or any(case.name.startswith(name) for name in names)):
        counts = compared(case, saved_windows(file), tokenizer, vocabulary)
        bad += counts["unexplained"]
        print(f"{case.name} | {counts['same']} | {counts['explained']} | {counts['unexplained']}", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1], sys.argv[2:])))
