"""The recorder at its edges: runs that break off, that are stopped, that share a process with others."""

from __future__ import annotations

import inspect
import random
import threading
import time

import pytest
import torch
from transformers import LogitsProcessor, StoppingCriteria, StoppingCriteriaList, StopStringCriteria

from decoding import (
    DecodingError,
    NotRecordedError,
    PromptError,
    Recorder,
    RecordingError,
    SettingError,
    Settings,
    record,
    stream,
)
from decoding.verifying.comparison import with_width
from tests.laws import NEVER, same_bits
from tests.test_parity import ASK_FOR, assert_same_run, inputs_of, random_settings
from tests.tiny_models import EOS, PAD, tiny_lm, tiny_model, tiny_tokenizer

IDS = torch.tensor([[5, 6, 7]])
SAMPLE = {"do_sample": True, "top_k": 20, "temperature": 0.8}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def model():
    return tiny_model()


def run(model, recorder: Recorder, **given):
    return model.generate(IDS, **{"max_new_tokens": 6, "eos_token_id": None, **given}, custom_generate=recorder)


def assert_prefix(trace, whole, n: int) -> None:
    """The first n steps of `whole`, bit for bit, and no more."""
    assert len(trace.steps) == n
    assert torch.equal(trace.generated_ids, whole.generated_ids[:, :n])
    assert trace.sequences.shape[1] == whole.prompt_ids.shape[1] + n
    for ours, theirs in zip(trace.steps, whole.steps, strict=False):
        for a, b in zip(ours.all_scores(), theirs.all_scores(), strict=True):
            assert same_bits(a, b)


def whole_run(model, **given):
    run(model, recorder := Recorder(seed=0), **given)
    return recorder.trace


# --- runs that break off --------------------------------------------------------------------------------------------


