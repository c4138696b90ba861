"""`open_response`: a response of another engine becomes a `PartialTrace`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from decoding.errors import ResponseError, shown
from decoding.partial.answers import Answer, answers_of, form_of
from decoding.partial.asked import Asked, asked_of, is_request, plain, short_model
from decoding.partial.json_text import BYTE_LIMIT, documents
from decoding.partial.node import Node
from decoding.partial.partial_trace import PartialChoice, PartialStep, PartialTrace

__all__ = ["load_response", "looks_like_response", "open_response"]

PACKED = 4  # lists and pairs around a response: more are nothing that a server sends
_ABOUT = ("id", "created", "object", "system_fingerprint", "service_tier", "stop_type", "truncated")


def open_response(response: str | bytes | Mapping[str, Any] | list[Any]) -> PartialTrace:
    """A response of an OpenAI-compatible server, or of llama.cpp's own form, as a partial trace.

    Args:
        response: as it came: its JSON as text, bytes or what `json.loads` made of it; a stream's events, or a line of
            JSON each; with the request before or after it, or both in `{"request": …, "response": …}`.

    Raises:
        ResponseError: it cannot be read, or has no log-probabilities; it names the place.

    Example:
        >>> token = {"token": "Hi", "logprob": -0.5, "top_logprobs": [{"token": "Hi", "logprob": -0.5}]}
        >>> choice = {"message": {"content": "Hi"}, "logprobs": {"content": [token]}}
        >>> partial = open_response({"choices": [choice]})
        >>> round(partial.choices[0].steps[0].measures().tail, 3)
        0.393
    """
    if isinstance(response, (bytes, bytearray)):
        response = bytes(response).decode("utf-8", "replace")
    if isinstance(response, str):
        parts = documents(response)
    elif isinstance(response, (Mapping, list)):
        parts = [dict(response) if isinstance(response, Mapping) else response]
    else:
        raise ResponseError(
            "response must be a text, an object or a list, got {value}; give the server's JSON",
            value=shown(type(response).__name__),
        )
    requests, answers = _sorted(parts)
    return _trace(requests, answers)


def load_response(path: str | PathLike[str]) -> PartialTrace:
    """The response in a file; see `open_response`.

    Raises:
        ResponseError: there is no such file, or what is in it cannot be read.
    """
    path = Path(path)
    try:
        if path.stat().st_size > BYTE_LIMIT:
            raise ResponseError(
                "{name} has more than {limit} MiB, which is the most that is read; ask for fewer alternatives "
                "(top_logprobs, n_probs)",
                name=path.name, limit=BYTE_LIMIT >> 20,
            )  # fmt: skip
        return open_response(path.read_bytes())
    except OSError as error:
        raise ResponseError(
            "{name} cannot be read: {strerror}", name=path.name, strerror=error.strerror or type(error).__name__
        ) from error


def looks_like_response(path: str | PathLike[str]) -> bool:
    """Whether a file begins as JSON or as a stream's events do, or is named as JSON is and begins as no trace file.

    What was pasted by mistake is told as no response, then, and not as no trace file.
    """
    try:
        with Path(path).open("rb") as file:
            begin = file.read(512)
    except OSError:
        return False
    if begin.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[", b"data:", b"event:", b"id:", b":")):
        return True
    return Path(path).suffix.lower() in (".json", ".jsonl") and not begin.startswith(b"PK")


def _sorted(parts: list[Any]) -> tuple[list[Node], list[Node]]:
    """Requests and responses among the documents, unpacked from what holds both or several."""
    requests: list[Node] = []
    answers: list[Node] = []
    for n, part in enumerate(parts, 1):
        _sort(Node(part, name=f"piece {n}" if len(parts) > 1 else ""), requests, answers, PACKED)
    return requests, answers


def _sort(node: Node, requests: list[Node], answers: list[Node], deeper: int) -> None:
    inside: list[Node] = []
    if isinstance(node.value, list):
        inside = node.items()
    elif node.has("request", "response", "body") and not node.has("choices", "content"):
        inside = [node[name] for name in ("request", "response", "body") if node[name]]
    elif is_request(node):
        requests.append(node)
    else:
        node.object()  # anything else is no response
        answers.append(node)
    if inside and not deeper:
        raise ResponseError("the JSON has more brackets within brackets than are read; a response has about ten")
    for item in inside:
        _sort(item, requests, answers, deeper - 1)


def _trace(requests: list[Node], documents: list[Node]) -> PartialTrace:
    if not documents and not requests:
        raise ResponseError("there is no response in it; give the server's answer as it came")
    if not documents:
        raise ResponseError("this is a request without its response; give the server's answer, too")
    asked = asked_of(requests[0]) if requests else Asked()
    asked = asked.or_else(_asked_as_answered(documents))
    found = answers_of(documents)
    form = form_of(documents[0])
    choices = tuple(_choice(answer, n, found, asked) for n, answer in enumerate(found))
    if not any(choice.steps for choice in choices):
        raise ResponseError(
            "the response has no log-probabilities; ask the server for them: logprobs and top_logprobs in a chat, "
            "logprobs in a completion, n_probs in llama.cpp's own form"
        )
    last = documents[-1]
    model = next((name for doc in (documents[0], last) if isinstance(name := doc["model"].value, str)), "")
    final, has_ids = any(a.final for a in found), any(a.has_ids for a in found)
    return PartialTrace(
        form=form, kind="final" if final else "model" if has_ids else "unsaid", choices=choices,
        model=short_model(model)[:200], prompts=asked.prompts, prompt_ids=asked.prompt_ids, messages=asked.messages,
        request={name: short_model(v) if name == "model" else v for name, v in asked.values.items()},
        about=plain({name: value for name in _ABOUT if (value := last.object().get(name)) is not None}),
        streamed=len(documents) if len(documents) > len(found) else 0,
    )  # fmt: skip


def _asked_as_answered(documents: list[Node]) -> Asked:
    """What llama.cpp says of the question: a prompt in each answer, and all settings."""
    prompts = tuple(document["prompt"].text() for document in documents if isinstance(document["prompt"].value, str))
    settings = next((d["generation_settings"] for d in documents if d["generation_settings"]), Node(None))
    return Asked(prompts=prompts, values=plain(settings.object()))


def _choice(answer: Answer, place: int, found: list[Answer], asked: Asked) -> PartialChoice:
    """An answer, whole: which prompt it is of, and which of its tokens are that prompt's."""
    n_prompts = max(1, len(asked.prompts), len(asked.prompt_ids))
    prompt = place * n_prompts // len(found) if len(found) % n_prompts == 0 else 0
    text = asked.prompts[prompt] if prompt < len(asked.prompts) else ""
    steps = tuple(_with_prompt(answer) if answer.before else _marked_prompt(answer, text))
    return PartialChoice(
        index=answer.index, steps=steps, text=answer.text, finish_reason=answer.finish_reason[:100], prompt=prompt,
        notes=_notes(steps, answer),
    )  # fmt: skip


