"""What a visitor is told while others' runs come first."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from decoding.parameters.acting import model_defaults

from ..components import Status
from ..serving.pace import size_of
from ..sheets.frame import queue_status

if TYPE_CHECKING:
    from decoding.models.load import LanguageModel
    from decoding.trace import Trace

    from ..serving.line import Line, Place
    from ..session.session import Session
    from .shown import Changes

__all__ = ["LOOK_EVERY", "in_line", "one_after_another", "size_of_again", "until_let_in"]

T = TypeVar("T")
LOOK_EVERY = 1.0  # seconds between two looks at how far one has come; a visitor who has left is noticed at each


@contextmanager
def in_line(
    line: Line, session: Session, lm: LanguageModel, size: tuple[int, int], question: Hashable = None
) -> Iterator[Place]:
    """A place in the line, which Stop knows of.

    Args:
        size: rows and steps of the run, at most.
        question: see `Line.join`.

    Raises:
        DecodingError: too many wait already.
    """
    with line.join(session, lm.name, *size, question) as place:
        session.place = place
        try:
            yield place
        finally:
            session.place = None


def until_let_in(
    session: Session, place: Place, answer: Callable[[], T | None] = lambda: None
) -> Generator[Changes, None, T | None]:
    """Says how many come first, until the run may go on or `answer` gives something, which is returned.

    A visitor who waits looks at something else: nothing of theirs is running. Whether it is when this ends says whether
    the run may go on, and was not called off meanwhile.
    """
    before = found = None
    session.running = False
    while not (place.wait(LOOK_EVERY if before else 0) or session.stop.is_set() or (found := answer()) is not None):
        now = queue_status(place.model, place.n_before, place.seconds_before, session.text)
        yield {} if now == before else {"status": Status(data=now)}
        before = now
    session.running = not session.stop.is_set()
    return found


def one_after_another(session: Session) -> Generator[Changes, None, bool]:
    """Waits until the visitor's own run before this one is over; whether it may begin, and then holds `session.busy`.

    A page asks for one more at most while one goes on; what asks for more is no page.
    """
    if not session.next.acquire(blocking=False):
        return False
    try:
        while not session.busy.acquire(timeout=LOOK_EVERY):
            yield {}
        return True
    finally:
        session.next.release()


def size_of_again(trace: Trace, lm: LanguageModel) -> tuple[int, int]:
    """Rows and steps of a trace's run when it is run again, or gone on with."""
    rows, _ = size_of(trace.generation_config, model_defaults(lm.model), trace.n_prompts)
    return rows, max(1, trace.most_new_tokens)
