"""Laws: facts that hold for every stage, stated once; `test_laws.py` runs them on all processors.

A law takes what is to be judged as its argument and raises AssertionError where it is broken, so that the laws
can themselves be tested, on fakes that break them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import safetensors.torch
import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.generation import logits_process as of

from decoding.recorded.stages import Stage
from decoding.samplers import (
    AdaptivePLogitsWarper,
    DRYLogitsProcessor,
    DynamicTemperatureLogitsWarper,
    MirostatLogitsWarper,
    TopNSigmaLogitsWarper,
    XTCLogitsWarper,
)

NEVER = -float("inf")
INTEGER_OF = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

Make = Callable[[], Any]
"""A new processor: some keep a state between steps."""


def bits(scores: Tensor) -> Tensor:
    """The same memory as integers, which tell -0.0 from 0.0 and NaN from NaN."""
    return scores.contiguous().view(INTEGER_OF[scores.element_size()])


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Same dtype, shape and bits."""
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(bits(a), bits(b))


# --- the laws -----------------------------------------------------------------------------------------------


def a_stage_never_changes_its_input(run: Callable, makes: Sequence[Make], input_ids: Tensor, logits: Tensor) -> None:
    """What a stage was given and what it gave stay as they were while the later ones run.

    Args:
        run: like `decoding.recorded.stages.run_processors`.
    """
    expected = [logits.clone()]
    for processor in [make() for make in makes]:
        expected.append(processor(input_ids, expected[-1].clone()).clone())
    ids_before = input_ids.clone()
    outputs, _ = run(LogitsProcessorList(make() for make in makes), input_ids, logits)
    assert len(outputs) == len(makes) + 1
    for i, (output, wanted) in enumerate(zip(outputs, expected, strict=True)):
        assert same_bits(output, wanted), f"the scores after stage {i} are not what it returned"
    assert torch.equal(input_ids, ids_before), "input_ids changed"
    memory = [o.untyped_storage().data_ptr() for o in outputs]
    assert len(set(memory)) == len(memory), "two stages share their memory"


def the_chain_gives_what_generate_computes(
    run: Callable, makes: Sequence[Make], input_ids: Tensor, logits: Tensor
) -> None:
    """The last stage is what `LogitsProcessorList` returns, and the logits given are left as it leaves them."""
    given = logits.clone()
    wanted = LogitsProcessorList(make() for make in makes)(input_ids, given)
    mine = logits.clone()
    outputs, returned = run(LogitsProcessorList(make() for make in makes), input_ids, mine)
    assert same_bits(outputs[-1], wanted), "the last stage is not what LogitsProcessorList returns"
    assert same_bits(returned, wanted), "what the chain returned is not what LogitsProcessorList returns"
    assert same_bits(mine, given), "these are not the logits that generate() would return"


