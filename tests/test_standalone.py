"""The standalone page as text: what gets into it and what does not. It is opened in tests/page/test_standalone.py."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from transformers.generation import TemperatureLogitsWarper, TopPLogitsWarper

from app.cli.main import main
from app.standalone.page import notebook_html, standalone_html
from app.standalone.privacy import last_part, without_places, without_places_in
from app.standalone.scores import FINEST, HEAD, packed_scores
from decoding import DecodingError, Settings, record
from decoding import display as trace_display
from decoding.fork import fork
from decoding.recorded.silent import SilentKnob
from decoding.trace import Trace
from tests.hand_made import HOSTILE, hand_made_trace
from tests.tiny_models import tiny_lm

ROOT = Path(__file__).parent.parent


class Blocks(HTMLParser):
    """The page's script elements by id, the others in order, as a browser would part them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.data: dict[str, str] = {}
        self.scripts: list[str] = []
        self.tags: list[str] = []
        self._open: dict[str, str | None] | None = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._open = dict(attrs) if tag == "script" else None

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open is None:
            return
        if "id" in self._open:
            self.data[self._open["id"]] = data
        else:
            self.scripts.append(data)


def unpacked(text: str) -> str:
    return gzip.decompress(base64.b64decode(text)).decode()


def everything_in(page: str) -> str:
    """The page's text with all that is packed in it, but for plotly.js and our own scripts."""
    blocks = Blocks(page)
    chunks = [each for name in ("dx-steps", "dx-maps") for each in json.loads(blocks.data[name]).values()]
    frame = page.replace(blocks.data["dx-plotly"], "").replace(blocks.scripts[0], "")
    packed = [unpacked(text) for text in (blocks.data["dx-base"], *chunks)]
    return "\n".join([frame, *(json.dumps(json.loads(text), ensure_ascii=False) for text in packed)])


def base_of(page: str) -> dict:
    return json.loads(unpacked(Blocks(page).data["dx-base"]))


@pytest.fixture(scope="module")
def sampled() -> Trace:
    return record(tiny_lm(), "the cat", Settings(do_sample=True, top_p=0.9, seed=0, max_new_tokens=6))


@pytest.fixture(scope="module")
def beams() -> Trace:
    return record(tiny_lm(), ["the cat", "a dog"], Settings(num_beams=3, max_new_tokens=5))


@pytest.fixture(scope="module")
def hostile() -> Trace:
    n = len(HOSTILE)
    logits = [[float((i * 3 + j * 5) % n) / 3 for j in range(n)] for i in range(n)]
    return hand_made_trace(logits, list(range(n)), [TopPLogitsWarper(0.9)], texts=HOSTILE)


# --- one file, and nothing but data in it -----------------------------------------------------------------


def test_the_same_trace_gives_the_same_page(sampled):
    assert standalone_html(sampled) == standalone_html(sampled)


def test_nothing_is_loaded_from_elsewhere(sampled):
    page = standalone_html(sampled)
    blocks = Blocks(page)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(blocks.tags)
    head = page[: page.index("<style>")]
    assert "src=" not in head and "default-src 'none'" in head and "connect-src 'none'" in head
    assert "@import" not in page and "url(" not in page[: page.index("</style>")]


def test_only_the_page_s_own_scripts_may_run(sampled):
    page = standalone_html(sampled)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    allowed = re.search(r"script-src ([^;]*);", policy)[1].split()
    assert all(source.startswith("'sha256-") for source in allowed) and len(allowed) == 2
    assert len(Blocks(page).scripts) == 1


def test_hostile_texts_are_no_markup(hostile):
    trace = replace(
        hostile,
        warnings=("</script><script>owned()</script><!--",),
        model=replace(hostile.model, name="</title><script>x"),
        stop_reasons=("<img src=x onerror=owned()>",),
        silent=(SilentKnob(name="<b>", value="</script>", why="", reason="<script>alert(1)</script>"),),
    )
    page, plain = Blocks(standalone_html(trace)), Blocks(standalone_html(hostile))
    assert page.tags == plain.tags
    assert page.scripts == plain.scripts
    assert all("<" not in data for data in page.data.values())
    assert "owned()" in everything_in(standalone_html(trace))  # it is there, as data


def test_an_unknown_language_is_english(sampled):
    assert '<html lang="en">' in standalone_html(sampled, "<script>")
    assert '<html lang="zh">' in standalone_html(sampled, "zh")


