"""The page's own arithmetic in the real browser: as node runs it (tests/js), in less depth."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from app.assets import assets_dir
from tests.js.truncation_law import CASES, check_rounding, check_steep, check_survivors

pytestmark = pytest.mark.browser


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


@settings(max_examples=24, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(**CASES)
def test_the_page_names_the_survivors_that_transformers_names(arithmetic, kind, n, seed, knobs):
    check_survivors(arithmetic, kind, n, seed, knobs)


def test_where_float32_itself_is_off_the_page_does_not_claim_to_know(arithmetic):
    check_rounding(arithmetic, "flat", 2.0)


def test_where_few_tokens_hold_the_mass_the_page_knows(arithmetic):
    check_steep(arithmetic, 152_000, "steep")


def test_the_token_that_crosses_the_threshold_is_kept(arithmetic):
    scores = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype="<f4"))
    out = arithmetic(scores, {"top_p": 0.7}, [0, 1, 2, 3])
    assert out["kept"] == 2 and not out["unsure"]
    assert out["probability"] == pytest.approx([0.625, 0.375, 0.0, 0.0])
    assert out["mass"] == pytest.approx(0.2)


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
