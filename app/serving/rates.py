"""How often a visitor may ask: by address and by tab, counted in a window that moves with the clock."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from .bounds import Bounds
from .refusal import Refusal

__all__ = ["Rates"]


class Rates:
    """Counts what is asked; in memory, of this process.

    The window slides over two counters. One that keeps every moment would be more exact, but its memory keeps an entry
    for each visitor who was ever here.

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
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage()) if self._items else None

    def count(self, name: str, who: str) -> None:
        """Counts one more.

        Raises:
            Refusal: it is one too many; it is not counted then.
        """
        item = self._items.get(name)
        if item is None or self._limiter is None or not who or self._limiter.hit(item, name, who):
            return
        kind = name.partition("_")[2]
        until = self._limiter.get_window_stats(item, name, who).reset_time - time.time()
        seconds = min(max(1, math.ceil(until)), item.get_expiry())
        raise Refusal(
            status=429, why=kind, bound=name, asked=item.amount + 1, allowed=item.amount, seconds=seconds
        )
