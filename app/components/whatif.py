"""`WhatIfPanel`: the step in view under other settings, drawn as a slider moves."""

from __future__ import annotations

from typing import Any

from .drawn import Drawn, plotly_js

__all__ = ["WhatIfPanel"]


class WhatIfPanel(Drawn):
    """Hidden while the settings panel holds what the run in view was recorded with.

    `data`, `scores` and `answer` are the JSON of `app.sheets.whatif`; `at` says which step is in view. Events, all
    untrusted: `need` (send the step's scores), `ask` (confirm), `onward` (decode on from where the run would have
    gone another way), `again` (decode from the start), each with the settings panel's value as `form`; `settled` (the
    last question has been answered).
    """

    libraries = (plotly_js(),)
    scripts = ("arithmetic.js", "whatif_figure.js", "whatif.js")
    markup = (
        '<section class="dx dx-card dx-whatif" hidden><div class="dx-card-head"><h2 data-part="title"></h2>'
        '<span data-part="changes"></span><span class="dx-chip" data-part="state"></span>'
        '<span class="dx-spacer"></span><span class="dx-if-legend" data-part="legend" aria-hidden="true"></span></div>'
        '<p class="dx-reading" data-part="reading" aria-live="polite"></p>'
        '<div class="dx-if-body"><div class="dx-if-side"><dl data-part="facts"></dl><div class="dx-if-go">'
        '<button type="button" class="dx-plain" data-part="onward" hidden></button>'
        '<button type="button" class="dx-plain" data-part="again"></button>'
        '<button type="button" class="dx-plain" data-part="back"></button></div></div>'
        '<div data-part="scroll" role="group"><div data-part="plot"></div></div></div>'
        '<div data-part="ranks"></div><ul class="dx-if-notes" data-part="notes"></ul></section>'
    )
    # Gradio looks for the events' names in here.
    script = (
        'const events = ["need", "ask", "onward", "again", "settled"];'
        "dx.whatif(element.firstElementChild, props, watch,"
        " (name, data) => events.includes(name) && trigger(name, data));"
    )

    def __init__(
        self,
        value: Any = None,
        *,
        data: str = "null",
        scores: str = "null",
        answer: str = "null",
        at: str = "",
        **props: Any,
    ) -> None:
        super().__init__(value=value, data=data, scores=scores, answer=answer, at=at, **props)
