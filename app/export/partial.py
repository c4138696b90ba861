"""A response of another engine, with what was computed of it, as JSON and as a table.

Steps count from 0 in the answer, tokens of a repeated prompt included. −∞ is "-Infinity" in JSON and an empty cell in
the table; null is what is not known.
"""

from __future__ import annotations

import csv
import json
import math
from typing import TYPE_CHECKING, Any, TextIO

from ..views.partial import known_text
from .cells import number_cell, text_cell

if TYPE_CHECKING:
    from decoding.partial.partial_trace import PartialChoice, PartialStep, PartialTrace
    from decoding.partial.token import KnownToken

__all__ = ["FORMAT", "VERSION", "partial_json", "write_partial_csv", "write_partial_json"]

FORMAT, VERSION = "decoding-explorer-response", 1
COLUMNS = (
    "choice", "step", "in_prompt", "place", "token", "token_id", "chosen", "listed", "rank", "rank_is_least", "logprob",
    "probability", "tail", "entropy_least_nats", "entropy_most_nats", "marks",
)  # fmt: skip

Json = dict[str, Any]


def write_partial_json(trace: PartialTrace, file: TextIO) -> None:
    """Writes the response to `file`."""
    text = json.dumps(partial_json(trace), ensure_ascii=False, allow_nan=False)
    file.write(text.encode("utf-8", "replace").decode("utf-8") + "\n")


def partial_json(trace: PartialTrace, vocab_size: int | None = None) -> Json:
    """The response and its measures as plain values.

    Args:
        vocab_size: of the model, if it is known: the entropy's greatest value needs it.
    """
    return {
        "format": FORMAT, "version": VERSION, "partial": True, "form": trace.form, "kind": trace.kind,
        "model": trace.model, "prompts": list(trace.prompts), "prompt_ids": [list(ids) for ids in trace.prompt_ids],
        "messages": None if trace.messages is None else [dict(message) for message in trace.messages],
        "request": _plain(dict(trace.request)), "about": _plain(dict(trace.about)), "streamed": trace.streamed,
        "choices": [_choice(choice, vocab_size) for choice in trace.choices],
    }  # fmt: skip


def _choice(choice: PartialChoice, vocab_size: int | None) -> Json:
    return {
        "index": choice.index, "prompt": choice.prompt, "text": choice.text, "finish_reason": choice.finish_reason,
        "notes": list(choice.notes), "steps": [_step(step, vocab_size) for step in choice.steps],
    }  # fmt: skip


def _step(step: PartialStep, vocab_size: int | None) -> Json:
    found = step.measures(vocab_size)
    return {
        "chosen": step.chosen, "in_prompt": step.in_prompt, "is_top": step.is_top, "marks": list(step.marks),
        "left_out": list(step.left_out), "mass": found.mass, "tail": found.tail,
        "entropy_known_nats": found.entropy_known, "entropy_least_nats": found.lower, "entropy_most_nats": found.upper,
        "highest_unknown": found.highest_unknown, "surprisal_nats": _plain(found.surprisal),
        "known": [_token(token) for token in step.known],
    }  # fmt: skip


def _token(token: KnownToken) -> Json:
    return {
        "text": token.text, "bytes": None if token.raw is None else list(token.raw), "id": token.token_id,
        "logprob": _plain(token.logprob), "probability": token.probability, "rank": token.rank,
        "rank_is_least": token.rank_is_least, "listed": token.listed,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def write_partial_csv(trace: PartialTrace, file: TextIO) -> None:
    """Writes a line for each token that a step names, the likeliest first, and one for its unknown tail."""
    out = csv.writer(file)
    out.writerow(COLUMNS)
    for number, choice in enumerate(trace.choices):
        for index, step in enumerate(choice.steps):
            found = step.measures()
            about = (number_cell(found.tail), number_cell(found.lower), number_cell(found.upper), " ".join(step.marks))
            begin = (number, index, int(step.in_prompt))
            for place, token in enumerate(step.known):
                out.writerow(
                    (
                        *begin, place, text_cell(known_text(token)), token.token_id, int(place == step.chosen),
                        int(token.listed), token.rank, int(token.rank_is_least), number_cell(token.logprob),
                        number_cell(token.probability), *about,
                    )
                )  # fmt: skip
            out.writerow((*begin, "tail", "", None, 0, 0, None, None, None, number_cell(found.tail), *about))

