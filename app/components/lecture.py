"""`Lecture`: one chart on the whole screen, the step told stage by stage."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Lecture"]


class Lecture(Drawn):
    """The button that starts lecture mode, and the bar below the chart in it; `data` is that of `app.sheets.lecture`,
    or null where there is no step. It moves the page by its own events, and needs none of Python's."""

    scripts = ("ahead.js", "playing.js", "lecture_figure.js", "lecture_keys.js", "lecture.js")
    markup = (
        '<div class="dx dx-lecture"><button type="button" class="dx-plain dx-lecture-open" data-part="open"></button>'
        '<section class="dx-lecture-bar" data-part="bar" tabindex="-1" hidden>'
        '<div class="dx-lecture-head"><p class="dx-lecture-text"><span><span data-part="before"></span>'
        '<mark data-part="token"></mark></span></p><div class="dx-tabs" role="group" data-part="charts"></div>'
        '<details class="dx-lecture-keys"><summary data-part="summary"></summary><dl data-part="keys"></dl></details>'
        '<button type="button" class="dx-plain" data-part="close"></button></div>'
        '<p class="dx-lecture-sentence" data-part="sentence" aria-live="polite"></p>'
        '<div class="dx-lecture-tools"><div class="dx-lecture-stages" role="group" data-part="stages"></div>'
        '<span class="dx-spacer"></span><span data-part="at"></span><div role="group" data-part="steps"></div>'
        '<button type="button" class="dx-plain" data-part="predict"></button></div></section></div>'
    )
    script = "dx.lecture(element.firstElementChild, props, watch);"
