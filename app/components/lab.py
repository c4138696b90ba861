"""`Lab`: what can be done with the step in view, in tabs."""

from __future__ import annotations

from .drawn import Drawn, plotly_js

__all__ = ["Lab"]


class Lab(Drawn):
    """`data` is `app.lab.tabs.lab`; the event `ask` carries `{"tab": …, …}`, untrusted.

    A tab is drawn by its own script: `dx.labTabs[tab](body, sheet, ask)`, where `ask({…})` is a wish within the tab.
    """

    libraries = (plotly_js(),)
    scripts = (
        "lab.js", "lab_in_words.js", "lab_microscope.js", "lab_orders.js", "lab_draw.js",
        "lab_settings_map.js", "lab_compare.js", "lab_code.js",
    )  # fmt: skip
    markup = (
        '<section class="dx dx-card dx-lab" hidden><div class="dx-card-head"><h2 data-part="title"></h2>'
        '<div class="dx-tabs" role="group" data-part="tabs"></div></div><div data-part="body"></div></section>'
    )
    script = (
        'dx.lab(element.firstElementChild, props, watch, dx.numbered(dx.addressed(props,'
        ' (data) => trigger("ask", data))));'
    )
