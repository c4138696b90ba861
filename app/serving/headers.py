"""What every answer says to the browser: what the page may do, and which pages of others may read it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from .refusal import Refusal

__all__ = ["check_origin", "preflight", "set_headers"]

# Gradio starts the page with scripts in its markup and makes functions of texts (its templates, our js_on_load): that
# is let be. What the policy holds is that nothing is loaded from elsewhere and nothing is sent elsewhere.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'none'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co https://*.hf.space",
    )
)
NOT_USED = ("camera", "microphone", "geolocation", "payment", "usb", "serial", "midi", "display-capture")
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # the address holds what was asked
    "Permissions-Policy": ", ".join(f"{name}=()" for name in NOT_USED),
    "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LOCAL = ("localhost", "127.0.0.1", "::1")
CROSS_ORIGIN = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials")


def set_headers(message: Any, origin: str | None) -> None:
    """Adds to the beginning of an answer what each has, and takes out what Gradio lets other pages do.

    Args:
        message: ASGI's `http.response.start`.
        origin: which pages may read the answer, see `check_origin`; None for its own alone.
    """
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers[name] = value
    for name in CROSS_ORIGIN:
        del headers[name]
    if origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
        headers.add_vary_header("Origin")


def check_origin(scope: Any, *, public: bool) -> str | None:
    """Which pages may read the answer, as Access-Control-Allow-Origin has it; None where that need not be said.

    A public server answers any page, but never with a visitor's credentials. One on somebody's own machine answers
    pages of that machine: what a stranger's page in the same browser asks is neither done nor told.

    Raises:
        Refusal: it is a page that may not even ask.
    """
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if origin is None or origin.partition("://")[2] in _own(headers):
        return None
    if public:
        return "*"
    if _host(origin) in LOCAL and all(_host(f"//{own}") in LOCAL for own in _own(headers)):
        return origin
    if scope["method"] not in ("GET", "HEAD"):
        raise Refusal(status=403, why="foreign", asked=origin[:200])
    return None


def preflight(scope: Any, origin: str | None) -> Response | None:
    """The answer to a browser that asks what a page of others may ask; None where it is no such question."""
    headers = Headers(scope=scope)
    if scope["method"] != "OPTIONS" or "access-control-request-method" not in headers:
        return None
    if origin is None:
        return Response(status_code=403)
    allowed = {"Access-Control-Allow-Methods": "GET, HEAD, POST", "Access-Control-Max-Age": "600"}
    if wanted := headers.get("access-control-request-headers"):
        allowed["Access-Control-Allow-Headers"] = wanted
    return Response(status_code=204, headers=allowed)


def _own(headers: Headers) -> set[str]:
    """Under which names the browser may know this server: a proxy passes on the one that it was asked by."""
    passed_on = (name.strip() for name in headers.get("x-forwarded-host", "").split(","))
    return {headers.get("host", ""), *(name for name in passed_on if name)}


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
