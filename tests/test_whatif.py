"""What-if gives what transformers' processors give on the recorded logits, bit for bit."""

from __future__ import annotations

import math
import random
import tempfile
from dataclasses import replace

import pytest
import torch
import transformers.generation as hf

from decoding import Settings, load_trace, record
from decoding.errors import NotRecordedError, SettingError
from decoding.whatif.chosen_token import chosen_facts
from tests.hand_made import trace_of_logits
from tests.test_beam_parity import random_beam_settings
from tests.test_parity import assert_same_bits, random_settings
from tests.test_step_store import SmallDisk
from tests.tiny_models import tiny_lm

LMS = {}


def lm_of(kind):
    return LMS.setdefault(kind, tiny_lm(kind))


def cleaned(values, lm):
    """Random parameters as `Settings` take them."""
    values = {k: v for k, v in values.items() if k != "guidance_scale"}
    if lm.is_encoder_decoder or values.get("num_return_sequences", 1) > 1:
        values = {k: v for k, v in values.items() if not k.startswith("encoder_")}
    if values.get("min_new_tokens", 0) > values["max_new_tokens"]:
        values.pop("min_new_tokens")  # Settings refuses it
    return Settings(**values, seed=3)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bart"])
@pytest.mark.parametrize("case", range(12))
def test_the_same_settings_give_the_recorded_stages_bit_for_bit(kind, case):
    rng, lm = random.Random(f"whatif-{kind}-{case}"), lm_of(kind)
    draw = random_beam_settings if case % 3 == 0 else random_settings
    settings = cleaned(draw(rng, 300), lm)
    trace = record(lm, ["The capital of", "A language"] if case % 2 else "The cat", settings)
    w = trace.whatif(settings)
    assert [s.name for s in w.stages] == [s.name for s in trace.stages]
    for step in trace.steps:
        for row in range(trace.n_rows):
            for stage in range(len(trace.stages) + 1):
                ours = w.scores(step=step.index, row=row, stage=stage)
                assert_same_bits(ours, step.scores(row=row, stage=stage))
    assert w.diverges_at is None
    assert w.statements == ()


@pytest.mark.parametrize("case", range(12))
def test_other_settings_give_what_a_run_with_them_gives_while_the_prefix_is_the_same(case):
    rng, lm = random.Random(f"other-{case}"), lm_of("llama")
    first = record(lm, "The capital of", Settings(max_new_tokens=6, eos_token_id=[290]))
    other = cleaned({**random_settings(rng, 300), "num_return_sequences": 1, "max_new_tokens": 6}, lm)
    other = Settings(**{**other.given(), "eos_token_id": [290]})
    second, w = record(lm, "The capital of", other), first.whatif(other)
    assert [s.name for s in w.stages] == [s.name for s in second.stages]
    same = 0
    while same < len(second.steps) and same < len(first.steps):
        assert_same_bits(w.scores(step=same), second.scores(step=same))
        if first.steps[same].token_ids != second.steps[same].token_ids:
            break
        same += 1
    if not other.do_sample:
        assert w.diverges_at == (same if same < len(first.steps) else None)


def test_a_removed_token_does_not_survive_and_says_from_where_on(tiny):
    trace = record(tiny, "The", Settings(do_sample=True, temperature=3.0, top_k=0, seed=1, max_new_tokens=8))
    w = trace.whatif(Settings(do_sample=True, top_k=1, seed=1, max_new_tokens=8))
    ranks = [w.trace.scores(step=t, stage=0) for t in range(len(trace.steps))]
    likeliest = [int(s.argmax()) == step.token_ids[0] for s, step in zip(ranks, trace.steps, strict=True)]
    assert [row[0] for row in w.chosen_survives] == likeliest
    assert w.diverges_at == likeliest.index(False)


