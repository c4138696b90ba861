"""Bodies that should be JSON: how deep they go is known before anything parses them."""

from __future__ import annotations

import json
import re
from typing import Any

from .bounds import Bounds
from .refusal import Refusal

__all__ = ["checked_json", "depth_of"]

# A text of JSON, also one that is never closed; without going back, so that its time is linear in its length.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def depth_of(body: bytes, most: int) -> int:
    """How many lists and objects are within each other; `most + 1` for more than `most`.

    Of what is no JSON it is no less than what a parser meets.
    """
    left = _TEXT.sub(b"", body).translate(_BRACKETS, _OTHERS)
    for depth in range(most + 1):
        if not left:
            return depth
        less = left.replace(b"[]", b"")
        if len(less) == len(left):  # something is not closed
            return depth + min(left.count(b"["), most + 1 - depth)
        left = less
    return most + 1


def checked_json(body: bytes, bounds: Bounds) -> Any:
    """What a body says.

    Raises:
        Refusal: it goes too deep, is no JSON, or one of its values or the event's data is too large.
    """
    if (depth := depth_of(body, bounds.json_depth)) > bounds.json_depth:
        raise Refusal(status=400, why="depth", bound="json_depth", asked=depth, allowed=bounds.json_depth)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(status=400, why="shape", asked="JSON") from None
    if isinstance(said, dict) and len(body) > min(bounds.value_bytes, bounds.event_bytes):
        data = said.get("data")
        for value in data if isinstance(data, list) else []:
            _check_size(value, "value", bounds.value_bytes)
        _check_size(said.get("event_data"), "event", bounds.event_bytes)
    return said


def _check_size(value: Any, what: str, most: int) -> None:
    size = len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > most:
        raise Refusal(status=413, why=what, bound=f"{what}_bytes", asked=size, allowed=most)
