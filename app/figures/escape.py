"""Token text made safe for Plotly, whose texts are a little HTML."""

from __future__ import annotations

__all__ = ["escaped"]


def escaped(text: str) -> str:
    """The text so that Plotly shows exactly its characters; without it `<s>` is taken for a tag and vanishes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