# --- what must not get out -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_is_the_same_on_another_machine(sampled, tmp_path):
    """Another user, home, folder and environment; both of them carry what must not be found."""
    path = tmp_path / "planted-folder" / "run.trace"
    path.parent.mkdir()
    sampled.save(path)
    script = (
        "import os, platform, socket, sys; socket.gethostname = platform.node = lambda: 'planted-host';"
        "from decoding import load_trace; from app.standalone.page import standalone_html;"
        "sys.stdout.buffer.write(standalone_html(load_trace(sys.argv[1])).encode())"
    )
    secrets = {"HOME": str(tmp_path / "planted-home"), "USER": "planted-user", "LOGNAME": "planted-user",
               "HF_TOKEN": "hf_planted-key", "HOSTNAME": "planted-host", "PYTHONPATH": str(ROOT)}  # fmt: skip
    there = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=path.parent, env=os.environ | secrets, capture_output=True,
        timeout=300, check=True,
    )  # fmt: skip
    page = there.stdout.decode()
    text = everything_in(page)
    for planted in ("planted", str(tmp_path), f"{Path.home()}/", os.getcwd()):
        assert planted not in text
    assert page == standalone_html(sampled)


def test_of_folders_only_the_last_part_is_told(sampled):
    trace = replace(
        sampled,
        model=replace(sampled.model, name="/home/planted-user/my models/tiny", source="directory"),
        warnings=("the disk was full: /var/planted/spill.bin", r"see 'C:\Users\planted-user\a b\notes.txt'"),
        silent=(SilentKnob(name="x", value="~/planted/key", why="", reason="as in ../planted/settings.json"),),
    )
    text = everything_in(standalone_html(trace))
    assert "planted" not in text
    assert all(last in text for last in ("tiny", "…/spill.bin", "…/notes.txt", "…/key", "…/settings.json"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("and/or 5 tokens/s", "and/or 5 tokens/s"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("the token </s> ended it", "the token </s> ended it"),
        ("/opt/x/y", "…/y"),
        (r"\\server\share\x", "…/x"),
        ("file:///etc/passwd", "…/passwd"),
        ('in "/home/Jane Doe/x y"', 'in "…/x y"'),
    ],
)
def test_paths_are_told_from_other_slashes(text, shown):
    assert without_places_in(text) == shown


def test_a_folder_s_last_part_is_found_in_both_ways_of_writing():
    assert last_part("/a/b/") == last_part(r"C:\a\b") == last_part("b") == "b"


def test_prompts_and_tokens_stay_as_they_are(hostile):
    assert without_places(hostile).prompts == hostile.prompts


# --- what is in it ----------------------------------------------------------------------------------------------


def test_every_step_has_its_charts_and_scores(sampled):
    page = standalone_html(sampled)
    chunks = json.loads(Blocks(page).data["dx-steps"])
    assert list(chunks) and set(chunks) == {f"0.{step}" for step in range(len(sampled.steps))}
    for chunk in map(json.loads, map(unpacked, chunks.values())):
        assert json.loads(chunk["waterfall"])["figure"]["data"]
        assert chunk["scores"]["sample"]["scores"] == 0 and len(chunk["packed"]) == 1
    assert base_of(page)["carried"] == ""


def test_a_greedy_run_can_be_tried_as_if_it_were_drawn():
    trace = record(tiny_lm(), "the cat", Settings(max_new_tokens=2))
    page = standalone_html(trace)
    chunk = json.loads(unpacked(json.loads(Blocks(page).data["dx-steps"])["0.0"]))
    assert list(chunk["scores"]) == ["greedy", "sample"]
    assert len(chunk["packed"]) == 1  # the same scores for both


def test_a_beam_run_has_its_trees_tables_and_sums(beams):
    page = standalone_html(beams)
    base = base_of(page)
    assert len(base["trees"]) == 2 and [len(sums) for sums in base["sums"]] == [1, 1]
    chunks = {key: json.loads(unpacked(chunk)) for key, chunk in json.loads(Blocks(page).data["dx-steps"]).items()}
    for (key, chunk) in chunks.items():
        prompt, step = map(int, key.split("."))
        ranks = {str(c.rank) for c in beams.ledger.candidates(step, prompt)}
        assert set(chunk["nodes"]) == set(chunk["words"]) == ranks
        assert len(chunk["table"]["ledger"]["rows"]) == len(ranks)
    assert base["carried"] == ""


def test_a_beam_run_has_its_prompts_and_full_answers(beams):
    told = json.loads(base_of(standalone_html(beams))["answer"])
    assert [prompt["parts"][0]["text"] for prompt in told["prompts"]] == ["the cat", "a dog"]
    assert [answer["text"] for answer in told["answers"]] == [beams.text(row) for row in range(2)]


def test_a_run_whose_mode_no_slider_moves_has_none():
    groups = Settings(num_beams=4, num_beam_groups=2, diversity_penalty=0.5, max_new_tokens=3)
    page = standalone_html(record(tiny_lm(), "the cat", groups))
    assert "frame" not in base_of(page) and 'id="dx-sliders"' not in page
    chunks = json.loads(Blocks(page).data["dx-steps"]).values()
    assert all(json.loads(unpacked(chunk))["packed"] == [] for chunk in chunks)


def test_where_there_is_no_room_the_first_steps_and_the_opening_one_have_charts(sampled):
    one = max(len(chunk) for chunk in json.loads(Blocks(standalone_html(sampled)).data["dx-steps"]).values())
    page = standalone_html(sampled, most_bytes=3 * one)
    chunks, base = json.loads(Blocks(page).data["dx-steps"]), base_of(page)
    n = int(re.search(r"first (\d+) of 6", base["carried"])[1])
    assert 1 <= n < 6
    assert set(chunks) == {f"0.{step}" for step in {*range(n), base["at"]["step"]}}


def test_where_there_is_no_room_the_way_to_what_was_returned_has_charts(beams):
    page = standalone_html(beams, most_bytes=60_000)
    assert "candidates" in base_of(page)["carried"]
    best = next(h for h in beams.hypotheses if h.prompt == 0)
    chunk = json.loads(unpacked(json.loads(Blocks(page).data["dx-steps"])[f"0.{best.step}"]))
    assert str(best.rank) in chunk["nodes"]


def test_a_run_without_a_step_has_a_page():
    trace = hand_made_trace([], [])
    assert json.loads(Blocks(standalone_html(trace)).data["dx-steps"]) == {}


def test_a_step_that_was_lost_says_so(sampled, monkeypatch):
    from app.standalone import sheets
    from decoding import NotRecordedError

    def lost(look):
        raise NotRecordedError("step 0 was lost: no room in /planted/spill")

    monkeypatch.setattr(sheets, "waterfall", lost)
    chunk = json.loads(unpacked(json.loads(Blocks(standalone_html(sampled)).data["dx-steps"])["0.0"]))
    assert chunk["lost"] == "step 0 was lost: no room in …/spill"


# --- scores -------------------------------------------------------------------------------------------------------


def test_packed_scores_keep_the_head_exactly_and_count_the_others():
    scores = -np.sort(-np.random.default_rng(0).normal(0, 4, 50_000).astype(np.float32))
    packed = packed_scores(scores)
    assert len(packed["head"]) == HEAD and sum(packed["counts"]) == 50_000 - HEAD
    keys = np.cumsum([packed["head"][0], *(-d for d in packed["head"][1:])])
    bits = np.where(keys >= 1 << 31, keys - (1 << 31), (1 << 32) - 1 - keys).astype("<u4")
    assert bits.view("<f4").tolist() == scores[:HEAD].tolist()
    middles = float(scores[HEAD - 1]) - (np.cumsum(packed["gaps"]) + 0.5) * FINEST
    shown = np.repeat(middles, packed["counts"])
    assert np.abs(shown - scores[HEAD:]).max() <= FINEST / 2 + 1e-6


def test_few_scores_are_all_kept():
    scores = np.array([3.0, 1.0, 1.0, -2.5], dtype=np.float32)
    packed = packed_scores(scores)
    assert len(packed["head"]) == 4 and packed["head"][2] == 0 and packed["counts"] == []


def test_in_a_compact_trace_only_exact_scores_are_in_the_head():
    logits = [[-i / 100 for i in range(4000)]]
    trace = hand_made_trace(logits, [0], [TemperatureLogitsWarper(0.5)], texts=["x"] * 4000)
    trace = replace(trace, model=replace(trace.model, vocab_size=4000))
    from decoding.files.compact import compact

    page = standalone_html(compact(trace, head=100))
    packed = json.loads(unpacked(json.loads(Blocks(page).data["dx-steps"])["0.0"]))["packed"][0]
    assert len(packed["head"]) == 100 and sum(packed["counts"]) == 3900
    assert packed["width"] >= 0.2  # as wide as the trace's own bins


# --- commands, notebooks ------------------------------------------------------------------------------------------


def test_the_command_writes_the_page(sampled, tmp_path, capsys):
    sampled.save(tmp_path / "run.trace")
    assert main(["export", str(tmp_path / "run.trace"), "-o", str(tmp_path / "run.html"), "--lang", "zh"]) == 0
    assert (tmp_path / "run.html").read_text(encoding="utf-8") == standalone_html(sampled, "zh")


def test_to_html_gives_the_page_and_writes_it(sampled, tmp_path):
    page = sampled.to_html(tmp_path / "run.html")
    assert page == standalone_html(sampled)
    assert (tmp_path / "run.html").read_bytes().decode() == page


def test_a_notebook_gets_the_page_in_a_frame_that_can_touch_nothing(hostile):
    shown = hostile._repr_html_()
    assert shown == notebook_html(hostile)

    class Frame(HTMLParser):
        found: list = []

        def handle_starttag(self, tag, attrs):
            self.found.append((tag, dict(attrs)))

    frame = Frame()
    frame.feed(shown)
    assert [tag for tag, _ in frame.found] == ["iframe"]
    attributes = frame.found[0][1]
    assert attributes["sandbox"] == "allow-scripts allow-downloads"
    assert attributes["srcdoc"] == standalone_html(hostile)


def test_in_a_terminal_a_trace_is_a_few_lines(sampled, beams):
    lines = repr(sampled).splitlines()
    assert lines[0].startswith("Trace of ") and "sample, 6 steps" in lines[1] and "max_length" in lines[1]
    assert lines[2].strip() == f"text   {sampled.text()!r}" and len(lines) == 3
    assert repr(beams).count("text   ") == 2
    odd = replace(sampled, model=replace(sampled.model, name="\x1b[2Jx\nTrace"))
    assert len(repr(odd).splitlines()) == 3 and "\x1b" not in repr(odd)


def test_without_the_page_s_code_a_notebook_shows_the_lines(sampled, monkeypatch):
    monkeypatch.setattr(trace_display, "_renderer", None)
    monkeypatch.setitem(sys.modules, "decoding_explorer.standalone.page", None)  # any import of it raises ImportError
    assert sampled._repr_html_().startswith("<pre>Trace of ")
    with pytest.raises(DecodingError, match=r'pip install "decoding-explorer\[app\]"'):
        sampled.to_html()


def test_a_drawing_that_fails_leaves_the_lines(sampled, monkeypatch):
    def broken(trace):
        raise ValueError("a bug")

    monkeypatch.setattr(trace_display, "_renderer", trace_display.Renderer(page=broken, notebook=broken))
    assert sampled._repr_html_() is None


# --- the heat map -----------------------------------------------------------------------------------------


def maps_in(page: str) -> dict[str, dict]:
    maps = json.loads(Blocks(page).data["dx-maps"])
    return {name: json.loads(unpacked(text)) for name, text in maps.items() if name.startswith("heat.")}


def test_the_heat_map_of_each_row_and_of_each_prompts_beams_is_in_the_page(beams):
    rows = record(tiny_lm(), "the cat", Settings(do_sample=True, seed=1, num_return_sequences=2, max_new_tokens=5))
    page = standalone_html(rows)
    found = maps_in(page)
    assert set(found) == {"heat.0", "heat.1"}
    frame = json.loads(base_of(page)["heat"])
    for row in range(2):
        told = found[f"heat.{row}"]
        assert (told["place"], told["from"], told["whole"], told["key"]) == (row, 0, True, frame["key"])
        live = [step.token_ids[row] for step in rows.steps if not step.ended[row]]
        assert [column["at"]["id"] for column in told["columns"]] == live
    of_beams = maps_in(standalone_html(beams))
    assert {name: len(told["columns"]) for name, told in of_beams.items()} == {"heat.0": 5, "heat.1": 5}


def test_the_map_of_settings_is_in_the_page_for_every_step_and_for_the_run(sampled, beams):
    blocks = Blocks(standalone_html(sampled))
    chunks = json.loads(blocks.data["dx-steps"])
    run = json.loads(unpacked(json.loads(blocks.data["dx-maps"])["settings.0"]))
    assert run["wish"]["scope"] == "run" and run["grid"]["n"] == len(sampled.steps)
    for step in range(len(sampled.steps)):
        sheet = json.loads(json.loads(unpacked(chunks[f"0.{step}"]))["map"])
        assert sheet["wish"]["scope"] == "step" and sheet["whole"]
        tried = sampled.whatif(Settings(do_sample=True, temperature=0.5, top_p=0.9))
        kept = int(tried.scores(step=step).isfinite().sum())
        line, column = sheet["grid"]["temperatures"].index(0.5), sheet["grid"]["top_ps"].index(0.9)
        assert sheet["grid"]["left"][line][column] == kept
    assert set(json.loads(Blocks(standalone_html(beams)).data["dx-maps"])) == {"heat.0", "heat.1"}


def test_a_map_that_finds_no_room_is_left_out_before_the_charts_are(sampled):
    page = standalone_html(sampled, most_bytes=100)
    assert not maps_in(page) and "heat" not in base_of(page)


def test_a_forks_page_counts_on_and_shows_what_was_taken_by_hand(sampled):
    lm = tiny_lm()
    first = record(lm, "the cat", Settings(max_new_tokens=9, eos_token_id=[250]))
    base = base_of(standalone_html(fork(first, lm, step=3, token_id=5)))
    row = json.loads(base["row"]["data"])
    assert row["first_step"] == json.loads(base["heat"])["first_step"] == 4
    assert [cell["taken"] for cell in row["rows"][0]["prompt"]][-4:] == ["over"] * 3 + ["by_hand"]
    assert "step 5" in json.loads(base["row"]["lines"].splitlines()[0])["tip"]
