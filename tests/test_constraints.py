"""Constrained decoding: what a run may say, what generate() gives with the same processor, and what is told of it."""

from __future__ import annotations

import json
import math
import re
import sys
import threading
import time

import pytest
import torch
from transformers.generation import LogitsProcessor, LogitsProcessorList

from decoding import Recorder, RecordingError, SettingError, Settings, load_trace, record, verify
from decoding.constraints import GrammarConstraint, JsonSchemaConstraint, RegexConstraint
from decoding.constraints import compiled as compiling
from decoding.constraints.texts import LONGEST_TEXT, MOST_DEPTH
from decoding.fork import fork
from decoding.recorded.constrained import constrained_stage, forbidden_at, log_mass_left
from decoding.tokens.known_tables import table_of
from tests.tiny_models import tiny_lm

pytest.importorskip("xgrammar")

PROMPT = "The cat sat on"
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 6}, "age": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["name", "age"],
}
MODES = {
    "greedy": {},
    "sample": {"do_sample": True, "seed": 3, "temperature": 1.3, "top_k": 40, "top_p": 0.95, "min_p": 0.01},
    "several": {"do_sample": True, "seed": 3, "num_return_sequences": 3},
    "beams": {"num_beams": 3, "num_return_sequences": 3},
    "beam_sample": {"num_beams": 3, "do_sample": True, "seed": 5},
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.7},
}
GIVEN = {
    "json_schema": SCHEMA,
    "regex": "(yes|no|[0-9]{3}-[a-f]+)!",
    "grammar": 'root ::= item ("," item)*\nitem ::= [a-z]{1,4} | "(" root ")"',
}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def texts_of(trace):
    if trace.ledger is not None:
        return [trace.text(row) for row in range(len(trace.hypotheses)) if trace.hypotheses[row].finished]
    return [trace.text(row) for row in range(trace.n_rows) if trace.stop_reasons[row] == "eos"]


# --- the same as generate() with the same processor -----------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("constraint", GIVEN)
def test_a_constrained_run_is_generate_s_bit_for_bit(tiny, constraint, mode):
    prompts = ["The cat sat on", "A dog"] if mode != "groups" else PROMPT
    settings = Settings(**MODES[mode], **{constraint: GIVEN[constraint]}, max_new_tokens=12)
    trace = record(tiny, prompts, settings)
    assert [stage.name for stage in trace.stages if stage.own] == []
    got = verify(trace, tiny)
    assert got.grade == "bits", got.text


@pytest.mark.parametrize("mode", ["greedy", "sample", "beams"])
def test_the_processor_alone_makes_generate_do_what_record_does(tiny, mode):
    given = {name: value for name, value in MODES[mode].items() if name != "seed"}
    inputs = tiny.tokenizer(["The cat sat on", "A dog"], return_tensors="pt", padding=True)
    only = RegexConstraint(GIVEN["regex"], tiny.tokenizer, num_beams=given.get("num_beams", 1))

    def generate(**more):
        torch.manual_seed(3)
        return tiny.model.generate(
            **inputs, **given, logits_processor=[only], max_new_tokens=9, output_scores=True,
            return_dict_in_generate=True, **more,
        )  # fmt: skip

    plain, again = generate(), generate(custom_generate=(recorder := Recorder(tokenizer=tiny.tokenizer)))
    assert torch.equal(plain.sequences, again.sequences)
    assert all(torch.equal(a, b) for a, b in zip(plain.scores, again.scores, strict=True))
    own = [stage.own for stage in recorder.trace.stages if stage.name == "RegexConstraint"]
    assert own == [True]
    if mode == "sample":
        settings = Settings(**MODES[mode], regex=GIVEN["regex"], max_new_tokens=9)
        ours = record(tiny, ["The cat sat on", "A dog"], settings)
        assert torch.equal(ours.sequences, plain.sequences)


def test_the_constraint_stands_after_penalties_and_before_truncation(tiny):
    settings = Settings(
        do_sample=True, seed=0, top_p=0.9, temperature=0.7, repetition_penalty=1.2, regex="[a-z]+", max_new_tokens=3
    )
    names = [stage.name for stage in record(tiny, PROMPT, settings).stages]
    assert names[:3] == ["RepetitionPenaltyLogitsProcessor", "RegexConstraint", "TemperatureLogitsWarper"]


# --- what comes out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_every_finished_text_is_one_that_was_asked_for(tiny, mode):
    trace = record(tiny, PROMPT, Settings(**MODES[mode], regex="(yes|no|[0-9]{1,2}-[a-f])!", max_new_tokens=16))
    finished = texts_of(trace)
    assert finished
    assert all(re.fullmatch("(yes|no|[0-9]{1,2}-[a-f])!", text) for text in finished), finished


