"""The constraint that a run's settings ask for, made for that run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from decoding.constraints.processors import Constraint, GrammarConstraint, JsonSchemaConstraint, RegexConstraint
from decoding.constraints.unenforced import unenforced
from decoding.tokens.token_table import TokenTable
from decoding.words import words

__all__ = ["CONSTRAINT_CLASSES", "constraint_of", "warnings_of"]

CONSTRAINT_CLASSES: dict[str, type[Constraint]] = {
    kind.parameter: kind for kind in (JsonSchemaConstraint, RegexConstraint, GrammarConstraint)
}


def warnings_of(given: Mapping[str, Any]) -> tuple[str, ...]:
    """What a reader must know of the constraint among the parameters given."""
    if given.get("json_schema") is None:
        return ()
    broken = unenforced(json.loads(given["json_schema"]))
    if not broken:
        return ()
    said = "xgrammar does not hold the text to all of json_schema; it may break: {broken}"
    return (words(said, broken=", ".join(broken)),)


def constraint_of(
    given: Mapping[str, Any],
    table: TokenTable,
    ends: int | Sequence[int] | None,
    *,
    num_beams: int | None = None,
    start: int | None = None,
    strict: bool = True,
) -> list[Constraint]:
    """The constraint among the parameters given, as a list of one; of none where none is given.

    Args:
        given: parameters by name, as in `Settings.given`.
        table, ends, num_beams, start, strict: see `Constraint`.

    Raises:
        SettingError: it cannot be used.
    """
    for name, kind in CONSTRAINT_CLASSES.items():
        if given.get(name) is not None:
            ends = [] if ends is None else ends
            return [kind(given[name], table, eos_token_id=ends, num_beams=num_beams or 1, start=start, strict=strict)]
    return []
