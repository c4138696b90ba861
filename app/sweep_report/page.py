"""The report of a sweep as one HTML file that needs nothing else: no network, no server, no model."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from ..components.drawn import as_json, plotly_js
from ..standalone.offline import data_block, packed_plotly, packed_text, policy, script_of, style_of
from ..text import Text
from .contents import contents_of

if TYPE_CHECKING:
    from decoding.sweeps.summary import Summary

__all__ = ["report_html"]

SCRIPTS = ("dx", "offline", "plot_words", "chart", "sweep_figures", "sweep_words", "sweep_report")
STYLES = ("page", "standalone", "sweep_report")
CHART = (
    '<section class="dx dx-card dx-chart" id="{id}"><h2 data-part="title"></h2>'
    '<p data-part="reading" class="dx-reading"></p><div data-part="scroll"><div data-part="plot"></div></div>'
    "<details><summary>{table}</summary>"
    '<div data-part="table" class="dx-table-box" tabindex="0" role="region" aria-label="{table}"></div>'
    "</details></section>"
)  # fmt: skip


def report_html(summary: Summary, lang: str = "en") -> str:
    """A sweep as a page of its own, in one file.

    It belongs beside the sweep's table: its links lead to the traces from there. The same sweep always gives the same
    text. Prompts and texts are data in it: its policy runs the page's own scripts, by their hash, and no other. It has
    statistics of each setting and the texts of some runs, so that it stays small however many there are; it says which.

    Args:
        lang: `en` or `zh`; anything else is English.
    """
    text = Text(lang)
    script, plotly = script_of(SCRIPTS), plotly_js().read_text(encoding="utf-8")
    return "".join(
        [
            f'<!doctype html>\n<html lang="{text.lang}"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy([script, plotly])}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{html.escape(text('sweep.title'))}</title><style>{style_of(STYLES)}</style></head>",
            _body(text),
            data_block("dx-words", text.under("sweep.")),
            data_block("dx-broken", text.under("standalone.")),
            data_block("dx-base", packed_text(as_json(contents_of(summary, text))), plain=True),
            data_block("dx-plotly", packed_plotly(), plain=True),
            f"<script>{script}</script></body></html>\n",
        ]
    )


def _body(text: Text) -> str:
    """The page's frame, without a word of the sweep."""

    def words(key: str) -> str:
        return html.escape(text(key))

    table = words("sweep.table")
    return "".join(
        [
            '<body class="dx-standalone dx-sweep">',
            f'<header class="dx"><h1>{words("sweep.title")}</h1></header>',
            f'<p id="dx-opening" class="dx" role="status">{words("standalone.opening")}</p>',
            f'<noscript><p class="dx">{words("standalone.no_script")}</p></noscript><main id="dx-main">',
            '<p class="dx" id="dx-lead"></p>',
            f'<form class="dx dx-card" id="dx-choices" aria-label="{words("sweep.choices")}"></form>',
            CHART.format(id="dx-map", table=table),
            '<section class="dx dx-card" id="dx-runs" tabindex="-1"><h2 data-part="title"></h2>'
            '<p data-part="reading"></p><ol data-part="list"></ol></section>',
            CHART.format(id="dx-curve", table=table),
            '<section class="dx dx-card" id="dx-failures"><h2 data-part="title"></h2><p data-part="reading"></p>'
            '<div data-part="table" class="dx-table-box" tabindex="0" role="region" '
            f'aria-label="{words("sweep.failures")}"></div></section>',
            f'<section class="dx dx-card"><h2>{words("sweep.depends_title")}</h2><p id="dx-depends"></p></section>',
            f'<p class="dx dx-hint">{words("standalone.about")}</p></main>',
        ]
    )  # fmt: skip
