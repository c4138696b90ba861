"""What happens when a visitor opens or keeps a file, follows a link, or picks a recorded example."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from decoding.errors import DecodingError, TraceFileError
from decoding.trace import load_trace

from ..components import Message
from ..export.permalink import Configuration, decode
from ..formats import Choices, export
from ..gallery.items import GALLERY, gallery_item, gallery_trace
from ..session.drafts import Asked
from ..session.session import Session
from ..sheets.frame import message_json
from ..sheets.share import KINDS
from .updates import field, is_about_the_run_in_view

if TYPE_CHECKING:
    from decoding.trace import Trace

    from ..serving.passing_files import PassingFiles
    from .looking import Handlers

__all__ = ["LARGEST_FILE", "Sharing", "space_address"]

log = logging.getLogger(__name__)

SPACE_NAME = re.compile(r"[\w.-]+/[\w.-]+")
LARGEST_FILE = 256 * 2**20  # bytes of a trace that a visitor may open


class Sharing:
    """The page's handlers for links and files.

    Args:
        handlers: runs what a link asks for.
        files: where an export waits for the browser to fetch it.
    """

    def __init__(self, handlers: Handlers, files: PassingFiles) -> None:
        self._handlers, self._files = handlers, files
        self.SHOWN = handlers.CHOSEN

    # -- links

    def follow(self, session: Session, request: gr.Request) -> list[Any]:
        """The form as the address's `?c=` says, and what of it could not be read."""
        if session.example:  # picked by quick hands, while the page was still opening
            return self._shown(session)
        link = request.query_params.get("c") or ""
        configuration, problems = decode(link)
        session.link = configuration if link else None
        changes: dict[str, Any] = {}
        item = configuration.view.removeprefix("gallery:")
        if configuration.view.startswith("gallery:") and item in {i.id for i in GALLERY}:
            session.link = None
            self._open_item(session, item)
            self._go_to(session, configuration)
            return self._shown(session)
        if link:
            asked = Asked(
                model=configuration.model or self._handlers.default_model, kind=configuration.kind,
                prompt=configuration.prompt, system=configuration.system, form=configuration.form,
            )  # fmt: skip
            changes |= self._handlers.form(session, asked)
        if problems:
            words = "\n".join(problem.words(session.text) for problem in problems)
            changes["message"] = Message(data=message_json(words, session.text, "note"))
        return self._only(**changes)

    def run_link(self, session: Session, *asked: Any) -> Iterator[list[Any]]:
        """Runs what the link asked for, unless it says not to; then goes to the step that it names."""
        link = session.link
        session.link = None
        if link is None or not link.run or not link.prompt:
            yield self._only()  # a generator that yields nothing would empty all outputs
            return
        name = link.model or self._handlers.default_model
        if not self._handlers.at_hand(name):
            # Anyone can write a link: it must not make this machine load what nobody here asked for.
            yield self._said(session.text("share.link_model", name=name), session, "note")
            return
        rest = len(self.SHOWN) - len(self._handlers.RUN)
        for update in self._handlers.run(session, *asked):
            yield [*update, *[gr.skip()] * rest]
        self._go_to(session, link)
        yield self._only(**self._handlers.in_view(session))

    def _go_to(self, session: Session, link: Configuration) -> None:
        """The row, step, candidate and tab that a link names; what the run does not have is kept within it."""
        if link.step is not None:
            session.go_to(row=link.row, step=link.step, rank=link.rank or 0)
        if link.tab:
            session.lab_window.choose({"tab": link.tab})

    # -- recorded examples

    def pick_example(
        self, session: Session, model: str, kind: str, prompt: str, system: str, form: str, event: gr.EventData
    ) -> list[Any]:
        """A recorded example, where there is something to see in it; no model is needed."""
        with session.turns.in_turn("pick", field(event, "turn")) as counts:
            asked = Asked.read(model, kind, prompt, system, form)
            return self._pick(session, asked, field(event, "id")) if counts else self._only()

    def _pick(self, session: Session, form: Asked, name: Any) -> list[Any]:
        if session.running:
            return self._said(session.text("share.busy"), session)
        if name not in {item.id for item in GALLERY}:
            return self._only()
        try:
            self._open_item(session, name, form)
            return self._shown(session)
        except DecodingError as error:
            return self._said(str(error), session)

    @staticmethod
    def _open_item(session: Session, name: str, form: Asked | None = None) -> None:
        """Brings an example into view: the one that is kept already, or else from its file."""
        item, kept = gallery_item(name), next((run for run in session.runs if run.example == name), None)
        trace = gallery_trace(name) if kept is None else kept.trace
        if form is not None:
            session.drafts.keep(form, session.runs)
        if kept is None:
            session.take(trace, trace.model.name, origin="example", example=name)
        else:
            session.view(session.runs.pick(kept.number))
        session.go_to(row=item.row if item.rank is None else 0, step=item.step, rank=item.rank or 0)
        session.lab_window.choose({"tab": item.lab})

    # -- files

    def open_file(
        self, session: Session, model: str, kind: str, prompt: str, system: str, form: str, path: Any
    ) -> list[Any]:
        """A trace from the visitor's own disk; what was in view stays when it cannot be opened."""
        text = session.text
        if session.running:
            return self._said(text("share.busy"), session)
        try:
            name = Path(str(path)).name
            if Path(str(path)).stat().st_size > LARGEST_FILE:
                limit = f"{LARGEST_FILE >> 20} MB"
                raise TraceFileError(f"{name} is larger than {limit}; use `decoding-explorer open` on your own machine")
            trace = load_trace(path)
        except (DecodingError, OSError) as error:
            return self._said(str(error), session)
        session.drafts.keep(Asked.read(model, kind, prompt, system, form), session.runs)
        session.take(trace, trace.model.name, origin="file")
        note = text("share.opened", name=name, steps=len(trace.steps), model=trace.model.name)
        return self._shown(session, message=Message(data=message_json(note, text, "note")))

    def _shown(self, session: Session, **more: Any) -> list[Any]:
        """The whole page for a run that has just come into view."""
        return self._only(**(self._handlers.whole(session) | more))

    def _said(self, words: str, session: Session, kind: str = "error") -> list[Any]:
        return self._only(message=Message(data=message_json(words, session.text, kind)))

    def _only(self, **changes: Any) -> list[Any]:
        return self._handlers.only(self.SHOWN, **changes)

    def export(self, session: Session, event: gr.EventData) -> list[Any]:
        """The run in view as a file of the kind asked for, ready to be downloaded."""
        kind = field(event, "kind")
        if kind not in KINDS or not session.trace.steps or not is_about_the_run_in_view(session, event):
            return [gr.skip(), gr.skip()]
        try:
            path = self._files.new("run.trace" if kind in ("trace", "compact") else f"run.{kind}")
            _write(session.trace, path, kind, session.text.lang)
        except DecodingError as error:
            return [gr.skip(), Message(data=message_json(str(error), session.text))]
        except Exception as error:
            log.exception("an export failed")
            words = session.text("error.bug", kind=type(error).__name__)
            return [gr.skip(), Message(data=message_json(words, session.text))]
        return [gr.update(value=str(path)), gr.skip()]


def space_address() -> str:
    """The address of the Space that this process runs in, or ""."""
    name = os.environ.get("SPACE_ID", "")
    return f"https://huggingface.co/spaces/{name}" if SPACE_NAME.fullmatch(name) else ""


def _write(trace: Trace, path: Path, kind: str, lang: str) -> None:
    """Writes the trace as a file of this kind."""
    if kind in ("trace", "compact"):
        trace.save(path, compact=kind == "compact")
    else:
        export(trace, path, Choices(lang=lang))
