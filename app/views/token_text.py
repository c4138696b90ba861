"""How tokens are shown: one in charts and tables, several as the text that they make together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decoding.recorded.ledger import Candidate
    from decoding.trace import Trace

__all__ = [
    "LONGEST_CHARACTER", "candidate_text", "completed", "completed_at", "cut", "shown", "split_text", "token_after",
    "token_text", "tokens_within", "whole_text", "whole_texts",
]  # fmt: skip

NAMELESS = "⋯"  # a compact trace does not know which token of its histogram stands here
LONGEST = 60  # a vocabulary has tokens of a hundred spaces; a chart has no room for them


def token_text(trace: Trace, token_id: int) -> str:
    """The token's display text, shortened; `#id` where the trace was recorded without a tokenizer."""
    if trace.compact is not None and trace.tokens is not None and not trace.tokens.exists(token_id):
        return NAMELESS
    text = shown(trace.tokens.text(token_id)) if trace.tokens is not None else f"#{token_id}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def whole_texts(trace: Trace, ids: Sequence[int]) -> tuple[str, ...]:
    """The texts of a sequence, of which bytes that make up a character are one; in order, none of them empty."""
    return tuple(text for text, _, _ in _wholes(trace, ids))


def whole_text(trace: Trace, ids: Sequence[int]) -> str:
    """What a sequence of tokens is read as; ids apart from each other where there was no tokenizer."""
    return ("" if trace.tokens is not None else " ").join(whole_texts(trace, ids))


def split_text(trace: Trace, ids: Sequence[int], borders: Iterable[int]) -> tuple[tuple[str, ...], ...]:
    """`whole_texts` in parts that begin at `borders`; a character over a border is in the part that completes it."""
    wholes, parts, first = _wholes(trace, ids), [], 0
    for border in (*borders, len(ids)):
        last = next((n for n, (_, _, end) in enumerate(wholes) if end > border), len(wholes))
        parts.append(tuple(text for text, _, _ in wholes[first:last]))
        first = last
    return tuple(parts)


def cut(trace: Trace, ids: Sequence[int], most: int) -> Sequence[int]:
    """The first `most` of the tokens, or those up to the last border between characters among them."""
    if len(ids) <= most:
        return ids
    return ids[: max((end for _, _, end in _wholes(trace, ids[: most + LONGEST_CHARACTER]) if end <= most), default=0)]


def tokens_within(trace: Trace, ids: Sequence[int]) -> tuple[str, ...]:
    """The text of each token of a sequence; bytes have the character that they are part of before them."""
    if trace.tokens is None:
        return tuple(f"#{i}" for i in ids)
    return tuple(
        shown(token.text if token.joined == token.text else f"{token.joined} {token.text}")
        for token in trace.tokens.display(ids)
    )


def completed(trace: Trace, before: Sequence[int], token_id: int) -> str:
    """The character that a token of bytes completes after other tokens; "" where it completes none."""
    if trace.tokens is None or not trace.tokens.is_partial(token_id):
        return ""
    last = trace.tokens.display([*before[-LONGEST_CHARACTER:], token_id])[-1]
    return "" if last.joined == last.text else shown(last.joined)


def token_after(trace: Trace, before: Sequence[int], token_id: int) -> str:
    """`token_text` after other tokens, with the character before it that it completes."""
    return f"{completed(trace, before, token_id)} {token_text(trace, token_id)}".lstrip(" ")


def completed_at(trace: Trace, step: int, row: int, token_id: int) -> str:
    """`completed` by a token that a row of the scores of a step goes on with."""
    if trace.tokens is None or not trace.tokens.is_partial(token_id):
        return ""
    return completed(trace, trace.prefix(step, row)[-LONGEST_CHARACTER:].tolist(), token_id)


def candidate_text(trace: Trace, step: int, candidate: Candidate) -> str:
    """`token_text` of a beam candidate, with the character before it that it completes."""
    whole = completed_at(trace, step, candidate.parent, candidate.token_id)
    return f"{whole} {token_text(trace, candidate.token_id)}".lstrip(" ")


LONGEST_CHARACTER = 8  # tokens: four bytes, and empty ones between them


def _wholes(trace: Trace, ids: Sequence[int]) -> list[tuple[str, int, int]]:
    """The texts with the range of the sequence that each is."""
    if trace.tokens is None:
        return [(f"#{token_id}", i, i + 1) for i, token_id in enumerate(ids)]
    tokens = trace.tokens.display(ids)
    return [(shown(token.joined), *token.group) for i, token in enumerate(tokens) if token.group[0] == i]


def shown(text: str) -> str:
    """Display text with the space written as U+2423: many systems have no font for U+2420."""
    return text.replace("␠", "␣")
