"""A tokenizer's table is made once, and again where the tokenizer was changed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import decoders

from decoding import Settings, record
from decoding.tokens.known_tables import _known, table_of
from decoding.tokens.token_table import TokenTable
from tests.tiny_models import tiny_lm, tiny_tokenizer


def same(one: TokenTable, other: TokenTable) -> bool:
    pairs = zip(one.to_arrays().values(), other.to_arrays().values(), strict=True)
    return all(a.tobytes() == b.tobytes() for a, b in pairs)


def test_two_runs_share_one_table_which_is_the_tokenizers_own():
    lm = tiny_lm()
    first, second = (record(lm, "the cat", Settings(max_new_tokens=2)).tokens for _ in range(2))
    assert first is second
    assert same(first, TokenTable.from_tokenizer(lm.tokenizer, lm.model.config.vocab_size))


def changed_decoder(tokenizer: Any) -> None:
    tokenizer.backend_tokenizer.decoder = decoders.Metaspace()


@pytest.mark.parametrize(
    "change",
    [
        lambda tokenizer: tokenizer.add_tokens(["zebra"]),
        lambda tokenizer: tokenizer.add_special_tokens({"sep_token": "<sep>"}),
        lambda tokenizer: setattr(tokenizer, "sep_token", "the"),
        changed_decoder,
    ],
    ids=["added token", "special token", "role", "decoder"],
)
def test_a_tokenizer_that_was_changed_has_a_new_table(change: Callable[[Any], Any]):
    tokenizer = tiny_tokenizer()
    before = table_of(tokenizer, 400)
    change(tokenizer)
    after = table_of(tokenizer, 400)
    assert same(after, TokenTable.from_tokenizer(tokenizer, 400)) and not same(after, before)
    assert table_of(tokenizer, 400) is after


def test_another_size_of_the_vocabulary_has_a_table_of_its_own():
    tokenizer = tiny_tokenizer()
    assert (len(table_of(tokenizer, 400)), len(table_of(tokenizer, 500))) == (400, 500)


def test_a_table_goes_with_its_tokenizer():
    tokenizer = tiny_tokenizer()
    table_of(tokenizer)
    gone = weakref.ref(tokenizer)
    assert tokenizer in _known
    del tokenizer
    gc.collect()
    assert gone() is None
