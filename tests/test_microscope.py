"""The microscope: what it executes is what transformers executes, bit for bit, and the lines it quotes are those."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process as of

from decoding import Settings, record
from decoding.files.compact import compact
from decoding.microscope import (
    TAKEN_APART,
    Context,
    Slide,
    account_of,
    doc_url,
    drawn_account,
    greedy_account,
    stage_account,
)
from decoding.recorded.stages import Stage, stages_of
from tests.laws import makers, same_bits

NEVER = -math.inf
INPUT = torch.tensor([[3, 1, 3, 0, 2]])


def scores_of(*values: float):
    return torch.tensor(values, dtype=torch.float32)


def processor_of(name, params):
    """The processor of transformers'; a tuple stands for a tensor."""
    values = {key: torch.tensor(value) if isinstance(value, tuple) else value for key, value in params.items()}
    return getattr(of, name)(**values)


def account(processor, before, input_ids=INPUT, **more):
    """What the microscope says of a processor of transformers' on these scores, which it really processed."""
    stage = stages_of([processor])[0]
    after = processor(input_ids, before[None].clone())[0]
    context = Context(input_ids=input_ids, encoder_ids=INPUT)
    return stage_account(stage, before, after, context, **more)


# --- bit for bit


def ignored_lengths() -> list:
    """What `prompt_ignore_length` may be: a tensor (here a tuple), one length for each row, only in newer versions."""
    try:
        of.RepetitionPenaltyLogitsProcessor(1.2, prompt_ignore_length=torch.tensor([2]))
    except ValueError:
        return [None, 0, 2, 9]
    return [None, 0, 2, 9, (0,), (2,)]


WARPERS = {
    "TemperatureLogitsWarper": st.fixed_dictionaries({"temperature": st.floats(0.01, 5.0)}),
    "TopHLogitsWarper": st.fixed_dictionaries({"top_h": st.floats(0.01, 1.0)}),
    "TopKLogitsWarper": st.fixed_dictionaries({"top_k": st.integers(1, 500), "min_tokens_to_keep": st.integers(1, 8)}),
    "TopPLogitsWarper": st.fixed_dictionaries(
        {"top_p": st.floats(0.0, 1.0), "min_tokens_to_keep": st.integers(1, 400)}
    ),
    "MinPLogitsWarper": st.fixed_dictionaries(
        {"min_p": st.floats(0.0, 1.0), "min_tokens_to_keep": st.integers(1, 400)}
    ),
    "TypicalLogitsWarper": st.fixed_dictionaries(
        {"mass": st.floats(0.01, 0.99), "min_tokens_to_keep": st.integers(1, 400)}
    ),
    "EpsilonLogitsWarper": st.fixed_dictionaries(
        {"epsilon": st.floats(1e-5, 0.9), "min_tokens_to_keep": st.integers(1, 400)}
    ),
    "EtaLogitsWarper": st.fixed_dictionaries(
        {"epsilon": st.floats(1e-5, 0.9), "min_tokens_to_keep": st.integers(1, 400)}
    ),
    "RepetitionPenaltyLogitsProcessor": st.fixed_dictionaries(
        {"penalty": st.floats(0.1, 5.0), "prompt_ignore_length": st.sampled_from(ignored_lengths())}
    ),
    "EncoderRepetitionPenaltyLogitsProcessor": st.fixed_dictionaries(
        {"penalty": st.floats(0.1, 5.0), "encoder_input_ids": st.just(INPUT)}
    ),
    "MinLengthLogitsProcessor": st.fixed_dictionaries(
        {"min_length": st.integers(1, 9), "eos_token_id": st.sampled_from([2, [0, 3]])}
    ),
    "MinNewTokensLengthLogitsProcessor": st.fixed_dictionaries(
        {"prompt_length_to_skip": st.just(3), "min_new_tokens": st.integers(1, 5), "eos_token_id": st.just([0, 3])}
    ),
    "SuppressTokensLogitsProcessor": st.fixed_dictionaries({"suppress_tokens": st.sampled_from([[1], [0, 4]])}),
    "SuppressTokensAtBeginLogitsProcessor": st.fixed_dictionaries(
        {"begin_suppress_tokens": st.just([1, 2]), "begin_index": st.sampled_from([4, 5])}
    ),
    "ForcedBOSTokenLogitsProcessor": st.fixed_dictionaries({"bos_token_id": st.just(3)}),
    "ForcedEOSTokenLogitsProcessor": st.fixed_dictionaries(
        {"max_length": st.sampled_from([5, 6]), "eos_token_id": st.sampled_from([2, [0, 3]])}
    ),
    "InfNanRemoveLogitsProcessor": st.just({}),
    "LogitNormalization": st.just({}),
}


