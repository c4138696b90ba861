"""verify: equal on real runs of every kind, and not equal, with place and size, on traces that were tampered with."""

from __future__ import annotations

import copy
import random
from dataclasses import replace

import pytest
import torch
from transformers import DynamicCache, LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList
from transformers.generation import (
    MaxLengthCriteria,
    MaxTimeCriteria,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
)

from decoding import (
    LanguageModel,
    NotRecordedError,
    Recorder,
    Settings,
    Trace,
    VerifyError,
    load_trace,
    record,
    stream,
    verify,
)
from decoding.recorded.step_store import MemoryStore
from decoding.strategies.cache import CACHE_NAME
from tests.test_parity import inputs_of, random_settings
from tests.tiny_models import tiny_lm

SAMPLE = {"do_sample": True, "top_k": 20, "top_p": 0.95, "temperature": 0.8, "repetition_penalty": 1.1}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def assert_equal(trace: Trace, lm: LanguageModel, **own) -> None:
    got = verify(trace, lm, **own)
    assert got.equal, got.text
    assert got.grade == "bits" or trace.prefill != "plain"
    assert {"tokens", "logits", "scores"} <= {check.name for check in got.checks}


# --- equal ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {}, {"max_length": 12}, SAMPLE, {**SAMPLE, "seed": 4}, {**SAMPLE, "num_return_sequences": 3},
        {"guidance_scale": 1.7, "negative_prompt": "The dog"}, {**SAMPLE, "guidance_scale": 1.7},
        {"stop_strings": ["a", "e", "t"], "max_new_tokens": 30}, {"eos_token_id": [5, 6, 7, 8, 9], **SAMPLE},
        {"min_new_tokens": 5, "max_new_tokens": 6}, {"min_length": 5, "forced_eos_token_id": [2]},
        {"watermarking_config": {"bias": 1.0}, **SAMPLE},
        {"watermarking_config": {"ngram_len": 3, "keys": [1, 2]}, **SAMPLE},
        {"sequence_bias": [["a", 2.0], [[7], -3.0]], "bad_words_ids": ["cat"], "suppress_tokens": [9]},
        {"exponential_decay_length_penalty": (2, 1.3), "renormalize_logits": True}, {"max_time": 1e-9},
        {"num_beams": 3, "num_return_sequences": 2, "length_penalty": 0.5}, {"num_beams": 2, **SAMPLE},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("through_a_file", [False, True])
def test_a_real_run_is_equal(tiny, tmp_path, given, through_a_file):
    torch.manual_seed(11)
    trace = record(tiny, "The cat sat on", Settings(**{"max_new_tokens": 8, **given}))
    if through_a_file:
        trace.save(tmp_path / "run.trace")
        trace = load_trace(tmp_path / "run.trace")
    torch.manual_seed(99)  # verify must bring back the state of the recording
    assert_equal(trace, tiny)


@pytest.mark.parametrize("given", [{}, SAMPLE, {**SAMPLE, "num_return_sequences": 2}])
def test_a_batch_is_equal(tiny, given):
    prompts = ["a", "The cat sat on the mat", "def decode(logits):"]
    assert_equal(record(tiny, prompts, Settings(**given, max_new_tokens=7)), tiny)


def test_a_chat_is_equal(tiny):
    chat = [{"role": "user", "content": "Where is Paris?"}]
    assert_equal(record(tiny, chat, Settings(**SAMPLE, max_new_tokens=7)), tiny)


@pytest.mark.parametrize("kind", ["gpt2", "t5", "bart"])
@pytest.mark.parametrize("given", [{}, SAMPLE])
def test_other_architectures_are_equal(kind, given):
    lm = tiny_lm(kind)
    assert_equal(record(lm, ["The cat", "A dog sat there"], Settings(**given, max_new_tokens=6)), lm)


@pytest.mark.parametrize("case", range(12))
def test_drop_in_recordings_are_equal(tiny, case):
    rng = random.Random(f"verify {case}")
    given = random_settings(rng, 300)
    inputs = inputs_of(rng, 300, batch=case % 2 == 1)
    if inputs["input_ids"].shape[0] > 1 or given.get("num_return_sequences", 1) > 1:
        given = {k: v for k, v in given.items() if not k.startswith(("guidance", "encoder"))}
    torch.manual_seed(case)
    tiny.model.generate(**inputs, **given, custom_generate=(recorder := Recorder()))
    assert_equal(recorder.trace, tiny)


