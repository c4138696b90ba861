"""What a reload brings back: what the tab is to keep, and what is said of runs that the server has no longer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..text import Text
from .draft import beginning

__all__ = ["reload_sheet"]


def reload_sheet(
    key: str, runs: list[dict[str, Any]], lost: Iterable[tuple[int, str, str]], text: Text, *, goes_on: bool = False
) -> dict[str, Any]:
    """The `data`.

    Args:
        key: what the tab shows for its runs.
        runs: what it keeps of each.
        lost: of those that the server has no longer, number, name and prompt.
        goes_on: runs have the numbers that they had before the page was loaded.
    """
    offered = [
        {
            "number": number,
            "label": text("runs.named" if name else "runs.name", n=number + 1, name=name),
            "text": beginning(prompt),
        }
        for number, name, prompt in lost
    ]
    words = {name: text(f"reload.{name}") for name in ("label", "tip", "forget", "forget_tip")}
    return {"kept": {"key": key, "runs": runs}, "goes_on": goes_on, "lost": offered, "words": words}
