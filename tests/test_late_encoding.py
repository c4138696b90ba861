"""Steps that are encoded while the device computes the next: the same trace, readable at once, and lost by nothing.

On CUDA this is how a run is recorded; here the same path is taken on the CPU.
"""

from __future__ import annotations

import threading

import pytest
import torch

from decoding import Recorder, Settings, load_trace, record
from decoding.recorded.step_store import MemoryStore
from decoding.strategies import recording
from decoding.strategies.host_copies import HostCopies
from tests.laws import same_bits
from tests.tiny_models import tiny_lm

WAYS = {
    "greedy": {"repetition_penalty": 1.3},
    "sample": {"do_sample": True, "seed": 1, "top_k": 9, "temperature": 0.7, "num_return_sequences": 2},
    "beam_search": {"num_beams": 3},
    "group_beam_search": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    "contrastive_search": {"penalty_alpha": 0.6, "top_k": 4},
}


@pytest.fixture
def late(monkeypatch):
    monkeypatch.setattr(recording, "encodes_late", lambda device: True)


def settings_of(way: str, n: int = 6) -> Settings:
    return Settings(max_new_tokens=n, eos_token_id=None, **WAYS[way])


def assert_same_arrays(one, other) -> None:
    assert len(one.steps) == len(other.steps)
    for t in range(len(one.steps)):
        mine, theirs = one.store.load(t), other.store.load(t)
        assert mine.keys() == theirs.keys()
        assert all(same_bits(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("budget", [0, 2**30])
@pytest.mark.parametrize("way", WAYS)
def test_a_step_encoded_late_is_the_one_encoded_at_once(way, budget, monkeypatch):
    at_once = record(tiny_lm(), "The cat", settings_of(way))
    monkeypatch.setattr(recording, "encodes_late", lambda device: True)
    late = record(tiny_lm(), "The cat", settings_of(way), memory_budget=budget)
    assert_same_arrays(late, at_once)
    assert torch.equal(late.sequences, at_once.sequences)
    assert (late.silent, late.warnings, late.nbytes) == (at_once.silent, at_once.warnings, at_once.nbytes)


@pytest.mark.parametrize("way", WAYS)
def test_a_step_can_be_read_as_soon_as_it_is_there(way, late):
    lm, read = tiny_lm(), []
    recorder = Recorder(on_step=lambda step: read.append(step.scores(stage=-1)))
    lm.model.generate(torch.tensor([[5, 6, 7]]), **_kwargs(way, lm), custom_generate=recorder)
    trace = recorder.trace
    assert len(read) == len(trace.steps) == 6
    assert all(same_bits(scores, step.scores(stage=-1)) for scores, step in zip(read, trace.steps, strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_closing_half_way_keeps_the_last_step(way, late, tmp_path):
    lm, recorder = tiny_lm(), Recorder()
    steps = recorder.stream(lm.model, input_ids=torch.tensor([[5, 6, 7]]), **_kwargs(way, lm))
    for _ in range(3):
        next(steps)
    steps.close()
    trace = recorder.trace
    assert len(trace.steps) == 3 and set(trace.stop_reasons) == {"user"}
    assert trace.steps[2].logits().isfinite().all()
    trace.save(tmp_path / "half.trace")
    assert_same_arrays(load_trace(tmp_path / "half.trace"), trace)


def _kwargs(way: str, lm):
    kwargs = settings_of(way).generate_kwargs(lm.tokenizer)
    return {**kwargs, "max_new_tokens": 6}


@pytest.mark.parametrize("way", ["sample", "beam_search"])
@pytest.mark.parametrize("is_late", [False, True])
def test_what_cannot_be_encoded_ends_the_run_and_the_trace_before_it(way, is_late, monkeypatch, tmp_path):
    encode, calls = recording.encode_stages, []

    def breaks(stages, outputs):
        calls.append(1)
        if len(calls) >= 3:
            raise ZeroDivisionError("the third")
        return encode(stages, outputs)

    monkeypatch.setattr(recording, "encode_stages", breaks)
    monkeypatch.setattr(recording, "encodes_late", lambda device: is_late)
    lm, recorder = tiny_lm(), Recorder()
    with pytest.raises(ZeroDivisionError, match="the third"):
        lm.model.generate(torch.tensor([[5, 6, 7]]), **_kwargs(way, lm), custom_generate=recorder)
    trace = recorder.trace
    assert len(trace.steps) == len(trace.store) == 2
    assert trace.ledger is None or len(trace.ledger) == 2
    trace.save(tmp_path / "broken.trace")
    assert len(load_trace(tmp_path / "broken.trace").steps) == 2


def test_the_last_step_that_cannot_be_encoded_is_told_of_too(late, monkeypatch):
    monkeypatch.setattr(recording, "encode_stages", lambda stages, outputs: 1 / 0)
    lm, recorder = tiny_lm(), Recorder()
    with pytest.raises(ZeroDivisionError):
        lm.model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=1, custom_generate=recorder)
    assert recorder.trace.steps == ()


# --- the store ------------------------------------------------------------------------------------------------------


def arrays_of(seed: int) -> dict[str, torch.Tensor]:
    return {"logits": torch.full((1, 8), float(seed)), "kinds": torch.zeros(0, 1, dtype=torch.uint8)}


def test_one_step_waits_and_no_more():
    store, made = MemoryStore(), []

    def make(seed):
        made.append(seed)
        return arrays_of(seed)

    for seed in range(3):
        store.append_later(lambda seed=seed: make(seed))
        assert made == list(range(seed))
    assert store.nbytes == 3 * 32
    assert made == [0, 1, 2] and len(store) == 3
    assert [float(store.load(t)["logits"][0, 0]) for t in range(3)] == [0, 1, 2]


def test_an_interrupt_while_a_step_is_made_loses_nothing():
    store, interrupted = MemoryStore(), [True]

    def make():
        if interrupted.pop():
            interrupted.append(False)
            raise KeyboardInterrupt
        return arrays_of(7)

    store.append_later(make)
    with pytest.raises(KeyboardInterrupt):
        store.settle()
    assert len(store) == 1
    assert float(store.load(0)["logits"][0, 0]) == 7


def test_many_threads_ask_for_a_step_and_it_is_made_once():
    store, made, got = MemoryStore(), [], []
    begin = threading.Barrier(8)

    def make():
        made.append(1)
        return arrays_of(3)

    def read():
        begin.wait()
        got.append(float(store.load(0)["logits"][0, 0]))

    store.append_later(make)
    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1] and got == [3.0] * 8


def test_what_is_on_the_host_is_not_copied():
    tensor = torch.zeros(3)
    (got,) = HostCopies([tensor]).get()
    assert got.data_ptr() == tensor.data_ptr()
