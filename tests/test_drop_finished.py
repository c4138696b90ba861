"""Rows of prompts whose search is over leave the batch: the answer stays, the model reads less, the trace says so."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList
from transformers.cache_utils import DynamicCache, DynamicLayer

from app.export.trace_csv import write_ledger_csv, write_steps_csv, write_tokens_csv
from app.export.trace_json import write_json
from app.runs import Runs
from app.text import Text
from app.views.facts import facts_rows
from app.views.look import Look
from decoding import NotRecordedError, Recorder, Settings, load_trace, verify
from decoding.files.compact import compact
from decoding.fork import fork
from decoding.strategies.prompt_once import repeat_prompts
from decoding.strategies.read_rows import ReadRows
from tests.conftest import KINDS, random_cases
from tests.test_beam_parity import random_beam_settings
from tests.test_export_json import check
from tests.test_parity import ASK_FOR, assert_same_bits, inputs_of, model_of
from tests.test_trace_file import assert_same_trace, refused, round_trip, with_header, with_run
from tests.tiny_models import tiny_lm, tiny_model

PROMPTS = ["The capital of France is", "def decode(", "the cat"]  # of three lengths: two are padded on the left
ENDS = [2, 88, 89, 90, 91, 92]  # with these the first prompt ends long before the last step, the third a little before
BEAMS = {"num_beams": 2, "max_new_tokens": 14, "eos_token_id": ENDS}


def recorded(lm=None, *, drop: bool = True, **more):
    """Three prompts searched, of which two finish early; the trace."""
    lm = tiny_lm() if lm is None else lm
    inputs = lm.tokenizer(PROMPTS, return_tensors="pt", padding=True)
    recorder = Recorder(drop_finished=drop, tokenizer=lm.tokenizer)
    lm.model.generate(**inputs, **{**BEAMS, **more}, custom_generate=recorder)
    return recorder.trace


@pytest.fixture(scope="module")
def lm():
    return tiny_lm()


@pytest.fixture(scope="module")
def trace(lm):
    return recorded(lm)


@pytest.fixture(scope="module")
def whole(lm):
    """The same with all rows computed."""
    return recorded(lm, drop=False)


@contextmanager
def rows_read(model) -> Iterator[list[int]]:
    """How many rows each call of the model reads."""
    found: list[int] = []

    def note(module, args, kwargs):
        ids = kwargs.get("decoder_input_ids", kwargs.get("input_ids"))
        found.append(len(ids))

    hook = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield found
    finally:
        hook.remove()


# --- the same answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", random_cases(12, quick=3))
def test_the_answer_is_generates(kind: str, case: int):
    rng = random.Random(f"leaving-{kind}-{case}")
    model = model_of(kind)
    vocab = model.config.get_text_config().vocab_size
    inputs = inputs_of(rng, vocab, batch=True)
    wanted = random_beam_settings(rng, vocab) | {"max_new_tokens": 14, "eos_token_id": rng.sample(range(4, vocab), 5)}
    torch.manual_seed(case)
    expected = model.generate(**inputs, **wanted, **ASK_FOR)
    state = torch.get_rng_state()
    torch.manual_seed(case)
    recorder = Recorder(drop_finished=True, share_prefill=rng.random() < 0.3)
    got = model.generate(**inputs, **wanted, **ASK_FOR, custom_generate=recorder)
    assert type(got) is type(expected)
    assert torch.equal(got.sequences, expected.sequences) and torch.equal(got.beam_indices, expected.beam_indices)
    torch.testing.assert_close(got.sequences_scores, expected.sequences_scores, atol=1e-4, rtol=1e-4)
    assert torch.equal(torch.get_rng_state(), state)  # as many draws, also for rows that left
    trace = recorder.trace
    assert len(trace.steps) == len(expected.scores)
    for t, step in enumerate(trace.steps):
        assert got.scores[t].shape == expected.scores[t].shape
        for row in range(trace.n_rows):
            if step.left and step.left[row]:
                assert step.ended[row] and got.scores[t][row].isnan().all() and got.logits[t][row].isnan().all()
            elif not step.ended[row]:  # what a search that is over does next may hang on the last bits
                torch.testing.assert_close(step.scores(row=row), expected.scores[t][row], atol=1e-3, rtol=1e-3)
                assert_same_bits(step.scores(row=row), got.scores[t][row])


@pytest.mark.parametrize("kind", ["llama", "mistral", "gpt2", "t5", "bart"])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_the_model_reads_no_row_of_a_prompt_whose_search_is_over(kind: str, early_stopping: bool):
    model, rng = model_of(kind), random.Random(kind)
    vocab = model.config.get_text_config().vocab_size
    for case in range(40):  # until one finishes before another
        inputs = inputs_of(random.Random(case), vocab, batch=True)
        given = {"num_beams": 2, "max_new_tokens": 12, "eos_token_id": rng.sample(range(4, vocab), 6)}
        with rows_read(model) as read:
            recorder = Recorder(drop_finished=True)
            model.generate(**inputs, **given, early_stopping=early_stopping, custom_generate=recorder)
        trace = recorder.trace
        if trace.shortcuts:
            break
    assert trace.shortcuts == ("drop_finished",)
    assert read == [trace.n_rows - sum(step.left) for step in trace.steps]
    assert read[-1] < trace.n_rows
    for earlier, later in zip(trace.steps, trace.steps[1:], strict=False):
        assert all(a <= b for a, b in zip(earlier.left or later.left, later.left, strict=True))  # nobody comes back


def test_without_a_cache_the_rows_leave_too(lm, trace):
    assert recorded(lm, use_cache=False).hypotheses[0].token_ids == trace.hypotheses[0].token_ids
    with rows_read(lm.model) as read:
        recorded(lm, use_cache=False)
    assert read[-1] == 2


def test_one_prompt_has_nobody_to_leave(lm):
    ids = lm.tokenizer(PROMPTS[:1], return_tensors="pt")
    recorder = Recorder(drop_finished=True)
    lm.model.generate(**ids, **BEAMS, custom_generate=recorder)
    plain = Recorder()
    lm.model.generate(**ids, **BEAMS, custom_generate=plain)
    assert recorder.trace.shortcuts == () and not any(step.left for step in recorder.trace.steps)
    assert_same_bits(recorder.trace.scores(step=5), plain.trace.scores(step=5))


def test_nobody_leaves_unasked(whole):
    assert whole.shortcuts == () and not any(step.left for step in whole.steps)


SAMPLE = {"do_sample": True, "temperature": 0.8, "top_k": 20, "repetition_penalty": 1.2, "num_return_sequences": 2}
OTHER_MODES = {
    "greedy": {}, "sample": SAMPLE,
    "groups": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5, "early_stopping": True},
}  # fmt: skip


@pytest.mark.parametrize("mode", OTHER_MODES)
@pytest.mark.parametrize("kind", ["llama", "mistral", "gpt2", "t5"])
def test_in_other_modes_rows_that_ended_leave_too(kind: str, mode: str, tmp_path):
    model = model_of(kind)
    vocab = model.config.get_text_config().vocab_size
    for case in range(40):  # until one finishes before another
        rng = random.Random(case)
        inputs = inputs_of(rng, vocab, batch=True)
        given = {"max_new_tokens": 12, "eos_token_id": rng.sample(range(4, vocab), 12), **OTHER_MODES[mode], **ASK_FOR}
        torch.manual_seed(case)
        plain = Recorder()
        expected = model.generate(**inputs, **given, custom_generate=plain)
        state = torch.get_rng_state()
        torch.manual_seed(case)
        recorder = Recorder(drop_finished=True)
        with rows_read(model) as read:
            got = model.generate(**inputs, **given, custom_generate=recorder)
        assert torch.equal(got.sequences, expected.sequences)
        assert torch.equal(torch.get_rng_state(), state)
        if recorder.trace.shortcuts:
            break
    trace = recorder.trace
    assert trace.shortcuts == ("drop_finished",)
    assert read == [trace.n_rows - sum(step.left) for step in trace.steps] and read[-1] < trace.n_rows
    for step, other in zip(trace.steps, plain.trace.steps, strict=True):
        assert (step.token_ids, step.ended) == (other.token_ids, other.ended)
        for row in range(trace.n_rows):
            if step.left and step.left[row]:
                assert step.ended[row]
            elif not step.ended[row]:
                torch.testing.assert_close(step.scores(row=row), other.scores(row=row), atol=1e-3, rtol=1e-3)
    assert_same_trace_but_left(round_trip(trace, tmp_path), trace)


def assert_same_trace_but_left(got, wanted):
    assert [step.left for step in got.steps] == [step.left for step in wanted.steps]
    assert torch.equal(got.sequences, wanted.sequences)
    for ours, theirs in zip(got.steps, wanted.steps, strict=True):
        for row in range(wanted.n_rows):
            if not theirs.left or not theirs.left[row]:
                assert_same_bits(ours.scores(row=row), theirs.scores(row=row))


def test_what_goes_on_without_an_end_token_stays(lm):
    inputs = lm.tokenizer(PROMPTS, return_tensors="pt", padding=True)
    free = lm.tokenizer.decode(lm.model.generate(**inputs, max_new_tokens=9, eos_token_id=None)[0, -6:-4])
    assert free
    given = {"max_new_tokens": 9, "eos_token_id": None, "stop_strings": [free], "tokenizer": lm.tokenizer}
    recorder = Recorder(drop_finished=True)
    lm.model.generation_config.eos_token_id, before = None, lm.model.generation_config.eos_token_id
    try:
        expected = lm.model.generate(**inputs, **given)
        got = lm.model.generate(**inputs, **given, custom_generate=recorder)
    finally:
        lm.model.generation_config.eos_token_id = before
    assert torch.equal(got, expected)
    assert any("without an end token" in warning for warning in recorder.trace.warnings)


@pytest.mark.parametrize("given", [{}, SAMPLE | {"seed": 4}])
def test_verify_and_what_if_know_it_in_other_modes(lm, given):
    seed = given.get("seed")
    more = {name: value for name, value in given.items() if name != "seed"}
    for n in range(30):
        inputs = lm.tokenizer(PROMPTS, return_tensors="pt", padding=True)
        recorder = Recorder(drop_finished=True, tokenizer=lm.tokenizer, seed=seed)
        lm.model.generate(**inputs, max_new_tokens=12, eos_token_id=list(range(4 + n, 324, 30)), **more,
                          custom_generate=recorder)  # fmt: skip
        if recorder.trace.shortcuts:
            break
    trace = recorder.trace
    assert trace.shortcuts
    report = verify(trace, lm)
    assert report.equal and "drop_finished" in report.text, report.text
    other = trace.whatif(Settings(temperature=0.5, do_sample=bool(more), top_k=5))
    for t, step in enumerate(trace.steps):
        assert [fact is None for fact in other.chosen_survives[t]] == list(step.ended)
    opened = Look.opened(trace, Runs(trace, "tiny"), Text("en"))
    for row in range(trace.n_rows):
        at = opened.moved(row=row, step=99)
        assert len(at.scores) == len(trace.stages) + 1
    assert trace.to_html().startswith("<!doctype html>")


# --- where all must stay --------------------------------------------------------------------------------------------


class Nothing(LogitsProcessor):
    """A processor of the caller's own; it wants to see every row."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def __call__(self, input_ids, scores):
        self.seen.append(scores.clone())
        return scores


