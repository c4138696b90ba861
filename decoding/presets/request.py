"""What bodies after OpenAI's have in common: where a schema stands in them, and how one is written."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["constraints_of", "only_json"]


def constraints_of(values: dict[str, Any]) -> dict[str, Any]:
    """A copy in which `response_format` is the schema that it asks for; without it where it asks for none."""
    out = dict(values)
    asked = out.get("response_format")
    if not isinstance(asked, dict):
        return out
    inner = asked.get("json_schema")
    match asked.get("type"):
        case "text":
            del out["response_format"]
        case "json_object":
            out["response_format"] = asked.get("schema", {})
        case "json_schema":
            out["response_format"] = inner.get("schema", {}) if isinstance(inner, dict) else asked.get("schema", {})
    return out


def only_json(values: dict[str, Any]) -> str:
    """The values as JSON; a number that it has no word for is none of them."""
    return json.dumps(values, ensure_ascii=False, indent=2, allow_nan=False)
