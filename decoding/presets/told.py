"""`Told`: what is to be said of one key of another engine, or of one setting that it cannot be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from decoding.errors import shown
from decoding.words import Words

__all__ = ["KINDS", "Told", "TellKind", "told"]

TellKind = Literal["wrong", "unknown", "missing", "idle", "differs", "aside"]
KINDS: tuple[TellKind, ...] = ("wrong", "unknown", "missing", "idle", "differs", "aside")
"""In the order in which they are told: a value that cannot be used; a key that the engine does not know; no
counterpart; without effect there; a counterpart that means something else; nothing to do with decoding."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that is told.

    Attributes:
        kind: of `KINDS`.
        name: the key, as the engine spells it; of settings that are written, ours.
        value: as Python writes it, cut where it is long: it is a stranger's.
        why: in a sentence.
    """

    kind: TellKind
    name: str
    value: str
    why: Words


def told(kind: TellKind, name: str, value: Any, why: Words) -> Told:
    """The same of any value."""
    name = name if name.strip() else shown(name)
    return Told(kind, name if len(name) <= 60 else name[:59] + "…", shown(value), why)
