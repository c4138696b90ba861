"""`TokenRow`: what an encoder read, the prompt and every generated token, a button that chooses its step."""

from __future__ import annotations

from typing import Any

from .drawn import Drawn, as_line

__all__ = ["TokenRow"]


class TokenRow(Drawn):
    """The run as text. `data` frames it (labels, prompt, rows); `lines` holds one JSON line per token.

    `lines` only grows while a run streams, so Gradio sends only what was appended. `value` is the JSON of
    what is in view, `{"row", "step", "measure"}`; the event `step` says that it was changed.
    """

    sent_lines = ("lines",)
    scripts = ("ahead.js", "playing.js", "token_row.js")
    markup = (
        '<section class="dx dx-card dx-token-row">'
        '<div class="dx-card-head"><h2 data-part="title"></h2>'
        '<div class="dx-tabs" role="group" data-part="rows" hidden></div>'
        '<button type="button" class="dx-icon" data-part="play"></button>'
        '<span class="dx-hint" data-part="hint"></span><span class="dx-spacer"></span>'
        '<div class="dx-colours"><span class="dx-hint" data-part="colour" aria-hidden="true"></span>'
        '<div class="dx-tabs" role="group" data-part="measures"></div>'
        '<span class="dx-legend" data-part="legend"></span></div></div>'
        '<div data-part="scroll"><div data-part="source" hidden></div><span data-part="prompt"></span>'
        '<span role="group" data-part="tokens"></span>'
        '<span class="dx-tail" data-part="tail"></span></div></section>'
    )
    script = (
        "dx.tokenRow(element.firstElementChild, props, watch,"
        ' dx.unhurried((name, data) => trigger("step", data)));'
    )

    @staticmethod
    def line(token: dict[str, Any]) -> str:
        """A token's line: those of a run that comes in are written once, and sent again with each update."""
        return as_line(token)