@pytest.mark.parametrize("given", [SAMPLE, {**SAMPLE, "num_return_sequences": 2}, {"max_time": 60.0}])
def test_a_run_that_was_stopped_by_hand_is_equal(tiny, given):
    torch.manual_seed(3)
    recorder = Recorder()
    steps = stream(tiny, "The cat", Settings(**given, max_new_tokens=50, min_new_tokens=50), recorder)
    for _ in range(5):
        next(steps)
    steps.close()
    assert set(recorder.trace.stop_reasons) == {"user"}
    assert_equal(recorder.trace, tiny)


def test_a_run_that_broke_off_is_equal_up_to_there(tiny):
    def on_step(step):
        if step.index == 3:
            raise ValueError

    recorder = Recorder(on_step=on_step, seed=1)
    with pytest.raises(ValueError):
        tiny.model.generate(torch.tensor([[5, 6]]), **SAMPLE, max_new_tokens=9, custom_generate=recorder)
    assert len(recorder.trace.steps) == 4
    assert_equal(recorder.trace, tiny)


def test_a_spilled_run_is_equal(tiny):
    assert_equal(record(tiny, "The cat", Settings(**SAMPLE, max_new_tokens=7), memory_budget=0), tiny)


def test_verify_leaves_the_random_state_alone(tiny):
    for given in (SAMPLE, {**SAMPLE, "seed": 7}):
        trace = record(tiny, "a", Settings(**given, max_new_tokens=4))
        torch.manual_seed(5)
        before = torch.get_rng_state()
        verify(trace, tiny)
        assert torch.equal(torch.get_rng_state(), before)


class AddsOne(LogitsProcessor):
    def __call__(self, input_ids, scores):
        scores[:, 20] += 1.0
        return scores


class AtSix(StoppingCriteria):
    def __call__(self, input_ids, scores, **kwargs):
        return torch.full((len(input_ids),), input_ids.shape[1] >= 6)


def test_the_callers_own_processors_and_criteria_are_asked_for_and_used(tiny):
    own = {"logits_processor": LogitsProcessorList([AddsOne()])}
    trace = record(tiny, "The cat", Settings(**SAMPLE, max_new_tokens=5), **own)
    with pytest.raises(VerifyError, match="^the run used your own AddsOne; pass them as logits_processor="):
        verify(trace, tiny)
    assert_equal(trace, tiny, **own)
    own = {"stopping_criteria": StoppingCriteriaList([AtSix()])}
    trace = record(tiny, "The cat", Settings(max_new_tokens=50, min_new_tokens=50), **own)
    assert trace.stop_reasons == ("AtSix",)
    with pytest.raises(VerifyError, match="^the run was ended by your own AtSix; pass it as stopping_criteria="):
        verify(trace, tiny)
    assert_equal(trace, tiny, **own)


# --- what came from the caller --------------------------------------------------------------------------------------

IDS = torch.tensor([[5, 6, 7, 8]])


def dropped_in(lm: LanguageModel, **given) -> Trace:
    torch.manual_seed(0)
    lm.model.generate(**{"input_ids": IDS, "max_new_tokens": 6, **given}, custom_generate=(recorder := Recorder()))
    return recorder.trace


def only_even(batch, ids):
    return list(range(4, 300, 2))


@pytest.mark.parametrize("mode", [{}, SAMPLE, {"num_beams": 3}], ids=str)
@pytest.mark.parametrize(
    ("make", "needs"),
    [
        (lambda: {"logits_processor": [TemperatureLogitsWarper(0.5), TopKLogitsWarper(3)]},
         "the run used your own TemperatureLogitsWarper, TopKLogitsWarper; pass them as logits_processor="),
        (lambda: {"logits_processor": [RepetitionPenaltyLogitsProcessor(2.0)], "repetition_penalty": 1.1},
         "the run used your own RepetitionPenaltyLogitsProcessor; pass them as logits_processor="),
        (lambda: {"prefix_allowed_tokens_fn": only_even},
         "the run was given prefix_allowed_tokens_fn, not kept in the trace; pass the same, as before the run: "),
        (lambda: {"position_ids": torch.tensor([[3, 4, 5, 6]])}, "the run was given position_ids, not kept in the "),
        (lambda: {"stopping_criteria": [MaxLengthCriteria(7)]}, "the run had stopping criteria of your own; pass them"),
        (lambda: {"stopping_criteria": [lambda ids, scores, **_: ids.shape[1] > 6]}, "the run was ended by your own l"),
    ],
    ids=["warpers", "replaced", "prefix", "positions", "length", "function"],
)  # fmt: skip
def test_what_came_from_the_caller_is_noticed_asked_for_and_taken(tiny, make, needs, mode):
    trace = dropped_in(tiny, **{**mode, **make()})
    assert trace.from_caller == tuple(name for name in make() if name != "repetition_penalty")
    with pytest.raises(VerifyError) as caught:
        verify(trace, tiny)
    if not (mode.get("num_beams") and needs.endswith("own l")):  # beams end for a reason of their own
        assert str(caught.value).startswith(needs)
    assert_equal(trace, tiny, **{name: value for name, value in make().items() if name in trace.from_caller})


