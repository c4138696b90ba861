"""The lab's tab `microscope`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.lab.look import Look

__all__ = ["sheet"]


def sheet(look: Look, wish: Mapping[str, Any]) -> dict[str, Any]:
    """What the tab shows."""
    return {}
