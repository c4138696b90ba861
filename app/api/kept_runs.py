"""`KeptRuns`: runs recorded through the API, for a while, so that its other endpoints can ask about them."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from decoding.errors import NotRecordedError, shown

from ..serving.run_memory import run_memory

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["KeptRun", "KeptRuns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A run on the server.

    Attributes:
        id: nobody can guess it, so that a run is seen by those only who were told.
        trace: the recording.
        model_name: what its model was loaded as.
        used_at: when it was last asked for, on the monotonic clock.
    """

    id: str
    trace: Trace
    model_name: str
    used_at: float


class KeptRuns:
    """The runs used last; others are forgotten. Calls may come from several threads.

    Args:
        most: runs.
        most_bytes: of their traces together; the newest stays whatever it takes.
        lives: seconds after which a run that nobody asked for is forgotten.
    """

    def __init__(self, *, most: int = 32, most_bytes: int = 2**30, lives: float = 1800) -> None:
        self.most, self.most_bytes, self.lives = most, most_bytes, lives
        self._runs: OrderedDict[str, KeptRun] = OrderedDict()  # used longest ago first
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None  # for the one that will be too old next

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, trace: Trace, model_name: str) -> KeptRun:
        """Takes a run in, under a new id; where there is no room, those used longest ago go."""
        run_memory().admit(trace)
        run = KeptRun(id=secrets.token_urlsafe(16), trace=trace, model_name=model_name, used_at=time.monotonic())
        with self._lock:
            self._runs[run.id] = run
            self._make_room()
            self._set_timer()
        return run

    def get(self, run_id: Any) -> KeptRun:
        """The run of that id, which may be anything.

        Raises:
            NotRecordedError: there is none, or it is no longer kept.
        """
        with self._lock:
            self._make_room()
            run = self._runs.pop(run_id, None) if isinstance(run_id, str) else None
            if run is None:
                raise NotRecordedError(
                    f"run must be an id that /record gave, got {shown(run_id)}; this server keeps the last {self.most} "
                    f"runs, for {self.lives / 60:g} minutes after they were last asked for: record it again"
                )
            self._runs[run.id] = run = replace(run, used_at=time.monotonic())
            return run

    def _make_room(self) -> None:
        too_old = time.monotonic() - self.lives
        while self._runs:
            oldest = next(iter(self._runs.values()))
            full = len(self._runs) > self.most
            heavy = len(self._runs) > 1 and sum(run.trace.nbytes for run in self._runs.values()) > self.most_bytes
            if not (full or heavy or oldest.used_at < too_old):
                return
            del self._runs[oldest.id]

    def _set_timer(self) -> None:
        """Runs are forgotten in time, whether another call comes or not."""
        if self._timer is not None or not self._runs:
            return
        oldest = next(iter(self._runs.values()))
        self._timer = threading.Timer(max(oldest.used_at + self.lives - time.monotonic(), 0) + 0.1, self._forget)
        self._timer.daemon = True
        self._timer.start()

    def _forget(self) -> None:
        with self._lock:
            self._timer = None
            self._make_room()
            self._set_timer()