class Never(StoppingCriteria):
    """A criterion of the caller's own that ends nothing."""

    def __call__(self, input_ids, scores, **kwargs):
        return torch.zeros(len(input_ids), dtype=torch.bool)


WHOLE_BATCH = {
    "a processor": (lambda: {"logits_processor": LogitsProcessorList([Nothing()])}, "a processor of the caller's own"),
    "a prefix function": (lambda: {"prefix_allowed_tokens_fn": lambda i, ids: list(range(320))}, "a processor of the"),
    "a criterion": (
        lambda: {"stopping_criteria": StoppingCriteriaList([Never()])}, "a stopping criterion",
    ),
    "hidden states": (
        lambda: {"output_hidden_states": True, "return_dict_in_generate": True}, "attentions and hidden states",
    ),
    "a static cache": (lambda: {"cache_implementation": "static"}, "cannot be taken out of a StaticCache"),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE_BATCH)
def test_where_all_rows_must_be_seen_they_are_computed_and_the_trace_says_why(lm, name):
    more, says = WHOLE_BATCH[name]
    trace, plain = recorded(lm, **more()), recorded(lm, drop=False, **more())
    assert trace.shortcuts == () and not any(step.left for step in trace.steps)
    assert [w for w in trace.warnings if "drop_finished" in w and says in w]
    assert not any("drop_finished" in w for w in plain.warnings)
    for step, other in zip(trace.steps, plain.steps, strict=True):
        for row in range(trace.n_rows):
            assert_same_bits(step.scores(row=row), other.scores(row=row))
    assert "drop_finished" in Text("zh").said_before(next(w for w in trace.warnings if "drop_finished" in w))
    assert "computed to the end" not in Text("zh").said_before(next(w for w in trace.warnings if "drop_finished" in w))


