"""What was asked: prompt, chat and parameters, from a request or from what a server says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from decoding.partial.node import Node

__all__ = ["Asked", "asked_of", "is_request", "plain", "short_model"]

MOST_NAMES = 100
MOST_CHARACTERS = 300  # of a value; a grammar or a schema may be long
# What a response has and a request has not.
_ANSWERS = ("choices", "content", "completion_probabilities", "output", "object", "error")
_PATH = re.compile(r"[/~.]|[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The question; what is not known is empty.

    Attributes:
        prompts, prompt_ids: the prompts, as texts or as token ids.
        messages: the chat, or None.
        values: parameters by name.
    """

    prompts: tuple[str, ...] = ()
    prompt_ids: tuple[tuple[int, ...], ...] = ()
    messages: tuple[Mapping[str, Any], ...] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def or_else(self, other: Asked) -> Asked:
        """This, and where it knows nothing the other."""
        own = bool(self.prompts or self.prompt_ids or self.messages is not None)
        return replace(self if own else other, values={**other.values, **self.values})


def is_request(document: Node) -> bool:
    """Whether a document is a question rather than an answer."""
    return document.has("messages", "prompt", "input") and not document.has(*_ANSWERS)


def asked_of(request: Node) -> Asked:
    """The question in a request.

    Raises:
        ResponseError: prompt or messages are of another type; it names the place.
    """
    texts, ids = _prompts(request["prompt"])
    messages = None
    listed = request["messages"] if request.has("messages") else request["input"]
    if isinstance(listed.value, str):
        texts = (listed.value,)
    elif listed:
        messages = tuple({"role": item["role"].text(), "content": _said(item["content"])} for item in listed.items())
    others = {name: value for name, value in request.object().items() if name not in ("prompt", "messages", "input")}
    return Asked(prompts=texts, prompt_ids=ids, messages=messages, values=plain(others))


def _prompts(prompt: Node) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """One prompt or several, each a text or a list of ids."""
    if not prompt:
        return (), ()
    if isinstance(prompt.value, str):
        return (prompt.value,), ()
    items = prompt.items()
    if items and all(isinstance(item.value, str) for item in items):
        return tuple(item.text() for item in items), ()
    lists = [prompt] if not any(isinstance(item.value, list) for item in items) else items
    return (), tuple(tuple(i for item in one.items() if (i := item.whole()) is not None) for one in lists)


def _said(content: Node) -> str:
    """A message's text, also where it is in parts."""
    if not isinstance(content.value, list):
        return content.text()
    return "".join(part["text"].text() for part in content.items() if part.has("text"))


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers, texts and short lists among some values: what can be shown in a line each."""
    found: dict[str, Any] = {}
    for name, value in list(values.items())[:MOST_NAMES]:
        if isinstance(value, list):
            if not all(isinstance(item, (str, int, float, bool)) for item in value[:MOST_NAMES]):
                continue
            value = [item[:MOST_CHARACTERS] if isinstance(item, str) else item for item in value[:20]]
        elif isinstance(value, str):
            value = value[:MOST_CHARACTERS]
        elif not isinstance(value, (int, float, bool)):
            continue
        found[name[:60]] = value
    return found


def short_model(name: str) -> str:
    """A model's name; of a file only the last part, since folders are nobody else's business."""
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1] if _PATH.match(name) else name
