"""What the page says of the run in view as a whole."""

from __future__ import annotations

from typing import Any

from decoding.recorded.constrained import constrained_stage, log_mass_left

from ..views.facts import constraint_fact, facts_rows, notes_sections
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
    return {"facts": [*facts_rows(look.trace, look.text, **about), *_price(look)]}


def _price(look: Look) -> list[dict[str, str]]:
    """What a constraint cost the row in view; of a run that goes on it is not known yet."""
    if look.growing or constrained_stage(look.trace) is None or not look.trace.steps:
        return []
    if look.trace.ledger is not None:
        price = log_mass_left(look.trace)
        return [] if price is None else [constraint_fact(price, None, look.text)]
    found = [measures.forbidden for measures in look.readings.measures(look.row)]
    if not found or None in found:  # scores that were lost
        return []
    price, n_wanted = sum(f.log_mass_left for f in found), sum(f.wanted_forbidden for f in found)
    return [constraint_fact(price, (n_wanted, len(found)), look.text)]


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
