"""Texts: what the studies' models are asked, and what people wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from decoding.errors import DecodingError

__all__ = ["Fact", "Passage", "Texts", "read_texts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a book: its beginning, which is the prompt, and how its author went on."""

    prompt: str
    continuation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A question with one right answer, and the ways of writing it."""

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The texts of all studies.

    Attributes:
        source: where the passages are from.
        passages: of books.
        facts: that can be answered in a word.
    """

    source: str
    passages: tuple[Passage, ...]
    facts: tuple[Fact, ...]

    def first(self, n: int | None) -> Texts:
        """The first n of each kind; all of them if None."""
        return replace(self, passages=self.passages[:n], facts=self.facts[:n])


def read_texts(folder: str | PathLike[str]) -> Texts:
    """The texts in a folder's `passages.json` and `questions.json`.

    Raises:
        DecodingError: they are not there, or something else is.
    """
    try:
        names = ("passages.json", "questions.json")
        books, asked = (json.loads((Path(folder) / name).read_text(encoding="utf-8")) for name in names)
        return Texts(
            source=books["source"],
            passages=tuple(Passage(**passage) for passage in books["passages"]),
            facts=tuple(Fact(question=fact["question"], answers=tuple(fact["answers"])) for fact in asked["facts"]),
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DecodingError(
            "the studies' texts cannot be read: {why}; install the project again", why=str(error)
        ) from error
