"""A sweep whose process is killed, and started again: the command itself, on a model in a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from decoding import LanguageModel, load_model, load_trace
from decoding.sweeps import sweep
from decoding.sweeps.folder import Folder
from tests.test_sweeps import PROMPTS, plan_of, rows, same
from tests.tiny_models import tiny_lm

pytestmark = pytest.mark.slow
GRID = ("temperature=0.5,1.5", "top_p=0.5,1.0")
N_BATCHES = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    lm = tiny_lm()
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def lm(model) -> LanguageModel:
    return load_model(str(model))


@pytest.fixture(scope="module")
def undisturbed(lm, model, tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("undisturbed")
    plan = plan_of(model=str(model), threads=1, rows_per_batch=4, compact=True)
    assert len(plan.batches) == N_BATCHES
    sweep(plan, lm, folder)
    return rows(folder)


def started(model: Path, folder: Path, out: str | Path) -> subprocess.Popen:
    """The command, on its way."""
    prompts = folder / "p.jsonl"
    prompts.write_text("".join(json.dumps(prompt) + "\n" for prompt in PROMPTS))
    call = [sys.executable, "-m", "app", "sweep", "--prompts", prompts, "--grid", *GRID, "--samples", "2"]
    call += ["--rows", "4", "--threads", "1", "--model", model, "--do-sample", "--max-new-tokens", "4", "-o", out]
    return subprocess.Popen([str(part) for part in call], stderr=subprocess.PIPE, text=True)


def kill_when(process: subprocess.Popen, there: Path) -> None:
    """Ends the process without a word to it as soon as a file is there."""
    until = time.monotonic() + 120
    while not there.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it had ended before it could be killed"


def finished(process: subprocess.Popen) -> None:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said


def times(folder: Path) -> dict[str, int]:
    """When each of the files was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.suffix in (".parquet", ".trace")}


def test_killed_and_started_again_nothing_is_lost_and_nothing_recorded_twice(model, undisturbed, tmp_path):
    out = tmp_path / "out"
    kill_when(started(model, tmp_path, out), out / "parts" / "000002.parquet")
    kept = times(out / "parts"), times(out / "traces")
    done = Folder(out).done()
    assert 3 <= len(done) < N_BATCHES, "it was not killed half-way"
    finished(started(model, tmp_path, out))
    assert same(rows(out), undisturbed)
    after = times(out / "parts"), times(out / "traces")
    assert kept[0].items() <= after[0].items()
    assert {name: at for name, at in kept[1].items() if int(name[:6]) in done}.items() <= after[1].items()
    assert len(after[0]) == len(after[1]) == N_BATCHES


def test_killed_again_and_again_it_comes_to_its_end_with_the_same_rows(model, undisturbed, tmp_path):
    out = tmp_path / "out"
    for number in (0, 3):
        kill_when(started(model, tmp_path, out), out / "parts" / f"{number:06}.parquet")
    finished(started(model, tmp_path, out))
    assert same(rows(out), undisturbed)
    for row in undisturbed:
        assert load_trace(out / row["trace"]).text(row["row"]) == row["text"]


def test_killed_between_the_trace_and_its_rows_the_batch_is_recorded_again(model, undisturbed, tmp_path):
    out = tmp_path / "out"
    kill_when(started(model, tmp_path, out), out / "traces" / "000004.trace")
    assert Folder(out).done() <= set(range(5))
    finished(started(model, tmp_path, out))
    assert same(rows(out), undisturbed)


def test_what_was_half_written_is_no_batch_and_is_swept_away(lm, model, undisturbed, tmp_path):
    plan = plan_of(model=str(model), threads=1, rows_per_batch=4, compact=True)
    sweep(plan, lm, tmp_path)
    whole = (tmp_path / "parts" / "000005.parquet").read_bytes()
    (tmp_path / "parts" / "000005.parquet").unlink()
    (tmp_path / "parts" / "000005.parquet.4242.part").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "traces" / "000006.trace.4242.part").write_bytes(b"half")
    sweep(plan, lm, tmp_path)
    assert same(rows(tmp_path), undisturbed)
    assert not [path.name for path in tmp_path.rglob("*.part")]
