"""The page's own components: Gradio `HTML` subclasses whose markup never changes.

Each has a constant template, sends its data as one JSON string and draws it with the function of
`assets/js/` named in `js_on_load`, which builds DOM nodes with `textContent`. Text of any origin (tokens,
prompts, messages) goes through that string only, never through a template: Gradio evaluates templates as
JavaScript.
"""

from __future__ import annotations

from .ahead import Ahead
from .answer import Answer
from .beam_step import BeamStep
from .beam_tree import BeamTree
from .candidate import CandidateCard
from .chart import Chart
from .draft import Draft
from .estimate import Estimate
from .gallery import Gallery
from .heat_map import HeatMap
from .knob_panel import KnobPanel
from .lab import Lab
from .lecture import Lecture
from .panels import Facts, Header, Message, Notes, Status, Verdict
from .partial import Partial
from .presets import Presets
from .reload import Reload
from .runs import RunList
from .share import Share
from .token_row import TokenRow
from .tour import Tour
from .whatif import WhatIfPanel

__all__ = [
    "Ahead", "Answer", "BeamStep", "BeamTree", "CandidateCard", "Chart", "Draft", "Estimate", "Facts", "Gallery",
    "Header", "HeatMap", "KnobPanel", "Lab", "Lecture", "Message", "Notes", "Partial", "Presets", "Reload", "RunList",
    "Share",
    "Status", "TokenRow", "Tour", "Verdict", "WhatIfPanel",
]  # fmt: skip
