"""How a token is shown: its exact bytes, repaired across tokens, with every invisible thing made visible.

A token is a piece of *bytes*, and a character may need several of them. So the table keeps, for each id, the
bytes that the token adds to the text, and everything shown is made from these: never from decoding one id
alone, which yields a bare U+FFFD for half a character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np

from decoding.errors import TraceFileError
from decoding.tokens.token_bytes import added_tokens, byte_rule, special_ids

__all__ = ["TokenTable", "TokenText", "visible"]

_KNOWN, _SPECIAL, _ADDED = 1, 2, 4

@dataclass(frozen=True, slots=True, kw_only=True)
class TokenText:
    """One token of a sequence as it is to be shown.

    Attributes:
        token_id: the id.
        text: what to show; never empty, no control, bidi or zero-width characters, never U+FFFD. Token text
            is hostile input all the same: show it as text, not as markup, and isolate it (`<bdi>`), because
            right-to-left letters are ordinary characters here.
        raw: the bytes that the token adds to the text; empty for an id outside the tokenizer.
        is_special: a special token, such as `<|im_end|>`.
        is_partial: the bytes alone do not form whole characters.
        group: `(start, end)`, the range of the sequence that forms the character(s); `(i, i + 1)` for a token
            that stands alone, be it a whole text or bytes that never became a character.
        joined: what the tokens of `group` show together; equal to `text` for a token that stands alone.
    """

    token_id: int
    text: str
    raw: bytes
    is_special: bool
    is_partial: bool
    group: tuple[int, int]
    joined: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenTable:
    """Every id of a vocabulary with the bytes it stands for; once made, it needs no tokenizer and no model.

    Attributes:
        flat: uint8 [n_bytes], the bytes of all tokens, one after the other.
        offsets: int64 [n_tokens + 1]; token `i` is `flat[offsets[i]:offsets[i + 1]]`.
        flags: uint8 [n_tokens]; bit 0: the tokenizer knows the id, bit 1: special, bit 2: an added token.
    """

    flat: np.ndarray
    offsets: np.ndarray
    flags: np.ndarray

    @classmethod
    def from_tokenizer(cls, tokenizer: Any, vocab_size: int | None = None) -> TokenTable:
        """The table of a transformers tokenizer.

        Exact for byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM2), for SentencePiece pieces with or without
        byte fallback (Llama 2, Gemma, T5) and for WordPiece: the bytes are those the tokenizer's own decoder
        adds to the text for the token, be it an ordinary, an added or a special one. What a decoder does by
        position (dropping the very first space) is left out. For an unknown kind of tokenizer the bytes are the
        token as the vocabulary spells it.

        Args:
            tokenizer: fast or slow; only public methods are used.
            vocab_size: the model's; where it is larger than the tokenizer's, the ids beyond show as `#id`.
        """
        vocab: dict[str, int] = tokenizer.get_vocab()
        added = added_tokens(tokenizer)
        special = special_ids(tokenizer)
        n_tokens = max([vocab_size or 0, *(i + 1 for i in vocab.values()), *(i + 1 for i in added)])
        to_bytes = byte_rule(tokenizer)
        pieces = [b""] * n_tokens
        flags = np.zeros(n_tokens, dtype=np.uint8)
        for token, i in vocab.items():
            pieces[i] = to_bytes(token)
        flags[list(vocab.values())] |= _KNOWN
        for i in added:  # by id: where the tokenizer changes texts first, it writes the changed one
            pieces[i] = to_bytes(tokenizer.convert_ids_to_tokens(i))
            flags[i] |= _KNOWN | _ADDED
        flags[[i for i in special if i < n_tokens]] |= _SPECIAL
        return cls._from_pieces(pieces, flags)

    @classmethod
    def _from_pieces(cls, pieces: list[bytes], flags: np.ndarray) -> TokenTable:
        offsets = np.zeros(len(pieces) + 1, dtype=np.int64)
        np.cumsum([len(piece) for piece in pieces], out=offsets[1:])
        flat = np.frombuffer(b"".join(pieces), dtype=np.uint8)
        return cls(flat=_frozen(flat), offsets=_frozen(offsets), flags=_frozen(flags))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The table as three arrays for a file, lossless: `bytes` uint8, `offsets` int64, `flags` uint8."""
        return {"bytes": self.flat, "offsets": self.offsets, "flags": self.flags}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> TokenTable:
        """The table that `to_arrays` gave; takes numpy arrays or CPU tensors and keeps copies.

        Raises:
            TraceFileError: an array is missing, of another dtype or shape, or points outside the bytes.
        """
        flat = _checked(arrays, "bytes", (np.uint8,))
        offsets = _checked(arrays, "offsets", (np.int32, np.int64)).astype(np.int64)
        flags = _checked(arrays, "flags", (np.uint8,))
        n_tokens = len(flags)
        if len(offsets) != n_tokens + 1:
            raise TraceFileError(
                "token table: {n_tokens} tokens need {wanted} offsets, got {n_offsets}; {damaged}",
                n_tokens=n_tokens, wanted=n_tokens + 1, n_offsets=len(offsets), damaged=_DAMAGED,
            )
        # Neighbours are compared rather than subtracted: the difference of two int64 may wrap around.
        if offsets[0] != 0 or offsets[-1] != len(flat) or (offsets[1:] < offsets[:-1]).any():
            raise TraceFileError(
                "token table: offsets must rise from 0 to {n_flat}; {damaged}",
                n_flat=len(flat), damaged=_DAMAGED,
            )
        if (flags > (_KNOWN | _SPECIAL | _ADDED)).any():
            raise TraceFileError("token table: unknown flag {flag}; {damaged}", flag=int(flags.max()), damaged=_DAMAGED)
        if (np.diff(offsets)[(flags & _KNOWN) == 0] > 0).any():
            raise TraceFileError("token table: an id without a token has bytes; {damaged}", damaged=_DAMAGED)
        return cls(flat=_frozen(flat), offsets=_frozen(offsets), flags=_frozen(flags))

    def only(self, ids: Iterable[int]) -> TokenTable:
        """The table with these tokens and the special ones; the others are as unknown as ids outside a tokenizer."""
        kept = (self.flags & _SPECIAL) > 0
        kept[[i for i in _as_ints(ids) if 0 <= i < len(self)]] = True
        pieces = [self.bytes(i) if keep else b"" for i, keep in enumerate(kept.tolist())]
        return self._from_pieces(pieces, np.where(kept, self.flags, 0).astype(np.uint8))

    def __len__(self) -> int:
        return len(self.flags)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TokenTable):
            return NotImplemented
        ours, theirs = self.to_arrays(), other.to_arrays()
        return all(np.array_equal(ours[name], theirs[name]) for name in ours)

    def exists(self, token_id: int) -> bool:
        """Whether the tokenizer knows the id."""
        return 0 <= token_id < len(self) and bool(self.flags[token_id] & _KNOWN)

    def is_special(self, token_id: int) -> bool:
        """Whether the id is a special token's."""
        return 0 <= token_id < len(self) and bool(self.flags[token_id] & _SPECIAL)

    def is_partial(self, token_id: int) -> bool:
        """Whether the token alone is no whole characters, as `TokenText.is_partial`."""
        return not _is_whole(self.bytes(token_id))

    def bytes(self, token_id: int) -> bytes:
        """The bytes that the token adds to the text; empty where there is no such token."""
        if not 0 <= token_id < len(self):
            return b""
        return self.flat[self.offsets[token_id] : self.offsets[token_id + 1]].tobytes()

    def text(self, token_id: int) -> str:
        """What to show for one token alone, `#id` where there is no such token; see `TokenText.text`."""
        return _visible(self.bytes(token_id)) if self.exists(token_id) else f"#{token_id}"

    def display(self, ids: Iterable[int]) -> tuple[TokenText, ...]:
        """What to show for each token of a sequence, knowing its neighbours."""
        ids = _as_ints(ids)
        pieces = [self.bytes(i) for i in ids]
        # A special token or an unknown id parts its neighbours: "#" stands in for it, a whole character.
        apart = [self.is_special(i) or not self.exists(i) for i in ids]
        joinable = [b"#" if a else piece for a, piece in zip(apart, pieces, strict=True)]
        shown = []
        for start, end in _groups(joinable):
            alone = end == start + 1
            joined = self.text(ids[start]) if alone else _visible(b"".join(pieces[start:end]))
            for token_id, raw in zip(ids[start:end], pieces[start:end], strict=True):
                token = TokenText(
                    token_id=token_id,
                    text=self.text(token_id),
                    raw=raw,
                    is_special=self.is_special(token_id),
                    is_partial=not _is_whole(raw),
                    group=(start, end),
                    joined=joined,
                )
                shown.append(token)
        return tuple(shown)

    def plain(self, ids: Iterable[int], *, skip_special: bool = True) -> str:
        """The text of a sequence: real spaces and newlines; bytes that form no character as `‹E2 96›`.

        U+FFFD itself is written `‹EF BF BD›`, and an id without a token `#id`, so nothing is taken for what
        it is not. A space that begins the first token stays. The text may hold control and bidi characters.
        """
        pieces = []
        for i in _as_ints(ids):
            if not (skip_special and self.is_special(i)):
                pieces.append(self.bytes(i) if self.exists(i) else f"#{i}".encode())
        text = b"".join(pieces).decode("utf-8", "surrogateescape")
        return re.sub("[\udc80-\udcff]+|\ufffd", lambda found: _hex(found.group()), text)


