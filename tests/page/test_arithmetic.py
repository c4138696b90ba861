"""The page's own arithmetic, run in the real browser, names the tokens that transformers' processors leave."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers.generation import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from app.assets import assets_dir

pytestmark = pytest.mark.browser

CLOSE = 1e-5  # of cumulative mass: nearer than this the page leaves the word to Python, always
SIZES = (32, 100, 1_000, 49_152, 152_000)


@pytest.fixture(scope="module")
def arithmetic(browser):
    """`dx.truncate` in a blank page of the real browser."""
    page = browser.new_page()
    page.evaluate("window.dx = {}")
    page.add_script_tag(path=str(assets_dir() / "js" / "arithmetic.js"))

    def truncate(scores: np.ndarray, knobs: dict, places: list[int]) -> dict:
        ask = """([text, knobs, places]) => {
          const out = dx.truncate(dx.floats(text), knobs);
          return {...out, probability: places.map(out.probability)};
        }"""
        return page.evaluate(ask, [base64.b64encode(scores.tobytes()).decode(), knobs, places])

    yield truncate
    page.close()


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


def processors(knobs: dict) -> LogitsProcessorList:
    """The same settings as transformers builds them, in its order."""
    keep = knobs.get("min_keep", 1)
    out = LogitsProcessorList([TemperatureLogitsWarper(knobs["temperature"])])
    if knobs["top_k"]:
        out.append(TopKLogitsWarper(knobs["top_k"], min_tokens_to_keep=keep))
    if knobs["top_p"] < 1:
        out.append(TopPLogitsWarper(knobs["top_p"], min_tokens_to_keep=keep))
    if knobs["min_p"]:
        out.append(MinPLogitsWarper(knobs["min_p"], min_tokens_to_keep=keep))
    return out


KNOBS = st.fixed_dictionaries(
    {
        "temperature": st.sampled_from([0.01, 0.3, 0.7, 1.0, 1.3, 2.0, 50.0]) | st.floats(0.05, 5.0),
        "top_k": st.sampled_from([0, 1, 2, 5, 50, 10**6]) | st.integers(1, 300),
        "top_p": st.sampled_from([0.001, 0.5, 0.9, 0.95, 1.0]) | st.floats(0.001, 1.0),
        "min_p": st.sampled_from([0.0, 0.05, 0.5, 1.0]) | st.floats(0.0, 1.0),
        "min_keep": st.sampled_from([1, 1, 1, 2, 3]),
    }
)


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(["normal", "flat", "peaked", "ties", "steep", "heavy tail", "holes+normal", "holes+ties"]),
    n=st.sampled_from(SIZES), seed=st.integers(0, 10_000), knobs=KNOBS,
)  # fmt: skip
def test_the_page_names_the_survivors_that_transformers_names(arithmetic, kind, n, seed, knobs):
    logits = drawn_logits(kind, n, seed)
    final = processors(knobs)(torch.zeros(1, 1, dtype=torch.long), logits[None].clone())[0]
    truth = set(torch.nonzero(final > -math.inf).flatten().tolist())
    order = torch.argsort(logits, descending=True, stable=True)
    alive = order[logits[order] > -math.inf]
    places = [0, 1, len(alive) // 2, len(alive) - 1]
    out = arithmetic(logits[alive].numpy().astype("<f4"), knobs, places)
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


@pytest.mark.parametrize("kind", ["flat", "heavy tail"])
@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0, 50.0])
def test_where_float32_itself_is_off_the_page_does_not_claim_to_know(arithmetic, kind, temperature):
    """Of 152,000 tokens much alike, transformers' masses are wrong by more than 1e-5: a threshold between its mass and
    the exact one is its rounding's to decide."""
    logits = drawn_logits(kind, 152_000, 1)
    order = torch.argsort(logits, descending=True, stable=True)
    theirs, exact = (masses[order] for masses in cumulative(logits / temperature))
    scores = logits[order].numpy().astype("<f4")
    for place in (1, 2, 3, 10, 29, 30, 1_000, 50_000, 140_000):  # heavy tokens, and some of the tail
        top_p = 1 - float(theirs[place] + exact[place]) / 2
        knobs = {"temperature": temperature, "top_k": 0, "top_p": max(top_p, 0.0), "min_p": 0.0}
        final = processors(knobs)(torch.zeros(1, 1, dtype=torch.long), logits[None].clone())[0]
        out = arithmetic(scores, knobs, [0])
        assert out["unsure"] or out["kept"] == int((final > -math.inf).sum())


@pytest.mark.parametrize(("n", "kind"), [(1_000, "normal"), (49_152, "steep"), (152_000, "steep")])
def test_where_few_tokens_hold_the_mass_the_page_knows(arithmetic, n, kind):
    """The margin stays 1e-5 there: a threshold 2e-5 beside a step of the staircase is answered by the page."""
    scores = drawn_logits(kind, n, 1).sort(descending=True).values
    masses = scores.double().softmax(-1).cumsum(-1)
    beside = [float(m) + d for m in masses[:3] for d in (-2e-5, 2e-5)]
    outs = [arithmetic(scores.numpy().astype("<f4"), {"top_p": top_p}, [0]) for top_p in beside]
    assert [out["unsure"] for out in outs] == [False] * 6
    assert [out["kept"] for out in outs] == [1, 2, 2, 3, 3, 4]


def test_the_token_that_crosses_the_threshold_is_kept(arithmetic):
    scores = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype="<f4"))
    out = arithmetic(scores, {"top_p": 0.7}, [0, 1, 2, 3])
    assert out["kept"] == 2 and not out["unsure"]
    assert out["probability"] == pytest.approx([0.625, 0.375, 0.0, 0.0])
    assert out["mass"] == pytest.approx(0.2)


def test_a_threshold_at_a_step_of_the_staircase_is_left_to_python(arithmetic):
    scores = np.log(np.array([0.5, 0.25, 0.125, 0.125], dtype="<f4"))
    assert arithmetic(scores, {"top_p": 0.75}, [0])["unsure"]
    assert not arithmetic(scores, {"top_p": 0.7}, [0])["unsure"]


def test_ties_with_the_last_place_stay_under_top_k_and_are_left_to_python_under_top_p(arithmetic):
    scores = np.array([2, 1, 1, 1, 0], dtype="<f4")
    assert arithmetic(scores, {"top_k": 2}, [0])["kept"] == 4
    assert arithmetic(scores, {"top_p": 0.7}, [0])["unsure"]


def test_a_min_p_that_float32_takes_for_nothing_is_left_to_python(arithmetic):
    scores = np.array([900, 0], dtype="<f4")
    assert arithmetic(scores, {"min_p": 1e-300}, [0])["unsure"]
    assert not arithmetic(scores, {"min_p": 1e-30}, [0])["unsure"]


@pytest.mark.parametrize(
    ("knobs", "kept"),
    [
        ({"temperature": 0.01}, 5), ({"top_p": 0.001}, 1), ({"top_k": 10**9}, 5), ({"min_p": 1.0}, 1),
        ({"top_k": 1}, 1), ({"top_p": 0.001, "min_keep": 2}, 2),
    ],
)  # fmt: skip
def test_sliders_at_their_ends(arithmetic, knobs, kept):
    out = arithmetic(np.array([5, 4, 3, 2, 1], dtype="<f4"), knobs, [0])
    assert out["kept"] == kept and 0 < out["probability"][0] <= 1 and math.isfinite(out["entropy"])
