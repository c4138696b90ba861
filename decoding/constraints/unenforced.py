"""What a JSON schema says and xgrammar does not hold a text to, found by reading the schema.

A grammar without context cannot count what differs from what, so some keywords are left out, silently; others are left
out where they stand beside one that is taken. Each line here was seen in xgrammar 0.2.8, by a text that breaks the
schema and is let through (`tests/test_constraint_schemas.py`). The other way round there is one thing to know: what a
schema does not name is not let through, though JSON schema allows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["unenforced"]

NEVER = (
    "uniqueItems", "not", "if", "dependentRequired", "dependentSchemas", "dependencies", "allOf", "oneOf",
    "$dynamicRef",
)  # fmt: skip
# The first of these that is there decides alone; what else restricts the value stands beside it for nothing.
DECIDES = ("$ref", "const", "enum", "anyOf", "pattern", "format")
OF_TYPES = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "object": ("required", "minProperties", "maxProperties"),
    "array": ("minItems", "maxItems", "contains"),
}
RESTRICTS = ("type", "properties", "items", "prefixItems", *(name for names in OF_TYPES.values() for name in names))
LENGTHS = ("minLength", "maxLength")
IS_SHAPED_BY = {
    "object": ("properties", "additionalProperties", "patternProperties"), "array": ("items", "prefixItems"),
}  # fmt: skip
BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
IN_LISTS = ("prefixItems", "anyOf", "oneOf", "allOf")
ALONE = ("items", "additionalProperties", "propertyNames", "contains", "unevaluatedProperties", "unevaluatedItems")


def unenforced(schema: Any) -> tuple[str, ...]:
    """What of a schema (as JSON values) a text may break although it was held to it; each once, in words."""
    return tuple(dict.fromkeys(found for part in _parts(schema) for found in _of(part)))


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and those within it."""
    left = [schema]
    while left:
        part = left.pop()
        if not isinstance(part, dict):
            continue
        yield part
        for name in BY_NAME:
            left += list(part[name].values()) if isinstance(part.get(name), dict) else []
        for name in IN_LISTS:
            left += part[name] if isinstance(part.get(name), list) else []
        left += [part.get(name) for name in ALONE]


def _of(part: dict[str, Any]) -> Iterator[str]:
    yield from (name for name in NEVER if name in part and not (name == "uniqueItems" and part[name] is False))
    if isinstance(part.get("$ref"), str) and part["$ref"] != "#" and not part["$ref"].startswith("#/"):
        yield "$ref elsewhere"
    decides = next((name for name in DECIDES if name in part), None)
    if decides in ("pattern", "format"):
        yield from (f"{name} beside {decides}" for name in LENGTHS if name in part)
        if decides == "pattern" and "format" in part:
            yield "format beside pattern"
    elif decides == "anyOf":
        yield from (f"anyOf beside {name}" for name in RESTRICTS if name in part)
    elif decides is not None:
        yield from (f"{name} beside {decides}" for name in (*RESTRICTS, "anyOf") if name in part and name != decides)
    if decides is None or decides in ("pattern", "format"):
        yield from _without_type(part)
    if "required" in part and not _names_all(part):
        yield "required without properties"


def _without_type(part: dict[str, Any]) -> Iterator[str]:
    if "type" in part:
        return
    for kind, names in OF_TYPES.items():
        if not any(name in part for name in IS_SHAPED_BY.get(kind, ())):
            yield from (f"{name} without type" for name in names if name in part)


def _names_all(part: dict[str, Any]) -> bool:
    named, wanted = part.get("properties"), part["required"]
    if not isinstance(wanted, list) or not isinstance(named, dict):
        return wanted == []
    return all(name in named for name in wanted if isinstance(name, str))
