"""Runs computed together give what each gives alone, but for the last bits; what breaks one leaves the others be."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache
from transformers.generation import StoppingCriteriaList

from app.serving import batching
from app.serving.batchable import NotBatchableError, shared_forward_of
from app.serving.batching import VARIABLE, Batcher, Batchers, batching_wanted
from app.serving.decoder import Decoder
from app.serving.shared_forward import SharedForward, part_of
from app.text import Text
from app.views.facts import facts_rows
from decoding import DecodingError, LanguageModel, Recorder, Settings, Trace, load_trace, record, verify
from decoding.fork import fork
from decoding.strategies.cache import CACHE_NAME
from tests.in_threads import LONG, in_threads
from tests.laws import same_bits
from tests.tiny_architectures import ARCHITECTURES, NotBuiltError, tiny_architecture
from tests.tiny_models import BUILDERS, tiny_lm

CLOSE = 1e-4  # what the order of sums may change a logit by, in float32
SHARED = ("shared_forward",)
ELIGIBLE = ("llama", "qwen2", "gpt_neox", "opt", "gpt2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run: what `record` is given."""

    prompt: Any
    settings: Settings
    is_shared: bool = True


JOBS = {
    "greedy": Job(prompt="the cat sat on the mat, and", settings=Settings(max_new_tokens=12)),
    "drawn": Job(prompt="the dog", settings=Settings(max_new_tokens=9, do_sample=True, seed=3, top_k=20)),
    "beams": Job(prompt="the cat", settings=Settings(max_new_tokens=14, num_beams=3)),
    "prompts, padded": Job(prompt=["the", "the cat sat on", "a dog"], settings=Settings(max_new_tokens=10)),
    "several drawn": Job(
        prompt="a model gives",
        settings=Settings(max_new_tokens=20, do_sample=True, seed=9, num_return_sequences=2, repetition_penalty=1.2),
    ),
    "beams, drawn": Job(prompt="def", settings=Settings(max_new_tokens=8, num_beams=2, do_sample=True, seed=4)),
    "diverse": Job(
        prompt="on the", settings=Settings(max_new_tokens=7, num_beams=4, num_beam_groups=2, diversity_penalty=0.5)
    ),
    "contrastive": Job(
        prompt="a language", settings=Settings(max_new_tokens=8, penalty_alpha=0.6, top_k=4), is_shared=False
    ),
}


def through(batcher: Batcher, job: Job, **how: Any) -> Trace:
    """The job's trace, recorded with a view of its own."""
    view = batcher.view()
    trace = record(view, job.prompt, job.settings, **how)
    view.model.sharing.leave()
    return trace


def assert_close(got: Trace, wanted: Trace) -> None:
    """The same tokens, and logits that only the order of sums can have changed."""
    assert got.sequences.tolist() == wanted.sequences.tolist()
    assert [step.token_ids for step in got.steps] == [step.token_ids for step in wanted.steps]
    assert got.stop_reasons == wanted.stop_reasons
    for ours, theirs in zip(got.steps, wanted.steps, strict=True):
        difference = (ours.logits().float() - theirs.logits().float()).abs().max()
        assert float(difference) <= CLOSE, f"step {ours.index}: {difference}"


def assert_same_bits(got: Trace, wanted: Trace) -> None:
    assert got.sequences.tolist() == wanted.sequences.tolist()
    for ours, theirs in zip(got.steps, wanted.steps, strict=True):
        assert same_bits(ours.logits(), theirs.logits())


@pytest.fixture(scope="module", params=ELIGIBLE)
def each(request: pytest.FixtureRequest) -> LanguageModel:
    return tiny_lm(request.param)


# --- what comes out ---------------------------------------------------------------------------------------


def test_runs_of_every_mode_side_by_side_give_what_each_gives_alone(each):
    batcher = Batcher(each, wait=0.05)
    alone = [record(each, job.prompt, job.settings) for job in JOBS.values()]
    got = in_threads([lambda j=j: through(batcher, j) for j in JOBS.values()])
    for (name, job), ours, theirs in zip(JOBS.items(), got, alone, strict=True):
        assert isinstance(ours, Trace), (name, ours)
        assert_close(ours, theirs)
        assert ours.shortcuts == (SHARED if job.is_shared else ()), name
        assert theirs.shortcuts == ()


