"""Messages that remember the template that they were made from: somebody else can say them in another language."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from types import MappingProxyType
from typing import Any

__all__ = ["Words", "words"]

_FORMATTER = Formatter()


class Words(str):
    """A message: a string that knows its parts.

    Attributes:
        template: it, with names in braces where values were put in.
        fields: these by name, as they were written; `Words` again where a value had parts of its own.
    """

    template: str = ""
    fields: Mapping[str, str] = MappingProxyType({})


def words(template: str, /, **values: Any) -> Words:
    """The template with the values put in, as `str.format` does; without values, the template as it is."""
    fields: dict[str, str] = {}
    text = ""
    for literal, name, spec, conversion in _FORMATTER.parse(template) if values else [(template, None, None, None)]:
        text += literal
        if name is not None:
            fields[name] = _written(values[name], spec or "", conversion)
            text += fields[name]
    made = Words(text)
    made.template, made.fields = template, fields
    return made


def _written(value: Any, spec: str, conversion: str | None) -> str:
    value = getattr(value, "words", value)  # of an error
    if isinstance(value, Words) and not spec and not conversion:
        return value
    return format(_FORMATTER.convert_field(value, conversion), spec) if conversion else format(value, spec)
