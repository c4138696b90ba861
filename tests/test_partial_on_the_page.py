"""Responses of other engines in a visitor's session, in exports, commands and the API."""

from __future__ import annotations

import copy
import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from app.api.endpoints import Api
from app.cli.main import main
from app.components.drawn import as_json
from app.handlers.handlers import Handlers
from app.page.layout import _partials_in
from app.partial_formats import export_response
from app.partials import MOST_NAMED, MOST_OPEN, Partials
from app.serving.bounds import use_bounds
from app.serving.passing_files import passing_files
from app.session.session import Session
from app.sheets.partial import partial_sheet
from app.text import Text
from app.views.partial import known_text
from decoding import DecodingError, ResponseError, Settings, load_response, open_response, record
from decoding.partial.token import KnownToken
from tests.hand_made import HOSTILE, hand_made_trace
from tests.test_handlers import FORM, JUNK, Shelf, sent
from tests.test_hostile_responses import FOUR
from tests.test_partial import RESPONSES, chat_of, entry, opened

NATIVE = RESPONSES / "native.json"


@pytest.fixture
def handlers(tiny) -> Handlers:
    return Handlers(Shelf(tiny), files=passing_files())


@pytest.fixture
def session(tiny) -> Session:
    return Session(record(tiny, "the cat", Settings(max_new_tokens=3)), "file")


def in_view(session: Session) -> dict | None:
    return partial_sheet(session.partials, session.runs, session.text)["response"]


# --- a visitor's session --------------------------------------------------------------------------------------


def test_a_file_is_opened_as_what_it_is(handlers, session, tmp_path: Path):
    handlers.sharing.open_file(session, *FORM, str(NATIVE))
    assert in_view(session)["name"] == "native.json" and len(session.runs) == 1
    trace = tmp_path / "run.trace"
    session.first.save(trace)
    handlers.sharing.open_file(session, *FORM, str(trace))
    assert in_view(session) is None and len(session.runs) == 2
    assert [opened.name for opened in session.partials] == ["native.json"]


@pytest.mark.parametrize(("pasted", "at"), [("{", 2), ("The capital of France is Paris.", 1), ("", 1)])
def test_what_cannot_be_opened_leaves_what_was_in_view(handlers, session, tmp_path: Path, pasted: str, at: int):
    handlers.sharing.open_file(session, *FORM, str(NATIVE))
    path = tmp_path / "response.json"
    path.write_text(pasted)
    said = handlers.sharing.open_file(session, *FORM, str(path))
    assert list(said) == ["message"] and "no trace file" not in said["message"].props["data"]
    if pasted:
        assert f"line 1, character {at}: no JSON here" in said["message"].props["data"]
    assert in_view(session)["name"] == "native.json"
    trace = tmp_path / "run.json"  # named as it is not
    session.first.save(tmp_path / "run.trace")
    (tmp_path / "run.trace").rename(trace)
    handlers.sharing.open_file(session, *FORM, str(trace))
    assert in_view(session) is None


def test_a_public_server_takes_smaller_files(handlers, session, tmp_path: Path):
    path = tmp_path / "large.json"
    path.write_text("{" + " " * 9 * 2**20)
    try:
        use_bounds(public=True)
        assert "larger than 8 MB" in handlers.sharing.open_file(session, *FORM, str(path))["message"].props["data"]
    finally:
        use_bounds(public=False)


