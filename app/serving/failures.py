"""Errors that nobody foresaw: a visitor is told a number, the log has the rest under it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import gradio as gr
from fastapi.exceptions import RequestValidationError
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.requests import Request
from starlette.responses import JSONResponse

from ..text import Text, language_of
from .refusal import Refusal

__all__ = ["Failures", "GuardedBlocks", "exception_handlers", "failures", "noted", "text_for"]

log = logging.getLogger(__name__)

OURS = Path(__file__).parent.parent
NOT_REACHED = Path(__file__).parent  # what stands before a handler
A_MINUTE = RateLimitItemPerMinute(30)  # of a kind: a flood of junk must not become a flood of lines


def text_for(headers: Any) -> Text:
    """The words of the browser's own language; the page's may be chosen by hand, but only its session knows that."""
    return Text(language_of(None, headers.get("accept-language")))


def noted(what: str, error: BaseException) -> str:
    """Writes an error into the log, with its traceback, and returns the number that it has there."""
    number = secrets.token_hex(4)
    log.error("%s", what, exc_info=error, extra={"error_id": number})
    return number


class Failures:
    """Requests that failed. One that no handler of ours had begun with is junk: a line in the log, no traceback."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self.n_junk = 0

    def said(self, error: BaseException, text: Text) -> str:
        """What the visitor is told; the log has the rest."""
        if _reached_a_handler(error):
            return text("refused.bug", id=noted("a request failed", error))
        number, kind = secrets.token_hex(4), type(error).__name__
        self.n_junk += 1
        if self._limiter.hit(A_MINUTE, kind):
            log.warning("a request could not be read", extra={"error_id": number, "kind": kind})
        return text("refused.junk", id=number)


@cache
def failures() -> Failures:
    """Those of this process."""
    return Failures()


class GuardedBlocks(gr.Blocks):
    """A page whose events fail with words and a number. Gradio would write a traceback, and say nothing."""

    async def process_api(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Gradio's, whatever goes wrong in it told in words.

        Raises:
            gr.Error: it failed.
        """
        try:
            return await super().process_api(*args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            request = kwargs.get("request")
            text = text_for(getattr(request, "headers", None) or {})
            raise gr.Error(failures().said(error, text), print_exception=False) from None


def exception_handlers() -> dict[Any, Any]:
    """FastAPI's handlers: what it would say of a request that does not fit repeats the request."""
    return {RequestValidationError: _misfit, Refusal: _refused, Exception: _failed}


def _refused(request: Request, refusal: Refusal) -> JSONResponse:
    return refusal.response(text_for(request.headers))


def _misfit(request: Request, error: Any) -> JSONResponse:
    found = [{"loc": one.get("loc"), "msg": str(one.get("msg"))[:200]} for one in error.errors()[:5]]
    return JSONResponse({"detail": found}, status_code=422)


def _failed(request: Request, error: Exception) -> JSONResponse:
    said = failures().said(error, text_for(request.headers))
    return JSONResponse({"detail": said, "why": "failed"}, status_code=500)


def _reached_a_handler(error: BaseException) -> bool:
    for frame in _frames(error.__traceback__):
        path = Path(frame)
        if path.is_relative_to(OURS) and not path.is_relative_to(NOT_REACHED):
            return True
    return False


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_filename
        traceback = traceback.tb_next
