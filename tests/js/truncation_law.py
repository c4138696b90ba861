"""What must hold of the page's arithmetic, wherever it is run: it names the tokens that transformers' processors leave.

The cases, the law, and what "too close to call" means: there the page leaves the word to Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from transformers.generation import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

CLOSE = 1e-5  # of cumulative mass: nearer than this the page leaves the word to Python, always
SIZES = (32, 100, 1_000, 49_152, 152_000)
KINDS = ("normal", "flat", "peaked", "ties", "steep", "heavy tail", "holes+normal", "holes+ties")

Truncate = Callable[[np.ndarray, dict, list[int]], dict]
"""`dx.truncate` of scores, settings; with the probabilities at these places."""

CASES = {
    "kind": st.sampled_from(KINDS),
    "n": st.sampled_from(SIZES),
    "seed": st.integers(0, 10_000),
    "knobs": st.fixed_dictionaries(
        {
            "temperature": st.sampled_from([0.01, 0.3, 0.7, 1.0, 1.3, 2.0, 50.0]) | st.floats(0.05, 5.0),
            "top_k": st.sampled_from([0, 1, 2, 5, 50, 10**6]) | st.integers(1, 300),
            "top_p": st.sampled_from([0.001, 0.5, 0.9, 0.95, 1.0]) | st.floats(0.001, 1.0),
            "min_p": st.sampled_from([0.0, 0.05, 0.5, 1.0]) | st.floats(0.0, 1.0),
            "min_keep": st.sampled_from([1, 1, 1, 2, 3]),
        }
    ),
}


def drawn_logits(kind: str, n: int, seed: int) -> torch.Tensor:
    """Scores as models give them, and as they don't."""
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(n, generator=g)
    logits = {
        "normal": z * 2.5,
        "flat": z * 0.01,
        "peaked": torch.where(torch.arange(n) == seed % n, 30.0, z),
        "ties": (z * 2).round(),
        "steep": z * 12,
        "heavy tail": torch.cat([torch.linspace(4.0, 6.0, 30), z[30:] * 1e-4]),
    }[kind.removeprefix("holes+")]
    if kind.startswith("holes+"):
        logits[torch.rand(n, generator=g) < 0.3] = -math.inf
        logits[seed % n] = 1.0
    return logits


def as_sent(scores: torch.Tensor) -> np.ndarray:
    """Scores as the page gets them."""
    return scores.numpy().astype("<f4")


def left_by_transformers(logits: torch.Tensor, knobs: dict) -> torch.Tensor:
    """The scores after the same settings, as transformers builds their processors, in its order."""
    keep = knobs.get("min_keep", 1)
    processors = LogitsProcessorList([TemperatureLogitsWarper(knobs["temperature"])])
    if knobs["top_k"]:
        processors.append(TopKLogitsWarper(knobs["top_k"], min_tokens_to_keep=keep))
    if knobs["top_p"] < 1:
        processors.append(TopPLogitsWarper(knobs["top_p"], min_tokens_to_keep=keep))
    if knobs["min_p"]:
        processors.append(MinPLogitsWarper(knobs["min_p"], min_tokens_to_keep=keep))
    return processors(torch.zeros(1, 1, dtype=torch.long), logits[None].clone())[0]


