"""`Caller`: who called an endpoint, and whether anybody still waits for the answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr
from gradio.context import LocalContext

if TYPE_CHECKING:
    from ..serving.line import Place

__all__ = ["LOOK_EVERY", "Caller"]

T = TypeVar("T")
LOOK_EVERY = 0.5  # seconds


class Caller:
    """Whoever called the endpoint that runs in this thread.

    Gradio ends a generator when its caller has hung up; an endpoint that gives one answer, after a while, it lets go
    on to its end. It knows, though: it marks what it keeps of the call.

    Attributes:
        who: the same for calls of one client.
    """

    def __init__(self) -> None:
        self._event = _event()
        self.who: Hashable = getattr(self._event, "session_hash", None) or object()

    @property
    def has_gone(self) -> bool:
        """Whether nobody waits for the answer any more; False where Gradio does not say."""
        return getattr(self._event, "alive", True) is False

    def check(self) -> None:
        """Returns if the answer is still wanted.

        Raises:
            gr.Error: it is not; nobody reads that.
        """
        if self.has_gone:
            raise gr.Error("the caller has gone", print_exception=False)

    def wait(self, place: Place, answer: Callable[[], T | None] = lambda: None) -> T | None:
        """Waits until the run may go on or `answer` gives something, which is returned.

        Raises:
            gr.Error: the caller has gone meanwhile.
        """
        while not place.wait(LOOK_EVERY):
            self.check()
            if (found := answer()) is not None:
                return found
        return None


def _event() -> Any:
    """What Gradio's queue keeps of the call, or None: a direct call has no place in it."""
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    events = getattr(getattr(blocks, "_queue", None), "event_ids_to_events", {})
    return events.get(event_id)
