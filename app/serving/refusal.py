"""`Refusal`: why a request is not answered, in words and as HTTP has it; and the last one of each tab."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

from ..text import Text

__all__ = ["Refusal", "Refusals"]

REMEMBERED = 1024  # tabs
LIVES = 30.0  # seconds; the page asks at once


@dataclass(kw_only=True, eq=False)  # not frozen: Python writes into an exception where it came through
class Refusal(Exception):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        why: what is said, a text of `refused.*`.
        bound: the row of the table of bounds, or "" where it is none of them.
        asked, allowed: what came, and how much may.
        seconds: after which it may be tried again, or None where that is of no use.
    """

    status: int
    why: str
    bound: str = ""
    asked: int | str = ""
    allowed: int | None = None
    seconds: int | None = None

    def said(self, text: Text) -> str:
        """It in words."""
        fields = {"asked": self.asked, "allowed": self.allowed, "seconds": self.seconds}
        written = {name: f"{value:,}" if isinstance(value, int) else value for name, value in fields.items()}
        return text(f"refused.{self.why}", **written)

    def response(self, text: Text) -> JSONResponse:
        """It as an answer; Gradio's clients show `detail`."""
        told: dict[str, Any] = {"detail": self.said(text), "why": self.why}
        if self.bound:
            told |= {"bound": self.bound, "asked": self.asked, "allowed": self.allowed}
        headers = {} if self.seconds is None else {"Retry-After": str(self.seconds)}
        return JSONResponse(told, status_code=self.status, headers=headers)


class Refusals:
    """The last refusal of each tab, for a while: Gradio tells the page only that something was not begun."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, tuple[float, Refusal]] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, tab: str, refusal: Refusal) -> None:
        """Remembers it; those that were refused longest ago are forgotten."""
        with self._lock:
            self._last.pop(tab, None)
            self._last[tab] = (time.monotonic(), refusal)
            while len(self._last) > REMEMBERED:
                self._last.popitem(last=False)

    def take(self, tab: str | None) -> Refusal | None:
        """The tab's last one, if it is new; it is told once."""
        with self._lock:
            at, refusal = self._last.pop(tab or "", (0.0, None))
        return refusal if refusal is not None and time.monotonic() - at < LIVES else None
