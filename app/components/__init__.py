"""The page's own components: Gradio `HTML` subclasses whose markup never changes.

Each has a constant template, takes its data as one JSON string and draws it with the function of
`assets/js/` named in `js_on_load`, which builds DOM nodes with `textContent`. Text of any origin (tokens,
prompts, messages) goes through that string only, never through a template: Gradio evaluates templates as
JavaScript.
"""

from __future__ import annotations

from app.components.beam_step import BeamStep
from app.components.beam_tree import BeamTree
from app.components.chart import Chart
from app.components.draft import Draft
from app.components.forks import ForkPanel, RunList
from app.components.gallery import Gallery
from app.components.knob_panel import KnobPanel
from app.components.lab import Lab
from app.components.panels import Facts, Header, Message, Notes, Status, Verdict
from app.components.share import Share
from app.components.token_row import TokenRow
from app.components.whatif import WhatIfPanel

__all__ = [
    "BeamStep", "BeamTree", "Chart", "Draft", "Facts", "ForkPanel", "Gallery", "Header", "KnobPanel", "Lab", "Message",
    "Notes", "RunList", "Share", "Status", "TokenRow", "Verdict", "WhatIfPanel",
]  # fmt: skip