class FailsAt(LogitsProcessor, StoppingCriteria):
    """A processor or a criterion that raises when it is called for the n-th time."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.at, self.error = at, error

    def __call__(self, input_ids, scores):
        self.at -= 1
        if self.at < 0:
            raise self.error
        return scores if isinstance(scores, torch.Tensor) else torch.zeros(len(input_ids), dtype=torch.bool)


def test_an_error_of_the_callers_processor_keeps_the_steps_and_is_passed_on(model):
    recorder, error = Recorder(seed=0), ZeroDivisionError("mine")
    with pytest.raises(ZeroDivisionError) as caught:
        run(model, recorder, **SAMPLE, logits_processor=[FailsAt(3, error)])
    assert caught.value is error
    assert error.__notes__ == ["Decoding Explorer: the 3 steps before are in Recorder.trace"]
    assert recorder.trace.stop_reasons == ("error",)
    assert recorder.trace.generated_ids.shape == (1, 3)
    assert [s.name for s in recorder.trace.stages][0] == "FailsAt"
    assert recorder.trace.scores(step=2).shape == (97,)


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), KeyboardInterrupt(), SystemExit()])
def test_an_error_of_the_callers_criterion_keeps_the_steps(model, error):
    recorder = Recorder(seed=0)
    with pytest.raises(type(error)):
        run(model, recorder, **SAMPLE, stopping_criteria=StoppingCriteriaList([FailsAt(3, error)]))
    assert_prefix(recorder.trace, whole_run(model, **SAMPLE), 3)
    assert recorder.trace.stop_reasons == ("error",)


def test_an_error_in_on_step_keeps_the_steps(model):
    seen = []

    def on_step(step):
        seen.append(step.index)
        if step.index == 2:
            raise ValueError("closed")

    recorder = Recorder(seed=0, on_step=on_step)
    with pytest.raises(ValueError, match="closed"):
        run(model, recorder, **SAMPLE)
    assert seen == [0, 1, 2]
    assert_prefix(recorder.trace, whole_run(model, **SAMPLE), 3)


def breaks(model, at: int, spoil):
    """The model, whose forward is spoilt from the n-th call on."""
    forward, calls = model.forward, iter(range(10**6))

    def spoilt(*args, **kwargs):
        out = forward(*args, **kwargs)
        if next(calls) >= at:
            spoil(out)
        return out

    spoilt.__signature__ = inspect.signature(forward)  # generate() asks for it
    model.forward = spoilt
    return model


def nan(out):
    out.logits[:, :, 3] = float("nan")


def infinite(out):
    out.logits[:, :, 3:5] = float("inf")


@pytest.mark.parametrize(("spoil", "n"), [(nan, 1), (infinite, 2)])
def test_drawing_from_nan_logits_is_refused_with_the_trace_so_far(model, spoil, n):
    whole, recorder = whole_run(model, **SAMPLE), Recorder(seed=0)
    with pytest.raises(RecordingError) as caught:
        run(breaks(model, 3, spoil), recorder, **SAMPLE)
    assert str(caught.value) == (
        f"step 4 has no distribution to draw from: {n} of 97 of the model's logits are NaN or "
        "infinite; try dtype=float32. The steps before are kept"
    )
    assert_prefix(caught.value.trace, whole, 3)
    assert_prefix(recorder.trace, whole, 3)
    assert recorder.trace.stop_reasons == ("error",)
    assert "3" in recorder.trace.warnings[0]


def test_greedy_goes_on_with_nan_logits_as_generate_does_and_warns(model):
    spoilt = breaks(model, 3, nan)
    run(spoilt, recorder := Recorder())
    trace = recorder.trace
    assert len(trace.steps) == 6
    assert trace.generated_ids[0, 3:].tolist() == [3, 3, 3]
    assert trace.warnings == (
        "the model's logits hold 1 NaN or infinite values at step 4; generate() goes on all the "
        "same, and what it then chooses means nothing (try dtype=float32)",
    )
    assert bool(trace.scores(step=3)[3].isnan())


def test_a_model_with_banned_tokens_of_its_own_is_no_reason_to_warn(model):
    def padded(out):
        out.logits[:, :, 90:] = NEVER

    run(breaks(model, 0, padded), recorder := Recorder(seed=0), **SAMPLE)
    assert recorder.trace.warnings == ()


def test_a_processor_that_removes_the_last_token_is_named(model):
    with pytest.raises(RecordingError) as caught:
        run(model, Recorder(), do_sample=True, top_k=3, suppress_tokens=list(range(97)), temperature=0.5)
    assert str(caught.value) == (
        "step 1 has no distribution to draw from: SuppressTokensLogitsProcessor removed the last "
        "token that was left; loosen it or what came before. The steps before are kept"
    )
    assert caught.value.trace.steps == ()


def test_a_processor_that_overflows_is_named(model):
    with pytest.raises(RecordingError, match="TemperatureLogitsWarper made scores NaN or infinite"):
        run(model, Recorder(), do_sample=True, temperature=1e-45)


class Returns(LogitsProcessor):
    def __init__(self, what):
        self.what = what

    def __call__(self, input_ids, scores):
        return self.what(scores)


def test_a_processor_that_returns_nothing_is_named(model):
    with pytest.raises(RecordingError, match="^Returns returned NoneType instead of scores"):
        run(model, Recorder(), logits_processor=[Returns(lambda scores: None)])


@pytest.mark.parametrize(
    "what",
    [torch.Tensor.half, torch.Tensor.double, lambda s: s[:, :50], lambda s: s.T.contiguous().T, lambda s: s.detach()],
    ids=["half", "double", "fewer tokens", "strides", "same"],
)
@pytest.mark.parametrize("sampled", [{}, SAMPLE])
def test_a_processor_may_return_what_generate_takes(model, what, sampled):
    given = {**sampled, "max_new_tokens": 4, **ASK_FOR, "logits_processor": [Returns(what)]}
    torch.manual_seed(0)
    expected = model.generate(IDS, **given)
    torch.manual_seed(0)
    got = model.generate(IDS, **given, custom_generate=(recorder := Recorder()))
    assert torch.equal(got.sequences, expected.sequences)
    for t, scores in enumerate(expected.scores):
        assert same_bits(got.scores[t], scores)
        assert same_bits(recorder.trace.scores(step=t), with_width(scores[0].float(), 97))
        assert same_bits(recorder.trace.scores(step=t, stage=0), expected.logits[t][0])


@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"), MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_running_out_of_memory_is_explained_and_keeps_the_steps(model, at, error):
    def fail(out):
        raise error

    whole, recorder = whole_run(model), Recorder()
    with pytest.raises(RecordingError) as caught:
        run(breaks(model, at, fail), recorder)
    assert str(caught.value) == (
        f"out of memory on cpu at step {at + 1}; the {at} steps before are kept. Use a shorter prompt, "
        "fewer beams or return sequences, a smaller model, or a smaller dtype"
    )
    assert caught.value.__cause__ is error
    assert_prefix(caught.value.trace, whole, at)


def test_another_runtime_error_is_not_taken_for_it(model):
    def fail(out):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        run(breaks(model, 2, fail), recorder := Recorder())
    assert len(recorder.trace.steps) == 2


# --- runs that are stopped ------------------------------------------------------------------------------------------


def test_closing_the_stream_stops_decoding_and_keeps_the_trace(model):
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    recorder = Recorder(seed=0)
    steps = recorder.stream(model, input_ids=IDS, max_new_tokens=50, eos_token_id=None, **SAMPLE)
    taken = [next(steps) for _ in range(3)]
    steps.close()
    n_calls = len(calls)
    assert n_calls == 3
    assert recorder.trace.stop_reasons == ("user",)
    assert [s.index for s in taken] == [0, 1, 2]
    assert_prefix(recorder.trace, whole_run(model, **SAMPLE), 3)
    assert next(steps, None) is None


def test_dropping_the_stream_stops_it_too(model):
    recorder = Recorder()
    for step in recorder.stream(model, input_ids=IDS, max_new_tokens=50, eos_token_id=None):
        if step.index == 1:
            break
    del step
    assert recorder.trace.stop_reasons == ("user",)
    assert len(recorder.trace.steps) == 2


def test_the_trace_can_be_looked_at_while_the_run_is_under_way(model):
    recorder = Recorder(seed=0)
    with pytest.raises(NotRecordedError, match="nothing has been recorded yet"):
        recorder.trace  # noqa: B018
    whole = whole_run(model, **SAMPLE)
    early = None
    for step in recorder.stream(model, input_ids=IDS, max_new_tokens=6, eos_token_id=None, **SAMPLE):
        trace = recorder.trace
        assert trace.stop_reasons == (("running",) if step.index < 5 else ("max_length",))
        assert_prefix(trace, whole, step.index + 1)
        early = early or trace
    assert len(early.steps) == 1
    assert_prefix(early, whole, 1)


def test_the_stream_returns_what_generate_returns(model):
    steps = Recorder().stream(model, input_ids=IDS, max_new_tokens=4, **ASK_FOR)
    got = None
    while got is None:
        try:
            next(steps)
        except StopIteration as end:
            got = end.value
    expected = model.generate(IDS, max_new_tokens=4, **ASK_FOR)
    assert type(got) is type(expected)
    assert torch.equal(got.sequences, expected.sequences)


def test_the_callers_gradient_mode_is_left_alone_between_steps(model):
    for _ in Recorder().stream(model, input_ids=IDS, max_new_tokens=3):
        assert torch.is_grad_enabled()
    with torch.inference_mode():
        assert len(list(Recorder().stream(model, input_ids=IDS, max_new_tokens=3, eos_token_id=None))) == 3


class Third(StoppingCriteria):
    """Stops the second row after three new tokens."""

    def __call__(self, input_ids, scores, **kwargs):
        return torch.tensor([row == 1 and input_ids.shape[1] >= 6 for row in range(len(input_ids))])


def test_each_row_says_why_it_ended(model):
    ids = IDS.expand(3, -1)
    first = model.generate(IDS, max_new_tokens=1)[0, -1].item()
    bans = [LogitsOfRow(0, first), LogitsOfRow(1, 40), LogitsOfRow(2, 41)]
    model.generate(
        ids, max_new_tokens=5, eos_token_id=first, pad_token_id=PAD, logits_processor=bans,
        stopping_criteria=StoppingCriteriaList([Third()]), custom_generate=(recorder := Recorder()),
    )  # fmt: skip
    trace = recorder.trace
    assert trace.stop_reasons == ("eos", "Third", "max_length")
    assert [s.ended for s in trace.steps] == [
        (False, False, False), (True, False, False), (True, False, False), (True, True, False), (True, True, False),
    ]  # fmt: skip
    assert [s.token_ids[0] for s in trace.steps] == [first, PAD, PAD, PAD, PAD]
    assert trace.text(0) == f"#{first}"


class LogitsOfRow(LogitsProcessor):
    """Makes a row choose one token always."""

    def __init__(self, row, token):
        self.row, self.token = row, token

    def __call__(self, input_ids, scores):
        out = scores.clone()
        out[self.row] = NEVER
        out[self.row, self.token] = 0.0
        return out


def test_time_runs_out_after_the_step_in_which_it_does(tiny):
    def slow(step):
        time.sleep(0.05)

    trace = record(tiny, "a", Settings(max_time=0.12, max_new_tokens=100, min_new_tokens=100), on_step=slow)
    assert trace.stop_reasons == ("max_time",)
    assert 2 <= len(trace.steps) <= 5
    assert 0.1 <= trace.seconds < 5


# --- what generate() takes ------------------------------------------------------------------------------------------


def test_stop_strings_work_through_the_stream_and_as_a_criterion():
    tokenizer = tiny_tokenizer()
    model = tiny_model(vocab_size=len(tokenizer))
    given = {"max_new_tokens": 12, "eos_token_id": None}
    plain = model.generate(IDS, **given)
    texts = [tokenizer.decode(i) for i in plain[0, 3:]]
    string = next(text for text in texts[2:] if text.isascii())
    expected = model.generate(IDS, **given, stop_strings=[string], tokenizer=tokenizer)
    assert expected.shape[1] < plain.shape[1]
    for recorder in (Recorder(), Recorder(tokenizer=tokenizer)):
        own = {"tokenizer": tokenizer} if recorder.tokenizer is None else {}
        for _ in recorder.stream(model, input_ids=IDS, **given, stop_strings=[string], **own):
            pass
        assert torch.equal(recorder.trace.sequences, expected)
        assert recorder.trace.stop_reasons == ("stop_string",)
        assert recorder.trace.generation_config["stop_strings"] == [string]
    criterion = StopStringCriteria(tokenizer, [string])
    got = model.generate(IDS, **given, stopping_criteria=StoppingCriteriaList([criterion]), custom_generate=Recorder())
    assert torch.equal(got, expected)


def test_stop_strings_need_a_tokenizer(model):
    with pytest.raises(SettingError, match="^stop_strings must be given with a tokenizer, got .*; pass tokenizer="):
        Recorder().stream(model, input_ids=IDS, stop_strings=["a"])


@pytest.mark.parametrize(
    ("given", "mode", "name"),
    [
        ({"prompt_lookup_num_tokens": 3}, "assisted_generation", "prompt_lookup_num_tokens"),
        ({"assistant_early_exit": 1}, "assisted_generation", "assistant_early_exit"),
        ({"dola_layers": "high"}, "dola_generation", "dola_layers"),
        ({"num_beams": 2, "force_words_ids": [[5]]}, "constrained_beam_search", "force_words_ids"),
    ],
)
def test_a_mode_without_a_loop_here_says_so(model, given, mode, name):
    with pytest.raises(RecordingError) as caught:
        run(model, Recorder(), **given)
    assert str(caught.value).startswith(f"the mode '{mode}' cannot be recorded, only beam_sample, beam_search, ")
    assert str(caught.value).endswith(f"; leave out {name}")


def test_an_assistant_model_is_refused_in_a_stream_too(model):
    with pytest.raises(RecordingError, match="^assistant_model cannot be used while recording: .*; leave it out"):
        next(Recorder().stream(model, input_ids=IDS, assistant_model=model))


def test_a_run_from_embeddings_is_recorded(model):
    embeddings = model.get_input_embeddings()(IDS)
    got = model.generate(
        inputs_embeds=embeddings, max_new_tokens=4, eos_token_id=None, custom_generate=(recorder := Recorder())
    )
    assert torch.equal(got, model.generate(inputs_embeds=embeddings, max_new_tokens=4, eos_token_id=None))
    assert recorder.trace.prompt_ids.shape == (1, 0)
    assert recorder.trace.n_rows == 1


@pytest.mark.parametrize("given", [{"cache_implementation": "static"}, {"use_cache": False}, {"prefill_chunk_size": 2}])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_other_caches_give_what_generate_gives(kind, given):
    model = tiny_model(kind)
    inputs = inputs_of(random.Random(3), 90, batch=True)
    assert_same_run(model, inputs, {**SAMPLE, "max_new_tokens": 5, "top_p": 0.9, **given})


def test_a_tokenizer_gives_the_trace_its_texts(model):
    run(model, without := Recorder())
    assert without.trace.tokens is None
    assert without.trace.text().startswith("#")
    tokenizer = tiny_tokenizer()
    run(tiny_model(vocab_size=len(tokenizer)), named := Recorder(tokenizer=tokenizer))
    assert named.trace.text().endswith("The ")
    assert tokenizer.decode(named.trace.generated_ids[0]).endswith("The ")


def test_model_info_says_what_decided(model):
    run(model, recorder := Recorder())
    info = recorder.trace.model
    assert (info.name, info.source, info.class_name) == ("LlamaForCausalLM", "caller", "LlamaForCausalLM")
    assert (info.dtype, info.device, info.vocab_size, info.context_length) == ("float32", "cpu", 97, 128)
    assert info.n_parameters == sum(p.numel() for p in model.parameters())


# --- randomness -----------------------------------------------------------------------------------------------------


def test_a_seed_leaves_the_global_state_alone_also_when_the_run_breaks_off(model):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    run(model, Recorder(seed=5), **SAMPLE)
    steps = Recorder(seed=5).stream(model, input_ids=IDS, **SAMPLE)
    next(steps)
    steps.close()
    with pytest.raises(ZeroDivisionError):
        run(model, Recorder(seed=5), **SAMPLE, logits_processor=[FailsAt(2, ZeroDivisionError())])
    assert torch.equal(torch.get_rng_state(), before)


def test_two_streams_with_seeds_in_turn_draw_what_each_draws_alone(model):
    alone = {}
    for seed in (1, 2):
        run(model, recorder := Recorder(seed=seed), **SAMPLE, max_new_tokens=8)
        alone[seed] = recorder.trace
    recorders = {seed: Recorder(seed=seed) for seed in (1, 2)}
    streams = [
        recorders[seed].stream(model, input_ids=IDS, max_new_tokens=8, eos_token_id=None, **SAMPLE) for seed in (1, 2)
    ]
    for _ in zip(*streams, strict=False):
        torch.rand(3)  # somebody else draws, too
    for seed, recorder in recorders.items():
        assert_prefix(recorder.trace, alone[seed], 8)
    assert not torch.equal(alone[1].sequences, alone[2].sequences)


def test_runs_in_threads_with_seeds_draw_what_each_draws_alone(model):
    got = {}

    def decode(seed):
        torch.set_num_threads(1)
        run(model, recorder := Recorder(seed=seed), **SAMPLE, max_new_tokens=10)
        got[seed] = recorder.trace

    threads = [threading.Thread(target=decode, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        run(model, recorder := Recorder(seed=seed), **SAMPLE, max_new_tokens=10)
        assert_prefix(got[seed], recorder.trace, 10)


def test_the_same_seed_draws_the_same_and_another_something_else(tiny):
    given = {"do_sample": True, "top_k": 0, "max_new_tokens": 12}
    texts = [record(tiny, "a", Settings(**given, seed=seed)).sequences for seed in (1, 1, 2)]
    assert torch.equal(texts[0], texts[1])
    assert not torch.equal(texts[0], texts[2])


def test_seeds_are_taken_to_the_ends_of_their_range(tiny):
    for seed in (0, 2**63 - 1):
        assert record(tiny, "a", Settings(do_sample=True, seed=seed, max_new_tokens=1)).seed == seed


# --- one recorder, several calls ------------------------------------------------------------------------------------


def test_a_recorder_records_the_last_of_several_calls(model):
    recorder = Recorder(seed=3)
    run(model, recorder, **SAMPLE)
    first = recorder.trace
    run(model, recorder, max_new_tokens=2)
    assert len(recorder.trace.steps) == 2 and recorder.trace.mode == "greedy"
    assert len(first.steps) == 6 and first.mode == "sample"
    assert first.scores(step=5).shape == (97,)
    run(model, recorder, **SAMPLE)
    assert_prefix(recorder.trace, first, 6)


def test_on_step_is_called_with_each_step_as_it_is_decoded(model):
    seen = []
    recorder = Recorder(on_step=lambda step: seen.append((step.index, step.scores().shape, len(recorder.trace.steps))))
    run(model, recorder, max_new_tokens=3)
    assert seen == [(0, (97,), 1), (1, (97,), 2), (2, (97,), 3)]


# --- record and stream ----------------------------------------------------------------------------------------------


def test_record_checks_before_it_decodes(tiny):
    with pytest.raises(PromptError):
        record(tiny, "")
    with pytest.raises(PromptError, match="128"):
        record(tiny, "a" * 500)
    with pytest.raises(SettingError):
        stream(tiny, "a", Settings(suppress_tokens=["two words"]), Recorder())


def test_record_is_what_generate_gives(tiny):
    for case in range(6):
        rng = random.Random(f"record {case}")
        given = random_settings(rng, 300) | {"max_new_tokens": 8, "seed": case}
        given.pop("num_return_sequences", None)
        trace = record(tiny, "The cat sat", Settings(**given))
        encoded = tiny.tokenizer(["The cat sat"], return_tensors="pt")
        torch.manual_seed(case)
        kwargs = {name: value for name, value in given.items() if name != "seed"}
        expected = tiny.model.generate(**encoded, **kwargs, **ASK_FOR)
        assert torch.equal(trace.sequences, expected.sequences)
        assert all(same_bits(trace.scores(step=t), s[0]) for t, s in enumerate(expected.scores))


def test_errors_of_a_recorded_run_are_decoding_errors_with_a_trace(tiny):
    given = Settings(do_sample=True, suppress_tokens=list(range(320)))
    with pytest.raises(DecodingError) as caught:
        record(tiny, "a", given)
    assert caught.value.trace.prompts == ("a",)
    assert caught.value.trace.settings == given


def test_asking_beyond_the_trace_names_the_range(tiny):
    trace = record(tiny, "a", Settings(max_new_tokens=2, eos_token_id=[EOS], repetition_penalty=1.1))
    for given, says in (
        ({"step": 2}, "step must be in [0, 1], got 2; the run has 2 steps, and the first is 0 here"),
        ({"step": 0, "row": 1}, "row must be in [0, 0], got 1; rows are those of generate()"),
        ({"step": 0, "stage": 2}, "stage must be in [-2, 1], got 2"),
    ):
        with pytest.raises(NotRecordedError) as caught:
            trace.scores(**given)
        assert str(caught.value) == says
    assert same_bits(trace.scores(step=-1, stage=-2), trace.scores(step=1, stage=0))


@pytest.mark.parametrize(("version", "warned"), [("5.17.0", 0), ("5.24.1", 0), ("5.25.0.dev0", 1), ("6.0.0", 1)])
def test_a_release_later_than_those_that_were_read_is_told(monkeypatch, version, warned):
    monkeypatch.setattr("decoding.strategies.recording.transformers.__version__", version)
    told = [w for w in record(tiny_lm(), "the cat", Settings(max_new_tokens=1)).warnings if version in w]
    assert len(told) == warned and all("verify" in warning for warning in told)
