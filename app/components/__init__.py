"""The page's own components: Gradio `HTML` subclasses whose markup never changes.

Each has a constant template, sends its data as one JSON string and draws it with the function of
`assets/js/` named in `js_on_load`, which builds DOM nodes with `textContent`. Text of any origin (tokens,
prompts, messages) goes through that string only, never through a template: Gradio evaluates templates as
JavaScript.
"""

from __future__ import annotations

from .ahead import Ahead
from .beam_step import BeamStep
from .beam_tree import BeamTree
from .chart import Chart
from .draft import Draft
from .forks import ForkPanel, RunList
from .gallery import Gallery
from .knob_panel import KnobPanel
from .lab import Lab
from .panels import Facts, Header, Message, Notes, Status, Verdict
from .share import Share
from .token_row import TokenRow
from .whatif import WhatIfPanel

__all__ = [
    "Ahead", "BeamStep", "BeamTree", "Chart", "Draft", "Facts", "ForkPanel", "Gallery", "Header", "KnobPanel", "Lab",
    "Message", "Notes", "RunList", "Share", "Status", "TokenRow", "Verdict", "WhatIfPanel",
]  # fmt: skip
