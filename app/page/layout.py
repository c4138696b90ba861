"""The page: which component sits where; `app.page.wiring` says what happens to its events."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from decoding.errors import DecodingError
from decoding.partial.response import load_response, looks_like_response
from decoding.trace import load_trace

from ..api.endpoints import add_api
from ..assets import assets_dir
from ..components import (
    Ahead,
    Answer,
    BeamStep,
    BeamTree,
    CandidateCard,
    Chart,
    Draft,
    Estimate,
    Facts,
    Gallery,
    Header,
    HeatMap,
    KnobPanel,
    Lab,
    Lecture,
    Message,
    Notes,
    Partial,
    Presets,
    Reload,
    RunList,
    Share,
    Status,
    TokenRow,
    Tour,
    Verdict,
    WhatIfPanel,
)
from ..components.drawn import file_url, static_routes
from ..form import ask_of
from ..gallery.first_page import example_trace
from ..handlers.handlers import Handlers
from ..handlers.sharing import space_address
from ..handlers.shown import estimate
from ..lab.tabs import lab
from ..palette import palette_css, palette_script, theme
from ..partials import Partials
from ..serving.batching import Batchers, batching_wanted
from ..serving.bounds import bounds_here, use_bounds
from ..serving.decoder import new_line
from ..serving.environment import Environment
from ..serving.event_stream import keep_streams_open
from ..serving.failures import exception_handlers
from ..serving.freed import few_arenas
from ..serving.guard import Guard, guarded
from ..serving.line import Line
from ..serving.log_lines import begin_logging
from ..serving.model_shelf import ModelShelf
from ..serving.operation import Operation, operation
from ..serving.passing_files import passing_files
from ..serving.refusal import Refusals
from ..serving.stored_runs import StoredRuns
from ..serving.tidying import Tidying, end_in_order
from ..serving.watching import look_at_page, watch_routes
from ..session.session import Session
from ..sheets import beam_step, beam_tree, heat_map, run, step, whatif
from ..sheets.answer import answer
from ..sheets.everywhere import everywhere
from ..sheets.frame import header_sheet, knobs_sheet, model_status
from ..sheets.gallery import gallery_sheet
from ..sheets.partial import partial_sheet
from ..sheets.presets import presets_sheet
from ..sheets.token_row import token_row
from ..sheets.tour import tour_sheet
from ..studies.recorded import study_routes
from ..text import Text
from ..views.look import Look
from .blocks import Page
from .wiring import is_run, wire

__all__ = ["build", "launch"]

ANSWERS = ("answer_stream", "answer_order")  # scripts
STYLE_SHEETS = (
    "page", "answer", "tour", "estimate", "beam", "heat_map", "runs", "candidate", "lecture", "whatif", "lab", "share",
    "partial",  # responses of other engines
    "lab_in_words", "lab_microscope", "lab_orders", "lab_draw", "lab_settings_map", "lab_compare", "lab_code",
    "presets",
)  # fmt: skip
# A model that is being loaded keeps Python busy for seconds: a page that is just being opened comes first.
DRAIN = 5.0  # seconds that runs have for their last step when the server is stopped
# Seconds after which a thread that computes in Python lets the next one go on, where Python itself takes ten times as
# many: an answer is made in many short pieces, and waited for a turn before each while runs go on.
TURN = 0.0005
LAST_WORDS = 0.3  # seconds in which what they said last is sent
PAGE_FIRST = 8  # seconds after the start, unless a page has been drawn before
# The page is kept from sight until it is whole and in the visitor's language: nothing moves then, nothing changes its
# words. `dx.whole` shows it, and so does the clock where no answer comes.
OPENING = (
    "<script>document.documentElement.classList.add('dx-opening');"
    "setTimeout(() => document.documentElement.classList.remove('dx-opening'), 10000);</script>"
)
OPENED = (".trace", ".json", ".jsonl", ".txt")  # traces, and responses of other engines
EVENTS = 64  # that may wait for a thread; who may wait for the model `app.serving.line` says
# Of Gradio: whoever waits for the model has one, and looking needs some beside those.
THREADS = 160
TOGETHER = 8  # runs whose steps are computed together, where they are


def launch(
    host: str,
    port: int,
    model: str,
    trace_path: str | Path | None = None,
    open_browser: bool = False,
    allowed_models: frozenset[str] | None = None,
    mcp: bool = False,
    load_options: Mapping[str, Any] | None = None,
    row: int = 0,
    stored: StoredRuns | None = None,
) -> None:
    """Serves the page until it is interrupted; the model loads in a thread meanwhile.

    Args:
        host, port: where to listen.
        model: what visitors get without asking; see `load_model`.
        trace_path: a trace to open on, instead of the recorded example; or a response of another engine.
        open_browser: whether to open a browser on it.
        allowed_models: the only models that visitors may ask for, whose runs are bounded; None for any.
        mcp: whether the API is offered as MCP tools, too; needs the extra `mcp`.
        load_options: what every model is loaded on and in, see `load_model`.
        row: of the trace, to begin with; in beam runs of its hypotheses.
        stored: runs that were recorded before, so that the same question is not decoded again; None to decode all.

    Raises:
        TraceFileError: the trace cannot be opened.
        ResponseError: the response cannot.
        DecodingError: it has no such row, or the environment sets what it cannot.
    """
    few_arenas()  # before there are threads
    sys.setswitchinterval(TURN)
    public = allowed_models is not None
    bounds, environment = use_bounds(public=public), Environment.read(public=public)
    begin_logging(environment.log)
    partials, trace_path = _partials_in(trace_path)
    trace = example_trace() if trace_path is None else load_trace(trace_path)
    n_rows = trace.n_rows if trace.ledger is None else len(trace.hypotheses)
    if not 0 <= row < max(1, n_rows):
        raise DecodingError("--row must be in [1, {n}], got {row}; the trace has that many rows", n=n_rows, row=row + 1)
    batchers = Batchers() if batching_wanted(public=public) else None
    shelf = ModelShelf(model, allowed=allowed_models, load_options=load_options, batchers=batchers)
    refusals, files, watched = Refusals(), passing_files(), operation()
    first = Session(trace, "example" if trace_path is None else "file", row=row, partials=partials)
    line = new_line(TOGETHER if shelf.batchers else 1)
    page = build(shelf, first, line, stored, refusals)
    page.queue(max_size=EVENTS, api_open=False)  # nobody goes past the queue
    keep_streams_open(page)
    shelf.start_later(model, PAGE_FIRST)
    Tidying(page, files).start()
    look_at_page(page, line, files, watched)
    end_in_order(before=lambda: _end(page, watched))

    def guard(app: Any) -> Guard:
        return Guard(app, bounds, environment, page, is_run, files, watched, refusals)

    page.launch(
        server_name=host,
        server_port=port,
        inbrowser=open_browser,
        theme=theme(),
        head=_head(),
        run_history=False,  # it would keep prompts in the browser, and costs time at every event
        footer_links=[],
        ssr_mode=False,
        quiet=True,
        max_file_size=bounds.upload_bytes,
        max_threads=THREADS,
        enable_monitoring=False,
        state_session_capacity=bounds.visitors,
        mcp_server=mcp or None,  # then GRADIO_MCP_SERVER decides
        app_kwargs={
            "routes": [*static_routes(), *study_routes(), *watch_routes(shelf, watched, environment.metrics)],
            "exception_handlers": exception_handlers(),
            "lifespan": guarded(guard),
        },
    )


def _partials_in(path: str | Path | None) -> tuple[Partials, str | Path | None]:
    """A file that is a response of another engine, open; and the path where it is none."""
    partials = Partials()
    if path is None or not looks_like_response(path):
        return partials, path
    partials.add(load_response(path), Path(path).name)
    return partials, None


def _end(page: gr.Blocks, watched: Operation) -> None:
    """Ends what runs within a step, and lets those who wait for an answer go: its server would wait for them."""
    watched.drain(DRAIN)
    time.sleep(LAST_WORDS)
    page.close(verbose=False)


def build(
    shelf: ModelShelf,
    first: Session,
    line: Line | None = None,
    stored: StoredRuns | None = None,
    refusals: Refusals | None = None,
) -> gr.Blocks:
    """The page as Gradio Blocks; every visitor begins with a copy of `first`, and hears why something was refused.

    Args:
        line: of all who use the models; None for a new one.
        stored: runs that were recorded before.
        refusals: of what stands before the page.
    """
    line = line or new_line()
    text = Text("en")
    files = passing_files()  # before any component: each of them asks where Gradio's folder is
    handlers = Handlers(shelf, space_address(), files, line, stored, refusals)
    with Page(title=text("name"), analytics_enabled=False, fill_width=True) as page:
        session = gr.State(first)  # `app.serving.tidying` ends it
        message_at_top, parts = _lay_out(shelf, first, text)
        parts = {"session": session, "message": message_at_top, **parts}
        add_api(shelf, line, stored)  # before the page's own events, which would take its names
        wire(page, handlers, parts)
    return page


def _lay_out(
    shelf: ModelShelf, first: Session, text: Text
) -> tuple[Message, dict[str, gr.components.Component]]:
    """Places everything, filled with the first trace, so that the page is whole before any event."""
    parts: dict[str, gr.components.Component] = {}
    with gr.Row(elem_id="dx-header"):
        parts["header"] = Header(data=header_sheet(text), elem_id="dx-title")
        parts["share"] = Share(elem_id="dx-share")
        parts["lecture"] = Lecture(data=step.panels(first.look)["lecture"], elem_id="dx-lecture")
        parts["status"] = Status(data=model_status(shelf.state(shelf.default), text), elem_id="dx-status")
    with gr.Row(elem_id="dx-body"):
        with gr.Column(elem_id="dx-left"):
            parts |= _ask(shelf, first, text)
            with gr.Column(elem_id="dx-settings", elem_classes="dx-panel"):
                parts["knobs"] = KnobPanel(value=first.look.form.recorded_form, data=knobs_sheet(text))
                parts["presets"] = Presets(data=presets_sheet(text), elem_id="dx-presets")
        with gr.Column(elem_id="dx-main"):
            message = Message(elem_id="dx-message")
            parts["gallery"] = Gallery(data=gallery_sheet(text), elem_id="dx-gallery")
            parts["partial"] = Partial(data=partial_sheet(first.partials, first.runs, text), elem_id="dx-partial")
            parts |= _run_in_view(first.look, text)
    parts["tour"] = Tour(data=tour_sheet(text), elem_id="dx-tour")
    return message, parts


def _run_in_view(look: Look, text: Text) -> dict[str, gr.components.Component]:
    """Everything that shows the run."""
    shown = step.panels(look)
    parts: dict[str, gr.components.Component] = {}
    parts["facts"] = Facts(data=run.facts(look), elem_id="dx-facts")
    parts["open"] = gr.UploadButton(file_types=list(OPENED), elem_id="dx-open")
    parts["download"] = gr.DownloadButton(elem_id="dx-download")
    parts["runs"] = RunList(data=run.runs(look), elem_id="dx-runs")
    parts["answer"] = Answer(**answer(look), elem_id="dx-answer")
    parts["token_row"] = TokenRow(**token_row(look), elem_id="dx-tokens")
    # In a beam run the tree takes the token row's place, and its tables stand beside the charts.
    parts["beam_tree"] = BeamTree(
        beam_tree.place(look), data=beam_tree.tree(look), words=beam_step.words(look), elem_id="dx-beam-tree"
    )
    parts["heat_map"] = HeatMap(data=heat_map.frame(look), elem_id="dx-heat-map")
    with gr.Row(elem_id="dx-asked"):
        parts["candidate"] = CandidateCard(data=shown["candidate"], elem_id="dx-candidate")
        parts["everywhere"] = Chart(data=everywhere(look), elem_id="dx-everywhere")
    parts["whatif"] = WhatIfPanel(data=whatif.panel(look), at=whatif.place(look), elem_id="dx-whatif")
    with gr.Row(elem_id="dx-charts"):
        parts["beam_step"] = BeamStep(data=beam_step.tables(look), elem_id="dx-beam-step")
        parts["waterfall"] = Chart(data=shown["waterfall"], elem_id="dx-waterfall")
        parts["cutoff"] = Chart(data=shown["cutoff"], elem_id="dx-cutoff")
    parts["lab"] = Lab(data=lab(look), elem_id="dx-lab")
    with gr.Row(elem_id="dx-below"):
        parts["verify"] = gr.Button(text("ask.verify"), size="sm", elem_id="dx-verify-button")
        parts["verdict"] = Verdict(elem_id="dx-verdict")
    parts["notes"] = Notes(data=run.notes(look), elem_id="dx-notes")
    parts["ahead"] = Ahead(elem_id="dx-ahead")
    return parts


def _ask(shelf: ModelShelf, first: Session, text: Text) -> dict[str, gr.components.Component]:
    """Model, prompt, Run and Stop."""
    words = ask_of(first.look.trace)
    with gr.Column(elem_id="dx-ask", elem_classes="dx-panel"):
        model = gr.Textbox(
            shelf.default, label=text("ask.model"), info=text("ask.model.info"), max_lines=1, max_length=500,
            elem_id="dx-model",
        )  # fmt: skip
        kind = gr.Radio(
            [(text("ask.format.text"), "text"), (text("ask.format.chat"), "chat")],
            value=words["kind"], label=text("ask.format"),
        )  # fmt: skip
        prompt = gr.Textbox(
            words["prompt"], label=text("ask.prompt"), info=text(f"ask.prompt.{words['kind']}"), lines=3, max_lines=8,
            max_length=bounds_here().prompt_characters, elem_id="dx-prompt",
        )  # fmt: skip
        system = gr.Textbox(
            words["system"], label=text("ask.system"), info=text("ask.system.info"), lines=1, max_lines=4,
            max_length=bounds_here().prompt_characters, visible=words["kind"] == "chat", elem_id="dx-system",
        )  # fmt: skip
        draft, again = Draft(elem_id="dx-draft"), Reload(elem_id="dx-reload")
        with gr.Row(elem_id="dx-buttons"):
            run_it = gr.Button(text("ask.run"), variant="primary", size="md", min_width=60, elem_id="dx-run")
            stop = gr.Button(text("ask.stop"), size="md", min_width=60, interactive=False, elem_id="dx-stop")
        takes = Estimate(data=estimate(shelf, first.runs, shelf.default, text), elem_id="dx-estimate")
    asked = {"model": model, "kind": kind, "prompt": prompt, "system": system}
    return asked | {"draft": draft, "reload": again, "run": run_it, "stop": stop, "estimate": takes}


def _head() -> str:
    """Palette and style sheets; scripts come with the components, but for those that come before Gradio's own."""
    answers = "".join(
        f'<script src="{file_url(assets_dir() / "js" / f"{name}.js")}"></script>' for name in ANSWERS
    )
    sheets = "".join(
        f'<link rel="stylesheet" href="{file_url(assets_dir() / "css" / f"{name}.css")}">' for name in STYLE_SHEETS
    )
    return f'<style>{palette_css()}</style>{palette_script()}{OPENING}{answers}{sheets}'
