"""The template that a message was made from, found again by its text: a file holds the text alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from string import Formatter

__all__ = ["Recalled"]


class Recalled:
    """Finds templates by the texts that were made of them.

    A text fits a template that it begins and ends as, with all that stands between fields in order; each field is as
    short as it can be. No pattern is tried twice, so a stranger's text cannot make it slow.

    Args:
        templates: of the messages that a file may hold.
    """

    def __init__(self, templates: Iterable[str]) -> None:
        self._known = [(template, *_parted(template)) for template in templates]

    def find(self, text: str) -> tuple[str, Mapping[str, str]] | None:
        """The template of a text and the fields in it; None where it fits none."""
        for template, literals, names in self._known:
            values = _between(literals, text)
            if values is not None:
                return template, dict(zip(names, values, strict=True))
        return None


def _parted(template: str) -> tuple[list[str], list[str]]:
    """What stands before, between and after its fields, and their names."""
    literals, names = [""], []
    for literal, name, _, _ in Formatter().parse(template):
        literals[-1] += literal
        if name is not None:
            names.append(name)
            literals.append("")
    return literals, names


def _between(literals: list[str], text: str) -> list[str] | None:
    """What the text has between the literals; None where it has not all of them in order, or nothing between two."""
    if len(literals) == 1:
        return [] if text == literals[0] else None
    first, *middle, last = literals
    if not text.startswith(first) or not text.endswith(last):
        return None
    values, at, end = [], len(first), len(text) - len(last)
    for literal in middle:
        found = text.find(literal, at + 1, end)
        if found < 0:
            return None
        values.append(text[at:found])
        at = found + len(literal)
    return [*values, text[at:end]] if at < end else None