def test_a_run_that_is_alone_has_the_very_bits_and_says_so(tiny):
    batcher = Batcher(tiny)
    for job in JOBS.values():
        got = through(batcher, job)
        assert_same_bits(got, record(tiny, job.prompt, job.settings))
        assert got.shortcuts == ()


def test_the_real_model_gives_each_of_eight_runs_what_it_gives_it_alone(lm):
    batcher = Batcher(lm, wait=0.5)
    prompts = ("The capital of France is", "Once upon a time", "2 + 2 =", "The sea is", ["Yes", "A long prompt, that"])
    jobs = [Job(prompt=prompt, settings=Settings(max_new_tokens=8)) for prompt in prompts]
    jobs.append(Job(prompt="My favourite", settings=Settings(max_new_tokens=8, do_sample=True, seed=1, top_p=0.9)))
    jobs.append(Job(prompt="To be or", settings=Settings(max_new_tokens=6, num_beams=3)))
    alone = [record(lm, job.prompt, job.settings) for job in jobs]
    got = in_threads([lambda j=j: through(batcher, j) for j in jobs])
    for ours, theirs in zip(got, alone, strict=True):
        assert_close(ours, theirs)
        assert ours.shortcuts == SHARED


def test_beams_that_have_their_prompt_once_share_steps_too(tiny):
    batcher, settings = Batcher(tiny, wait=0.05), {"num_beams": 3, "max_new_tokens": 10}
    ids = tiny.tokenizer(["the cat sat", "a dog is it"], return_tensors="pt", padding=True)

    def recorded(model: Any) -> Trace:
        recorder = Recorder(share_prefill=True)
        model.generate(**ids, **settings, custom_generate=recorder)
        return recorder.trace

    wanted = recorded(tiny.model)
    views = [batcher.view().model for _ in range(3)]
    for got in in_threads([lambda v=v: recorded(v) for v in views]):
        assert_close(got, wanted)
        assert (got.prefill, got.shortcuts) == ("shared", SHARED)


def test_plain_generate_can_share_as_well(tiny):
    batcher = Batcher(tiny, wait=1.0)
    ids = [torch.tensor([[5, 6, 7, 8]]), torch.tensor([[9, 10]])]
    wanted = [tiny.model.generate(i, max_new_tokens=8) for i in ids]
    views = [batcher.view().model for _ in ids]
    both_began = threading.Barrier(2)

    def generated(view: Any, ids: Tensor) -> Tensor:
        def begun(ids: Tensor, scores: Any, **more: Any) -> Tensor:
            if ids.shape[1] == n_prompt + 1:
                both_began.wait(LONG)
            return torch.zeros(len(ids), dtype=torch.bool)

        n_prompt = ids.shape[1]
        return view.generate(ids, max_new_tokens=8, stopping_criteria=StoppingCriteriaList([begun]))

    got = in_threads([lambda v=v, i=i: generated(v, i) for v, i in zip(views, ids, strict=True)])
    assert [out.tolist() for out in got] == [out.tolist() for out in wanted]
    assert all(view.sharing.n_shared_forwards for view in views)


@pytest.mark.parametrize("name", ["greedy", "beams", "prompts, padded"])
def test_a_fork_goes_on_from_the_cache_of_a_run_that_was_shared(tiny, name):
    batcher, job = Batcher(tiny, wait=0.05), JOBS[name]
    recorders = [Recorder(), Recorder()]

    def recorded(recorder: Recorder) -> None:
        view = batcher.view()
        ids = tiny.tokenizer(job.prompt, return_tensors="pt", padding=True)
        given = {k: v for k, v in job.settings.given().items() if k != "seed"}
        view.model.generate(**ids, **given, custom_generate=recorder)
        view.model.sharing.leave()

    in_threads([lambda r=r: recorded(r) for r in recorders])
    for recorder in recorders:
        trace, row = recorder.trace, recorder.trace.n_rows - 1
        assert trace.shortcuts == SHARED
        forked = fork(trace, tiny, step=4, token_id=40, row=row, kept=recorder.kept_cache())
        assert forked.prefill == "reused" and forked.shortcuts == ()
        assert_close(forked, fork(trace, tiny, step=4, token_id=40, row=row))


