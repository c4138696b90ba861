"""A model that two processes share: that of rank 0 records what plain `generate()` gives under the same sharing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from decoding import ModelError, load_model
from tests.shared_model import RUNS
from tests.test_models import save
from tests.tiny_models import tiny_model

ROOT = Path(__file__).parent.parent
N = 2


def torchrun(*command: str, n: int = N) -> subprocess.CompletedProcess[str]:
    """Runs a program in `n` processes on the CPU, which reach each other through gloo."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n}"]
    return subprocess.run(
        [*launcher, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="module")
def told(folder: Path) -> list[dict[str, Any]]:
    """What each process said, by rank."""
    done = torchrun("-m", "tests.shared_model", str(folder))
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return sorted(lines, key=lambda said: said["rank"])


def test_each_process_holds_its_part_of_the_weights(told: list[dict[str, Any]]) -> None:
    assert [said["rank"] for said in told] == [0, 1]
    for said in told:
        assert (said["place"], said["n_processes"], said["backend"]) == ("cpu, 2 processes", 2, "gloo")
        assert said["held"] == 1 / N
        assert said["n_parameters"] == tiny_model("llama", vocab_size=320).num_parameters()


def test_the_trace_says_how_many_processes_shared_the_model(told: list[dict[str, Any]]) -> None:
    assert [said["split"] for said in told] == ["2 processes"] * 2


@pytest.mark.parametrize("name", RUNS)
def test_rank_0_records_the_bits_of_plain_generate_under_the_same_sharing(
    told: list[dict[str, Any]], name: str
) -> None:
    run = told[0]["runs"][name]
    assert run["returned"] and run["tokens"] and run["recorded"] is True
    assert run["nbytes"] > 0 and run["warnings"] == []


@pytest.mark.parametrize("name", RUNS)
def test_the_other_process_gets_the_same_answer_and_keeps_no_scores(
    told: list[dict[str, Any]], name: str
) -> None:
    run = told[1]["runs"][name]
    assert run["returned"] and run["tokens"]
    assert (run["nbytes"], run["silent"]) == (0, told[0]["runs"][name]["silent"])
    assert run["recorded"].startswith("the scores of step 1 are with the process of rank 0")
    assert run["warnings"] == [
        "this process shares the model with that of rank 0, which records; here only tokens are kept"
    ]


def test_all_processes_verify_together_and_are_told_what_rank_0_found(told: list[dict[str, Any]]) -> None:
    for said in told:
        assert said["verified"] == dict.fromkeys(RUNS, "bits")
        assert said["contrastive"] == "bits"
        assert "the trace was made by GPT2LMHeadModel" in said["refused"]


@pytest.mark.slow
def test_the_command_records_and_verifies_with_two_processes_and_writes_once(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.trace"
    options = ("--model", str(folder), "--tp-plan", "auto")
    recorded = torchrun("-m", "app", "record", *options, "--prompt", "The", "--max-new-tokens", "4", "-o", str(out))
    assert recorded.returncode == 0, recorded.stderr
    assert recorded.stdout.count("model    tiny-llama") == 1
    assert recorded.stderr.count("on cpu, 2 processes in float32") == 1
    verified = torchrun("-m", "app", "verify", *options, str(out))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.count("equal: generate() gives the same, bit for bit") == 1


@pytest.mark.slow
def test_heads_that_cannot_be_shared_evenly_are_told_before_anything_is_loaded(folder: Path) -> None:
    done = torchrun("-m", "app", "record", "--model", str(folder), "--tp-plan", "auto", "--prompt", "The", n=3)
    assert done.returncode != 0
    assert "3 processes cannot share 4 heads (num_attention_heads) evenly" in done.stderr
    assert "the number of processes must be among 1, 2, 4" in done.stderr


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one process of two."""
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)


def test_a_process_that_was_started_alone_is_told_how_to_start_several(folder: Path) -> None:
    with pytest.raises(ModelError, match="this one was started alone; start several with torchrun"):
        load_model(str(folder), tp_plan="auto")


def test_a_model_without_a_plan_is_not_silently_loaded_whole(tmp_path: Path, started: None) -> None:
    with pytest.raises(ModelError, match="models of the type 'gpt2' have no plan of their own"):
        load_model(str(save(tmp_path, "gpt2")), tp_plan="auto")


@pytest.mark.parametrize("tp_plan", ["all", 2, {}])
def test_an_unknown_plan_is_named(folder: Path, started: None, tp_plan: object) -> None:
    with pytest.raises(ModelError, match='tp_plan must be "auto"'):
        load_model(str(folder), tp_plan=tp_plan)


def test_one_process_alone_has_the_whole_model(
    folder: Path, started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    lm = load_model(str(folder), tp_plan="auto")
    assert (lm.n_processes, lm.model.tp_size) == (1, None)
