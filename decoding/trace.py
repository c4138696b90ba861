"""Trace: a recorded run, and what one does with it: save it, ask what if, look at its tree, show it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from decoding.display import notebook_html, page_html, summary
from decoding.files.compact import compact as compact_form
from decoding.files.trace_file import read_run, save_run
from decoding.parameters.settings import Settings
from decoding.recorded.given import Origin, origins_of
from decoding.recorded.run import RecordedRun
from decoding.whatif.whatif import WhatIf

if TYPE_CHECKING:
    import networkx

__all__ = ["Trace", "load_trace"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Trace(RecordedRun):
    """A recorded run, complete; it needs neither model nor tokenizer. Its attributes are those of `RecordedRun`."""

    @property
    def origins(self) -> dict[str, Origin]:
        """Where each parameter that acted came from: `given`, `model` or `transformers`; see `origins_of`."""
        return origins_of(self)

    def save(self, path: str | PathLike[str], *, compact: bool = False) -> None:
        """Writes the trace to one self-contained file; see `decoding.files.trace_file`.

        Args:
            compact: the small form, exact for the likeliest tokens of each step only; see `decoding.files.compact`.
        """
        save_run(compact_form(self) if compact else self, path)

    def whatif(self, settings: Settings) -> WhatIf:
        """The same run under other settings, without the model; see `decoding.whatif.whatif`.

        Example:
            >>> from decoding import Settings, load_model, record
            >>> trace = record(load_model(), "My favourite animal is", Settings(max_new_tokens=2))
            >>> trace.whatif(Settings(do_sample=True, top_k=1)).chosen_survives
            ((True,), (True,))
        """
        return WhatIf(self, settings)

    def to_html(self, path: str | PathLike[str] | None = None, *, lang: str = "en") -> str:
        """The run as one HTML page that needs no network; also written to a file, if one is named.

        Args:
            lang: `en` or `zh`.

        Raises:
            DecodingError: the page's code or plotly is not installed.
        """
        page = page_html(self, lang)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8", newline="")
        return page

    def __repr__(self) -> str:
        return summary(self)

    def _repr_html_(self) -> str | None:
        """What a notebook shows for a cell that ends in a trace."""
        return notebook_html(self)

    def tree(self) -> networkx.DiGraph:
        """The beam tree; see `decoding.reading.beam_tree`."""
        from decoding.reading.beam_tree import tree  # networkx takes as long to import as all of this library

        return tree(self)


def load_trace(path: str | PathLike[str]) -> Trace:
    """The trace in a file; its scores are read when asked for.

    Raises:
        TraceFileError: there is no such file, or it is no trace, damaged, hostile, or of a newer version.
    """
    run = read_run(path)
    return Trace(**{field.name: getattr(run, field.name) for field in fields(run)})
