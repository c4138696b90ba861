"""FORMATS: what a trace can be exported as, by the file's suffix."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from decoding.display import GET_THE_PAGE
from decoding.errors import DecodingError

from .export.styles import STYLES

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["FORMATS", "STYLES", "TABLES", "Choices", "export", "write_whole", "writer_of"]

TABLES = ("steps", "tokens", "ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What can be chosen of an export.

    Attributes:
        n_head: of JSON and the table of tokens: how many of the likeliest tokens each row has at each step.
        table: of CSV, one of `TABLES`; None for the ledger of a beam run and the steps of any other.
        style: of code, one of `STYLES`.
        lang: of a page: `en` or `zh`.
    """

    n_head: int = 20
    table: str | None = None
    style: str = "generate"
    lang: str = "en"


Writer = Callable[["Trace", TextIO, Choices], None]


def _json(trace: Trace, file: TextIO, choices: Choices) -> None:
    from .export.trace_json import write_json

    write_json(trace, file, n_head=choices.n_head)


def _csv(trace: Trace, file: TextIO, choices: Choices) -> None:
    from .export import trace_csv

    table = choices.table or ("steps" if trace.ledger is None else "ledger")
    if table == "tokens":
        trace_csv.write_tokens_csv(trace, file, n_head=choices.n_head)
    else:
        {"steps": trace_csv.write_steps_csv, "ledger": trace_csv.write_ledger_csv}[table](trace, file)


def _graphml(trace: Trace, file: TextIO, choices: Choices) -> None:
    from decoding.reading.beam_tree import to_graphml

    file.write(to_graphml(trace.tree()))


def _py(trace: Trace, file: TextIO, choices: Choices) -> None:
    from .export.snippet import snippet_of

    file.write(snippet_of(trace, choices.style))


def _html(trace: Trace, file: TextIO, choices: Choices) -> None:
    try:
        from .standalone.page import standalone_html
    except ImportError as error:
        raise DecodingError("a page cannot be written: {get_the_page}", get_the_page=GET_THE_PAGE) from error
    file.write(standalone_html(trace, choices.lang))


FORMATS: dict[str, Writer] = {".json": _json, ".csv": _csv, ".graphml": _graphml, ".py": _py, ".html": _html}
"""A writer takes a trace, a file open for text in UTF-8 without translation of line ends, and what was chosen."""


def export(trace: Trace, path: str | os.PathLike[str], choices: Choices | None = None) -> None:
    """Writes the trace in the format of the path's suffix; a file already there is replaced once the new one is whole.

    Raises:
        DecodingError: there is no such format, the trace has nothing of the kind, or the file cannot be written.
    """
    path = Path(path)
    writer = writer_of(path)
    write_whole(path, lambda file: writer(trace, file, choices or Choices()))


def write_whole(path: Path, write: Callable[[TextIO], None]) -> None:
    """Writes a text to a file; one already there is replaced once the new one is whole.

    Raises:
        DecodingError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")  # not a temporary file: those are private
    try:
        try:
            with part.open("x", encoding="utf-8", newline="") as file:
                write(file)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DecodingError(
            "{name} cannot be written: {strerror}",
            name=path.name, strerror=error.strerror or error,
        ) from error


def writer_of(path: Path) -> Writer:
    """The writer for a path's suffix.

    Raises:
        DecodingError: there is none.
    """
    if path.suffix.lower() not in FORMATS:
        raise DecodingError(
            "the file's name must end in one of {formats}, got {name!r}",
            formats=', '.join(FORMATS), name=path.name,
        )
    return FORMATS[path.suffix.lower()]