def test_runs_join_and_leave_when_they_like(tiny):
    batcher = Batcher(tiny, wait=0.02)
    job = Job(prompt="the cat sat", settings=Settings(max_new_tokens=40, eos_token_id=[3], suppress_tokens=[3]))
    jobs = [JOBS["drawn"], job, JOBS["several drawn"], JOBS["greedy"], job, JOBS["beams"]]
    wanted = [record(tiny, j.prompt, j.settings) for j in jobs]
    gates = [threading.Event() for _ in jobs]

    def late(i: int) -> Trace:
        gates[i].wait(LONG)
        after = gates[i + 1].set if i + 1 < len(jobs) else lambda: None
        return through(batcher, jobs[i], on_step=lambda step: after() if step.index >= 3 else None)

    gates[0].set()
    for got, theirs in zip(in_threads([lambda i=i: late(i) for i in range(len(jobs))]), wanted, strict=True):
        assert_close(got, theirs)


def test_a_run_that_is_closed_leaves_at_once_and_its_cache_is_freed(tiny):
    batchers = Batchers()
    decoder = Decoder(batchers=batchers)
    batchers.prepare(tiny)._turns._wait = LONG  # who waited for the closed one would hang
    go_on = threading.Event()
    caches: list[Any] = []

    def closed() -> None:
        recorder = decoder.recorder(10**9)
        steps = decoder.stream(tiny, "the cat sat on the mat", Settings(max_new_tokens=30), recorder)
        for _ in range(4):
            next(steps)
        caches.append(weakref.ref(recorder.kept_cache().cache))
        steps.close()
        assert len(recorder.trace.steps) == 4 and recorder.trace.stop_reason == "user"
        go_on.set()

    def other() -> Trace:
        recorder = decoder.recorder(10**9)
        for step in decoder.stream(tiny, "the dog", Settings(max_new_tokens=12), recorder):
            if step.index == 3:
                go_on.wait(LONG)
        return recorder.trace

    results = in_threads([closed, other])
    assert results[0] is None, results[0]
    assert_close(results[1], record(tiny, "the dog", Settings(max_new_tokens=12)))
    gc.collect()
    assert caches[0]() is None


# --- what breaks ------------------------------------------------------------------------------------------


def prefilled(batcher: Batcher, ids: Sequence[int]) -> tuple[Any, dict[str, Any]]:
    """A view that has read a prompt, and what it is called with to read the token 5 next."""
    model, cache = batcher.view().model, DynamicCache(config=batcher._lm.model.config)
    with torch.no_grad():
        model(input_ids=torch.tensor([ids]), use_cache=True, **{CACHE_NAME: cache})
    place = torch.tensor([[len(ids)]])
    return model, {
        "input_ids": torch.tensor([[5]]), "position_ids": place, "use_cache": True, CACHE_NAME: cache,
    }  # fmt: skip


