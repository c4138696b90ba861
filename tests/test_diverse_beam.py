"""Diverse beam search gives what transformers 4.46 gave, and its ledger is complete."""

from __future__ import annotations

import json
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList, StoppingCriteriaList

from decoding import Recorder, RecordingError, Settings, load_trace, record, verify
from decoding.recorded.ledger import FATES
from decoding.strategies.hamming_diversity import HammingDiversityLogitsProcessor
from decoding.strategies.hypothesis_pool import HypothesisPool, best_of
from tests import retired_modes
from tests.retired_modes import DATA, ENCODER_DECODERS, EOS, PAD, EndsWith, arguments_of, inputs_of

ASK_FOR = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}
GROUPS = {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.5, "do_sample": False, "max_new_tokens": 8}


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


def run(settings=GROUPS, ids=((5, 6, 7),), kind: str = "llama", recorder: Recorder | None = None, **more):
    """What came out, and the trace."""
    recorder = recorder or Recorder()
    ids = torch.tensor(ids)
    out = model_of(kind).generate(ids, **settings, **ASK_FOR, **more, custom_generate=recorder)
    return out, recorder.trace


# --- what comes out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", given("diverse_beam"))
def test_the_given_cases_come_out_as_given(case: dict[str, Any]):
    out, trace = run(case["kwargs"], case["input_ids"])
    start = len(case["input_ids"][0])
    for got, expected in zip(out.sequences[:, start:].tolist(), case["generated"], strict=True):
        assert got == expected + [PAD] * (len(got) - len(expected))
    torch.testing.assert_close(out.sequences_scores, torch.tensor(case["sequences_scores"]), atol=1e-4, rtol=0)
    assert_ledger_is_complete(trace, out)


@pytest.mark.parametrize("case", recorded("diverse_beam"))
def test_what_transformers_4_returned_comes_out(case: dict[str, Any]):
    inputs = inputs_of(case)
    recorder = Recorder()
    model = model_of(case["kind"])
    out = model.generate(**inputs, **arguments_of(case), **ASK_FOR, custom_generate=recorder)
    start = 1 if case["kind"] in ENCODER_DECODERS else inputs["input_ids"].shape[1]
    assert out.sequences[:, start:].tolist() == case["generated"]
    torch.testing.assert_close(out.sequences_scores, torch.tensor(case["sequences_scores"]), atol=1e-4, rtol=1e-6)
    assert_ledger_is_complete(recorder.trace, out)
    if "stops_at" not in case:  # else 4.46 writes an EOS behind what did not end, and its positions are one off
        assert_transition_scores_add_up(model, out, recorder.trace)


def assert_transition_scores_add_up(model, out, trace):
    """The beam indices lead to each hypothesis's own log-probabilities, in every group."""
    steps = model.compute_transition_scores(out.sequences, out.scores, out.beam_indices, normalize_logits=False)
    start = trace.prompt_ids.shape[1]
    for h in trace.hypotheses:
        n = len(h.token_ids)
        assert (out.beam_indices[h.place] >= 0).sum() == n
        if out.sequences[h.place, start + n - 1] == h.token_ids[-1]:  # else another EOS id stands for the true one
            assert steps[h.place, :n].tolist() == pytest.approx(h.logprobs, abs=1e-6)


def test_the_shorter_hypotheses_end_in_eos_and_padding():
    out, trace = run(GROUPS | {"num_return_sequences": 4, "sequence_bias": [[[EOS], 3.0]]})
    ended = [h for h in trace.hypotheses if h.token_ids[-1] == EOS]
    assert 0 < len(ended)
    for hypothesis in ended:
        n = 3 + len(hypothesis.token_ids)
        assert out.sequences[hypothesis.place, n - 1 :].tolist() == [EOS] + [PAD] * (out.sequences.shape[1] - n)


def test_of_several_eos_ids_the_first_is_written_and_the_true_one_recorded():
    out, trace = run(GROUPS | {"eos_token_id": [EOS, 9], "sequence_bias": [[[9], 6.0]], "num_return_sequences": 4})
    ended = [h for h in trace.hypotheses if h.token_ids[-1] == 9]
    assert ended
    for hypothesis in ended:
        assert out.sequences[hypothesis.place, 3 + len(hypothesis.token_ids) - 1] == EOS


