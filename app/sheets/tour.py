"""The first half minute: what to look at, said beside it."""

from __future__ import annotations

from typing import Any

from ..text import Text

__all__ = ["tour_sheet"]

PLACES = ("tokens", "tree", "waterfall", "cutoff")  # those that the run in view does not have are left out


def tour_sheet(text: Text) -> dict[str, Any]:
    """The callouts' `data`."""
    return {
        "label": text("tour.label"),
        "close": text("tour.close"),
        "callouts": [{"of": at, "name": text(f"tour.{at}.name"), "text": text(f"tour.{at}")} for at in PLACES],
    }