@st.composite
def rows(draw, allow_invalid: bool = False):
    """Scores of 6 to 400 tokens: peaked or flat, some of them tied, some −∞."""
    n = draw(st.integers(6, 400))
    seed = draw(st.integers(0, 2**31))
    spread = draw(st.sampled_from([0.0, 1e-4, 0.5, 3.0, 30.0]))
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(n, generator=generator) * spread
    if draw(st.booleans()):
        scores = (scores * 2).round() / 2  # ties
    if draw(st.booleans()):
        scores[torch.rand(n, generator=generator) < draw(st.sampled_from([0.1, 0.9]))] = NEVER
        scores[draw(st.integers(0, n - 1))] = 1.0
    if allow_invalid and draw(st.booleans()):
        scores[:3] = torch.tensor([math.nan, math.inf, NEVER])
    return scores


@pytest.mark.parametrize("name", WARPERS)
def test_what_is_executed_is_what_was_recorded_bit_for_bit(name):
    @settings(max_examples=40, deadline=None)
    @given(params=WARPERS[name], before=rows(allow_invalid=name == "InfNanRemoveLogitsProcessor"))
    def check(params, before):
        found = account(processor_of(name, params), before)
        assert found.taken_apart
        assert found.agrees, f"{found.n_differing} entries differ"
        assert found.n_differing == 0

    check()


@pytest.mark.parametrize("name", WARPERS)
def test_the_lines_quoted_give_the_numbers_shown(name):
    """The quoted lines, run one after another as Python, meet the noted tensors at every input and output."""

    @settings(max_examples=15, deadline=None)
    @given(params=WARPERS[name], before=rows(allow_invalid=name == "InfNanRemoveLogitsProcessor"))
    def check(params, before):
        stage = stages_of([processor_of(name, params)])[0]
        slide = Slide()
        TAKEN_APART[name](slide, before[None], stage.params, Context(input_ids=INPUT, encoder_ids=INPUT))
        run_lines(slide, before, stage)

    check()


def run_lines(slide: Slide, before: torch.Tensor, stage: Stage) -> None:
    """What a line needs and no earlier one made (a Python number, an empty mask) is taken from its noted inputs."""
    own = {name: torch.tensor(v) if isinstance(v, list) else v for name, v in stage.params.items()}
    known = {
        "torch": torch, "math": math, "positions": torch.arange(INPUT.shape[1]), "vocab_size": len(before),
        "scores": before[None].clone(), "self": SimpleNamespace(filter_value=NEVER, **own),
    }  # fmt: skip
    for noted in slide.noted:
        for seen in noted.ins:
            if seen.name.startswith("self."):
                setattr(known["self"], seen.name.removeprefix("self."), seen.tensor)
            elif seen.name.isidentifier():
                known.setdefault(seen.name, seen.tensor.clone() if torch.is_tensor(seen.tensor) else seen.tensor)
            assert_same(eval(seen.name, known), seen.tensor, seen.name)
        before_the_line = dict(known)
        exec(noted.call, known)
        for seen in noted.outs:
            made = known[seen.name] if seen.name.isidentifier() else eval(seen.name, before_the_line)
            assert_same(made, seen.tensor, f"{noted.call}: {seen.name}")
        if noted.note == "top_h.probs":
            known["dist"] = torch.distributions.Categorical(logits=known["top_logits"])


def assert_same(a, b, where: str) -> None:
    a, b = (torch.as_tensor(v) for v in (a, b))
    assert same_bits(a.flatten(), b.flatten()), f"{where}: {a.flatten()[:5]} is not {b.flatten()[:5]}"


# --- numbers worked out by hand, six tokens


def op(found, name: str, nth: int = 0):
    return [o for o in found.ops if o.name == name][nth]


def entries(found, tensor):
    """What stands at each token, by token id."""
    return {t.token_id: value for t, value in zip(found.tokens, tensor.values, strict=True)}