def test_a_processor_of_the_callers_own_sees_what_generate_shows_it(lm):
    inputs = lm.tokenizer(PROMPTS, return_tensors="pt", padding=True)
    ours, theirs = Nothing(), Nothing()
    lm.model.generate(**inputs, **BEAMS, logits_processor=[theirs])
    lm.model.generate(**inputs, **BEAMS, logits_processor=[ours], custom_generate=Recorder(drop_finished=True))
    assert len(ours.seen) == len(theirs.seen)
    for a, b in zip(ours.seen, theirs.seen, strict=True):
        assert_same_bits(a, b)


# --- what the trace tells -------------------------------------------------------------------------------------------


def test_a_row_that_nobody_computed_has_no_scores_and_says_what_to_do(trace):
    step = trace.steps[-1]
    assert step.left == (True, True, False, False, True, True)
    with pytest.raises(NotRecordedError, match="row 1 has no scores here: .* record the run without drop_finished"):
        trace.scores(step=len(trace.steps) - 1, row=0)
    assert step.logits().isnan().any(-1).tolist() == list(step.left)
    assert_same_bits(step.logits()[2], step.scores(row=2, stage=0))
    with pytest.raises(NotRecordedError, match=r"row must be in \[0, 5\]"):
        step.scores(row=6)


