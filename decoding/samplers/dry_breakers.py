"""Sequence breakers of DRY: texts at which a repetition ends, as the tokens that hold or spell them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from decoding.errors import SettingError
from decoding.tokens.token_table import TokenTable

__all__ = ["DEFAULT_BREAKERS", "NO_BREAKERS", "Breakers", "breakers_of"]

DEFAULT_BREAKERS = ("\n", ":", '"', "*")  # llama.cpp's
LONGEST_TEXT, LONGEST_TAIL = 40, 20  # bytes and tokens, beyond which llama.cpp cuts a breaker off


@dataclass(frozen=True, slots=True)
class Breakers:
    """Tokens with which a breaker begins, each with what must follow it: nothing where it holds the breaker whole."""

    tails: Mapping[int, Sequence[tuple[int, ...]]] = field(default_factory=dict)

    def ends(self, token: int) -> bool:
        """Whether the token alone is one."""
        return () in self.tails.get(token, ())

    def tokens_since(self, context: Sequence[int]) -> int:
        """How many tokens stand after the last breaker of a context; all of them where there is none."""
        n = len(context)
        for i in range(n):  # from its end
            found = [len(tail) for tail in self.tails.get(context[n - 1 - i], ()) if _follows(context, n - i, tail)]
            if found:
                return i - max(found)
        return n


NO_BREAKERS = Breakers()


def _follows(context: Sequence[int], start: int, tail: tuple[int, ...]) -> bool:
    return tuple(context[start : start + len(tail)]) == tail


def breakers_of(
    texts: Sequence[str], table: TokenTable, tokenize: Callable[[str], Sequence[int]] | None = None
) -> Breakers:
    """The tokens that some breakers are made of.

    Args:
        texts: the breakers, not empty.
        table: the bytes of all tokens.
        tokenize: a text to token ids, none of them special; needed where a token ends within a breaker.

    Raises:
        SettingError: it is needed and not there.
    """
    tails: dict[int, list[tuple[int, ...]]] = {}
    for text in texts:
        raw = text.encode()[:LONGEST_TEXT]
        whole = _holding(table, raw)
        for token in whole.tolist():
            tails.setdefault(token, []).append(())
        for n in range(1, len(raw)):
            begins = np.setdiff1d(_ending(table, raw[:n]), whole)
            tail = _tokens_of(raw[n:], text, tokenize) if len(begins) else None
            if tail is not None:
                for token in begins.tolist():
                    tails.setdefault(token, []).append(tail)
    return Breakers({token: tuple(dict.fromkeys(found)) for token, found in tails.items()})


def _holding(table: TokenTable, raw: bytes) -> np.ndarray:
    """Ids of the tokens that hold these bytes, ascending."""
    flat, found, at = table.flat.tobytes(), [], -1
    while (at := flat.find(raw, at + 1)) >= 0:
        found.append(at)
    starts = np.array(found, dtype=np.int64)
    tokens = np.searchsorted(table.offsets, starts, side="right") - 1
    return np.unique(tokens[starts + len(raw) <= table.offsets[tokens + 1]])


def _ending(table: TokenTable, raw: bytes) -> np.ndarray:
    """Ids of the tokens that end with these bytes."""
    ends, lengths = table.offsets[1:], np.diff(table.offsets)
    tokens = np.flatnonzero(lengths >= len(raw))
    for back, byte in enumerate(reversed(raw), start=1):
        tokens = tokens[table.flat[ends[tokens] - back] == byte]
    return tokens


def _tokens_of(raw: bytes, text: str, tokenize: Callable[[str], Sequence[int]] | None) -> tuple[int, ...] | None:
    """A breaker's end as tokens; None where it begins within a character, which no tokenizer takes."""
    try:
        rest = raw.decode()
    except UnicodeDecodeError:
        return None
    if tokenize is None:
        raise SettingError(
            "dry_sequence_breakers", text, "given with a tokenizer",
            "a breaker may be several tokens, and only the tokenizer knows which; give one of a single character",
        )
    return tuple(tokenize(rest))[:LONGEST_TAIL]