# ---- from bytes to what is shown


def _is_whole(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _groups(pieces: list[bytes]) -> Iterator[tuple[int, int]]:
    """The smallest ranges of pieces whose borders fall between characters; they cover the sequence."""
    # surrogateescape turns each byte that is in no character into one lone surrogate: nothing joins over it.
    text = b"".join(pieces).decode("utf-8", "surrogateescape")
    width = [1 if "\udc80" <= c <= "\udcff" else len(c.encode()) for c in text]
    borders = {0, *np.cumsum(width, dtype=np.int64).tolist()}
    start = position = 0
    for i, piece in enumerate(pieces):
        position += len(piece)
        if position in borders:
            yield start, i + 1
            start = i + 1


_GLYPHS = {" ": "␠", "\n": "⏎", "\t": "⇥", "\r": "␍", "\x7f": "␡"}
_GLYPHS |= {chr(c): chr(0x2400 + c) for c in range(0x20) if chr(c) not in _GLYPHS}
# Drawn as nothing although Unicode calls them letters, marks or symbols.
_BLANK = set("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_ESCAPED_CATEGORIES = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}
_STYLE_SELECTORS = "\ufe0e\ufe0f"  # text or emoji style of the character before; of use, and harmless
_MAX_MARKS = 4  # marks on one letter; a taller stack would cover the lines above


def visible(raw: bytes) -> str:
    """What to show for bytes that a token adds to a text, where no table has it; see `TokenText.text`."""
    return _visible(raw)


@lru_cache(maxsize=1 << 14)
def _visible(raw: bytes) -> str:
    text = raw.decode("utf-8", "surrogateescape")
    if text.isascii() and text.isprintable() and text == text.strip() and "  " not in text and text:
        return text
    kinds = [_kind(c) for c in text]
    out = []
    for kind, places in groupby(range(len(text)), key=kinds.__getitem__):
        run = list(places)
        chars = text[run[0] : run[-1] + 1]
        after = kinds[run[-1] + 1] if run[-1] + 1 < len(kinds) else None
        before = kinds[run[0] - 1] if run[0] > 0 else None
        if kind == "mark":
            out.append(_visible_marks(chars, has_base=before == "plain"))
        elif kind == "space" and len(chars) == 1 and before in ("plain", "mark") and after == "plain":
            out.append(" ")  # one space between two words reads best as it is
        elif kind == "byte":
            out.append(_hex(chars))
        else:
            out.append("".join(_SHOW[kind](c) for c in chars))
    return "".join(out) or "‹›"


def _kind(char: str) -> str:
    if char.isascii():
        return "space" if char == " " else "plain" if char.isprintable() else "glyph"
    if "\udc80" <= char <= "\udcff":
        return "byte"
    if char == "\ufffd":
        return "replacement"
    category = unicodedata.category(char)
    # A glyph of ours that is really in the text is escaped, or it would be read as what we use it for.
    if category in _ESCAPED_CATEGORIES or char in _BLANK or char in _GLYPHS.values():
        return "escape"
    return "mark" if category[0] == "M" else "plain"


def _escape(char: str) -> str:
    return f"\\u{{{ord(char):x}}}"


def _hex(chars: str) -> str:
    """Bytes in hexadecimal, such as ‹E2 96›, from a text decoded with surrogateescape."""
    return f"‹{chars.encode('utf-8', 'surrogateescape').hex(' ').upper()}›"


_SHOW: dict[str, Callable[[str], str]] = {
    "plain": str,
    "space": _GLYPHS.__getitem__,
    "glyph": _GLYPHS.__getitem__,
    "replacement": _hex,
    "escape": _escape,
}


def _visible_marks(marks: str, *, has_base: bool) -> str:
    """Combining marks on the letter before them, or on a dotted circle where there is none."""
    out = []
    for i, mark in enumerate(marks):
        selector = "\ufe00" <= mark <= "\ufe0f" or mark >= "\U000e0100"
        if i >= _MAX_MARKS or (selector and not (has_base and mark in _STYLE_SELECTORS)):
            out.append(_escape(mark))
        else:
            out.append(mark if has_base or out else f"◌{mark}")
    return "".join(out)


# ---- small things

_DAMAGED = "the file is damaged, record the run again"


def _checked(arrays: Mapping[str, Any], name: str, dtypes: tuple[type, ...]) -> np.ndarray:
    if name not in arrays:
        raise TraceFileError("token table: array {name!r} is missing; {damaged}", name=name, damaged=_DAMAGED)
    array = np.asarray(arrays[name])
    if array.ndim != 1 or array.dtype not in dtypes:
        accepts = " or ".join(np.dtype(d).name for d in dtypes)
        raise TraceFileError(
            "token table: {name} must be one row of {accepts}, got {dtype} {shape}; {damaged}",
            name=name, accepts=accepts, dtype=array.dtype, shape=array.shape, damaged=_DAMAGED,
        )
    return array.copy()


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _as_ints(ids: Iterable[int]) -> list[int]:
    return ids.tolist() if hasattr(ids, "tolist") else [int(i) for i in ids]
