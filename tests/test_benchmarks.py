"""The benchmarks measure what they say, and what was measured is kept."""

from __future__ import annotations

import json
import sys
import time
from types import ModuleType

import pytest
import torch
from transformers import GenerationConfig

import decoding.recorder
from decoding import Recorder
from decoding.strategies.choice import STRATEGIES
from tests.benchmarks import Row
from tests.benchmarks.__main__ import MARK, main, print_rows, rows_of, table, write
from tests.benchmarks.peak_memory import peak_bytes
from tests.benchmarks.recording import KEPT, MODES, OURS_ALONE, inputs_of, matrix
from tests.benchmarks.recording_parts import (
    bytes_to_move,
    copied_bytes_per_second,
    dropped,
    limit_text,
    milliseconds_a_step,
    timed_parts,
)
from tests.benchmarks.surroundings import surroundings
from tests.tiny_models import tiny_lm, tiny_model

MB = 10**6
ROW = Row(name="one", measured="1 ×", bar="≤ 2 ×", met=True, numbers={"ratio": 1.0})


def settings_of(mode: str) -> dict:
    ids = torch.tensor([[5, 6, 7, 8]])
    return {**inputs_of(ids), **MODES[mode], "max_new_tokens": 5, "min_new_tokens": 5}


def test_a_module_that_breaks_off_leaves_the_rows_before_it(monkeypatch, capfd):
    module = ModuleType("tests.benchmarks.breaks")

    def run():
        yield ROW
        raise RuntimeError("half-way")

    module.run = run
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert print_rows("breaks") == 1
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith(MARK)]
    assert [Row(**json.loads(line.removeprefix(MARK))) for line in lines] == [ROW]


def test_a_module_that_fails_is_a_row_that_says_so():
    (row,) = rows_of("there_is_no_such_benchmark")
    assert (row.measured, row.spread, row.met) == ("failed", "exit status 1", False)


def test_an_unknown_name_is_answered_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["recordng"])
    assert "no benchmark is called recordng; there are " in capsys.readouterr().err


def test_the_json_has_each_row_with_its_numbers_and_where_it_was_measured(tmp_path):
    path = tmp_path / "new" / "bench.json"
    for rows in ([ROW], [ROW, ROW]):
        write(path, rows, surroundings())
        got = json.loads(path.read_text(encoding="utf-8"))
        assert [row["numbers"] for row in got["rows"]] == [{"ratio": 1.0}] * len(rows)
    assert got["before"]["torch"] == torch.__version__
    assert got["after"]["cores"] >= 1
    assert [p.name for p in path.parent.iterdir()] == ["bench.json"]


def test_the_table_has_a_column_for_what_is_printed_and_none_for_the_numbers():
    headings, _, line = table([ROW]).splitlines()
    assert headings.split() == ["benchmark", "measured", "spread", "limit", "bar", "met"]
    assert line.split() == ["one", "1", "×", "≤", "2", "×", "yes"]


def test_the_peak_is_what_a_call_held_at_once_also_where_it_gave_it_back():
    def call():
        held = torch.ones(10 * MB)  # 40 MB
        return float(held.sum())

    call()
    result, peak = peak_bytes(call)
    assert result == 10 * MB
    if peak is None:
        pytest.skip("this system has no mark of the most memory")
    assert 38 * MB < peak < 60 * MB


def test_bytes_to_move_are_the_logits_twice_and_each_stage_four_times():
    assert bytes_to_move(n_rows=2, vocab_size=10, n_stages=0) == 2 * 10 * 4 * 2
    assert bytes_to_move(n_rows=1, vocab_size=10, n_stages=3) == 10 * 4 * (2 + 12)


def test_the_limit_names_the_largest_part_and_the_distance_from_both_floors():
    text = limit_text({"copying": 0.2, "encoding": 1.0}, bytes_floor=0.1, calls_floor=0.3)
    assert text == "1.20 ms a step = 3.0 × (bytes 0.10 + Python and dispatch 0.30 ms); most is encoding, 1.00 ms"


def test_copying_is_faster_than_a_disk_and_slower_than_a_cache():
    assert 10**8 < copied_bytes_per_second(49_152) < 10**12


def test_every_strategy_is_in_the_matrix():
    asked = {GenerationConfig(**given).get_generation_mode() for given in MODES.values()}
    assert {STRATEGIES[mode] for mode in asked} == set(STRATEGIES.values())


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in OURS_ALONE])
def test_what_drops_everything_gives_the_tokens_of_generate(mode):
    model = tiny_model("llama")
    torch.manual_seed(3)
    plain = model.generate(**settings_of(mode))
    torch.manual_seed(3)
    assert torch.equal(dropped(model, settings_of(mode)), plain)
    assert decoding.recorder.Recording.__name__ == "Recording"


def test_parts_of_a_recording_are_timed_and_lie_within_its_time():
    model = tiny_model("llama", vocab_size=4096)
    began = time.perf_counter()
    with timed_parts() as seconds:
        model.generate(**settings_of("sampling"), custom_generate=Recorder())
    wall = 1000 * (time.perf_counter() - began)
    parts = milliseconds_a_step(seconds, 5)
    assert all(ms > 0 for ms in parts.values()), parts
    assert 5 * sum(parts.values()) < wall
    before = dict(seconds)
    model.generate(**settings_of("sampling"), custom_generate=Recorder())
    assert dict(seconds) == before  # nothing is timed any more


def test_the_matrix_has_two_rows_for_each_mode_with_what_each_run_took():
    rows = list(matrix(tiny_lm(), quick=True))
    assert len(rows) == 2 * len(MODES)
    for mode, cost, amounts in zip(MODES, rows[::2], rows[1::2], strict=True):
        assert cost.name.startswith(f"{mode}, short prompt, ")
        compared = {name.removesuffix("_ratio_median") for name in cost.numbers if name.endswith("_ratio_median")}
        assert compared == ({"dropped"} if mode in OURS_ALONE else {"plain", "kept"})
        n_rows = MODES[mode].get("num_beams", 1)
        assert amounts.numbers["logits_bytes"] == 3 * n_rows * tiny_lm().model.config.vocab_size * 4
        assert amounts.numbers["trace_bytes"] >= amounts.numbers["logits_bytes"]


def test_what_is_kept_beside_plain_are_scores_and_logits():
    out = tiny_model("llama").generate(**settings_of("greedy"), **KEPT)
    assert len(out.scores) == len(out.logits) == 5
