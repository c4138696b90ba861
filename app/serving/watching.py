"""The addresses for whoever looks after a server: /health and /metrics."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .metrics import CONTENT_TYPE

if TYPE_CHECKING:
    import gradio as gr

    from .line import Line
    from .model_shelf import ModelShelf
    from .operation import Operation
    from .passing_files import PassingFiles

__all__ = ["HEALTH", "METRICS", "look_at_page", "watch_routes"]

HEALTH, METRICS = "/health", "/metrics"
NO_STORE = {"Cache-Control": "no-store"}


def watch_routes(shelf: ModelShelf, operation: Operation, key: str) -> list[Route]:
    """The two of them.

    Args:
        key: see `Environment.metrics`.
    """

    def health(request: Request) -> Response:
        phase = shelf.state(shelf.default).phase
        stopping = operation.stopping.is_set()
        status = "stopping" if stopping else "failed" if phase == "failed" else "ok"
        return JSONResponse({"status": status, "model": phase}, 200 if status == "ok" else 503, NO_STORE)

    def metrics(request: Request) -> Response:
        if not key:
            return JSONResponse({"detail": "Not Found"}, 404)
        shown = request.headers.get("authorization", "").removeprefix("Bearer ").encode("utf-8", "replace")
        if key != "1" and not secrets.compare_digest(shown, key.encode()):
            return JSONResponse({"detail": "Unauthorized"}, 401, {"WWW-Authenticate": "Bearer"})
        return Response(operation.metrics.text(), media_type=CONTENT_TYPE, headers=NO_STORE)

    return [Route(HEALTH, health), Route(METRICS, metrics)]


def look_at_page(page: gr.Blocks, line: Line, files: PassingFiles, operation: Operation) -> None:
    """Lets the metrics have who uses the model, who waits for it, and what is kept of the page's visitors."""
    look_at = operation.metrics.look_at
    look_at("running", "Runs that go on.", lambda: line.n_running)
    look_at("queue_length", "Visitors who wait for the model.", lambda: line.n_waiting)
    look_at("sessions", "Visitors whose runs are kept.", lambda: len(_sessions(page)))
    look_at("kept_bytes", "Bytes of the runs that are kept, each counted once.", lambda: _kept_bytes(page))
    look_at("passing_bytes", "Bytes of files that lie in passing.", files.nbytes)


def _sessions(page: gr.Blocks) -> dict[str, Any]:
    holder = getattr(page, "state_holder", None)
    return {} if holder is None else dict(holder.session_data)


def _kept_bytes(page: gr.Blocks) -> int:
    states = [value for state in _sessions(page).values() for value in list(state.state_data.values())]
    runs = [run for state in states for run in list(getattr(state, "runs", ()))]
    return sum({id(run.trace): run.nbytes for run in runs}.values())
