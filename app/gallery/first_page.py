"""The recorded example that the page opens on."""

from __future__ import annotations

from decoding.files.trace_file import load_trace
from decoding.recorded.run import Trace

from ..assets import assets_dir

__all__ = ["EXAMPLE", "example_trace"]

EXAMPLE = assets_dir() / "examples" / "first-page.trace"


def example_trace() -> Trace:
    """The example's trace."""
    return load_trace(EXAMPLE)
