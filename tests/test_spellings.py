"""A word given as text is every run of tokens by which the tokenizer writes it, for tokenizers of every kind."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from decoding import Settings, record, verify
from decoding.errors import SettingError
from decoding.models.load import LanguageModel
from decoding.tokens.spellings import spellings, tokens_that_are
from decoding.tokens.token_bytes import byte_rule
from tests.tiny_tokenizers import CORPUS, LOSSLESS, TOKENIZERS, tiny_lm_of, tiny_tokenizer_of

tokenizer_of = cache(tiny_tokenizer_of)
QUICK = ("gpt2", "llama2", "t5")  # one of each family of tokenizers


def quick_first(kinds):
    """All the kinds; those that are not among the quick ones `slow`."""
    return [pytest.param(kind, marks=[] if kind in QUICK else [pytest.mark.slow]) for kind in kinds]


def written(kind: str, word: str) -> set[tuple[str, ...]]:
    tokenizer = tokenizer_of(kind)
    return {tuple(tokenizer.convert_ids_to_tokens(ids)) for ids in spellings(tokenizer, word)}


def said(tokenizer, ids) -> str:
    to_bytes = byte_rule(tokenizer)
    return b"".join(map(to_bytes, tokenizer.convert_ids_to_tokens(ids))).decode("utf-8", "surrogateescape")


# ---- which runs they are


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("gpt2", {("cat",), ("Ġcat",)}),
        ("gpt2 with a prefix space", {("cat",), ("Ġcat",)}),
        ("llama3", {("cat",), ("Ġcat",)}),
        ("llama2", {("cat",), ("▁cat",)}),
        ("llama2 legacy", {("cat",), ("▁cat",)}),
        ("mistral", {("cat",), ("▁cat",)}),
        ("metaspace always", {("cat",), ("▁cat",)}),
        ("metaspace never", {("cat",), ("▁cat",)}),
        ("t5", {("cat",), ("▁cat",)}),
        ("unigram first", {("cat",), ("▁cat",)}),
        ("bert", {("cat",), ("##c", "##at")}),
        ("openai-gpt", {("cat</w>",), ("ca", "t")}),
        ("bytes alone", {("c", "a", "t")}),  # the space before it is a token of its own, and adds nothing to the ban
        ("byt5", {("c", "a", "t")}),
    ],
)
def test_a_word_is_written_with_and_without_a_space_before_it(kind, wanted):
    assert written(kind, "cat") == wanted


@pytest.mark.parametrize("kind", ["gpt2", "llama2", "llama2 legacy", "metaspace always", "t5"])
def test_a_word_that_begins_with_a_space_is_meant_with_it(kind):
    space = "Ġ" if kind == "gpt2" else "▁"
    assert written(kind, " cat") == {(f"{space}cat",)}


def test_words_that_are_no_letters():
    assert written("llama2", "\n") == {("\n",)}
    assert written("llama2", "Z") == {("<0x5A>",)}
    assert written("gpt2", " ") == {("Ġ",)}
    assert written("llama2", "</s>") == {("</s>",)}


def test_a_tokenizer_that_changes_the_text_is_met_by_what_it_makes_of_the_word():
    assert ("cat",) in written("bert uncased", "Cat")
    assert ("don", "'", "t") in written("bert", "don't")
    assert ("北", "京") in written("bert", "北京")
    assert ("▁cat",) in written("t5", "ｃａｔ")  # NFKC


@pytest.mark.parametrize(("kind", "word"), [("t5", "Ж"), ("bert", "Жук"), ("bert", "\n")])
def test_a_word_beyond_the_vocabulary_is_refused(kind, word):
    with pytest.raises(SettingError, match="vocabulary cannot spell"):
        Settings(bad_words_ids=[word]).generate_kwargs(tokenizer_of(kind))


def test_a_long_word_takes_no_longer_than_it_is_long():
    word = "the cat sat on the mat " * 300
    assert len(spellings(tokenizer_of("llama2"), word)) == 2


CORPUS_TEXT = " ".join(dict.fromkeys(CORPUS))
PIECES = st.builds(
    lambda start, length: CORPUS_TEXT[start : start + length],
    st.integers(0, len(CORPUS_TEXT) - 1), st.integers(1, 9),
) | st.text(st.sampled_from("catdog'lsx7. (\n一北é🙂"), min_size=1, max_size=6)  # fmt: skip


@pytest.mark.parametrize("kind", quick_first(LOSSLESS))
@settings(max_examples=120, deadline=None)
@given(context=PIECES, space=st.sampled_from(["", " "]), word=PIECES)
@example(context=" cat = 12", space="", word="12")  # digits are written in threes, counted from the first
def test_however_a_word_is_written_it_is_one_of_its_spellings(kind, context, space, word):
    """Where the tokenizer's own encoding has a border on both sides of the word, the ban applies there."""
    tokenizer = tokenizer_of(kind)
    ids = tokenizer(context + space + word, add_special_tokens=False)["input_ids"]
    texts = [said(tokenizer, ids[start:]) for start in range(len(ids))]
    runs = [ids[start:] for start, text in enumerate(texts) if text == word]
    assume(runs)
    found = spellings(tokenizer, word)
    for run in runs:
        assert any(run[-len(spelling) :] == spelling for spelling in found), (run, found)


