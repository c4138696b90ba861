"""What-if is exact: random logits and settings against transformers' processors, built and called by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers.generation as hf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decoding import Settings
from decoding.whatif.chosen_token import PROBABILITY_ERROR
from tests.hand_made import trace_of_logits
from tests.test_parity import assert_same_bits

EOS = 2
STEADY = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}
WATERMARK = {"greenlist_ratio": 0.5, "bias": 1.5, "seeding_scheme": "lefthash"}
LARGE = [49_152, 152_000]

KINDS = {
    "flat": lambda rng, n: rng.normal(0, 0.05, n),
    "normal": lambda rng, n: rng.normal(0, 1, n),
    "peaked": lambda rng, n: rng.normal(0, 6, n),
    "like a model's": lambda rng, n: 20 - 1.3 * np.log(1 + rng.permutation(n)) + rng.normal(0, 0.3, n),
    "tied": lambda rng, n: np.round(rng.normal(0, 2, n)),
    "nearly tied": lambda rng, n: np.round(rng.normal(0, 2, n)) + rng.integers(0, 3, n) * 2.0**-22,
    "all alike": lambda rng, n: np.full(n, 0.3) + (rng.random(n) < 1.5 / n),
    "holes": lambda rng, n: np.where(rng.random(n) < 0.3, -np.inf, rng.normal(0, 3, n)),
    "hardly any": lambda rng, n: np.where(np.arange(n) % (n // 4) == 3, rng.normal(0, 3, n), -np.inf),
    "wide": lambda rng, n: rng.normal(0, 200, n),
    "in stripes": lambda rng, n: rng.normal(0, 1, n) + 9 * (np.arange(n) % max(n // 3072, 1) == 0),
    "one for all": lambda rng, n: np.where(np.arange(n) == n // 2, 40.0, rng.normal(0, 1, n)),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Thousands of short operations wait for threads longer than they take."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


# --- random runs and settings -------------------------------------------------------------------------------


def random_logits(kind, seed, n_steps, n_rows, vocab, dtype=torch.float32):
    rng = np.random.default_rng(seed)
    rows = np.stack([KINDS[kind](rng, vocab) for _ in range(n_steps * n_rows)]).astype(np.float32)
    return torch.from_numpy(rows).reshape(n_steps, n_rows, vocab).to(dtype)


def random_choices(logits, seed):
    """Likely tokens, unlikely ones, and some that the logits forbid."""
    rng = np.random.default_rng(seed)

    def one(scores):
        draw = rng.integers(4)
        if draw == 0:
            return int(scores.argmax())
        if draw == 1:
            return int(rng.integers(len(scores)))
        if draw == 2:
            return int(torch.multinomial(torch.softmax(scores.float(), -1), 1, generator=generator))
        return int(scores.float().argsort(descending=True)[rng.integers(min(len(scores), 60))])

    generator = torch.Generator().manual_seed(seed)
    return [[one(row) for row in step] for step in logits]


@st.composite
def runs(draw, sizes=(32, 33, 200, 1_000, 5_000), n_rows=(1, 1, 2)):
    seed, vocab = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from(sizes))
    dtype = draw(st.sampled_from([torch.float32, torch.float32, torch.bfloat16]))
    logits = random_logits(draw(st.sampled_from(list(KINDS))), seed, 3, draw(st.sampled_from(n_rows)), vocab, dtype)
    prompt = draw(st.lists(st.integers(3, 31), min_size=1, max_size=6))
    return trace_of_logits(logits, random_choices(logits, seed), prompt, eos_token_id=EOS, max_length=len(prompt) + 3)


ids = st.lists(st.integers(3, 26), min_size=1, max_size=4)  # transformers refuses to suppress a forced token
WARPERS = {
    "temperature": st.sampled_from([0.01, 0.3, 0.7, 1.0, 1.5, 4.0, 100.0]) | st.floats(0.05, 5),
    "top_k": st.sampled_from([0, 1, 2, 7, 50, 400, 10**6]),
    "top_p": st.sampled_from([0.001, 0.5, 0.9, 0.95, 0.999, 1.0]) | st.floats(0.01, 0.999),
    "min_p": st.sampled_from([0.0, 1e-35, 1e-4, 0.05, 0.5, 1.0]) | st.floats(0.001, 0.999),
}
CUTS = {
    "typical_p": st.sampled_from([0.2, 0.9, 1.0]),
    "top_h": st.sampled_from([0.1, 0.6, 1.0]),
    "epsilon_cutoff": st.sampled_from([0.0, 1e-4, 0.05]),
    "eta_cutoff": st.sampled_from([0.0, 1e-3, 0.05]),
}
PENALTIES = {
    "repetition_penalty": st.sampled_from([0.5, 1.0, 1.2, 3.0]),
    "no_repeat_ngram_size": st.sampled_from([0, 1, 2]),
    "bad_words_ids": st.lists(ids, min_size=1, max_size=3),
    "suppress_tokens": ids,
    "begin_suppress_tokens": ids,
    "sequence_bias": st.lists(st.tuples(ids, st.floats(-5, 5).filter(bool)), min_size=1, max_size=3),
    "min_new_tokens": st.integers(0, 3),
}
OTHERS = {
    "encoder_repetition_penalty": st.sampled_from([0.7, 1.5]),
    "encoder_no_repeat_ngram_size": st.sampled_from([1, 2]),
    "forced_bos_token_id": st.integers(27, 31),
    "forced_eos_token_id": st.just(EOS),
    "exponential_decay_length_penalty": st.tuples(st.integers(0, 2), st.sampled_from([0.9, 1.3])),
    "remove_invalid_values": st.just(True),
    "renormalize_logits": st.booleans(),
    "watermarking_config": st.just(WATERMARK),
}


def knobs(*tables):
    every = {name: strategy for table in tables for name, strategy in table.items()}
    return st.fixed_dictionaries({}, optional=every)


def by_hand(given, trace):
    """transformers' processors for these parameters in transformers' order; nothing here is the program's."""
    eos, n_prompt, encoder = torch.tensor([EOS]), trace.prompt_ids.shape[1], trace.prompt_ids[:1]
    g, made = {"top_k": 50, **given}, []  # 50 is transformers' own default

    def add(wanted, build):
        if wanted:
            made.append(build())

    add("sequence_bias" in g, lambda: hf.SequenceBiasLogitsProcessor([[list(i), b] for i, b in g["sequence_bias"]]))
    for name, kind in (("encoder_repetition_penalty", hf.EncoderRepetitionPenaltyLogitsProcessor),):
        add(name in g, lambda kind=kind, name=name: kind(g[name], encoder))
    add(g.get("repetition_penalty", 1.0) != 1.0, lambda: hf.RepetitionPenaltyLogitsProcessor(g["repetition_penalty"]))
    add(g.get("no_repeat_ngram_size"), lambda: hf.NoRepeatNGramLogitsProcessor(g["no_repeat_ngram_size"]))
    add(
        "encoder_no_repeat_ngram_size" in g,
        lambda: hf.EncoderNoRepeatNGramLogitsProcessor(g["encoder_no_repeat_ngram_size"], encoder),
    )
    add("bad_words_ids" in g, lambda: hf.NoBadWordsLogitsProcessor(g["bad_words_ids"], eos))
    add("min_new_tokens" in g, lambda: hf.MinLengthLogitsProcessor(n_prompt + g["min_new_tokens"], eos))
    add(g.get("min_new_tokens"), lambda: hf.MinNewTokensLengthLogitsProcessor(n_prompt, g["min_new_tokens"], eos))
    add("forced_bos_token_id" in g, lambda: hf.ForcedBOSTokenLogitsProcessor(g["forced_bos_token_id"]))
    add("forced_eos_token_id" in g, lambda: hf.ForcedEOSTokenLogitsProcessor(n_prompt + 3, g["forced_eos_token_id"]))
    add("remove_invalid_values" in g, hf.InfNanRemoveLogitsProcessor)
    add(
        "exponential_decay_length_penalty" in g,
        lambda: hf.ExponentialDecayLengthPenalty(g["exponential_decay_length_penalty"], eos, n_prompt),
    )
    add("suppress_tokens" in g, lambda: hf.SuppressTokensLogitsProcessor(g["suppress_tokens"]))
    begin = n_prompt if n_prompt > 1 or "forced_bos_token_id" not in g else n_prompt + 1
    add(
        "begin_suppress_tokens" in g,
        lambda: hf.SuppressTokensAtBeginLogitsProcessor(g["begin_suppress_tokens"], begin),
    )
    if g["do_sample"]:
        add(g.get("temperature", 1.0) != 1.0, lambda: hf.TemperatureLogitsWarper(g["temperature"]))
        add("top_h" in g, lambda: hf.TopHLogitsWarper(g["top_h"]))
        add(g["top_k"], lambda: hf.TopKLogitsWarper(g["top_k"]))
        add(g.get("top_p", 1.0) < 1, lambda: hf.TopPLogitsWarper(g["top_p"]))
        add("min_p" in g, lambda: hf.MinPLogitsWarper(g["min_p"]))
        add(g.get("typical_p", 1.0) < 1, lambda: hf.TypicalLogitsWarper(g["typical_p"]))
        add(g.get("epsilon_cutoff"), lambda: hf.EpsilonLogitsWarper(g["epsilon_cutoff"]))
        add(g.get("eta_cutoff"), lambda: hf.EtaLogitsWarper(g["eta_cutoff"]))
    if "watermarking_config" in g:
        vocab = trace.model.vocab_size
        made.append(hf.WatermarkLogitsProcessor(vocab_size=vocab, device="cpu", **g["watermarking_config"]))
    add(g.get("renormalize_logits"), hf.LogitNormalization)
    return made


