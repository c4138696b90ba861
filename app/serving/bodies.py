"""Bodies of requests: read no further than they may be long, and no longer than they may take."""

from __future__ import annotations

import asyncio
import contextlib
import time

from starlette.types import Message, Receive

from .refusal import Refusal

__all__ = ["BoundedBody", "announced_length"]

TAIL = 1024  # bytes; the page's requests end with whose they are
POURED_AWAY = 64 * 2**20  # bytes, so that whoever sends too much hears why; a connection that is cut says nothing
PATIENCE = 10.0  # seconds for that


def announced_length(header: str | None) -> int:
    """What Content-Length says: 0 where there is none, or no number."""
    return int(header) if header is not None and header.isascii() and header.isdecimal() and len(header) < 20 else 0


class BoundedBody:
    """A request's body.

    Args:
        receive: ASGI's.
        announced: its length as the request says; a body in chunks does not.
        most: bytes.
        seconds: in which it has to arrive.
        what: of the bounds, `body` or `upload`.
    """

    def __init__(self, receive: Receive, announced: int, most: int, seconds: float, what: str) -> None:
        self._receive, self._announced, self._most, self._what = receive, announced, most, what
        self._seconds, self._end = seconds, time.monotonic() + seconds
        self._n = 0
        self._over = False
        self.refusal: Refusal | None = None  # once it was too long or too slow
        self.tail = b""  # the last bytes that came

    async def whole(self) -> bytes:
        """All of it.

        Raises:
            Refusal: it is too long, or does not arrive in time.
        """
        parts = []
        while not self._over:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                break
            parts.append(message.get("body", b""))
        return b"".join(parts)

    async def receive(self) -> Message:
        """The next part, as ASGI has it.

        Raises:
            Refusal: with this part it is too long, or the part does not arrive in time.
        """
        if self._over:
            return await self._receive()  # whether the visitor is still there
        if self._announced > self._most:
            raise self._refused(self._too_long(self._announced))
        try:
            async with asyncio.timeout(max(0.0, self._end - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            slow = Refusal(status=408, why="slow", bound="body_seconds", asked=self._n, allowed=int(self._seconds))
            raise self._refused(slow) from None
        self._take(message)
        if self._n > self._most:
            raise self._refused(self._too_long(self._n))
        return message

    def _take(self, message: Message) -> None:
        part = message.get("body", b"")
        self._n += len(part)
        self.tail = (self.tail + part[-TAIL:])[-TAIL:]
        self._over = message["type"] != "http.request" or not message.get("more_body", False)

    async def pour_away(self) -> None:
        """Reads on for a while and keeps nothing."""
        if self.refusal is None or self.refusal.status != 413:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not self._over and self._n < POURED_AWAY:
                    self._take(await self._receive())

    def _too_long(self, asked: int) -> Refusal:
        return Refusal(status=413, why=self._what, bound=f"{self._what}_bytes", asked=asked, allowed=self._most)

    def _refused(self, refusal: Refusal) -> Refusal:
        self.refusal = refusal
        return refusal
