"""From the documents of a response to its answers: those of a stream are put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from decoding.errors import ResponseError
from decoding.partial.node import Node
from decoding.partial.partial_trace import PartialStep
from decoding.partial.token_lists import content_steps, four_lists, is_after_sampling, prompt_steps
from decoding.words import words

__all__ = ["Answer", "answers_of", "form_of"]


@dataclass(slots=True, kw_only=True)
class Answer:
    """One answer, as far as its pieces have come.

    Attributes:
        index: as the response numbers it.
        steps, text, finish_reason: as in `PartialChoice`; those of a prompt that vLLM gives stand in `before`.
        n_prompt, n_new: tokens of the prompt, and of all answers together, that the server counted, or None.
        final: the probabilities are those after all samplers, of at least one step.
        has_ids: tokens have ids beside their texts, as llama.cpp writes them.
        closed: nothing more belongs to it.
    """

    index: int
    steps: list[PartialStep] = field(default_factory=list)
    before: list[PartialStep] = field(default_factory=list)
    text: str = ""
    finish_reason: str = ""
    n_prompt: int | None = None
    n_new: int | None = None
    final: bool = False
    has_ids: bool = False
    closed: bool = False


def form_of(document: Node) -> str:
    """Which form a response has; see `PartialTrace.form`.

    Raises:
        ResponseError: it is none that is known, or an error.
    """
    if document.has("choices"):
        is_chat = any(choice.has("message", "delta") for choice in document["choices"].items())
        return "chat" if is_chat else "completions"
    if document.has("error") and document["error"]:
        error = document["error"]
        said = error["message"].value if isinstance(error.value, dict) else error.value
        raise ResponseError(
            "the server answered with an error: {said}", said=said[:300] if isinstance(said, str) else "…"
        )
    if document.has("content", "completion_probabilities") and not document.has("role"):
        return "llama.cpp"
    if document.has("output"):
        return "responses"
    raise ResponseError(
        "{place} is no response that is known here: it has neither choices (OpenAI's API, vLLM) nor content and "
        "completion_probabilities (llama.cpp) nor output (OpenAI's responses)",
        place=document.place or words("the JSON"),
    )  # fmt: skip


def answers_of(documents: list[Node]) -> list[Answer]:
    """The answers in all documents together, in the order in which they began.

    Pieces of one answer have the same id and index. llama.cpp's own form has no id: there an answer goes on until it
    says that it has stopped.

    Raises:
        ResponseError: something in them is not as it should be; it names the place.
    """
    found: list[Answer] = []
    latest: dict[tuple[object, int], Answer] = {}
    for document in documents:
        form = form_of(document)
        name = document["id"].value
        for index, part in _parts(document, form):
            key = (name if isinstance(name, str) else None, index)
            answer = latest.get(key)
            if answer is None or answer.closed:
                answer = latest[key] = Answer(index=index)
                found.append(answer)
            _READERS[form](answer, part, document)
    return found


def _parts(document: Node, form: str) -> Iterator[tuple[int, Node]]:
    """What of a document belongs to which answer."""
    if form in ("llama.cpp", "responses"):
        yield document["index"].whole() or 0, document
        return
    for place, choice in enumerate(document["choices"].items()):
        index = choice["index"].whole()
        yield place if index is None else index, choice


def _read_chat(answer: Answer, choice: Node, document: Node) -> None:
    said = choice["delta"] if choice.has("delta") else choice["message"]
    content = said["content"]
    if content and not isinstance(content.value, list):
        answer.text += content.text()
    answer.text += said["refusal"].text()
    logprobs = choice["logprobs"]
    for name in ("content", "refusal"):
        _take(answer, logprobs[name])
    _read_prompt(answer, document)  # vLLM has it beside the choices of a chat
    answer.finish_reason = choice["finish_reason"].text() or answer.finish_reason
    answer.closed = choice.has("message")


def _read_completion(answer: Answer, choice: Node, document: Node) -> None:
    logprobs = choice["logprobs"]
    if logprobs.has("content"):  # llama.cpp's
        _take(answer, logprobs["content"])
    elif logprobs:
        answer.steps += four_lists(logprobs)
    _read_prompt(answer, choice)
    answer.text += choice["text"].text()
    usage = document["usage"]
    if isinstance(usage.value, dict):
        answer.n_prompt, answer.n_new = usage["prompt_tokens"].whole(), usage["completion_tokens"].whole()
    answer.finish_reason = choice["finish_reason"].text() or answer.finish_reason
    answer.closed = bool(choice["finish_reason"])


def _read_llama(answer: Answer, document: Node, _: Node) -> None:
    name = "probs" if document.has("probs") and not document.has("completion_probabilities") else None
    _take(answer, document[name or "completion_probabilities"])
    answer.text += document["content"].text()
    stopped = document["stop"].value is True
    answer.finish_reason = document["stop_type"].text() if stopped else answer.finish_reason
    answer.closed = stopped or not document.has("stop")


def _read_output(answer: Answer, document: Node, _: Node) -> None:
    for item in document["output"].items():
        if item["type"].value != "message":
            continue
        for part in item["content"].items():
            answer.text += part["text"].text()
            _take(answer, part["logprobs"])
    status = document["status"].value
    answer.finish_reason, answer.closed = status if isinstance(status, str) else "", True


def _take(answer: Answer, content: Node) -> None:
    """The steps of a list of tokens."""
    answer.steps += content_steps(content)
    answer.final = answer.final or is_after_sampling(content)
    answer.has_ids = answer.has_ids or any(item.has("id") for item in content.items()[:1])


def _read_prompt(answer: Answer, holder: Node) -> None:
    listed, ids = holder["prompt_logprobs"], holder["prompt_token_ids"]
    if listed and not answer.before:
        known = [i for item in ids.items() if (i := item.whole()) is not None] if ids else None
        answer.before = prompt_steps(listed, known)


Reader = Callable[[Answer, Node, Node], None]
"""Puts into an answer what a part of a document says of it; the document is given, too."""

_READERS: dict[str, Reader] = {
    "chat": _read_chat, "completions": _read_completion, "llama.cpp": _read_llama, "responses": _read_output,
}  # fmt: skip
