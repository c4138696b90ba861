"""`HeatMap`: the whole run at a glance, under the token row."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["HeatMap"]


class HeatMap(Drawn):
    """`data` frames it (`app.sheets.heat_map`); without data it hides itself.

    When the page has been painted the script asks for the columns with the event `more`, untrusted, until it has all:
    `columns` are those asked for last.
    """

    sent_values = ("data", "columns")
    scripts = ("picture.js", "heat_window.js", "heat_drawing.js", "heat_words.js", "heat_map.js")
    markup = (
        '<section class="dx dx-card dx-heat" hidden><div class="dx-card-head"><h2 data-part="title"></h2>'
        '<span class="dx-heat-legend" data-part="legend" aria-hidden="true"></span><span class="dx-spacer"></span>'
        '<div class="dx-tools" role="group" data-part="tools"></div></div>'
        '<p class="dx-reading" data-part="reading"></p>'
        '<div data-part="scroll" role="group" tabindex="0"><canvas data-part="map" aria-hidden="true"></canvas>'
        '<canvas data-part="overview" aria-hidden="true"></canvas><div data-part="tip" hidden></div></div>'
        '<p class="dx-sr" data-part="said" aria-live="polite"></p>'
        '<details><summary data-part="summary"></summary>'
        '<div class="dx-table-box" data-part="table" tabindex="0"></div></details>'
        '<span class="dx-images" data-part="images"></span></section>'
    )
    script = 'dx.heatMap(element.firstElementChild, props, watch, dx.numbered((data) => trigger("more", data)));'
