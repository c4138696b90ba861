"""`Partial`: responses of other engines: where one is pasted, which are open, and the one in view."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Partial"]


class Partial(Drawn):
    """`data` is the JSON of `app.sheets.partial`; where it has a response, the page's other panels make room for it.

    What is pasted goes the way of a file that is opened: through the page's upload, which is bounded.

    Events, untrusted: `look` carries `{"number", "choice", "against"}`, `leave` nothing, `close` `{"number"}`, `export`
    `{"number", "choice", "kind"}`.
    """

    scripts = ("partial_step.js", "partial_beside.js", "partial.js")
    markup = (
        '<section class="dx dx-partial" data-part="panel"><details class="dx-partial-paste" data-part="paste">'
        '<summary data-part="open"></summary><p class="dx-hint" data-part="hint"></p>'
        '<textarea rows="6" spellcheck="false" autocomplete="off" data-part="text"></textarea>'
        '<div><button type="button" class="dx-plain" data-part="read"></button></div></details>'
        '<div class="dx-tabs" role="group" data-part="list" hidden></div>'
        '<div data-part="response" hidden></div></section>'
    )
    # Gradio looks for the events' names in here.
    script = (
        'const events = ["look", "leave", "close", "export"];'
        "dx.partial(element.firstElementChild, props, watch, (name, data) =>"
        " events.includes(name) && trigger(name, { ...data, turn: dx.nextTurn() }));"
    )
