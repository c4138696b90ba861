"""What the page says of the run in view as a whole."""

from __future__ import annotations

from typing import Any

from ..views.facts import facts_rows, notes_sections
from ..views.look import Look
from ..views.runs import run_lines
from .runs import runs_sheet
from .verdict import verdict_sheet

__all__ = ["facts", "notes", "runs", "verdict"]

Json = dict[str, Any]


def facts(look: Look) -> Json:
    """The run's facts."""
    run = look.run
    about = {} if run is None else {"origin": run.origin, "recorded_at": run.recorded_at}
    return {"facts": facts_rows(look.trace, look.text, **about)}


def notes(look: Look) -> Json | None:
    """Stages, silent knobs and warnings; of a run that goes on they are not known yet."""
    return None if look.growing else {"sections": notes_sections(look.trace, look.text)}


def runs(look: Look) -> Json:
    """The runs beside each other."""
    return runs_sheet(run_lines(look.runs), look.text)


def verdict(look: Look) -> Json | None:
    """What Verify found; None where it was not asked."""
    found = None if look.run is None else look.run.verdict
    return None if found is None else verdict_sheet(found, look.text)
