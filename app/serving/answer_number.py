"""The number of an answer, which goes with it to the browser.

Answers to quick events may overtake each other: what a handler gave is still prepared by other threads and sent on
another connection. Whoever handles a visitor's events one at a time numbers the answers meanwhile, from 1 and without
gaps; `assets/js/answer_order.js` takes them in that order.
"""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["HEADER", "AnswerNumber", "answer_here", "expect_answer"]

HEADER = "DX-Answer"


class AnswerNumber:
    """Of an answer that is being made.

    Attributes:
        number: None where it has none, and may come as it likes.
        is_sent: the answer is on its way; a number would be told nobody.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.is_sent = False


_here: ContextVar[AnswerNumber | None] = ContextVar("answer_number", default=None)


def expect_answer() -> AnswerNumber:
    """Begins the answer of the request that is handled here; threads that work for it find it too."""
    answer = AnswerNumber()
    _here.set(answer)
    return answer


def answer_here() -> AnswerNumber | None:
    """The answer that is being made here and can be numbered."""
    answer = _here.get()
    return None if answer is None or answer.is_sent or answer.number is not None else answer
