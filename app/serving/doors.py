"""Which of Gradio's addresses are served: those that the page and the API use; of files, those that were made here."""

from __future__ import annotations

import re
from pathlib import Path

from .refusal import Refusal

__all__ = ["check_door", "is_api", "is_upload"]

API = "/gradio_api/"
# Gradio serves these, and nothing here uses them: proxies, callable components, its own editor, histories, log-ins,
# analytics, links that it stores on the server.
CLOSED = re.compile(
    r"/gradio_api/(?:proxy=|component_server|process_recording|vibe-|deep_link|stream/|dev/|run-history|runs(?:/|$)"
    r"|custom_component/|profiling|token|user|login)"
    r"|/(?:monitoring|login|logout)(?:/|$)"
)
FILE = re.compile(r"/gradio_api/file[=/](.*)", re.DOTALL)


def is_api(path: str) -> bool:
    """Whether Python answers, not a file of Gradio's or ours."""
    return path.startswith(API)


def is_upload(path: str) -> bool:
    """Whether files are sent there."""
    return path.rstrip("/") == f"{API}upload"


def check_door(path: str, folder: Path) -> None:
    """Returns if what an address names is served.

    Args:
        path: of the request, its escapes read.
        folder: where files lie in passing; no other is served there, and nothing is fetched from elsewhere.

    Raises:
        Refusal: it is not.
    """
    if CLOSED.match(path):
        raise Refusal(status=404, why="closed")
    if (found := FILE.match(path)) and not _is_within(found[1], folder):
        raise Refusal(status=403, why="file")


def _is_within(name: str, folder: Path) -> bool:
    try:
        return Path(name).is_absolute() and Path(name).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a name that no file can have; links that go round
        return False
