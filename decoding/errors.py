"""The one error tree: every failure a caller can mend is a `DecodingError`; anything else is a bug.

Messages name the parameter, the value, the accepted range and the remedy, so that the page can show
them as they are. They are English; each remembers the template that it was made from and what was put in,
so that somebody else can say the same in another language.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, Protocol

from decoding.words import Words, words

__all__ = [
    "DamagedStepError",
    "DecodingError",
    "EngineError",
    "ModelError",
    "NotRecordedError",
    "PresetError",
    "PromptError",
    "RecordingError",
    "ResponseError",
    "SettingError",
    "TraceFileError",
    "VerifyError",
]

class RecordedSoFar(Protocol):
    """What can be done with what an error brings along: it is a `Trace`, which knows this module."""

    @property
    def steps(self) -> Sequence[Any]:
        """Every step that was recorded."""

    def text(self, row: int = 0) -> str:
        """What a row generated."""

    def save(self, path: str | PathLike[str], *, compact: bool = False) -> None:
        """Writes it to a trace file."""


class DecodingError(Exception):
    """A failure that the person at the keyboard can mend; its text is fit to be shown to them.

    `trace` holds what had been recorded when it happened, or None.

    Args:
        message: it, or its template.
        values: what is put into the template; see `words`.
    """

    trace: RecordedSoFar | None = None

    def __init__(self, message: str = "", /, **values: Any) -> None:
        self.words = message if isinstance(message, Words) and not values else words(message, **values)
        super().__init__(self.words)


class SettingError(DecodingError):
    """A decoding parameter has a value that cannot be used.

    Args:
        parameter: its name in `KNOBS`.
        value: what was given.
        accepts: the accepted range in words, e.g. "in (0, 1]".
        remedy: what to do instead.
    """

    def __init__(self, parameter: str, value: Any, accepts: str, remedy: str) -> None:
        super().__init__(
            "{parameter} must be {accepts}, got {value}; {remedy}",
            parameter=parameter, value=shown(value), accepts=accepts, remedy=remedy,
        )  # fmt: skip
        self.parameter = parameter
        self.value = value
        self.accepts = accepts
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """For sending it to another process: exceptions are made again from what they were made from."""
        return type(self), (self.parameter, self.value, self.accepts, self.remedy), self.__dict__


def shown(value: Any) -> str:
    """The value as Python writes it, cut where it is long: it may come from a hostile file."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; lists in lists in lists …
        return f"something of type {type(value).__name__}"
    return text if len(text) <= 200 else text[:200] + "…"


class PromptError(DecodingError):
    """The prompt is empty, too long for the model, or of a shape the model cannot take."""


class PresetError(DecodingError):
    """What was pasted as another engine's settings cannot be read, or none of it can be written for that engine."""


class ModelError(DecodingError):
    """A model could not be found, opened, or is not one that generates text."""


class EngineError(DecodingError):
    """Another engine is not here, is of a version that was not tried, or cannot do what was asked of it."""


class RecordingError(DecodingError):
    """A run broke off; `trace` holds every step up to there."""


class NotRecordedError(DecodingError):
    """What was asked for is not in this trace."""


class TraceFileError(DecodingError):
    """A trace file is damaged, hostile, or newer than this program."""


class DamagedStepError(TraceFileError, NotRecordedError):
    """A step of a trace file cannot be read; the others can. Whoever shows the run passes it over, as a lost one."""


class ResponseError(DecodingError):
    """A response of another engine cannot be read: it is damaged, hostile, or of a form that is not known."""


class VerifyError(DecodingError):
    """A trace lacks what is needed to run it again."""
