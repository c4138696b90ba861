"""What the page shows of a session, and what an event carries."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..components import (
    BeamStep,
    BeamTree,
    Chart,
    Facts,
    ForkPanel,
    Gallery,
    Lab,
    Notes,
    RunList,
    TokenRow,
    Verdict,
    WhatIfPanel,
)
from ..session.at import At
from ..session.session import Session

__all__ = ["field", "is_about_the_run_in_view", "run_in_view"]


def run_in_view(session: Session) -> dict[str, Any]:
    """Everything that shows the session's trace."""
    return {
        "token_row": TokenRow(**session.token_row()),
        "beam_tree": BeamTree(**session.beam_tree()),
        "beam_step": BeamStep(data=session.beam_step()),
        "whatif": WhatIfPanel(**session.whatif_panel()),
        "waterfall": Chart(data=session.waterfall()),
        "cutoff": Chart(data=session.cutoff()),
        "lab": Lab(data=session.lab()),
        "fork": ForkPanel(data=session.fork()),
        "runs": RunList(data=session.run_list()),
        "facts": Facts(data=session.facts()),
        "notes": Notes(data=session.notes()),
        "verdict": Verdict(data=session.verdict()),
        "gallery": Gallery(data=session.gallery()),
    }


def is_about_the_run_in_view(session: Session, event: gr.EventData) -> bool:
    """Whether what an event is about fits what is in view; what does not fit is not applied to another run."""
    return session.fits(At.read(field(event, "about")))


def field(event: gr.EventData, name: str) -> Any:
    """A field of event data, which anyone can send: None where it is missing."""
    data = event._data if isinstance(event._data, dict) else {}
    return data.get(name)
