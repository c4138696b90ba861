"""`Reload`: what the tab keeps so that a reload brings its runs back, and those that have to be asked for again."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Reload"]


class Reload(Drawn):
    """`data` is `app.sheets.reload`'s; its `kept` goes into the tab's own storage, and is shown by no other page.

    The event `forget` carries nothing. Choosing a run is the list of runs' event `pick`.
    """

    scripts = ("history.js", "reload.js")
    markup = (
        '<div class="dx dx-reload" hidden><span data-part="label"></span> <ul data-part="runs"></ul>'
        '<button type="button" class="dx-link" data-part="forget"></button></div>'
    )
    script = 'dx.reload(element.firstElementChild, props, watch, (data) => trigger("forget", data));'
