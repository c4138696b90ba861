"""`CandidateCard`: another token at the step in view, its facts, and decoding on from it."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["CandidateCard"]


class CandidateCard(Drawn):
    """A line to choose a token or type a word, and the card of the one asked about.

    Events, untrusted: `pick` carries `{"token_id": …}`, or null to close the card, `word` carries `{"word": …}`, `take`
    (decode on from it) `{"token_id": …}`; each with what the card is `about`. It asks, too, for what the page's event
    `dx-candidate` names: a token that was clicked in a chart.

    `data` is that of `app.sheets.candidate`, or null to hide it.
    """

    scripts = ("ahead.js", "candidate.js")
    markup = (
        '<section class="dx dx-candidate" hidden><div class="dx-candidate-line">'
        '<label data-part="label"></label><select data-part="tokens"></select>'
        '<button type="button" class="dx-plain dx-take" data-part="go"></button>'
        '<form data-part="form"><label data-part="word_label"></label><input data-part="word" type="text" '
        'autocomplete="off" autocapitalize="off" spellcheck="false"><button class="dx-plain" data-part="look"></button>'
        '</form></div><p class="dx-hint" data-part="none" role="status"></p>'
        '<div class="dx-card dx-candidate-card" data-part="card" tabindex="-1" hidden></div></section>'
    )
    # Gradio looks for the events' names in here.
    script = (
        'const events = ["pick", "word", "take"];'
        "dx.candidate(element.firstElementChild, props, watch, (name, data) => events.includes(name) &&"
        " trigger(name, { ...data, turn: dx.nextTurn() }));"
    )
