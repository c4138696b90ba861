"""What an event leaves as it is costs the page nothing, and all else is as Gradio has it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from app.page.blocks import Page


class Built:
    """A page of three texts, with one event that may change all of them."""

    def __init__(self, kind: type[gr.Blocks]) -> None:
        with kind() as self.page:
            self.texts = [gr.Textbox("a"), gr.Textbox("b"), gr.Textbox("c")]
            button = gr.Button("go")
            button.click(lambda: None, None, self.texts)
        self.fn = next(iter(self.page.fns.values()))
        self.state = SessionState(self.page)

    def sent(self, predictions: Any) -> list[Any]:
        """What a handler's answer becomes."""
        return asyncio.run(self.page.postprocess_data(self.fn, predictions, self.state))


@pytest.fixture(params=[Page, gr.Blocks])
def built(request) -> Iterator[Built]:
    yield Built(request.param)


# By the texts' places: what is changed, and how.
CHANGES = {
    "a value": {1: "new"},
    "an update": {0: gr.update(value="new", interactive=False)},
    "a component": {2: lambda: gr.Textbox(value="new", label="other")},
    "two": {0: "x", 2: gr.update(visible=False)},
    "all": {0: "x", 1: "y", 2: "z"},
}


def changes_of(built: Built, name: str) -> dict[gr.components.Component, Any]:
    return {built.texts[i]: value() if callable(value) else dict(value) if isinstance(value, dict) else value
            for i, value in CHANGES[name].items()}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_sent_is_what_gradio_sends(name):
    ours, theirs = (Built(kind) for kind in (Page, gr.Blocks))
    for _ in range(2):  # an update of what an update has changed
        assert ours.sent(changes_of(ours, name)) == theirs.sent(changes_of(theirs, name))
    for i in CHANGES[name]:
        one, other = ours.state[ours.texts[i]._id], theirs.state[theirs.texts[i]._id]
        assert one.constructor_args == other.constructor_args


def test_nothing_at_all_is_sent_as_that(built):
    assert built.sent(gr.skip()) == [gr.skip()] * 3


def test_a_list_is_gradios_own_affair(built):
    assert built.sent(["x", gr.skip(), "z"]) == ["x", gr.skip(), "z"]


def test_what_is_none_of_the_events_outputs_is_refused(built):
    with built.page:
        other = gr.Textbox()
    with pytest.raises(ValueError, match="not specified as output"):
        built.sent({other: "x"})


# Counted on Gradio's own class: beside a class of ours it would write a file.
def test_only_what_changes_is_made_anew(monkeypatch):
    built = Built(Page)
    made = []
    init = gr.Textbox.__init__

    def counted(self: gr.Textbox, *args: Any, **kwargs: Any) -> None:
        made.append(self)
        init(self, *args, **kwargs)

    monkeypatch.setattr(gr.Textbox, "__init__", counted)
    built.sent({built.texts[1]: gr.update(value="new")})
    assert len(made) == 1
    built.sent(gr.skip())
    assert len(made) == 1


def test_what_takes_something_back_is_sent_whole_and_all_else_as_gradio_has_it():
    built = Built(Page)
    theirs = Built(gr.Blocks)
    n = len(built.texts)
    answers = [
        [{"props": {"data": "frame", "lines": "a"}}, "x", [1, 2]],
        [{"props": {"lines": "ab"}}, "xy", [1, 2, 3]],
        [{"props": {"lines": "abc"}}, "xy", [2]],
        [[["delete", ["a"], None]], "", [2]],
    ]
    sent = [
        [each.page.handle_streaming_diffs(each.fn, list(answer), "session", "run", False) for answer in answers]
        for each in (built, theirs)
    ]
    ours, gradios = sent
    assert ours[0] == gradios[0] == answers[0]
    assert ours[1] == [[["replace", [], {"props": {"lines": "ab"}}]], *gradios[1][1:]]
    assert ours[2] == [*gradios[2][:2], [["replace", [], [2]]]]
    assert ours[3][0] == [["replace", [], [["delete", ["a"], None]]]]
    last = [each.page.handle_streaming_diffs(each.fn, [None] * n, "session", "run", True) for each in (built, theirs)]
    assert last == [answers[-1]] * 2


def test_a_first_answer_that_looks_like_an_edit_is_sent_as_it_is():
    built = Built(Page)
    answer = [[["delete", ["a"], None]], "x", "y"]
    assert built.page.handle_streaming_diffs(built.fn, list(answer), "session", "run", False) == answer
