"""From a token as the vocabulary spells it to the bytes that it adds to the text, by the tokenizer's own decoder.

A token's spelling is not its text: `Ġcat`, `▁cat` and `cat` can all be " cat", `##s` is "s", `<0xE2>` is a third of a
character. What turns one into the other is the decoder, and it does so with added tokens, too: a byte-level one takes
the letter đ of the added token `đem` for the byte 0x11. transformers' stop strings are looked for in the same bytes,
but for one thing: of an added token that the tokenizer's normalizer changes (`Ġodd` into `godd` where capitals are
made small) they see the token as it was added, while the text has it changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["ByteRule", "added_tokens", "byte_rule", "marks_word_ends", "special_ids"]

ByteRule = Callable[[str], bytes]
"""From a token as the vocabulary spells it to the bytes it adds to the text."""


def byte_rule(tokenizer: Any) -> ByteRule:
    """The rule by which this tokenizer's decoder turns one token into bytes, added and special ones included.

    A tokenizer without a Rust decoder writes added and special tokens out as they are; so does the rule.
    """
    steps = _decoder_steps(tokenizer)
    literal: frozenset[str] = frozenset()
    if steps is None:
        steps, literal = _other_steps(tokenizer), _written_out(tokenizer)
    rule = _chain(steps)
    return lambda token: _utf8(token) if token in literal else rule(token)


def marks_word_ends(tokenizer: Any) -> bool:
    """Whether tokens that end a word add a space after it, as those of the first GPT do."""
    return any(step["type"] == "BPEDecoder" for step in _decoder_steps(tokenizer) or [])


def added_tokens(tokenizer: Any) -> Mapping[int, Any]:
    """By id the tokens that were added to the vocabulary, special ones and others."""
    try:
        return tokenizer.added_tokens_decoder
    except (AttributeError, NotImplementedError):  # Mistral's own tokenizer has no such table
        return {}


def special_ids(tokenizer: Any) -> set[int]:
    """The ids of special tokens: those with a role, and added ones that are called special."""
    with_role = {i for i in tokenizer.all_special_ids if i is not None}
    return with_role | {i for i, token in added_tokens(tokenizer).items() if token.special}


def _decoder_steps(tokenizer: Any) -> list[dict[str, Any]] | None:
    """The steps of the Rust decoder; None where there is no decoder."""
    decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
    return None if decoder is None else _flat_specs(_state(decoder), "decoders") or None


def _other_steps(tokenizer: Any) -> list[dict[str, Any]]:
    """What a tokenizer without a Rust decoder does, told from its way in, or else from its vocabulary."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return _guessed_steps(tokenizer.get_vocab())
    way_in = [] if backend.pre_tokenizer is None else _flat_specs(_state(backend.pre_tokenizer), "pretokenizers")
    steps = [step for step in way_in if step["type"] in _SPELLINGS]
    if not steps and type(backend.model).__name__ == "WordPiece":
        steps = [{"type": "WordPiece", "prefix": backend.model.continuing_subword_prefix}]
    return steps


def _written_out(tokenizer: Any) -> frozenset[str]:
    added = added_tokens(tokenizer)
    special = special_ids(tokenizer)
    with_role = {token for token, i in tokenizer.get_vocab().items() if i in special}
    return frozenset(with_role | {token.content for token in added.values()})


def _state(part: Any) -> dict[str, Any]:
    """The JSON description of a tokenizer's part."""
    return json.loads(part.__getstate__())


_SPELLINGS = ("ByteLevel", "Metaspace")


def _flat_specs(spec: dict[str, Any], member: str) -> list[dict[str, Any]]:
    if spec["type"] == "Sequence":
        return [step for inner in spec[member] for step in _flat_specs(inner, member)]
    return [spec]


def _guessed_steps(vocab: Mapping[str, int]) -> list[dict[str, Any]]:
    """What a tokenizer without a Rust backend does, told from its vocabulary."""
    if all(char in vocab for char in _LATIN1):  # ByT5: each byte is a token, spelled as that code point
        return [{"type": "Latin1"}]
    # Not all 256 need be there: SmolLM2 has no token for bytes that its training text lacked.
    if "Ġ" in vocab and "Ċ" in vocab and "▁" not in vocab:
        return [{"type": "ByteLevel"}]
    return [{"type": "Metaspace", "replacement": "▁"}] + [{"type": "ByteFallback"}] * ("<0x00>" in vocab)


def _chain(steps: list[dict[str, Any]]) -> ByteRule:
    """One rule out of the decoder's steps; those that act by position (Fuse, Strip) have no part in it."""
    edits = [edit for step in steps if (edit := _edit(step)) is not None]
    kinds = {step["type"] for step in steps}

    def to_bytes(token: str) -> bytes:
        for edit in edits:
            token = edit(token)
        if "ByteLevel" in kinds:
            return _byte_level(token)
        if "Latin1" in kinds and len(token) == 1:
            return token.encode("latin-1", "replace")
        if "ByteFallback" in kinds and (byte := _HEX_BYTE.fullmatch(token)):
            return bytes([int(byte[1], 16)])
        return _utf8(token)

    return to_bytes


def _edit(step: dict[str, Any]) -> Callable[[str], str] | None:
    """What a step of a decoder does to the spelling of a token, or None if nothing."""
    match step["type"]:
        case "Metaspace":
            mark = step.get("replacement", "▁")
            return lambda token: token.replace(mark, " ")
        case "Replace" if "String" in step["pattern"]:
            old, new = step["pattern"]["String"], step["content"]
            return lambda token: token.replace(old, new)
        case "Replace":
            pattern, new = re.compile(step["pattern"]["Regex"]), step["content"]
            return lambda token: pattern.sub(lambda _: new, token)
        case "WordPiece":
            prefix, tidy = step["prefix"], _tidy if step.get("cleanup") else str
            return lambda token: tidy(token.removeprefix(prefix) if token.startswith(prefix) else f" {token}")
        case "BPEDecoder":
            suffix = step["suffix"]
            return lambda token: token.replace(suffix, " ")
    return None


def _tidy(token: str) -> str:
    """The token without the space that WordPiece's decoder drops before punctuation and contractions."""
    for before, after in _TIDIED:
        token = token.replace(before, after)
    return token


# In the order of `tokenizers`' wordpiece::cleanup.
_TIDIED = [
    *((f" {mark}", mark) for mark in ".?!,"),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
]

_LATIN1 = [chr(byte) for byte in range(256)]
_HEX_BYTE = re.compile("<0x([0-9A-Fa-f]{2})>")


def _gpt2_alphabet() -> dict[str, int]:
    """GPT-2's spelling of bytes: printable Latin-1 as itself, the other 68 bytes as U+0100 onwards."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}


_BYTE_OF_CHAR = _gpt2_alphabet()
# For str.translate: a Latin-1 character that spells no byte is sent where encoding as Latin-1 must fail.
_TO_LATIN1 = dict.fromkeys(range(256), "\uffff") | {ord(c): chr(b) for c, b in _BYTE_OF_CHAR.items()}


def _byte_level(token: str) -> bytes:
    try:
        return token.translate(_TO_LATIN1).encode("latin-1")
    except UnicodeEncodeError:
        # As the Rust decoder does: a token with a character outside the alphabet is taken literally.
        return _utf8(token)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
