"""What the page says, in English and Chinese.

A text is looked up by key. `[[term|shown words]]` in it marks a term of the glossary, which the page
explains on hover and focus. Numbers and parameter names stay as they are in both languages.
"""

from __future__ import annotations

import re
from typing import Any

from app.text.beam_en import BEAM_EN
from app.text.beam_zh import BEAM_ZH
from app.text.compare_en import COMPARE_EN
from app.text.compare_zh import COMPARE_ZH
from app.text.draw_en import DRAW_EN
from app.text.draw_zh import DRAW_ZH
from app.text.en import EN
from app.text.fork_en import FORK_EN
from app.text.fork_zh import FORK_ZH
from app.text.gallery_en import GALLERY_EN
from app.text.gallery_zh import GALLERY_ZH
from app.text.lab_en import LAB_EN
from app.text.lab_zh import LAB_ZH
from app.text.link_en import LINK_EN
from app.text.link_zh import LINK_ZH
from app.text.microscope_en import MICROSCOPE_EN
from app.text.microscope_zh import MICROSCOPE_ZH
from app.text.orders_en import ORDERS_EN
from app.text.orders_zh import ORDERS_ZH
from app.text.share_en import SHARE_EN
from app.text.share_zh import SHARE_ZH
from app.text.standalone_en import STANDALONE_EN
from app.text.standalone_zh import STANDALONE_ZH
from app.text.whatif_en import WHATIF_EN
from app.text.whatif_zh import WHATIF_ZH
from app.text.words_en import WORDS_EN
from app.text.words_zh import WORDS_ZH
from app.text.zh import ZH

__all__ = ["LANGUAGES", "Sentence", "Text", "language_of"]

LANGUAGES = {"en": "EN", "zh": "中文"}
_TABLES = {
    "en": EN | BEAM_EN | FORK_EN | LAB_EN | WHATIF_EN | WORDS_EN | MICROSCOPE_EN | ORDERS_EN | DRAW_EN | COMPARE_EN
    | GALLERY_EN | LINK_EN | SHARE_EN | STANDALONE_EN,
    "zh": ZH | BEAM_ZH | FORK_ZH | LAB_ZH | WHATIF_ZH | WORDS_ZH | MICROSCOPE_ZH | ORDERS_ZH | DRAW_ZH | COMPARE_ZH
    | GALLERY_ZH | LINK_ZH | SHARE_ZH | STANDALONE_ZH,
}
_TERM = re.compile(r"\[\[(\w+)\|([^\]]*)\]\]")

Sentence = list[str | dict[str, str]]
"""Pieces of text in order; a piece with an explanation is `{"text": …, "tip": …}`."""


class Text:
    """The texts of one language: `text("run")`, `text("verify.equal", steps=12)`."""

    def __init__(self, lang: str = "en") -> None:
        self.lang = lang if lang in _TABLES else "en"
        self._table = _TABLES[self.lang]

    def __call__(self, key: str, **fields: Any) -> str:
        """The text of a key as plain words.

        Raises:
            KeyError: there is no such key, or a field that it names is missing.
        """
        template = _TERM.sub(lambda match: match[2], self._table[key])
        return template.format(**fields)

    def has(self, key: str) -> bool:
        """Whether there is a text for the key."""
        return key in self._table

    def or_else(self, key: str, otherwise: str) -> str:
        """The text of a key, or `otherwise` where there is none."""
        return self._table.get(key, otherwise)

    def pieces(self, key: str, **fields: Any) -> Sentence:
        """The text of a key with its terms explained. Fields are put in last: they can't make terms."""
        out: Sentence = []
        end = 0
        template = self._table[key]
        for match in _TERM.finditer(template):
            if match.start() > end:
                out.append(template[end : match.start()].format(**fields))
            out.append({"text": match[2].format(**fields), "tip": self(f"term.{match[1]}")})
            end = match.end()
        if end < len(template):
            out.append(template[end:].format(**fields))
        return out


def language_of(query: str | None, accept: str | None) -> str:
    """`en` or `zh`: what the address asks for (`?lang=`), else what the browser prefers."""
    for wish in (query or "").split(","), (accept or "").split(","):
        for item in wish:
            code = item.split(";")[0].strip().lower()[:2]
            if code in _TABLES:
                return code
    return "en"
