"""`Answer`: what the run came to, as plain text: prompt and answers, to read and to copy."""

from __future__ import annotations

from typing import Any

from .drawn import Drawn, as_line

__all__ = ["Answer"]


class Answer(Drawn):
    """`data`: labels, prompts and answers. `lines` holds a line per piece of text that came while a run streams.

    A line is `{"row", "keep", "text"}`: of what the row says so far, `keep` characters stay, and `text` follows. They
    only grow, so Gradio sends what was appended.
    """

    sent_lines = ("lines",)
    scripts = ("answer.js",)
    markup = (
        '<section class="dx dx-card dx-answer" hidden>'
        '<h2 data-part="title"></h2><div class="dx-answer-tools">'
        '<button type="button" class="dx-link" data-part="copy"></button>'
        '<button type="button" class="dx-link" data-part="copy-all"></button></div>'
        '<div data-part="body" class="dx-answer-body" tabindex="0" role="group"></div>'
        '<button type="button" class="dx-link" data-part="fold" hidden></button></section>'
    )
    script = "dx.answer(element.firstElementChild, props, watch);"

    @staticmethod
    def line(piece: dict[str, Any]) -> str:
        """A piece's line: written once, and sent again with each update."""
        return as_line(piece)
