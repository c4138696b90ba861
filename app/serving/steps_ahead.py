"""`StepsAhead`: a run's steps, computed while what came of the ones before is still being shown."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from .step_order import Share, StepOrder

__all__ = ["MOST", "StepsAhead"]

# Steps that may be there before they are asked for. To show one takes a busy server as long as it takes to compute
# one or two; a run that waited for that would leave its place in a shared step empty.
MOST = 2

T = TypeVar("T")


class StepsAhead(Iterator[T]):
    """Computes a generator's items in turns with others', a few before they are taken; for one thread that takes them.

    Args:
        order: whose turns.
        share: the run's share of them.
        coming: the run; closed at the end.
        is_wanted: asked before each step; the run ends where it says no. What has been computed still comes.
        most: steps that may be there before they are asked for; 0 computes each when it is asked for.
    """

    def __init__(
        self,
        order: StepOrder,
        share: Share,
        coming: Generator[T, None, Any],
        is_wanted: Callable[[], bool] = lambda: True,
        *,
        most: int = MOST,
    ) -> None:
        self._order, self._share, self._coming, self._is_wanted, self._most = order, share, coming, is_wanted, most
        self._context = contextvars.copy_context()
        self._news = threading.Condition()
        self._ready: deque[Future[T]] = deque()
        self._is_computing = self._is_held = self._is_over = False
        self._end: Any = object()

    def __next__(self) -> T:
        self._compute(room=1)
        with self._news:
            self._news.wait_for(lambda: self._ready or not self._is_computing)
            if not self._ready:
                raise StopIteration
            found = self._ready.popleft()
        self._compute()
        step = found.result()
        if step is self._end:
            raise StopIteration
        return step

    def close(self) -> None:
        """Ends the run, within the step that is being computed."""
        with self._news:
            self._is_over = True
            self._ready.clear()
            self._still()
        self._coming.close()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No step is computed meanwhile: whoever records them can be asked what there is so far."""
        with self._news:
            self._is_held = True
            self._still()
        try:
            yield
        finally:
            with self._news:
                self._is_held = False
            self._compute()

    def _still(self) -> None:
        self._news.wait_for(lambda: not self._is_computing)

    def _compute(self, room: int = 0) -> None:
        """Has the next step computed, if it is wanted and there is room for it."""
        with self._news:
            full = len(self._ready) >= max(self._most, room)
            if self._is_computing or self._is_held or self._is_over or full or not self._is_wanted():
                return
            self._is_computing = True
        work: Callable[[], T] = lambda: next(self._coming, self._end)  # noqa: E731
        self._context.copy().run(self._order.do, self._share, work).add_done_callback(self._came)

    def _came(self, found: Future[T]) -> None:
        """In the thread that computed it: the next one begins without the run's own thread having to wake up."""
        with self._news:
            self._is_computing = False
            self._ready.append(found)
            if found.exception() is not None or found.result() is self._end:
                self._is_over = True
            self._news.notify_all()
        self._compute()
