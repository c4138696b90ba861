"""The runs of tokens by which a tokenizer writes a word, whatever stands before and after it.

A word is other tokens inside a sentence than at its start, and which ones no single call says: SentencePiece puts a
space before the text that it is given, WordPiece marks what goes on within a word, others merge a bracket with the
letters after it. So the word is written between many neighbours of different kinds, and every run of tokens that adds
just the word to the text is taken. That these are all is an argument about the algorithms: where a token border lies
on each side of the word, a byte-pair, unigram or WordPiece tokenizer cuts the word itself the same way whatever lies
beyond the borders; only the pre-tokenizer looks further, by the kind of the letter next to the word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from decoding.tokens.token_bytes import byte_rule, marks_word_ends

__all__ = ["spellings", "tokens_that_are"]

# A neighbour of every kind that pre-tokenizers tell apart, two of most: a token may join one of them with the word.
BEFORE = ("", "\n", "(", "x", "Q", "7", "77", ".", "§", "一", "я", "'", "-", "🙂", "\t")
AFTER = ("", "\n", "x", "7", "77", ")", "一", "'", " ")
APART = ("", "\n", "(", ".", "§")  # neighbours after which a word begins
NEIGHBOUR = 8  # tokens that a neighbour and a space can be: an emoji is four bytes

Piece = tuple[int, ...]
Said = Callable[[Piece], str]


def spellings(tokenizer: Any, word: str) -> list[list[int]]:
    """The token ids of a word, in each way that the tokenizer writes it; empty where its vocabulary cannot.

    With and without a leading space; a word that begins with a space is meant with it. None of the runs
    begins or ends with a shorter one of them, so nothing is counted twice. A tokenizer that changes the text first
    (capitals into small letters, spaces around punctuation) is met by what it makes of the word.

    Args:
        tokenizer: fast or slow; only public methods are used.
        word: any text that is not empty.
    """
    said = _said(tokenizer)
    written = list(_written(tokenizer, word))
    ends = marks_word_ends(tokenizer)
    found = _runs(written, said, lambda text: _is_word(text.rstrip(" ") if ends else text, word))
    if not found:
        wanted = _bare(_normalized(tokenizer, word))
        found = _runs(written, said, lambda text: _bare(_normalized(tokenizer, text)) == wanted) if wanted else []
    return [list(run) for run in found]


def tokens_that_are(tokenizer: Any, text: str) -> list[int]:
    """The single tokens that add exactly this text, no space more, where a word begins."""
    said, written = _said(tokenizer), _written(tokenizer, text, APART)
    return [run[0] for run in _runs(written, said, lambda found: found == text) if len(run) == 1]


def _written(tokenizer: Any, word: str, neighbours: tuple[str, ...] = BEFORE) -> Iterator[Piece]:
    """The word as the tokenizer writes it between its neighbours, first without a space before it, then with one."""
    texts = [before + space + word + after for space in ("", " ") for before in neighbours for after in AFTER]
    for ids in tokenizer(list(dict.fromkeys(texts)), add_special_tokens=False)["input_ids"]:
        yield tuple(ids)


def _said(tokenizer: Any) -> Said:
    """What tokens add to the text; bytes that form no character as lone surrogates."""
    to_bytes, known = byte_rule(tokenizer), {}

    def piece(token_id: int) -> bytes:
        if token_id not in known:
            token = tokenizer.convert_ids_to_tokens(token_id)
            known[token_id] = b"" if token is None else to_bytes(token)
        return known[token_id]

    return lambda ids: b"".join(map(piece, ids)).decode("utf-8", "surrogateescape")


def _runs(written: Any, said: Said, matches: Callable[[str], bool]) -> list[Piece]:
    """The runs that match, of which no token at either end can be left out; in the order they were met."""
    found: dict[Piece, None] = {}
    tried: dict[Piece, bool] = {}

    def fits(run: Piece) -> bool:
        if run not in tried:
            tried[run] = matches(said(run))
        return tried[run]

    for ids in written:
        for start in range(min(len(ids), NEIGHBOUR)):
            for end in range(max(start + 1, len(ids) + 1 - NEIGHBOUR), len(ids) + 1):
                run = ids[start:end]
                if fits(run) and not (len(run) > 1 and (fits(run[1:]) or fits(run[:-1]))):
                    found[run] = None
    return [run for run in found if not any(_holds(run, other) for other in found)]


def _holds(run: Piece, other: Piece) -> bool:
    n = len(other)
    return n < len(run) and other in (run[:n], run[-n:])


def _is_word(text: str, word: str) -> bool:
    """Whether a text is the word, with a space before it or without; spaces of the word's own are part of it."""
    if word.startswith(" "):
        return text == word
    return text.removeprefix(" ") == word


def _normalized(tokenizer: Any, text: str) -> str:
    normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None)
    return text if normalizer is None else normalizer.normalize_str(text)


def _bare(text: str) -> str:
    """The text without anything that a tokenizer may put in for a space."""
    return re.sub(r"[\s▁]+", "", text)
