"""The page's small panels."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Facts", "Header", "Message", "Notes", "Status", "Verdict"]


class Header(Drawn):
    """Name, tagline, language and colour scheme. The event `language` carries `{"lang": …}`, untrusted."""

    scripts = ("panels.js",)
    markup = (
        '<header class="dx dx-header"><a class="dx-skip" href="#dx-main" data-part="skip"></a>'
        '<h1 data-part="name"></h1><span class="dx-tagline" data-part="tagline"></span>'
        '<div class="dx-tabs" role="group" data-part="languages"></div>'
        '<button type="button" class="dx-icon" data-part="scheme"></button></header>'
    )
    script = 'dx.header(element.firstElementChild, props, watch, (name, data) => trigger("language", data));'


class Status(Drawn):
    """The model's state: which one, on which device, and how far it has come."""

    scripts = ("panels.js",)
    markup = (
        '<div class="dx dx-status"><div data-part="chip" tabindex="0" role="group"><span class="dx-dot"></span>'
        '<span data-part="text" role="status"></span><progress max="1" hidden></progress></div></div>'
    )
    script = "dx.status(element.firstElementChild, props, watch);"


class Message(Drawn):
    """What the person can mend, in words; hidden when there is nothing to say."""

    scripts = ("panels.js",)
    markup = '<div class="dx" role="alert"><div class="dx-message-box" data-part="box" hidden></div></div>'
    script = "dx.message(element.firstElementChild, props, watch);"


class Facts(Drawn):
    """Facts of the run in one line."""

    scripts = ("panels.js",)
    markup = '<div class="dx dx-facts"><dl data-part="list"></dl></div>'
    script = "dx.facts(element.firstElementChild, props, watch);"


class Notes(Drawn):
    """Silent knobs, warnings: lists with a title."""

    scripts = ("panels.js",)
    markup = '<div class="dx dx-notes"><div data-part="sections"></div></div>'
    script = "dx.notes(element.firstElementChild, props, watch);"


class Verdict(Drawn):
    """What `verify` found."""

    scripts = ("panels.js",)
    markup = '<div class="dx" role="status"><div class="dx-verdict-box" data-part="box" hidden></div></div>'
    script = "dx.verdict(element.firstElementChild, props, watch);"
