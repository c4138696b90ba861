"""What a response of another engine can be exported as, by the file's suffix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from decoding.display import GET_THE_PAGE
from decoding.errors import DecodingError

from .export.partial import write_partial_csv, write_partial_json
from .formats import write_whole

if TYPE_CHECKING:
    from decoding.partial.partial_trace import PartialTrace

__all__ = ["SUFFIXES", "check_suffix", "export_response"]

SUFFIXES = (".json", ".csv", ".html")


def export_response(trace: PartialTrace, path: str | os.PathLike[str], *, lang: str = "en") -> None:
    """Writes the response in the format of the path's suffix.

    Raises:
        DecodingError: there is no such format, or the file cannot be written.
    """
    path = Path(path)
    check_suffix(path)
    if path.suffix.lower() == ".json":
        write_whole(path, lambda file: write_partial_json(trace, file))
    elif path.suffix.lower() == ".csv":
        write_whole(path, lambda file: write_partial_csv(trace, file))
    else:
        page = _page(trace, lang)
        write_whole(path, lambda file: file.write(page) and None)


def check_suffix(path: Path) -> None:
    """Returns if a response can be written as a file of that name.

    Raises:
        DecodingError: it cannot; what needs all logits is not there for a response.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DecodingError(
            "a response of another engine can be written to a name that ends in one of {formats}, got {name!r}; the "
            "other formats need a recorded run",
            formats=", ".join(SUFFIXES), name=path.name,
        )  # fmt: skip


def _page(trace: PartialTrace, lang: str) -> str:
    try:
        from .standalone.partial_page import response_html
    except ImportError as error:
        raise DecodingError("a page cannot be written: {get_the_page}", get_the_page=GET_THE_PAGE) from error
    return response_html(trace, lang)