def test_the_ledger_ends_where_the_search_did(trace, whole):
    for prompt in range(3):
        last = next((t for t, step in enumerate(trace.steps) if step.left and step.left[2 * prompt]), len(trace.steps))
        assert trace.ledger.n_steps(prompt) == last
        assert whole.ledger.n_steps(prompt) == len(whole.steps)
        for step in range(last):
            ours, theirs = trace.ledger.candidates(step, prompt), whole.ledger.candidates(step, prompt)
            assert [(c.parent, c.token_id, c.fate) for c in ours] == [(c.parent, c.token_id, c.fate) for c in theirs]
    assert {trace.ledger.n_steps(prompt) for prompt in range(3)} != {len(trace.steps)}
    assert trace.stop_reasons == whole.stop_reasons
    assert [h.token_ids for h in trace.hypotheses] == [h.token_ids for h in whole.hypotheses]
    assert [h.token_ids for of in trace.steps[-1].pool for h in of] == [
        h.token_ids for of in whole.steps[-1].pool for h in of
    ]


def test_its_recording_is_smaller(trace, whole):
    n_rows = sum(6 - sum(step.left) for step in trace.steps)
    assert n_rows < 6 * len(trace.steps)
    assert sum(trace.store.load(t)["logits"].shape[0] for t in range(len(trace.steps))) == n_rows
    assert trace.nbytes < whole.nbytes


