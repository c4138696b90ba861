"""What visitors leave behind, and its end: their files after minutes, their runs an hour after they have gone."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr

    from .passing_files import PassingFiles

__all__ = ["Tidying", "end_in_order"]

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds
STATE_LIVES = 3600.0  # seconds that a closed tab's runs are kept, for whoever comes back by the browser's history


class Tidying:
    """Looks after a page that is being served.

    A visitor's session is what Gradio keeps for a `gr.State`; it would keep that of a closed tab, with its traces and
    their files, until ten thousand others have come: its own `time_to_live` counts for states that an event returns.

    Args:
        page: its visitors' sessions.
        files: what goes to and fro.
        every: seconds between two rounds.
        lives: seconds without an event after which a visitor whose tab is closed is forgotten. They are counted in
            rounds: a machine that slept did not wait.
    """

    def __init__(
        self, page: gr.Blocks, files: PassingFiles, *, every: float = EVERY, lives: float = STATE_LIVES
    ) -> None:
        self._page, self._files = page, files
        self._every, self._rounds = every, max(1, round(lives / every))
        self._idle: dict[str, tuple[datetime | None, int]] = {}  # last event, and rounds since
        self._stop = threading.Event()

    def start(self) -> None:
        """Begins, in a thread."""
        threading.Thread(target=self._go_on, name="tidying", daemon=True).start()

    def stop(self) -> None:
        """Ends it."""
        self._stop.set()

    def round(self) -> None:
        """Takes away what has been left for long enough."""
        self._files.sweep()
        holder = getattr(self._page, "state_holder", None)
        if holder is not None and self._forget(holder):
            gc.collect()  # a session and what it shows know each other; the files of large traces go with them

    def _go_on(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.round()
            except Exception:  # the next round may go better, and the page does not depend on it
                log.exception("tidying up failed")

    def _forget(self, holder: Any) -> int:
        """Forgets visitors who have gone, and says how many."""
        idle = {}
        for visitor, session in list(holder.session_data.items()):
            last = holder.time_last_used.get(visitor)
            before, rounds = self._idle.get(visitor, (None, 0))
            idle[visitor] = (last, rounds + 1 if last == before and session.is_closed else 0)
        gone = [visitor for visitor, (_, rounds) in idle.items() if rounds >= self._rounds]
        for visitor in gone:
            with holder.lock:
                holder.session_data.pop(visitor, None)
                holder.time_last_used.pop(visitor, None)
            del idle[visitor]
        self._idle = idle
        return len(gone)


def end_in_order() -> None:
    """From now on `kill` ends this process as Ctrl-C does, so that nothing is left behind."""
    if threading.current_thread() is not threading.main_thread():
        return
    owner = os.getpid()

    def end(number: int, frame: Any) -> None:
        if os.getpid() == owner:
            signal.default_int_handler(number, frame)
        signal.signal(number, signal.SIG_DFL)  # a process forked from this one ends as it always did
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, end)