def test_without_return_dict_a_plain_tensor_comes_back():
    out = model_of().generate(torch.tensor([[5, 6, 7]]), **GROUPS, custom_generate=Recorder())
    assert torch.equal(out, run()[0].sequences)


def test_without_output_scores_there_are_no_sequences_scores():
    settings = GROUPS | {"return_dict_in_generate": True}
    out = model_of().generate(torch.tensor([[5, 6, 7]]), **settings, custom_generate=Recorder())
    assert out.sequences_scores is None and out.scores is None


def test_the_prompt_computed_once_for_all_beams_gives_the_same_tokens():
    plain, _ = run(GROUPS | {"num_return_sequences": 4}, ids=((5, 6, 7), (8, 9, 10)))
    shared, trace = run(
        GROUPS | {"num_return_sequences": 4}, ((5, 6, 7), (8, 9, 10)), recorder=Recorder(share_prefill=True)
    )
    assert torch.equal(shared.sequences, plain.sequences)
    torch.testing.assert_close(shared.sequences_scores, plain.sequences_scores, atol=1e-4, rtol=0)
    assert trace.prefill == "shared"


def test_without_a_cache_the_same_comes_out():
    plain, _ = run()
    slow, _ = run(GROUPS | {"use_cache": False})
    assert torch.equal(slow.sequences, plain.sequences)


# --- the penalty is a stage ---------------------------------------------------------------------------------


def test_the_penalty_stands_after_the_bias_and_before_all_other_processors():
    _, trace = run(GROUPS | {"sequence_bias": [[[9], 1.0]], "repetition_penalty": 1.2, "no_repeat_ngram_size": 2})
    assert [stage.name for stage in trace.stages] == [
        "log_softmax", "SequenceBiasLogitsProcessor", "HammingDiversityLogitsProcessor",
        "RepetitionPenaltyLogitsProcessor", "NoRepeatNGramLogitsProcessor",
    ]  # fmt: skip
    penalty = trace.stages[2]
    assert penalty.params == {"diversity_penalty": 1.5, "num_beams": 4, "num_beam_groups": 2}
    assert not penalty.own


def test_a_token_costs_the_penalty_for_every_beam_of_an_earlier_group_that_chose_it():
    _, trace = run(GROUPS | {"num_beams": 6, "num_beam_groups": 3}, ids=((5, 6, 7), (8, 9, 10)))
    for step in trace.steps:
        for row in range(trace.n_rows):
            first = row // 6 * 6
            group = row % 6 // 2
            earlier = step.token_ids[first : first + 2 * group]
            cost = torch.tensor([1.5 * earlier.count(token) for token in range(trace.model.vocab_size)])
            assert torch.equal(step.scores(row=row, stage=2), step.scores(row=row, stage=1) - cost)
    assert trace.steps[0].acted()[1]


def test_the_penalty_counts_by_hand():
    hamming = HammingDiversityLogitsProcessor(0.5, num_beams=4, num_beam_groups=2)
    scores, ids = torch.zeros(4, 3), torch.zeros(4, 1)
    hamming.begin_step()
    assert torch.equal(hamming(ids, scores), scores)
    hamming.chose(0, torch.tensor([[2, 2]]), n_tokens=3)
    expected = torch.tensor([[0.0, 0, 0], [0, 0, 0], [0, 0, -1.0], [0, 0, -1.0]])
    assert torch.equal(hamming(ids, scores), expected)
    assert torch.equal(scores, torch.zeros(4, 3))


# --- the pool ---------------------------------------------------------------------------------------------


def pool_of(size=2, early_stopping=False, length_penalty=1.0, max_length=10) -> HypothesisPool:
    config = SimpleNamespace(early_stopping=early_stopping, length_penalty=length_penalty, max_length=max_length)
    return HypothesisPool(size, config, start=0)


def add(pool: HypothesisPool, total: float, n_new: int, source: int) -> None:
    pool.add(total, torch.zeros(n_new), torch.zeros(n_new), source)