def outputs_by_hand(trace, processors, step):
    """The recorded logits, and the scores after each processor, called one after the other on all rows."""
    outputs = [trace.steps[step].logits().float()]
    prefix = torch.cat([trace.prompt_ids, trace.generated_ids[:, :step]], dim=1)
    for processor in processors:
        outputs.append(processor(prefix, outputs[-1].clone()))
    return outputs


def assert_same_facts(trace, given):
    """Survival, rank and divergence exactly, the probability within what is promised."""
    w, processors = trace.whatif(Settings(**given)), by_hand(given, trace)
    parts = [None] * trace.n_rows
    for t, step in enumerate(trace.steps):
        scores = outputs_by_hand(trace, processors, t)[-1]
        for row, token_id in enumerate(step.token_ids):
            own, left = scores[row], bool((scores[row] > -math.inf).any())
            p = float(torch.softmax(own.double(), -1)[token_id]) if left else 0.0
            assert w.chosen_survives[t][row] == (p > 0)
            assert w.chosen_rank[t][row] == int((own > own[token_id]).sum())
            assert abs(w.chosen_probability[t][row] - p) <= PROBABILITY_ERROR
            goes_on = p > 0 if given["do_sample"] else int(own.argmax()) == token_id
            if not goes_on and parts[row] is None:
                parts[row] = t
    assert w.row_diverges_at == tuple(parts)
    assert w.diverges_at == min((t for t in parts if t is not None), default=None)