@pytest.mark.parametrize("case", range(30))
def test_another_length_penalty_gives_generates_answer_wherever_it_is_decided(case):
    rng, lm = random.Random(f"replay-{case}"), lm_of(["llama", "gpt2"][case % 2])
    ends = rng.sample(range(4, 300), 30)  # many ends, so that pools fill and overflow
    common = {"num_beams": rng.randint(2, 4), "max_new_tokens": 10, "eos_token_id": ends}
    first = record(
        lm, ["The cat", "A language model"][: rng.randint(1, 2)],
        Settings(**common, length_penalty=rng.choice([0.0, 1.0]), early_stopping=rng.choice([False, "never"])),
    )  # fmt: skip
    other = Settings(
        **common, length_penalty=rng.choice([-1.0, 0.5, 2.0]), early_stopping=rng.choice([True, False, "never"]),
        num_return_sequences=2,
    )  # fmt: skip
    replayed = first.whatif(other).replay
    second = record(lm, list(first.prompts), other)
    if replayed.decided:
        assert replayed.n_steps == len(second.steps)
        assert replayed.hypotheses == second.hypotheses
    else:
        assert len(second.steps) > len(first.steps)


def test_what_needs_the_model_is_said(tiny):
    trace = record(tiny, "The", Settings(max_new_tokens=3))
    assert [s.what for s in trace.whatif(Settings(guidance_scale=2.0)).statements] == ["guidance_scale"]
    assert [s.why for s in trace.whatif(Settings(num_beams=3)).statements] == ["mode"]
    beams = record(tiny, "The", Settings(num_beams=2, max_new_tokens=3))
    w = beams.whatif(Settings(num_beams=3))
    assert [(s.why, s.what) for s in w.statements] == [("rerun", "num_beams")]
    assert w.replay is None


@pytest.mark.parametrize(
    "settings",
    [
        {"do_sample": True, "temperature": 0.01},
        {"do_sample": True, "top_p": 0.001},
        {"do_sample": True, "top_k": 10**9},
        {"do_sample": True, "top_k": 1, "min_p": 1.0, "typical_p": 0.001},
    ],
)
def test_sliders_at_their_ends_are_answered(tiny, settings):
    trace = record(tiny, "The", Settings(max_new_tokens=3))
    w = trace.whatif(Settings(**settings))
    assert torch.isfinite(w.scores(step=0)).any()
    assert all(w.chosen_survives[t][0] for t in range(3)) or w.diverges_at is not None


def test_a_choice_that_the_scores_alone_do_not_make_is_never_called_a_divergence(tiny):
    settings = Settings(penalty_alpha=0.9, top_k=8, max_new_tokens=8)
    trace = record(tiny, "The", settings)
    taken = [trace.scores(step=t)[step.token_ids[0]] for t, step in enumerate(trace.steps)]
    assert any(score < trace.scores(step=t).max() for t, score in enumerate(taken))
    w = trace.whatif(settings)
    assert w.diverges_at is None
    assert [s.what for s in w.statements] == ["penalty_alpha"]


def test_diverse_groups_are_said_to_be_left_out(tiny):
    settings = Settings(num_beams=4, num_beam_groups=2, diversity_penalty=1.0, max_new_tokens=3)
    w = record(tiny, "The", settings).whatif(settings)
    assert [s.what for s in w.statements] == ["diversity_penalty"]
    assert w.replay is None


# --- hand-made steps ----------------------------------------------------------------------------------------

# exp gives 4 : 2 : 1 : 1, so the probabilities are 1/2, 1/4, 1/8, 1/8
LOGITS = [math.log(4), math.log(2), 0.0, 0.0]


def of_rows(*choices, logits=LOGITS, **config):
    """A run of one row that took these tokens, from the same four logits at each step; the prompt is token 0."""
    return trace_of_logits(torch.tensor([[logits]] * len(choices)), [[i] for i in choices], **config)


def test_top_p_keeps_the_token_that_crosses_and_the_others_share_its_probability():
    w = of_rows(0, 1, 2).whatif(Settings(do_sample=True, top_k=0, top_p=0.7))
    assert [p for (p,) in w.chosen_probability] == pytest.approx([2 / 3, 1 / 3, 0.0])
    assert w.chosen_rank == ((0,), (1,), (2,))
    assert w.chosen_survives == ((True,), (True,), (False,))
    assert w.diverges_at == 2


def test_a_removed_token_ranks_behind_all_that_are_left():
    w = of_rows(3).whatif(Settings(do_sample=True, top_k=1))
    assert w.chosen_rank == ((1,),)


def test_a_greedy_run_takes_the_first_of_tied_tokens():
    trace = of_rows(0, 1, 2, logits=[0.0, 3.0, 3.0, 1.0])
    assert trace.whatif(Settings(do_sample=False)).diverges_at == 0
    w = of_rows(1, 2, logits=[0.0, 3.0, 3.0, 1.0]).whatif(Settings(do_sample=False))
    assert w.chosen_rank == ((0,), (0,))
    assert w.diverges_at == 1  # token 2 is as likely as token 1, and comes after it


