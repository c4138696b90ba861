"""`Draft`: a prompt that was typed and not run before another run came into the form, to bring back."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Draft"]


class Draft(Drawn):
    """`data`: `{"label", "text", "button", "tip"}`, or null to hide it. The event `restore` carries nothing."""

    scripts = ("draft.js",)
    markup = '<div class="dx dx-draft" hidden></div>'
    script = 'dx.draft(element.firstElementChild, props, watch, (data) => trigger("restore", data));'