def test_processors_beside_a_prefix_function_are_asked_for_too(tiny):
    own = {"logits_processor": [RepetitionPenaltyLogitsProcessor(5.0)]}
    trace = dropped_in(tiny, prefix_allowed_tokens_fn=only_even, **own)
    assert trace.from_caller == ("logits_processor", "prefix_allowed_tokens_fn")
    with pytest.raises(VerifyError, match="^the run used your own RepetitionPenaltyLogitsProcessor; pass them as"):
        verify(trace, tiny, prefix_allowed_tokens_fn=only_even)
    assert_equal(trace, tiny, prefix_allowed_tokens_fn=only_even, **own)


def test_a_negative_prompt_of_the_callers_own_is_asked_for(tiny):
    own = {"negative_prompt_ids": torch.tensor([[9, 10]])}
    trace = dropped_in(tiny, guidance_scale=1.5, **own)
    with pytest.raises(VerifyError, match="^the run was given negative_prompt_ids, not kept in the trace"):
        verify(trace, tiny)
    assert_equal(trace, tiny, **own)


def test_a_filled_cache_is_asked_for(tiny):
    def filled():
        return {CACHE_NAME: tiny.model(IDS[:, :3], use_cache=True)[CACHE_NAME]}

    trace = dropped_in(tiny, **filled())
    with pytest.raises(VerifyError, match=f"^the run was given {CACHE_NAME}, not kept in the trace"):
        verify(trace, tiny)
    assert_equal(trace, tiny, **filled())


@pytest.mark.parametrize(
    "given",
    [
        {"position_ids": torch.arange(4)[None]}, {CACHE_NAME: DynamicCache()},
        {"logits_processor": [TemperatureLogitsWarper(1.0)]}, {"stopping_criteria": [MaxTimeCriteria(1e6)]},
    ],
    ids=lambda given: next(iter(given)),
)  # fmt: skip
def test_what_changed_nothing_is_not_asked_for(tiny, given):
    assert_equal(dropped_in(tiny, **given), tiny)


class WritesInPlace(LogitsProcessor):
    """As grammars do: it masks the very logits that generate(output_logits=True) would return."""

    def __call__(self, input_ids, scores):
        scores[:, ::2] = -torch.inf
        return scores


class ReusesItsBuffer(LogitsProcessor):
    buffer = None

    def __call__(self, input_ids, scores):
        self.buffer = torch.empty_like(scores) if self.buffer is None else self.buffer
        return torch.mul(scores, 1.5, out=self.buffer)


@pytest.mark.parametrize("mode", [{}, SAMPLE, {"num_beams": 3}], ids=str)
@pytest.mark.parametrize("kind", [WritesInPlace, ReusesItsBuffer])
def test_processors_that_write_into_what_they_got_or_gave_are_equal(tiny, kind, mode):
    trace = dropped_in(tiny, logits_processor=[kind()], **mode)
    assert not bool(torch.isinf(trace.scores(step=0, stage=0)).any())  # as the model gave them
    assert_equal(trace, tiny, logits_processor=[kind()])


# --- grades ---------------------------------------------------------------------------------------------------------


def from_elsewhere(trace: Trace, **differs) -> Trace:
    return with_fields(trace, model=replace(trace.model, **differs))


def test_another_processors_last_bits_are_the_same_tokens_with_the_reason(run, tiny):
    def change(arrays):
        arrays["logits"] += 3e-6

    got = verify(from_elsewhere(changed(run, 2, change), arithmetic="x86_64 AVX2, 8 threads, 0a1b2c"), tiny)
    assert (got.grade, got.equal) == ("tokens", True)
    assert 2e-6 < got.largest < 5e-6
    assert [reason.why for reason in got.because] == ["processor"]
    assert got.text.startswith("equal: generate() gives the same tokens, and scores within ")
    assert "(recorded on another processor: x86_64 AVX2, 8 threads, 0a1b2c, verified on " in got.text


def test_a_reason_does_not_excuse_what_it_cannot_explain(run, tiny):
    def change(arrays):
        arrays["logits"][1, 300] += 0.25

    got = verify(from_elsewhere(changed(run, 2, change), torch_version="2.0"), tiny)
    assert (got.grade, got.equal) == ("tokens", False)
    assert got.text.startswith("NOT equal: generate() gives the same tokens, but scores that differ by up to 0.3")