@pytest.mark.parametrize("rules", [[], [hf.TopKLogitsWarper(2)], [hf.TopPLogitsWarper(0.9)]])
def test_of_tied_tokens_only_one_comes_first(rules):
    scores = torch.tensor([[0.0, 3.0, 3.0, 1.0]])
    facts = chosen_facts(rules, torch.tensor([[0]]), scores, [0, 0, 0], [1, 2, 3])
    assert [fact.first for fact in facts] == [True, False, False]


@pytest.mark.parametrize("ranks", [False, True])
def test_the_best_token_outlives_a_nucleus_too_small_for_float32(ranks):
    scores = torch.tensor([[3.0, 1.0, 0.0]])
    facts = chosen_facts([hf.TopPLogitsWarper(1e-9)], torch.tensor([[0]]), scores, [0, 0], [0, 2], ranks=ranks)
    assert [(fact.probability, fact.rank) for fact in facts] == [(1.0, 0), (0.0, 1)]


@pytest.mark.parametrize("kind", [hf.TopPLogitsWarper, hf.MinPLogitsWarper])
def test_rules_that_must_leave_two_tokens_leave_two(kind):
    scores = torch.tensor([[9.0, 1.0, 0.0]])
    rule = kind(0.5, min_tokens_to_keep=2)
    facts = chosen_facts([rule], torch.tensor([[0]]), scores, [0, 0, 0], [0, 1, 2])
    assert [fact.probability > 0 for fact in facts] == [True, True, False]


# --- what cannot be told ------------------------------------------------------------------------------------


def test_settings_that_remove_every_token_have_a_plain_answer():
    w = of_rows(0, 1).whatif(Settings(do_sample=True, top_p=0.9, suppress_tokens=[0, 1, 2, 3]))
    assert w.chosen_probability == ((0.0,), (0.0,))
    assert w.chosen_survives == ((False,), (False,))
    assert w.chosen_rank == ((0,), (0,))
    assert w.diverges_at == 0
    assert [(s.why, s.step) for s in w.statements] == [("nothing_left", 0)]
    assert w.statements[0].text == "step 1 is left without any token; it is the first of 2"
    assert bool((w.scores(step=0) == -math.inf).all())


def test_the_first_step_without_a_token_is_named():
    # the first step leaves token 1 alone, which the second may not repeat
    w = of_rows(1, 1, 1).whatif(Settings(do_sample=True, suppress_tokens=[0, 2, 3], no_repeat_ngram_size=1))
    assert w.chosen_probability == ((1.0,), (0.0,), (0.0,))
    assert w.diverges_at == 1
    assert [(s.why, s.step) for s in w.statements] == [("nothing_left", 1)]


def test_a_greedy_run_without_any_token_left_goes_on_with_token_0_as_generate_does():
    w = of_rows(0, 1).whatif(Settings(do_sample=False, suppress_tokens=[0, 1, 2, 3]))
    assert w.chosen_survives == ((False,), (False,))
    assert w.diverges_at == 1


@pytest.mark.parametrize("odd", [math.nan, math.inf])
@pytest.mark.parametrize("do_sample", [True, False])
def test_scores_that_are_no_numbers_give_no_probability_and_are_said(odd, do_sample):
    trace = of_rows(0, 2, logits=[1.0, odd, 0.0, 2.0])
    w = trace.whatif(Settings(do_sample=do_sample, top_p=0.9 if do_sample else None))
    assert w.chosen_probability == ((0.0,), (0.0,))
    assert w.chosen_survives == ((False,), (False,))
    assert [(s.why, s.step) for s in w.statements] == [("not_numbers", 0)]
    mended = trace.whatif(Settings(do_sample=do_sample, remove_invalid_values=True))
    assert mended.statements == ()


@pytest.fixture
def a_full_disk(monkeypatch):
    """From the third step on nothing can be kept of what the tiny model gives."""
    disk = SmallDisk(4_000, short=False)
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryFile", lambda **kwargs: disk)
        yield


