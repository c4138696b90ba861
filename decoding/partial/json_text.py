"""From a text to the JSON documents in it: one, several one after the other, a line each, or a stream's events."""

from __future__ import annotations

import json
import re
from typing import Any

from decoding.errors import ResponseError

__all__ = ["BYTE_LIMIT", "Items", "documents"]

BYTE_LIMIT = 64 * 2**20  # of the text; what Python makes of it may take ten times that
DOCUMENT_LIMIT = 200_000  # a stream has one for each token
_EVENT = re.compile(r"^(?:data|event|id|retry|error)?:", re.MULTILINE)


class Items(dict[str, Any]):
    """A JSON object that has a name more than once: `items()` would know the last of them alone.

    Attributes:
        pairs: all of them, in order.
    """

    pairs: list[tuple[str, Any]]


def documents(text: str) -> list[Any]:
    """The JSON documents in a text, in order; those of an event stream are what its `data:` lines say.

    Raises:
        ResponseError: there is none, the text is too long, or what is there is no JSON; it names the place.
    """
    if len(text) > BYTE_LIMIT or len(text.encode("utf-8", "surrogatepass")) > BYTE_LIMIT:
        raise ResponseError(
            "the response has more than {limit} MiB, which is the most that is read; ask for fewer alternatives "
            "(top_logprobs, n_probs)",
            limit=BYTE_LIMIT >> 20,
        )
    text = text.removeprefix("\ufeff")
    begin = text.lstrip()[:1]
    found = _of_events(text) if begin not in ("", "{", "[") and _EVENT.search(text) else _one_after_another(text)
    if not found:
        raise ResponseError("there is no JSON in it; give a response of an OpenAI-compatible server, as it came")
    return found


def _of_events(text: str) -> list[Any]:
    """What a server-sent stream says: an event's data may be several lines; comments and other fields are left out."""
    found: list[Any] = []
    lines: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        name, _, value = line.partition(":")
        if name in ("data", "error") and ":" in line:
            lines.append(value.removeprefix(" "))
        elif line[:1] in ("{", "["):  # a stream whose first lines are a log's
            lines.append(line)
        if lines and (not line.strip() or _is_whole(lines)):
            data, lines = "\n".join(lines).strip(), []
            if data and data != "[DONE]":
                found.append(_parsed(data, line=number))
                _check_number(found)
    return found


def _is_whole(lines: list[str]) -> bool:
    """Whether an event's data ends here although no empty line says so, as where a stream was saved line by line."""
    return lines[-1] == "[DONE]" or len(lines) == 1 and lines[0].startswith("{") and lines[0].rstrip().endswith("}")


def _one_after_another(text: str) -> list[Any]:
    """JSON documents with space, commas or nothing between them; `[DONE]` ends none and is none."""
    found: list[Any] = []
    at, end = 0, len(text)
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    while True:
        while at < end and text[at] in " \t\r\n,":
            at += 1
        if at == end:
            return found
        if text.startswith("[DONE]", at):
            at += len("[DONE]")
            continue
        try:
            document, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _no_json(error, text, at) from error
        found.append(document)
        _check_number(found)


def _check_number(found: list[Any]) -> None:
    if len(found) > DOCUMENT_LIMIT:
        raise ResponseError(
            "the response is in more than {limit:,} pieces, which is the most that is read", limit=DOCUMENT_LIMIT
        )


def _parsed(data: str, *, line: int) -> Any:
    try:
        return json.loads(data, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        if isinstance(error, RecursionError):
            raise _no_json(error, data, 0) from error
        raise ResponseError(
            "the event at line {line} is no JSON: {why}; save the stream as it came", line=line, why=_why(error)
        ) from error


def _no_json(error: Exception, text: str, at: int) -> ResponseError:
    if isinstance(error, RecursionError):
        return ResponseError("the JSON has more brackets within brackets than are read; a response has about ten")
    place = error.pos if isinstance(error, json.JSONDecodeError) else at
    line = text.count("\n", 0, place) + 1
    column = place - text.rfind("\n", 0, place)
    return ResponseError(
        "line {line}, character {column}: no JSON here ({why}); give the response as it came, nothing cut off",
        line=line, column=column, why=_why(error),
    )  # fmt: skip


def _why(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "a number of too many digits"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    several = Items(made)
    several.pairs = pairs
    return several