def test_verify_says_which_was_shown(trace, lm):
    report = verify(trace, lm)
    assert report.equal and "drop_finished" in report.text
    assert "drop_finished" in [reason.why for reason in report.because]
    wrong = replace(trace, shortcuts=())
    assert verify(wrong, lm).grade == report.grade  # rows that left are not compared, whatever the trace claims


def test_a_changed_score_of_a_row_that_stayed_is_seen(trace, lm):
    arrays = [{name: a.clone() for name, a in trace.store.load(t).items()} for t in range(len(trace.steps))]
    arrays[-1]["logits"][1] += 0.5  # row 3, the second of those computed
    store = SimpleNamespace(exact=True, load=lambda t: arrays[t])
    changed = replace(trace, steps=tuple(replace(step, _store=store) for step in trace.steps), store=store)
    report = verify(changed, lm)
    assert not report.equal and 0.45 < report.largest < 0.55


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["lossless", "compact"])
def test_it_comes_back_from_a_file(trace, tmp_path, form):
    run = trace if form == "lossless" else compact(trace)
    opened = round_trip(run, tmp_path)
    assert opened.shortcuts == ("drop_finished",)
    assert [step.left for step in opened.steps] == [step.left for step in trace.steps]
    assert (opened.compact is None) == (form == "lossless")
    for step, kept in zip(run.steps, opened.steps, strict=True):
        for row in range(6):
            if step.left and step.left[row]:
                for missing in (kept.scores, kept.exact_ids if form == "compact" else kept.scores):
                    with pytest.raises(NotRecordedError, match="drop_finished"):
                        missing(row=row)
            else:
                assert_same_bits(kept.scores(row=row), step.scores(row=row))
                assert kept.facts(row) == step.facts(row)
                assert torch.equal(kept.exact_ids(row), step.exact_ids(row))


def test_only_files_that_lack_rows_are_closed_to_earlier_versions(trace, whole, tmp_path):
    for run, version in ((whole, 1), (trace, 3), (compact(whole), 2), (compact(trace), 3)):
        run.save(tmp_path / "run.trace")
        versions: list[int] = []
        with_header(tmp_path / "run.trace", tmp_path, lambda header, to=versions: to.append(header["version"]))
        assert versions == [version]


def test_a_file_without_the_new_parts_opens_as_ever(whole, tmp_path):
    whole.save(tmp_path / "run.trace")
    old = with_header(tmp_path / "run.trace", tmp_path, lambda header: header["model"].pop("layers"))
    assert load_trace(old).model.layers == () and load_trace(old).shortcuts == ()
    assert_same_trace(load_trace(old), whole)


def lies(trace) -> dict[str, torch.Tensor]:
    left = torch.tensor([step.left or (False,) * 6 for step in trace.steps], dtype=torch.uint8)
    first, last = left.clone(), left.clone()
    first[0] = 1
    last[-1, :] = 1
    other, as_many = left.clone(), left.clone()
    other[-1] = 1 - other[-1]
    as_many[-1] = torch.tensor([1, 1, 1, 1, 0, 0])
    return {
        "more": torch.ones_like(left), "of another type": left.long(), "too few": left[:-1], "all at first": first,
        "all at last": last, "the others": other, "as many others": as_many, "none": torch.zeros_like(left),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["more", "of another type", "too few", "all at first", "all at last", "the others", "as many others", "none"],
)
def test_a_file_that_lies_about_who_left_is_refused(trace, tmp_path, name):
    trace.save(tmp_path / "run.trace")
    path = with_run(tmp_path / "run.trace", tmp_path, left=lies(trace)[name])
    assert name != "as many others" or "needed after that" in refused(path)
    refused(path)


def test_a_file_whose_beams_continue_a_row_that_left_is_refused(trace, tmp_path):
    trace.save(tmp_path / "run.trace")
    parents = trace.ledger.to_arrays()["parent"].clone()
    parents[-1, 1, 0] = 0  # of the second prompt, which stayed
    path = with_run(tmp_path / "run.trace", tmp_path, **{"ledger.parent": parents})
    assert "rows left the batch that are needed after that" in refused(path)