def called(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    with torch.no_grad():
        return model(**inputs).logits


PROMPTS = ([7, 8, 9], [11, 12], [20, 21, 22, 23, 24], [30], [40, 41, 42])


def shared_round(batcher: Batcher, change: Callable[[int, dict[str, Any]], None]) -> list[Any]:
    """What a step gives each of five runs that take it together, or raises."""
    runs = [prefilled(batcher, ids) for ids in PROMPTS]
    for i, (_, inputs) in enumerate(runs):
        change(i, inputs)
    got = in_threads([lambda m=m, i=i: called(m, i) for m, i in runs])
    for model, _ in runs:
        model.sharing.leave()
    return got


def wanted_of(lm: LanguageModel) -> list[torch.Tensor]:
    runs = [prefilled(Batcher(lm), ids) for ids in PROMPTS]
    return [called(lm.model, inputs) for _, inputs in runs]


def test_a_run_with_inputs_that_break_the_model_breaks_alone(tiny):
    batcher, wanted = Batcher(tiny, wait=LONG), wanted_of(tiny)

    def bad(i: int, inputs: dict[str, Any]) -> None:
        if i == 2:
            inputs["input_ids"] = torch.tensor([[10**6]])  # no token of the vocabulary

    got = shared_round(batcher, bad)
    assert isinstance(got[2], IndexError)
    for i in (0, 1, 3, 4):
        assert same_bits(got[i], wanted[i])  # tried again alone
    assert batcher._shared is not None  # one run was to blame, not what they share


def test_out_of_memory_halves_what_is_computed_together(tiny, monkeypatch):
    batcher, wanted, sizes = Batcher(tiny, wait=LONG), wanted_of(tiny), []
    twin = batcher._shared._twin
    real = twin.forward

    def small(**inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("out of memory")
        return real(**inputs)

    monkeypatch.setattr(twin, "forward", small)
    got = shared_round(batcher, lambda i, inputs: None)
    assert sizes == [5, 2, 3, 2]  # and of the last three one alone, by the model itself
    for ours, theirs in zip(got, wanted, strict=True):
        assert float((ours - theirs).abs().max()) <= CLOSE
    assert batcher._shared is not None


@pytest.mark.parametrize("breaks_in", ["attention of the last layer", "values of the last layer"])
def test_a_step_that_breaks_half_way_leaves_the_caches_as_they_were(tiny, monkeypatch, breaks_in, caplog):
    batcher, wanted = Batcher(tiny, wait=LONG), wanted_of(tiny)
    runs = [prefilled(batcher, ids) for ids in PROMPTS]
    broken = []

    def once(*args: Any, **kwargs: Any) -> None:
        if not broken:
            broken.append(True)
            raise RuntimeError("half-way")

    if breaks_in.startswith("attention"):
        batcher._shared._twin.model.layers[-1].self_attn.o_proj.register_forward_pre_hook(once)
    else:
        layer = runs[3][1][CACHE_NAME].layers[-1]
        real = layer.update

        def half(keys: Any, values: Any, *args: Any, **kwargs: Any) -> Any:
            if not broken:
                layer.keys = torch.cat([layer.keys, keys], dim=-2)
                once()
            return real(keys, values, *args, **kwargs)

        monkeypatch.setattr(layer, "update", half)
    got = in_threads([lambda m=m, i=i: called(m, i) for m, i in runs])
    for ours, theirs in zip(got, wanted, strict=True):
        assert same_bits(ours, theirs)
    for (_, inputs), ids in zip(runs, PROMPTS, strict=True):
        for layer in inputs[CACHE_NAME].layers:
            assert layer.keys.shape[-2] == layer.values.shape[-2] == len(ids) + 1


def test_where_only_the_shared_step_breaks_nothing_is_shared_any_more_and_the_log_says_so(tiny, monkeypatch, caplog):
    batcher, wanted, tried = Batcher(tiny, wait=LONG), wanted_of(tiny), []

    def broken(self: SharedForward, parts: Any) -> Any:
        tried.append(len(parts))
        raise RuntimeError("not made for this")

    monkeypatch.setattr(SharedForward, "__call__", broken)
    for _ in range(2):
        with caplog.at_level(logging.ERROR):
            got = shared_round(batcher, lambda i, inputs: None)
        for ours, theirs in zip(got, wanted, strict=True):
            assert same_bits(ours, theirs)
    assert tried == [5]
    assert "one by one from here on" in caplog.text and "not made for this" in caplog.text


def test_an_error_in_a_callers_processor_ends_that_run_alone(tiny):
    batcher, job = Batcher(tiny, wait=0.05), JOBS["greedy"]

    def breaks(ids: Any, scores: Any) -> Any:
        if ids.shape[1] > 12:
            raise ValueError("mine")
        return scores

    got = in_threads([
        lambda: through(batcher, job), lambda: through(batcher, job, logits_processor=[breaks]),
        lambda: through(batcher, job),
    ])  # fmt: skip
    assert isinstance(got[1], ValueError)
    for i in (0, 2):
        assert_close(got[i], record(tiny, job.prompt, job.settings))


# --- which calls and models -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"output_hidden_states": True}, {"output_attentions": True}, {"use_cache": False}, {"position_ids": None},
        {"position_ids": torch.zeros(3, 1, 1, dtype=torch.long)}, {"input_ids": torch.tensor([[5, 6]])},
        {"input_ids": torch.tensor([5])}, {"inputs_embeds": torch.zeros(1, 1, 32)}, {CACHE_NAME: None},
        {CACHE_NAME: DynamicCache()}, {"attention_mask": torch.ones(1, 3)}, {"attention_mask": torch.ones(1, 1, 1, 4)},
        {"token_type_ids": torch.zeros(1, 1)}, {"a_thing_that_is_unknown": 1}, {"logits_to_keep": torch.tensor([0])},
        {"input_ids": torch.tensor([[5], [6]]), "position_ids": torch.tensor([[3], [3]])},
    ],
    ids=lambda change: " ".join(change),
)  # fmt: skip
def test_a_call_of_another_kind_is_computed_alone(tiny, change):
    _, inputs = prefilled(Batcher(tiny), [7, 8, 9])
    assert part_of(inputs) is not None
    assert part_of(inputs | change) is None