def test_top_k_by_hand_ties_with_the_line_stay():
    found = account(of.TopKLogitsWarper(2), scores_of(3, 1, 2, 2, 0, -1), chosen=3)
    topk, lt, fill = found.ops
    assert [o.name for o in found.ops] == ["torch.topk", "torch.lt", "torch.Tensor.masked_fill"]
    assert topk.outputs[1].values == (2.0,)
    assert topk.facts == {"k": 2, "asked": 2, "n": 6, "line": 2.0}
    assert entries(found, lt.outputs[0]) == {0: False, 1: True, 2: False, 3: False, 4: True, 5: True}
    assert entries(found, fill.outputs[0]) == {0: 3.0, 1: NEVER, 2: 2.0, 3: 2.0, 4: NEVER, 5: NEVER}
    assert fill.facts == {"n_removed": 3, "n_alive": 3}
    assert {t.token_id for t in found.tokens if t.fate == "kept"} == {0, 2, 3}
    assert [t.token_id for t in found.tokens if t.chosen] == [3]


def test_top_k_larger_than_the_vocabulary_takes_all():
    found = account(of.TopKLogitsWarper(50), scores_of(3, 1, 2, 2, 0, -1))
    assert found.agrees
    assert found.ops[0].note == "top_k.topk.capped"
    assert found.ops[0].facts["k"] == 6
    assert found.ops[-1].facts == {"n_removed": 0, "n_alive": 6}


def test_top_p_by_hand_the_token_that_crosses_stays():
    # Ascending sums of 1/64, 1/64, 1/32, 1/16, 1/8, 3/4: all at most 0.25 go, that is all but the last.
    # With 0.9, at most 0.1 goes: 1/64, 2/64, 4/64 = 0.0625; the next sum is 1/8.
    before = scores_of(0.75, 0.125, 0.0625, 0.03125, 1 / 64, 1 / 64).log()
    found = account(of.TopPLogitsWarper(0.9), before)
    sort, softmax, cumsum, le, exempt, scatter, fill = found.ops
    assert sort.outputs[1].values == tuple(t.token_id for t in found.tokens)
    assert sort.outputs[0].places == (0, 1, 2, 3, 4, 5)
    assert [t.token_id for t in found.tokens][2:] == [3, 2, 1, 0]
    assert softmax.outputs[0].values == pytest.approx((1 / 64, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 3 / 4))
    assert cumsum.outputs[0].values == pytest.approx((1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1))
    assert le.outputs[0].values == (True, True, True, False, False, False)
    assert le.facts["n_true"] == 3
    assert exempt.facts["n_saved"] == 0
    assert entries(found, scatter.outputs[0]) == {0: False, 1: False, 2: False, 3: True, 4: True, 5: True}
    assert scatter.inputs[0].places == (0, 1, 2, 3, 4, 5)
    assert scatter.outputs[0].places == tuple(t.token_id for t in found.tokens)
    assert [i for i, value in entries(found, fill.outputs[0]).items() if value == NEVER] == [4, 5, 3]


def test_top_p_by_hand_the_minimum_saves_what_the_sum_gave_up():
    before = scores_of(0.75, 0.125, 0.0625, 0.03125, 1 / 64, 1 / 64).log()
    found = account(of.TopPLogitsWarper(0.5, min_tokens_to_keep=3), before)
    exempt = op(found, "torch.Tensor.fill_")
    assert exempt.inputs[0].values == (True, True, True, True, True, False)
    assert exempt.outputs[0].values == (True, True, True, False, False, False)
    assert exempt.outputs[0].changed == (False, False, False, True, True, False)
    assert exempt.facts == {"least": 3, "n_saved": 2}


