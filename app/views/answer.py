"""What a run came to, as plain text: what was asked, and every sequence that came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["Answer", "Asked", "answers", "asked", "row_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one prompt of a run says.

    Attributes:
        parts: role and text of each message; a text to be continued has the role "".
        goes_on: the answers go on from it, in the same sentence.
    """

    parts: tuple[tuple[str, str], ...]
    goes_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One sequence that came back.

    Attributes:
        prompt, place: which prompt it answers, and its place among that one's answers, from 0.
        text: without special tokens; what a fork took over from its source is part of it.
        score: of a beam answer, sum of log-probabilities ÷ length^length_penalty; None in other modes.
        at: step and rank of the candidate that completed it; None in other modes.
        finished: False for a beam that is, or was, still running.
        stop_reason: why the row ended, or "" where that is not known.
    """

    prompt: int
    place: int
    text: str
    score: float | None = None
    at: tuple[int, int] | None = None
    finished: bool = True
    stop_reason: str = ""


def asked(trace: Trace) -> tuple[Asked, ...]:
    """What each prompt of the run says."""
    return tuple(_asked(trace, prompt) for prompt in range(trace.n_prompts))


def answers(trace: Trace) -> tuple[Answer, ...]:
    """Every sequence that came back, prompt by prompt; in beam methods the best first."""
    if trace.ledger is not None:
        places: dict[int, int] = {}
        found = []
        for i, h in enumerate(trace.hypotheses):
            place = places[h.prompt] = places.get(h.prompt, -1) + 1
            text = _taken_over(trace, h.prompt * trace.rows_per_prompt) + trace.text(i)
            found.append(
                Answer(prompt=h.prompt, place=place, text=text, score=h.score, at=(h.step, h.rank), finished=h.finished)
            )
        return tuple(found)
    each = trace.rows_per_prompt
    return tuple(
        Answer(
            prompt=row // each, place=row % each, text=row_text(trace, row, None),
            stop_reason=trace.stop_reasons[row] if row < len(trace.stop_reasons) else "",
        )
        for row in range(trace.n_rows)
    )  # fmt: skip


def row_text(trace: Trace, row: int, ids: list[int] | None) -> str:
    """What a row came to; `ids` are the tokens that it generated where they are known already."""
    if ids is None:
        return _taken_over(trace, row) + trace.text(row)
    return _taken_over(trace, row) + _plain(trace, ids)


def _asked(trace: Trace, prompt: int) -> Asked:
    messages = trace.messages[prompt] if trace.messages and prompt < len(trace.messages) else None
    if messages:
        return Asked(parts=tuple(_said(message) for message in messages), goes_on=False)
    if trace.prompts and prompt < len(trace.prompts):
        text = trace.prompts[prompt]
    elif trace.model.is_encoder_decoder:
        text = _plain(trace, trace.source(prompt))
    else:
        row, length = prompt * trace.rows_per_prompt, trace.start
        text = _plain(trace, trace.prompt_ids[row][:length][trace.prompt_mask[row][:length].bool()].tolist())
    return Asked(parts=(("", str(text)),), goes_on=not trace.model.is_encoder_decoder)


def _said(message: Any) -> tuple[str, str]:
    """Role and text of a message, which may be anything that a template takes."""
    if not isinstance(message, Mapping):
        return "", str(message)
    content = message.get("content")
    if isinstance(content, (list, tuple)):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return str(message.get("role", "")), "" if content is None else str(content)


def _taken_over(trace: Trace, row: int) -> str:
    """What a fork's prompt has of the run that it was taken from."""
    return "" if trace.fork is None else _plain(trace, trace.prompt_ids[row][trace.start :].tolist())


def _plain(trace: Trace, ids: list[int]) -> str:
    return trace.tokens.plain(ids) if trace.tokens is not None else " ".join(f"#{i}" for i in ids)
