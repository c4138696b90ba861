"""The microscope's sheet: words for everything, in both languages; a wish may be anything."""

from __future__ import annotations

import json

import pytest

from app.lab.microscope import sheet
from app.runs import Runs
from app.text import Text
from app.views.look import Look
from app.views.numbers import entry, entry_in_full
from decoding import Settings, record
from decoding.files.compact import compact
from tests.hand_made import HOSTILE, hand_made_trace
from tests.test_microscope import RUNS


def look_at(trace, step=1, row=0, lang="en", whatif=None, token_id=None):
    token_id = trace.steps[step].token_ids[row] if token_id is None else token_id
    runs = Runs(trace, trace.model.name)
    return Look(trace=trace, row=row, step=step, token_id=token_id, runs=runs, text=Text(lang), whatif=whatif)


def words(sentence) -> str:
    return "".join(piece if isinstance(piece, str) else piece["text"] for piece in sentence)


@pytest.fixture(scope="module", params=RUNS)
def run(request, tiny):
    return record(tiny, "The capital of France is", RUNS[request.param])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_stage_of_every_mode_has_its_words(run, lang):
    for step in range(len(run.steps)):
        look = look_at(run, step, lang=lang)
        for number in range(1, len(look.stages) + 2):
            shown = sheet(look, {"stage": number})
            assert shown["open"] == number
            assert len(shown["stages"]) == len(look.stages) + 1
            json.dumps(shown, allow_nan=False)
            if "none" in shown:
                continue
            assert words(shown["verdict"]["text"])
            for op in shown["ops"]:
                assert words(op["note"])
                for line in op["lines"]:
                    assert len(line["cells"]) in (1, len(shown["columns"]))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_what_if_and_a_compact_trace_have_their_words(tiny, lang):
    trace = record(tiny, "The capital of France is", Settings(max_new_tokens=3))
    others = (
        Settings(do_sample=True, temperature=0.7, top_p=0.9), Settings(repetition_penalty=1.4, bad_words_ids=[[7]]),
        Settings(num_beams=3), Settings(penalty_alpha=0.5, top_k=4),
    )  # fmt: skip
    looks = [look_at(trace, lang=lang, whatif=trace.whatif(settings)) for settings in others]
    beams = record(tiny, "The capital of France is", Settings(num_beams=3, max_new_tokens=3))
    looks += [look_at(beams, lang=lang, whatif=beams.whatif(s)) for s in (others[0], Settings(num_beams=3, top_k=9))]
    for name in ("sample", "contrastive", "beam_sample"):
        looks.append(look_at(compact(record(tiny, "the cat", RUNS[name]), head=9), lang=lang))
    for look in looks:
        for number in range(1, len(look.stages) + 2):
            shown = sheet(look, {"stage": number})
            assert shown.get("none") or words(shown["verdict"]["text"])


def test_a_recorded_stage_says_that_it_equals_the_recording(tiny):
    trace = record(tiny, "The capital of France is", Settings(do_sample=True, top_p=0.8, seed=0, max_new_tokens=3))
    shown = sheet(look_at(trace), {"stage": 2})
    assert shown["source"]["text"] == "TopPLogitsWarper.__call__ in transformers/generation/logits_process.py"
    assert shown["source"]["version"] == f"transformers {trace.model.transformers_version}"
    assert shown["verdict"]["kind"] == "good"
    assert "bit for bit: all 320 scores" in words(shown["verdict"]["text"])
    assert [op["name"] for op in shown["ops"]][:3] == ["torch.sort", "torch.nn.functional.softmax", "torch.cumsum"]
    assert shown["ops"][0]["takes"] == "[1, 320] float32"
    assert shown["ops"][0]["gives"] == "[1, 320] float32, [1, 320] int64"


def test_it_opens_at_the_last_stage_that_changed_something_else_at_the_choice(tiny):
    sampled = record(
        tiny, "The capital of France is", Settings(do_sample=True, top_k=5, min_p=1e-9, seed=0, max_new_tokens=3)
    )
    shown = sheet(look_at(sampled), {})
    assert [stage["idle"] for stage in shown["stages"]] == [False, True, False]
    assert shown["open"] == 1
    greedy = record(tiny, "The capital of France is", Settings(max_new_tokens=3))
    assert sheet(look_at(greedy), {})["open"] == 1
    assert sheet(look_at(greedy), {})["stages"][0]["label"] == "the choice"
    beams = record(tiny, "The capital of France is", Settings(num_beams=2, max_new_tokens=3))
    assert sheet(look_at(beams), {})["open"] == 2  # log-probabilities alone are no change


