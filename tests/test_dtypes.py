"""In which dtype a model computes: what was asked for, or what a measurement finds, which says what it found."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.cli.main import main
from app.serving.model_shelf import ModelState
from app.sheets.frame import model_status
from app.text import Text
from decoding import LanguageModel, ModelError, Settings, load_model, record
from decoding.models import dtypes
from decoding.models.dtypes import choose_dtype, fastest, quicker, seconds_a_step
from tests.test_models import save
from tests.tiny_models import tiny_model

CPU = torch.device("cpu")


def took(**milliseconds: tuple[float, float]) -> dict[tuple[str, int], float]:
    """Seconds of one row and of 16, by dtype."""
    return {(dtype, n): ms / 1000 for dtype, both in milliseconds.items() for n, ms in zip((1, 16), both, strict=True)}


# Two cores with AMX, the offline model: 15 tokens/s in bfloat16 against 23 in float32; of 16 rows 172 against 121.
WITH_AMX = took(bfloat16=(66.7, 93.0), float32=(43.5, 132.2))


def test_it_is_a_matter_of_how_many_rows_are_decoded_at_once() -> None:
    assert quicker(WITH_AMX, 16) == (
        "bfloat16",
        "bfloat16: measured at loading, a step of 16 rows takes 93 ms in bfloat16 and 132 ms in float32; "
        "of one row 67 ms and 44 ms",
    )
    assert quicker(WITH_AMX, 1) == (
        "float32",
        "float32: measured at loading, a step of one row takes 67 ms in bfloat16 and 44 ms in float32",
    )


@pytest.mark.parametrize(("short", "chosen"), [(90.0, "bfloat16"), (91.0, "float32"), (110.0, "float32")])
def test_other_bits_are_no_bargain_for_less_than_a_tenth(short: float, chosen: str) -> None:
    assert quicker(took(bfloat16=(50.0, short), float32=(50.0, 100.0)), 16)[0] == chosen


def test_what_was_measured_is_said_in_both_languages() -> None:
    because = quicker(WITH_AMX, 16)[1]
    assert Text("en").said(because) == because
    assert Text("zh").said(because) == (
        "bfloat16：加载时实测，16 行的一步用 bfloat16 需 93 毫秒，用 float32 需 132 毫秒；"
        "一行则分别为 67 毫秒和 44 毫秒"
    )


@pytest.mark.parametrize("kind", ["llama", "t5"])
@pytest.mark.parametrize("rows", [1, 16])
def test_a_step_is_measured_with_the_model_itself(kind: str, rows: int) -> None:
    model = tiny_model(kind)
    shapes = []
    model.register_forward_hook(lambda module, args, out: shapes.append(tuple(out.logits.shape)))
    seconds = seconds_a_step(model, rows)
    assert 0 < seconds < math.inf
    assert set(shapes) == {(rows, 1, model.config.vocab_size)}
    assert 1 <= len(shapes) <= dtypes.STEPS


@pytest.mark.parametrize(("slow", "chosen"), [("float32", torch.bfloat16), ("bfloat16", torch.float32)])
def test_the_quicker_of_two_models_is_kept(slow: str, chosen: torch.dtype) -> None:
    def read(dtype: torch.dtype) -> torch.nn.Module:
        model = tiny_model("llama").to(dtype)
        if dtype == getattr(torch, slow):
            model.register_forward_pre_hook(lambda module, args: time.sleep(0.03))
        return model

    model, because = fastest(read, 4)
    assert model.dtype == chosen
    assert because.startswith(f"{str(chosen).removeprefix('torch.')}: measured at loading, a step of 4 rows")


@pytest.mark.parametrize("rows", [1, 4])
def test_what_was_measured_at_loading_is_said_and_recorded_in(tmp_path: Path, rows: int) -> None:
    chosen = load_model(str(save(tmp_path)), device="cpu", dtype="fastest", rows=rows)
    what = "one row" if rows == 1 else "4 rows"
    assert chosen.dtype_because.startswith(f"{chosen.dtype}: measured at loading, a step of {what} takes")
    trace = record(chosen, "The capital of France is", Settings(max_new_tokens=2))
    assert trace.model.dtype == chosen.dtype


@pytest.mark.parametrize("rows", [0, -1, 1.5, True, "16"])
def test_a_number_of_rows_that_is_none_is_refused(tmp_path: Path, rows: object) -> None:
    with pytest.raises(ModelError, match="rows must be a whole number from 1 on"):
        load_model(str(save(tmp_path)), device="cpu", dtype="fastest", rows=rows)


def test_nothing_is_measured_unless_it_is_asked_for(lm: LanguageModel, tmp_path: Path) -> None:
    assert (lm.dtype, lm.dtype_because) == ("float32", "")  # recorded examples and parity rest on its bits
    other = load_model(str(save(tmp_path)), device="cpu")
    assert (other.dtype, other.dtype_because) == ("float32", "")


@pytest.mark.parametrize(
    ("asked", "is_default", "place", "chosen"),
    [
        (None, False, "cpu", torch.float32),
        (None, False, "cuda", "auto"),
        (None, True, "cuda", torch.float32),
        ("auto", True, "cpu", "auto"),
        ("fastest", True, "cuda", "auto"),
        ("bfloat16", True, "cpu", torch.bfloat16),
        (torch.float16, False, "cpu", torch.float16),
    ],
)
def test_what_is_asked_for_is_taken(asked: object, is_default: bool, place: str, chosen: object) -> None:
    assert choose_dtype(asked, is_default, torch.device(place)) == chosen


def test_the_pages_chip_says_where_and_in_what_and_why(tiny: LanguageModel) -> None:
    plain = model_status(ModelState(name="tiny", phase="ready", lm=tiny), Text("en"))
    assert plain["text"] == "tiny · cpu · float32"
    assert plain["tip"] == Text("en")("state.tip")
    measured = replace(tiny, dtype_because=quicker(WITH_AMX, 16)[1])
    chip = model_status(ModelState(name="tiny", phase="ready", lm=measured), Text("zh"))
    assert chip["tip"].startswith(Text("zh")("state.tip")) and "16 行的一步用 bfloat16 需 93 毫秒" in chip["tip"]


@pytest.mark.slow
def test_a_sweeps_plan_names_the_dtype_that_was_measured(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("The capital\n")
    options = ["--prompts", str(tmp_path / "p.txt"), "--max-new-tokens", "2", "--rows", "4", "--dtype", "fastest"]
    assert main(["sweep", "--model", str(save(tmp_path / "tiny")), "-o", str(tmp_path / "out"), *options]) == 0
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["dtype"] in ("float32", "bfloat16")