def test_the_repetition_penalty_by_hand_divides_positive_and_multiplies_negative_scores():
    text = torch.tensor([[1, 2, 2, 0]])
    found = account(of.RepetitionPenaltyLogitsProcessor(2.0), scores_of(4, -1, 2, 0, -3, 1), text)
    gather, lt, where, scatter = (op(found, f"torch.{name}") for name in ("gather", "lt", "where", "scatter"))
    assert entries(found, gather.outputs[0]) == {0: 4.0, 1: -1.0, 2: 2.0, 3: None, 4: None, 5: None}
    assert entries(found, gather.inputs[1])[2] == 2
    assert dict(zip([t.token_id for t in found.tokens], gather.outputs[0].places, strict=True)) == {
        0: 3, 1: 0, 2: 1, 3: None, 4: None, 5: None,
    }  # fmt: skip
    assert entries(found, lt.outputs[0])[1] is True
    assert entries(found, where.outputs[0]) == {0: 2.0, 1: -2.0, 2: 1.0, 3: None, 4: None, 5: None}
    assert entries(found, scatter.outputs[0]) == {0: 2.0, 1: -2.0, 2: 1.0, 3: 0.0, 4: -3.0, 5: 1.0}
    assert scatter.facts == {"n_changed": 3}
    assert [t for t, c in zip(found.tokens, scatter.outputs[0].changed, strict=True) if not c and t.token_id < 3] == []


def test_shapes_are_those_of_the_whole_tensors():
    found = account(of.RepetitionPenaltyLogitsProcessor(2.0), torch.zeros(6), torch.tensor([[1, 2, 2, 0]]))
    gather = op(found, "torch.gather")
    assert [(t.shape, t.dtype) for t in gather.inputs] == [((1, 7), "float32"), ((1, 4), "int64")]
    assert [(t.shape, t.dtype) for t in gather.outputs] == [((1, 4), "float32")]


def test_greedy_takes_the_highest_score_and_says_whether_the_run_did():
    found = greedy_account(scores_of(0, 3, 1, 2, NEVER, 0), recorded=1, chosen=1)
    assert found.result == (1,)
    assert found.agrees
    assert found.ops[0].facts == {"best_token": 1, "best": 3.0, "second": 2.0}
    assert greedy_account(scores_of(0, 3, 1, 2, NEVER, 0), recorded=3).agrees is False
    assert greedy_account(scores_of(0, 3, 1, 2, NEVER, 0), recorded=None).agrees is None


def test_a_draw_is_not_repeated_its_probabilities_are_exact():
    found = drawn_account(scores_of(0.5, 0.25, 0.25, 0, 0, 0).log(), drawn=2, chosen=2)
    softmax, multinomial = found.ops
    assert entries(found, softmax.outputs[0])[2] == 0.25
    assert multinomial.outputs[0].values == (2,)
    assert multinomial.facts == {"drawn_token": 2, "p": 0.25}
    assert found.agrees is None


# --- what is followed, and what is said where nothing can be compared


def test_both_sides_of_the_boundary_the_likeliest_and_the_one_in_view_are_followed():
    before = torch.arange(100, 0, -1).float()  # token 0 is the best
    found = account(of.TopKLogitsWarper(30), before, chosen=77)
    assert [t.token_id for t in found.tokens] == [0, 1, 2, 28, 29, 30, 31, 77]
    assert [t.fate for t in found.tokens] == ["kept"] * 5 + ["removed"] * 3


def test_one_bit_off_is_said(monkeypatch):
    before = scores_of(3, 1, 2, 2.5, 0, -1)
    after = before / 0.7
    after[1] = torch.nextafter(after[1], torch.tensor(math.inf))
    stage = Stage(name="TemperatureLogitsWarper", params={"temperature": 0.7})
    found = stage_account(stage, before, after, Context(input_ids=INPUT))
    assert found.agrees is False
    assert found.n_differing == 1
    assert 0 < found.greatest_difference < 1e-6


NONSENSE = [
    ("TopKLogitsWarper", {}), ("TopKLogitsWarper", {"top_k": -3}), ("TopKLogitsWarper", {"top_k": 2.5}),
    ("TopPLogitsWarper", {"top_p": [1, 2]}), ("TopPLogitsWarper", {"top_p": 0.9, "min_tokens_to_keep": [3]}),
    ("SuppressTokensLogitsProcessor", {"suppress_tokens": [[1], [2]]}),
    ("SuppressTokensLogitsProcessor", {"suppress_tokens": [2**70]}),
    ("ForcedEOSTokenLogitsProcessor", {"max_length": 6, "eos_token_id": 10**6}),
    ("RepetitionPenaltyLogitsProcessor", {"penalty": 1.2, "prompt_ignore_length": []}),
    ("EncoderRepetitionPenaltyLogitsProcessor", {"penalty": [[2]]}), ("EtaLogitsWarper", {"epsilon": -1}),
    ("TemperatureLogitsWarper", {"temperature": 0}), ("NobodysProcessor", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "params"), NONSENSE)
