"""Which event of the page goes to which handler, and what it may change.

A handler answers with an update for each part of the page that changes, by its name. Which component that is, is known
here alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any
from urllib.parse import parse_qs

import gradio as gr

from ..handlers.handlers import Handlers
from ..handlers.shown import Changes

__all__ = ["is_run", "wire"]

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
# What the tab has kept, where its page was loaded again: its address is then the one that it wrote itself, or names no
# link. A link that was followed says something else, and comes first.
KEPT = """(session) => {
  try {
    const own = [null, sessionStorage.getItem("dx-address")];
    const kept = own.includes(new URLSearchParams(location.search).get("c")) && sessionStorage.getItem("dx-runs");
    return [session, kept || ""];
  } catch {
    return [session, ""];
  }
}"""
# Of quick events the last one counts: `app.handlers.events.counts` says which are late. Gradio's `always_last` only
# keeps the server from work whose answer nobody would see. It sends the *first* event again once it has been answered,
# to all of that event's listeners: right where a handler reads what the page's values are by then, and where it is the
# only listener (two of them would set each other off for ever; what follows goes into a `.then`). Handlers that read
# what the event itself carries, or share it with others, get every event.
QUIET = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
LATEST = {**QUIET, "trigger_mode": "always_last"}
EACH = {**QUIET, "trigger_mode": "multiple"}
# Who uses the model, and when, `app.serving.line` decides: Gradio lets all of them begin.
RUN = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
# Handlers and endpoints that use the model: how often they may be asked for is bounded.
RUNS = (
    "Decoding.run", "Decoding.fork", "Decoding.again", "Decoding.onward", "Verifying.verify", "Api.record",
    "Api.verify",
)  # fmt: skip
FOLLOWS = "Sharing.follow"  # with a link it is what has that run; without, every page that is opened calls it
FORM = ("model", "kind", "prompt", "system", "knobs")
ASKED = ("session", *FORM)
# What shows the run in view, what of it shows the step, what a run changes, and what a run with its form does.
VIEW = (
    "token_row", "beam_tree", "beam_step", "heat_map", "whatif", "waterfall", "cutoff", "lab", "candidate",
    "everywhere", "lecture", "runs", "facts", "notes", "verdict", "gallery", "share", "answer", "estimate", "reload",
    "partial",
)  # fmt: skip
OF_STEP = ("waterfall", "cutoff", "candidate", "lecture")
WAIT = ("status", "run", "stop")
RUNNING = (*VIEW, "message", *WAIT, "verify")
WHOLE = (*RUNNING, *FORM, "draft")
FRAME = (*WHOLE, "header", "tour", "presets")


class Wiring:
    """Connects events with handlers.

    Args:
        parts: the page's components by name.
    """

    def __init__(self, parts: dict[str, gr.components.Component]) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> gr.components.Component:
        return self._parts[name]

    def on(
        self, event: Callable[..., Any], handler: Callable[..., Any], inputs: tuple[str, ...], changes: tuple[str, ...],
        **how: Any,
    ) -> gr.events.Dependency:  # fmt: skip
        """Lets a handler answer an event.

        Args:
            inputs: the parts whose values it gets.
            changes: all parts that it may change.
            how: Gradio's settings of a listener.
        """
        return event(self._answering(handler), self._these(inputs), self._these(changes), **how)

    def _these(self, names: tuple[str, ...]) -> list[gr.components.Component]:
        return [self._parts[name] for name in names]

    def _answering(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """The handler, its answers by component; of no change Gradio is told that, since {} would be a value.

        What answers at once is numbered: see `app.serving.answer_number`. The session is each handler's first argument.
        """

        def by_component(changes: Changes | None) -> Any:
            if not changes:
                return None if changes is None else gr.skip()
            return {self._parts[name]: change for name, change in changes.items()}

        @wraps(handler)
        def answer(*args: Any) -> Any:
            try:
                return by_component(handler(*args))
            finally:
                args[0].order.answered()

        @wraps(handler)
        def answers(*args: Any) -> Iterator[Any]:
            coming = handler(*args)
            try:
                for changes in coming:
                    yield by_component(changes)
            finally:
                coming.close()  # now: what decodes ends when its visitor has left

        return answers if inspect.isgeneratorfunction(handler) else answer


def is_run(fn: gr.blocks.BlockFunction, query: str) -> bool:
    """Whether the model is used by one of the page's functions, called at an address with this query."""
    name = getattr(fn.fn, "__qualname__", "")
    return name in RUNS or name == FOLLOWS and "c" in parse_qs(query)


def wire(page: gr.Blocks, handlers: Handlers, parts: dict[str, gr.components.Component]) -> None:
    """Connects the page's events with its handlers."""
    p = Wiring(parts)
    opened = _wire_opening(page, handlers, p)
    _wire_looking(handlers, p)
    _wire_runs(handlers, p)
    _wire_whatif(handlers, p)
    _wire_decoding(handlers, p)
    _wire_sharing(opened, handlers, p)
    p.on(p["presets"].read, handlers.presets.read, ("session",), ("presets",), **EACH)
    _wire_partials(handlers, p)


def _wire_opening(page: gr.Blocks, handlers: Handlers, p: Wiring) -> gr.events.Dependency:
    """The page as it opens, and in another language."""
    opening = handlers.opening
    opened = p.on(page.load, opening.open, ("session", "reload"), FRAME, js=KEPT, **LATEST)
    drawn = opened.then(None, js=DRAWN, **QUIET)
    p.on(
        drawn.then, opening.watch_model, ("session", "model"), ("status", "estimate"), show_progress="hidden",
        concurrency_limit=None, api_visibility="private",
    )  # fmt: skip
    p.on(p["header"].language, opening.set_language, ("session", "kind"), FRAME, **EACH)
    p.on(p["kind"].change, opening.choose_kind, ("session", "kind"), ("prompt", "system"), **LATEST)
    return opened