def test_a_lost_step_is_said_and_the_others_are_told(tiny, a_full_disk, tmp_path):
    given = Settings(do_sample=True, seed=1, top_k=9, max_new_tokens=6)
    trace = record(tiny, "The cat", given, memory_budget=0)
    whole = record(tiny, "The cat", given)
    assert trace.store.lost_from == 2
    trace.save(tmp_path / "partly.trace")
    other = Settings(do_sample=True, top_p=0.5)
    all_told = whole.whatif(other)
    for partly in (trace, load_trace(tmp_path / "partly.trace")):
        w = partly.whatif(other)
        assert w.chosen_probability == (*all_told.chosen_probability[:2], *[(None,)] * 4)
        assert w.chosen_rank == (*all_told.chosen_rank[:2], *[(None,)] * 4)
        assert w.chosen_survives[2:] == ((None,),) * 4
        assert w.diverges_at in (all_told.diverges_at, None)
        assert [(s.why, s.step) for s in w.statements] == [("lost", 2)]
        with pytest.raises(NotRecordedError, match="step 3"):
            w.scores(step=2)


def test_lost_steps_leave_it_open_whether_beams_would_have_been_the_same(tiny, a_full_disk):
    given = Settings(num_beams=2, max_new_tokens=6)
    w = record(tiny, "The cat", given, memory_budget=0).whatif(given)
    assert w.replay is None
    assert [s.why for s in w.statements] == ["lost"]
    assert w.chosen_probability[-1] == (None, None)


def test_rows_that_had_ended_are_not_asked(tiny):
    given = Settings(do_sample=True, num_return_sequences=3, temperature=3.0, top_k=0, seed=5, max_new_tokens=12,
                     eos_token_id=list(range(4, 100)))  # fmt: skip
    trace = record(tiny, "The", given)
    w = trace.whatif(Settings(**{**given.given(), "top_p": 0.6}))
    ended = [step.ended for step in trace.steps]
    assert any(any(rows) for rows in ended)
    assert [tuple(p is None for p in rows) for rows in w.chosen_probability] == ended


def test_transformers_own_objections_are_setting_errors():
    with pytest.raises(SettingError, match="forced_bos_token_id"):
        of_rows(0).whatif(Settings(forced_bos_token_id=[3], suppress_tokens=[3]))


def test_a_run_of_several_rows_that_was_recorded_without_settings_can_be_asked_about_greedy_decoding(tiny):
    trace = record(tiny, "The", Settings(do_sample=True, num_return_sequences=2, seed=1, max_new_tokens=4))
    w = replace(trace, settings=None).whatif(Settings(do_sample=False))
    likeliest = [[int(step.scores(row=row, stage=0).argmax()) for row in range(2)] for step in trace.steps]
    parts = [step.token_ids != tuple(best) for step, best in zip(trace.steps, likeliest, strict=True)]
    assert w.diverges_at == parts.index(True)


# --- files, and processors with a memory --------------------------------------------------------------------


def test_a_trace_from_a_file_gives_the_same_answers(tiny, tmp_path):
    trace = record(tiny, ["The capital of", "A"], Settings(do_sample=True, temperature=2.0, seed=1, max_new_tokens=8))
    trace.save(tmp_path / "run.trace")
    other = Settings(do_sample=True, temperature=0.9, top_k=0, top_p=0.8, min_p=0.02, repetition_penalty=1.3)
    here, there = trace.whatif(other), load_trace(tmp_path / "run.trace").whatif(other)
    assert there.stages == here.stages
    assert there.chosen_probability == here.chosen_probability
    assert there.chosen_rank == here.chosen_rank
    assert there.row_diverges_at == here.row_diverges_at
    for step in range(len(trace.steps)):
        for stage in range(len(here.stages) + 1):
            for row in range(2):
                assert_same_bits(
                    there.scores(step=step, row=row, stage=stage), here.scores(step=step, row=row, stage=stage)
                )


def test_a_watermark_that_remembers_is_the_recorded_one_in_whatever_order_the_steps_are_asked_for(tiny):
    given = Settings(do_sample=True, seed=2, top_k=20, max_new_tokens=8,
                     watermarking_config={"ngram_len": 3, "keys": [5, 11, 7]})  # fmt: skip
    trace = record(tiny, "The cat", given)
    w = trace.whatif(given)
    assert w.diverges_at is None
    for step in (5, 2, 7, 0, 3):
        assert_same_bits(w.scores(step=step), trace.scores(step=step))
