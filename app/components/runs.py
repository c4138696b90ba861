"""`RunList`: the runs beside each other."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["RunList"]


class RunList(Drawn):
    """The last runs as text, with what tells each apart.

    Events, untrusted: `pick`, `rename` and `remove` carry `{"number": …}`, `rename` a `name`, too. Back and Forward of
    the browser pick, too, and may lead to a run that is gone.

    `data`: `{"title", "hint", "longest", "runs": [{"number", "active", "label", "name", "words", "detail", "tip",
    "shared", "forked", "fresh", "more"}]}`; hidden with a single run.
    """

    scripts = ("runs.js",)
    markup = (
        '<section class="dx dx-card dx-runs" hidden><div class="dx-card-head"><h2 data-part="title"></h2>'
        '<span class="dx-hint" data-part="hint"></span></div><ol data-part="runs"></ol></section>'
    )
    # Gradio looks for the events' names in here.
    script = (
        'const events = ["pick", "rename", "remove"];'
        "dx.runs(element.firstElementChild, props, watch, (name, data) =>"
        " events.includes(name) && trigger(name, { ...data, turn: dx.nextTurn() }));"
    )
