"""The microscope: what it executes is what transformers executes, bit for bit, and the lines it quotes are those."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process as of

from decoding.microscope import TAKEN_APART, Context, Slide, stage_account
from decoding.stages import Stage, stages_of
from tests.laws import same_bits

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
        {"penalty": st.floats(0.1, 5.0), "prompt_ignore_length": st.sampled_from([None, 0, 2, 9, (0,), (2,)])}
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
