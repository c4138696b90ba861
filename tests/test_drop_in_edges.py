"""The drop-in with what strangers bring besides processors and criteria: tokenizers, streamers, models of their own."""

from __future__ import annotations

import inspect
import threading
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer
from transformers import TextIteratorStreamer
from transformers.generation import GenerationMixin, LogitsProcessor, LogitsProcessorList, TopKLogitsWarper

from decoding import Recorder, RecordingError, SettingError, Settings, load_trace, record, verify
from decoding.fork import fork
from decoding.recorded.stages import name_of, stages_of
from tests.tiny_models import tiny_lm, tiny_model

IDS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture(scope="module")
def lm():
    return tiny_lm()


# --- tokenizers and stop strings --------------------------------------------------------------------------------------


def raw(tokenizer) -> Tokenizer:
    return Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())


@pytest.mark.parametrize(
    "of", [lambda t: t, lambda t: SimpleNamespace(tokenizer=t, image_processor=None), raw],
    ids=["transformers", "processor", "tokenizers"],
)  # fmt: skip
def test_a_recorder_takes_every_kind_of_tokenizer(lm, of):
    lm.model.generate(IDS, max_new_tokens=4, custom_generate=(recorder := Recorder(tokenizer=of(lm.tokenizer))))
    expected = record(lm, lm.tokenizer.decode(IDS[0]), Settings(max_new_tokens=4)).tokens
    assert [recorder.trace.tokens.text(i) for i in range(300)] == [expected.text(i) for i in range(300)]


@pytest.mark.parametrize(("value", "says"), [("gpt2", "got 'gpt2'"), (3, "got 'int'"), (Recorder, "got 'type'")])
def test_what_is_no_tokenizer_is_told_at_once(value, says):
    with pytest.raises(SettingError) as caught:
        Recorder(tokenizer=value)
    assert str(caught.value).startswith(f"tokenizer must be a tokenizer, {says}; load it: AutoTokenizer.from_pre")


STOP = {"stop_strings": ["e", "a", "t"], "max_new_tokens": 30}


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("where", ["generate", "recorder", "both", "model"])
def test_stop_strings_work_wherever_the_tokenizer_is(lm, where, beams):
    expected = lm.model.generate(IDS, **STOP, num_beams=beams, tokenizer=lm.tokenizer)
    assert expected.shape[1] < 34
    given = {} if where == "recorder" else {"tokenizer": lm.tokenizer}
    recorder = Recorder(tokenizer=None if where == "generate" else lm.tokenizer)
    if where == "model":
        model = tiny_lm().model
        model.generation_config.stop_strings = STOP["stop_strings"]
        got = model.generate(IDS, max_new_tokens=30, num_beams=beams, custom_generate=recorder)
    else:
        got = lm.model.generate(IDS, **STOP, **given, num_beams=beams, custom_generate=recorder)
    assert torch.equal(got, expected)
    assert recorder.trace.tokens is not None
    assert recorder.trace.generation_config["stop_strings"] == STOP["stop_strings"]
    assert verify(recorder.trace, lm).equal


def test_a_model_that_brings_stop_strings_can_be_recorded():
    lm = tiny_lm()
    lm.model.generation_config.stop_strings = STOP["stop_strings"]
    trace = record(lm, "The cat", Settings(max_new_tokens=30))
    assert trace.stop_reasons == ("stop_string",)
    assert verify(trace, lm).equal


def test_looking_at_a_call_leaves_the_recorder_s_own_signature_alone():
    assert list(inspect.signature(Recorder).parameters)[:2] == ["tokenizer", "seed"]
    assert "tokenizer" in inspect.signature(Recorder()).parameters


# --- streamers --------------------------------------------------------------------------------------------------------


class Streamed:
    def __init__(self) -> None:
        self.got: list = []

    def put(self, value: torch.Tensor) -> None:
        self.got.append((value.dtype, value.tolist()))

    def end(self) -> None:
        self.got.append("end")


