"""From the tokens that a response names at a step to a `PartialStep`: in order, ranked, marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from decoding.partial.partial_trace import PartialStep
from decoding.partial.token import ROUNDING, KnownToken

__all__ = ["FLOOR", "WITH_ID", "Named", "made_step"]

WITH_ID = "token_id:"  # before the id that vLLM writes instead of a text, where it was asked to
FLOOR = -9999.0  # OpenAI: too unlikely to be given; vLLM: impossible, since JSON has no −∞


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A token as a response names it.

    Attributes:
        text, raw, token_id: as in `KnownToken`.
        value: its log-probability as it is written, which may be anything; None for null.
        rank: as the response says it, from 1; None where it does not.
    """

    text: str
    raw: bytes | None = None
    token_id: int | None = None
    value: float | None = None
    rank: int | None = None

    @property
    def bytes(self) -> bytes | None:
        """The bytes that are given, else those of the text; None where that has a stand-in for what is no text, or only
        the id."""
        if self.raw is not None:
            return self.raw
        if "\ufffd" in self.text or self.token_id is not None and self.text == f"{WITH_ID}{self.token_id}":
            return None
        return self.text.encode("utf-8", "surrogatepass")

    def is_same(self, other: Named) -> bool:
        """Whether it is the same token: by id, else by bytes, else by text."""
        if self.token_id is not None and other.token_id is not None:
            return self.token_id == other.token_id
        if self.raw is not None and other.raw is not None:
            return self.raw == other.raw
        return self.text == other.text


def made_step(came: Named, alternatives: Sequence[Named], *, is_list: bool, in_prompt: bool = False) -> PartialStep:
    """One step.

    Args:
        came: the token that came.
        alternatives: the likeliest ones, as many as were asked for; the one that came may be among them, or not.
        is_list: they were a list, in which tokens of the same text can stand apart; an object has only one of them.
    """
    marks: list[str] = []
    left_out = b""
    if came.bytes == b"" and came.token_id is None and not in_prompt:
        marks.append("no_text")
    others = _once(alternatives, marks)
    place = _place_of(came, others, is_list)
    if place is None and any(other.is_same(came) for other in others):
        others.append(came)  # two tokens with one text, of which the object kept the other: vLLM's of bytes are all ""
        marks.append("same_text")
        place = len(others) - 1
    if place is None:
        marks += ["outside"] if others else ["alone"]
    elif left_out := _left_out(others[place], came):
        marks.append("joined")
    tokens = [_known(other, marks, listed=True) for other in others]
    if place is None:
        tokens.append(_known(came, marks, listed=False))
        place = len(tokens) - 1
    elif tokens[place].logprob is None:  # null among the alternatives, a number beside them
        tokens[place] = replace(_known(came, marks, listed=True), rank=others[place].rank)
    if math.fsum(token.probability or 0.0 for token in tokens) > 1.0 + ROUNDING:
        marks.append("above_one")
    order = sorted(range(len(tokens)), key=lambda i: _order(tokens[i]))
    ranked = _ranked([tokens[i] for i in order], is_list)
    return PartialStep(
        known=ranked, chosen=order.index(place), in_prompt=in_prompt, is_top=is_list and "alone" not in marks,
        marks=tuple(dict.fromkeys(marks)), left_out=left_out,
    )  # fmt: skip


def _place_of(came: Named, others: Sequence[Named], is_list: bool) -> int | None:
    """Which of the alternatives came: of several with its text the one with its number. A list has it in any case."""
    alike = [i for i, other in enumerate(others) if other.is_same(came)]
    for i in alike:
        theirs = others[i]
        by_id = came.token_id is not None and theirs.token_id is not None
        if by_id or came.value is None or theirs.value is None or not abs(came.value - theirs.value) > ROUNDING:
            return i
    return alike[0] if alike and is_list else None


def _once(alternatives: Sequence[Named], marks: list[str]) -> list[Named]:
    """The alternatives, of tokens that are named twice with one id the first; of two with one text both."""
    kept: dict[object, Named] = {}
    texts: set[object] = set()
    for n, other in enumerate(alternatives):
        key: object = n if other.token_id is None else ("id", other.token_id)
        if key in kept:
            marks.append("repeated")
            continue
        looks = other.text if other.raw is None else other.raw
        if looks in texts and looks not in ("", b""):
            marks.append("same_text")
        texts.add(looks)
        kept[key] = other
    return list(kept.values())


def _left_out(listed: Named, came: Named) -> bytes:
    """What the token that came is written with before its own bytes: llama.cpp waits until a character is whole."""
    ours, theirs = listed.raw, came.raw
    if not ours or not theirs or not theirs.endswith(ours):
        return b""
    return theirs[: -len(ours)]


def _known(named: Named, marks: list[str], *, listed: bool) -> KnownToken:
    value = named.value
    if value is None:
        marks.append("null")
    elif math.isnan(value):
        marks.append("nan")
    elif value <= FLOOR and not math.isinf(value):
        marks.append("floor")
    elif value > ROUNDING:
        marks.append("positive")
    else:
        return KnownToken(
            text=named.text, raw=named.bytes, token_id=named.token_id, logprob=value, listed=listed, rank=named.rank
        )
    return KnownToken(text=named.text, raw=named.bytes, token_id=named.token_id, listed=listed, rank=named.rank)


def _order(token: KnownToken) -> float:
    return math.inf if token.logprob is None else -token.logprob


def _ranked(tokens: Sequence[KnownToken], is_list: bool) -> tuple[KnownToken, ...]:
    """The tokens with their ranks, equal ones with the same; of sorted tokens.

    No token that is not named is likelier than a listed one, so the ranks of these are exact. One that is less likely
    than all of those may have any number of others before it, as all may where tokens of one text were one entry.
    """
    least = min((t.logprob for t in tokens if t.listed and t.logprob is not None), default=math.inf)
    found, rank, before = [], 0, None
    for place, token in enumerate(tokens, 1):
        if token.rank is not None or token.logprob is None:
            found.append(token)
            continue
        if token.logprob != before:
            rank, before = place, token.logprob
        found.append(replace(token, rank=rank, rank_is_least=not is_list or token.logprob < least))
    return tuple(found)