def test_parameters_that_make_no_sense_never_raise(name, params):
    before = scores_of(3, 1, 2, 2.5, 0, NEVER)
    found = stage_account(Stage(name=name, params=params), before, before, Context(input_ids=INPUT, encoder_ids=INPUT))
    assert found.ops
    assert found.taken_apart is (name in ("EtaLogitsWarper", "TemperatureLogitsWarper"))


def test_a_processor_of_ones_own_is_shown_as_one_step_even_under_a_known_name():
    before = scores_of(3, 1, 2, 2.5, 0, -1)
    after = scores_of(3, 5, NEVER, 2.5, -1, -1)
    own = Stage(name="TopKLogitsWarper", params={"top_k": 2}, own=True)
    found = stage_account(own, before, after, Context(input_ids=INPUT))
    assert not found.taken_apart
    assert found.agrees is None
    assert found.ops[0].facts == {"n": 6, "n_removed": 1, "n_raised": 1, "n_lowered": 1, "n_revived": 0}
    changed = zip(found.tokens, found.ops[0].outputs[0].changed, strict=True)
    assert sorted(t.token_id for t, c in changed if c) == [1, 2, 4]


def test_a_stage_that_changes_the_vocabulary_is_shown_as_one_step():
    mine = Stage(name="Mine", params={}, own=True)
    found = stage_account(mine, torch.zeros(6), torch.zeros(4), Context(input_ids=INPUT))
    assert found.ops[0].facts == {"n_before": 6, "n_after": 4}


def test_every_function_is_torchs_and_has_a_page():
    names = set()
    context = Context(input_ids=INPUT, encoder_ids=INPUT, chosen_before=torch.tensor([1, 2]))
    stages = {name: stages_of([make()])[0] for name, make in makers(9).items() if name in TAKEN_APART}
    stages["HammingDiversityLogitsProcessor"] = Stage(name="", params={"diversity_penalty": 0.5})
    stages["log_softmax"] = Stage(name="", params={})
    assert stages.keys() == TAKEN_APART.keys()
    for name, stage in stages.items():
        slide = Slide()
        TAKEN_APART[name](slide, torch.randn(1, 9), stage.params, context)
        names |= {n for noted in slide.noted for n in (noted.name, *noted.also)}
    for name in names - {"torch.Tensor[:]"}:
        found = torch
        for part in name.split(".")[1:]:
            found = getattr(found, part)
        assert callable(found)
        assert doc_url(name).startswith("https://docs.pytorch.org/docs/stable/")
    assert doc_url("torch.topk") == "https://docs.pytorch.org/docs/stable/generated/torch.topk.html"
    assert doc_url("degeneration_penalty") == ""


# --- recorded runs


RUNS = {
    "greedy": Settings(
        max_new_tokens=5, repetition_penalty=1.3, min_new_tokens=2, no_repeat_ngram_size=2, bad_words_ids=[[7]],
        suppress_tokens=[3, 4], begin_suppress_tokens=[5], forced_eos_token_id=2, renormalize_logits=True,
        remove_invalid_values=True, encoder_repetition_penalty=1.2, sequence_bias=[[[9], 2.0]],
        exponential_decay_length_penalty=(2, 1.2),
    ),
    "sample": Settings(
        do_sample=True, temperature=0.8, top_k=50, top_p=0.9, min_p=0.02, typical_p=0.9, epsilon_cutoff=0.001,
        eta_cutoff=0.001, top_h=0.8, seed=0, max_new_tokens=4, num_return_sequences=2,
    ),
    "beam": Settings(num_beams=3, max_new_tokens=6, repetition_penalty=1.2, eos_token_id=(276, 52, 81)),
    "beam_sample": Settings(num_beams=3, do_sample=True, seed=1, top_k=20, max_new_tokens=5),
    "diverse": Settings(
        num_beams=4, num_beam_groups=2, diversity_penalty=0.7, max_new_tokens=6, eos_token_id=(276, 52),
    ),
    "contrastive": Settings(penalty_alpha=0.6, top_k=5, max_new_tokens=4),
}  # fmt: skip
NOT_TAKEN_APART = {
    "NoRepeatNGramLogitsProcessor", "NoBadWordsLogitsProcessor", "SequenceBiasLogitsProcessor",
    "ExponentialDecayLengthPenalty",
}  # fmt: skip


