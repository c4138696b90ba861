"""`Share`: the page's link, files to open and to keep, larger type, the keys."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Share"]


class Share(Drawn):
    """Keeps the address bar up to date by itself. `data` is the JSON of `app.sheets.share`.

    The event `export` carries `{"kind": …}`, the file asked for, untrusted.
    """

    scripts = ("history.js", "share.js")
    markup = (
        '<div class="dx dx-share"><button type="button" class="dx-plain" data-part="copy"></button>'
        '<button type="button" class="dx-plain" data-part="open"></button>'
        '<details class="dx-menu" data-part="menu"><summary class="dx-plain" data-part="save"></summary>'
        '<div data-part="kinds"></div></details>'
        '<button type="button" class="dx-plain" data-part="large" aria-pressed="false"></button>'
        '<button type="button" class="dx-plain" data-part="keys"></button>'
        '<dialog data-part="dialog"></dialog></div>'
    )
    script = (
        'dx.share(element.firstElementChild, props, watch,'
        ' ((send) => (name, data) => send(data))(dx.addressed(props, (data) => trigger("export", data))));'
    )
