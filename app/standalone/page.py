"""A run as one HTML file that needs nothing else: no network, no server, no model."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from decoding.display import Renderer, set_renderer

from ..components import (
    Answer,
    BeamStep,
    BeamTree,
    Chart,
    Facts,
    Header,
    HeatMap,
    KnobPanel,
    Notes,
    TokenRow,
    WhatIfPanel,
)
from ..components.drawn import as_json, plotly_js
from ..text import Text
from .offline import data_block, packed_plotly, packed_text, policy, script_of, style_of
from .sheets import Contents, contents_of

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["MOST_BYTES", "notebook_html", "standalone_html"]

MOST_BYTES = 5_000_000  # of the steps' sheets, so that the file stays below 8 MB
NOTEBOOK_BYTES = 1_500_000  # in a notebook, which is saved with everything that its cells show
SCRIPTS = (
    "dx", "offline", "panels", "answer", "playing", "token_row", "ahead", "plot_words", "picking", "chart",
    *(name.removesuffix(".js") for name in dict.fromkeys((*BeamTree.scripts, *HeatMap.scripts)) if name != "ahead.js"),
    "beam_step", "knob_controls", "knobs", "lab_settings_map", "arithmetic", "whatif_figure", "whatif", "standalone",
)  # fmt: skip
STYLES = ("page", "answer", "beam", "heat_map", "lab_settings_map", "whatif", "standalone")
WORDS = ("old_browser", "broken", "lost")


def standalone_html(trace: Trace, lang: str = "en", *, most_bytes: int = MOST_BYTES) -> str:
    """The trace as a page of its own, in one file: what it needs is inside, and it cannot reach anything else.

    The same trace always gives the same text; nothing of the machine gets into it, and of folders that the trace
    names only their last part. Token texts, prompts and settings are data in it: its policy runs the page's own
    scripts, by their hash, and no other.

    Args:
        lang: `en` or `zh`; anything else is English.
        most_bytes: that the steps' charts may take; where that is not enough, the page says which it has.
    """
    text = Text(lang)
    contents = contents_of(trace, text.lang, most_bytes)
    script, plotly = script_of(SCRIPTS), plotly_js().read_text(encoding="utf-8")
    words = {name: text(f"standalone.{name}", **({"why": "{why}"} if name != "old_browser" else {})) for name in WORDS}
    return "".join(
        [
            f'<!doctype html>\n<html lang="{text.lang}"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy([script, plotly])}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{html.escape(text('name'))}</title><style>{style_of(STYLES)}</style></head>",
            _body(contents, text),
            data_block("dx-words", words),
            data_block("dx-steps", contents.chunks),
            data_block("dx-maps", contents.maps),
            data_block("dx-base", packed_text(as_json(contents.base)), plain=True),
            data_block("dx-plotly", packed_plotly(), plain=True),
            f"<script>{script}</script></body></html>\n",
        ]
    )


def notebook_html(trace: Trace) -> str:
    """The page in a frame of its own, for a notebook's cell: neither side can touch the other.

    It is ASCII: how a page around it that does not say so is encoded is guessed, and a script that was misread is none
    that the policy names.
    """
    page = standalone_html(trace, most_bytes=NOTEBOOK_BYTES)
    height = 1120 if trace.ledger is not None else 860
    frame = (
        f'<iframe sandbox="allow-scripts allow-downloads" title="{html.escape(Text()("standalone.frame"))}" '
        f'style="width:100%;height:{height}px;border:0;resize:vertical" srcdoc="{html.escape(page)}"></iframe>'
    )
    return frame.encode("ascii", "xmlcharrefreplace").decode("ascii")


# --- the file's parts --------------------------------------------------------------------------------------


def _body(contents: Contents, text: Text) -> str:
    """The page's frame: the components' own markup, without a word of the run."""
    sliders = html.escape(text("standalone.sliders"))
    one_mode = " dx-one-mode" if contents.n_modes < 2 else ""
    knobs = KnobPanel.markup.replace(' onsubmit="return false"', "") if "frame" in contents.base else ""
    whatif = _part("dx-whatif", WhatIfPanel.markup) if knobs else ""
    return "".join(
        [
            f'<body class="dx-standalone{one_mode}">',
            _part("dx-title", Header.markup),
            f'<p id="dx-opening" class="dx" role="status">{html.escape(text("standalone.opening"))}</p>',
            f'<noscript><p class="dx">{html.escape(text("standalone.no_script"))}</p></noscript>',
            f'<main id="dx-main">{_part("dx-facts", Facts.markup)}{_part("dx-answer", Answer.markup)}',
            _part("dx-tokens", TokenRow.markup),
            _part("dx-beam-tree", BeamTree.markup),
            _part("dx-heat-map", HeatMap.markup),
            f'<section class="dx dx-card dx-sliders" aria-label="{sliders}"><h2>{sliders}</h2>'
            f'{_part("dx-sliders", knobs)}</section>{whatif}' if knobs else "",
            f'<div id="dx-charts">{_part("dx-beam-step", BeamStep.markup)}{_part("dx-waterfall", Chart.markup)}',
            f'{_part("dx-cutoff", Chart.markup)}</div><p class="dx dx-hint" id="dx-carried"></p>',
            f'<section class="dx dx-card" id="dx-settings-map" hidden><div class="dx-card-head"><h2>'
            f'{html.escape(text("lab.settings_map"))}</h2></div><div></div></section>',
            _part("dx-notes", Notes.markup),
            f'<p class="dx dx-hint">{html.escape(text("standalone.about"))}</p></main>',
        ]
    )  # fmt: skip


def _part(name: str, markup: str) -> str:
    return f'<div id="{name}">{markup}</div>'


set_renderer(Renderer(page=standalone_html, notebook=notebook_html))  # a trace shows itself with it
