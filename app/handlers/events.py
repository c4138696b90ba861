"""What an event carries, which anyone can send, and whether it still counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from ..session.at import At
from ..session.session import Session

__all__ = ["counts", "field", "is_about_the_run_in_view"]


def field(event: gr.EventData, name: str) -> Any:
    """A field of event data: None where it is missing."""
    data = event._data if isinstance(event._data, dict) else {}
    return data.get(name)


def is_about_the_run_in_view(session: Session, event: gr.EventData) -> bool:
    """Whether what an event is about fits what is in view; what does not fit is not applied to another run."""
    return session.fits(At.read(field(event, "about")))


@contextmanager
def counts(session: Session, kind: str, event: gr.EventData, *, about: bool = True) -> Iterator[bool]:
    """Handles one of a visitor's events at a time; False where it comes too late to count.

    An event is late where a later one of its kind was here before, or what it is about is no longer in view. That is
    the one rule; Gradio's `always_last` (see app/page/wiring.py) only saves questions whose answers nobody would see.

    Args:
        kind: of the event; each is numbered by the page on its own.
        about: the event says what it is about.
    """
    if about and not is_about_the_run_in_view(session, event):
        yield False
        return
    with session.order.in_turn(kind, field(event, "turn")) as is_last:
        yield is_last
