"""Studies: published observations on decoding, made again on a small model, with claims written down before the run.

A study (`study`) says what is recorded and what has to be found; `conduct` records and judges it, `told` tells it as
JSON. The four studies have a file each.
"""

from __future__ import annotations

from decoding.errors import SettingError
from decoding.studies.conduct import Batch, Outcome, conduct
from decoding.studies.degeneration import DEGENERATION
from decoding.studies.length_bias import LENGTH_BIAS
from decoding.studies.min_p import MIN_P
from decoding.studies.nucleus import NUCLEUS
from decoding.studies.study import Study
from decoding.studies.texts import Texts, read_texts
from decoding.studies.told import as_told, outcome_told
from decoding.words import words

__all__ = [
    "STUDIES", "Batch", "Outcome", "Study", "Texts", "as_told", "conduct", "outcome_told", "read_texts", "study_named",
]  # fmt: skip

STUDIES: dict[str, Study] = {study.name: study for study in (DEGENERATION, LENGTH_BIAS, NUCLEUS, MIN_P)}
"""All studies, by name, in the order in which to offer them."""


def study_named(name: str) -> Study:
    """The study with this name.

    Raises:
        SettingError: there is none.
    """
    if name not in STUDIES:
        remedy = "see decoding-explorer study --list"
        raise SettingError("study", name, words("one of {names}", names=", ".join(STUDIES)), remedy)
    return STUDIES[name]
