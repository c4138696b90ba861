"""The ways in which responses write down their tokens, each read into `PartialStep`s.

    content             chat, and all of llama.cpp's: a list of {token, logprob, bytes, top_logprobs: [the same]};
                        after sampling llama.cpp says prob and top_probs instead
    four lists          completions: tokens, token_logprobs, top_logprobs ({text: logprob}, …), text_offset
    {tok_str, prob}     llama.cpp before the end of 2024
    prompt_logprobs     vLLM: for each token of the prompt {id: {logprob, rank, decoded_token}}, null for the first
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from decoding.errors import ResponseError
from decoding.partial.node import Node
from decoding.partial.partial_trace import PartialStep
from decoding.partial.step import WITH_ID, Named, made_step
from decoding.words import words

__all__ = ["content_steps", "four_lists", "is_after_sampling", "prompt_steps"]

_BYTES = re.compile(r"bytes:(?:\\x[0-9a-fA-F]{2})+")


def content_steps(content: Node) -> list[PartialStep]:
    """The steps of a list of tokens.

    Raises:
        ResponseError: something in it is of another type; it names the place.
    """
    return [_old_step(item) if item.has("probs") else _content_step(item) for item in content.items()]


def is_after_sampling(content: Node) -> bool:
    """Whether the probabilities in a list of tokens are those after all samplers."""
    first = next(iter(content.items()), Node(None))
    return first.has("prob", "top_probs", "probs")


def _content_step(item: Node) -> PartialStep:
    alternatives = item["top_probs"] if item.has("top_probs") else item["top_logprobs"]
    return made_step(_named(item), [_named(other) for other in alternatives.items()], is_list=True)


def _named(item: Node) -> Named:
    if item.value is None:
        raise item.wrong(words("an object"))
    value = _log(item["prob"]) if item.has("prob") else item["logprob"].number()
    text, token_id = item["token"].text(), item["id"].whole()
    if token_id is None:  # vLLM's return_tokens_as_token_ids
        token_id = _id_in(text)
    return Named(text=text, raw=item["bytes"].bytes(), token_id=token_id, value=value)


def _log(probability: Node) -> float | None:
    """The logarithm of a probability; −∞ of none."""
    p = probability.number()
    if p is None or math.isnan(p):
        return p
    if p < 0:
        raise probability.wrong(words("a probability, at least 0"))
    return math.log(p) if p > 0 else -math.inf


def _id_in(text: str) -> int | None:
    """The id in a text such as `token_id:1234`."""
    digits = text.removeprefix(WITH_ID)
    return int(digits) if digits != text and digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _bytes_in(text: str) -> bytes | None:
    r"""The bytes in a text such as `bytes:\xf0\x9f`, as OpenAI's completions write what is no whole character."""
    if not _BYTES.fullmatch(text):
        return None
    return bytes(int(pair, 16) for pair in text.removeprefix("bytes:").split("\\x")[1:])


def _old_step(item: Node) -> PartialStep:
    """The token came as `content`; which of several with that text it was, nobody says: the likeliest."""
    others = [Named(text=other["tok_str"].text(), value=_log(other["prob"])) for other in item["probs"].items()]
    return made_step(Named(text=item["content"].text()), others, is_list=True)


def four_lists(logprobs: Node) -> list[PartialStep]:
    """The steps of a completion.

    Raises:
        ResponseError: the lists are of different lengths, or something in them is of another type.
    """
    tokens, values = logprobs["tokens"].items(), logprobs["token_logprobs"].items()
    tops = logprobs["top_logprobs"].items()
    _check_lengths(logprobs, len(tokens), {"token_logprobs": len(values), "top_logprobs": len(tops)})
    steps = []
    for i, (token, value) in enumerate(zip(tokens, values, strict=True)):
        came = _paired(token.text(), value)
        others = [] if not tops else [_paired(name, node) for name, node in tops[i].pairs()]
        steps.append(made_step(came, others, is_list=False))
    return steps


def _paired(text: str, value: Node) -> Named:
    return Named(text=text, raw=_bytes_in(text), token_id=_id_in(text), value=value.number())


def _check_lengths(logprobs: Node, n: int, lengths: dict[str, int]) -> None:
    for name, length in lengths.items():
        if length != n and not (name == "top_logprobs" and length == 0):
            raise ResponseError(
                "{place}: {name} has {length} items, tokens has {n}; they must be as many; give the response as the "
                "server sent it",
                place=logprobs.place, name=name, length=length, n=n,
            )  # fmt: skip


def prompt_steps(listed: Node, ids: list[int] | None = None) -> list[PartialStep]:
    """vLLM's tokens of the prompt.

    Args:
        ids: the prompt, where it is known; else the token that stands first is it, as vLLM writes them.
    """
    steps = []
    for n, item in enumerate(listed.items()):
        named = list(_by_id(item))
        came_id = ids[n] if ids is not None and n < len(ids) else None
        came = next((token for token in named if token.token_id == came_id), named[0] if named else None)
        if came is None:
            came = Named(text="" if came_id is None else f"#{came_id}", token_id=came_id)
        steps.append(made_step(came, named, is_list=False, in_prompt=True))
    return steps


def _by_id(item: Node) -> Iterator[Named]:
    for name, node in item.pairs():
        digits = name.isascii() and name.isdigit() and len(name) < 10
        yield Named(
            text=node["decoded_token"].text(), token_id=int(name) if digits else None, value=node["logprob"].number(),
            rank=node["rank"].whole(),
        )  # fmt: skip
