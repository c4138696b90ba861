"""What a reload brings back: whose runs, for how long, and what a tab's storage, which may hold anything, can do."""

from __future__ import annotations

import gc
import json
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from app.export.permalink import Configuration, encode
from app.handlers.handlers import Handlers
from app.serving.tidying import Tidying
from app.session.drafts import Asked
from app.session.reload import MOST_LINKS, Kept, Visits, to_ask_again
from app.session.session import Session
from decoding.parameters.settings import Settings
from decoding.record import record
from tests.test_handlers import FORM, Shelf, sent

LINK = encode(Configuration(prompt="hi"))
FORM_GIVEN = json.dumps({"mode": "greedy", "given": {"max_new_tokens": 4}})


@pytest.fixture(scope="module")
def trace(tiny):
    return record(tiny, "ab", Settings(max_new_tokens=4, seed=1, do_sample=True))


@pytest.fixture
def handlers(tiny) -> Handlers:
    return Handlers(Shelf(tiny))


def loaded(handlers: Handlers, trace, kept: object = "", **query: str) -> Session:
    """A page that is loaded: its session after the opening events."""
    session = Session(trace)
    request = SimpleNamespace(query_params=query, headers={})
    handlers.opening.open(session, kept, request)
    handlers.sharing.follow(session, request)
    return session


def kept_by(session: Session, **other: object) -> str:
    return json.dumps({"key": session.key, "runs": to_ask_again(session), "page": "p"} | other)


# -- the key


def test_the_key_gives_the_runs_and_no_other_text_does(handlers, trace):
    mine = loaded(handlers, trace)
    mine.take(trace, "mine")
    wrong = mine.key[:-1] + ("A" if mine.key[-1] != "A" else "B")
    for key in (wrong, mine.key.lower(), mine.key + "A", f"{mine.key}\n", "", None, 7, [mine.key], {"key": mine.key}):
        assert len(loaded(handlers, trace, kept_by(mine, key=key)).runs) == 1, key
    assert [run.number for run in loaded(handlers, trace, kept_by(mine)).runs] == [0, 1]
    assert len({Session(trace).key for _ in range(3)}) == 3


def test_a_key_lasts_as_long_as_the_server_has_the_session(trace):
    visits, session = Visits(), Session(trace)
    key = session.key
    assert visits.get(key) is None  # nobody was told it
    visits.add(session)
    assert visits.get(key) is session
    del session
    gc.collect()
    assert visits.get(key) is None and len(visits) == 0


# -- what comes back


def test_what_comes_back_is_at_the_place_in_view_with_names_drafts_and_language(handlers, trace):
    before = loaded(handlers, trace)
    before.take(trace, "mine", form=FORM_GIVEN)
    before.runs.rename(1, "the first")
    before.take(replace(trace), "mine")
    before.view(before.runs.pick(1))
    before.go_to(row=0, step=3)
    before.drafts.keep(Asked(model="", kind="text", prompt="not run", system="", form=""), before.runs)
    handlers.opening.set_language(before, "text", sent(lang="zh"))
    after = loaded(handlers, trace, kept_by(before), c="e30")
    assert [(run.number, run.name) for run in after.runs] == [(0, ""), (1, "the first"), (2, "")]
    assert (after.look.number, after.look.step) == (1, 3)
    assert all(ours.trace is theirs.trace for ours, theirs in zip(after.runs, before.runs, strict=True))
    assert after.drafts.newest.prompt == "not run"
    assert after.text.lang == "zh" and after.chosen_lang
    assert after.key != before.key


def test_of_two_tabs_none_takes_anything_from_the_other(handlers, trace):
    one = loaded(handlers, trace)
    one.take(trace, "mine")
    two = loaded(handlers, trace, kept_by(one))
    one.take(replace(trace), "mine")
    two.runs.rename(0, "theirs")
    two.runs.remove(1)
    assert [(run.number, run.name) for run in one.runs] == [(0, ""), (1, ""), (2, "")]
    assert [(run.number, run.name) for run in two.runs] == [(0, "theirs")]
    assert two.runs.next_number == 2  # no number means two runs


def test_a_link_that_was_not_run_before_the_page_was_left_is_run(handlers, trace):
    before = loaded(handlers, trace, c=LINK)
    assert before.link.prompt == "hi"
    after = loaded(handlers, trace, kept_by(before), c=LINK)
    assert after.link.prompt == "hi" and not after.back


# -- what the server has no longer


def test_the_language_chosen_by_hand_is_in_the_address_and_comes_back_from_there(handlers, trace):
    link = encode(Configuration(lang="zh"))
    after = loaded(handlers, trace, c=link)
    assert after.text.lang == "zh" and after.chosen_lang
    assert loaded(handlers, trace, c=link, lang="en").text.lang == "en"
    assert not loaded(handlers, trace).chosen_lang


