"""The run as plain text, and what the next one will take."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.handlers.live_text import LiveText
from app.runs import Run, Runs
from app.sheets.answer import answer
from app.sheets.estimate import estimate_sheet
from app.text import Text
from app.views.answer import answers, asked, row_text
from app.views.estimate import known_of
from app.views.look import Look
from decoding import Settings, record
from decoding.fork import fork
from tests.hand_made import HOSTILE, hand_made_trace
from tests.tiny_models import tiny_lm
from tests.tiny_tokenizers import tiny_lm_of

EN = Text("en")


@pytest.fixture(scope="module")
def samples():
    """Two prompts, two answers each."""
    settings = Settings(do_sample=True, num_return_sequences=2, max_new_tokens=6, seed=3)
    return record(tiny_lm(), ["the cat", "a\ndog"], settings)


def sheet(trace) -> dict:
    return answer(Look.opened(trace, Runs(trace, "tiny"), EN))["data"]


# -- the text


def test_every_row_of_every_prompt_is_an_answer_in_full(samples):
    found = answers(samples)
    assert [(a.prompt, a.place) for a in found] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [a.text for a in found] == [samples.text(row) for row in range(4)]
    assert [prompt.parts for prompt in asked(samples)] == [(("", "the cat"),), (("", "a\ndog"),)]
    assert all(prompt.goes_on for prompt in asked(samples))


def test_beam_answers_come_best_first_with_their_score_and_where_they_end():
    trace = record(tiny_lm(), "the cat", Settings(num_beams=3, num_return_sequences=2, max_new_tokens=5))
    first, second = answers(trace)
    assert [first.text, second.text] == [trace.text(0), trace.text(1)] and first.score >= second.score
    assert first.at == (trace.hypotheses[0].step, trace.hypotheses[0].rank)
    assert sheet(trace)["answers"][0]["detail"].startswith("score −")


def test_a_fork_says_what_it_took_over_and_its_prompt_is_the_first_runs(samples):
    lm = tiny_lm()
    first = record(lm, "the cat", Settings(max_new_tokens=6))
    other = 7 if first.steps[3].token_ids[0] != 7 else 8
    forked = fork(first, lm, step=3, token_id=other)
    assert asked(forked)[0].parts == (("", "the cat"),)
    kept = [step.token_ids[0] for step in first.steps[:3]]
    assert answers(forked)[0].text.startswith(first.tokens.plain([*kept, other]))


def test_what_an_encoder_read_is_the_prompt_and_the_answer_does_not_go_on_from_it():
    lm = tiny_lm_of("t5", "t5")
    trace = record(lm, "the cat", Settings(max_new_tokens=3))
    assert asked(trace)[0].parts == (("", "the cat"),) and not asked(trace)[0].goes_on


def test_messages_keep_their_roles_also_where_they_are_of_several_parts(samples):
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Hi?"}]}]
    trace = replace(samples, messages=(chat, chat))
    assert asked(trace)[0].parts == (("system", "Be brief."), ("user", "Hi?"))
    assert [part["who"] for part in sheet(trace)["prompts"][0]["parts"]] == ["System", "You"]


def test_a_trace_without_a_tokenizer_is_told_in_ids(samples):
    assert answers(replace(samples, tokens=None))[0].text.startswith("#")


def test_a_run_without_steps_has_its_prompt_and_no_text(samples):
    data = sheet(replace(samples, steps=()))
    assert data["prompts"][0]["parts"][0]["text"] == "the cat" and {a["text"] for a in data["answers"]} == {""}


def test_hostile_tokens_are_told_as_they_are():
    trace = hand_made_trace([[0.0] * 8] * 8, list(range(8)), texts=HOSTILE)
    assert answers(trace)[0].text == "".join(HOSTILE)


# -- while it comes in


def told(lines: str, texts: list[str]) -> list[str]:
    """What the page makes of the lines."""
    for line in map(json.loads, lines.splitlines()):
        texts[line["row"]] = texts[line["row"]][: line["keep"]] + line["text"]
    return texts


def test_pieces_of_a_stream_add_up_to_the_whole_text_with_characters_of_several_tokens():
    texts = ["a", "🐟".encode()[:2], "🐟".encode()[2:], " b", "\n"]
    trace = hand_made_trace([[0.0] * 5] * 5, [1, 2, 3, 4, 0], texts=texts)
    live, said = LiveText(trace), [row_text(trace, 0, [])]
    for step in trace.steps:
        live.take(0, step.token_ids[0])
        said = told(live.lines, [row_text(trace, 0, [])])
    assert said == [trace.text(0)] == ["🐟 b\na"]


def test_lines_of_a_stream_only_grow(samples):
    live, before = LiveText(samples), ""
    for step in samples.steps:
        for row in range(4):
            live.take(row, step.token_ids[row])
        assert live.lines.startswith(before)
        before = live.lines
    assert told(before, [""] * 4) == [samples.text(row) for row in range(4)]


# -- what the next run takes


def test_a_recording_of_this_machine_tells_size_and_pace(samples):
    run = Run(trace=samples, model_name="tiny")
    known = known_of([run], "tiny")
    each = len(samples.steps) * 4
    assert known.vocab == samples.model.vocab_size
    assert known.bytes_per_score == pytest.approx(samples.nbytes / (each * known.vocab))
    assert known.seconds_per_row == pytest.approx(samples.seconds / each)


def test_an_example_tells_nothing_of_the_pace_and_another_model_nothing_at_all(samples):
    runs = [Run(trace=samples, model_name="tiny", origin="example")]
    assert known_of(runs, "tiny").seconds_per_row is None
    assert known_of(runs, "other") is None
    assert known_of(runs, "other", 1000, 2).bytes_per_score == 2


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_fills_in_what_it_computes(lang):
    words = estimate_sheet(None, Text(lang), model="tiny", in_memory=1)["words"]
    assert all(field in words["takes"] for field in ("{tokens}", "{rows}", "{vocab}", "{size}"))
