"""`KnobPanel`: the decoding mode and every setting, made from the KNOBS table."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["KnobPanel"]


class KnobPanel(Drawn):
    """`data` describes the controls; `value` is the JSON of what was given: `{"mode": …, "given": {…}}`."""

    scripts = ("knob_controls.js", "knob_passage.js", "knobs.js")
    markup = (
        '<div class="dx dx-knobs"><details data-part="fold" open><summary data-part="brief"></summary>'
        '<form data-part="form" onsubmit="return false"></form></details></div>'
    )
    script = "dx.knobs(element.firstElementChild, props, watch);"
