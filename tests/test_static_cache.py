"""With a cache of fixed size, compiled or not, what is recorded is what `generate()` gives with it; on any processor.

transformers compiles by itself on CUDA alone; a switch of its own for tests compiles on the CPU, too. The compiler here
passes the graph on as it is and counts its calls, so that what is seen is whether the compiled step ran.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CompileConfig, GPT2LMHeadModel

from decoding import Recorder, RecordingError, Settings, load_model, record, verify
from decoding.models import static_cache
from decoding.models.static_cache import use_static_cache
from tests.test_models import save
from tests.test_parity import ASK_FOR, assert_same_run, inputs_of
from tests.tiny_models import BUILDERS, tiny_model

SAMPLE = {"do_sample": True, "temperature": 0.8, "top_k": 20, "repetition_penalty": 1.2}
MODES = {
    "greedy": {},
    "sample": SAMPLE,
    "samples": {**SAMPLE, "num_return_sequences": 2},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "beam sampling": {**SAMPLE, "num_beams": 2},
}
STATIC = {"max_new_tokens": 6, "cache_implementation": "static"}


class Counting:
    """A compiler that changes nothing, and how often what it made was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            self.calls += 1
            return graph.forward(*arguments)

        return run

    def __deepcopy__(self, memo: dict[int, Any]) -> Counting:
        return self  # transformers copies configurations


def compiled(backend: Any) -> dict[str, Any]:
    config = CompileConfig(backend=backend, mode=None, dynamic=False)
    config._compile_all_devices = True
    return {"compile_config": config}


@pytest.fixture
def forgotten() -> None:
    """Graphs of other tests' models do not count towards torch's bound."""
    torch._dynamo.reset()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", BUILDERS)
def test_a_static_cache_gives_what_generate_gives_with_it(kind: str, mode: str) -> None:
    model = tiny_model(kind)
    assert_same_run(model, inputs_of(random.Random(3), 90, batch=True), {**STATIC, **MODES[mode]})


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("mode", ["greedy", "sample", "samples"])
def test_a_compiled_step_gives_what_generate_gives_and_both_run_it(mode: str) -> None:
    model, counting = tiny_model("llama"), Counting()
    inputs = inputs_of(random.Random(4), 90, batch=True)
    trace = assert_same_run(model, inputs, {**STATIC, **MODES[mode], "eos_token_id": None, **compiled(counting)})
    assert len(trace.steps) == 6
    # The prompt is read uncompiled, the five tokens after it compiled; by generate() and by the loop here.
    assert counting.calls % 2 == 0 and counting.calls >= 2 * 5


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("mode", ["beams", "beam sampling"])
def test_beams_are_not_compiled_as_generate_does_not(mode: str) -> None:
    counting = Counting()
    inputs = inputs_of(random.Random(4), 90, batch=True)
    assert_same_run(tiny_model("llama"), inputs, {**STATIC, **MODES[mode], **compiled(counting)})
    assert counting.calls == 0