@pytest.mark.parametrize("mode", [{}, {"do_sample": True}], ids=str)
@pytest.mark.parametrize("where", ["generate", "recorder", "both", "stream"])
def test_a_streamer_gets_what_generate_would_give_it(lm, where, mode):
    given = {"input_ids": IDS, "max_new_tokens": 5, "eos_token_id": None, **mode}
    torch.manual_seed(0)
    lm.model.generate(**given, streamer=(expected := Streamed()))
    streamer, torch_seed = Streamed(), torch.manual_seed(0)
    recorder = Recorder(streamer=streamer if where in ("recorder", "both") else None)
    if where == "stream":
        list(recorder.stream(lm.model, **given, streamer=streamer))
    else:
        to_generate = {} if where == "recorder" else {"streamer": streamer}
        lm.model.generate(**given, **to_generate, custom_generate=recorder)
    assert torch_seed is not None
    assert streamer.got == expected.got


def test_whoever_reads_a_stream_is_not_left_waiting(lm):
    def fails(step):
        if step.index == 2:
            raise ZeroDivisionError

    streamer = TextIteratorStreamer(lm.tokenizer, timeout=20)
    call = {"input_ids": IDS, "max_new_tokens": 9, "eos_token_id": None, "streamer": streamer}

    def run():
        with pytest.raises(ZeroDivisionError):
            lm.model.generate(**call, custom_generate=Recorder(on_step=fails))

    thread = threading.Thread(target=run)
    thread.start()
    assert "".join(streamer)
    thread.join()


def test_a_streamer_with_beams_is_refused_in_transformers_words(lm):
    with pytest.raises(ValueError) as plain:
        lm.model.generate(IDS, num_beams=2, max_new_tokens=3, streamer=Streamed())
    for given in ({"streamer": Streamed()}, {}):
        with pytest.raises(RecordingError) as ours:
            lm.model.generate(
                IDS, num_beams=2, max_new_tokens=3, **given, custom_generate=Recorder(streamer=Streamed())
            )
        assert str(ours.value) == str(plain.value)


# --- what has no loop here --------------------------------------------------------------------------------------------


class OwnSample(type(tiny_model())):
    def _sample(self, input_ids, **kwargs):
        return input_ids


class OwnBeamStep(type(tiny_model())):
    def _get_top_k_continuations(self, *args, **kwargs):
        return super()._get_top_k_continuations(*args, **kwargs)


@pytest.mark.parametrize(
    ("kind", "given", "method"),
    [(OwnSample, {}, "_sample"), (OwnBeamStep, {"num_beams": 2}, "_get_top_k_continuations")],
)
def test_a_model_with_a_loop_of_its_own_is_refused_by_name(kind, given, method):
    model = kind(tiny_model().config).eval()
    with pytest.raises(RecordingError) as caught:
        model.generate(IDS, max_new_tokens=3, **given, custom_generate=(recorder := Recorder()))
    assert str(caught.value).startswith(f"{kind.__name__} cannot be recorded: it decodes with a {method} of its own")
    with pytest.raises(Exception, match="nothing has been recorded yet"):
        recorder.trace  # noqa: B018
    other = {"num_beams": 2} if not given else {}
    model.generate(IDS, max_new_tokens=3, **other, custom_generate=Recorder())  # the other loop is transformers'


def test_a_patched_transformers_is_noticed(lm, monkeypatch):
    def patched(self, input_ids, **kwargs):
        return input_ids

    monkeypatch.setattr(GenerationMixin, "_sample", patched)
    with pytest.raises(RecordingError, match="it decodes with a _sample of its own"):
        lm.model.generate(IDS, max_new_tokens=3, custom_generate=Recorder())


def test_an_assistant_is_refused(lm):
    with pytest.raises(RecordingError, match="^assistant_model cannot be used while recording"):
        lm.model.generate(IDS, max_new_tokens=3, assistant_model=lm.model, custom_generate=Recorder())


# --- names, types, numbers --------------------------------------------------------------------------------------------


