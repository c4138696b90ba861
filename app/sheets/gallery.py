"""What the gallery says."""

from __future__ import annotations

import json

from ..gallery.items import GALLERY, gallery_looks, gallery_title
from ..text import Text

__all__ = ["gallery_json"]


def gallery_json(text: Text, opened: str = "") -> str:
    """The gallery's `data`; `opened` is the id of the item in view, which says what to look at."""
    items = [{"id": item.id, "title": gallery_title(item, text)} for item in GALLERY if item.file.exists()]
    if not items:
        return "null"
    current = next((item for item in GALLERY if item.id == opened), None)
    looks = [] if current is None else [*gallery_looks(current, text)[0], " ", *gallery_looks(current, text)[1]]
    return json.dumps(
        {"title": text("gallery.title"), "open": opened, "items": items, "looks": looks}, ensure_ascii=False
    )