# --- the properties -----------------------------------------------------------------------------------------


@settings(max_examples=150, **STEADY)
@given(runs(), knobs(WARPERS, CUTS, PENALTIES, OTHERS), st.booleans())
def test_every_stage_is_what_transformers_processors_give_bit_for_bit(trace, given, do_sample):
    given = {**given, "do_sample": do_sample}
    w, processors = trace.whatif(Settings(**given)), by_hand(given, trace)
    assert [s.name for s in w.stages] == [type(p).__name__ for p in processors]
    for step in range(len(trace.steps)):
        for stage, scores in enumerate(outputs_by_hand(trace, processors, step)):
            for row in range(trace.n_rows):
                assert_same_bits(w.scores(step=step, row=row, stage=stage), scores[row])


@settings(max_examples=150, **STEADY)
@given(runs(sizes=(32, 1_000, 5_000, 20_000)), knobs(WARPERS, PENALTIES))
def test_the_whole_run_is_told_as_the_processors_would(trace, given):
    assert_same_facts(trace, {**given, "do_sample": True})


@settings(max_examples=100, **STEADY)
@given(runs(), knobs(WARPERS, CUTS, PENALTIES, OTHERS), st.booleans())
def test_the_whole_run_is_told_with_every_other_parameter_too(trace, given, do_sample):
    assert_same_facts(trace, {**given, "do_sample": do_sample})


