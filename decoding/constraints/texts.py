"""What a constraint may be, told from its text alone: before anything is compiled, and where xgrammar is not installed.

The bounds are what keeps a compile short: how long it takes grows with the length of the text, and the numbers in it
(`maxItems`, `{2,5}`) are counted, not spelt out, by xgrammar. JSON within JSON within JSON is read by recursion, so its
depth has a bound of its own.
"""

from __future__ import annotations

import json
import re
from typing import Any

from decoding.errors import SettingError
from decoding.words import words

__all__ = ["CONSTRAINTS", "LONGEST_TEXT", "MOST_DEPTH", "checked_text", "schema_text"]

CONSTRAINTS = ("json_schema", "regex", "grammar")  # the parameters, at most one of which is given
LONGEST_TEXT = 8_000  # characters
MOST_DEPTH = 40  # objects and lists within each other
LARGEST_COUNT = 100_000  # of repetitions
COUNTS = re.compile(r"\{\s*(\d*)\s*(?:,\s*(\d*)\s*)?\}")  # in a regular expression or a grammar
COUNTING = (
    "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "minContains", "maxContains"
)  # fmt: skip
OFF = "leave it out to switch it off"


def checked_text(name: str, value: Any) -> str:
    """The text of the constraint `name`; of a JSON schema that came as an object, its JSON.

    Raises:
        SettingError: it is no text, too long, half a character, too deep, or no JSON where JSON is wanted.
    """
    text = schema_text(value) if name == "json_schema" else value
    if not isinstance(text, str):
        raise SettingError(name, value, "a text", OFF)
    if len(text) > LONGEST_TEXT:
        accepts = words("at most {most} characters long", most=LONGEST_TEXT)
        raise SettingError(name, f"{text[:20]}…", accepts, words("these are {n}; shorten it", n=len(text)))
    if any("\ud800" <= char <= "\udfff" for char in text) or "\0" in text:
        raise SettingError(name, text, "a text of whole characters, without U+0000", OFF)
    if name == "json_schema":
        _check_schema(text)
    else:
        _check_counts(name, [int(n) for pair in COUNTS.findall(text) for n in pair if n and len(n) < 20], text)
        if re.search(r"\{\s*\d*\s*,?\s*\d{20,}", text):
            raise _counts_too_far(name, text)
    if name == "grammar" and not text.strip():
        raise SettingError(name, text, "a text", OFF)
    return text


def schema_text(value: Any) -> Any:
    """A schema that came as an object, or as `true` or `false`, as the JSON that says it; anything else as it is."""
    if not isinstance(value, (dict, bool)):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingError("json_schema", value, "a JSON schema", words("it is no JSON: {why}", why=error)) from None


def _check_schema(text: str) -> None:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError("json_schema", text, "a JSON schema", words("it is no JSON: {why}", why=error)) from None
    if not isinstance(schema, (dict, bool)):
        raise SettingError("json_schema", text, "a JSON schema", 'write an object, such as {"type": "object"}')
    depth, counts = _depth_and_counts(schema)
    if depth > MOST_DEPTH:
        accepts = words("at most {most} objects and lists deep", most=MOST_DEPTH)
        raise SettingError("json_schema", text, accepts, "use $ref for what comes again")
    _check_counts("json_schema", counts, text)


def _depth_and_counts(schema: Any) -> tuple[int, list[int]]:
    """How deep the parts lie within each other, and the numbers that say how often something comes."""
    deepest, counts, left = 0, [], [(schema, 1)]
    while left:
        part, depth = left.pop()
        inner = list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else []
        deepest = max(deepest, depth)
        left += [(each, depth + 1) for each in inner if isinstance(each, (dict, list))]
        if isinstance(part, dict):
            counts += [part[name] for name in COUNTING if isinstance(part.get(name), (int, float))]
    return deepest, counts


def _check_counts(name: str, counts: list[Any], text: str) -> None:
    if any(count > LARGEST_COUNT for count in counts):
        raise _counts_too_far(name, text)


def _counts_too_far(name: str, text: str) -> SettingError:
    accepts = words("such that nothing is counted beyond {most}", most=f"{LARGEST_COUNT:,}")
    return SettingError(name, text, accepts, "leave the bound out, or take a smaller one")
