"""The step store: what does not fit goes to disk and comes back bit for bit; a full disk ends no run."""

from __future__ import annotations

import errno
import gc
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import warnings
from pathlib import Path

import pytest
import torch

from decoding import NotRecordedError, Recorder, Settings, TraceFileError, load_trace, record
from decoding.recorded.step_store import BLOCK, FOR_STEPS, MemoryStore, arrays_from_bytes
from tests.laws import same_bits
from tests.tiny_models import tiny_lm

ROOT = Path(__file__).parent.parent


def step_arrays(seed: int, n: int = 5000) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "logits": torch.randn(2, n, generator=generator).to(torch.bfloat16),
        "kinds": torch.full((3, 2), seed % 7, dtype=torch.uint8),
        "scalars": torch.randn(3, 2, 2, generator=generator, dtype=torch.float64),
        "1.0.bitmap": torch.randint(0, 256, (n // 8,), generator=generator, dtype=torch.uint8),
        "1.0.values": torch.tensor([float("nan"), -0.0, float("-inf")]),
        "2.1.left": torch.zeros(0, dtype=torch.int32),
    }


def size_of(arrays: dict[str, torch.Tensor]) -> int:
    return sum(a.nbytes for a in arrays.values())


def assert_same(got: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert got.keys() == wanted.keys()
    for name in wanted:
        assert same_bits(got[name], wanted[name]), name


@pytest.mark.parametrize("fit", [0, 1, 7, 20, 100])
def test_what_does_not_fit_goes_to_disk_and_comes_back_bit_for_bit(fit: int):
    size = size_of(step_arrays(0))
    store = MemoryStore(memory_budget=round(fit * size / FOR_STEPS))
    for seed in range(20):
        store.append(step_arrays(seed))
    assert len(store) == 20
    assert store.n_spilled == max(0, 20 - fit)
    assert store.nbytes == 20 * size
    assert store.lost_from is None
    for seed in (*range(20), 3, 19, 0):
        assert_same(store.load(seed), step_arrays(seed))


def test_the_budget_holds_what_it_says():
    store = MemoryStore(memory_budget=100_000)
    for seed in range(20):
        store.append(step_arrays(seed))
    in_memory = [store.load(i) for i in range(20 - store.n_spilled)]
    assert sum(map(size_of, in_memory)) <= FOR_STEPS * 100_000


def test_a_step_larger_than_a_block_is_kept_too():
    store = MemoryStore(memory_budget=2 * BLOCK)
    large = {"logits": torch.arange(BLOCK // 4 + 3, dtype=torch.int32)}
    store.append(large)
    store.append(step_arrays(1))
    assert_same(store.load(0), large)
    assert_same(store.load(1), step_arrays(1))


@pytest.mark.parametrize("budget", [0, 10**9])
def test_what_was_handed_over_may_be_written_to_afterwards(budget: int):
    store, arrays = MemoryStore(budget), step_arrays(4)
    store.append(arrays)
    for array in arrays.values():
        array.zero_()
    assert_same(store.load(0), step_arrays(4))


@pytest.mark.parametrize("budget", [0, 2**30])
def test_what_a_step_returns_may_be_written_to(budget: int):
    step = record(tiny_lm(), "a", Settings(max_new_tokens=1, top_k=3, do_sample=True), memory_budget=budget).steps[0]
    before = step.logits().clone()
    step.logits().zero_()
    step.scores(stage=0).zero_()
    step.scores(stage=-1).zero_()
    assert same_bits(step.logits(), before)
    assert same_bits(step.scores(stage=0), before[0])


def test_the_file_leaves_no_name_and_no_handle_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = MemoryStore(0)
    store.append(step_arrays(0))
    if os.name == "posix":
        assert os.listdir(tmp_path) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        file = store._file
        del store
        gc.collect()
    assert file.closed


def test_many_threads_read_while_one_appends():
    store, wrong = MemoryStore(0), []
    for seed in range(8):
        store.append(step_arrays(seed))

    def read(seed: int) -> None:
        for _ in range(20):
            if not same_bits(store.load(seed)["logits"], step_arrays(seed)["logits"]):
                wrong.append(seed)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for seed in range(8, 24):
        store.append(step_arrays(seed))
    for thread in threads:
        thread.join()
    assert wrong == []
    assert_same(store.load(23), step_arrays(23))


RANDOM = pytest.param(os.urandom(64), id="random")  # every worker must call the test by the same name


@pytest.mark.parametrize("blob", [b"", b"{}", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0{}x", RANDOM])
def test_bytes_that_are_no_arrays_are_refused(blob: bytes):
    with pytest.raises(TraceFileError, match="^step 3 cannot be read"):
        arrays_from_bytes(blob, "step 3")


# --- the disk is full -----------------------------------------------------------------------------------------------


class SmallDisk:
    """A file on a disk with room for so many bytes: the last write is short or fails, as the system's would."""

    def __init__(self, room: int, short: bool) -> None:
        self.file, self.room, self.short = tempfile.TemporaryFile(buffering=0), room, short

    def write(self, blob: bytes) -> int:
        if len(blob) <= self.room:
            self.room -= len(blob)
            return self.file.write(blob)
        if self.short and self.room:
            written = self.file.write(blob[: self.room])
            self.room = 0
            return written
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __getattr__(self, name: str):
        return getattr(self.file, name)


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize("room", [0, 100, 25_000, 60_000])
def test_steps_that_no_longer_fit_on_the_disk_are_lost_and_the_others_are_not(monkeypatch, short: bool, room: int):
    disk = SmallDisk(room, short)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **kwargs: disk)
    store = MemoryStore(memory_budget=round(2 * size_of(step_arrays(0)) / FOR_STEPS))
    for seed in range(6):
        store.append(step_arrays(seed))
    lost_from = store.lost_from
    assert 2 <= lost_from <= 4
    for seed in range(lost_from):
        assert_same(store.load(seed), step_arrays(seed))
    for seed in range(lost_from, 6):
        with pytest.raises(NotRecordedError) as caught:
            store.load(seed)
        assert str(caught.value) == (
            f"the scores of step {seed + 1} were not kept: the temporary file could not be written from step "
            f"{lost_from + 1} on (No space left on device); free some space in the temporary folder, or raise "
            "memory_budget"
        )
    assert store.nbytes == lost_from * size_of(step_arrays(0))


@pytest.mark.parametrize("room", [0, 4_000])
def test_a_run_outlives_a_full_disk(monkeypatch, tmp_path, room: int):
    lm, given = tiny_lm(), Settings(do_sample=True, seed=1, top_k=9, max_new_tokens=12)
    whole = record(lm, "The cat", given)
    disk = SmallDisk(room, short=False)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **kwargs: disk)
    trace = record(lm, "The cat", given, memory_budget=0)
    lost_from = 0 if room == 0 else 2
    assert torch.equal(trace.sequences, whole.sequences)
    assert trace.stop_reasons == whole.stop_reasons
    assert trace.model.vocab_size == whole.model.vocab_size
    assert trace.warnings == (
        f"the temporary file could not be written (No space left on device): from step {lost_from + 1} on only the "
        "chosen tokens were kept; free some space in the temporary folder, or raise memory_budget",
    )
    for t in range(lost_from):
        assert same_bits(trace.scores(step=t), whole.scores(step=t))
    with pytest.raises(NotRecordedError, match=f"step {lost_from + 1}"):
        trace.scores(step=lost_from)
    assert [k.name for k in trace.silent] == [k.name for k in whole.silent]
    monkeypatch.undo()
    trace.save(tmp_path / "partly.trace")
    opened = load_trace(tmp_path / "partly.trace")
    assert torch.equal(opened.sequences, whole.sequences)
    assert opened.warnings == trace.warnings
    with pytest.raises(NotRecordedError, match=f"step {lost_from + 1} were not kept when the run was recorded"):
        opened.scores(step=lost_from)


def test_a_run_outlives_a_temporary_folder_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    trace = record(tiny_lm(), "The cat", Settings(max_new_tokens=3), memory_budget=0)
    assert len(trace.steps) == 3
    assert "No such file or directory" in trace.warnings[0]
    assert str(tmp_path) not in trace.warnings[0]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX's")
@pytest.mark.slow
def test_a_run_outlives_a_limit_that_the_system_sets(tmp_path):
    """For real: the kernel refuses to let the file grow beyond 20,000 bytes."""
    program = """
        import json, resource, torch
        from decoding import Settings, record
        from tests.tiny_models import tiny_lm
        torch.set_num_threads(1)
        lm = tiny_lm()
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        trace = record(lm, "The cat", Settings(max_new_tokens=30, min_new_tokens=30), memory_budget=0)
        kept = trace.store.lost_from
        print(json.dumps([len(trace.steps), kept, trace.warnings, trace.scores(step=kept - 1).shape[0]]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    n_steps, kept, given_warnings, vocab = json.loads(done.stdout.splitlines()[-1])
    assert n_steps == 30 and 5 <= kept <= 20 and vocab == 320
    assert f"from step {kept + 1} on only the chosen tokens were kept" in given_warnings[0]


def test_a_recorder_with_no_budget_returns_what_generate_returns():
    lm, recorder = tiny_lm(), Recorder(memory_budget=0)
    ids = torch.tensor([[5, 6, 7]])
    got = lm.model.generate(ids, max_new_tokens=6, custom_generate=recorder)
    assert torch.equal(got, lm.model.generate(ids, max_new_tokens=6))
    assert recorder.trace.store.n_spilled == len(recorder.trace.steps)
