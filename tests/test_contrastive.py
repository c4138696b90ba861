"""Contrastive search gives what transformers 4.46 gave, and records what each candidate was worth."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
import safetensors.torch
import torch
from transformers import LogitsProcessorList, MambaConfig, MambaForCausalLM

from decoding import Recorder, RecordingError, SettingError, Settings, TraceFileError, load_trace, record, verify
from decoding.fork import fork
from decoding.parameters.combinations import check_acting
from decoding.recorded.contrastive_candidates import contrastive_arrays, contrastive_candidates
from decoding.strategies.cache import CACHE_NAME
from decoding.strategies.contrastive import degeneration_penalty
from tests import retired_modes
from tests.retired_modes import DATA, ENCODER_DECODERS, PAD, arguments_of, inputs_of

ASK_FOR = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}
ALPHA, K = 0.6, 4
SEARCH = {"penalty_alpha": ALPHA, "top_k": K, "do_sample": False, "max_new_tokens": 6}


@cache
def model_of(kind: str = "llama"):
    torch.set_num_threads(1)
    return retired_modes.model_of(kind)


def recorded(family: str) -> list[Any]:
    cases = json.loads((DATA / "retired_modes.json").read_text())["cases"]
    return [pytest.param(case, id=f"{case['kind']}-{n}") for n, case in enumerate(cases) if case["family"] == family]


def given(family: str) -> list[dict[str, Any]]:
    cases = json.loads((DATA / "tiny-llama-a" / "expected.json").read_text())["cases"]
    return [case for case in cases if case["family"] == family]


def run(settings=SEARCH, ids=((5, 6, 7),), kind: str = "llama", **more):
    """What came out, and the trace."""
    recorder = Recorder()
    out = model_of(kind).generate(torch.tensor(ids), **settings, **ASK_FOR, **more, custom_generate=recorder)
    return out, recorder.trace


# --- what comes out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", given("contrastive"))
def test_the_given_cases_come_out_as_given(case: dict[str, Any]):
    out, trace = run(case["kwargs"], case["input_ids"])
    assert out.sequences[:, len(case["input_ids"][0]) :].tolist() == case["generated"]
    assert_candidates_are_complete(trace)


@pytest.mark.parametrize("case", recorded("contrastive"))
def test_what_transformers_4_returned_comes_out(case: dict[str, Any]):
    inputs, recorder = inputs_of(case), Recorder()
    out = model_of(case["kind"]).generate(**inputs, **arguments_of(case), **ASK_FOR, custom_generate=recorder)
    start = 1 if case["kind"] in ENCODER_DECODERS else inputs["input_ids"].shape[1]
    assert out.sequences[:, start:].tolist() == case["generated"]
    trace = recorder.trace
    assert torch.equal(trace.sequences, out.sequences)
    for t, step in enumerate(trace.steps):
        for row in range(trace.n_rows):
            assert torch.equal(step.scores(row=row, stage=0), out.logits[t][row])
            assert torch.equal(step.scores(row=row), out.scores[t][row])
    assert_candidates_are_complete(trace)


def assert_candidates_are_complete(trace):
    """k candidates a row, the likeliest first; the one with the highest score was chosen, by numbers that add up."""
    alpha, k = trace.generation_config["penalty_alpha"], trace.generation_config["top_k"]
    for step in trace.steps:
        assert len(step.contrastive) == trace.n_rows
        for row, candidates in enumerate(step.contrastive):
            probs = torch.softmax(step.scores(row=row), dim=-1)
            assert [c.confidence for c in candidates] == torch.topk(probs, k).values.tolist()
            assert all(c.confidence == float(probs[c.token_id]) for c in candidates)
            assert all(-1.001 <= c.penalty <= 1.001 for c in candidates)
            for c in candidates:
                assert c.score == pytest.approx((1 - alpha) * c.confidence - alpha * c.penalty, abs=1e-6)
                assert 0 <= c.context < trace.prompt_ids.shape[1] + step.index
                if c.context < trace.prompt_ids.shape[1]:
                    assert trace.prompt_mask[row, c.context] == 1
            (chosen,) = (c for c in candidates if c.chosen)
            assert chosen.score == max(c.score for c in candidates)
            assert step.ended[row] or step.token_ids[row] == chosen.token_id


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bart"])
def test_penalties_are_the_cosines_of_a_forward_pass_over_the_whole_sequence(kind: str):
    out, trace = run(ids=((5, 6, 7), (20, 30, 40)), kind=kind)
    model, prompts = model_of(kind), torch.tensor([[5, 6, 7], [20, 30, 40]])
    for step in trace.steps[::2]:
        for row, candidates in enumerate(step.contrastive):
            before = out.sequences[row, : trace.prompt_ids.shape[1] + step.index]
            for candidate in candidates:
                ids = torch.cat([before, torch.tensor([candidate.token_id])])[None]
                given = (
                    {"input_ids": prompts[row : row + 1], "decoder_input_ids": ids}
                    if kind == "bart"
                    else {"input_ids": ids}
                )
                with torch.no_grad():
                    result = model(**given, output_hidden_states=True)
                states = (result.decoder_hidden_states if kind == "bart" else result.hidden_states)[-1][0]
                cosines = torch.cosine_similarity(states[:-1], states[-1:], dim=-1)
                assert candidate.penalty == pytest.approx(float(cosines.max()), abs=1e-5)
                assert float(cosines[candidate.context]) == pytest.approx(candidate.penalty, abs=1e-5)


def test_by_hand_the_penalty_is_the_largest_cosine_and_padding_is_not_looked_at():
    context = torch.tensor([[[3.0, 4.0], [2.0, 0.0], [0.0, 5.0]]])  # [1, 3, 2]: padding, and two tokens
    hidden = torch.tensor([[[0.6, 0.8], [1.0, 0.0], [0.0, -1.0]]])  # [1, 3, 2]: three candidates
    mask = torch.tensor([[0, 1, 1]])
    penalty, where = degeneration_penalty(context, hidden, mask)
    torch.testing.assert_close(penalty, torch.tensor([[0.8, 1.0, 0.0]]))
    assert where.tolist() == [[2, 1, 1]]


def test_the_likeliest_token_loses_where_it_only_repeats_the_context():
    _, trace = run(SEARCH | {"penalty_alpha": 0.9})
    lost = [c for step in trace.steps for c in step.contrastive[0][:1] if not c.chosen]
    assert lost
    greedy = model_of().generate(torch.tensor([[5, 6, 7]]), do_sample=False, max_new_tokens=6)
    _, almost = run(SEARCH | {"penalty_alpha": 1e-9})
    assert torch.equal(almost.sequences, greedy)


def test_padding_does_not_change_what_a_row_weighs():
    together = model_of().generate
    recorder = Recorder()
    ids = torch.tensor([[PAD, PAD, 5, 6, 7], [9, 10, 11, 12, 13]])
    together(ids, attention_mask=(ids != PAD).long(), **SEARCH, custom_generate=recorder)
    _, alone = run()
    for ours, theirs in zip(recorder.trace.steps, alone.steps, strict=True):
        for a, b in zip(ours.contrastive[0], theirs.contrastive[0], strict=True):
            assert (a.token_id, a.chosen, a.context) == (b.token_id, b.chosen, b.context + 2)
            assert a.score == pytest.approx(b.score, abs=1e-5)


def test_a_row_that_ended_goes_on_as_padding():
    settings = SEARCH | {"eos_token_id": list(range(60, 131)), "max_new_tokens": 8}
    _, trace = run(settings, ids=((5, 6, 7), (8, 9, 10), (20, 30, 40), (77, 78, 79)))
    ended = [row for row in range(4) if trace.steps[-1].ended[row]]
    assert ended and len(ended) < 4
    assert all(trace.steps[-1].token_ids[row] == PAD for row in ended)
    assert all(trace.stop_reasons[row] == "eos" for row in ended)


# --- what is recorded, and the rest of a trace's life ---------------------------------------------------------


def test_the_stages_are_the_processors_and_no_top_k_is_among_them():
    _, trace = run(SEARCH | {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2})
    assert [stage.name for stage in trace.stages] == [
        "RepetitionPenaltyLogitsProcessor",
        "NoRepeatNGramLogitsProcessor",
    ]
    assert trace.mode == "contrastive_search"
    assert not [knob for knob in trace.silent if knob.name in ("top_k", "penalty_alpha")]


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_hidden_states_come_back_for_the_chosen_tokens_when_asked_for(kind: str):
    out, trace = run(SEARCH | {"output_hidden_states": True}, kind=kind)
    states = out.decoder_hidden_states if kind == "t5" else out.hidden_states
    assert len(states) == len(trace.steps)
    assert [tuple(step[-1].shape) for step in states[1:]] == [(1, 1, 32)] * 5
    plain, _ = run(kind=kind)
    assert plain.get("hidden_states") is None and plain.get("decoder_hidden_states") is None


def test_without_return_dict_a_plain_tensor_comes_back():
    out = model_of().generate(torch.tensor([[5, 6, 7]]), **SEARCH, custom_generate=Recorder())
    assert torch.equal(out, run()[0].sequences)


def test_closing_the_stream_keeps_the_steps_so_far():
    recorder = Recorder()
    steps = recorder.stream(model_of(), input_ids=torch.tensor([[5, 6, 7]]), **SEARCH)
    first = [next(steps), next(steps)]
    steps.close()
    whole, trace = run()
    assert recorder.trace.stop_reasons == ("user",)
    assert torch.equal(recorder.trace.sequences, whole.sequences[:, :5])
    assert [step.contrastive for step in first] == [step.contrastive for step in trace.steps[:2]]


def test_a_file_gives_back_the_same_candidates(tmp_path):
    _, trace = run(ids=((5, 6, 7), (8, 9, 10)))
    trace.save(tmp_path / "contrastive.trace")
    again = load_trace(tmp_path / "contrastive.trace")
    assert [step.contrastive for step in again.steps] == [step.contrastive for step in trace.steps]
    again.save(tmp_path / "again.trace")
    assert (tmp_path / "again.trace").read_bytes() == (tmp_path / "contrastive.trace").read_bytes()


def arrays(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    """Two rows of two candidates among ten tokens, some arrays replaced."""
    good = contrastive_arrays(
        torch.tensor([[1, 2], [3, 4]]), torch.rand(2, 2), torch.rand(2, 2), torch.tensor([[0, 1], [1, 0]]),
        torch.rand(2, 2), torch.tensor([0, 1]),
    )  # fmt: skip
    return {"logits": torch.zeros(2, 10), **good, **{f"contrastive.{name}": array for name, array in changed.items()}}


def test_arrays_that_fit_are_read():
    first, second = contrastive_candidates(arrays())
    assert [(c.token_id, c.chosen) for c in first + second] == [(1, True), (2, False), (3, False), (4, True)]
    assert contrastive_candidates({"logits": torch.zeros(2, 10)}) == ()


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("token_ids", torch.tensor([[1, 10], [3, 4]], dtype=torch.int32)),
        ("token_ids", torch.tensor([[1, -1], [3, 4]], dtype=torch.int32)),
        ("token_ids", torch.tensor([[1], [3]], dtype=torch.int32)),
        ("token_ids", torch.zeros(2, 0, dtype=torch.int32)),
        ("token_ids", torch.tensor(1, dtype=torch.int32)),
        ("chosen", torch.tensor([0, 2], dtype=torch.int32)),
        ("chosen", torch.tensor([[0, 1]], dtype=torch.int32)),
        ("confidence", torch.rand(2, 3)),
        ("confidence", torch.rand(2, 2).double()),
        ("context", torch.tensor([[0, -1], [1, 0]], dtype=torch.int32)),
    ],
)
def test_arrays_of_a_damaged_file_are_refused(name: str, array: torch.Tensor):
    safetensors.torch.save(arrays(**{name: array}))  # a file could hold them
    with pytest.raises(TraceFileError, match="contrastive"):
        contrastive_candidates(arrays(**{name: array}))


def test_a_missing_array_is_refused():
    incomplete = arrays()
    del incomplete["contrastive.penalty"]
    with pytest.raises(TraceFileError, match="contrastive.penalty"):
        contrastive_candidates(incomplete)


@pytest.mark.parametrize("kind", ["llama", "bart"])
def test_verify_says_that_it_compared_with_a_second_run_of_our_own_loop(kind: str):
    from tests.tiny_models import tiny_lm

    lm = tiny_lm(kind)
    trace = record(lm, "The capital of", Settings(penalty_alpha=0.5, top_k=4, max_new_tokens=5))
    report = verify(trace, lm)
    assert report.equal and report.against != "generate()"
    assert any("4.46" in note for note in report.notes)


def test_a_fork_weighs_against_the_whole_prefix():
    from tests.tiny_models import tiny_lm

    lm, recorder = tiny_lm(), Recorder()
    ids = lm.tokenizer(["The capital of"], return_tensors="pt").input_ids
    lm.model.generate(ids, **SEARCH, custom_generate=recorder)
    forked = fork(recorder.trace, lm, step=2, token_id=40, kept=recorder.kept_cache())
    assert forked.prefill == "plain" and forked.mode == "contrastive_search"
    assert forked.prompt_ids.shape[1] == ids.shape[1] + 3
    assert min(c.context for step in forked.steps for c in step.contrastive[0]) < ids.shape[1]


# --- bad input ----------------------------------------------------------------------------------------------


def test_one_candidate_is_no_choice():
    with pytest.raises(SettingError, match="top_k must be a whole number > 1"):
        check_acting({}, Settings(penalty_alpha=0.6, top_k=1).given())
    _, trace = run(SEARCH | {"top_k": 1})  # generate() itself takes it for greedy decoding
    assert trace.mode == "greedy" and trace.steps[0].contrastive == ()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"top_k": 132}, "top_k must be in .2, 131., the size of the vocabulary, for contrastive search, got 132"),
        ({"use_cache": False}, "use_cache must be True"),
        ({"cache_implementation": "static"}, "StaticCache cannot do contrastive search"),
    ],
)
def test_what_cannot_be_decoded_is_refused_in_words(wrong: dict[str, Any], says: str):
    with pytest.raises(RecordingError, match=says):
        run(SEARCH | wrong)


def test_a_filled_cache_is_refused_as_its_hidden_states_are_gone():
    model = model_of()
    cache = model(torch.tensor([[5, 6]]))[CACHE_NAME]
    with pytest.raises(RecordingError, match=f"leave {CACHE_NAME} out"):
        run(**{CACHE_NAME: cache})


def test_a_model_whose_memory_cannot_be_copied_is_refused():
    model = MambaForCausalLM(MambaConfig(vocab_size=31, hidden_size=16, num_hidden_layers=1, state_size=4)).eval()
    with pytest.raises(RecordingError, match="MambaForCausalLM cannot do contrastive search"):
        model.generate(torch.tensor([[5, 6]]), **SEARCH, custom_generate=Recorder())


class RemovesEverything:
    def __call__(self, input_ids, scores):
        return torch.full_like(scores, -float("inf"))


def test_when_every_token_was_removed_the_error_names_the_stage():
    with pytest.raises(RecordingError, match="RemovesEverything removed the last token"):
        run(logits_processor=LogitsProcessorList([RemovesEverything()]))
