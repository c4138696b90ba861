"""Where the page's own files are: JavaScript, style sheets, the recorded example."""

from __future__ import annotations

from functools import cache
from pathlib import Path

__all__ = ["assets_dir"]


@cache  # every update of a component asks, a hundred times for a run that comes into view
def assets_dir() -> Path:
    """The folder of the page's files: `app/_assets` in an installed package, `assets/` in a checkout."""
    packaged = Path(__file__).parent / "_assets"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "assets"