def check_survivors(truncate: Truncate, kind: str, n: int, seed: int, knobs: dict) -> None:
    """The page's survivors, probabilities, entropy and mass are transformers', or it says that it cannot tell."""
    logits = drawn_logits(kind, n, seed)
    final = left_by_transformers(logits, knobs)
    truth = set(torch.nonzero(final > -math.inf).flatten().tolist())
    order = torch.argsort(logits, descending=True, stable=True)
    alive = order[logits[order] > -math.inf]
    places = [0, 1, len(alive) // 2, len(alive) - 1]
    out = truncate(as_sent(logits[alive]), knobs, places)
    named = set(alive[: out["kept"]].tolist())
    if out["unsure"]:
        assert too_close_to_call(logits, knobs, named ^ truth)
        return
    assert named == truth
    expected = torch.softmax(final.double(), -1)
    for place, p in zip(places, out["probability"], strict=True):
        assert p == pytest.approx(float(expected[alive[place]]), rel=2e-5, abs=1e-12)
    assert out["entropy"] == pytest.approx(float(torch.special.entr(expected).sum()), rel=2e-5, abs=1e-7)
    scaled = torch.softmax((logits / knobs["temperature"]).double(), -1)
    assert out["mass"] == pytest.approx(float(scaled[final == -math.inf].sum()), abs=1e-5)


def cumulative(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(n,) each token's mass and that of all less likely ones: as transformers' top-p computes it, and in float64."""
    ascending, tokens = torch.sort(scores, descending=False)
    theirs, exact = torch.empty_like(scores), torch.empty_like(scores, dtype=torch.float64)
    theirs[tokens] = ascending.softmax(-1).cumsum(-1)
    exact[tokens] = ascending.double().softmax(-1).cumsum(-1)
    return theirs.double(), exact


def too_close_to_call(logits: torch.Tensor, knobs: dict, differing: set[int]) -> bool:
    """Whether every token that the two disagree about lies within rounding of a boundary, or is one of equals.

    Within rounding: the threshold lies between the exact mass and the one transformers computes in float32, or nearer
    than `CLOSE` to one of the two.
    """
    scaled = logits / knobs["temperature"]
    keep = TopKLogitsWarper(knobs["top_k"], min_tokens_to_keep=knobs["min_keep"]) if knobs["top_k"] else None
    after_k = keep(None, scaled[None].clone())[0] if keep else scaled
    p = torch.softmax(after_k.double(), -1)
    masses = torch.stack(cumulative(after_k))
    low, high = masses.amin(0) - CLOSE, masses.amax(0) + CLOSE
    for token in differing:
        near_p = low[token] <= 1 - knobs["top_p"] <= high[token]
        ties = int((scaled == scaled[token]).sum()) > 1
        near_min = knobs["min_p"] > 0 and abs(float(p[token] / p.max()) / knobs["min_p"] - 1) < 2 * CLOSE
        nothing = float(p[token]) < 1e-36  # 0 in float32, like others
        if not (near_p or ties or near_min or nothing):
            return False
    return True


def check_rounding(truncate: Truncate, kind: str, temperature: float) -> None:
    """Of 152,000 tokens much alike, transformers' masses are wrong by more than 1e-5: a threshold between its mass and
    the exact one is its rounding's to decide, and the page does not claim to know."""
    logits = drawn_logits(kind, 152_000, 1)
    order = torch.argsort(logits, descending=True, stable=True)
    theirs, exact = (masses[order] for masses in cumulative(logits / temperature))
    scores = as_sent(logits[order])
    for place in (1, 2, 3, 10, 29, 30, 1_000, 50_000, 140_000):  # heavy tokens, and some of the tail
        top_p = 1 - float(theirs[place] + exact[place]) / 2
        knobs = {"temperature": temperature, "top_k": 0, "top_p": max(top_p, 0.0), "min_p": 0.0}
        final = left_by_transformers(logits, knobs)
        out = truncate(scores, knobs, [0])
        assert out["unsure"] or out["kept"] == int((final > -math.inf).sum())


def check_steep(truncate: Truncate, n: int, kind: str) -> None:
    """Where few tokens hold the mass the margin stays 1e-5: a threshold 2e-5 beside a step of the staircase is answered
    by the page."""
    scores = drawn_logits(kind, n, 1).sort(descending=True).values
    masses = scores.double().softmax(-1).cumsum(-1)
    beside = [float(m) + d for m in masses[:3] for d in (-2e-5, 2e-5)]
    outs = [truncate(as_sent(scores), {"top_p": top_p}, [0]) for top_p in beside]
    assert [out["unsure"] for out in outs] == [False] * 6
    assert [out["kept"] for out in outs] == [1, 2, 2, 3, 3, 4]
