"""Beam search at its edges: a clear message, or transformers' own behaviour recorded faithfully."""

from __future__ import annotations

import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList

from decoding import Recorder, RecordingError, SettingError, Settings, load_trace, record, verify
from decoding.parameters.combinations import check_acting
from tests.test_beam_parity import assert_same_beams
from tests.test_parity import model_of
from tests.tiny_models import EOS, tiny_model

DIVERSE = {"diversity_penalty": 1.0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_beams": 0}, "num_beams must be a whole number >= 1, got 0"),
        ({"num_beams": 2, "num_return_sequences": 3}, r"num_return_sequences must be in \[1, num_beams\] = \[1, 2\]"),
        ({"num_beams": 4, "num_beam_groups": 3, **DIVERSE}, "num_beam_groups must be a divisor of num_beams = 4"),
        ({"num_beams": 2, "num_beam_groups": 4, **DIVERSE}, "num_beam_groups must be a divisor of num_beams = 2"),
        ({"num_beams": 4, "num_beam_groups": 2}, "diversity_penalty must be > 0 with num_beam_groups > 1"),
        ({"num_beams": 4, "num_beam_groups": 2, **DIVERSE, "do_sample": True}, "do_sample must be False"),
        ({"penalty_alpha": 0.6, "top_k": 1}, "top_k must be a whole number > 1 for contrastive search"),
        ({"early_stopping": "always"}, "early_stopping must be True, False or 'never', got 'always'"),
    ],
)  # fmt: skip
def test_impossible_beams_name_the_parameter_the_range_and_the_remedy(settings, message):
    with pytest.raises(SettingError, match=message):
        check_acting({}, Settings(**settings).given())  # for a model that sets nothing itself


def test_more_beams_than_tokens_are_recorded_as_generate_searches_them():
    model = tiny_model("gpt2", vocab_size=5)
    inputs = {"input_ids": torch.tensor([[3, 4]]), "attention_mask": torch.ones(1, 2, dtype=torch.long)}
    trace = assert_same_beams(model, inputs, {"num_beams": 8, "max_new_tokens": 4, "num_return_sequences": 8})
    impossible = [c for c in trace.steps[0].candidates if c.score < -1e8]
    assert len(impossible) == 16 - 5  # all beams but the first start at -1e9


def test_a_prompt_that_ends_in_eos_is_searched_as_any_other():
    inputs = {"input_ids": torch.tensor([[5, 6, EOS]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    assert_same_beams(model_of("llama"), inputs, {"num_beams": 3, "max_new_tokens": 6, "eos_token_id": EOS})


class Bans(LogitsProcessor):
    """Removes all tokens but the first `left`."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, input_ids, scores):
        out = torch.full_like(scores, -float("inf"))
        out[:, : self.left] = scores[:, : self.left]
        return out


def test_when_all_candidates_are_impossible_beam_search_goes_on_as_generate_does():
    model, ids = model_of("llama"), torch.tensor([[5, 6, 7]])
    own = {"logits_processor": LogitsProcessorList([Bans(0)])}
    settings = {"num_beams": 2, "max_new_tokens": 3}
    expected = model.generate(ids, **settings, **own)
    recorder = Recorder()
    assert torch.equal(model.generate(ids, **settings, **own, custom_generate=recorder), expected)
    assert all(c.score == -float("inf") for c in recorder.trace.steps[0].candidates)


def test_beam_sampling_without_a_distribution_names_the_stage_that_left_none():
    model, ids = model_of("llama"), torch.tensor([[5, 6, 7]])
    with pytest.raises(RecordingError, match="Bans removed the last token that was left") as caught:
        model.generate(
            ids, num_beams=2, do_sample=True, max_new_tokens=3, logits_processor=LogitsProcessorList([Bans(0)]),
            custom_generate=Recorder(),
        )  # fmt: skip
    assert caught.value.trace.steps == ()


def test_a_stop_string_that_splits_a_token_ends_the_beams_that_say_it(tiny):
    free = record(tiny, "The capital of", Settings(num_beams=3, max_new_tokens=8))
    text = free.text(0)
    middle = text[len(text) // 2 : len(text) // 2 + 2]
    trace = record(tiny, "The capital of", Settings(num_beams=3, max_new_tokens=8, stop_strings=[middle]))
    assert verify(trace, tiny).equal
    assert any(c.ended_by == "stop_string" for step in trace.steps for c in step.candidates)


def test_a_stopped_search_shows_its_running_beams_and_saves(tiny, tmp_path):
    recorder = Recorder(tokenizer=tiny.tokenizer)
    ids = tiny.tokenizer("The capital", return_tensors="pt")["input_ids"]
    steps = recorder.stream(tiny.model, input_ids=ids, num_beams=3, max_new_tokens=9, eos_token_id=None)
    for _ in range(4):
        next(steps)
    steps.close()
    trace = recorder.trace
    assert trace.stop_reasons == ("user",) and len(trace.steps) == 4
    best = trace.hypotheses[0]
    assert not best.finished and len(best.token_ids) == 4
    trace.save(tmp_path / "stopped.trace")
    again = load_trace(tmp_path / "stopped.trace")
    assert again.hypotheses == trace.hypotheses
    assert [step.candidates for step in again.steps] == [step.candidates for step in trace.steps]


@pytest.mark.parametrize("settings", [{"num_beams": 3}, {"num_beams": 3, "do_sample": True, "seed": 3}])
def test_the_prompt_computed_once_gives_the_same_tokens(tiny, settings):
    ids = tiny.tokenizer(["The capital", "A language model gives"], return_tensors="pt", padding=True)
    seed = settings.pop("seed", None)
    torch.manual_seed(0)
    plain = tiny.model.generate(**ids, **settings, max_new_tokens=8) if seed is None else None
    recorder = Recorder(share_prefill=True, seed=seed)
    shared = tiny.model.generate(**ids, **settings, max_new_tokens=8, custom_generate=recorder)
    if plain is None:
        plain = tiny.model.generate(**ids, **settings, max_new_tokens=8, custom_generate=Recorder(seed=seed))
    assert torch.equal(shared, plain)
    assert recorder.trace.prefill == "shared"
    assert verify(recorder.trace, tiny).equal
    assert "share_prefill" in verify(recorder.trace, tiny).text
