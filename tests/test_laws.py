"""The laws hold for every processor, and the laws themselves catch what breaks them."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import GenerationMixin, logits_process

from decoding.constraints.of_settings import CONSTRAINT_CLASSES
from decoding.parameters.knobs import KNOBS, PARAMETER_OF
from decoding.recorded.run import Step
from decoding.recorded.silent import PROCESSORS
from decoding.recorded.stages import decode_stage, encode_stages, run_processors, stages_of
from decoding.recorded.step_store import MemoryStore
from decoding.samplers.chain import CLASSES
from tests import laws
from tests.laws import MAY_REMOVE_EVERYTHING, NEVER, fake_stage, makers, same_bits

VOCABS = (1, 2, 7, 8, 9, 97)
LARGE = 49_152
NAMES = tuple(makers(97))
NEEDS = {"WatermarkLogitsProcessor": 4, "WritesInPlace": 2}  # the smallest vocabulary that leaves a token
BOUNDED = settings(deadline=None, max_examples=60)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def scores_of(vocab: int, rows: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(rows, vocab, generator=generator)


def ids_of(vocab: int, rows: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, vocab, (rows, 4), generator=generator)


def test_every_processor_that_a_parameter_becomes_is_among_those_judged():
    # One needs a diverse beam search around it, the others a vocabulary and texts: tests/test_constraints.py.
    of_ours = {"HammingDiversityLogitsProcessor", *(kind.__name__ for kind in CONSTRAINT_CLASSES.values())}
    assert set(PROCESSORS.values()) - of_ours <= set(NAMES)
    without_a_processor = {
        "do_sample", "num_return_sequences", "seed", "negative_prompt", "max_new_tokens", "max_length", "max_time",
        "stop_strings", "eos_token_id", "num_beams", "length_penalty", "early_stopping", "num_beam_groups",
        "diversity_penalty", "penalty_alpha", "dry_base", "dry_allowed_length", "dry_penalty_last_n",
        "dry_sequence_breakers", "xtc_threshold", "dynatemp_exponent", "mirostat_eta", "adaptive_decay",
    }  # fmt: skip
    with_several = {"guidance_scale", "renormalize_logits", "watermarking_config"}
    assert set(KNOBS) == {*PROCESSORS, *without_a_processor, *with_several}


def test_every_processor_that_generate_builds_is_in_the_table():
    built = re.findall(r"\b([A-Z]\w+)\(", inspect.getsource(GenerationMixin._get_logits_processor))
    built = {n for n in built if issubclass(getattr(logits_process, n, object), logits_process.LogitsProcessor)}
    built |= {"WatermarkLogitsProcessor", "SynthIDTextWatermarkLogitsProcessor"}  # by `construct_processor`
    assert len(built) > 20
    no_parameter = {"PrefixConstrainedLogitsProcessor"}  # of generate()'s argument prefix_allowed_tokens_fn
    ours = {kind.__name__ for kind in (*CLASSES.values(), *CONSTRAINT_CLASSES.values())}
    assert set(PARAMETER_OF) - {"HammingDiversityLogitsProcessor"} == (built - no_parameter) | ours
    assert all(KNOBS[parameter].becomes for parameter in PARAMETER_OF.values())


@pytest.mark.parametrize("vocab", VOCABS)
@pytest.mark.parametrize("name", NAMES)
def test_a_stage_never_changes_its_input(name: str, vocab: int):
    make = makers(vocab)[name]
    chain = [makers(vocab)["TemperatureLogitsWarper"], make, makers(vocab)["WritesInPlace"]]
    laws.a_stage_never_changes_its_input(run_processors, chain, ids_of(vocab), scores_of(vocab))
    laws.the_chain_gives_what_generate_computes(run_processors, [make], ids_of(vocab), scores_of(vocab))
    laws.the_chain_gives_what_generate_computes(run_processors, chain[::-1], ids_of(vocab), scores_of(vocab))


@pytest.mark.parametrize("vocab", VOCABS)
@pytest.mark.parametrize("name", NAMES)
def test_the_encoding_reproduces_the_bits_of_every_processor(name: str, vocab: int):
    judge_encoding(name, vocab)


@pytest.mark.parametrize("name", NAMES)
def test_the_encoding_reproduces_the_bits_at_a_real_vocabulary(name: str):
    judge_encoding(name, LARGE, rows=2)


def judge_encoding(name: str, vocab: int, rows: int = 3):
    chain = [makers(vocab)[name](), makers(vocab)["TemperatureLogitsWarper"]()]
    outputs, _ = run_processors(chain, ids_of(vocab, rows), scores_of(vocab, rows))
    arrays = laws.the_encoding_reproduces_bits(encode_stages, decode_stage, stages_of(chain), outputs)
    laws.the_encoding_is_never_larger_than_the_output(arrays, outputs)
    laws.encoding_a_batch_equals_encoding_its_rows(encode_stages, stages_of(chain), outputs)


@pytest.mark.parametrize("vocab", (*VOCABS, LARGE))
@pytest.mark.parametrize("name", [n for n in NAMES if n not in MAY_REMOVE_EVERYTHING])
def test_probabilities_sum_to_one(name: str, vocab: int):
    vocab = max(vocab, NEEDS.get(name, 1))
    laws.probabilities_sum_to_one(makers(vocab)[name], ids_of(vocab), scores_of(vocab))


@pytest.mark.parametrize("vocab", (*VOCABS, LARGE))
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_equals_its_rows(name: str, vocab: int):
    laws.a_batch_equals_its_rows(makers(vocab)[name], ids_of(vocab), scores_of(vocab))


# --- the encoding on floats that no processor would make -----------------------------------------------------

SPECIAL = (
    0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7FC12345, 0x7F800001, 0xFF800001,
    0x00000001, 0x80000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x3F800000, 0xBF800000, 0x3F800001,
)  # fmt: skip
ANY_FLOATS = st.one_of(st.sampled_from(SPECIAL), st.integers(0, 2**32 - 1))


def from_bits(patterns: list[int]) -> torch.Tensor:
    return torch.from_numpy(np.array(patterns, dtype=np.uint32).view(np.float32))


@st.composite
def two_rows(draw):
    """Scores before and after, [1, vocab] each, the second made from the first in some way or in none."""
    vocab = draw(st.sampled_from((1, 2, 7, 8, 9, 31, 97)))
    before = from_bits(draw(st.lists(ANY_FLOATS, min_size=vocab, max_size=vocab)))
    mask = torch.tensor(draw(st.lists(st.booleans(), min_size=vocab, max_size=vocab)))
    other = from_bits(draw(st.lists(ANY_FLOATS, min_size=vocab, max_size=vocab)))
    number = draw(st.sampled_from((0.7, 1.3, 1e-40, 3.0, -2.0)))
    after = {
        "same": lambda: before.clone(),
        "divided": lambda: before / number,
        "multiplied": lambda: before * (torch.tensor(1.0) / number),
        "log_softmax": lambda: before.log_softmax(-1),
        "added": lambda: torch.where(mask, before + number, before),
        "removed": lambda: before.masked_fill(mask, NEVER),
        "edited": lambda: torch.where(mask, other, before),
        "both": lambda: torch.where(mask, other, before).masked_fill(mask.flip(0), NEVER),
        "other": lambda: other,
        "nothing left": lambda: torch.full_like(before, NEVER),
    }[
        draw(
            st.sampled_from(
                ("same", "divided", "multiplied", "log_softmax", "added", "removed", "edited", "both", "other",
                 "nothing left")
            )
        )
    ]()  # fmt: skip
    return number, before[None], after[None]


@settings(BOUNDED, max_examples=300)
@given(two_rows())
def test_the_encoding_reproduces_any_bits(case):
    number, before, after = case
    stages = [fake_stage(number=number)]
    arrays = laws.the_encoding_reproduces_bits(encode_stages, decode_stage, stages, [before, after])
    laws.the_encoding_is_never_larger_than_the_output(arrays, [before, after])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("vocab", (1, 7, 8, 9, 97, LARGE))
def test_a_step_gives_back_logits_in_their_dtype_and_scores_in_float32(dtype: torch.dtype, vocab: int):
    raw = scores_of(vocab, rows=2).to(dtype)
    raw[0, 0], raw[1, -1] = -0.0, NEVER
    chain = [makers(vocab)[name]() for name in ("TemperatureLogitsWarper", "TopKLogitsWarper", "LogitNormalization")]
    outputs, _ = run_processors(chain, ids_of(vocab, 2), raw.to(torch.float32))
    store = MemoryStore()
    store.append({"logits": raw, **encode_stages(stages_of(chain), outputs)})
    step = Step(index=0, token_ids=(0, 0), ended=(False, False), stages=stages_of(chain), _store=store)
    assert same_bits(step.logits(), raw)
    for row in range(2):
        for stage, output in enumerate(outputs):
            assert same_bits(step.scores(row=row, stage=stage), output[row])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_users_processor_that_changes_the_dtype_is_kept_whole(dtype: torch.dtype):
    logits = scores_of(97)
    outputs = [logits, logits.to(dtype), logits.to(dtype) / 2, (logits.to(dtype) / 2).float()]
    laws.the_encoding_reproduces_bits(encode_stages, decode_stage, [fake_stage()] * 3, outputs)


def test_scores_that_are_views_of_larger_tensors_are_encoded():
    wide = torch.nn.functional.pad(scores_of(97), (3, 4))
    outputs = [scores_of(97), wide[:, 3:-4], scores_of(1).expand(3, 97), scores_of(3, rows=97).T]
    laws.the_encoding_reproduces_bits(encode_stages, decode_stage, [fake_stage()] * 3, outputs)


# --- the laws catch what breaks them ---------------------------------------------------------------------------


def runs_without_cloning(processors, input_ids, logits):
    outputs = [logits]
    for processor in processors:
        outputs.append(processor(input_ids, outputs[-1]))
    return outputs, logits


def shares_memory(processors, input_ids, logits):
    outputs, kept = run_processors(processors, input_ids, logits)
    return [outputs[0], *[o if i % 2 else outputs[i] for i, o in enumerate(outputs[1:])]], kept


def keeps_the_logits_from_being_overwritten(processors, input_ids, logits):
    return run_processors(processors, input_ids, logits.clone())


@pytest.mark.parametrize("run", [runs_without_cloning, shares_memory])
def test_the_law_of_inputs_catches_a_loop_that_does_not_clone(run):
    chain = [makers(9)["WritesInPlace"], makers(9)["WritesInPlace"]]
    with pytest.raises(AssertionError):
        laws.a_stage_never_changes_its_input(run, chain, ids_of(9), scores_of(9))


def test_the_law_of_the_chain_catches_logits_that_generate_would_have_overwritten():
    with pytest.raises(AssertionError, match="generate"):
        laws.the_chain_gives_what_generate_computes(
            keeps_the_logits_from_being_overwritten, [makers(9)["WritesInPlace"]], ids_of(9), scores_of(9)
        )


def takes_equal_for_the_same(stages, outputs):
    """Compares with ==, for which -0.0 is 0.0 and NaN is never itself."""
    return encode_stages(stages, [outputs[0], torch.where(outputs[1] == outputs[0], outputs[0], outputs[1])])


def rounds(stages, outputs):
    return encode_stages(stages, [outputs[0], outputs[1].half().float()])


def writes_into_its_argument(stages, outputs):
    arrays = encode_stages(stages, outputs)
    outputs[1].zero_()
    return arrays


@pytest.mark.parametrize("encode", [takes_equal_for_the_same, rounds, writes_into_its_argument])
def test_the_law_of_encoding_catches_an_encoding_that_loses_bits(encode):
    before = torch.tensor([[0.0, 1.0, 2.0]])
    after = torch.tensor([[-0.0, 1.0001, 2.0]])
    with pytest.raises(AssertionError):
        laws.the_encoding_reproduces_bits(encode, decode_stage, [fake_stage()], [before, after])


def test_the_law_of_encoding_catches_a_decoder_that_ignores_the_row():
    outputs = [scores_of(9), scores_of(9, seed=1)]
    with pytest.raises(AssertionError, match="row 1"):
        laws.the_encoding_reproduces_bits(
            encode_stages, lambda arrays, stage, row, before: decode_stage(arrays, stage, 0, before),
            [fake_stage()], outputs,
        )  # fmt: skip


def test_the_law_of_size_catches_an_encoding_that_adds_a_copy():
    outputs = [scores_of(9), scores_of(9, seed=1)]
    arrays = encode_stages([fake_stage()], outputs) | {"1.0.copy": outputs[1][0]}
    with pytest.raises(AssertionError, match="bytes"):
        laws.the_encoding_is_never_larger_than_the_output(arrays, outputs)


@pytest.mark.parametrize(
    "broken",
    [
        lambda ids, scores: scores * float("nan"),
        lambda ids, scores: torch.full_like(scores, NEVER),
        lambda ids, scores: torch.full_like(scores, float("inf")),
    ],
    ids=["NaN", "nothing left", "infinite"],
)
def test_the_law_of_probabilities_catches_what_leaves_no_distribution(broken):
    with pytest.raises(AssertionError):
        laws.probabilities_sum_to_one(lambda: broken, ids_of(9), scores_of(9))


def test_the_law_of_batches_catches_a_processor_that_looks_at_the_other_rows():
    with pytest.raises(AssertionError, match="row 0"):
        laws.a_batch_equals_its_rows(lambda: lambda ids, scores: scores - scores.max(), ids_of(9), scores_of(9, seed=4))


def test_the_law_of_encoded_batches_catches_an_encoding_that_looks_at_the_other_rows():
    def of_the_first_row(stages, outputs):
        arrays = encode_stages(stages, outputs)
        return arrays | {"kinds": arrays["kinds"][:, :1].expand_as(arrays["kinds"])}

    before = scores_of(97)
    after = before.clone()
    after[1, 5] = NEVER
    with pytest.raises(AssertionError):
        laws.encoding_a_batch_equals_encoding_its_rows(of_the_first_row, [fake_stage()], [before, after])
