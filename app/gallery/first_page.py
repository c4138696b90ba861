"""The recorded example that the page opens on."""

from __future__ import annotations

from decoding.trace import Trace, load_trace

from ..assets import assets_dir

__all__ = ["EXAMPLE", "example_trace"]

EXAMPLE = assets_dir() / "examples" / "first-page.trace"


def example_trace() -> Trace:
    """The example's trace."""
    return load_trace(EXAMPLE)