def test_a_class_called_like_one_of_transformers_carries_its_package():
    own = type("TopKLogitsWarper", (LogitsProcessor,), {"__module__": "grammars.hf", "__call__": lambda s, i, x: x})
    base = type("LogitsProcessor", (), {"__module__": "xgrammar.contrib.hf", "__call__": lambda s, i, x: x})
    names = [stage.name for stage in stages_of([own(), base(), TopKLogitsWarper(3), lambda i, x: x])]
    assert names == ["grammars.TopKLogitsWarper", "xgrammar.LogitsProcessor", "TopKLogitsWarper", "lambda"]
    assert name_of(test_an_assistant_is_refused) == "test_an_assistant_is_refused"


def test_what_the_caller_gave_is_the_callers_also_where_its_class_is_transformers(lm):
    mine = TopKLogitsWarper(3)
    lm.model.generate(IDS, max_new_tokens=2, do_sample=True, top_k=9, logits_processor=[mine],
                      custom_generate=(recorder := Recorder()))  # fmt: skip
    assert [(s.name, s.params["top_k"], s.own) for s in recorder.trace.stages] == [
        ("TopKLogitsWarper", 3, True), ("TopKLogitsWarper", 9, False),
    ]  # fmt: skip


@pytest.fixture
def bfloat16_by_default():
    torch.set_default_dtype(torch.bfloat16)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "mode",
    [{}, {"do_sample": True}, {"num_beams": 3}, {"num_beams": 3, "do_sample": True}, {"penalty_alpha": 0.6, "top_k": 4},
     {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0}],
    ids=lambda mode: "-".join(mode) or "greedy",
)  # fmt: skip
def test_another_default_dtype_changes_nothing_that_is_kept(bfloat16_by_default, tmp_path, mode):
    model = tiny_model()
    model.generate(IDS, max_new_tokens=5, **mode, custom_generate=(recorder := Recorder()))
    recorder.trace.save(tmp_path / "run.trace")
    again = load_trace(tmp_path / "run.trace")
    for step, kept in zip(recorder.trace.steps, again.steps, strict=True):
        assert step.candidates == kept.candidates
        assert torch.equal(step.scores(), kept.scores())
    assert again.whatif(Settings(top_k=3, do_sample=True)).scores(step=0).dtype == torch.float32


def test_more_than_255_groups_are_told_apart(tmp_path):
    model = tiny_model(vocab_size=600)
    given = {"num_beams": 258, "num_beam_groups": 258, "diversity_penalty": 1.0, "max_new_tokens": 2}
    model.generate(IDS, **given, custom_generate=(recorder := Recorder()))
    recorder.trace.save(tmp_path / "run.trace")
    for trace in (recorder.trace, load_trace(tmp_path / "run.trace")):
        assert {candidate.group for candidate in trace.steps[0].candidates} == set(range(258))


def test_fewer_tokens_are_shown_as_removed_everywhere(lm, tmp_path):
    def first_fifty(input_ids, scores):
        return scores[:, :50]

    for beams in (1, 3):
        lm.model.generate(IDS, max_new_tokens=3, num_beams=beams, logits_processor=LogitsProcessorList([first_fifty]),
                          custom_generate=(recorder := Recorder(tokenizer=lm.tokenizer)))  # fmt: skip
        scores = recorder.trace.scores(step=0)
        assert scores.shape == (320,)
        assert torch.isinf(scores[50:]).all()
        if find_spec("gradio"):  # the page draws it; the library stands without
            assert "<html" in recorder.trace.to_html(tmp_path / "run.html")


def test_float64_scores_are_said_to_be_shown_rounded(lm):
    lm.model.generate(IDS, max_new_tokens=2, logits_processor=[lambda i, x: x.double() / 3],
                      custom_generate=(recorder := Recorder()))  # fmt: skip
    assert recorder.trace.warnings == (
        "lambda returned float64 scores; the choice was made from those, they are shown as float32",
    )


def test_a_fork_says_that_it_leaves_the_callers_processor_out(lm):
    class Halves(LogitsProcessor):
        def __call__(self, input_ids, scores):
            return scores / 2

    trace = record(lm, "The cat", Settings(max_new_tokens=4), logits_processor=LogitsProcessorList([Halves()]))
    other = fork(trace, lm, step=1, token_id=9)
    assert other.warnings == (
        "the first run used Halves of the caller's own, which is not in its trace; left out here",
    )