@pytest.mark.parametrize("kind", quick_first(sorted(TOKENIZERS)))
@settings(max_examples=40, deadline=None)
@given(word=PIECES)
def test_no_spelling_begins_or_ends_with_another(kind, word):
    """A bias would be added twice."""
    found = spellings(tokenizer_of(kind), word)
    for run in found:
        assert run
        for other in found:
            if len(other) < len(run):
                assert other not in (run[: len(other)], run[-len(other) :])


# ---- in settings


@pytest.mark.parametrize("name", ["suppress_tokens", "begin_suppress_tokens"])
def test_a_text_among_single_tokens_is_the_token_with_and_without_a_space(name):
    tokenizer = tokenizer_of("llama2")
    ids = Settings(**{name: ["cat", 7]}).generate_kwargs(tokenizer)[name]
    assert set(tokenizer.convert_ids_to_tokens(ids[:-1])) == {"cat", "▁cat"} and ids[-1] == 7
    spaced = Settings(**{name: [" cat"]}).generate_kwargs(tokenizer)[name]
    assert tokenizer.convert_ids_to_tokens(spaced) == ["▁cat"]
    with pytest.raises(SettingError, match="give one token, or its id"):
        Settings(**{name: ["the cat"]}).generate_kwargs(tokenizer)


def test_the_form_of_a_word_that_is_several_tokens_is_not_suppressed_but_the_other_is():
    tokenizer = tokenizer_of("llama2")  # "▁北京" is a token, "北京" is two
    ids = Settings(suppress_tokens=["北京"]).generate_kwargs(tokenizer)["suppress_tokens"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["▁北京"]


def test_the_token_that_ends_a_text_is_the_text_itself():
    tokenizer = tokenizer_of("llama2")  # by itself "." is encoded as "▁", "."
    for name in ("eos_token_id", "forced_eos_token_id"):
        for text in (".", "\n", "</s>"):
            found = Settings(**{name: [text]}).generate_kwargs(tokenizer)[name]
            assert found == tokenizer.convert_tokens_to_ids(text)
    assert tokens_that_are(tokenizer_of("bert"), "cat") == []  # a word of BERT's has its space
    assert Settings(eos_token_id=["cat"]).generate_kwargs(tokenizer_of("bert"))["eos_token_id"] == (
        tokenizer_of("bert").convert_tokens_to_ids("cat")
    )


def test_the_token_that_comes_first_is_written_as_a_text_begins():
    tokenizer = tokenizer_of("llama2")
    first = Settings(forced_bos_token_id=["cat"]).generate_kwargs(tokenizer)["forced_bos_token_id"]
    assert tokenizer.convert_ids_to_tokens(first) == "▁cat"


def test_a_bias_on_a_word_is_added_once():
    lm = tiny_lm_of("llama2")
    for word in ("Cat", "cat", "the cat"):
        given = Settings(sequence_bias={word: -2.0}, max_new_tokens=1)
        trace = record(lm, "the dog", given)
        change = trace.scores(step=0, stage=1) - trace.scores(step=0, stage=0)
        assert change.min() >= -2.0 - 1e-5


# ---- in a run


@pytest.mark.parametrize("kind", ["llama2", "llama2 legacy", "metaspace always", "gpt2", "t5"])
def test_a_banned_word_of_one_token_does_not_come_after_a_bracket(kind):
    lm = tiny_lm_of(kind)
    end = "Ġ" if kind == "gpt2" else "▁"
    both = lm.tokenizer.convert_tokens_to_ids(["cat", f"{end}cat"])
    trace = record(lm, "(", Settings(bad_words_ids=["cat"], max_new_tokens=2))
    scores = trace.scores(step=0, stage=-1)
    assert scores[both].tolist() == [float("-inf")] * 2
    assert verify(trace, lm).equal


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bytes alone", "byt5"])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_where_a_text_has_one_spelling_a_banned_word_is_never_in_it(kind, seed):
    """Each byte a token: there is no other way to write a word, so the ban is a promise."""
    lm = _quick(kind)
    sampling = Settings(do_sample=True, seed=seed, top_k=3, max_new_tokens=40)
    free = record(lm, "cat", sampling)
    raw = _bytes(free)
    words = [raw[i : i + 2].decode() for i in range(len(raw) - 1) if raw[i : i + 2].isalnum()]
    assume(words)
    banned = record(lm, "cat", Settings(**{**sampling.given(), "bad_words_ids": [words[0]]}))
    assert words[0].encode() not in _bytes(banned)


def _bytes(trace) -> bytes:
    """The text with 0xFF for each special token: a word that one of them parts is no word."""
    ids = [step.token_ids[0] for step in trace.steps]
    return b"".join(b"\xff" if trace.tokens.is_special(i) else trace.tokens.bytes(i) for i in ids)


@cache
def _quick(kind: str) -> LanguageModel:
    return tiny_lm_of(kind)


def test_whatif_takes_the_ids_that_the_run_used_for_the_same_words():
    lm = tiny_lm_of("llama2")
    trace = record(lm, "(", Settings(bad_words_ids=["cat"], do_sample=True, seed=1, max_new_tokens=3))
    again = trace.whatif(Settings(bad_words_ids=["cat"], do_sample=True, top_k=5))
    assert again.config.bad_words_ids == trace.generation_config["bad_words_ids"]
    assert torch.isinf(again.scores(step=0, stage=-1)[lm.tokenizer.convert_tokens_to_ids("cat")])
