"""Truth tables: for each kind of stage, scores in, parameters, scores out; and the form in which each is kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformers import LogitsProcessor
from transformers.generation import logits_process as of

from decoding.errors import TraceFileError
from decoding.recorded.stages import (
    ADDED,
    DENSE,
    DIVIDED,
    MULTIPLIED,
    PATCHED,
    SAME,
    SHIFTED,
    Stage,
    changed_anything,
    decode_stage,
    encode_stages,
    run_processors,
    stages_of,
)
from tests.laws import NEVER, Unconditional, fake_stage, same_bits

HALVES = (0.5, 0.25, 0.125, 0.125)  # probabilities; entropy 1.75 bits = 1.2130 nats
KIND_NAMES = {
    SAME: "same", DIVIDED: "divided", MULTIPLIED: "multiplied", SHIFTED: "shifted", PATCHED: "patched",
    DENSE: "dense", ADDED: "added",
}  # fmt: skip


def logits_of(probs) -> torch.Tensor:
    return torch.log(torch.tensor([probs]))


def after(processor, scores, ids=(0,)) -> list[float]:
    """The scores after a processor, through everything that recording does to them."""
    scores = torch.as_tensor(scores, dtype=torch.float32).reshape(1, -1)
    outputs, _ = run_processors([processor], torch.tensor([list(ids)]), scores)
    arrays = encode_stages(stages_of([processor]), outputs)
    decoded = decode_stage(arrays, 1, 0, outputs[0][0])
    assert same_bits(decoded, outputs[1][0])
    return decoded.tolist()


def kept(processor, scores) -> list[int]:
    """The ids that are left; those that are have their old scores."""
    scores = torch.as_tensor(scores, dtype=torch.float32).reshape(1, -1)
    out = torch.tensor(after(processor, scores))
    alive = (out > NEVER).nonzero().flatten()
    assert torch.equal(out[alive], scores[0, alive])
    return alive.tolist()


# --- temperature and truncation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("t", "wanted"), [(2.0, [0.5, 1.0, -2.0, 0.0]), (0.5, [2.0, 4.0, -8.0, 0.0])])
def test_temperature_divides(t, wanted):
    assert after(of.TemperatureLogitsWarper(t), [1.0, 2.0, -4.0, 0.0]) == wanted


@pytest.mark.parametrize(
    ("k", "scores", "wanted"),
    [
        (1, [3, 2, 2, 1], [0]),
        (2, [3, 2, 2, 1], [0, 1, 2]),  # all tied with the last one stay
        (3, [3, 2, 2, 1], [0, 1, 2]),
        (4, [3, 2, 2, 1], [0, 1, 2, 3]),  # k = V
        (9, [3, 2, 2, 1], [0, 1, 2, 3]),  # k > V
        (1, [2, 2, 2, 2], [0, 1, 2, 3]),
        (2, [3, NEVER, 1, NEVER], [0, 2]),
        (3, [3, NEVER, 1, NEVER], [0, 2]),  # more than are left
    ],
)
def test_top_k_keeps_the_k_likeliest_and_ties(k, scores, wanted):
    assert kept(of.TopKLogitsWarper(k), scores) == wanted


@pytest.mark.parametrize(
    ("p", "scores", "wanted"),
    [
        (0.4, logits_of((0.5, 0.3, 0.15, 0.05)), [0]),
        (0.7, logits_of((0.5, 0.3, 0.15, 0.05)), [0, 1]),  # token 1 crosses 0.7 and stays
        (0.9, logits_of((0.5, 0.3, 0.15, 0.05)), [0, 1, 2]),
        (1e-6, logits_of((0.5, 0.3, 0.15, 0.05)), [0]),  # one always stays
        (0.999, logits_of((0.5, 0.3, 0.15, 0.05)), [0, 1, 2, 3]),
        (0.9, [5.0, 5.0, NEVER], [0, 1]),
    ],
)
def test_top_p_keeps_the_token_that_crosses_the_threshold(p, scores, wanted):
    assert kept(of.TopPLogitsWarper(p), scores) == wanted


@pytest.mark.parametrize(("p", "n"), [(0.25, 1), (0.25001, 2), (0.5, 2), (0.50001, 3), (0.75, 3), (0.75001, 4)])
def test_top_p_at_a_step_of_the_staircase_of_four_equal_tokens(p, n):
    assert len(kept(of.TopPLogitsWarper(p), [1.0, 1.0, 1.0, 1.0])) == n


@pytest.mark.parametrize(
    ("p", "scores", "wanted"),
    [
        (0.0, logits_of(HALVES), [0, 1, 2, 3]),
        (0.2, logits_of(HALVES), [0, 1, 2, 3]),
        (0.3, logits_of(HALVES), [0, 1]),  # 0.3 × 0.5 = 0.15 > 0.125
        (0.6, logits_of(HALVES), [0]),
        (1.0, [5.0, 5.0, 4.999], [0, 1]),  # only what is as likely as the likeliest
        (1.0, [5.0, 4.0, NEVER], [0]),
    ],
)
def test_min_p_keeps_what_is_that_fraction_as_likely_as_the_likeliest(p, scores, wanted):
    assert kept(of.MinPLogitsWarper(p), scores) == wanted


@pytest.mark.parametrize(
    ("mass", "wanted"),
    [
        (0.2, [1]),  # 2 bits is nearest to 1.75: the likeliest token goes first
        (0.5, [0, 1]),
        (0.8, [0, 1, 2, 3]),  # the two last ones are equally typical
    ],
)
def test_typical_keeps_what_is_as_surprising_as_the_entropy(mass, wanted):
    assert kept(of.TypicalLogitsWarper(mass), logits_of(HALVES)) == wanted


@pytest.mark.parametrize(
    ("epsilon", "scores", "wanted"),
    [
        (0.1, logits_of(HALVES), [0, 1, 2, 3]),
        (0.2, logits_of(HALVES), [0, 1]),
        (0.99, logits_of(HALVES), [0]),  # the likeliest always stays
        (0.25, [1.0, 1.0, 1.0, 1.0], [0, 1, 2, 3]),  # exactly at the threshold stays
        (0.99, [1.0, 1.0, 1.0, 1.0], [0, 1, 2, 3]),  # ties of the likeliest stay
    ],
)
def test_epsilon_keeps_what_has_at_least_this_probability(epsilon, scores, wanted):
    assert kept(of.EpsilonLogitsWarper(epsilon), scores) == wanted


@pytest.mark.parametrize(
    ("epsilon", "wanted"),
    [
        (0.01, [0, 1, 2, 3]),  # min(0.01, √0.01 × e^-1.2130 = 0.0297) = 0.01
        (0.14, [0, 1, 2, 3]),  # √0.14 × 0.2973 = 0.1112 < 0.125, where epsilon alone would cut
        (0.2, [0, 1]),  # √0.2 × 0.2973 = 0.1330
        (0.9, [0]),  # √0.9 × 0.2973 = 0.2820
    ],
)
def test_eta_keeps_what_is_above_a_threshold_that_falls_with_the_entropy(epsilon, wanted):
    assert kept(of.EtaLogitsWarper(epsilon), logits_of(HALVES)) == wanted


@pytest.mark.parametrize(
    ("top_h", "wanted"),
    [
        (0.2, [0]),  # the likeliest always stays
        (0.5, [0]),  # 0.5 × 1.2080 = 0.6040, the first two have 0.6931
        (0.6, [0, 1]),  # 0.7248
        (0.85, [0, 1, 2]),  # 1.0268, the first three have 0.9777
    ],
)
def test_top_h_keeps_the_likeliest_while_their_entropy_fits(top_h, wanted):
    assert kept(of.TopHLogitsWarper(top_h), logits_of((0.5, 0.25, 0.15, 0.1))) == wanted


def test_top_h_looks_at_the_hundred_likeliest_only():
    assert kept(of.TopHLogitsWarper(1.0), torch.arange(150.0, 0.0, -1.0) * 1e-3)[-1] <= 99


# --- penalties and bans --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("penalty", "wanted"), [(2.0, [1.0, -4.0, 1.0, 0.0, -1.0]), (0.5, [4.0, -1.0, 1.0, 0.0, -1.0])]
)
def test_repetition_penalty_divides_positive_logits_and_multiplies_negative_ones_the_prompt_counted_in(penalty, wanted):
    # Seen: 0 (twice, counts once), 1 and 3; not seen: 2 and 4.
    processor = of.RepetitionPenaltyLogitsProcessor(penalty)
    assert after(processor, [2.0, -2.0, 1.0, 0.0, -1.0], ids=(0, 1, 0, 3)) == wanted


def test_encoder_repetition_penalty_favours_tokens_of_the_input():
    processor = of.EncoderRepetitionPenaltyLogitsProcessor(2.0, torch.tensor([[0, 1]]))
    assert after(processor, [2.0, -2.0, 1.0], ids=(2,)) == [4.0, -1.0, 1.0]


@pytest.mark.parametrize(
    ("n", "ids", "banned"),
    [
        (1, (3, 4, 3), [3, 4]),
        (2, (3, 4, 3), [4]),
        (2, (3, 4, 5), []),
        (3, (3, 4, 5, 3, 4), [5]),
        (3, (3, 4), []),  # too short to repeat anything
    ],
)
def test_no_repeat_ngram_bans_what_would_complete_one_again(n, ids, banned):
    out = after(of.NoRepeatNGramLogitsProcessor(n), [1.0] * 7, ids)
    assert [i for i, x in enumerate(out) if x == NEVER] == banned


def test_encoder_no_repeat_ngram_bans_what_would_complete_one_of_the_input():
    processor = of.EncoderNoRepeatNGramLogitsProcessor(2, torch.tensor([[3, 4, 5]]))
    assert [i for i, x in enumerate(after(processor, [1.0] * 7, (6, 4))) if x == NEVER] == [5]


def test_sequence_bias_is_added_to_the_token_that_would_complete_the_sequence():
    processor = of.SequenceBiasLogitsProcessor([[[2], 1.5], [[5, 3], -2.0], [[6, 4], 9.0], [[5, 2], 0.25]])
    assert after(processor, [1.0] * 5 + [0.0, 0.0], ids=(6, 5)) == [1.0, 1.0, 2.75, -1.0, 1.0, 0.0, 0.0]


def test_bad_words_are_banned_where_their_last_token_would_complete_them():
    processor = of.NoBadWordsLogitsProcessor([[2], [5, 3], [6, 4]], eos_token_id=0)
    assert after(processor, [1.0] * 7, ids=(6, 5)) == [1.0, 1.0, NEVER, NEVER, 1.0, 1.0, 1.0]


def test_suppressed_tokens_are_banned_at_every_step():
    assert after(of.SuppressTokensLogitsProcessor([1, 2]), [1.0] * 4, ids=(0, 0, 0)) == [1.0, NEVER, NEVER, 1.0]


@pytest.mark.parametrize(("ids", "wanted"), [((0, 0), [1.0, NEVER, 1.0]), ((0, 0, 0), [1.0, 1.0, 1.0])])
def test_begin_suppressed_tokens_are_banned_at_the_first_step_only(ids, wanted):
    assert after(of.SuppressTokensAtBeginLogitsProcessor([1], 2), [1.0] * 3, ids) == wanted


@pytest.mark.parametrize(("ids", "wanted"), [((0,) * 3, [1.0, 1.0, NEVER]), ((0,) * 4, [1.0, 1.0, 1.0])])
def test_min_length_bans_the_end_until_the_length_is_reached(ids, wanted):
    assert after(of.MinLengthLogitsProcessor(4, 2), [1.0] * 3, ids) == wanted
    assert after(of.MinNewTokensLengthLogitsProcessor(1, 3, 2), [1.0] * 3, ids) == wanted  # after a prompt of one


@pytest.mark.parametrize(("ids", "wanted"), [((0,), [NEVER, 0.0, NEVER]), ((0, 0), [5.0, 6.0, 7.0])])
def test_forced_bos_is_the_only_token_left_at_length_one(ids, wanted):
    assert after(of.ForcedBOSTokenLogitsProcessor(1), [5.0, 6.0, 7.0], ids) == wanted


@pytest.mark.parametrize(("ids", "wanted"), [((0,) * 4, [0.0, NEVER, 0.0]), ((0,) * 3, [5.0, 6.0, 7.0])])
def test_forced_eos_is_the_only_token_left_before_the_maximum_length(ids, wanted):
    assert after(of.ForcedEOSTokenLogitsProcessor(5, [0, 2]), [5.0, 6.0, 7.0], ids) == wanted


@pytest.mark.parametrize(
    ("length", "wanted"),
    [
        (2, [1.0, -3.0]),  # the decay starts one token after a prompt of one
        (3, [1.0, 0.0]),  # + 3 × (2¹ - 1)
        (4, [1.0, 6.0]),  # + 3 × (2² - 1)
    ],
)
def test_exponential_decay_raises_the_end_by_its_size_times_the_power(length, wanted):
    processor = of.ExponentialDecayLengthPenalty((1, 2.0), 1, 1)
    assert after(processor, [1.0, -3.0], ids=(0,) * length) == wanted


def test_remove_invalid_values_replaces_them():
    largest = torch.finfo(torch.float32).max
    scores = [math.nan, math.inf, NEVER, 1.5]
    assert after(of.InfNanRemoveLogitsProcessor(), scores) == [0.0, largest, -largest, 1.5]


def test_renormalising_gives_log_probabilities():
    assert after(of.LogitNormalization(), [7.0, 7.0]) == pytest.approx([-math.log(2), -math.log(2)])


def test_guidance_moves_away_from_what_the_model_says_without_the_prompt():
    class Uniform(Unconditional):
        def __call__(self, input_ids, **kwargs):
            out = super().__call__(input_ids, **kwargs)
            out.logits = torch.zeros_like(out.logits)
            return out

    processor = of.UnbatchedClassifierFreeGuidanceLogitsProcessor(2.0, Uniform(2))
    # 2 (ln ¾ - ln ½) + ln ½ = ln 1.125 and 2 (ln ¼ - ln ½) + ln ½ = ln 0.125
    assert after(processor, logits_of((0.75, 0.25))) == pytest.approx([math.log(1.125), math.log(0.125)])


# --- how each is kept -----------------------------------------------------------------------------------------


def kept_as(before, after, **params) -> tuple[str, dict[str, int]]:
    """The kind of encoding and the bytes of each of its arrays."""
    before, after = (torch.as_tensor(x, dtype=torch.float32).reshape(1, -1) for x in (before, after))
    arrays = encode_stages([fake_stage(**params)], [before, after])
    assert same_bits(decode_stage(arrays, 1, 0, before[0]), after[0])
    sizes = {name.removeprefix("1.0."): a.nbytes for name, a in arrays.items() if name.startswith("1.0.")}
    return KIND_NAMES[int(arrays["kinds"][0, 0])], sizes


def some_scores(n: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(n, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n", [1, 2, 8, 97, 1000])
def test_what_did_nothing_takes_nothing(n):
    assert kept_as(some_scores(n), some_scores(n)) == ("same", {})


@pytest.mark.parametrize("n", [1, 2, 8, 97, 1000])
def test_temperature_takes_no_array(n):
    before = some_scores(n)
    assert kept_as(before, before / 0.7, temperature=0.7) == ("divided", {})


def test_temperature_takes_no_array_where_tokens_were_removed_before():
    before = some_scores(97)
    before[::2] = NEVER
    before[1] = math.nan
    assert kept_as(before, before / 0.7, temperature=0.7) == ("divided", {})


def test_temperature_as_cuda_computes_it_takes_no_array():
    before = some_scores(1000)
    reciprocal = before * (np.float32(1) / np.float32(0.7))
    assert not torch.equal(reciprocal, before / 0.7)
    assert kept_as(before, reciprocal, temperature=0.7) == ("multiplied", {})


@pytest.mark.parametrize("n", [2, 8, 97, 1000, 49_152])
def test_log_softmax_takes_no_array(n):
    before = some_scores(n)
    assert kept_as(before, before.log_softmax(-1)) == ("shifted", {})


def test_log_softmax_takes_no_array_where_tokens_were_removed_before():
    before = some_scores(1000)
    before[5:] = NEVER
    assert kept_as(before, before.log_softmax(-1)) == ("shifted", {})


def test_one_number_added_to_many_tokens_takes_a_bitmap_and_no_values():
    before, green = some_scores(1000), torch.arange(1000) % 4 == 0
    assert kept_as(before, torch.where(green, before + 2.0, before), bias=2.0) == ("added", {"edited_bitmap": 125})


# 97 tokens: a bitmap takes 13 bytes, an index 4.
@pytest.mark.parametrize(
    ("n_removed", "form"),
    [
        (1, {"removed": 4}),
        (3, {"removed": 12}),
        (4, {"bitmap": 13}),
        (50, {"bitmap": 13}),
        (93, {"bitmap": 13}),
        (94, {"left": 12}),
        (96, {"left": 4}),
        (97, {"left": 0}),
    ],
)
def test_removed_tokens_take_the_shortest_of_three_forms(n_removed, form):
    before = some_scores(97)
    after = before.clone()
    after[:n_removed] = NEVER
    assert kept_as(before, after) == ("patched", form)


def test_tokens_that_were_gone_before_are_not_kept_again():
    before = some_scores(97)
    before[:90] = NEVER
    after = before.clone()
    after[90:92] = NEVER
    assert kept_as(before, after) == ("patched", {"removed": 8})


@pytest.mark.parametrize(
    ("n_edited", "form"),
    [(1, {"edited": 4, "values": 4}), (3, {"edited": 12, "values": 12}), (4, {"edited_bitmap": 13, "values": 16})],
)
def test_changed_entries_take_the_shorter_of_two_forms(n_edited, form):
    before = some_scores(97)
    after = before.clone()
    after[10 : 10 + n_edited] = some_scores(n_edited, seed=1)
    assert kept_as(before, after) == ("patched", form)


def test_tokens_removed_and_entries_changed_are_kept_together():
    before = some_scores(97)
    after = before.clone()
    after[3], after[4], after[50] = 7.0, -0.0, NEVER
    assert kept_as(before, after) == ("patched", {"removed": 4, "edited": 8, "values": 8})


@pytest.mark.parametrize(("n_edited", "kind", "size"), [(93, "patched", 385), (94, "dense", 388), (97, "dense", 388)])
def test_the_whole_output_is_kept_only_where_nothing_else_is_shorter(n_edited, kind, size):
    before = some_scores(97)
    after = before.clone()
    after[:n_edited] = some_scores(n_edited, seed=1)  # n values and a bitmap: 4 n + 13 bytes
    got, sizes = kept_as(before, after)
    assert (got, sum(sizes.values())) == (kind, size)


@pytest.mark.parametrize("after", [[0.0], [-0.0], [NEVER], [math.nan]])
def test_a_vocabulary_of_one_token(after):
    kind, sizes = kept_as([1.0], after)
    assert sum(sizes.values()) <= 4
    assert kind in ("patched", "dense", "shifted")


def test_zero_and_minus_zero_are_told_apart():
    assert kept_as([0.0, 1.0, 2.0], [-0.0, 1.0, 2.0])[0] == "patched"


def test_a_stage_that_acted_on_one_row_only_acted():
    before = torch.stack([some_scores(9), some_scores(9, seed=1)])
    after = before.clone()
    after[1, 3] = NEVER
    arrays = encode_stages([fake_stage(), fake_stage()], [before, before, after])
    assert (changed_anything(arrays, 1), changed_anything(arrays, 2)) == (False, True)


# --- what a stage says of itself ------------------------------------------------------------------------------


class Mine(LogitsProcessor):
    def __init__(self):
        self.strength, self.words, self.client, self.weights = 0.5, "a secret", object(), torch.zeros(100)
        self.ids, self._hidden, self.huge = torch.tensor([3, 4]), 1, math.inf

    def __call__(self, input_ids, scores):
        return scores


def test_a_stage_has_the_class_name_and_the_numbers_of_its_processor():
    got = stages_of([of.TopKLogitsWarper(40), of.TopPLogitsWarper(0.9), of.TemperatureLogitsWarper(0.5)])
    assert [s.name for s in got] == ["TopKLogitsWarper", "TopPLogitsWarper", "TemperatureLogitsWarper"]
    assert got[0].params["top_k"] == 40
    assert got[1].params["top_p"] == 0.9
    assert got[2].params == {"temperature": 0.5}
    assert not any(s.own for s in got)


def test_texts_and_objects_of_the_callers_own_processor_stay_private():
    assert stages_of([Mine()]) == (Stage(name="Mine", params={"strength": 0.5, "ids": [3, 4]}, own=True),)


# --- damaged encodings ------------------------------------------------------------------------------------------


def arrays_of(kind: int, **parts: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "kinds": torch.tensor([[kind]], dtype=torch.uint8),
        "scalars": torch.zeros(1, 1, 2, dtype=torch.float64),
        **{f"1.0.{name}": part for name, part in parts.items()},
    }


@pytest.mark.parametrize(
    "arrays",
    [
        arrays_of(99),
        arrays_of(DENSE),
        arrays_of(PATCHED, removed=torch.tensor([9])),
        arrays_of(PATCHED, removed=torch.tensor([0.5])),
        arrays_of(PATCHED, left=torch.tensor([1, 77])),
        arrays_of(PATCHED, edited=torch.tensor([1, 2]), values=torch.tensor([1.0, 2.0, 3.0])),
        arrays_of(PATCHED, values=torch.tensor([1.0])),
        arrays_of(PATCHED, bitmap=torch.tensor([1.5])),
        arrays_of(PATCHED, edited_bitmap=torch.tensor([255], dtype=torch.uint8), values=torch.tensor([1.0, 2.0])),
        arrays_of(PATCHED, values=torch.tensor([1.0]).bfloat16(), edited=torch.tensor([0])),
        arrays_of(ADDED),
        {},
        {"kinds": torch.tensor([[PATCHED]])},
        {"kinds": torch.zeros(0, 0), "scalars": torch.zeros(0, 0, 2)},
    ],
)
def test_a_damaged_encoding_is_refused(arrays):
    with pytest.raises(TraceFileError, match="stage 1 of row 0"):
        decode_stage(arrays, 1, 0, some_scores(5))
