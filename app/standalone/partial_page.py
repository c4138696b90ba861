"""A response of another engine as one HTML file that needs nothing else: no network, no server."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from ..partials import Opened, check_size
from ..sheets.partial import response_sheet
from ..text import Text
from .offline import data_block, policy, script_of, style_of

if TYPE_CHECKING:
    from decoding.partial.partial_trace import PartialTrace

__all__ = ["response_html"]

SCRIPTS = ("dx", "offline", "partial_step", "partial_beside", "partial", "partial_page")
STYLES = ("page", "standalone", "partial")
MOST_CHOICES = 20


def response_html(trace: PartialTrace, lang: str = "en") -> str:
    """The response as a page of its own. The same one always gives the same text.

    Token texts and prompts are data in it: its policy runs the page's own scripts, by their hash, and no other.

    Args:
        lang: `en` or `zh`; anything else is English.

    Raises:
        ResponseError: it is larger than a page shows.
    """
    check_size(trace, trace.model or "the response")
    text, script = Text(lang), script_of(SCRIPTS)
    sheets = [
        response_sheet(Opened(number=0, name="", trace=trace, choice=place), text)
        for place in range(min(len(trace.choices), MOST_CHOICES))
    ]
    title, scheme = html.escape(text("partial.page.title")), html.escape(text("scheme"))
    return "".join(
        [
            f'<!doctype html>\n<html lang="{text.lang}"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy([script])}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{title}</title><style>{style_of(STYLES)}</style></head>",
            f'<body class="dx-standalone"><header class="dx dx-header"><h1>{html.escape(text("name"))}</h1>',
            f'<span class="dx-tagline">{html.escape(text("tagline"))}</span>',
            f'<button type="button" class="dx-icon" id="dx-scheme" aria-label="{scheme}">◐</button></header>',
            '<main class="dx dx-partial"><div data-part="response" id="dx-response"></div>',
            f'<p class="dx-hint">{html.escape(text("partial.page.about"))}</p></main>',
            data_block("dx-sheets", sheets),
            f"<script>{script}</script></body></html>\n",
        ]
    )