def test_the_same_bits_need_no_reason(run, tiny):
    got = verify(from_elsewhere(run, arithmetic=""), tiny)
    assert (got.grade, got.equal, got.largest) == ("bits", True, 0.0)


def test_other_tokens_are_other_tokens_wherever_it_was_recorded(run, tiny):
    got = verify(from_elsewhere(with_fields(run, seed=3), torch_version="2.0"), tiny)
    assert (got.grade, got.equal) == ("other", False)
    assert got.text.startswith("NOT equal: generate() gives other tokens (recorded with torch 2.0, verified with ")


# --- not equal ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run() -> Trace:
    torch.set_num_threads(1)
    given = Settings(**SAMPLE, seed=2, max_new_tokens=6, min_new_tokens=6, num_return_sequences=2)
    return record(tiny_lm(), "The cat", given)


def changed(trace: Trace, step: int, change) -> Trace:
    """The trace with the arrays of one step changed."""
    store = MemoryStore()
    for t in range(len(trace.steps)):
        arrays = {name: array.clone() for name, array in trace.store.load(t).items()}
        if t == step:
            change(arrays)
        store.append(arrays)
    steps = tuple(replace(s, _store=store) for s in trace.steps)
    return with_fields(trace, store=store, steps=steps)


def with_fields(trace: Trace, **fields) -> Trace:
    out = copy.copy(trace)
    for name, value in fields.items():
        object.__setattr__(out, name, value)
    return out


def only_difference(trace: Trace, lm: LanguageModel) -> dict[str, str]:
    got = verify(trace, lm)
    assert not got.equal
    assert got.text.startswith("NOT equal: generate() gives ")
    return {check.name: check.detail for check in got.checks if not check.equal}


def test_every_stage_is_compared(run, tiny):
    report = verify(run, tiny)
    n_values = len(run.steps) * run.n_rows * len(run.stages) * run.model.vocab_size
    assert {c.name: c.detail for c in report.checks}["stages"] == f"6 steps, {n_values:,} values, bit for bit"


def test_a_changed_token_is_found(run, tiny):
    sequences = run.sequences.clone()
    was = int(sequences[1, 4])
    sequences[1, 4] = 33
    found = only_difference(with_fields(run, sequences=sequences), tiny)
    assert found == {"tokens": f"first at row 2, position 5: 33 against {was}"}


def test_a_changed_choice_is_found_even_where_the_sequences_are_right(run, tiny):
    was = run.steps[3].token_ids
    steps = tuple(replace(s, token_ids=(was[0], 33)) if s.index == 3 else s for s in run.steps)
    found = only_difference(with_fields(run, steps=steps), tiny)
    assert found == {"tokens": f"first at row 2, step 4: 33 against {was[1]}"}


def test_a_changed_logit_is_found_with_place_and_size(run, tiny):
    def change(arrays):
        arrays["logits"][1, 300] += 0.25

    found = only_difference(changed(run, 2, change), tiny)
    assert found["logits"].startswith("first at step 3, row 2: 1 values differ, by up to 0.25; 1 of ")


def test_the_last_bit_of_a_logit_is_found(run, tiny):
    def change(arrays):
        arrays["logits"][0].view(torch.int32)[7] ^= 1

    found = only_difference(changed(run, 5, change), tiny)
    assert found["logits"].startswith("first at step 6, row 1: 1 values differ, by up to ")


def test_a_token_that_was_brought_back_is_found_at_the_stage_that_should_have_removed_it(run, tiny):
    names = [stage.name for stage in run.stages]
    last, top_k = len(names), names.index("TopKLogitsWarper") + 1

    def change(arrays):  # nothing is removed any more from top-k on
        arrays["kinds"][top_k - 1 :] = 0

    assert last > top_k
    found = only_difference(changed(run, 1, change), tiny)
    assert list(found) == ["stages", "scores"]
    assert found["stages"].startswith("first at step 2, row 1 after TopKLogitsWarper: ")
    assert " values differ, by up to 0; " in found["scores"]  # those that were kept are the same
    assert found["scores"].endswith(" of them removed in one run only")


def test_steps_that_were_cut_off_are_found(run, tiny):
    found = only_difference(with_fields(run, steps=run.steps[:-1]), tiny)
    assert found["steps"] == "5 steps against 6"


def test_another_parameter_than_the_recorded_one_is_found(run, tiny):
    found = only_difference(with_fields(run, generation_config={**run.generation_config, "top_k": 2}), tiny)
    assert "scores" in found


