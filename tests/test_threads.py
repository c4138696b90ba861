"""How many threads a command computes with: asked for, by a variable, or as many as a container may use."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app.cli.main import main
from app.cli.threads import VARIABLE, add_thread_option, cpu_quota, use_threads
from decoding import DecodingError, load_trace
from tests.test_models import save


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the variables that decide; the tests' own number of threads afterwards."""
    before = torch.get_num_threads()
    for name in (VARIABLE, "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    yield
    torch.set_num_threads(before)


def groups(folder: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    """Control groups as Linux shows them, in files."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "own").write_text(own)
    return folder, folder / "own"


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n", "cpu.max": "max 100000"}, 4.0),
        ("0::/a/b\n", {"a/b/cpu.max": "200000 100000\n", "a/cpu.max": "400000 100000\n"}, 2.0),
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": "much\n"}, None),
        ("0::/../elsewhere\n", {"cpu.max": "100000 100000\n"}, 1.0),
        ("3:cpu,x:/\n", {"cpu,x/cpu.cfs_quota_us": "50000", "cpu,x/cpu.cfs_period_us": "100000"}, 0.5),
        ("3:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, None),
        ("3:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "300000", "cpu/x/cpu.cfs_period_us": "100000"}, 3.0),
        ("4:memory:/x\n", {"cpu.max": "100000 100000"}, None),
        ("", {}, None),
    ],
)  # fmt: skip
def test_a_containers_bound_is_read(tmp_path: Path, own: str, files: dict[str, str], quota: float | None) -> None:
    assert cpu_quota(*groups(tmp_path, own, files)) == quota


def test_without_control_groups_there_is_no_bound(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path, tmp_path / "none") is None


@pytest.mark.parametrize(("quota", "threads"), [(1.5, 1), (0.2, 1), (2.0, 2), (64.0, 3), (None, 3)])
def test_threads_fit_the_quota_and_never_grow(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, threads: int
) -> None:
    torch.set_num_threads(3)
    monkeypatch.setattr("app.cli.threads.cpu_quota", lambda: quota)
    assert use_threads(None) == threads == torch.get_num_threads()


def test_what_was_asked_for_comes_before_the_variables_and_those_before_the_quota(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.set_num_threads(3)
    monkeypatch.setattr("app.cli.threads.cpu_quota", lambda: 1.0)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert use_threads(None) == 3
    monkeypatch.setenv(VARIABLE, "2")
    assert use_threads(None) == 2
    assert use_threads(4) == 4


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_number_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str, capsys) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(DecodingError, match=f"{VARIABLE} must be a whole number from 1 on, got '{text}'"):
        use_threads(None)
    parser = argparse.ArgumentParser()
    add_thread_option(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--threads={text}"])
    assert f"must be a whole number from 1 on, got '{text}'" in capsys.readouterr().err


def test_a_recorded_run_says_with_how_many_threads_it_was_computed(tmp_path: Path) -> None:
    model, out = str(save(tmp_path / "tiny")), tmp_path / "run.trace"
    for n in (1, 2):
        options = ["--device", "cpu", "--max-new-tokens", "2", "--threads", str(n), "-o", str(out)]
        assert main(["record", "--model", model, "--prompt", "The", *options]) == 0
        assert f", {n} thread" in load_trace(out).model.arithmetic
