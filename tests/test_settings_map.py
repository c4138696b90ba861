"""A map of settings: its cells are what transformers' processors make of the same scores."""

from __future__ import annotations

import math

import pytest
import torch
from transformers.generation import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from decoding.errors import SettingError
from decoding.reading import stats
from decoding.reading.settings_map import is_fast, settings_map

TEMPERATURES = [0.1, 0.7, 1.0, 1.3, 2.0]
TOP_PS = [0.05, 0.5, 0.9, 0.95, 0.999, 1.0]


def logits(kind: str, vocab: int = 997) -> torch.Tensor:
    scores = torch.randn(vocab, generator=torch.Generator().manual_seed(len(kind))) * 4
    if kind == "tied":  # as a model in bfloat16 gives them: many tokens with one score
        return scores.to(torch.bfloat16).float().round()
    if kind == "banned":
        scores[::3] = -math.inf
    return torch.zeros(vocab) if kind == "flat" else scores


def by_transformers(scores, temperature, top_p, between, after, rows=1):
    """What generate() would have made of the scores, among those of other rows."""
    chain = [] if temperature == 1.0 else [TemperatureLogitsWarper(temperature)]
    chain += [*between, *([] if top_p == 1.0 else [TopPLogitsWarper(top_p)]), *after]
    batch = torch.stack([scores, *(scores.flip(0) for _ in range(rows - 1))])
    for processor in chain:
        batch = processor(torch.zeros(rows, 3, dtype=torch.long), batch)
    return batch[0]


@pytest.mark.parametrize("kind", ["plain", "tied", "banned", "flat"])
@pytest.mark.parametrize(
    ("between", "after"),
    [
        ([], []),
        ([TopKLogitsWarper(40)], []),
        ([], [MinPLogitsWarper(0.05)]),
        ([TopKLogitsWarper(40)], [MinPLogitsWarper(0.2)]),
        ([], [TypicalLogitsWarper(0.8)]),
    ],
    ids=["alone", "top_k", "min_p", "top_k, min_p", "typical_p"],
)
@pytest.mark.parametrize("rows", [1, 3])
def test_the_survivors_are_those_of_transformers_processors(kind, between, after, rows):
    scores = logits(kind)
    ids = [int(scores.argmax()), *torch.topk(scores, 60).indices[::7].tolist(), 500]
    maps = [settings_map(scores, i, TEMPERATURES, TOP_PS, between=between, after=after) for i in ids]
    for t, temperature in enumerate(TEMPERATURES):
        for p, top_p in enumerate(TOP_PS):
            final = by_transformers(scores, temperature, top_p, between, after, rows)
            alive = final > -math.inf
            assert [bool(m.survives[t, p]) for m in maps] == alive[ids].tolist()
            assert int(maps[0].n_left[t, p]) == int(alive.sum())
            assert float(maps[0].entropy_nats[t, p]) == pytest.approx(float(stats.entropy_nats(final)), abs=1e-9)


def test_a_full_nucleus_keeps_tokens_whose_probability_is_too_small_for_float32():
    scores = torch.tensor([0.0, -500.0, -math.inf])
    found = settings_map(scores, 1, [1.0], [0.999, 1.0])
    assert found.n_left.tolist() == [[1, 2]]
    assert found.survives.tolist() == [[False, True]]


def test_scores_without_a_distribution_are_told_as_transformers_tells_them():
    found = settings_map(torch.tensor([math.nan, 1.0]), 1, [1.0], [1.0])
    assert math.isnan(float(found.entropy_nats[0, 0]))
    assert settings_map(torch.full((3,), -math.inf), 1, [0.5], [0.5]).n_left.tolist() == [[0]]


def test_the_least_that_top_p_keeps_is_kept():
    scores = torch.tensor([9.0, 1.0, 0.0, -math.inf])
    assert settings_map(scores, 0, [1.0], [0.01], least=2).n_left.tolist() == [[2]]
    assert settings_map(scores, 0, [1.0], [0.01], least=4).n_left.tolist() == [[3]]


def test_what_cannot_be_a_setting_is_refused():
    for temperature, top_p, token in ((0.0, 0.5, 0), (1.0, 0.0, 0), (1.0, 1.1, 0), (1.0, 0.5, 3)):
        with pytest.raises(SettingError):
            settings_map(torch.zeros(3), token, [temperature], [top_p])


def test_other_rules_take_transformers_own_time():
    assert is_fast([TopKLogitsWarper(5)], [MinPLogitsWarper(0.1)])
    assert not is_fast([], [TypicalLogitsWarper(0.9)])
    assert not is_fast([MinPLogitsWarper(0.1)], [])