def the_encoding_reproduces_bits(
    encode: Callable, decode: Callable, stages: Sequence[Stage], outputs: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Every stage of every row decodes to what was encoded, straight away and after a trip through bytes.

    Args:
        encode, decode: like `encode_stages` and `decode_stage`.
    """
    copies = [o.clone() for o in outputs]
    arrays = encode(stages, outputs)
    for output, copy in zip(outputs, copies, strict=True):
        assert same_bits(output, copy), "encoding changed what it was given"
    from_bytes = safetensors.torch.load(safetensors.torch.save(arrays))
    for either in (arrays, from_bytes):
        for row in range(outputs[0].shape[0]):
            scores = outputs[0][row]
            for s in range(1, len(stages) + 1):
                scores = decode(either, s, row, scores)
                assert same_bits(scores, outputs[s][row]), f"stage {s} of row {row} decodes to something else"
    return arrays


def the_encoding_is_never_larger_than_the_output(arrays: dict[str, Tensor], outputs: Sequence[Tensor]) -> None:
    """No stage of a row takes more bytes than its scores do."""
    for s, output in enumerate(outputs[1:], start=1):
        for row in range(output.shape[0]):
            size = sum(a.nbytes for name, a in arrays.items() if name.startswith(f"{s}.{row}."))
            assert size <= output[row].nbytes, f"stage {s} of row {row}: {size} bytes for {output[row].nbytes}"


def probabilities_sum_to_one(make: Make, input_ids: Tensor, scores: Tensor) -> None:
    """A stage leaves a distribution to draw from: no NaN, at least one token, mass 1, none where it removed."""
    after = make()(input_ids, scores.clone())
    probs = torch.softmax(after.double(), dim=-1)
    assert not after.isnan().any(), "NaN scores"
    assert (after > NEVER).any(dim=-1).all(), "no token is left"
    torch.testing.assert_close(probs.sum(-1), torch.ones(len(probs), dtype=torch.float64), atol=1e-9, rtol=0)
    assert (probs[after == NEVER] == 0).all(), "a removed token has a probability"


def a_batch_equals_its_rows(make: Make, input_ids: Tensor, scores: Tensor) -> None:
    """A row comes out the same alone and among others."""
    together = make()(input_ids, scores.clone())
    for row in range(len(scores)):
        alone = make()(input_ids[row : row + 1], scores[row : row + 1].clone())
        assert same_bits(alone[0], together[row]), f"row {row} comes out otherwise alone"


def encoding_a_batch_equals_encoding_its_rows(
    encode: Callable, stages: Sequence[Stage], outputs: Sequence[Tensor]
) -> None:
    """What is kept of a row does not depend on the others."""
    together = encode(stages, outputs)
    for row in range(outputs[0].shape[0]):
        alone = encode(stages, [o[row : row + 1] for o in outputs])
        assert torch.equal(alone["kinds"][:, 0], together["kinds"][:, row])
        assert torch.equal(alone["scalars"][:, 0], together["scalars"][:, row])
        mine = {n.split(".", 2)[0] + "." + n.split(".", 2)[2]: a for n, a in alone.items() if n[0].isdigit()}
        theirs = {
            n.split(".", 2)[0] + "." + n.split(".", 2)[2]: a
            for n, a in together.items()
            if n[0].isdigit() and n.split(".")[1] == str(row)
        }
        assert mine.keys() == theirs.keys()
        assert all(same_bits(mine[n], theirs[n]) for n in mine)


# --- what they are run on -----------------------------------------------------------------------------------


class WritesInPlace(LogitsProcessor):
    """A processor as users write them: it changes its argument and returns it."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        scores[:, 0] += 3.0
        scores[:, 1:2] = NEVER
        return scores


class Unconditional:
    """Stands in for the model that classifier-free guidance asks: a row's logits depend on its last token."""

    def __init__(self, vocab: int) -> None:
        self.vocab = vocab

    def __call__(self, input_ids: Tensor, **kwargs: Any) -> Any:
        logits = torch.sin(torch.arange(self.vocab) * 0.1 + input_ids[:, -1:].float())

        class Output(dict):
            pass

        out = Output()
        out.logits = logits[:, None]
        return out


PROMPT = torch.tensor([[0, 0, 0, 0]])  # a prompt that every vocabulary can spell


def makers(vocab: int) -> dict[str, Make]:
    """Every processor that a parameter of KNOBS becomes, and a user's own, for this vocabulary; by class name."""
    eos, some = vocab - 1, sorted({0, vocab // 2, vocab - 1})
    table = {
        of.TemperatureLogitsWarper: lambda c: c(0.7),
        of.TopHLogitsWarper: lambda c: c(0.5),
        of.TopKLogitsWarper: lambda c: c(3),
        of.TopPLogitsWarper: lambda c: c(0.9),
        of.MinPLogitsWarper: lambda c: c(0.1),
        of.TypicalLogitsWarper: lambda c: c(0.8),
        of.EpsilonLogitsWarper: lambda c: c(0.01),
        of.EtaLogitsWarper: lambda c: c(0.01),
        of.RepetitionPenaltyLogitsProcessor: lambda c: c(1.3),
        of.EncoderRepetitionPenaltyLogitsProcessor: lambda c: c(1.3, PROMPT),
        of.NoRepeatNGramLogitsProcessor: lambda c: c(2),
        of.EncoderNoRepeatNGramLogitsProcessor: lambda c: c(2, PROMPT),
        of.SequenceBiasLogitsProcessor: lambda c: c([[[0], 2.5], [[vocab - 1, 0], -1.5]]),
        of.NoBadWordsLogitsProcessor: lambda c: c([[0], [vocab // 2, 0]], eos_token_id=vocab + 1),
        of.MinLengthLogitsProcessor: lambda c: c(100, eos),
        of.MinNewTokensLengthLogitsProcessor: lambda c: c(2, 50, eos),
        of.ForcedBOSTokenLogitsProcessor: lambda c: c(0),
        of.ForcedEOSTokenLogitsProcessor: lambda c: c(5, eos),
        of.InfNanRemoveLogitsProcessor: lambda c: c(),
        of.ExponentialDecayLengthPenalty: lambda c: c((1, 1.2), eos, 1),
        of.SuppressTokensLogitsProcessor: lambda c: c(some[:2]),
        of.SuppressTokensAtBeginLogitsProcessor: lambda c: c(some[:2], 4),
        of.LogitNormalization: lambda c: c(),
        of.UnbatchedClassifierFreeGuidanceLogitsProcessor: lambda c: c(1.5, Unconditional(vocab)),
        of.WatermarkLogitsProcessor: lambda c: c(vocab, "cpu"),
        of.SynthIDTextWatermarkLogitsProcessor: lambda c: c(
            ngram_len=3, keys=[654, 400, 836], sampling_table_size=2**8, sampling_table_seed=0,
            context_history_size=16, device=torch.device("cpu"),
        ),
        DRYLogitsProcessor: lambda c: c(0.8, dry_allowed_length=0, dry_sequence_breakers=[]),
        TopNSigmaLogitsWarper: lambda c: c(1.0),
        XTCLogitsWarper: lambda c: c(1.0, 0.05, seed=0),
        DynamicTemperatureLogitsWarper: lambda c: c(0.5),
        MirostatLogitsWarper: lambda c: c(1.0),
        AdaptivePLogitsWarper: lambda c: c(0.3),
        WritesInPlace: lambda c: c(),
    }  # fmt: skip
    return {kind.__name__: (lambda kind=kind, build=build: build(kind)) for kind, build in table.items()}


# These may remove all there is: to say so is the recorder's part (`check_drawable`).
MAY_REMOVE_EVERYTHING = {
    "NoRepeatNGramLogitsProcessor", "EncoderNoRepeatNGramLogitsProcessor", "NoBadWordsLogitsProcessor",
    "MinLengthLogitsProcessor", "MinNewTokensLengthLogitsProcessor", "SuppressTokensLogitsProcessor",
    "SuppressTokensAtBeginLogitsProcessor",
}  # fmt: skip


def fake_stage(**params: Any) -> Stage:
    """A stage that says nothing about itself but its numbers."""
    return Stage(name="Fake", params=params)
