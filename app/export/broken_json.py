"""JSON that breaks off, read up to there."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator
from typing import Any

__all__ = ["read_json"]

_PIECE = re.compile(r'"(?P<body>(?:[^"\\]++|\\.)*+)(?P<end>"?)|[\[\]{},]', re.DOTALL)
_HALF_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?\Z")
_KEY = re.compile(r'"([a-z_]*)"\s*:\s*\Z')
_CLOSER = {"[": "]", "{": "}"}
LONGEST_INTEGER = 20  # digits; Python refuses thousands of them, and no parameter has more


def read_json(text: str, *, cut_texts: Collection[str] = ()) -> tuple[Any, bool]:
    """The value in `text`, or as much of it as can be told, and whether it is whole.

    A number or a word at the very end is left out, since more of it may be missing. So is a text that breaks off,
    unless it belongs to one of the outermost keys in `cut_texts`. What follows a whole value is not looked at.

    Returns:
        The value and True; a part of it and False; None and False where nothing can be told. NaN and infinity are
        read as such, and so is as infinity what has more than 20 digits: the reader of a field has to refuse them.
    """
    decoder = json.JSONDecoder(parse_int=_integer, strict=False)
    try:
        return decoder.raw_decode(text.lstrip())[0], True
    except json.JSONDecodeError as error:
        prefixes = (text, text[: error.pos])
    except RecursionError:
        return None, False
    for prefix in prefixes:
        for completed in _completions(prefix, cut_texts):
            try:
                return decoder.raw_decode(completed.lstrip())[0], False
            except (json.JSONDecodeError, RecursionError):
                continue
    return None, False


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits.lstrip("-")) <= LONGEST_INTEGER else math.inf


def _completions(text: str, cut_texts: Collection[str]) -> Iterator[str]:
    """The text closed where it ends, then where its last whole item ended."""
    open_brackets: list[str] = []
    last_item = None  # where the last comma was, and what closes the brackets there
    for piece in _PIECE.finditer(text):
        mark = piece[0][0]
        if mark == '"':
            if not piece["end"]:
                key = _KEY.search(text[max(0, piece.start() - 100) : piece.start()])
                if len(open_brackets) == 1 and key and key[1] in cut_texts:
                    yield text[: piece.start()] + '"' + _whole_escapes(piece["body"]) + '"' + "}"
                break
        elif mark == ",":
            last_item = piece.start(), _closers(open_brackets)
        elif mark in "[{":
            open_brackets.append(mark)
        elif open_brackets:
            open_brackets.pop()
    if text.rstrip().endswith(('"', "]", "}")):
        yield text + _closers(open_brackets)
    if last_item is not None:
        yield text[: last_item[0]] + last_item[1]


def _whole_escapes(body: str) -> str:
    """The inside of a text without the half of an escape at its end."""
    return _HALF_ESCAPE.sub(r"\1", body)


def _closers(open_brackets: list[str]) -> str:
    return "".join(_CLOSER[bracket] for bracket in reversed(open_brackets))
