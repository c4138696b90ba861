"""From what was typed to token ids."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.errors import PromptError
from decoding.models.load import LanguageModel
from decoding.models.prompts import check_fits, encode_prompt
from tests.tiny_models import BOS, CONTEXT, PAD, tiny_lm

HELLO = [{"role": "user", "content": "Hello"}]


def with_tokenizer(lm: LanguageModel, **change: Any) -> LanguageModel:
    """The same model, its tokenizer changed."""
    tokenizer = copy.deepcopy(lm.tokenizer)
    for name, value in change.items():
        setattr(tokenizer, name, value)
    return dataclasses.replace(lm, tokenizer=tokenizer)


@pytest.fixture(scope="module")
def bart() -> LanguageModel:
    return with_tokenizer(tiny_lm("bart"), padding_side="right")


# --- plain text -------------------------------------------------------------------------------------------


def test_a_text_is_tokenised_as_the_tokenizer_does(tiny: LanguageModel) -> None:
    encoded = encode_prompt(tiny, "the cat 中 🙂")
    assert encoded.input_ids.tolist() == [tiny.tokenizer("the cat 中 🙂").input_ids]
    assert encoded.attention_mask.tolist() == [[1] * encoded.input_ids.shape[1]]
    assert encoded.texts == ("the cat 中 🙂",)
    assert encoded.messages is None
    assert encoded.input_ids.dtype.is_floating_point is False and encoded.input_ids.device.type == "cpu"


def test_the_offline_model_reads_the_famous_prompt_as_five_tokens(lm: LanguageModel) -> None:
    encoded = encode_prompt(lm, "The capital of France is")
    assert [lm.tokenizer.decode(i) for i in encoded.input_ids[0]] == [
        "The",
        " capital",
        " of",
        " France",
        " is",
    ]


def test_a_batch_is_padded_on_the_left(tiny: LanguageModel) -> None:
    encoded = encode_prompt(tiny, ["a", "abc"])
    a, abc = tiny.tokenizer("a").input_ids, tiny.tokenizer("abc").input_ids
    pad = len(abc) - len(a)
    assert pad > 0
    assert encoded.input_ids.tolist() == [[PAD] * pad + a, abc]
    assert encoded.attention_mask.tolist() == [[0] * pad + [1] * len(a), [1] * len(abc)]
    assert encoded.lengths == (len(a), len(abc))


def test_a_batch_for_an_encoder_is_padded_on_the_right(bart: LanguageModel) -> None:
    encoded = encode_prompt(bart, ["a", "abc"])
    assert encoded.input_ids[0, -1] == PAD
    assert encoded.attention_mask[0].tolist() == [1, 0, 0]


def test_a_batch_is_what_the_tokenizer_makes_of_it(lm: LanguageModel) -> None:
    texts = ["One", "Two words", "Three 中文 words"]
    expected = lm.tokenizer(texts, padding=True, return_tensors="pt")
    encoded = encode_prompt(lm, texts)
    assert encoded.input_ids.equal(expected.input_ids)
    assert encoded.attention_mask.equal(expected.attention_mask)


def test_a_batch_of_equal_lengths_needs_no_pad_token(tiny: LanguageModel) -> None:
    without = with_tokenizer(tiny, pad_token=None)
    assert encode_prompt(without, ["a", "b"]).attention_mask.tolist() == [[1], [1]]
    with pytest.raises(PromptError, match="no pad token"):
        encode_prompt(without, ["a", "abc"])


@given(st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_text_is_encoded_or_refused_in_words(tiny: LanguageModel, text: str) -> None:
    try:
        encoded = encode_prompt(tiny, text)
    except PromptError as error:
        assert text == "" or any("\ud800" <= char <= "\udfff" for char in text), error
    else:
        assert tiny.tokenizer.decode(encoded.input_ids[0]) == text


# --- chats ------------------------------------------------------------------------------------------------


def test_a_chat_goes_through_the_template_up_to_the_assistants_turn(tiny: LanguageModel) -> None:
    encoded = encode_prompt(tiny, HELLO)
    assert encoded.texts == ("<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n",)
    assert encoded.input_ids[0].tolist() == tiny.tokenizer(encoded.texts[0]).input_ids
    assert encoded.input_ids[0, 0] == BOS
    assert encoded.messages == (tuple(HELLO),)


def test_a_chat_has_exactly_the_templates_tokens(lm: LanguageModel) -> None:
    expected = lm.tokenizer.apply_chat_template(HELLO, add_generation_prompt=True)["input_ids"]
    assert encode_prompt(lm, HELLO).input_ids[0].tolist() == expected


def test_several_chats_are_a_batch(tiny: LanguageModel) -> None:
    longer = [{"role": "system", "content": "Be brief."}, *HELLO]
    encoded = encode_prompt(tiny, [HELLO, longer])
    assert encoded.input_ids.shape[0] == 2
    assert encoded.lengths[0] < encoded.lengths[1]
    assert encoded.messages == (tuple(HELLO), tuple(longer))


def test_a_later_change_of_the_messages_does_not_reach_the_prompt(tiny: LanguageModel) -> None:
    chat = [{"role": "user", "content": "Hello"}]
    encoded = encode_prompt(tiny, chat)
    chat[0]["content"] = "Bye"
    assert encoded.messages == (tuple(HELLO),)


def test_a_chat_needs_a_template(tiny: LanguageModel) -> None:
    with pytest.raises(PromptError, match="no chat template; give plain text"):
        encode_prompt(with_tokenizer(tiny, chat_template=None), HELLO)


def test_what_the_template_refuses_is_passed_on(tiny: LanguageModel) -> None:
    strict = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(PromptError, match="refuses this chat: roles must alternate"):
        encode_prompt(with_tokenizer(tiny, chat_template=strict), HELLO)


# --- negative prompts -------------------------------------------------------------------------------------


def test_a_negative_prompt_is_encoded_once_for_each_prompt(tiny: LanguageModel) -> None:
    encoded = encode_prompt(tiny, ["a", "abc"], negative_prompt="no")
    ids = tiny.tokenizer("no").input_ids
    assert encoded.negative_ids.tolist() == [ids, ids]
    assert encoded.negative_mask.tolist() == [[1] * len(ids)] * 2
    assert encode_prompt(tiny, "a").negative_ids is None


def test_negative_prompts_must_match_the_prompts_in_number(tiny: LanguageModel) -> None:
    with pytest.raises(PromptError, match="one for each of the 3, got 2"):
        encode_prompt(tiny, ["a", "b", "c"], negative_prompt=["x", "y"])


# --- what cannot be encoded -------------------------------------------------------------------------------


def test_an_empty_prompt_says_how_to_start_from_nothing(tiny: LanguageModel) -> None:
    with pytest.raises(
        PromptError, match=r"^prompt is empty.*write at least one word, or <\|im_start\|> to start"
    ):
        encode_prompt(tiny, "")
    with pytest.raises(PromptError, match=r"^prompt\[1\] is empty"):
        encode_prompt(tiny, ["a", ""])
    with pytest.raises(PromptError, match="^negative_prompt is empty"):
        encode_prompt(tiny, "a", negative_prompt="")
    with pytest.raises(PromptError, match="at least one word$"):
        encode_prompt(with_tokenizer(tiny, bos_token=None), "")


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (None, "must be a text, a list of texts, or chat messages, got NoneType"),
        (7, "got int"),
        (b"bytes", "got bytes"),
        ({"role": "user", "content": "x"}, "got dict"),
        ([], "empty list"),
        ([[]], r"prompt\[0\] is a chat without messages"),
        (["a", HELLO[0]], "mixture of dict, str"),
        ([1, 2], "mixture of int"),
        ([{"role": "user"}], 'exactly "role" and "content"'),
        ([{"role": "user", "content": "x", "name": "y"}], 'exactly "role" and "content"'),
        ([{"role": "User", "content": "x"}], "role must be one of system, .*, tool, got 'User'"),
        ([{"role": ["user"], "content": "x"}], "role must be one of"),
        ([{"role": "user", "content": ["x"]}], "content must be a text, got list"),
        ([[{"role": "user", "content": None}]], r"prompt\[0\]\[0\]: content must be a text, got NoneType"),
        ("half \ud83d", r"lone surrogate, U\+D83D\) at position 5; remove it"),
        ([{"role": "user", "content": "\udc00"}], r"prompt\[0\] has half a character"),
    ],
)  # fmt: skip
def test_a_prompt_of_no_known_form_is_refused(tiny: LanguageModel, prompt: Any, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        encode_prompt(tiny, prompt)


# --- the context window -----------------------------------------------------------------------------------


def test_a_prompt_that_fills_the_context_leaves_no_room_for_an_answer(tiny: LanguageModel) -> None:
    encode_prompt(tiny, "é" * ((CONTEXT - 2) // 2))
    with pytest.raises(PromptError) as caught:
        encode_prompt(tiny, "é" * (CONTEXT // 2))
    assert str(caught.value) == (
        "the prompt has 128 tokens, and tiny-llama takes at most 128, its answer included; "
        "shorten the prompt to less than 128 tokens, or choose a model with a longer context"
    )


@pytest.mark.parametrize(
    ("length", "new", "fits"), [(100, 28, True), (100, 29, False), (127, 1, True), (1, 127, True)]
)
def test_prompt_and_answer_must_fit_together(tiny: LanguageModel, length: int, new: int, fits: bool) -> None:
    if fits:
        check_fits(tiny, length, new)
        return
    with pytest.raises(PromptError, match="max_new_tokens=29 makes 129.*set max_new_tokens to at most 28"):
        check_fits(tiny, length, new)


def test_an_encoder_and_its_decoder_have_a_window_each(bart: LanguageModel) -> None:
    check_fits(bart, CONTEXT, CONTEXT - 1)
    with pytest.raises(PromptError, match="encoder of tiny-bart takes at most 128"):
        check_fits(bart, CONTEXT + 1)
    with pytest.raises(PromptError, match="set it to at most 127"):
        check_fits(bart, 1, CONTEXT)


def test_t5_has_no_window() -> None:
    check_fits(tiny_lm("t5"), 10_000, 10_000)
