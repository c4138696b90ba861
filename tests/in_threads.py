"""Jobs that run at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["LONG", "in_threads"]

LONG = 30.0  # seconds after which a thread is taken to hang


def in_threads(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the jobs give or raise, each in a thread of its own, begun together; fails where one hangs."""
    results: list[Any] = [None] * len(jobs)
    start = threading.Barrier(len(jobs))

    def do(i: int) -> None:
        start.wait()
        try:
            results[i] = jobs[i]()
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=do, args=(i,), daemon=True) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return results