def test_the_pool_keeps_the_best_and_drives_out_the_worst():
    pool = pool_of()
    add(pool, -4.0, 2, source=0)  # -2.0
    add(pool, -3.0, 3, source=1)  # -1.0
    add(pool, -3.0, 2, source=2)  # -1.5 drives out -2.0
    add(pool, -1.5, 1, source=3)  # -1.5 is not better than -1.5
    assert [hypothesis.source for hypothesis in pool.held] == [1, 2]


def test_a_pool_closes_by_each_form_of_early_stopping():
    for early_stopping, length_penalty, best_sum, closes in (
        (True, 1.0, -0.1, True),  # full is enough
        (False, 1.0, -5.0, True),  # -5 / 5 is no better than the worst, -1
        (False, 1.0, -4.9, False),
        ("never", 1.0, -5.0, False),  # -5 / 10 still is
        ("never", 1.0, -10.0, True),
        ("never", 0.0, -1.0, True),  # without a penalty for length the present one counts
    ):
        pool = pool_of(early_stopping=early_stopping, length_penalty=length_penalty)
        add(pool, -1.0, 1, source=0)
        pool.close_if_settled(best_sum, n_new=5)
        assert not pool.closed  # one of two
        add(pool, -0.5, 1, source=1)
        pool.close_if_settled(best_sum, n_new=5)
        assert pool.closed is closes, (early_stopping, best_sum)


def test_of_equal_hypotheses_the_last_group_s_comes_first():
    first, second = pool_of(), pool_of()
    add(first, -1.0, 1, source=0)
    add(first, -0.5, 1, source=1)
    add(second, -1.0, 1, source=2)
    assert [hypothesis.source for hypothesis in best_of((first, second), 3)] == [1, 2, 0]


# --- the ledger --------------------------------------------------------------------------------------------


def assert_ledger_is_complete(trace, out):
    """Every candidate of every open group, with one fate; rows that descend from kept ones; the pool's answer."""
    ledger, config = trace.ledger, trace.generation_config
    beams, groups = config["num_beams"], config["num_beam_groups"]
    size, eos = beams // groups, config.get("eos_token_id")
    n_eos = 0 if eos is None else len(eos) if isinstance(eos, list) else 1
    each = max(2, 1 + n_eos) * size
    sums = [[0.0 if beam % size == 0 else -1e9 for beam in range(beams)] for _ in range(ledger.n_prompts)]
    for step in trace.steps:
        last = step.index == len(trace.steps) - 1
        for prompt in range(ledger.n_prompts):
            mine = ledger.candidates(step.index, prompt)
            now = dict(enumerate(sums[prompt]))
            for group in range(groups):
                of_group = [c for c in mine if c.group == group]
                rows = range(prompt * beams + group * size, prompt * beams + (group + 1) * size)
                closed = {step.ended[row] for row in rows}
                assert closed == {not of_group}, "a group is open, or it is closed"
                if of_group:
                    assert len(of_group) == each
                    assert_group_is_complete(trace, step, of_group, rows, sums[prompt], last)
                now |= {c.row - prompt * beams: c.score for c in of_group if c.row is not None}
            sums[prompt] = list(now.values())
    assert_pool_gives_the_answer(trace, out)


def assert_group_is_complete(trace, step, candidates, rows, sums, last: bool):
    assert [c.score for c in candidates] == sorted((c.score for c in candidates), reverse=True)
    assert sorted(c.row for c in candidates if c.row is not None) == list(rows)
    for c in candidates:
        assert c.fate in FATES
        assert c.parent in rows
        assert (c.ended_by is None) == (c.fate in ("kept", "pruned"))
        assert c.logprob == float(trace.scores(step=step.index, row=c.parent)[c.token_id])
        before = torch.tensor(sums[c.parent % trace.ledger.n_beams])
        assert c.score == float(before + torch.tensor(c.logprob))
        assert c.fate != "kept" or c.row is not None
        if c.margin is not None and c.score > -1e8:
            assert c.margin >= 0 if c.fate in ("kept", "finished") else c.margin <= 0
    if not last:
        assert sum(c.fate == "kept" for c in candidates) == len(rows)
        assert {c.ended_by for c in candidates} <= {None, "eos"}


