"""`Presets`: a field to paste another engine's settings into, and what they are here."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Presets"]


class Presets(Drawn):
    """The event `read`, untrusted, carries `{"text", "engine", "defaults"}`.

    `data` and `found` are those of `app.sheets.presets`; `found` is null until something was read. The settings are
    taken over by the page itself, as if they had been set there.
    """

    scripts = ("presets.js",)
    sent_values = ("data", "found")
    markup = (
        '<details class="dx dx-presets"><summary data-part="title"></summary>'
        '<p class="dx-hint" data-part="hint"></p><div data-part="form"></div>'
        '<div data-part="found" aria-live="polite"></div></details>'
    )
    script = (
        'dx.presets(element.firstElementChild, props, watch, dx.numbered((data) => trigger("read", data)));'
    )