def test_a_response_that_names_too_much_is_refused(session):
    token = entry("a", -1.0, *(("b", -2.0) for _ in range(99)))
    trace = open_response(chat_of(*[token] * (MOST_NAMED // 100 + 1)))
    with pytest.raises(ResponseError, match="names 30,100 tokens, and the page shows at most 30,000"):
        session.partials.add(trace, "x")


def test_the_oldest_response_makes_room_and_a_closed_one_gives_way_to_the_one_before():
    partials = Partials()
    for n in range(MOST_OPEN + 1):
        partials.add(opened("native.json"), str(n))
    assert [each.name for each in partials] == ["1", "2", "3"] and partials.in_view.name == "3"
    partials.close(3)
    assert partials.in_view.name == "2"
    partials.look(1)
    partials.close(1)
    assert partials.in_view is None


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk)[:20])
def test_junk_in_events_changes_nothing(handlers, session, junk):
    session.partials.add(opened("chat-two.json"), "two")
    before = as_json(in_view(session))
    number = 0
    for turn, fields in enumerate(
        ({"number": junk}, {"number": number, "choice": junk}, {"number": number, "against": junk}), start=1
    ):  # fmt: skip
        handlers.partials.look(session, sent(turn=turn, **fields))
    handlers.partials.close(session, sent(number=junk, turn=9))
    handlers.partials.export(session, sent(number=junk, kind="json"))
    assert handlers.partials.export(session, sent(number=number, kind=junk)) == {}
    assert as_json(in_view(session)) == before


def test_a_run_that_is_picked_or_begins_comes_into_view(handlers, session):
    session.partials.add(opened("native.json"), "a")
    handlers.runs.pick(session, *FORM, sent(number=0, turn=1))
    assert in_view(session) is None
    session.partials.look(0)
    session.watch(lambda: session.first)
    assert in_view(session) is None


def test_a_reload_and_another_tab_have_the_responses_too(session):
    session.partials.add(opened("native.json"), "a")
    again = Session(session.first)
    again.go_on_from(session)
    assert in_view(again)["name"] == "a"
    again.partials.close(0)
    assert in_view(session)["name"] == "a"
    assert not list(copy.deepcopy(session).partials)  # another visitor's are none of ours


def test_the_command_opens_it_for_every_visitor():
    partials, path = _partials_in(NATIVE)
    first = Session(hand_made_trace([[0.0, 1.0]], [1], texts="ab"), partials=partials)
    assert path is None
    for visitor in (first, copy.deepcopy(first)):
        assert in_view(visitor)["name"] == "native.json"


# --- what the page says ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", [path.name for path in sorted(RESPONSES.glob("*")) if path.name != "versions.json"])
def test_every_recorded_response_is_said_in_both_languages(session, name: str, lang: str):
    session.partials.add(opened(name), name)
    session.speak(lang)
    sheet = in_view(session)
    assert len(sheet["steps"]) == len(sheet["cells"]) == len(opened(name).choices[0].steps)
    assert not [word for word in as_json(sheet["facts"]).split('"') if word.startswith("partial.")]
    for step in sheet["steps"]:
        if all(row["p"] == "–" for row in step["rows"]):  # the first token of a prompt that the server repeats
            continue
        bars = [row["width"] for row in step["rows"]] + [step["tail"]["width"] if step["tail"] else 0]
        assert sum(bars) == pytest.approx(100, abs=0.1)


def test_a_character_that_was_held_back_is_read_whole_and_listed_as_its_bytes(session):
    session.partials.add(opened("native-stream.txt"), "a")
    sheet = in_view(session)
    assert [cell["text"] for cell in sheet["cells"]] == ["🌟", "⏎", "🌈", "🌈"]
    assert sheet["steps"][0]["rows"][0]["text"] == "‹9F›" and "‹F0 9F 8C›" in sheet["steps"][0]["notes"][0]
    assert sheet["said"] == "🌟\n🌈🌈"


def test_every_mark_and_note_has_its_words():
    from decoding.partial.partial_trace import KINDS, MARKS, NOTES

    for lang in ("en", "zh"):
        text = Text(lang)
        assert all(text.has(f"partial.mark.{mark}") for mark in MARKS)
        assert all(text.has(f"partial.note.{note}") for note in NOTES)
        assert all(text.has(f"partial.kind.{kind}.tip") for kind in KINDS)


def test_what_is_not_known_is_said_so(session):
    session.partials.add(open_response(FOUR), "four")
    first, _, new = in_view(session)["steps"][:1] + in_view(session)["steps"][1:3]
    assert first["reading"] == "‹› came; the response gives no probability here." and first["number"] is None
    assert new["surprisal"] == "–" and new["rows"][0]["p"] == "–"
    session.partials.add(open_response(chat_of(entry("a", -0.1, ("a", -0.1), ("b", -0.2)))), "wrong")
    step = in_view(session)["steps"][0]
    assert "no tail can be told" in step["reading"] and step["least"] is None and step["tail"] is None


def test_a_run_that_cannot_stand_beside_it_says_why(tiny):
    beams = Session(record(tiny, "the cat", Settings(num_beams=2, max_new_tokens=2)), "file")
    beams.partials.add(opened("native.json"), "a")
    assert in_view(beams)["beside"]["reading"] == [
        "a beam search's rows change places at every step, so no response can stand beside them"
    ]


def test_another_prompt_that_nobody_named_is_suspected(tiny):
    logits = [[9.0, -9.0, -9.0]]
    session = Session(hand_made_trace(logits, [0], texts="abc"), "file")
    session.partials.add(open_response(chat_of(entry("b", -0.1, ("b", -0.1), ("c", -3.0)))), "x")
    assert "too far apart" in in_view(session)["beside"]["reading"][-1]


def test_a_token_without_text_is_its_id_and_bytes_are_bytes():
    assert known_text(KnownToken(text="", raw=b"", token_id=2)) == "#2"
    assert known_text(KnownToken(text="\ufffd", raw=b"\xf0\x9f")) == "‹F0 9F›"
    assert known_text(KnownToken(text="\u202eabc", raw="\u202eabc".encode())) == "\\u{202e}abc"
    assert len(known_text(KnownToken(text="x" * 1000, raw=b"x" * 1000))) == 60


# --- exports, commands, API -----------------------------------------------------------------------------------


def test_json_has_everything_and_no_number_that_json_lacks(tmp_path: Path):
    response = chat_of(entry("a", -0.5, ("a", -0.5), ("b", -math.inf), ("\ud800", -2.0)))
    export_response(open_response(response), tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text(), parse_constant=pytest.fail)
    step = found["choices"][0]["steps"][0]
    assert [token["logprob"] for token in step["known"]] == [-0.5, -2.0, "-Infinity"]
    assert step["entropy_most_nats"] is None and found["partial"] is True


def test_a_table_has_the_tail_and_no_formula(tmp_path: Path):
    export_response(open_response(chat_of(entry("=1+1", -0.5, ("=1+1", -0.5)))), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["token"] == "'=1+1" and rows[1]["place"] == "tail"
    assert float(rows[0]["probability"]) + float(rows[1]["probability"]) == pytest.approx(1)


def test_the_page_of_its_own_holds_hostile_tokens_as_data(tmp_path: Path):
    entries = [entry(text, -0.5, (text, -0.5)) for text in HOSTILE]
    export_response(open_response(chat_of(*entries)), tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    assert page.count("</script") == 2 and "<img" not in page


def test_the_command_writes_what_the_suffix_says_and_refuses_what_needs_logits(tmp_path: Path, capsys):
    for suffix in (".json", ".csv", ".html"):
        assert main(["export", str(NATIVE), "-o", str(tmp_path / f"out{suffix}")]) == 0
    for suffix in (".py", ".graphml"):
        assert main(["export", str(NATIVE), "-o", str(tmp_path / f"out{suffix}")]) == 2
        assert "the other formats need a recorded run" in capsys.readouterr().err


def test_an_export_that_cannot_be_written_is_an_error(tmp_path: Path):
    with pytest.raises(DecodingError, match="cannot be written"):
        export_response(load_response(NATIVE), tmp_path / "none" / "out.json")


def test_the_endpoint_gives_plain_json_and_refuses_in_words():
    api = Api(SimpleNamespace(default="tiny", batchers=None))
    found = api.open_response(NATIVE.read_text(), vocab_size=49152)
    json.dumps(found, allow_nan=False)
    step = found["choices"][0]["steps"][0]
    assert step["entropy_least_nats"] == pytest.approx(1.137, abs=1e-3)
    assert step["entropy_most_nats"] == pytest.approx(2.213, abs=1e-3)
    for given, words in (("{", "no JSON here"), (5, "must be a text"), ('{"choices": []}', "no log-probabilities")):
        with pytest.raises(gr.Error, match=words):
            api.open_response(given)
    with pytest.raises(gr.Error, match="vocab_size must be a whole number"):
        api.open_response(NATIVE.read_text(), vocab_size=-1)
