"""What happens when a visitor opens or keeps a file, follows a link, or picks a recorded example."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from decoding.errors import DecodingError, TraceFileError
from decoding.partial.response import looks_like_response
from decoding.trace import load_trace

from ..export.permalink import Configuration, decode
from ..formats import Choices, export
from ..gallery.items import GALLERY, gallery_item, gallery_trace
from ..serving.bounds import bounds_here
from ..serving.failures import noted
from ..session.drafts import Asked, asked_of
from ..session.session import Session
from ..sheets.share import KINDS
from .decoding import Decoding
from .events import counts, field, is_about_the_run_in_view
from .partial import PartialHandlers
from .shown import Changes, Shown, message, run_in_view

if TYPE_CHECKING:
    from decoding.trace import Trace

    from ..serving.passing_files import PassingFiles

__all__ = ["Sharing", "space_address"]

SPACE_NAME = re.compile(r"[\w.-]+/[\w.-]+")


class Sharing:
    """The page's handlers for links and files.

    Args:
        decoding: runs what a link asks for.
        files: where an export waits for the browser to fetch it.
        partials: what opens a file that is a response of another engine.
    """

    def __init__(self, shown: Shown, decoding: Decoding, files: PassingFiles, partials: PartialHandlers) -> None:
        self._shown, self._decoding, self._files, self._partials = shown, decoding, files, partials

    # -- links

    def follow(self, session: Session, request: gr.Request) -> Changes:
        """The form as the address's `?c=` says, and what of it could not be read.

        A page that was loaded again is as it was: its address is where its form was written, and runs nothing.
        """
        if session.look.example and not session.back:  # picked by quick hands, while the page was still opening
            return self._shown.whole(session)
        link = request.query_params.get("c") or ""
        configuration, problems = decode(link)
        typed = Asked.of(configuration, session.model_name or self._shown.shelf.default)
        if session.back:
            return self._shown.form(session, typed if link else asked_of(session.runs.active))
        session.link = configuration if link and not session.goes_on else None
        item = configuration.view.removeprefix("gallery:")
        if configuration.view.startswith("gallery:") and item in {i.id for i in GALLERY}:
            session.link = None
            self._open_item(session, item)
            self._go_to(session, configuration)
            return self._shown.whole(session)
        notes = [session.text("reload.gone")] if session.lost else []
        notes += [problem.words(session.text) for problem in problems]
        changes = self._shown.form(session, typed) if link else {}
        return changes | (message("\n".join(notes), session.text, "note") if notes else {})

    def run_link(self, session: Session, *asked: Any) -> Iterator[Changes]:
        """Runs what the link asked for, unless it says not to; then goes to the step that it names."""
        link = session.link
        if link is None or not link.run or not link.prompt:
            session.link = None
            yield {}  # a generator that yields nothing would empty all outputs
            return
        name = link.model or self._shown.shelf.default
        if not self._shown.at_hand(name):
            # Anyone can write a link: it must not make this machine load what nobody here asked for.
            session.link = None
            yield message(session.text("share.link_model", name=name), session.text, "note")
            return
        yield from self._decoding.run(session, *asked)
        session.link = None  # only now: of a page that is left before that, nothing was run
        self._go_to(session, link)
        yield self._shown.in_view(session)

    def _go_to(self, session: Session, link: Configuration) -> None:
        """The row, step, candidate and tab that a link names; what the run does not have is kept within it."""
        if link.step is not None:
            session.go_to(row=link.row, step=link.step, rank=link.rank or 0)
        if link.tab:
            session.choose_lab({"tab": link.tab})

    # -- recorded examples

    def pick_example(
        self, session: Session, model: str, kind: str, prompt: str, system: str, form: str, event: gr.EventData
    ) -> Changes:
        """A recorded example, where there is something to see in it; no model is needed."""
        with counts(session, "pick", event, about=False) as it_does:
            asked = Asked.read(model, kind, prompt, system, form)
            return self._pick(session, asked, field(event, "id")) if it_does else {}

    def _pick(self, session: Session, form: Asked, name: Any) -> Changes:
        if session.running:
            return message(session.text("share.busy"), session.text)
        if name not in {item.id for item in GALLERY}:
            return {}
        try:
            self._open_item(session, name, form)
            return self._shown.whole(session)
        except DecodingError as error:
            return message(session.text.said(error), session.text)

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
        session.choose_lab({"tab": item.lab})

    # -- files

    def open_file(
        self, session: Session, model: str, kind: str, prompt: str, system: str, form: str, path: Any
    ) -> Changes:
        """A trace from the visitor's own disk; what was in view stays when it cannot be opened."""
        text = session.text
        if session.running:
            return message(text("share.busy"), text)
        if looks_like_response(str(path)):
            return self._partials.open_file(session, str(path))
        try:
            name = Path(str(path)).name
            if Path(str(path)).stat().st_size > (most := bounds_here().upload_bytes):
                limit = f"{most >> 20} MB"
                raise TraceFileError(
                    "{name} is larger than {limit}; use `decoding-explorer open` on your own machine",
                    name=name, limit=limit,
                )
            trace = load_trace(path)
        except (DecodingError, OSError) as error:
            return message(text.said(error), text)
        try:
            run_in_view(Session(trace, "file", text.lang).look)
        except Exception as error:  # whatever it is that drawing a stranger's run raises, the file is the reason
            why = error.words if isinstance(error, DecodingError) else type(error).__name__
            damaged = TraceFileError("{name} is no trace file, or is damaged: {err}", name=name, err=why)
            return message(text.said(damaged), text)
        session.drafts.keep(Asked.read(model, kind, prompt, system, form), session.runs)
        session.take(trace, trace.model.name, origin="file")
        note = text("share.opened", name=name, steps=len(trace.steps), model=trace.model.name)
        return self._shown.whole(session) | message(note, text, "note")

    def export(self, session: Session, event: gr.EventData) -> Changes:
        """The run in view as a file of the kind asked for, ready to be downloaded."""
        kind = field(event, "kind")
        if kind not in KINDS or not session.look.trace.steps or not is_about_the_run_in_view(session, event):
            return {}
        try:
            path = self._files.new("run.trace" if kind in ("trace", "compact") else f"run.{kind}")
            _write(session.look.trace, path, kind, session.text.lang)
        except DecodingError as error:
            return message(session.text.said(error), session.text)
        except Exception as error:
            return message(session.text("error.bug", id=noted("an export failed", error)), session.text)
        return {"download": gr.update(value=str(path))}


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
