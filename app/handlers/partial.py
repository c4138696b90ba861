"""What happens when a visitor opens, looks at, keeps or closes a response of another engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from decoding.errors import DecodingError, ResponseError
from decoding.partial.response import load_response

from ..partial_formats import export_response
from ..serving.bounds import bounds_here
from ..serving.failures import noted
from ..session.session import Session
from ..sheets.partial import SAVES
from .events import counts, field
from .shown import Changes, Shown, message

if TYPE_CHECKING:
    from ..serving.passing_files import PassingFiles

__all__ = ["PartialHandlers"]


class PartialHandlers:
    """The page's handlers for responses.

    Args:
        files: where an export waits for the browser to fetch it.
    """

    def __init__(self, shown: Shown, files: PassingFiles | None) -> None:
        self._shown, self._files = shown, files

    def open_file(self, session: Session, path: str) -> Changes:
        """A response from the visitor's own disk, or one that was pasted; what was in view stays where it cannot be."""
        text, name = session.text, Path(path).name
        try:
            if os.stat(path).st_size > (most := bounds_here().response_bytes):
                raise ResponseError(
                    "{name} is larger than {limit}; use `decoding-explorer open` on your own machine",
                    name=name, limit=f"{most >> 20} MB",
                )  # fmt: skip
            opened = session.partials.add(load_response(path), name)
        except (DecodingError, OSError) as error:
            return message(text.said(error) if isinstance(error, DecodingError) else type(error).__name__, text)
        n_tokens = sum(len(choice.steps) for choice in opened.trace.choices)
        note = text("partial.opened", name=name, steps=n_tokens, known=opened.trace.n_known - n_tokens)
        return self._shown.partial(session) | message(note, text, "note")

    def look(self, session: Session, event: gr.EventData) -> Changes:
        """Another response, another of its answers, or another run beside it."""
        with counts(session, "partial", event, about=False) as it_does:
            if not it_does:
                return {}
            session.partials.look(field(event, "number"), field(event, "choice"), field(event, "against"))
            return self._shown.partial(session)

    def leave(self, session: Session, event: gr.EventData) -> Changes:
        """The recorded run again."""
        with counts(session, "partial", event, about=False) as it_does:
            if not it_does:
                return {}
            session.partials.leave()
            return self._shown.partial(session)

    def close(self, session: Session, event: gr.EventData) -> Changes:
        """Lets a response go."""
        with counts(session, "partial", event, about=False) as it_does:
            if not it_does:
                return {}
            session.partials.close(field(event, "number"))
            return self._shown.partial(session)

    def export(self, session: Session, event: gr.EventData) -> Changes:
        """The response in view as a file of the kind asked for, ready to be downloaded."""
        kind, opened = field(event, "kind"), session.partials.in_view
        if kind not in SAVES or opened is None or opened.number != field(event, "number"):
            return {}
        try:
            path = self._files.new(f"response.{kind}")
            export_response(opened.trace, path, lang=session.text.lang)
        except DecodingError as error:
            return message(session.text.said(error), session.text)
        except Exception as error:
            return message(session.text("error.bug", id=noted("an export failed", error)), session.text)
        return {"download": gr.update(value=str(path))}