def test_a_cache_of_another_kind_is_left_to_its_own_model(tiny):
    _, inputs = prefilled(Batcher(tiny), [7, 8, 9])

    class Other(DynamicCache):
        pass

    other = Other()
    other.layers = inputs[CACHE_NAME].layers
    assert part_of(inputs | {CACHE_NAME: other}) is None
    inputs[CACHE_NAME].offloading = True
    assert part_of(inputs) is None


@pytest.mark.parametrize("context", [torch.enable_grad, torch.inference_mode, lambda: torch.autocast("cpu")])
def test_whoever_computes_in_a_mode_of_its_own_does_so_alone(tiny, context):
    batcher = Batcher(tiny, wait=LONG)
    runs = [prefilled(batcher, ids) for ids in PROMPTS[:2]]

    def one(model: Any, inputs: dict[str, Any]) -> Any:
        with torch.no_grad(), context():
            return model(**inputs).logits

    got = in_threads([lambda m=m, i=i: one(m, i) for m, i in runs])
    assert [isinstance(logits, torch.Tensor) for logits in got] == [True, True], got
    assert all(model.sharing.n_shared_forwards == 0 for model, _ in runs)


def test_a_view_that_does_not_share_takes_turns_alone(tiny):
    batcher, job = Batcher(tiny, wait=0.05), JOBS["greedy"]

    def quiet() -> Trace:
        return record(batcher.view(share=False), job.prompt, job.settings)

    got = in_threads([quiet, quiet, lambda: through(batcher, job)])
    for trace in got[:2]:
        assert trace.shortcuts == ()
        assert_same_bits(trace, record(tiny, job.prompt, job.settings))


@pytest.mark.parametrize("kind", BUILDERS)
def test_models_with_a_cache_that_forgets_or_an_encoder_are_refused_with_the_reason(kind):
    if kind in ELIGIBLE:
        shared_forward_of(tiny_lm(kind).model)
        return
    why = {"mistral": "Sliding", "gemma2": "eager", "t5": "encoder", "bart": "encoder"}[kind]
    with pytest.raises(NotBatchableError, match=why):
        shared_forward_of(tiny_lm(kind).model)


def test_a_model_whose_rows_look_at_each_other_is_found_out_by_the_trial():
    model = tiny_lm().model
    model.lm_head.register_forward_hook(lambda module, given, out: out + out.mean(0, keepdim=True))
    with pytest.raises(NotBatchableError, match="together its logits are others"):
        shared_forward_of(model)


def test_a_pass_that_forgets_the_masks_is_found_out_by_the_trial(monkeypatch):
    real = batching.shared_forward_of.__globals__["part_of"]

    def without_mask(inputs: dict[str, Any]) -> Any:
        return real({**inputs, "attention_mask": None})

    monkeypatch.setitem(batching.shared_forward_of.__globals__, "part_of", without_mask)
    with pytest.raises(NotBatchableError, match="together its logits are others"):
        shared_forward_of(tiny_lm().model)


