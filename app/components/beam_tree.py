"""`BeamTree`: every candidate of every step of a beam run, to walk through."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["BeamTree"]


class BeamTree(Drawn):
    """`data` is the topology (`app.sheets.beam_tree`), sent once; `words` says what the node in view comes to.

    `value` is the JSON of the node in view, `{"prompt", "step", "rank"}`; the event `node` says that it was
    changed. Without data the component hides itself.
    """

    sent_values = ("data", "words")
    scripts = (
        "ahead.js", "picture.js",
        *(
            f"beam_{name}.js"
            for name in (
                "layout", "state", "window", "words", "labels", "figure", "picture", "drawing", "overview", "search",
                "path", "keys", "pointer", "tree",
            )
        ),
    )  # fmt: skip
    markup = (
        '<section class="dx dx-card dx-beam-tree" hidden>'
        '<div class="dx-card-head"><h2 data-part="title"></h2>'
        '<div class="dx-tabs" role="group" data-part="prompts" hidden></div>'
        '<div class="dx-steps" role="group" data-part="steps"></div><span class="dx-spacer"></span>'
        '<div class="dx-tools" role="group" data-part="tools"></div></div>'
        '<p class="dx-beam-reading" aria-live="polite"><span data-part="reading"></span> '
        '<span data-part="node"></span></p>'
        '<div class="dx-beam-path"><div class="dx-tabs" role="group" data-part="paths" hidden></div>'
        '<div class="dx-beam-words" role="group" data-part="words"></div></div>'
        '<div class="dx-overview" data-part="overview" hidden><canvas aria-hidden="true"></canvas>'
        '<div data-part="window" role="slider" tabindex="0"></div></div>'
        '<div data-part="scroll" role="group" tabindex="0"><div data-part="plot"></div>'
        '<div data-part="veil" hidden></div><div data-part="tip" hidden></div></div>'
        '<div class="dx-beam-foot"><span data-part="legend"></span><span class="dx-spacer"></span>'
        '<span class="dx-hint" data-part="count"></span></div></section>'
    )
    script = (
        "dx.beamTree(element.firstElementChild, props, watch,"
        ' dx.unhurried((name, data) => trigger("node", data)));'
    )