@settings(max_examples=150, **STEADY)
@given(runs(sizes=(32, 1_000, 20_000)), knobs({"temperature": WARPERS["temperature"]}), st.data())
def test_a_threshold_exactly_at_a_token_is_decided_as_transformers_decides_it(trace, given, data):
    scores = trace.steps[0].logits().float() / given.get("temperature", 1.0)
    ascending, order = torch.sort(scores)
    probs, vocab = ascending.softmax(-1)[0], scores.shape[-1]
    place = data.draw(st.integers(1, 30) | st.integers(1, vocab - 1))
    near = min(max(place + data.draw(st.integers(-2, 2)), 1), vocab)  # the token at the threshold, or one beside it
    if data.draw(st.booleans()):
        edge = {"top_p": min(max(1 - float(probs.cumsum(-1)[-place]), 1e-9), 1.0)}
    else:
        edge = {"min_p": min(float(probs[-place] / probs[-1]), 1.0)}
    first = replace(trace.steps[0], token_ids=tuple(order[:, -near].tolist()))
    trace = replace(trace, steps=(first, *trace.steps[1:]))
    assert_same_facts(trace, {**given, **edge, "do_sample": True, "top_k": data.draw(st.sampled_from([0, 40]))})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vocab", LARGE)
def test_large_vocabularies_are_told_as_the_processors_would(kind, vocab):
    logits = random_logits(kind, vocab, 2, 1, vocab)
    trace = trace_of_logits(logits, random_choices(logits, 1), eos_token_id=EOS, max_length=4)
    for acting in (
        {"temperature": 0.8, "top_k": 0, "top_p": 0.9},
        {"temperature": 1.5, "top_k": 20_000, "top_p": 0.7, "min_p": 0.01},
        {"temperature": 0.7, "top_k": 50, "top_p": 0.95, "min_p": 0.05, "repetition_penalty": 1.3},
        {"top_k": 0, "min_p": 0.1, "epsilon_cutoff": 3e-4},
    ):
        assert_same_facts(trace, {**acting, "do_sample": True})


@pytest.mark.parametrize("gap", [687, 689.9, 708.3, 709, 720, 744, 745.1, 745.2, 746, 759, 761, 1e4])
def test_a_probability_too_small_for_float64_is_zero_for_both(gap):
    logits = torch.tensor([[[0.0, -gap, *[-1e5] * 30]]])
    assert_same_facts(trace_of_logits(logits, [[1]], max_length=2), {"do_sample": True, "top_k": 0, "top_p": 1.0})


@pytest.mark.parametrize("min_p", [1e-29, 1e-31, 1e-36, 1e-38, 1e-40])
@pytest.mark.parametrize("nearness", [0.9, 0.999, 1.001, 1.1])
def test_a_min_p_at_which_float32_runs_out_of_digits_cuts_as_transformers_cuts(min_p, nearness):
    logits = torch.zeros(1, 1, 3_000)  # the sum makes probabilities smaller still
    logits[0, 0, 7] = math.log(min_p * nearness)
    assert_same_facts(trace_of_logits(logits, [[7]], max_length=2), {"do_sample": True, "top_k": 0, "min_p": min_p})


@pytest.mark.parametrize("chosen", [0, 1, 2, 3])
@pytest.mark.parametrize("ulps", [-3, -1, 0, 1, 3])
def test_tied_tokens_that_top_p_tears_apart_meet_min_p_as_in_transformers(chosen, ulps):
    logits = torch.tensor([[[1.0, 0.0, 0.0, 0.0, *[-9.0] * 28]]])
    min_p = float(np.float32(math.exp(-1)) + ulps * 2.0**-25)
    given = {"do_sample": True, "top_k": 0, "top_p": 0.6, "min_p": min_p}  # the first and one of the three have 0.6
    assert_same_facts(trace_of_logits(logits, [[chosen]], max_length=2), given)
