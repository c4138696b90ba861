"""Which tokens a word begins with, from a table of tokens alone: no tokenizer is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from decoding.tokens.token_table import TokenTable

__all__ = ["WordStart", "word_starts"]

MOST = 6  # tokens with the same bytes are rare; a table from a file may have any number


@dataclass(frozen=True, slots=True, kw_only=True)
class WordStart:
    """A token that a word may begin with.

    Attributes:
        token_id: the token.
        whole: it is the whole word; else the longest token that the word begins with.
    """

    token_id: int
    whole: bool


def word_starts(table: TokenTable | None, word: str, n_vocab: int) -> tuple[WordStart, ...]:
    """The tokens that a word begins with: within a sentence, then at its start; whole words first.

    A word that begins with a space is meant with it. Where no token is the whole word, the longest token that it
    begins with is given: a tokenizer may cut the word elsewhere, which it alone knows. `#123` is the token of that id.

    Args:
        table: None for a trace without one: its tokens are known by their ids.
        n_vocab: ids end before it.
    """
    named = re.fullmatch(r"#(\d{1,9})", word.strip())
    if named and int(named[1]) < n_vocab:
        return (WordStart(token_id=int(named[1]), whole=True),)
    if table is None or not word:
        return ()
    # A lone surrogate, which a page may send, has no bytes.
    wishes = [w.encode("utf-8", "replace") for w in ([word] if word.startswith(" ") else [f" {word}", word])]
    found = [start for wish in wishes for start in _starts(table, wish, n_vocab)]
    whole = [start for start in found if start.whole]
    return tuple((whole or _longer_than_a_space(table, found))[:MOST])


def _starts(table: TokenTable, word: bytes, n_vocab: int) -> list[WordStart]:
    """The tokens that are these bytes, or else the longest that they begin with."""
    lengths = np.diff(table.offsets[: n_vocab + 1])
    begins = np.zeros(len(lengths), dtype=bool)
    held = (lengths > 0) & (lengths <= len(word))
    begins[held] = table.flat[table.offsets[:-1][: len(lengths)][held]] == word[0]
    fits = [int(i) for i in np.flatnonzero(begins) if word.startswith(table.bytes(int(i)))]
    longest = max((int(lengths[i]) for i in fits), default=0)
    whole = longest == len(word)
    return [
        WordStart(token_id=i, whole=whole)
        for i in fits
        if lengths[i] == longest and (whole or not table.is_special(i))
    ]


def _longer_than_a_space(table: TokenTable, found: list[WordStart]) -> list[WordStart]:
    """Without those that are nothing but the space before the word, where there are others."""
    said = [start for start in found if table.bytes(start.token_id) != b" "]
    return said or found
