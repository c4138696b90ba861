"""A map of settings: its cells are what transformers' processors make of the same scores."""

from __future__ import annotations

import json
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

from app.lab.settings_map import sheet
from app.session.session import Session
from app.views.settings_map import TEMPERATURES, TOP_PS, MapReading
from decoding import Settings
from decoding.errors import SettingError
from decoding.reading import stats
from decoding.reading.settings_map import is_fast, settings_map
from decoding.record import record

SOME_TEMPERATURES = [0.1, 0.7, 1.0, 1.3, 2.0]
SOME_TOP_PS = [0.05, 0.5, 0.9, 0.95, 0.999, 1.0]


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
    maps = [settings_map(scores, i, SOME_TEMPERATURES, SOME_TOP_PS, between=between, after=after) for i in ids]
    for t, temperature in enumerate(SOME_TEMPERATURES):
        for p, top_p in enumerate(SOME_TOP_PS):
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


# -- in the lab


def look_at(trace, **given):
    look = Session(trace).look
    return look if not given else look.under(look.form.under(json.dumps({"mode": "sample", "given": given})))


def whole(look, **wish) -> dict:
    out = sheet(look, wish)
    while out["grid"] and not out["whole"]:
        out = sheet(look, wish)
    return out


@pytest.fixture(scope="module")
def sampled(tiny):
    return record(tiny, "ab", Settings(do_sample=True, seed=2, max_new_tokens=6, repetition_penalty=1.3, top_k=9))


def test_a_cell_of_the_lab_is_what_a_whatif_of_that_setting_says(sampled):
    look = look_at(sampled).moved(row=0, step=3)
    grid, run = whole(look)["grid"], whole(look, scope="run")["grid"]
    kept = {"do_sample": True, "repetition_penalty": 1.3, "top_k": 9}
    for line, column in ((0, 0), (6, 17), (9, 19), (19, 10)):
        given = {"temperature": TEMPERATURES[line], "top_p": TOP_PS[column]}
        whatif = sampled.whatif(Settings(**kept, **given))
        finals = [whatif.all_scores(step=step)[-1] for step in range(6)]
        alive = [int(stats.n_alive(final)) for final in finals]
        assert grid["left"][line][column] == alive[3]
        assert grid["survives"][line][column] == whatif.chosen_survives[3][0]
        assert grid["entropy"][line][column] == pytest.approx(float(stats.entropy_nats(finals[3])))
        assert run["left"][line][column] == pytest.approx(sum(alive) / 6)
        assert run["survives"][line][column] == sum(row[0] for row in whatif.chosen_survives)
        parts = next((t for t, row in enumerate(whatif.chosen_survives) if not row[0]), -1)
        assert run["parts"][line][column] == parts


def test_the_setting_in_force_is_marked_and_a_setting_between_two_cells_marks_the_nearest(sampled):
    assert whole(look_at(sampled, top_p=0.85, temperature=0.7))["now"] == {"line": 6, "column": 16, "exact": True}
    assert whole(look_at(sampled, top_p=0.86, temperature=0.7))["now"] == {"line": 6, "column": 16, "exact": False}


def test_a_map_of_the_run_is_read_once_however_temperature_and_top_p_move(sampled, monkeypatch):
    look = look_at(sampled)
    first = whole(look, scope="run")
    monkeypatch.setattr(MapReading, "_read", None)
    moved = look.under(look.form.under(json.dumps({"mode": "sample", "given": {"repetition_penalty": 1.3, "top_k": 9,
                                                                               "top_p": 0.5}})))  # fmt: skip
    assert whole(moved, scope="run")["grid"] == first["grid"]
    assert whole(moved, scope="run")["now"] != first["now"]


def test_greedy_runs_have_a_map_of_what_sampling_would_leave(tiny):
    out = whole(look_at(record(tiny, "ab", Settings(max_new_tokens=2))))
    assert out["now"] is None
    assert out["grid"]["survives"][0][0] == 1  # the likeliest token is always left


@pytest.mark.parametrize(
    ("given", "scope", "why"),
    [
        ({"num_beams": 2}, "step", "Beams are not chosen"),
        ({"penalty_alpha": 0.6, "top_k": 4}, "step", "Contrastive search"),
        ({"do_sample": True, "typical_p": 0.9}, "run", "another rule cuts off"),
        ({"do_sample": True, "watermarking_config": {"greenlist_ratio": 0.3}}, "step", "watermark"),
    ],
    ids=["beams", "contrastive", "slow", "watermark"],
)
def test_where_there_is_no_map_the_tab_says_why(tiny, given, scope, why):
    out = sheet(look_at(record(tiny, "ab", Settings(max_new_tokens=2, **given))), {"scope": scope})
    assert out["grid"] is None
    assert why in "".join(p if isinstance(p, str) else p["text"] for p in out["reading"])


def test_other_rules_are_run_for_every_cell_of_a_step(tiny):
    trace = record(tiny, "ab", Settings(do_sample=True, seed=1, max_new_tokens=2, typical_p=0.6))
    grid = whole(look_at(trace))["grid"]
    final = trace.whatif(Settings(do_sample=True, typical_p=0.6, temperature=1.5, top_p=0.9)).all_scores(step=0)[-1]
    look = look_at(trace).moved(row=0, step=0)
    grid = whole(look)["grid"]
    assert grid["left"][14][17] == int(stats.n_alive(final))


@pytest.mark.parametrize("junk", [None, -1, [], {}, "x", True, 1e308])
def test_wishes_that_are_none_show_the_map_of_the_step(sampled, junk):
    assert whole(look_at(sampled), scope=junk, measure=junk)["wish"] == {"scope": "step", "measure": "left"}
