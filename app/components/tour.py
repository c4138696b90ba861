"""`Tour`: three callouts on the first visit, gone with any key or click, and again when they are asked for."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Tour"]


class Tour(Drawn):
    """`data` is that of `app.sheets.tour`. `dx-tour` on the document shows the callouts again."""

    scripts = ("tour.js",)
    markup = '<div class="dx" hidden></div>'
    script = "dx.tour(element.firstElementChild, props, watch);"