def test_the_choice_under_other_settings_names_the_token_that_would_come(tiny):
    trace = record(tiny, "The capital of France is", Settings(max_new_tokens=3))
    other = trace.whatif(Settings(suppress_tokens=[trace.steps[1].token_ids[0]]))
    shown = sheet(look_at(trace, whatif=other), {"stage": 2})
    best = int(other.scores(step=1).argmax())
    assert shown["verdict"]["kind"] == "open"
    assert trace.tokens.text(best).replace("␠", "␣") in words(shown["verdict"]["text"])


@pytest.mark.parametrize(
    "wish",
    [
        {}, {"stage": None}, {"stage": "2"}, {"stage": 0}, {"stage": -1}, {"stage": 10**30}, {"stage": True},
        {"stage": [1]}, {"stage": 1.5}, {"name": {}}, {"name": "Nobody"}, {"stage": 99, "name": 7},
    ],
)  # fmt: skip
def test_a_wish_that_makes_no_sense_opens_the_default(tiny, wish):
    trace = record(tiny, "The capital of France is", RUNS["sample"])
    assert sheet(look_at(trace), wish)["open"] == sheet(look_at(trace), {})["open"]


def test_a_stage_asked_for_is_found_again_by_its_name_where_the_stages_are_others(tiny):
    trace = record(tiny, "the cat", Settings(do_sample=True, top_k=0, top_p=0.8, seed=0, max_new_tokens=3))
    wish = {"stage": 1, "name": "TopPLogitsWarper"}
    assert sheet(look_at(trace), wish)["open"] == 1
    other = trace.whatif(Settings(do_sample=True, temperature=0.5, top_k=0, top_p=0.8))
    assert sheet(look_at(trace, whatif=other), wish)["open"] == 2


def test_the_boundary_runs_between_the_kept_and_the_removed():
    from transformers.generation import TopKLogitsWarper

    logits = [float(8 - i) for i in range(8)]
    trace = hand_made_trace([logits], [1], [TopKLogitsWarper(3)], texts=HOSTILE)
    shown = sheet(look_at(trace, step=0), {})
    assert [column["edge"] for column in shown["columns"]] == [i == 3 for i in range(8)]
    assert [column["fate"] for column in shown["columns"]] == ["kept"] * 3 + ["removed"] * 5
    assert [column["text"].replace("␣", " ") for column in shown["columns"]] == list(HOSTILE)
    assert {item["mark"] for item in shown["legend"]} == {"chosen", "edge", "removed"}


def test_the_lines_are_those_of_one_version_and_another_one_is_said(tiny):
    from dataclasses import replace

    trace = record(tiny, "the cat", Settings(do_sample=True, top_k=9, seed=0, max_new_tokens=2))
    older = replace(trace, model=replace(trace.model, transformers_version="5.17.0"))
    shown = sheet(look_at(older), {"stage": 1})
    assert shown["source"]["version"] == "transformers 5.17.0"
    assert "5.17.0 may write them" in shown["source"]["notes"][0]


@pytest.mark.parametrize(
    ("value", "short", "full"),
    [
        (1 / 3, "0.33333", "0.33333334"), (-1.0e9, "−1e+09", "−1e+09"), (float("-inf"), "−∞", "−∞"),
        (1.5, "1.5", "1.5"), (12345678.0, "1.2346e+07", "1.2345678e+07"), (float("nan"), "nan", "nan"),
        (49151, "49151", "49151"), (True, "True", "True"), (-0.0, "−0", "−0.0"), (None, "", ""),
    ],
)  # fmt: skip
def test_an_entry_of_a_float32_tensor_has_five_digits_or_all(value, short, full):
    assert entry(value) == short
    assert entry_in_full(value, "float32") == full


def test_of_a_compact_trace_the_verdict_says_so(tiny):
    trace = compact(record(tiny, "The capital of France is", RUNS["sample"]), head=12)
    look = look_at(trace)
    assert "compact file" in words(sheet(look, {"stage": 1})["verdict"]["text"])
    assert "compact file" in words(sheet(look, {"stage": len(look.stages) + 1})["verdict"]["text"])


def test_a_row_that_had_ended_chose_nothing(tiny):
    settings = Settings(max_new_tokens=8, eos_token_id=(276, 52, 81, 270), min_new_tokens=1)
    trace = record(tiny, ["The capital of France is", "the cat", "a model gives"], settings)
    ended = [(s.index, row) for s in trace.steps for row in range(trace.n_rows) if s.ended[row]]
    if not ended:
        pytest.fail("choose other EOS ids: no row ended before another")
    step, row = ended[-1]
    look = look_at(trace, step, row)
    assert "had ended" in words(sheet(look, {"stage": len(look.stages) + 1})["verdict"]["text"])
