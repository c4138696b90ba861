"""A step's panels, all that a step change draws at once: what is in view, and what comes before it is asked for."""

from __future__ import annotations

from typing import Any

from ..views.look import Look
from . import beam_step, step

__all__ = ["panels"]


def panels(look: Look) -> dict[str, dict[str, Any] | None]:
    """The sheets of the step in view, by the name of the part that shows them."""
    if look.node is None:
        return step.panels(look)
    return {"beam_tree": beam_step.words(look), "beam_step": beam_step.tables(look), **step.panels(look)}
