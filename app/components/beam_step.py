"""`BeamStep`: ledger, pool and sum of the beam step in view."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["BeamStep"]


class BeamStep(Drawn):
    """`data` is the JSON of `app.sheets.beam_step`. The event `table` carries `{"tab", "place"}`, untrusted.

    A click on a row's button reaches the tree in the page itself; the tree then tells Python.
    """

    scripts = ("ahead.js", "beam_step.js")
    markup = (
        '<section class="dx dx-card dx-beam-step" hidden><div class="dx-card-head">'
        '<div class="dx-tabs" role="group" data-part="tabs"></div></div>'
        '<div class="dx-table-box" data-part="table" tabindex="0"></div></section>'
    )
    script = (
        'const send = dx.numbered(dx.addressed(props, (data) => trigger("table", data)));'
        "dx.beamStep(element.firstElementChild, props, watch, (name, data) => send(data));"
    )