# --- what reads a trace ---------------------------------------------------------------------------------------------


def test_what_if_answers_for_the_rows_that_stayed(trace, whole):
    other = Settings(**{**BEAMS, "eos_token_id": tuple(ENDS)}, repetition_penalty=1.4)
    ours, theirs = trace.whatif(other), whole.whatif(other)
    last = len(trace.steps) - 1
    torch.testing.assert_close(ours.scores(step=last, row=2), theirs.scores(step=last, row=2), atol=1e-4, rtol=1e-4)
    with pytest.raises(NotRecordedError, match="drop_finished"):
        ours.scores(step=last, row=0)
    for t, step in enumerate(trace.steps):
        for row in range(6):
            assert (ours.chosen_survives[t][row] is None) == step.ended[row]


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 0.5, 2.0])
@pytest.mark.parametrize("early_stopping", [True, False, "never"])
@pytest.mark.parametrize("was", [True, False])
def test_other_rules_for_the_pool_are_decided_only_where_they_are(lm, penalty, early_stopping, was):
    ours, theirs = recorded(lm, early_stopping=was), recorded(lm, early_stopping=was, drop=False)
    given = {**BEAMS, "eos_token_id": tuple(ENDS)}
    other = Settings(**given, length_penalty=penalty, early_stopping=early_stopping, num_return_sequences=2)
    ours, theirs = ours.whatif(other).replay, theirs.whatif(other).replay
    if ours.decided:
        assert theirs.decided and ours.n_steps == theirs.n_steps
        assert [h.token_ids for h in ours.hypotheses] == [h.token_ids for h in theirs.hypotheses]


def test_a_row_that_left_cannot_be_forked_and_one_that_stayed_can(trace, lm):
    last = len(trace.steps) - 1
    with pytest.raises(NotRecordedError, match="row 5 has no scores here"):
        fork(trace, lm, step=last, row=4, token_id=7)
    assert fork(trace, lm, step=last - 3, row=2, token_id=7).fork.row == 2


def test_a_fork_reuses_what_is_left_of_the_cache(lm):
    inputs = lm.tokenizer(PROMPTS, return_tensors="pt", padding=True)
    recorder = Recorder(drop_finished=True, tokenizer=lm.tokenizer)
    lm.model.generate(**inputs, **BEAMS, custom_generate=recorder)
    trace, kept = recorder.trace, recorder.kept_cache()
    assert len(kept.ids) == len(kept.cache.layers[0].keys) == 2 < trace.n_rows
    settings = Settings(num_beams=1, max_new_tokens=14, eos_token_id=tuple(ENDS))
    reused, anew = (
        fork(trace, lm, step=9, row=2, token_id=7, settings=settings, kept=each) for each in (kept, None)
    )
    assert reused.prefill == "reused" and torch.equal(reused.sequences, anew.sequences)
    torch.testing.assert_close(reused.scores(step=0), anew.scores(step=0), atol=1e-4, rtol=1e-4)


def test_some_rules_would_have_let_a_prompt_search_on(lm):
    found = [
        (recorded(lm, early_stopping=True, drop=drop).whatif(
            Settings(**{**BEAMS, "eos_token_id": tuple(ENDS)}, length_penalty=2.0, early_stopping="never")
        ).replay.decided)
        for drop in (True, False)
    ]  # fmt: skip
    assert found == [False, True]


def test_exports_leave_out_what_nobody_computed(trace, whole):
    def written(run, write):
        file = io.StringIO()
        write(run, file)
        return file.getvalue()

    for write in (write_steps_csv, write_tokens_csv, write_ledger_csv):
        ours, theirs = (list(csv.reader(io.StringIO(written(run, write)))) for run in (trace, whole))
        assert ours[0] == theirs[0] and 1 < len(ours) <= len(theirs)
    told = json.loads(written(trace, write_json))
    check(told)
    assert told["shortcuts"] == ["drop_finished"]
    assert told["steps"][-1]["left"] == [0, 1, 4, 5] and "left" not in told["steps"][0]
    assert {row["row"] for row in told["steps"][-1]["rows"]} == {2, 3}


