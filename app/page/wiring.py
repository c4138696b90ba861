"""Which event of the page goes to which handler, and what it changes."""

from __future__ import annotations

import gradio as gr

from ..handlers.looking import Handlers
from ..handlers.sharing import Sharing

__all__ = ["wire"]

Parts = dict[str, gr.components.Component]

DOWNLOAD = "() => setTimeout(() => document.querySelector('#dx-download')?.click(), 50)"
# What Gradio does to send the next question would hold up the picture of this one's answer.
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
DRAWN = """() => new Promise((done) => {
  const until = Date.now() + 5000;
  const look = () => (document.querySelector("[data-drawn]") || Date.now() > until ? done() : setTimeout(look, 50));
  look();
})"""
# Verify is a plain button: what it is about is what the page shows when it is pressed.
ABOUT = "(session, meant) => [session, JSON.stringify(window.dx?.about ?? null)]"
# Two ways of taking quick events. Gradio's `always_last` sends the *first* event again once it has been answered, to
# all of that event's listeners: right where a handler reads what the page's values are by then, and where it is the
# only listener (two of them would set each other off for ever; what follows goes into a `.then`). Handlers that read
# what the event itself carries, or share it with others, get every event.
QUIET = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
LATEST = {**QUIET, "trigger_mode": "always_last"}
EACH = {**QUIET, "trigger_mode": "multiple"}
RUN = {
    "concurrency_id": "model",
    "concurrency_limit": 1,
    "show_progress": "hidden",
    "api_visibility": "private",
}
ASKED = ("session", *Handlers.ASKED)


def wire(page: gr.Blocks, handlers: Handlers, sharing: Sharing, parts: Parts) -> None:
    """Connects events with handlers; a handler's answers are in the order of the names it is wired to."""
    opened = _wire_opening(page, handlers, sharing, parts)
    _wire_looking(handlers, parts)
    _wire_trying(handlers, parts)
    _wire_running(handlers, parts)
    _wire_sharing(opened, handlers, sharing, parts)


def _these(p: Parts, *names: str) -> list[gr.components.Component]:
    return [p[name] for name in names]


def _wire_opening(page: gr.Blocks, handlers: Handlers, sharing: Sharing, p: Parts) -> gr.events.Dependency:
    """The page as it opens, and in another language."""
    session, worded = p["session"], _these(p, *handlers.WORDED)
    opened = page.load(handlers.open, [session], worded, **LATEST)
    drawn = opened.then(None, js=DRAWN, **QUIET)
    drawn.then(
        handlers.watch_model, [session, p["model"]], [p["status"]], show_progress="hidden", concurrency_limit=None,
        api_visibility="private",
    )  # fmt: skip
    p["header"].language(handlers.set_language, [session, p["kind"]], worded, **EACH)
    p["kind"].change(handlers.choose_kind, [session, p["kind"]], _these(p, "prompt", "system"), **LATEST)
    return opened


def _wire_looking(handlers: Handlers, p: Parts) -> None:
    """Steps, nodes, tabs, and the runs beside each other."""
    session, asked, chosen = p["session"], _these(p, *ASKED), _these(p, *handlers.CHOSEN)
    of_step = _these(p, "waterfall", "cutoff", "fork", "message")
    moved = p["token_row"].step(handlers.choose_step, [session, p["token_row"]], of_step, **LATEST)
    of_node = _these(p, "beam_tree", "beam_step", "waterfall", "cutoff", "fork", "message")
    climbed = p["beam_tree"].node(handlers.choose_node, [session, p["beam_tree"]], of_node, **LATEST)
    for done in (moved, climbed):
        painted = done.then(None, js=PAINTED, **QUIET)
        painted.then(handlers.look_closer, [session], _these(p, "lab", "whatif"), **LATEST)
    p["lab"].ask(handlers.choose_lab, [session], _these(p, "lab", "message"), **EACH)
    p["beam_step"].table(handlers.choose_table, [session], [p["beam_step"]], **EACH)
    p["cutoff"].tab(handlers.choose_tab, [session], [p["cutoff"]], **EACH)
    p["runs"].pick(handlers.pick, asked, chosen, **EACH)
    p["runs"].rename(handlers.rename, [session], _these(p, *handlers.LISTED), **EACH)
    p["runs"].remove(handlers.remove, asked, chosen, **EACH)
    p["draft"].restore(handlers.restore, asked, chosen, **EACH)


def _wire_trying(handlers: Handlers, p: Parts) -> None:
    """What if."""
    session = p["session"]
    p["whatif"].need(handlers.need_scores, [session], [p["whatif"]], **EACH)
    p["whatif"].ask(handlers.ask_whatif, [session], _these(p, "whatif", "message"), **EACH)
    p["whatif"].settled(handlers.show_whatif, [session], _these(p, "waterfall", "cutoff", "lab"), **LATEST)


def _wire_running(handlers: Handlers, p: Parts) -> None:
    """Whatever uses the model."""
    session, run = p["session"], _these(p, *handlers.RUN)
    # First, since the page sends an event's calls one after the other.
    for starts in (p["run"].click, p["model"].submit, p["fork"].fork, p["whatif"].again, p["whatif"].onward):
        starts(handlers.wait, [session], _these(p, *handlers.WAIT), **EACH)
    p["verify"].click(handlers.wait_to_verify, [session], [p["status"]], **EACH)
    verdict = _these(p, "verdict", "message", "status", "verify")
    for asked_for in (
        gr.on([p["run"].click, p["model"].submit], handlers.run, _these(p, *ASKED), run, **RUN),
        p["fork"].fork(handlers.fork, [session], run, **RUN),
        p["whatif"].again(handlers.again, [session], run, **RUN),
        p["whatif"].onward(handlers.onward, [session], run, **RUN),
        p["verify"].click(handlers.verify, [session, p["verdict"]], verdict, js=ABOUT, **RUN),
    ):
        _wire_refusal(asked_for, handlers, p)
    p["stop"].click(handlers.stop, [session], None, **EACH)


def _wire_refusal(asked_for: gr.events.Dependency, handlers: Handlers, p: Parts) -> None:
    """What is to be done where Gradio's queue is full: the handler is never called then, and says nothing."""
    asked_for.failure(handlers.refused, [p["session"]], _these(p, *handlers.REFUSED), **QUIET)


def _wire_sharing(opened: gr.events.Dependency, handlers: Handlers, sharing: Sharing, p: Parts) -> None:
    """Links, recorded examples and files."""
    session, shown = p["session"], _these(p, *sharing.SHOWN)
    followed = opened.then(sharing.follow, [session], shown, **QUIET)
    linked = followed.then(sharing.run_link, _these(p, *ASKED), shown, **RUN)
    _wire_refusal(linked, handlers, p)
    p["gallery"].pick(sharing.pick_example, _these(p, *ASKED), shown, **EACH)
    p["open"].upload(sharing.open_file, _these(p, *ASKED, "open"), shown, **EACH)
    saved = p["share"].export(sharing.export, [session], _these(p, "download", "message"), **EACH)
    # The browser takes a file only from a click.
    saved.success(None, None, None, js=DOWNLOAD, api_visibility="private")
