"""A sweep on a Ray cluster of this machine: two workers give the rows of one process, also when one is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from decoding import load_model
from decoding.sweeps import sweep
from decoding.sweeps.folder import Folder
from decoding.sweeps.on_ray import sweep_on_ray
from decoding.sweeps.plan import Plan
from tests.test_sweeps import plan_of, rows, same
from tests.tiny_models import tiny_lm

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Plan:
    folder = tmp_path_factory.mktemp("model")
    lm = tiny_lm()
    lm.model.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    return plan_of(model=str(folder), threads=1, rows_per_batch=2)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def alone(plan, tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("alone")
    sweep(plan, load_model(plan.model), folder)
    return rows(folder)


def kill_a_worker_once_there_is(folder: Path, killed: list[int]) -> None:
    """Ends one of the actors' processes as soon as a batch is kept."""
    until = time.monotonic() + 120
    while time.monotonic() < until and not killed:
        if Folder(folder).done():
            actors = [p for p in psutil.Process().children(recursive=True) if "_Worker" in " ".join(p.cmdline())]
            if actors:
                killed.append(actors[0].pid)
                os.kill(actors[0].pid, signal.SIGKILL)
        time.sleep(0.01)


def test_two_workers_one_of_them_killed_give_the_rows_of_one_process(plan, alone, tmp_path):
    killed: list[int] = []
    killer = threading.Thread(target=kill_a_worker_once_there_is, args=(tmp_path, killed))
    killer.start()
    seen = []
    sweep_on_ray(plan, tmp_path, workers=2, on_batch=seen.append)
    killer.join()
    assert killed, "no worker was found to kill"
    assert same(rows(tmp_path), alone)
    assert [progress.batch.index for progress in seen[1:]].__len__() == len(plan.batches)


def test_it_goes_on_where_one_process_left_off(plan, alone, tmp_path):
    class Enough(Exception):
        pass

    def stop(progress) -> None:
        if progress.n_done == 3:
            raise Enough

    with pytest.raises(Enough):
        sweep(plan, load_model(plan.model), tmp_path, on_batch=stop)
    seen = []
    sweep_on_ray(plan, tmp_path, workers=2, on_batch=seen.append)
    assert len(seen) == 1 + len(plan.batches) - 3
    assert same(rows(tmp_path), alone)