def test_tokens_that_are_part_of_a_character_form_whole_ones(tiny):
    settings = Settings(regex="[\u4e00-\u4e10]{2}\U0001f600é", do_sample=True, seed=1, max_new_tokens=30)
    trace = record(tiny, PROMPT, settings)
    assert trace.stop_reason == "eos"
    assert re.fullmatch("[\u4e00-\u4e10]{2}\U0001f600é", trace.text())
    assert len(trace.steps) == 3 + 3 + 4 + 2 + 1  # a byte each, and the end
    assert trace.tokens.is_partial(trace.steps[0].token_ids[0])


def test_an_expression_that_only_the_empty_text_matches_ends_at_once(tiny):
    trace = record(tiny, PROMPT, Settings(regex=""))
    assert (trace.text(), trace.stop_reason, len(trace.steps)) == ("", "eos", 1)


def test_an_empty_schema_takes_any_json(tiny):
    trace = record(tiny, PROMPT, Settings(json_schema={}, do_sample=True, seed=2, max_new_tokens=40))
    after = trace.scores(step=0)
    assert 0 < int((after > -math.inf).sum()) < len(after)
    starts = {tiny.tokenizer.decode([i])[:1] for i in (after > -math.inf).nonzero().flatten().tolist()}
    assert starts <= set(' \n\t\r"{[-0123456789tfn')
    assert {'"', "{", "[", "t"} <= starts


def test_special_tokens_are_no_characters_of_a_text(tiny):
    trace = record(tiny, PROMPT, Settings(regex=".*", do_sample=True, seed=2, max_new_tokens=4))
    special = [i for i in range(trace.model.vocab_size) if trace.tokens.is_special(i)]
    ends = trace.generation_config["eos_token_id"]
    after = trace.scores(step=1, stage=constrained_stage(trace))
    assert [i for i in special if after[i] > -math.inf] == [ends]


def test_every_end_token_of_a_model_may_end_the_text(tiny):
    trace = record(tiny, PROMPT, Settings(regex="a", eos_token_id=[2, 3], max_new_tokens=4))
    after = trace.scores(step=len(trace.steps) - 1)
    assert (after > -math.inf).nonzero().flatten().tolist() == [2, 3]


def test_a_finished_row_of_a_batch_waits_for_the_others(tiny):
    trace = record(tiny, PROMPT, Settings(
        regex="a|b{6}", do_sample=True, seed=1, num_return_sequences=6, temperature=3.0, max_new_tokens=10
    ))  # fmt: skip
    assert {trace.text(row) for row in range(6)} == {"a", "bbbbbb"}
    assert set(trace.stop_reasons) == {"eos"}


def test_an_encoder_decoder_is_held_to_it_too():
    lm = tiny_lm("t5")
    trace = record(lm, PROMPT, Settings(regex="[0-9]{3}", max_new_tokens=8))
    assert re.fullmatch("[0-9]{3}", trace.text())
    assert verify(trace, lm).grade == "bits"


# --- where there is no way on ---------------------------------------------------------------------------------------


def test_a_dead_end_is_told_and_what_was_recorded_is_kept(tiny):
    with pytest.raises(RecordingError, match="nothing that token 3 of row 1 could be: no token") as caught:
        record(tiny, PROMPT, Settings(grammar='root ::= "a" "b" never\nnever ::= never'))
    assert caught.value.trace.text() == "ab"
    assert caught.value.trace.scores(step=1).isfinite().sum() == 1


def test_a_banned_end_is_told_as_what_it_is(tiny):
    with pytest.raises(RecordingError, match="the text is complete, and an earlier processor") as caught:
        record(tiny, PROMPT, Settings(regex="ab", min_new_tokens=20, max_new_tokens=30))
    assert caught.value.trace.text() == "ab"
    assert caught.value.trace.stop_reason == "error"


def test_a_beam_without_a_way_on_is_dropped_while_others_go_on(tiny):
    settings = Settings(regex="a|b|cc*", num_beams=3, min_new_tokens=4, max_new_tokens=8)
    trace = record(tiny, PROMPT, settings)
    assert all(re.fullmatch("c+", trace.text(i)) for i in range(len(trace.hypotheses)))
    with pytest.raises(RecordingError, match="the text is complete"):
        record(tiny, PROMPT, Settings(regex="a|b", num_beams=3, min_new_tokens=4, max_new_tokens=8))