def test_the_model_itself_stays_as_it_is_and_its_weights_are_not_copied(tiny):
    before = {name: id(value) for name, value in vars(tiny.model).items()}
    kind = tiny.model.config.get_text_config()._attn_implementation
    batcher = Batcher(tiny)
    view = batcher.view()
    through(batcher, JOBS["greedy"])
    assert {name: id(value) for name, value in vars(tiny.model).items()} == before
    assert tiny.model.config.get_text_config()._attn_implementation == kind
    ours = {tensor.data_ptr() for tensor in tiny.model.parameters()}
    assert {tensor.data_ptr() for tensor in batcher._shared._twin.parameters()} == ours
    assert {tensor.data_ptr() for tensor in view.model.parameters()} == ours
    assert view.identity() == tiny.identity()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_architecture_is_shared_with_equal_tokens_or_refused(capsys):
    jobs = [
        (torch.tensor([[11, 60, 7, 80, 33], [0, 0, 9, 41, 12]]), torch.tensor([[1] * 5, [0, 0, 1, 1, 1]]), {}),
        (torch.tensor([[15, 16, 17]]), torch.ones(1, 3), {"num_beams": 3}),
        (torch.tensor([[21]]), torch.ones(1, 1), {}),
    ]
    shared, alone, refused, wrong = [], [], {}, {}
    for name in ARCHITECTURES:
        try:
            model = tiny_architecture(name)
        except NotBuiltError:
            continue
        lm = LanguageModel(
            model=model, tokenizer=None, name=name, source="directory", revision=None, device="cpu", dtype="float32"
        )  # fmt: skip
        try:
            batcher = Batcher(lm, wait=0.05)
        except NotBatchableError as error:
            refused[name] = str(error)
            continue
        lengths = {"max_new_tokens": 6, "min_new_tokens": 6}
        given = {**lengths, "do_sample": False, "return_dict_in_generate": True, "output_logits": True}

        def run(model: Any, job: tuple[Any, Any, dict[str, Any]], given: dict[str, Any] = given) -> Any:
            return model.generate(job[0], attention_mask=job[1].long(), **given, **job[2])

        wanted = [run(model, job) for job in jobs]
        for patient in (batcher, Batcher(lm, wait=2)):  # threads of a busy machine may miss each other
            views = [patient.view().model for _ in jobs]
            got = in_threads([lambda v=v, j=j: run(v, j) for v, j in zip(views, jobs, strict=True)])
            if all(v.sharing.n_shared_forwards for v in views):
                break
        (shared if all(v.sharing.n_shared_forwards for v in views) else alone).append(name)
        for ours, theirs in zip(got, wanted, strict=True):
            if isinstance(ours, Exception) or ours.sequences.tolist() != theirs.sequences.tolist():
                wrong[name] = ours
            elif max(float((a - b).abs().max()) for a, b in zip(ours.logits, theirs.logits, strict=True)) > CLOSE:
                wrong[name] = "logits"
        gc.collect()
        gc.freeze()  # see tests/test_architectures.py
    gc.unfreeze()
    with capsys.disabled():
        print(f"\n{len(shared)} architectures shared, {len(refused)} refused, {len(wrong)} wrong; alone: {alone}")
        for name, why in refused.items():
            print(f"  {name}: {why[:140]}")
    assert wrong == {}
    assert len(shared) >= 50
    assert len(alone) <= 3  # generate() gives them no positions


# --- what is said of it -----------------------------------------------------------------------------------


def shared_trace(lm: LanguageModel, seed: int = 3) -> Trace:
    job = Job(prompt="the cat sat", settings=Settings(max_new_tokens=6, do_sample=True, seed=seed))
    batcher = Batcher(lm, wait=0.05)
    return in_threads([lambda: through(batcher, job), lambda: through(batcher, JOBS["beams"])])[0]


def test_a_trace_says_that_its_steps_were_shared_and_a_file_keeps_it(tiny, tmp_path):
    trace = shared_trace(tiny)
    assert trace.shortcuts == SHARED
    trace.save(tmp_path / "run.trace")
    assert load_trace(tmp_path / "run.trace").shortcuts == SHARED
    alone = record(tiny, "the cat", Settings(max_new_tokens=2))
    alone.save(tmp_path / "alone.trace")
    assert load_trace(tmp_path / "alone.trace").shortcuts == ()


