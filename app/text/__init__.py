"""What the page says, in English and Chinese.

A text is looked up by key. `[[term|shown words]]` in it marks a term of the glossary, which the page
explains on hover and focus. Numbers and parameter names stay as they are in both languages.
"""

from __future__ import annotations

import re
from typing import Any

from decoding.errors import DecodingError
from decoding.recorded.step_number import step_number
from decoding.words import Words

from .en.answer import ANSWER_EN
from .en.beam import BEAM_EN
from .en.candidate import CANDIDATE_EN
from .en.compare import COMPARE_EN
from .en.draw import DRAW_EN
from .en.engine_run import ENGINE_RUN_EN
from .en.estimate import ESTIMATE_EN
from .en.fork import FORK_EN
from .en.frame import EN
from .en.gallery import GALLERY_EN
from .en.heat_map import HEAT_MAP_EN
from .en.in_words import IN_WORDS_EN
from .en.lab import LAB_EN
from .en.lecture import LECTURE_EN
from .en.link import LINK_EN
from .en.microscope import MICROSCOPE_EN
from .en.orders import ORDERS_EN
from .en.partial import PARTIAL_EN
from .en.presets import PRESETS_EN
from .en.refused import REFUSED_EN
from .en.settings_map import SETTINGS_MAP_EN
from .en.share import SHARE_EN
from .en.standalone import STANDALONE_EN
from .en.sweep_report import SWEEP_REPORT_EN
from .en.tour import TOUR_EN
from .en.whatif import WHATIF_EN
from .recalled import Recalled
from .zh.answer import ANSWER_ZH
from .zh.beam import BEAM_ZH
from .zh.candidate import CANDIDATE_ZH
from .zh.compare import COMPARE_ZH
from .zh.draw import DRAW_ZH
from .zh.engine_run import ENGINE_RUN_ZH
from .zh.errors import ERRORS_ZH, WARNINGS_ZH
from .zh.estimate import ESTIMATE_ZH
from .zh.fork import FORK_ZH
from .zh.frame import ZH
from .zh.gallery import GALLERY_ZH
from .zh.heat_map import HEAT_MAP_ZH
from .zh.in_words import IN_WORDS_ZH
from .zh.lab import LAB_ZH
from .zh.lecture import LECTURE_ZH
from .zh.link import LINK_ZH
from .zh.microscope import MICROSCOPE_ZH
from .zh.orders import ORDERS_ZH
from .zh.partial import PARTIAL_ZH
from .zh.presets import PRESETS_ZH
from .zh.refused import REFUSED_ZH
from .zh.settings_map import SETTINGS_MAP_ZH
from .zh.share import SHARE_ZH
from .zh.standalone import STANDALONE_ZH
from .zh.sweep_report import SWEEP_REPORT_ZH
from .zh.tour import TOUR_ZH
from .zh.whatif import WHATIF_ZH

__all__ = ["LANGUAGES", "Sentence", "Text", "language_of"]

LANGUAGES = {"en": "EN", "zh": "中文"}
_TABLES = {
    "en": EN | BEAM_EN | FORK_EN | LAB_EN | WHATIF_EN | IN_WORDS_EN | MICROSCOPE_EN | ORDERS_EN | DRAW_EN | COMPARE_EN
    | SETTINGS_MAP_EN | GALLERY_EN | HEAT_MAP_EN | LINK_EN | SHARE_EN | STANDALONE_EN | ANSWER_EN | ESTIMATE_EN
    | TOUR_EN | CANDIDATE_EN | LECTURE_EN | SWEEP_REPORT_EN | REFUSED_EN
    | ENGINE_RUN_EN | PARTIAL_EN | PRESETS_EN,
    "zh": ZH | BEAM_ZH | FORK_ZH | LAB_ZH | WHATIF_ZH | IN_WORDS_ZH | MICROSCOPE_ZH | ORDERS_ZH | DRAW_ZH | COMPARE_ZH
    | SETTINGS_MAP_ZH | GALLERY_ZH | HEAT_MAP_ZH | LINK_ZH | SHARE_ZH | STANDALONE_ZH | ANSWER_ZH | ESTIMATE_ZH
    | TOUR_ZH | CANDIDATE_ZH | LECTURE_ZH | SWEEP_REPORT_ZH | REFUSED_ZH
    | ENGINE_RUN_ZH | PARTIAL_ZH | PRESETS_ZH,
}
_SAID = {"zh": ERRORS_ZH}  # English is the library's own
_RECALLED = {"zh": Recalled(WARNINGS_ZH)}
_TERM = re.compile(r"\[\[(\w+)\|([^\]]*)\]\]")

Sentence = list[str | dict[str, str]]
"""Pieces of text in order; a piece with an explanation is `{"text": …, "tip": …}`."""


class Text:
    """The texts of one language: `text("run")`, `text("verify.equal", steps=12)`; and how a run's steps are called.

    Args:
        lang: of `LANGUAGES`; anything else is English.
        first_step: steps that came before the first one of the run that is told of, as `Trace.first_step`.
    """

    def __init__(self, lang: str = "en", first_step: int = 0) -> None:
        self.lang = lang if lang in _TABLES else "en"
        self.first_step = first_step
        self._table = _TABLES[self.lang]

    def __call__(self, key: str, **fields: Any) -> str:
        """The text of a key as plain words.

        Raises:
            KeyError: there is no such key, or a field that it names is missing.
        """
        template = _TERM.sub(lambda match: match[2], self._table[key])
        return template.format(**fields)

    def of_run(self, first_step: int) -> Text:
        """The same language, for a run before whose first step so many came."""
        return self if first_step == self.first_step else Text(self.lang, first_step)

    def step(self, index: int) -> int:
        """What people call a step of the run, by its index, which counts from 0."""
        return step_number(index, self.first_step)

    def has(self, key: str) -> bool:
        """Whether there is a text for the key."""
        return key in self._table

    def under(self, prefix: str) -> dict[str, str]:
        """The templates whose keys begin with `prefix`, by the rest of the key: for scripts that fill them in."""
        return {key.removeprefix(prefix): words for key, words in self._table.items() if key.startswith(prefix)}

    def or_else(self, key: str, otherwise: str) -> str:
        """The text of a key, or `otherwise` where there is none."""
        return self._table.get(key, otherwise)

    def said(self, message: str | DecodingError) -> str:
        """What the library says, in this language; as it is, where it quotes others or nobody has translated it."""
        message = message.words if isinstance(message, DecodingError) else message
        template, fields = (message.template, message.fields) if isinstance(message, Words) else (message, {})
        found = _SAID.get(self.lang, {}).get(template)
        if found is None:
            return str(message)
        return found.format(**{name: self.said(value) for name, value in fields.items()}) if fields else found

    def said_before(self, message: str) -> str:
        """What a trace says of itself; of a file's, which is a text alone, the template is looked for."""
        found = None if isinstance(message, Words) or self.lang not in _RECALLED else _RECALLED[self.lang].find(message)
        if found is None:
            return self.said(message)
        template, fields = found
        return _SAID[self.lang][template].format(**{name: self.said(value) for name, value in fields.items()})

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