def test_the_page_goes_as_far_as_each_prompts_search(trace):
    look = Look.opened(trace, Runs(trace, "tiny"), Text("en"))
    for prompt in range(3):
        there = look.at_node(prompt=prompt, step=0, rank=0)
        for step in range(len(trace.steps)):
            at = there.at_node(prompt=prompt, step=step, rank=0)
            assert at.step == min(step, trace.ledger.n_steps(prompt) - 1)
            assert len(at.scores) == len(trace.stages) + 1 and at.candidate.prompt == prompt
    assert trace.to_html().startswith("<!doctype html>")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_says_that_prompts_left(trace, whole, lang):
    text = Text(lang)
    rows = {row["label"]: row for row in facts_rows(trace, text)}
    assert rows[text("fact.shortcut")]["value"] == text("fact.shortcut.drop_finished")
    assert text("fact.shortcut") not in {row["label"] for row in facts_rows(whole, text)}


# --- the rows that are read -----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(data=st.data(), shared=st.booleans())
def test_each_row_has_the_cache_of_the_row_that_it_continues(data, shared):
    """Held against a cache that no row ever leaves, whatever rows are continued and whoever leaves when."""
    n_prompts, each = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 3))
    n_rows, n_prompt = n_prompts * each, 2
    kept, full = cache_of(n_prompts, n_prompt), cache_of(n_prompts, n_prompt)
    if shared:
        repeat_prompts(kept, each)
    else:
        kept.layers[0].batch_repeat_interleave(each)
    full.layers[0].batch_repeat_interleave(each)
    read, model, gone = ReadRows(n_rows), SimpleNamespace(), torch.zeros(n_prompts, dtype=torch.bool)
    kwargs = {"past_key_values": kept, "attention_mask": torch.arange(n_rows)[:, None], "use_cache": True}
    for step in range(data.draw(st.integers(1, 5))):
        new = torch.arange(n_rows, dtype=torch.float32).view(n_rows, 1, 1, 1) + 100 * (step + 1)
        kept.layers[0].update(read.of(new), -read.of(new))
        full.layers[0].update(new, -new)
        own = torch.tensor([data.draw(st.integers(0, each - 1)) for _ in range(n_rows)])
        parents = torch.arange(n_rows) // each * each + own
        going = gone | torch.tensor([data.draw(st.booleans()) for _ in range(n_prompts)])
        gone = gone if bool(going.all()) else going
        kwargs = read.go_on(model, kwargs, parents, gone.repeat_interleave(each))
        full.layers[0].reorder_cache(parents)
        for name in ("keys", "values"):
            assert torch.equal(getattr(kept.layers[0], name), read.of(getattr(full.layers[0], name)))
        assert read.of(torch.arange(n_rows)).tolist() == (~gone.repeat_interleave(each)).nonzero().flatten().tolist()
        assert list(read.left) == (gone.repeat_interleave(each).tolist() if bool(gone.any()) else [])
        assert kwargs["attention_mask"].flatten().tolist() == read.of(torch.arange(n_rows)).tolist()


def cache_of(n_prompts: int, n_positions: int) -> DynamicCache:
    cache, layer = DynamicCache(), DynamicLayer()
    states = torch.arange(n_prompts * n_positions, dtype=torch.float32).view(n_prompts, 1, n_positions, 1)
    layer.update(states, -states)
    cache.layers = [layer]
    return cache


def test_rows_that_left_hold_a_flat_distribution():
    read = ReadRows(3)
    read.go_on(tiny_model(), {}, torch.arange(3), torch.tensor([False, True, False]))
    wide = read.widened(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert wide.tolist() == [[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]]
    assert read.told(wide).isnan().tolist() == [[False, False], [True, True], [False, False]]
