"""What the gallery says."""

from __future__ import annotations

from typing import Any

from ..gallery.items import GALLERY, gallery_looks, gallery_question, gallery_title
from ..gallery.recorded_studies import RECORDED_STUDIES, study_url
from ..text import Text

__all__ = ["gallery_sheet"]


def gallery_sheet(text: Text, opened: str = "") -> dict[str, Any] | None:
    """The gallery's `data`; `opened` is the id of the item in view, which says what to look at."""
    items = [
        {"id": item.id, "title": gallery_question(item, text), "tip": gallery_title(item, text)}
        for item in GALLERY if item.file.exists()
    ]  # fmt: skip
    if not items:
        return None
    current = next((item for item in GALLERY if item.id == opened), None)
    looks = [] if current is None else [*gallery_looks(current, text)[0], " ", *gallery_looks(current, text)[1]]
    intro = text.pieces("page.what")
    studies = [
        {"title": text(f"gallery.study.{name}"), "tip": text("gallery.studies.tip"), "href": study_url(name)}
        for name in RECORDED_STUDIES
    ]
    return {
        "title": text("gallery.title"), "intro": intro, "open": opened, "items": items, "looks": looks,
        "studies_title": text("gallery.studies"), "studies": studies,
    }  # fmt: skip
