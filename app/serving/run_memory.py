"""`RunMemory`: what all recorded runs on a server may take together, in memory and on its disk."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from functools import cache
from typing import TYPE_CHECKING

from .bounds import bounds_here
from .freed import give_back

if TYPE_CHECKING:
    from decoding.recorded.step_store import MovableSteps
    from decoding.strategies.kept_cache import KeptCache
    from decoding.trace import Trace

__all__ = ["RunMemory", "run_memory"]

log = logging.getLogger(__name__)

IDLE = 60.0  # seconds since somebody looked at a run


@cache
def run_memory() -> RunMemory:
    """The one of this process."""
    return RunMemory()


class RunMemory:
    """Makes room for the newest run, wherever it is kept, at the cost of those that were looked at longest ago.

    First what the model remembers of a run that nobody looks at goes: a fork of it computes the prefix again. Then
    runs move to the disk, from where they are shown as before. What does not fit there, or is one run too many, loses
    its scores: its text stays, the page says so, and it can be run again. The runs themselves are kept by others: this
    knows them for as long as those do.

    Args:
        in_memory: bytes of all runs together, of scores and of what models remember; the disk's own cache has the rest
            at hand. None for the server's bound, here and below.
        on_disk: bytes that were moved there.
        most: runs that have their scores.
        idle: seconds after which nobody looks at a run any more.
    """

    def __init__(
        self, *, in_memory: int | None = None, on_disk: int | None = None, most: int | None = None, idle: float = IDLE
    ) -> None:
        bounds = bounds_here()
        self.in_memory = bounds.runs_memory_bytes if in_memory is None else in_memory
        self.on_disk = bounds.runs_disk_bytes if on_disk is None else on_disk
        self.most, self.idle = bounds.kept_runs if most is None else most, idle
        self._stores: weakref.WeakSet[MovableSteps] = weakref.WeakSet()
        self._caches: weakref.WeakKeyDictionary[MovableSteps, weakref.ref[KeptCache]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def admit(self, trace: Trace, kept: KeptCache | None = None) -> None:
        """Counts a run that has come, and makes room for it.

        Args:
            kept: what its model remembers of it.
        """
        store = trace.store
        if not hasattr(store, "spill"):  # a caller's own
            return
        with self._lock:
            self._stores.add(store)
            if kept is not None:
                self._caches[store] = weakref.ref(kept)
        try:
            self.make_room()
        except Exception:  # a bug here must not cost the run that has just come
            log.exception("no room could be made")

    def taken(self) -> dict[str, int]:
        """What there is now: `runs` with scores, bytes `in_memory`, `on_disk`, and in `caches` of models."""
        with self._lock:
            stores = self._by_age()
            return {
                "runs": len(stores), "in_memory": sum(store.in_memory for store in stores),
                "on_disk": sum(store.on_disk for store in stores), "caches": sum(map(self._in_cache, stores)),
            }  # fmt: skip

    def make_room(self) -> None:
        """Brings all of it within bounds."""
        with self._lock:
            stores = self._by_age()
            over = self._in_use(stores) - self.in_memory
            left = self._spill(stores, self._forget_caches(stores, over))
            n_gone = self._let_go(stores)
        if left < over or n_gone:
            give_back()

    def _by_age(self) -> list[MovableSteps]:
        """The stores that have scores; those looked at longest ago come first."""
        return sorted((store for store in list(self._stores) if not store.gone), key=lambda store: store.read_at)

    def _in_cache(self, store: MovableSteps) -> int:
        """Bytes of what a model remembers of a run."""
        kept = self._kept(store)
        return 0 if kept is None else kept.nbytes

    def _kept(self, store: MovableSteps) -> KeptCache | None:
        found = self._caches.get(store)
        return None if found is None else found()

    def _in_use(self, stores: list[MovableSteps]) -> int:
        return sum(store.in_memory + self._in_cache(store) for store in stores)

    def _forget_caches(self, stores: list[MovableSteps], over: int) -> int:
        """Of runs that nobody looks at, until no more bytes are `over`; how many are."""
        now = time.monotonic()
        for store in stores:
            if over <= 0 or now - store.read_at < self.idle:
                break
            over -= self._forget_cache(store)
        return over

    def _forget_cache(self, store: MovableSteps) -> int:
        """Bytes that are free for it."""
        size, kept = self._in_cache(store), self._kept(store)
        if kept is not None:
            kept.forget()
        return size

    def _spill(self, stores: list[MovableSteps], over: int) -> int:
        """Moves runs to the disk, with what the model remembers of them forgotten, until no more bytes are `over`."""
        for store in stores:
            if over <= 0:
                break
            over -= self._forget_cache(store)
            size = store.in_memory
            if size and self._onto_disk(store, stores):
                over -= size
        return over

    def _onto_disk(self, store: MovableSteps, stores: list[MovableSteps]) -> bool:
        """Where the disk is full, runs that lie there make room; where none does, the run stays in memory."""
        older = [other for other in stores if other is not store and other.on_disk]
        while not store.spill():
            if not older:
                return False
            older.pop(0).let_go()
        return True

    def _let_go(self, stores: list[MovableSteps]) -> int:
        """Lets scores go where there are too many runs, or too much of them on the disk; the newest stays."""
        made = 0
        for store in stores[:-1]:
            left = [other for other in stores if not other.gone]
            too_full = sum(other.on_disk for other in left) > self.on_disk
            if not (too_full or len(left) > self.most or self._far_too_much(left)):
                break
            store.let_go()
            made += 1
        return made

    def _far_too_much(self, stores: list[MovableSteps]) -> bool:
        """The disk has taken nothing for so long that the memory of this machine is at stake."""
        return sum(store.in_memory for store in stores) > 2 * self.in_memory