def test_a_beam_without_a_way_on_ends_no_search_that_has_found_something(tiny):
    dead_end = 'root ::= "a" | "\u4e2d" never\nnever ::= never'  # three bytes, and then nothing
    trace = record(tiny, PROMPT, Settings(grammar=dead_end, num_beams=2, max_new_tokens=9))
    assert trace.text(0) == "a"


def test_a_processor_that_takes_what_is_forbidden_is_told(tiny):
    class Forces(LogitsProcessor):
        def __call__(self, input_ids, scores):
            return torch.full_like(scores, -math.inf).index_fill(1, torch.tensor([9]), 0.0)

    with pytest.raises(RecordingError, match="token 1 of row 1 is none that regex allows"):
        record(tiny, PROMPT, Settings(regex="[0-9]{4}"), logits_processor=LogitsProcessorList([Forces()]))


def test_a_model_without_an_end_token_is_refused():
    lm = tiny_lm()
    lm.model.generation_config.eos_token_id = None
    with pytest.raises(SettingError, match="left out for a model without an end token"):
        record(lm, PROMPT, Settings(regex="a"))


def test_contrastive_search_is_refused():
    with pytest.raises(SettingError, match="regex must be left out in contrastive search"):
        Settings(regex="a", penalty_alpha=0.5, top_k=4)


# --- what is given ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"regex": "a", "grammar": 'root ::= "a"'}, "grammar must be left out where regex is given"),
        ({"json_schema": {}, "regex": "a"}, "regex must be left out where json_schema is given"),
        ({"json_schema": "{"}, "json_schema must be a JSON schema, got '{'; it is no JSON"),
        ({"json_schema": "[1]"}, "json_schema must be a JSON schema"),
        ({"json_schema": "3"}, "json_schema must be a JSON schema"),
        ({"json_schema": {"a": {1, 2}}}, "it is no JSON"),
        ({"json_schema": {"a": math.nan}}, "it is no JSON"),
        ({"json_schema": 3}, "json_schema must be a text"),
        ({"regex": 3}, "regex must be a text"),
        ({"regex": ["a"]}, "regex must be a text"),
        ({"regex": "\ud800"}, "regex must be a text of whole characters"),
        ({"regex": "a\0b"}, "regex must be a text of whole characters"),
        ({"regex": "a" * (LONGEST_TEXT + 1)}, "at most 8000 characters long"),
        ({"regex": "a{1,999999}"}, "nothing is counted beyond 100,000"),
        ({"regex": "a{99999999999999999999999}"}, "nothing is counted beyond 100,000"),
        ({"json_schema": {"type": "array", "maxItems": 10**9}}, "nothing is counted beyond 100,000"),
        ({"json_schema": "[" * 5000}, "it is no JSON"),
        ({"json_schema": '{"a":' * (MOST_DEPTH + 1) + "1" + "}" * (MOST_DEPTH + 1)}, "objects and lists deep"),
        ({"grammar": "  "}, "grammar must be a text"),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_junk_is_refused_where_it_is_given(given, says):
    with pytest.raises(SettingError) as caught:
        Settings(**given)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"regex": "(["}, "a regular expression that xgrammar can read, got '(['; it found: Regex parsing error"),
        ({"regex": "(?=a)b"}, "Lookahead is not supported"),
        ({"grammar": "root ::= foo"}, 'Rule "foo" is not defined'),
        ({"grammar": 'x ::= "a"'}, 'The root rule with name "root" is not found'),
        ({"json_schema": {"type": "frob"}}, 'Unsupported type "frob"'),
        ({"json_schema": False}, "Schema 'false' cannot accept any value"),
        ({"json_schema": {"type": "array", "minItems": 3, "maxItems": 2}}, "minItems is greater than maxItems"),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_what_xgrammar_cannot_read_is_told_before_the_first_step(tiny, given, says):
    with pytest.raises(SettingError) as caught:
        record(tiny, PROMPT, Settings(**given))
    assert says in str(caught.value)
    assert "/project/" not in str(caught.value)