def assert_pool_gives_the_answer(trace, out):
    """The pools replayed from entries and evictions alone hold what `generate` returned, in its order."""
    ledger, config = trace.ledger, trace.generation_config
    penalty = config["length_penalty"]
    pools: list[dict[tuple[int, int], float]] = [{} for _ in range(ledger.n_prompts)]
    for step in trace.steps:
        by_rank = {(c.prompt, c.rank): c for c in step.candidates}
        for change in step.pool_changes:
            candidate = by_rank[change.prompt, change.entered[1]]
            assert candidate.fate == "finished"
            pools[change.prompt].pop(change.evicted, None)
            pools[change.prompt][change.entered] = candidate.score / (step.index + 1) ** penalty
        finished = [(c.prompt, (step.index, c.rank)) for c in step.candidates if c.fate == "finished"]
        assert sorted(finished) == sorted((change.prompt, change.entered) for change in step.pool_changes)
    each, start = config["num_return_sequences"], trace.prompt_ids.shape[1]
    assert [h.place for h in trace.hypotheses] == list(range(len(out.sequences)))
    for prompt, pool in enumerate(pools):
        assert len(pool) == config["num_beams"]
        best = sorted(pool.values(), reverse=True)[:each]
        scores = out.sequences_scores[prompt * each : (prompt + 1) * each].tolist()
        assert scores == pytest.approx(best, rel=1e-6)
    for h in trace.hypotheses:
        assert h.finished and h.score == float(out.sequences_scores[h.place])
        *written, last = out.sequences[h.place, start : start + len(h.token_ids)].tolist()
        assert written == list(h.token_ids[:-1])
        assert last == h.token_ids[-1] or h.token_ids[-1] in config["eos_token_id"]
        assert h.score == pytest.approx(h.sum_logprobs / len(h.token_ids) ** penalty, rel=1e-6)
        if h.sum_logprobs > -1e8:
            assert sum(h.logprobs) == pytest.approx(h.sum_logprobs, abs=1e-3)


EARLY = GROUPS | {"eos_token_id": [3, 9, 20], "sequence_bias": [[[9], 5.0], [[20], 4.0]], "early_stopping": True}


def test_a_closed_group_considers_nothing_more_and_its_padding_costs_the_later_ones():
    _, trace = run(EARLY | {"num_beams": 2, "diversity_penalty": 8.0, "pad_token_id": 130}, ids=((49, 52, 60),))
    assert [step.ended for step in trace.steps] == [(False, False), (False, False), (True, False)]
    assert {c.group for c in trace.steps[2].candidates} == {1}
    assert trace.steps[2].token_ids[0] == 130
    lost = trace.scores(step=2, row=1, stage=2) - trace.scores(step=2, row=1, stage=3)
    assert lost.nonzero().flatten().tolist() == [130] and lost[130] == 8.0
    assert len(trace.prefix(2, row=0)) == len(trace.prefix(2, row=1)) == 5
    assert trace.stop_reasons == ("early_stopping",)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (EARLY | {"max_new_tokens": 40}, "early_stopping"),
        (EARLY | {"early_stopping": False, "max_new_tokens": 40}, "no_improvement"),
        (GROUPS | {"eos_token_id": 130}, "max_length"),
    ],
)
def test_the_trace_says_why_the_search_stopped(settings: dict[str, Any], reason: str):
    _, trace = run(settings)
    assert trace.stop_reasons == (reason,)


def test_a_criterion_of_the_callers_own_ends_the_search_when_it_holds_for_every_row():
    criteria = StoppingCriteriaList([EndsWith(list(range(4, 120)))])
    out, trace = run(GROUPS | {"num_return_sequences": 4, "max_new_tokens": 30}, stopping_criteria=criteria)
    assert trace.stop_reasons == ("EndsWith",)
    assert len(trace.steps) < 30
    last = trace.steps[-1].candidates
    assert {c.ended_by for c in last if c.row is not None} == {"EndsWith"}
    assert {c.fate for c in last if c.row is None} <= {"pruned", "finished", "beaten", "ended_outside"}
    assert_ledger_is_complete(trace, out)


# --- the rest of a trace's life -----------------------------------------------------------------------------


def test_closing_the_stream_keeps_the_steps_so_far():
    recorder = Recorder()
    steps = recorder.stream(model_of(), input_ids=torch.tensor([[5, 6, 7]]), **GROUPS)
    for _ in range(3):
        next(steps)
    steps.close()
    assert len(recorder.trace.steps) == 3
    assert recorder.trace.stop_reasons == ("user",)
    assert len(recorder.trace.hypotheses) == 1
    whole, _ = run()
    assert recorder.trace.steps[2].token_ids == run()[1].steps[2].token_ids
    assert whole is not None


