"""Bytes of one character are read as the character wherever a text is made of tokens; an encoder's source is shown."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
import torch
from transformers.generation import LogitsProcessor, LogitsProcessorList

from app.components.drawn import as_json
from app.export.trace_csv import write_ledger_csv, write_steps_csv
from app.export.trace_json import write_json
from app.handlers.live_tokens import LiveRow
from app.runs import Runs
from app.session.session import Session
from app.sheets.token_row import prompt_words, source_words, token_row
from app.standalone.page import standalone_html
from app.text import Text
from app.views.beam_tree import beam_tree
from app.views.compare import compare_view
from app.views.facts import facts_rows
from app.views.hypothesis_sum import hypothesis_sum
from app.views.ledger_table import ledger_rows
from app.views.pool_table import pool_view
from app.views.runs import LONGEST_LINE, run_lines
from app.views.token_row import row_view, token_cells
from app.views.token_text import cut, split_text, tokens_within, whole_text, whole_texts
from app.views.whatif import replay_view
from decoding import Recorder, Settings, load_trace, record
from decoding.fork import fork
from tests.hand_made import hand_made_trace
from tests.tiny_models import tiny_lm, tiny_model
from tests.tiny_tokenizers import tiny_lm_of

EN = Text("en")
SAYS = "北 🙂é!"
BEI = ("‹E5›", "‹8C›", "‹97›")


class Towards(LogitsProcessor):
    """Makes one continuation by far the likeliest."""

    def __init__(self, start: int, ids: list[int]) -> None:
        self.start, self.ids = start, ids

    def __call__(self, input_ids, scores):
        out, place = scores.clone(), input_ids.shape[1] - self.start
        if place < len(self.ids):
            out[:, self.ids[place]] += 200
        return out


def saying(text: str, prompt: str = "the cat", **how):
    """A real run of a tiny model that is made to say a text; each byte of it that is not ASCII is a token."""
    lm = tiny_lm()
    inputs = lm.tokenizer(prompt, return_tensors="pt")
    ids = lm.tokenizer(text, add_special_tokens=False).input_ids
    recorder = Recorder(tokenizer=lm.tokenizer)
    lm.model.generate(
        **inputs, max_new_tokens=len(ids), custom_generate=recorder, do_sample=False, eos_token_id=[319],
        logits_processor=LogitsProcessorList([Towards(inputs.input_ids.shape[1], ids)]), **how,
    )  # fmt: skip
    return recorder.trace


@pytest.fixture(scope="module")
def trace():
    return saying(SAYS)


@pytest.fixture(scope="module")
def beams():
    return saying(SAYS, num_beams=2)


@pytest.fixture(scope="module")
def t5():
    lm = tiny_lm_of("t5", "t5")
    return lm, record(lm, "the Ж cat", Settings(max_new_tokens=4))


def chosen(trace) -> list[int]:
    return [step.token_ids[0] for step in trace.steps]


# ---- texts of several tokens


def test_a_text_of_tokens_is_read_as_characters(trace):
    ids = chosen(trace)
    assert len(ids) == len(SAYS.encode())
    assert whole_texts(trace, ids) == ("北", "␣", "🙂", "é", "!")
    assert whole_text(trace, ids) == "北␣🙂é!"
    assert tokens_within(trace, ids)[:4] == ("北 ‹E5›", "北 ‹8C›", "北 ‹97›", "␣")
    assert trace.text() == SAYS


def test_a_character_over_a_border_is_in_the_part_that_completes_it(trace):
    ids = chosen(trace)
    assert split_text(trace, ids, [3]) == (("北",), ("␣", "🙂", "é", "!"))
    for border in (1, 2):
        assert split_text(trace, ids, [border]) == ((), ("北", "␣", "🙂", "é", "!"))
    assert split_text(trace, [], [0]) == ((), ())


def test_a_text_is_cut_between_characters(trace):
    ids = chosen(trace)
    assert [len(cut(trace, ids, most)) for most in (0, 1, 2, 3, 4, 5, 7, 8, 99)] == [0, 0, 0, 3, 4, 4, 4, 8, len(ids)]


def test_without_a_tokenizer_ids_stand_for_themselves():
    lm = tiny_lm()
    recorder = Recorder()
    lm.model.generate(**lm.tokenizer("a", return_tensors="pt"), max_new_tokens=2, custom_generate=recorder)
    assert whole_text(recorder.trace, [3, 300]) == "#3 #300"


# ---- where they are shown


def test_the_runs_list_says_characters_and_a_fork_marks_the_one_that_it_changes(trace):
    lm = tiny_lm()
    runs = Runs(trace, "tiny")
    assert run_lines(runs)[0].fresh == ("北", "␣", "🙂", "é", "!")
    last = lm.tokenizer.convert_tokens_to_ids("ĸ")  # 0x96 instead of 0x97
    other = fork(trace, lm, step=2, token_id=last, settings=Settings(max_new_tokens=4))
    runs.add(other, "tiny", taken_from=runs.active)
    line = run_lines(runs)[1]
    assert (line.shared, line.forked, line.instead_of) == ((), "化", "‹97›")


def test_a_long_run_says_how_many_tokens_are_left_out():
    trace = hand_made_trace([[0.0] * 4] * 402, [i % 3 for i in range(402)], texts=[b"\xe5", b"\x8c", b"\x97", "x"])
    line = run_lines(Runs(trace, "made"))[0]
    assert line.more == 402 - LONGEST_LINE // 3 * 3 and line.fresh == ("北",) * (LONGEST_LINE // 3)


def test_the_token_row_knows_which_tokens_form_a_character(trace):
    cells = row_view(trace, 0).generated
    assert [cell.group for cell in cells] == [(0, 2)] * 3 + [None] + [(4, 7)] * 4 + [(8, 9)] * 2 + [None]
    assert [cell.text for cell in cells[:3]] == list(BEI) and {cell.joined for cell in cells[:3]} == {"北"}
    line = token_row(Session(trace).look)["lines"][1]
    assert (line["text"], line["group"], line["joined"], line["name"]) == ("‹8C›", (0, 2), "北", "‹8C›, part of 北")


def test_a_prompt_shows_its_characters_and_tells_their_tokens():
    trace = saying("!", prompt="北a")
    words = prompt_words(row_view(trace, 0).prompt, EN)
    assert [(cell["text"], cell["kind"]) for cell in words] == [("北", "joined"), ("a", "plain")]
    assert words[0]["tip"].startswith("3 tokens make this character:\n‹E5› · id ")


def test_a_character_that_begins_in_the_prompt_is_known_on_both_sides(trace):
    ids = chosen(trace)
    prompt = token_cells(trace.tokens, ids[:1], after=ids[1:])
    rest = token_cells(trace.tokens, ids[1:], begin=0, before=ids[:1])
    assert (prompt[0].joined, prompt[0].group) == ("北", (0, 0))
    assert [(cell.joined, cell.group) for cell in rest[:3]] == [("北", (0, 1))] * 2 + [("␣", None)]


@pytest.mark.parametrize("text", [SAYS * 3, "北京🙂🙃é" * 4])
def test_while_it_streams_the_row_comes_to_say_what_it_says_afterwards(text):
    trace = saying(text)
    session = Session(trace)
    live = LiveRow(session, lambda: trace)
    for step in trace.steps:
        live.take(step)
    last = {}
    for line in "".join(live._lines).splitlines():
        cell = json.loads(line)
        last[cell["step"]] = cell
    whole = token_row(session.look)["lines"]
    assert [last[i] for i in range(len(whole))] == json.loads(as_json(whole))


def test_the_beam_search_s_tables_and_tree_name_the_character_that_a_token_completes(beams):
    best = beams.hypotheses[0]
    assert beams.text(0) == SAYS
    path = beams.ledger.path(best.step, 0, best.rank)
    wanted = ["‹E5›", "‹8C›", "北 ‹97›", "␣", "‹F0›", "‹9F›", "‹99›", "🙂 ‹82›", "‹C3›", "é ‹A9›", "!"]
    tree = beam_tree(beams)
    assert [tree.node(step, rank).text for step, rank in path] == wanted
    rows = [{row.rank: row for row in ledger_rows(beams, step)} for step in range(len(beams.steps))]
    assert [rows[step][rank].text for step, rank in path] == wanted
    assert rows[3][path[3][1]].after == "北 ‹97›"
    last = len(beams.steps) - 1
    assert pool_view(beams, last).rows[0].text == "北␣🙂é!"
    terms = hypothesis_sum(beams, beams.hypotheses[0]).terms
    assert [term.text for term in terms][:3] == ["北 ‹E5›", "北 ‹8C›", "北 ‹97›"]


def test_reranked_answers_are_read_as_characters():
    lm = tiny_lm()
    first, second = lm.tokenizer("é", add_special_tokens=False).input_ids
    given = {"num_beams": 2, "max_new_tokens": 4, "sequence_bias": {(first,): 60.0, (first, second): 120.0}}
    trace = record(lm, "the", Settings(**given))
    view = replay_view(trace, trace.whatif(Settings(**given, length_penalty=2.0)).replay, 0)
    assert trace.text() == "éé" and view.answers[0].text == "éé"


def test_two_runs_are_compared_character_by_character(trace):
    other = saying(SAYS.replace("é", "è"))
    runs = Runs(trace, "one")
    runs.add(other, "one")
    view = compare_view(runs, *runs)
    columns = [([c.text for c in column.a], [c.text for c in column.b], column.same) for column in view.columns]
    assert columns[:3] == [(["北", "", ""],) * 2 + (True,), (["␣"],) * 2 + (True,), (["🙂", "", "", ""],) * 2 + (True,)]
    assert columns[3:5] == [(["é ‹C3›"], ["è ‹C3›"], True), (["é ‹A9›"], ["è ‹A8›"], False)]
    assert view.parting.place == 9


def test_exports_say_which_character_a_token_completes(trace, beams):
    file = io.StringIO()
    write_json(trace, file)
    tokens = json.loads(file.getvalue())["answers"][0]["tokens"]
    assert [token.get("completes") for token in tokens[:4]] == [None, None, "北", None]
    for written, run in ((write_steps_csv, trace), (write_ledger_csv, beams)):
        file = io.StringIO()
        written(run, file)
        rows = list(csv.DictReader(io.StringIO(file.getvalue())))
        assert {row["completes"] for row in rows} >= {"", "北", "🙂", "é"}
        assert {row["token"] for row in rows if row["completes"] == "北"} == {"‹97›"}


# ---- what an encoder read


def test_the_row_of_an_encoder_decoder_begins_with_its_source(t5, tmp_path):
    lm, trace = t5
    trace.save(tmp_path / "run.trace")
    for run in (trace, load_trace(tmp_path / "run.trace")):
        view = row_view(run, 0)
        assert [cell.text for cell in view.source] == ["␣the", "␣", "<unk>", "␣cat", "</s>"]
        assert [cell.text for cell in view.prompt] == ["<pad>"]
        words = source_words(view, EN)
        assert [cell["text"] for cell in words["tokens"]] == [cell.text for cell in view.source]
        frame = token_row(Session(run).look)["data"]
        assert frame["rows"][0]["source"] == words


def test_a_file_with_fewer_sources_than_prompts_can_be_looked_at(t5):
    _, trace = t5
    damaged = replace(trace, encoder_ids=trace.encoder_ids[:0], encoder_mask=trace.encoder_mask[:0])
    assert row_view(damaged, 0).source == ()
    assert {fact["label"]: fact["value"] for fact in facts_rows(damaged, EN)}["encoder read"] == "not recorded"


def test_padding_is_no_part_of_a_source(t5):
    lm, _ = t5
    trace = record(lm, ["the cat sat on the mat", "cat"], Settings(do_sample=True, seed=1, num_return_sequences=2,
                                                                  max_new_tokens=2))  # fmt: skip
    assert [[cell.text for cell in row_view(trace, row).source] for row in (2, 3)] == [["␣cat", "</s>"]] * 2


def test_the_facts_and_the_standalone_page_say_what_the_encoder_read(t5):
    _, trace = t5
    facts = {fact["label"]: fact for fact in facts_rows(trace, EN)}
    assert facts["encoder read"]["value"] == "␣the␣<unk>␣cat</s>"
    assert "5" in facts["encoder read"]["tip"]
    assert "encoder read" not in {fact["label"] for fact in facts_rows(saying("!"), EN)}
    assert standalone_html(trace)


def test_a_drop_in_recording_that_does_not_know_its_source_says_so():
    model = tiny_model("bart")
    recorder = Recorder()
    model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=2, custom_generate=recorder)
    trace = recorder.trace
    facts = {fact["label"]: fact["value"] for fact in facts_rows(trace, EN)}
    known = trace.encoder_ids is not None
    assert facts["encoder read"] == ("#5 #6 #7" if known else "not recorded")
    assert len(row_view(trace, 0).source) == 3 * known