SEARCHES = {
    "beams": MODES["beams"], "beam sampling": MODES["beam sampling"],
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
}  # fmt: skip


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("mode", SEARCHES)
def test_a_search_is_compiled_where_it_was_asked_for(mode: str) -> None:
    model, counting = tiny_model("llama"), Counting()
    inputs = inputs_of(random.Random(4), 90, batch=True)
    given = {**STATIC, **SEARCHES[mode], "eos_token_id": None, **ASK_FOR}
    torch.manual_seed(2)
    plain = Recorder()
    expected = model.generate(**inputs, **given, custom_generate=plain)
    torch.manual_seed(2)
    recorder = Recorder(compile_beams=True)
    got = model.generate(**inputs, **given, **compiled(counting), custom_generate=recorder)
    assert counting.calls >= 5  # the prompt is read uncompiled, the five tokens after it compiled
    assert torch.equal(got.sequences, expected.sequences)
    torch.testing.assert_close(got.sequences_scores, expected.sequences_scores, atol=1e-5, rtol=1e-5)
    assert recorder.trace.shortcuts == ("compile_beams",) and plain.trace.shortcuts == ()
    for step, other in zip(recorder.trace.steps, plain.trace.steps, strict=True):
        for row in range(plain.trace.n_rows):
            torch.testing.assert_close(step.scores(row=row), other.scores(row=row), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma2", "mistral"])
def test_beams_change_places_in_the_memory_that_their_cache_has(kind: str) -> None:
    model, inputs, seen = tiny_model(kind), inputs_of(random.Random(4), 90, batch=True), []
    recorder = Recorder(on_step=lambda step: seen.append([
        (layer.keys.data_ptr(), layer.values.data_ptr()) for layer in recorder.kept_cache().cache.layers
    ]))  # fmt: skip
    model.generate(**inputs, **STATIC, num_beams=3, eos_token_id=None, custom_generate=recorder)
    assert len(seen) == 6 and all(places == seen[0] for places in seen)
    moved = [step for step in recorder.trace.steps if step.parents != tuple(range(recorder.trace.n_rows))]
    assert len(moved) > 2


@pytest.mark.parametrize("more", [{}, {"cache_implementation": "static"}])
def test_a_search_that_cannot_be_compiled_runs_as_ever_and_says_so(tmp_path: Path, more: dict) -> None:
    lm = load_model(str(save(tmp_path)), device="cpu")
    inputs = lm.tokenizer(["The capital", "A dog"], return_tensors="pt", padding=True)
    recorder = Recorder(compile_beams=True, tokenizer=lm.tokenizer)
    lm.model.generate(**inputs, **more, num_beams=2, max_new_tokens=5, custom_generate=recorder)
    trace = recorder.trace
    assert trace.shortcuts == () and any("compile_beams" in warning for warning in trace.warnings)
    assert verify(trace, lm).grade == "bits"


@pytest.mark.usefixtures("forgotten")
def test_verify_says_that_a_search_was_compiled(tmp_path: Path) -> None:
    lm = load_model(str(save(tmp_path)), device="cpu", static_cache=True)
    inputs = lm.tokenizer(["The capital", "A dog"], return_tensors="pt", padding=True)
    recorder = Recorder(compile_beams=True, tokenizer=lm.tokenizer)
    given = {"num_beams": 2, "max_new_tokens": 5, **compiled(Counting())}
    lm.model.generate(**inputs, **given, custom_generate=recorder)
    report = verify(recorder.trace, lm)
    assert report.equal and "compile_beams" in report.text
    assert "compile_beams" in {reason.why for reason in report.because}


@pytest.mark.slow
@pytest.mark.usefixtures("forgotten")
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="needs a C++ compiler")
def test_machine_code_made_of_the_step_gives_the_same_bits_in_both() -> None:
    inputs = inputs_of(random.Random(5), 90, batch=False)
    assert_same_run(tiny_model("llama"), inputs, {**STATIC, **SAMPLE, **compiled("inductor")})


# --- as a model's default ---------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {**SAMPLE, "seed": 1}, {"num_beams": 2}, {"num_beams": 4, "num_beam_groups": 2}])
def test_a_model_loaded_with_one_records_and_verifies(tmp_path: Path, given: dict) -> None:
    lm = load_model(str(save(tmp_path)), device="cpu", static_cache=True)
    assert lm.model.generation_config.cache_implementation == "static"
    if "num_beam_groups" in given:
        given |= {"diversity_penalty": 0.5}
    trace = record(lm, ["The capital", "A dog"], Settings(**given, max_new_tokens=5))
    report = verify(trace, lm)
    assert report.grade == "bits", report.text


def test_contrastive_search_falls_back_to_a_cache_that_grows(tmp_path: Path) -> None:
    folder = str(save(tmp_path))
    static, usual = load_model(folder, device="cpu", static_cache=True), load_model(folder, device="cpu")
    settings = Settings(penalty_alpha=0.6, top_k=4, max_new_tokens=5)
    with_default, without = (record(lm, "The capital", settings) for lm in (static, usual))
    assert torch.equal(with_default.sequences, without.sequences)
    assert verify(with_default, static).grade == "bits"


def test_one_that_the_caller_asks_for_is_still_refused_there() -> None:
    given = {"penalty_alpha": 0.6, "top_k": 4, "cache_implementation": "static", "max_new_tokens": 2}
    with pytest.raises(RecordingError, match="StaticCache cannot do contrastive search"):
        tiny_model("llama").generate(torch.tensor([[5, 6]]), **given, custom_generate=Recorder())


class Unfit(GPT2LMHeadModel):
    """A model whose class does not say that it can."""

    _can_compile_fullgraph = False


def test_a_model_that_cannot_have_one_keeps_the_growing_one() -> None:
    model = Unfit(tiny_model("gpt2").config).eval()
    assert not use_static_cache(model)
    assert model.generation_config.cache_implementation is None


@pytest.mark.parametrize(("there", "can"), [((), False), (("triton",), False), (("triton", "gcc"), True)])
def test_what_compiling_needs_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], can: bool
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(static_cache.importlib.util, "find_spec", lambda name: name if name in there else None)
    monkeypatch.setattr(static_cache.shutil, "which", lambda name: name if name in there else None)
    assert static_cache._can_compile() is can