def test_a_file_gives_back_the_same_ledger(tmp_path):
    _, trace = run(EARLY | {"num_return_sequences": 4}, ids=((5, 6, 7), (8, 9, 10)))
    trace.save(tmp_path / "groups.trace")
    again = load_trace(tmp_path / "groups.trace")
    assert again.hypotheses == trace.hypotheses
    for ours, theirs in zip(trace.steps, again.steps, strict=True):
        assert [repr(c) for c in ours.candidates] == [repr(c) for c in theirs.candidates]
        assert ours.pool == theirs.pool and ours.pool_changes == theirs.pool_changes
    again.save(tmp_path / "again.trace")
    assert (tmp_path / "again.trace").read_bytes() == (tmp_path / "groups.trace").read_bytes()


def test_the_tree_has_the_candidates_of_open_groups_and_no_others():
    _, trace = run(EARLY)
    tree = trace.tree()
    n_candidates = sum(len(step.candidates) for step in trace.steps)
    assert tree.number_of_nodes() == n_candidates + 1
    assert {values["group"] for _, values in tree.nodes(data=True) if values["kind"] == "candidate"} == {0, 1}


def test_the_pool_tells_each_group_s_worst_score():
    _, trace = run(EARLY | {"max_new_tokens": 40})
    last = len(trace.steps) - 1
    for group in range(2):
        scores = [h.score for h in trace.steps[last].pool[0] if h.group == group]
        assert len(scores) == 2
        assert trace.ledger.worst(last, 0, group) == min(scores)


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_verify_says_that_it_compared_with_a_second_run_of_our_own_loop(kind: str):
    from tests.tiny_models import tiny_lm

    lm = tiny_lm(kind)
    settings = Settings(num_beams=4, num_beam_groups=2, diversity_penalty=1.0, max_new_tokens=5, num_return_sequences=2)
    trace = record(lm, "The capital of", settings)
    report = verify(trace, lm)
    assert report.equal
    assert report.against != "generate()" and report.text.startswith("equal: a second run of our own loop")
    assert any("4.46" in note for note in report.notes)


@pytest.mark.parametrize("settings", [{"num_beam_groups": 2, "diversity_penalty": 1.0}, {}], ids=["groups", "beams"])
def test_verify_compares_the_steps_of_a_search_that_was_broken_off(settings: dict[str, Any]):
    from tests.tiny_models import tiny_lm

    lm, recorder = tiny_lm(), Recorder()
    ids = lm.tokenizer(["The capital"], return_tensors="pt").input_ids
    steps = recorder.stream(lm.model, input_ids=ids, num_beams=4, max_new_tokens=9, eos_token_id=3, **settings)
    next(steps), next(steps)
    steps.close()
    report = verify(recorder.trace, lm)
    assert report.equal, report.text
    assert [check.name for check in report.checks] == ["logits", *(["stages"] if settings else []), "scores"]


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"num_beams": 5}, "num_beam_groups must be a divisor of num_beams = 5, got 2"),
        ({"diversity_penalty": 0.0}, "diversity_penalty must be > 0"),
        ({"do_sample": True}, "do_sample must be False"),
        ({"guidance_scale": 1.5}, "guidance_scale cannot be used with num_beam_groups"),
        ({"eos_token_id": list(range(131))}, "use fewer EOS ids"),
    ],
)
def test_what_cannot_be_decoded_is_refused_in_words(wrong: dict[str, Any], says: str):
    with pytest.raises(RecordingError, match=says):
        run(GROUPS | wrong)


class RemovesEverything:
    def __call__(self, input_ids, scores):
        return torch.full_like(scores, -float("inf"))


def test_when_everything_was_removed_the_search_goes_on_as_in_transformers_4_and_is_recorded():
    out, trace = run(logits_processor=LogitsProcessorList([RemovesEverything()]))
    assert out.sequences_scores.tolist() == [-float("inf")]
    assert all(c.score == -float("inf") for c in trace.steps[-1].candidates)
