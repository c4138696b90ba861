"""How a trace shows itself: a few lines in a terminal, and where the page's code is at hand a page in a notebook.

The library works without the page and imports nothing of it. Whoever can draw a trace says so here, by `set_renderer`;
where nobody has, the module that is known to do so is looked for by its name when a trace is shown.
"""

from __future__ import annotations

import html
import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from decoding.errors import DecodingError
from decoding.recorded.run import RecordedRun
from decoding.recorded.step_number import step_number

__all__ = ["GET_THE_PAGE", "Renderer", "notebook_html", "page_html", "set_renderer", "summary"]

log = logging.getLogger(__name__)

KNOWN = "decoding_explorer.standalone.page"  # registers itself when it is imported
GET_THE_PAGE = 'the page that shows a trace is not installed; get it with pip install "decoding-explorer[app]"'
LONGEST_TEXT = 200  # characters of a text in a summary
MOST_TEXTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """What draws traces.

    Attributes:
        page: a trace and a language to a whole HTML document.
        notebook: a trace to a fragment that can stand in someone else's page.
    """

    page: Callable[[Any, str], str]  # a Trace, which knows this module
    notebook: Callable[[Any], str]


_renderer: Renderer | None = None


def set_renderer(renderer: Renderer | None) -> None:
    """From now on traces are drawn by this one; None: by nobody."""
    global _renderer
    _renderer = renderer


def page_html(trace: RecordedRun, lang: str) -> str:
    """The trace as an HTML document of its own.

    Raises:
        DecodingError: nothing that could draw it is installed.
    """
    renderer = _found()
    if renderer is None:
        raise DecodingError("to_html needs the page's code: {get_the_page}", get_the_page=GET_THE_PAGE)
    return renderer.page(trace, lang)


def notebook_html(trace: RecordedRun) -> str | None:
    """The trace for a notebook's cell: a page, or its summary and how to get the page; None where drawing failed."""
    renderer = _found()
    if renderer is None:
        return "<pre>" + html.escape(f"{summary(trace)}\n\n{GET_THE_PAGE}") + "</pre>"
    try:
        return renderer.notebook(trace)
    except Exception:  # a cell that ends in a trace must not end in a traceback of the drawing
        log.exception("the trace could not be drawn")
        return None


def _found() -> Renderer | None:
    if _renderer is None:
        try:
            importlib.import_module(KNOWN)
        except ImportError:
            return None
        except Exception:
            log.exception("%s could not be imported", KNOWN)
            return None
    return _renderer


def summary(trace: RecordedRun) -> str:
    """A few lines: which model, how, what came out, why it ended."""
    model = trace.model
    n_tokens = len(trace.steps)
    rows = "" if trace.n_rows == 1 else f", {trace.n_rows} rows"
    goes_on = f" from step {step_number(0, trace.first_step)} on" if trace.first_step else ""  # a fork
    ended = trace.stop_reason or "still going on"
    lines = [
        f"Trace of {model.name} ({model.dtype}, {model.device}, {model.vocab_size:,} tokens)",
        f"  mode   {trace.mode}, {n_tokens} step{'' if n_tokens == 1 else 's'}{goes_on}{rows}; ended by {ended}",
    ]
    n_texts = len(trace.hypotheses) if trace.ledger is not None else trace.n_rows
    for row in range(min(n_texts, MOST_TEXTS)):
        text = trace.text(row)
        whole = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
        lines.append(f"  text   {whole!r}")
    if n_texts > MOST_TEXTS:
        lines.append(f"         and {n_texts - MOST_TEXTS} more")
    return "\n".join("".join(c if c.isprintable() else "\ufffd" for c in line) for line in lines)