def test_what_is_gone_is_offered_with_its_number_and_name_and_nothing_is_run(handlers, trace):
    before = loaded(handlers, trace)
    before.take(trace, "mine", form=FORM_GIVEN)
    before.runs.rename(1, "the first")
    after = loaded(handlers, trace, kept_by(before, key="A" * 43), c=LINK)
    assert after.link is None and not after.back
    assert after.lost == {1: "the first"} and len(after.runs) == 1
    assert after.asked_for(1).prompt == "ab"
    assert json.loads(after.asked_for(1).form)["given"] == {"max_new_tokens": 4}
    assert to_ask_again(after) == to_ask_again(before)  # it outlives another reload
    handlers.runs.pick(after, *FORM, sent(number=1))
    assert after.lost == {}
    after.take(trace, "mine")
    assert after.runs.active.number == 2
    handlers.reloading.forget(after)
    assert [run["number"] for run in to_ask_again(after)] == [2]


def test_what_a_tab_keeps_is_bounded_and_the_newest_is_in_it(trace):
    session = Session(trace)
    for number in range(1, 30):
        session._asked[number] = Asked(model="", kind="text", prompt=str(number), system="", form="")
        session.lost[number] = ""
    assert [run["number"] for run in to_ask_again(session)] == list(range(29, 17, -1))
    long = "".join(chr(0x4E00 + i * 7919 % 20_000) for i in range(30_000))
    for number in (25, 26, 27, 28):
        session._asked[number] = replace(session._asked[number], prompt=long)
    kept = to_ask_again(session)
    assert sum(len(run["c"]) for run in kept) <= MOST_LINKS
    assert [run["number"] for run in kept][:2] == [29, 28] and 25 not in [run["number"] for run in kept]


JUNK_RUNS = (
    None, "x", {}, [None], [[]], [{}], [{"number": True, "c": LINK}], [{"number": -1, "c": LINK}],
    [{"number": 10**30, "c": LINK}], [{"number": 1.0, "c": LINK}], [{"number": 1, "c": None}], [{"number": 1, "c": ""}],
    [{"number": 1, "c": "z.AAAA"}], [{"number": 1, "c": "e30"}],
)  # fmt: skip


@pytest.mark.parametrize("runs", JUNK_RUNS, ids=range(len(JUNK_RUNS)))
def test_made_up_runs_are_none(runs):
    assert Kept.read(json.dumps({"key": "A" * 43, "runs": runs}), "m").runs == ()


def test_made_up_storage_is_none_and_made_up_names_are_cleaned():
    for text in (None, 7, [], "", "null", "[]", "7", "[" * 100_000, "{}", '{"key": 7}', " " * 500_000 + '{"key": 1}'):
        assert Kept.read(text, "m") is None
    runs = [{"number": 2, "c": LINK, "name": "\u202e\ud800" + "x" * 999}, {"number": 2, "c": LINK, "name": "again"}]
    (run,) = Kept.read(json.dumps({"key": "A" * 43, "runs": runs * 9}), "m").runs
    assert len(run.name) <= 60 and "\u202e" not in run.name and run.name.encode()
    assert (run.asked.prompt, run.asked.model) == ("hi", "m")


# -- how much the server keeps


def holder(*visitors: tuple[str, bool, int, list[SimpleNamespace]]) -> SimpleNamespace:
    """Gradio's, of visitors by name: whether their tab is closed, when they were here, and their runs."""
    now = datetime.now()
    return SimpleNamespace(
        session_data={
            name: SimpleNamespace(
                is_closed=closed, state_data={1: SimpleNamespace(runs=runs, rest=lambda: None), 2: "else"}
            )
            for name, closed, _, runs in visitors
        },
        time_last_used={name: now + timedelta(seconds=when) for name, _, when, _ in visitors},
        lock=threading.Lock(),
    )  # fmt: skip


def left(held: SimpleNamespace, **bounds: int) -> list[str]:
    tidying = Tidying(SimpleNamespace(state_holder=held), SimpleNamespace(sweep=lambda: None), **bounds)
    tidying.round()
    return sorted(held.session_data)


def heavy(nbytes: int) -> SimpleNamespace:
    return SimpleNamespace(trace=object(), nbytes=nbytes)


def test_of_closed_tabs_the_last_are_kept_and_open_ones_always():
    held = holder(("a", True, 1, []), ("b", True, 3, []), ("c", True, 2, []), ("open", False, 0, []))
    assert left(held, most=2) == ["b", "c", "open"]


def test_runs_of_closed_tabs_are_bounded_in_bytes_and_one_that_two_have_counts_once():
    shared, opened = heavy(60), heavy(1000)
    tabs = (
        ("old", True, 1, [heavy(50)]), ("reloaded", True, 2, [shared, opened]), ("again", True, 3, [shared]),
        ("open", False, 0, [opened]),
    )  # fmt: skip
    assert left(holder(*tabs), most_bytes=100) == ["again", "open", "reloaded"]
    assert left(holder(*tabs), most_bytes=110) == ["again", "old", "open", "reloaded"]
    assert left(holder(*tabs), most_bytes=59) == ["open"]
