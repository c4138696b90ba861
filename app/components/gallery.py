"""`Gallery`: recorded examples to start from."""

from __future__ import annotations

from .drawn import Drawn

__all__ = ["Gallery"]


class Gallery(Drawn):
    """`data`: `{"title", "intro", "open", "items": [{"id", "title", "tip"}], "looks", "studies_title", "studies"}`.

    Of `studies` each is `{"title", "tip", "href"}`, a page of its own.

    The event `pick` carries an untrusted `id`.
    """

    scripts = ("gallery.js",)
    markup = (
        '<section class="dx dx-gallery" hidden><div class="dx-intro" data-part="intro"></div>'
        '<details data-part="menu"><summary><h2 data-part="title"></h2></summary>'
        '<div class="dx-questions" role="group" data-part="items"></div>'
        '<details class="dx-menu dx-studies" data-part="studies_menu"><summary data-part="studies_title"></summary>'
        '<div role="group" data-part="studies"></div></details></details>'
        '<p class="dx-reading" data-part="text" aria-live="polite" hidden></p></section>'
    )
    script = 'dx.gallery(element.firstElementChild, props, watch, dx.numbered((data) => trigger("pick", data)));'
