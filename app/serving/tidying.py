"""What visitors leave behind, and its end: their files after minutes, their runs after an hour at most.

`app.serving.run_memory` says what all runs may take meanwhile.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .freed import free
from .run_memory import run_memory

if TYPE_CHECKING:
    import gradio as gr

    from ..runs import Run
    from .passing_files import PassingFiles

__all__ = ["Tidying", "end_in_order"]

log = logging.getLogger(__name__)

EVERY = 30.0  # seconds
STATE_LIVES = 3600.0  # seconds that a closed tab's runs are kept, for whoever comes back: a reload closes a tab, too
MOST_GONE = 64  # visitors with a closed tab whose runs are kept
INSIST = 15.0  # seconds after which a Ctrl-C that has not ended the process is said again
MOST_BYTES = 4 * 2**30  # of their runs together, those left out that an open tab has, too


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
        most: visitors whose tab is closed that are remembered; the first to go are forgotten first.
        most_bytes: of the runs that are kept for them alone.
    """

    def __init__(
        self,
        page: gr.Blocks,
        files: PassingFiles,
        *,
        every: float = EVERY,
        lives: float = STATE_LIVES,
        most: int = MOST_GONE,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._page, self._files = page, files
        self._most, self._most_bytes = most, most_bytes
        self._every, self._rounds = every, max(1, round(lives / every))
        self._idle: dict[str, tuple[datetime | None, int]] = {}  # last event, and rounds since, with the tab closed
        self._at_rest: dict[str, datetime | None] = {}  # the last event of whoever has done nothing since then
        self._seen: dict[str, datetime] = {}  # everybody's last event, at the round before
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
        if holder is not None:
            self._forget(holder)
            self._rest(holder)
        run_memory().make_room()
        free()  # a session and what it shows know each other; the files of large traces go with them

    def _go_on(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.round()
            except Exception:  # the next round may go better, and the page does not depend on it
                log.exception("tidying up failed")

    def _forget(self, holder: Any) -> None:
        """Forgets visitors who have gone."""
        idle = {}
        for visitor, state in list(holder.session_data.items()):
            last = holder.time_last_used.get(visitor)
            before, rounds = self._idle.get(visitor, (None, 0))
            # Of a program, which has no tab to close, nothing is kept here that it could come back to.
            has_left = state.is_closed or not state.state_data
            idle[visitor] = (last, rounds + 1 if last == before and has_left else 0)
        gone = [visitor for visitor, (_, rounds) in idle.items() if rounds >= self._rounds]
        gone += self._too_many(holder, [visitor for visitor in idle if visitor not in gone])
        for visitor in gone:
            with holder.lock:
                holder.session_data.pop(visitor, None)
                holder.time_last_used.pop(visitor, None)
            del idle[visitor]
        self._idle = idle

    def _rest(self, holder: Any) -> None:
        """What was made for what somebody looked at, and does not look at any more, is made again when it is."""
        at_rest = {}
        for visitor, state in list(holder.session_data.items()):
            last = holder.time_last_used.get(visitor)
            if any(getattr(session, "running", False) for session in _sessions_of(state)):
                continue
            # Of a closed tab at once: a reload makes it all again in any case.
            if state.is_closed or self._seen.get(visitor) == last:
                at_rest[visitor] = last
                if self._at_rest.get(visitor, "") != last:
                    self._without_what_was_sent(state)
                    for session in _sessions_of(state):
                        session.rest()
        self._at_rest = at_rest
        self._seen = dict(holder.time_last_used)

    def _without_what_was_sent(self, state: Any) -> None:
        """Gradio keeps all that each panel was sent last: to add to it, and for a link that the page does not offer.

        Ours are sent whole, and a megabyte for each visitor is a gigabyte for a thousand.
        """
        getattr(state, "config_values", {}).clear()
        as_built = getattr(self._page, "default_config", None)
        if as_built is not None:
            state.blocks_config = copy(as_built)

    def _too_many(self, holder: Any, visitors: list[str]) -> list[str]:
        """Those with a closed tab for whom there is no room; who was here last is kept first."""
        states = {visitor: state for visitor in visitors if (state := holder.session_data.get(visitor)) is not None}
        seen = {id(run.trace) for state in states.values() if not state.is_closed for run in _runs_of(state)}
        closed = [visitor for visitor, state in states.items() if state.is_closed]
        closed.sort(key=lambda visitor: holder.time_last_used.get(visitor, datetime.min), reverse=True)
        kept = n_bytes = 0
        for visitor in closed:
            new = {id(run.trace): run.nbytes for run in _runs_of(states[visitor])}
            n_bytes += sum(size for trace, size in new.items() if trace not in seen)
            seen |= set(new)
            if n_bytes > self._most_bytes or kept == self._most:
                break
            kept += 1
        return closed[kept:]


def _sessions_of(state: Any) -> list[Any]:
    """Those in what Gradio keeps for a visitor: one, unless nothing was asked yet."""
    return [value for value in state.state_data.values() if hasattr(value, "runs")]


def _runs_of(state: Any) -> list[Run]:
    """The runs in what Gradio keeps for a visitor."""
    return [run for session in _sessions_of(state) for run in session.runs]


def end_in_order(before: Callable[[], None] = lambda: None) -> None:
    """From now on `kill` ends this process as Ctrl-C does, so that nothing is left behind.

    Ctrl-C is an exception in whatever the main thread does at that moment, and is lost where that is a callback whose
    errors are passed over; the process also waits for threads that go on. So it is said again until the process ends.

    Args:
        before: what is done first; a second `kill` does not wait for it.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    owner = os.getpid()

    def end(number: int, frame: Any) -> None:
        if os.getpid() == owner:
            signal.signal(number, interrupt)
            before()
            interrupt(number, frame)
        signal.signal(number, signal.SIG_DFL)  # a process forked from this one ends as it always did
        os.kill(os.getpid(), number)

    def interrupt(number: int, frame: Any) -> None:
        if os.getpid() == owner:
            again = threading.Timer(INSIST, _say_again, (number,))
            again.daemon = True
            with suppress(RuntimeError):  # Python is ending: there are no new threads
                again.start()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGTERM, end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a process in the background may ignore it
        signal.signal(signal.SIGINT, interrupt)


def _say_again(number: int) -> None:
    """To the main thread itself where a system can: what that waits for in C goes on waiting otherwise."""
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, number)
    else:
        signal.raise_signal(number)
