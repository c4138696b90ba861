"""`Chart`: a figure with its title, its sentence in words and its table."""

from __future__ import annotations

from .drawn import Drawn, plotly_js

__all__ = ["Chart"]


class Chart(Drawn):
    """One card: title, tabs (if the chart has several sheets), reading, plot, table.

    `data` is that of a `Sheet`. The event `tab` tells which sheet was asked for:
    `{"tab": id}`, untrusted like all event data. A row that is a token's can be asked about, by pointer, arrow keys or
    in the table: the page's event `dx-candidate` says which; of a chart over steps `dx-go` the step. Without data the
    card is hidden.
    """

    libraries = (plotly_js(),)
    scripts = ("ahead.js", "plot_words.js", "picking.js", "chart.js")
    markup = (
        '<section class="dx dx-card dx-chart">'
        '<div class="dx-card-head"><h2 data-part="title"></h2>'
        '<div class="dx-tabs" role="group" data-part="tabs" hidden></div></div>'
        '<p class="dx-reading" data-part="reading" aria-live="polite"></p>'
        '<div data-part="scroll" role="group" tabindex="0"><div data-part="plot"></div></div>'
        '<details><summary data-part="summary"></summary><div class="dx-table-box" data-part="table" tabindex="0">'
        '</div></details><span class="dx-images" data-part="images"></span></section>'
    )
    script = (
        'dx.chart(element.firstElementChild, props, watch, dx.numbered(dx.addressed(props,'
        ' (data) => trigger("tab", data))));'
    )