def _wire_looking(handlers: Handlers, p: Wiring) -> None:
    """Steps, nodes, tables, rules, the heat map, another token, the lab."""
    looking, of_step = handlers.looking, (*OF_STEP, "message")
    moved = p.on(p["token_row"].step, looking.choose_step, ("session", "token_row"), of_step, **LATEST)
    of_node = ("beam_tree", "beam_step", *of_step)
    climbed = p.on(p["beam_tree"].node, looking.choose_node, ("session", "beam_tree"), of_node, **LATEST)
    for done in (moved, climbed):
        painted = done.then(None, js=PAINTED, **QUIET)
        p.on(painted.then, looking.look_closer, ("session",), ("lab", "whatif", "everywhere"), **LATEST)
    p.on(p["heat_map"].more, handlers.heat_map.read_on, ("session",), ("heat_map",), **EACH)
    p.on(p["ahead"].need, handlers.ahead.need, ("session",), ("ahead",), **EACH)
    p.on(p["lab"].ask, looking.choose_lab, ("session",), ("lab", "message"), **EACH)
    p.on(p["beam_step"].table, looking.choose_table, ("session",), ("beam_step",), **EACH)
    asked_about = ("candidate", "everywhere", "message")
    p.on(p["candidate"].pick, handlers.candidates.pick, ("session",), asked_about, **EACH)
    p.on(p["candidate"].word, handlers.candidates.word, ("session",), asked_about, **EACH)
    p.on(p["cutoff"].tab, looking.choose_rule, ("session",), ("cutoff",), **EACH)


def _wire_runs(handlers: Handlers, p: Wiring) -> None:
    """The runs beside each other, and the draft."""
    runs = handlers.runs
    p.on(p["runs"].pick, runs.pick, ASKED, WHOLE, **EACH)
    p.on(p["runs"].rename, runs.rename, ("session",), ("runs", "lab", "reload"), **EACH)
    p.on(p["runs"].remove, runs.remove, ASKED, WHOLE, **EACH)
    p.on(p["draft"].restore, runs.restore, ASKED, WHOLE, **EACH)
    p.on(p["reload"].forget, handlers.reloading.forget, ("session",), ("reload",), **EACH)


def _wire_whatif(handlers: Handlers, p: Wiring) -> None:
    """What if."""
    whatif = handlers.whatif
    p.on(p["whatif"].need, whatif.need_scores, ("session",), ("whatif",), **EACH)
    p.on(p["whatif"].ask, whatif.confirm, ("session",), ("whatif", "message"), **EACH)
    p.on(p["whatif"].settled, whatif.show, ("session",), (*OF_STEP, "lab", "heat_map"), **LATEST)


def _wire_decoding(handlers: Handlers, p: Wiring) -> None:
    """Whatever uses the model."""
    decoding, verifying = handlers.decoding, handlers.verifying

    def started(*args: Any, **how: Any) -> gr.events.Dependency:
        return gr.on([p["run"].click, p["model"].submit], *args, **how)

    verdict = ("verdict", "message", "verify", *WAIT)
    for asked_for in (
        p.on(started, decoding.run, ASKED, RUNNING, **RUN),
        p.on(p["candidate"].take, decoding.fork, ("session",), RUNNING, **RUN),
        p.on(p["whatif"].again, decoding.again, ("session",), RUNNING, **RUN),
        p.on(p["whatif"].onward, decoding.onward, ("session",), RUNNING, **RUN),
        p.on(p["verify"].click, verifying.verify, ("session", "verdict"), verdict, js=ABOUT, **RUN),
    ):
        _wire_refusal(asked_for, handlers, p)
    p.on(p["stop"].click, decoding.stop, ("session",), (), **EACH)


def _wire_refusal(asked_for: gr.events.Dependency, handlers: Handlers, p: Wiring) -> None:
    """What is done where there is too much to do or a bound is reached: the handler is never called, says nothing."""
    p.on(asked_for.failure, handlers.refusing.refused, ("session",), (*WAIT, "verify", "message"), **QUIET)


def _wire_sharing(opened: gr.events.Dependency, handlers: Handlers, p: Wiring) -> None:
    """Links, recorded examples and files."""
    sharing = handlers.sharing
    followed = p.on(opened.then, sharing.follow, ("session",), WHOLE, **QUIET)
    followed.then(None, js="() => dx.whole()", **QUIET)  # until then the page is kept from sight
    _wire_refusal(p.on(followed.then, sharing.run_link, ASKED, WHOLE, **RUN), handlers, p)
    p.on(p["gallery"].pick, sharing.pick_example, ASKED, WHOLE, **EACH)
    p.on(p["open"].upload, sharing.open_file, (*ASKED, "open"), WHOLE, **EACH)
    saved = p.on(p["share"].export, sharing.export, ("session",), ("download", "message"), **EACH)
    # The browser takes a file only from a click.
    saved.success(None, None, None, js=DOWNLOAD, api_visibility="private")


def _wire_partials(handlers: Handlers, p: Wiring) -> None:
    """Responses of other engines."""
    partials = handlers.partials
    p.on(p["partial"].look, partials.look, ("session",), ("partial",), **EACH)
    p.on(p["partial"].leave, partials.leave, ("session",), ("partial",), **EACH)
    p.on(p["partial"].close, partials.close, ("session",), ("partial",), **EACH)
    saved = p.on(p["partial"].export, partials.export, ("session",), ("download", "message"), **EACH)
    saved.success(None, None, None, js=DOWNLOAD, api_visibility="private")