def _with_prompt(answer: Answer) -> list[PartialStep]:
    """The prompt's steps and the answer's; one that repeats the prompt, too, says which its first token is."""
    before, own = answer.before, answer.steps
    n = len(before)
    texts = [[step.token.text for step in steps[1:n]] for steps in (before, own)]
    is_echo = n > 1 and texts[0] == texts[1] or answer.n_new == len(own) - n
    if own and "null" in own[0].marks and len(own) >= n and is_echo:
        return [replace(own[0], in_prompt=True), *before[1:], *own[n:]]
    return [*before, *own]


def _marked_prompt(answer: Answer, prompt: str) -> list[PartialStep]:
    """The steps, of which those of a prompt that the response repeats say so: its first has no log-probability."""
    steps = answer.steps
    if not steps or "null" not in steps[0].marks:
        return steps
    if prompt and answer.text.startswith(prompt):
        n_echoed, length = 0, 0
        while n_echoed < len(steps) and length < len(prompt):
            length += len(steps[n_echoed].token.text)
            n_echoed += 1
    else:
        n_echoed = min(len(steps), answer.n_prompt or 0)
    return [replace(step, in_prompt=n < n_echoed) for n, step in enumerate(steps)]


def _notes(steps: tuple[PartialStep, ...], answer: Answer) -> tuple[str, ...]:
    notes = [] if answer.steps else ["empty"]
    if any(step.in_prompt for step in steps):
        notes.append("prompt_echoed")
    if steps and all(len(step.known) == 1 for step in steps):
        notes.append("no_alternatives")
    pieces = [None if step.token.raw is None else step.left_out + step.token.raw for step in answer.steps]
    if answer.text and answer.steps and None not in pieces:
        said = b"".join(piece or b"" for piece in pieces)
        if said != answer.text.encode("utf-8", "surrogatepass"):
            notes.append("text_differs")
    return tuple(notes)
