"""`Estimate`: a line beside Run that says what the run will take."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Estimate"]


class Estimate(Drawn):
    """`data` is that of `app.sheets.estimate`; the page fills it in as model, prompt and settings change."""

    scripts = ("estimate.js",)
    markup = '<div class="dx dx-estimate"><span data-part="text" tabindex="0"></span></div>'
    script = "dx.estimate(element.firstElementChild, props, watch);"
