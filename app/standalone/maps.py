"""The maps that a standalone page carries: of the whole run, and of what other settings would have left."""

from __future__ import annotations

from typing import Any

from ..lab import settings_map
from ..sheets import heat_map
from ..views.look import Look
from ..views.settings_map import why_not

__all__ = ["has_settings_map", "heat_columns", "settings_sheet"]

DIGITS = 4  # of what a cell says, more than are shown


def heat_columns(look: Look, place: int) -> dict[str, Any]:
    """All columns of a row's heat map, or of a prompt's beams."""
    while True:
        told = heat_map.columns(look, place, 0)
        if told["whole"]:
            return told


def has_settings_map(look: Look) -> bool:
    """Whether temperature and top_p have a map here that does not take minutes for the whole run."""
    return bool(look.trace.steps) and not why_not(look.trace, look.form.acting, whole=True)


def settings_sheet(look: Look, scope: str) -> dict[str, Any]:
    """The map of settings, of the step in view or of the whole run, as the lab's tab shows it."""
    while True:
        sheet = settings_map.sheet(look, {"scope": scope})
        if sheet["grid"] is None or sheet["whole"]:
            break
    if sheet["grid"] is not None:
        cells = {name: [[round(cell, DIGITS) for cell in line] for line in sheet["grid"][name]] for name in CELLS}
        sheet["grid"] |= cells
    return sheet


CELLS = ("left", "entropy")
