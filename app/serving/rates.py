"""How often a visitor may ask: by address and by tab, counted in a window that moves with the clock."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from .bounds import Bounds
from .refusal import Refusal

__all__ = ["Rates"]

TIDY_EVERY = 60  # seconds


class Rates:
    """Counts what is asked; in memory, of this process.

    Every moment in the window is kept: two counters that a window slides over let one too many in where the clock's
    own minute ends, which is twice as many where one a minute is allowed. The memory of the moments would keep an empty
    entry for each visitor who was ever here; those are taken out.

    Args:
        bounds: those of a tab and of an address; None among them is not counted.
    """

    def __init__(self, bounds: Bounds) -> None:
        minute, second = RateLimitItemPerMinute, RateLimitItemPerSecond
        each: dict[str, type[RateLimitItem]] = {
            "tab_runs": minute, "address_runs": minute, "tab_requests": second, "address_requests": second,
            "address_uploads": minute,
        }  # fmt: skip
        values = {name: getattr(bounds, name) for name in each}
        self._items = {name: each[name](most) for name, most in values.items() if most is not None}
        self._memory = MemoryStorage() if self._items else None
        self._limiter = MovingWindowRateLimiter(self._memory) if self._memory else None
        self._tidied = time.monotonic()

    def count(self, name: str, who: str) -> None:
        """Counts one more.

        Raises:
            Refusal: it is one too many; it is not counted then.
        """
        self._tidy()
        item = self._items.get(name)
        if item is None or self._limiter is None or not who or self._limiter.hit(item, name, who):
            return
        until = self._limiter.get_window_stats(item, name, who).reset_time - time.time()
        if until > item.get_expiry():  # the clock was set back: what came "later" would count until it has caught up
            self._limiter.storage.reset()
            return self.count(name, who)
        raise Refusal(
            status=429, why=name.partition("_")[2], bound=name, asked=item.amount + 1, allowed=item.amount,
            seconds=max(1, math.ceil(until)),
        )  # fmt: skip

    def _tidy(self) -> None:
        memory, now = self._memory, time.monotonic()
        if memory is None or now < self._tidied + TIDY_EVERY:
            return
        self._tidied = now
        for key in list(memory.events):
            with memory.locks[key]:
                if not memory.events.get(key):
                    memory.clear(key)