def test_verify_names_the_reason_and_the_difference(lm):
    job = Job(prompt="The capital of France is", settings=Settings(max_new_tokens=4))
    batcher = Batcher(lm, wait=0.5)
    trace, _ = in_threads([lambda: through(batcher, job), lambda: through(batcher, job)])
    report = verify(trace, lm)
    assert report.equal and report.grade in ("bits", "tokens")
    assert [reason.why for reason in report.because] == ["shared_forward"]
    assert "computed together with those of other runs" in report.text
    if report.grade == "tokens":
        assert 0 < report.largest < 1e-3 and f"within {report.within}" in report.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_facts_say_it_where_it_is_so_and_only_there(tiny, language):
    text = Text(language)
    label = text("fact.shortcut")
    shared = {row["label"]: row for row in facts_rows(shared_trace(tiny), text)}
    assert shared[label]["value"] == text("fact.shortcut.shared_forward") and shared[label]["tip"]
    alone = facts_rows(record(tiny, "the cat", Settings(max_new_tokens=2)), text)
    assert label not in [row["label"] for row in alone]


# --- the server's part ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "public", "wanted"),
    [(None, True, True), (None, False, False), ("", True, True), ("0", True, False), ("1", False, True)],
)
def test_the_public_server_shares_unless_the_variable_decides(monkeypatch, said, public, wanted):
    monkeypatch.delenv(VARIABLE, raising=False)
    if said is not None:
        monkeypatch.setenv(VARIABLE, said)
    assert batching_wanted(public=public) is wanted


@pytest.mark.parametrize("said", ["yes", "2", " 1", "-1", "true"])
def test_another_value_of_the_variable_is_refused(monkeypatch, said):
    monkeypatch.setenv(VARIABLE, said)
    with pytest.raises(DecodingError, match=f"{VARIABLE} must be 0 or 1, got '{said}'"):
        batching_wanted(public=True)


def test_the_decoder_shares_runs_and_forks_and_verifies_alone(tiny):
    batchers = Batchers()
    batchers.prepare(tiny)._turns._wait = 1.0  # also where this machine has much else to do
    decoder, all_began = Decoder(batchers=batchers), threading.Barrier(3)

    def to_the_end(steps: Iterator[Any]) -> None:
        for i, _ in enumerate(steps):
            if i == 0:
                all_began.wait(LONG)

    def run(prompt: str) -> tuple[Trace, Any]:
        recorder = decoder.recorder(10**9)
        to_the_end(decoder.stream(tiny, prompt, Settings(max_new_tokens=10), recorder))
        return recorder.trace, recorder.kept_cache()

    runs = in_threads([lambda: run("the cat sat"), lambda: run("the dog"), lambda: run("on the mat")])
    assert {trace.shortcuts for trace, _ in runs} == {SHARED}

    def forked(trace: Trace, kept: Any) -> Trace:
        recorder = decoder.recorder(10**9)
        to_the_end(decoder.stream_fork(trace, tiny, recorder, step=2, token_id=50, kept=kept))
        return recorder.trace

    forks = in_threads([lambda r=r: forked(*r) for r in runs])
    for (trace, _), ours in zip(runs, forks, strict=True):
        assert ours.shortcuts == SHARED
        assert_close(ours, fork(trace, tiny, step=2, token_id=50))
    reports = in_threads([lambda t=t: decoder.verify(t, tiny) for t, _ in runs])
    assert all(report.equal and report.because[0].why == "shared_forward" for report in reports)
    assert Decoder()._one_of_many(tiny) is tiny


def test_a_model_that_cannot_be_shared_is_used_as_it_is_and_tried_once(caplog):
    lm, batchers = tiny_lm("t5"), Batchers()
    with caplog.at_level(logging.INFO, logger="app.serving.batching"):
        assert batchers.view(lm) is lm and batchers.view(lm) is lm
    assert caplog.text.count("one by one: it has an encoder") == 1


def test_a_batcher_keeps_no_model_alive():
    lm, batchers = tiny_lm(), Batchers()
    batchers.view(lm)
    model, entry = weakref.ref(lm.model), weakref.ref(lm)
    del lm
    gc.collect()
    assert entry() is None and model() is None and len(batchers._of) == 0