def test_another_seed_is_found(run, tiny):
    assert "tokens" in only_difference(with_fields(run, seed=3), tiny)


def test_another_model_of_the_same_kind_is_found(run):
    found = only_difference(run, tiny_lm(seed=1))
    assert found["logits"].startswith("first at step 1, row 1: 320 values differ, by up to ")


# --- the report -----------------------------------------------------------------------------------------------------


def test_the_report_says_what_was_compared(run, tiny):
    assert verify(run, tiny).text == (
        "equal: generate() gives the same, bit for bit\n"
        "  tokens: equal (2 × 8 tokens)\n"
        "  logits: equal (6 steps, 3,840 values, bit for bit)\n"
        "  stages: equal (6 steps, 23,040 values, bit for bit)\n"
        "  scores: equal (6 steps, 3,840 values, bit for bit)"
    )


def test_the_report_notes_what_is_not_the_recording_s(run, tiny):
    info = replace(run.model, device="cuda:0", torch_version="2.0", transformers_version="5.0")
    notes = verify(with_fields(run, model=info), tiny).notes
    assert notes[0] == "recorded on cuda, verified on cpu: the last bits may differ"
    assert notes[1].startswith("recorded with transformers 5.0, verified with ")
    assert notes[2].startswith("recorded with torch 2.0, verified with ")


# --- what cannot be verified ----------------------------------------------------------------------------------------


def test_a_trace_without_steps_cannot_be_verified(run, tiny):
    with pytest.raises(VerifyError, match="^the trace has no steps, so there is nothing to compare; record"):
        verify(with_fields(run, steps=()), tiny)


def test_another_architecture_is_refused(run):
    with pytest.raises(VerifyError) as caught:
        verify(run, tiny_lm("gpt2"))
    assert str(caught.value) == (
        "the trace was made by tiny-llama (LlamaForCausalLM, 320 tokens), this model is tiny-gpt2 "
        "(GPT2LMHeadModel, 320 tokens); load the same model"
    )


def test_a_drop_in_recording_of_an_encoder_decoder_knows_what_the_encoder_read():
    lm, ids = tiny_lm("t5"), torch.tensor([[5, 6, 7], [1, 8, 9]])
    mask = torch.tensor([[1, 1, 1], [0, 1, 1]])
    given = {"max_new_tokens": 4, "num_beams": 3}
    lm.model.generate(ids, attention_mask=mask, **given, custom_generate=(recorder := Recorder()))
    assert torch.equal(recorder.trace.encoder_ids, ids)
    assert torch.equal(recorder.trace.encoder_mask, mask)
    assert_equal(recorder.trace, lm)


def test_an_encoder_that_was_not_run_needs_what_it_gave():
    lm, ids = tiny_lm("t5"), torch.tensor([[5, 6, 7]])
    read = {"encoder_outputs": lm.model.get_encoder()(ids)}
    lm.model.generate(**read, max_new_tokens=4, custom_generate=(recorder := Recorder()))
    assert recorder.trace.encoder_ids is None
    with pytest.raises(VerifyError, match="^what the encoder read is not in this recording; pass inputs="):
        verify(recorder.trace, lm)
    assert_equal(recorder.trace, lm, inputs={"inputs": None, **read})


def test_a_run_from_embeddings_needs_its_inputs(tiny):
    inputs = {"inputs_embeds": tiny.model.get_input_embeddings()(torch.tensor([[5, 6, 7]])).detach()}
    tiny.model.generate(**inputs, max_new_tokens=4, custom_generate=(recorder := Recorder()))
    with pytest.raises(VerifyError, match="^the run started from embeddings, which are not in the trace; pass inputs="):
        verify(recorder.trace, tiny)
    assert_equal(recorder.trace, tiny, inputs=inputs)


def test_a_trace_that_lost_its_scores_cannot_be_verified(run, tiny):
    store = MemoryStore(0)
    store.lost_from, store.lost_because = 0, "No space left on device"
    for t in range(len(run.steps)):
        store.append(run.store.load(t))
    lost = with_fields(run, store=store, steps=tuple(replace(s, _store=store) for s in run.steps))
    with pytest.raises(NotRecordedError, match="the scores of step 1 were not kept"):
        verify(lost, tiny)


@pytest.mark.parametrize("largest", [4.394e-05, 1e-3, 9.96e-7, 0.3125, 1.0, 123.4])
def test_a_difference_is_rounded_up(run, tiny, largest):
    report = verify(run, tiny)
    report = replace(report, checks=(replace(report.checks[1], equal=False, largest=largest), *report.checks))
    assert largest <= float(report.within) <= largest * 1.11