@pytest.fixture(scope="module", params=RUNS)
def run(request, tiny):
    prompts = ["The capital of France is", "the cat"]
    return record(tiny, prompts[0] if request.param == "contrastive" else prompts, RUNS[request.param])


def places(trace):
    for step in trace.steps:
        for row in range(trace.n_rows):
            if trace.ledger is not None or not step.ended[row]:
                yield step, row


def test_every_stage_and_choice_of_a_run_equals_what_was_recorded(run):
    for step, row in places(run):
        for stage in range(1, len(step.stages) + 2):
            found = account_of(run, step=step.index, row=row, stage=stage, token_id=step.token_ids[row])
            if found is None:  # a group of beams whose search was over
                assert run.mode == "group_beam_search"
                continue
            assert found.agrees is not False, f"step {step.index}, row {row}, {found.source}"
            if stage <= len(step.stages):
                assert found.taken_apart is (step.stages[stage - 1].name not in NOT_TAKEN_APART)
                assert found.agrees is (True if found.taken_apart else None)
            elif run.mode != "sample":
                assert found.agrees


@pytest.mark.parametrize("name", ["beam", "beam_sample", "diverse"])
def test_the_numbers_of_a_beam_step_are_the_ledgers(name, tiny):
    trace = record(tiny, ["The capital of France is", "the cat"], RUNS[name])
    n_groups = RUNS[name].num_beam_groups or 1
    for step, row in places(trace):
        found = account_of(trace, step=step.index, row=row, stage=len(step.stages) + 1)
        if found is None:
            continue
        prompt, size = row // trace.rows_per_prompt, trace.rows_per_prompt // n_groups
        first, group = row - row % size, row % trace.rows_per_prompt // size
        mine = [c for c in trace.ledger.candidates(step.index, prompt) if c.group == group]
        shown = [mine[t.rank] for t in found.tokens]
        sums = next(t for o in found.ops for t in o.outputs if t.name == "topk_log_probs")
        parents = op(found, "torch.floor_divide").outputs[0].values
        assert list(sums.values) == [c.score for c in shown]
        assert [first + parent for parent in parents] == [c.parent for c in shown]
        assert list(op(found, "torch.remainder").outputs[0].values) == [c.token_id for c in shown]
        added = op(found, "torch.add")
        assert list(added.inputs[0].values) == [c.logprob for c in shown]
        carried = found.ops[-2].outputs[0]
        rows = [None if place is None else first + place for place in carried.places]
        assert rows == [c.row for c in shown]


def test_under_other_settings_the_stages_are_transformers_own(tiny):
    trace = record(tiny, "The capital of France is", Settings(max_new_tokens=3))
    whatif = trace.whatif(Settings(do_sample=True, temperature=0.7, top_k=0, top_p=0.8))
    found = account_of(trace, step=1, row=0, stage=2, whatif=whatif)
    assert found.source == "TopPLogitsWarper.__call__"
    assert found.agrees
    assert account_of(trace, step=1, row=0, stage=3, whatif=whatif).ops[1].note == "multinomial.open"


def test_a_choice_that_needs_the_model_is_not_made_up(tiny):
    trace = record(tiny, "The capital of France is", Settings(max_new_tokens=3))
    for other in (Settings(num_beams=3), Settings(penalty_alpha=0.6, top_k=4)):
        whatif = trace.whatif(other)
        assert account_of(trace, step=1, row=0, stage=len(whatif.stages) + 1, whatif=whatif) is None


def test_of_a_compact_trace_only_exact_tokens_are_followed_and_compared(tiny):
    trace = compact(record(tiny, "The capital of France is", RUNS["sample"]), head=12)
    for stage in range(1, len(trace.stages) + 2):
        found = account_of(trace, step=2, row=1, stage=stage, token_id=trace.steps[2].token_ids[1])
        exact = set(trace.steps[2].exact_ids(1).tolist())
        assert {t.token_id for t in found.tokens} <= exact
        if stage <= len(trace.stages):
            assert found.n_compared == len(exact)