def test_a_compile_that_takes_too_long_is_given_up(tiny, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def slow(xgrammar, name, text, info):
        begun.set()
        go_on.wait(30)

    monkeypatch.setattr(compiling, "_compile", slow)
    monkeypatch.setattr(compiling, "MOST_SECONDS", 0.2)
    monkeypatch.setattr(compiling, "_turns", threading.BoundedSemaphore(1))
    began = time.monotonic()
    try:
        for text in ("slow", "waits behind it"):
            with pytest.raises(SettingError, match="compiled within 0.2 seconds"):
                record(tiny, PROMPT, Settings(regex=text))
        assert begun.is_set()
        assert time.monotonic() - began < 10
    finally:
        go_on.set()


def test_without_xgrammar_it_is_said_how_to_get_it(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgrammar", None)
    with pytest.raises(SettingError, match=r"where xgrammar is not installed.*decoding-explorer\[constrained\]"):
        record(tiny, PROMPT, Settings(regex="never compiled before"))


def test_the_processors_check_what_they_are_given(tiny):
    with pytest.raises(SettingError, match="num_beams must be a whole number >= 1"):
        RegexConstraint("a", tiny.tokenizer, num_beams=0)
    with pytest.raises(SettingError, match="tokenizer must be a tokenizer"):
        JsonSchemaConstraint({}, "gpt2")
    with pytest.raises(SettingError, match="grammar must be a text"):
        GrammarConstraint(None, tiny.tokenizer)


# --- what is recorded -------------------------------------------------------------------------------------------------


def test_what_was_forbidden_is_counted_from_the_recorded_scores(tiny):
    trace = record(tiny, PROMPT, Settings(regex="[0-9]{3}", do_sample=True, top_k=0, seed=1, max_new_tokens=6))
    stage, total = constrained_stage(trace), 0.0
    for step in trace.steps:
        before, after = step.scores(stage=stage - 1), step.scores(stage=stage)
        found = forbidden_at(step)
        p, gone = before.double().softmax(-1), after == -math.inf
        assert found.n == int(gone.sum())
        assert math.isclose(found.mass, float(p[gone].sum()), rel_tol=1e-9)
        assert math.isclose(found.log_mass_left, math.log(float(p[~gone].sum())), rel_tol=1e-9)
        assert found.wanted == int(before.argmax())
        assert found.wanted_forbidden == bool(gone[found.wanted])
        total += math.log(float(p[~gone].sum()))
    assert math.isclose(log_mass_left(trace), total, rel_tol=1e-9)
    assert total < -1
    assert log_mass_left(record(tiny, PROMPT, Settings(max_new_tokens=2))) is None


def test_a_file_keeps_the_constraint(tiny, tmp_path):
    settings = Settings(json_schema=SCHEMA, do_sample=True, seed=3, max_new_tokens=10)
    trace = record(tiny, PROMPT, settings)
    trace.save(tmp_path / "run.trace")
    again = load_trace(tmp_path / "run.trace")
    assert again.settings == settings
    assert json.loads(again.settings.json_schema) == SCHEMA
    assert log_mass_left(again) == log_mass_left(trace)
    assert verify(again, tiny).grade == "bits"


# --- what if ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["greedy", "sample", "several", "beams"])
def test_what_if_forbids_what_was_forbidden(tiny, mode):
    settings = Settings(**MODES[mode], regex=GIVEN["regex"], max_new_tokens=8)
    trace = record(tiny, PROMPT, settings)
    whatif = trace.whatif(settings)
    for step in range(len(trace.steps)):
        for row in range(trace.n_rows):
            assert torch.equal(whatif.scores(step=step, row=row), trace.scores(step=step, row=row)), (step, row)
    assert whatif.statements == ()
    other = trace.whatif(Settings(do_sample=True, top_k=0, temperature=0.5, regex=GIVEN["regex"]))
    if mode in ("greedy", "sample"):
        assert [stage.name for stage in other.stages] == ["RegexConstraint", "TemperatureLogitsWarper"]
        assert all(all(step) for step in other.chosen_survives)
        first = trace.scores(step=0, stage=1)
        assert torch.equal(other.scores(step=0), first / 0.5)


def test_what_if_can_take_the_constraint_away_and_try_another(tiny):
    trace = record(tiny, PROMPT, Settings(regex="[0-9]{4}", do_sample=True, seed=1, top_k=0, max_new_tokens=8))
    free = trace.whatif(Settings(do_sample=True, top_k=0))
    assert free.stages == ()
    looser = trace.whatif(Settings(do_sample=True, top_k=0, regex="[0-9a-f]+"))
    assert all(step[0] for step in looser.chosen_survives)
    tighter = trace.whatif(Settings(do_sample=True, top_k=0, regex="[0-9]{2}"))
    assert tighter.diverges_at is not None
    assert [step[0] for step in tighter.chosen_survives][0] is True


def test_what_if_without_xgrammar_keeps_the_recorded_mask(tiny, monkeypatch):
    settings = Settings(**MODES["sample"], regex=GIVEN["regex"], max_new_tokens=8)
    trace = record(tiny, PROMPT, settings)
    monkeypatch.setitem(sys.modules, "xgrammar", None)
    whatif = trace.whatif(Settings(do_sample=True, temperature=0.6, regex=GIVEN["regex"]))
    stage = constrained_stage(trace)
    for step in range(len(trace.steps)):
        forbidden = trace.scores(step=step, stage=stage) == -math.inf
        assert torch.equal(whatif.scores(step=step, stage=1) == -math.inf, forbidden)
    with pytest.raises(SettingError, match="that of the recorded run"):
        trace.whatif(Settings(do_sample=True, regex="other"))


def test_what_if_keeps_a_caller_s_own_constraint(tiny):
    only = RegexConstraint("[0-9]{3}", tiny.tokenizer)
    inputs = tiny.tokenizer(PROMPT, return_tensors="pt")
    recorder = Recorder(tokenizer=tiny.tokenizer)
    tiny.model.generate(**inputs, logits_processor=[only], max_new_tokens=5, custom_generate=recorder)
    whatif = recorder.trace.whatif(Settings())
    assert whatif.statements == ()
    assert torch.equal(whatif.scores(step=1), recorder.trace.scores(step=1))
    assert verify(recorder.trace, tiny, logits_processor=LogitsProcessorList([only])).grade == "bits"


# --- forks ------------------------------------------------------------------------------------------------------------


def test_a_fork_goes_on_in_the_text_where_it_was(tiny):
    settings = Settings(regex="[0-9]{4}-[a-c]{2}", do_sample=True, seed=1, max_new_tokens=12)
    trace = record(tiny, PROMPT, settings)
    allowed = (trace.scores(step=2) > -math.inf).nonzero().flatten().tolist()
    other = next(i for i in allowed if i != trace.steps[2].token_ids[0])
    again = fork(trace, tiny, step=2, token_id=other)
    whole = trace.tokens.plain([*again.prompt_ids[0][trace.prompt_ids.shape[1] :].tolist()]) + again.text()
    assert re.fullmatch("[0-9]{4}-[a-c]{2}", whole)
    assert verify(again, tiny).grade == "bits"
    assert torch.equal(again.whatif(again.settings).scores(step=0), again.scores(step=0))
    twice = fork(again, tiny, step=1, token_id=again.steps[1].token_ids[0])
    assert twice.text() and verify(twice, tiny).equal


def test_a_fork_with_a_token_that_is_forbidden_is_refused(tiny):
    trace = record(tiny, PROMPT, Settings(regex="[0-9]{4}", max_new_tokens=8))
    letter = tiny.tokenizer("a", add_special_tokens=False)["input_ids"][0]
    with pytest.raises(SettingError, match="such that the text up to the fork can go on with it"):
        fork(trace, tiny, step=1, token_id=letter)
    free = fork(trace, tiny, step=1, token_id=letter, settings=Settings(max_new_tokens=3))
    assert constrained_stage(free) is None


def test_a_fork_may_begin_another_constraint(tiny):
    trace = record(tiny, PROMPT, Settings(max_new_tokens=6))
    settings = Settings(regex="[0-9]{3}", max_new_tokens=6)
    again = fork(trace, tiny, step=3, token_id=trace.steps[3].token_ids[0], settings=settings)
    assert re.fullmatch("[0-9]{3}", again.text())
    assert verify(again, tiny).grade == "bits"


# --- one processor, many calls ----------------------------------------------------------------------------------------


def test_one_processor_serves_one_call_after_another(tiny):
    only = RegexConstraint("[0-9]{2}|x", tiny.tokenizer)
    for prompt in ("The cat sat on", "A", "The cat sat on"):
        inputs = tiny.tokenizer(prompt, return_tensors="pt")
        out = tiny.model.generate(**inputs, logits_processor=[only], max_new_tokens=5, do_sample=True)
        text = tiny.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert re.fullmatch("[0-9]{2}|x", text)


def test_steps_may_be_asked_for_in_any_order(tiny):
    only = RegexConstraint("[0-9]{2}-[a-z]+", table_of(tiny.tokenizer), eos_token_id=2, start=2)
    text = tiny.tokenizer("42-ab", add_special_tokens=False)["input_ids"]
    rows = [torch.tensor([[5, 6, *text[:n]]]) for n in range(len(text) + 1)]
    forwards = [only.allowed(row).copy() for row in rows]
    for n in (4, 0, 3, 1, 2, 4):
        assert (only.allowed(rows[n]) == forwards[n]).all()
