"""`Gallery`: recorded examples to start from."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Gallery"]


class Gallery(Drawn):
    """`data`: `{"title", "open", "items": [{"id", "title", "text"}]}`. The event `pick` carries an untrusted `id`."""

    scripts = ("gallery.js",)
    markup = (
        '<section class="dx dx-gallery" hidden><h2 data-part="title"></h2>'
        '<div class="dx-tabs" role="group" data-part="items"></div>'
        '<p class="dx-reading" data-part="text" aria-live="polite" hidden></p></section>'
    )
    script = 'dx.gallery(element.firstElementChild, props, watch, dx.numbered((data) => trigger("pick", data)));'
