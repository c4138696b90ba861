"""A run as JSON: described by its schema, the numbers those of the trace, nothing of this machine."""

from __future__ import annotations

import getpass
import io
import json
import math
import os
import socket
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from app.assets import assets_dir
from app.export.trace_json import write_json
from app.views.float32 import float32
from decoding.files.compact import compact
from decoding.fork import fork
from decoding.models.load import load_model
from decoding.parameters.settings import Settings
from decoding.record import record, stream
from decoding.recorded.step_store import MemoryStore
from decoding.recorder import Recorder
from decoding.trace import Trace, load_trace
from tests.hand_made import HOSTILE, hand_made_trace
from tests.tiny_models import tiny_lm, tiny_model, tiny_tokenizer

SCHEMA = json.loads((assets_dir() / "trace.schema.json").read_text(encoding="utf-8"))


def closed(schema: Any) -> Any:
    """The schema with every object that names its properties allowing no others: what is written must be described."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    out = {name: closed(value) for name, value in schema.items()}
    return out | {"additionalProperties": False} if isinstance(out.get("properties"), dict) else out


CLOSED = Draft202012Validator(closed(SCHEMA))


def exported(trace: Trace, **options: Any) -> dict[str, Any]:
    """What is written, read without mercy for NaN and Infinity."""
    file = io.StringIO()
    write_json(trace, file, **options)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(file.getvalue(), parse_constant=refuse)


def check(document: dict[str, Any]) -> None:
    errors = sorted(CLOSED.iter_errors(document), key=lambda error: list(error.absolute_path))
    assert not errors, [f"{list(error.absolute_path)}: {error.message[:200]}" for error in errors[:5]]


def kinds_of_run() -> dict[str, Trace]:
    lm = tiny_lm()
    drop_in = Recorder(seed=1)
    inputs = lm.tokenizer("the cat", return_tensors="pt")
    lm.model.generate(**inputs, do_sample=True, max_new_tokens=3, custom_generate=drop_in)
    sampled = record(lm, ["the cat", "a"], Settings(do_sample=True, top_k=9, top_p=0.9, seed=2, max_new_tokens=5))
    stopped = Recorder()
    steps = stream(lm, "the", Settings(num_beams=2, max_new_tokens=5), stopped)
    next(steps)
    unfinished = stopped.trace
    steps.close()
    fewer = Recorder(seed=1, drop_finished=True)
    three = lm.tokenizer(["the cat", "a", "def"], return_tensors="pt", padding=True)
    lm.model.generate(**three, max_new_tokens=12, eos_token_id=[*range(60, 90)], custom_generate=fewer)
    assert fewer.trace.shortcuts
    spread = replace(sampled, model=replace(sampled.model, layers=(("cuda:0", 1), ("cpu", 1)), n_processes=2))
    asked = Settings(num_beams=3, num_return_sequences=2, max_new_tokens=6, eos_token_id=[*range(60, 120)])
    beams = record(lm, ["the cat", "a"], asked)
    return {
        "greedy": record(lm, "the cat", Settings(max_new_tokens=4, temperature=0.5)),
        "sampled": sampled,
        "chat": record(lm, [{"role": "user", "content": "Hi"}], Settings(max_new_tokens=2)),
        "beams": beams,
        "beam sampling": record(lm, "a", Settings(num_beams=2, do_sample=True, top_k=3, seed=1, max_new_tokens=4)),
        "groups": record(
            lm, "a", Settings(num_beams=4, num_beam_groups=2, diversity_penalty=1.0, max_new_tokens=4)
        ),
        "contrastive": record(lm, "the cat", Settings(penalty_alpha=0.6, top_k=4, max_new_tokens=3)),
        "T5": record(tiny_lm("t5"), "the café", Settings(max_new_tokens=3)),
        "drop-in": drop_in.trace,
        "fork": fork(sampled, lm, step=1, token_id=40),
        "compact": compact(sampled, head=30),
        "compact beams": compact(beams, head=30),
        "stopped": stopped.trace,
        "still running": unfinished,
        "biased to infinity": record(
            lm, "a", Settings(sequence_bias=[["the", -math.inf], [[7], 2.0]], repetition_penalty=1.2, max_new_tokens=2)
        ),
        "no steps": replace(sampled, steps=()),
        "rows left": fewer.trace,
        "split": spread,
        "samplers": record(
            lm, ["the cat", "a"],
            Settings(
                do_sample=True, seed=2, mirostat_tau=2.0, dynatemp_range=0.4, xtc_probability=0.5, max_new_tokens=4
            ),
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def runs() -> dict[str, Trace]:
    return kinds_of_run()


KINDS = ("greedy", "sampled", "chat", "beams", "beam sampling", "groups", "contrastive", "T5", "drop-in", "fork",
         "compact", "compact beams", "stopped", "still running", "biased to infinity", "no steps", "rows left",
         "split", "samplers")  # fmt: skip


# --- the schema -------------------------------------------------------------------------------------------


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)


def test_what_a_sampler_steered_by_stands_beside_what_it_did(runs):
    trace = runs["samplers"]
    for step, written in zip(trace.steps, exported(trace)["steps"], strict=True):
        for row in written["rows"]:
            said = [fact.get("sampler", {}) for fact in row["facts"][1:]]
            assert said == [dict(facts) for facts in step.sampler_facts(row["row"])]
            assert {name for facts in said for name in facts} == {"mu", "chance", "temperature"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_what_the_schema_describes(runs, kind):
    document = exported(runs[kind], n_head=5)
    check(document)
    assert len(document["steps"]) == document["n_steps"] == len(runs[kind].steps)


def test_the_schema_describes_nothing_that_is_never_written(runs):
    seen: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            seen.update(value)
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    for trace in runs.values():
        walk(exported(trace, n_head=3))
    described = set(SCHEMA["properties"])
    for definition in SCHEMA["$defs"].values():
        described |= set(definition.get("properties", ()))
    assert described <= seen


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(version=2),
        lambda d: d.pop("model"),
        lambda d: d["steps"][0]["rows"][0]["head"][0].update(rank=0),
        lambda d: d["steps"][0]["rows"][0]["head"][0]["probabilities"].append(1.5),
        lambda d: d["steps"][0]["rows"][0]["facts"][0].update(n_alive="all"),
        lambda d: d["steps"][0].update(more=1),
    ],
)
def test_the_schema_sees_what_is_wrong(runs, spoil):
    document = exported(runs["sampled"])
    check(document)
    spoil(document)
    with pytest.raises(AssertionError):
        check(document)


# --- the numbers ------------------------------------------------------------------------------------------


def test_a_step_worked_out_by_hand():
    probabilities = [0.4, 0.3, 0.2, 0.1]
    logits = [math.log(p) for p in probabilities]
    trace = hand_made_trace(
        [logits], [1], [TopKLogitsWarper(3), TopPLogitsWarper(0.7)], texts=["a", " b", "\n", "=d"]
    )  # fmt: skip
    row = exported(trace, n_head=2)["steps"][0]["rows"][0]
    assert row["chosen"] == [{"id": 1, "text": "␣b"}]
    assert [fact["n_alive"] for fact in row["facts"]] == [4, 3, 2]
    assert [fact["n_removed"] for fact in row["facts"]] == [0, 1, 1]
    assert [fact["mass_removed"] for fact in row["facts"]] == pytest.approx([0, 0.1, 0.2 / 0.9], abs=1e-6)
    entropies = [1.2798542258336676, 1.0608569471580214, 0.6829081047004717]
    assert [fact["entropy_nats"] for fact in row["facts"]] == pytest.approx(entropies, abs=1e-6)
    assert [token["id"] for token in row["head"]] == [0, 1]
    first = row["head"][0]
    assert (first["rank"], first["chosen"], first["removed_by"], first["margin"]) == (1, False, None, None)
    assert first["logit"] == first["score"] == float32(float(np.float32(logits[0])))
    assert first["probabilities"] == pytest.approx([0.4, 4 / 9, 4 / 7], abs=1e-6)
    gone = exported(trace)["steps"][0]["rows"][0]["head"][2:]
    assert [(token["id"], token["removed_by"], token["score"]) for token in gone] == [(2, 2, None), (3, 1, None)]
    assert gone[0]["margin"] == pytest.approx(7 / 9 - 0.7, abs=1e-6) and gone[0]["unit"] == "probability"


def test_the_head_has_the_likeliest_the_chosen_and_what_the_end_lifted(runs):
    trace = runs["biased to infinity"]
    for step, written in zip(trace.steps, exported(trace, n_head=1)["steps"], strict=True):
        ids = [token["id"] for token in written["rows"][0]["head"]]
        wanted = {int(step.scores(stage=0).argmax()), int(step.scores(stage=-1).argmax()), step.token_ids[0]}
        assert set(ids) == wanted
        logits = [token["logit"] for token in written["rows"][0]["head"]]
        assert logits == sorted(logits, reverse=True)


def test_every_number_is_the_traces_own(runs):
    trace = runs["sampled"]
    for step, written in zip(trace.steps, exported(trace, n_head=7)["steps"], strict=True):
        for row in written["rows"]:
            scores = step.all_scores(row=row["row"])
            for token in row["head"]:
                i = token["id"]
                assert np.float32(token["logit"]) == scores[0][i].numpy()
                assert (token["score"] is None) == (scores[-1][i] == -math.inf)
                for p, s in zip(token["probabilities"], scores, strict=True):
                    assert p == float(torch.softmax(s.double(), -1)[i])
                removed = [n for n, s in enumerate(scores) if s[i] == -math.inf]
                assert token["removed_by"] == (removed[0] if removed else None)


def test_rows_that_had_ended_are_left_out_and_answers_end_with_them():
    lm = tiny_lm()
    asked = Settings(do_sample=True, seed=1, eos_token_id=[*range(60)], max_new_tokens=12)
    trace = record(lm, ["the cat", "a dog sat"], asked)
    document = exported(trace)
    n_open = [len(step["rows"]) for step in document["steps"]]
    assert n_open == [sum(not ended for ended in step.ended) for step in trace.steps] and n_open[-1] == 1
    assert [len(answer["tokens"]) for answer in document["answers"]] == [
        sum(not step.ended[row] for step in trace.steps) for row in range(2)
    ]


def test_beams_have_candidates_pools_and_answers_that_add_up(runs):
    trace, document = runs["beams"], exported(runs["beams"], n_head=1)
    for step, written in zip(trace.steps, document["steps"], strict=True):
        assert [(c["id"], c["fate"], c["rank"]) for c in written["candidates"]] == [
            (c.token_id, c.fate, c.rank) for c in step.candidates
        ]
        assert [[(h["step"], h["rank"]) for h in pool] for pool in written["pool"]] == [
            [(h.step, h.rank) for h in pool] for pool in step.pool
        ]
        kept = sorted((c["parent"], c["id"]) for c in written["candidates"] if c["row"] is not None)
        going_on = [(row["row"], token["id"]) for row in written["rows"] for token in row["chosen"]]
        assert sorted(going_on) == kept or True in step.ended
    penalty = trace.generation_config["length_penalty"]
    for answer in document["answers"]:
        assert sum(answer["logprobs"]) == pytest.approx(answer["sum_logprobs"], abs=1e-4)
        assert answer["score"] == pytest.approx(answer["sum_logprobs"] / len(answer["tokens"]) ** penalty, rel=1e-6)


def test_an_infinite_bias_is_a_text(runs):
    document = exported(runs["biased to infinity"])
    assert document["settings"]["sequence_bias"] == [["the", "-inf"], [[7], 2.0]]
    assert [bias for _, bias in document["generation_config"]["sequence_bias"]][-1] == 2.0


def test_padding_is_no_part_of_a_prompt(runs):
    prompts = exported(runs["sampled"])["prompt_tokens"]
    assert [len(prompt) for prompt in prompts] == runs["sampled"].prompt_mask.sum(-1).tolist()
    assert len(prompts[1]) < len(prompts[0])


def test_of_a_compact_trace_only_exact_tokens_are_written_and_its_facts_are_those_recorded(runs):
    lossless, small = exported(runs["sampled"], n_head=8), exported(runs["compact"], n_head=8)
    assert (lossless["compact"], small["compact"]) == (None, {"head": 30})
    for a, b in zip(lossless["steps"], small["steps"], strict=True):
        for x, y in zip(a["rows"], b["rows"], strict=True):
            assert [(t["id"], t["rank"], t["logit"], t["removed_by"]) for t in x["head"]] == [
                (t["id"], t["rank"], t["logit"], t["removed_by"]) for t in y["head"]
            ]
            assert [f["n_alive"] for f in x["facts"]] == [f["n_alive"] for f in y["facts"]]
            for t, u in zip(x["head"], y["head"], strict=True):
                assert t["probabilities"] == pytest.approx(u["probabilities"], abs=1e-5)


def test_of_a_compact_trace_with_a_small_head_no_stand_in_is_shown_as_a_tokens_score(runs):
    small = compact(runs["sampled"], head=3)
    lossless = exported(runs["sampled"])
    for step, a, b in zip(small.steps, lossless["steps"], exported(small)["steps"], strict=True):
        for x, y in zip(a["rows"], b["rows"], strict=True):
            exact = set(step.exact_ids(y["row"]).tolist())
            assert {token["id"] for token in y["head"]} <= exact and len(exact) < 40
            for before, after in zip(x["facts"], y["facts"], strict=True):
                assert before["entropy_nats"] == pytest.approx(after["entropy_nats"], abs=1e-9)
                assert before["mass_removed"] == pytest.approx(after["mass_removed"], abs=1e-9)


def test_scores_that_were_lost_are_null():
    trace = hand_made_trace([[0.0] * 8, [1.0] * 8], [1, 2])

    class Lost(MemoryStore):
        def load(self, index: int) -> Any:
            from decoding.errors import NotRecordedError

            raise NotRecordedError("lost")

    steps = (trace.steps[0], replace(trace.steps[1], _store=Lost()))
    document = exported(replace(trace, steps=steps))
    check(document)
    assert document["steps"][0]["rows"][0]["head"] and document["steps"][1]["rows"] == [
        {"row": 0, "chosen": [{"id": 2, "text": "c"}], "facts": None, "head": None}
    ]


@pytest.mark.parametrize("logits", [[math.nan] * 8, [-math.inf] * 7 + [0.0], [math.inf] + [0.0] * 7])
def test_logits_that_are_no_numbers_are_null(logits):
    document = exported(hand_made_trace([logits], [0], [TemperatureLogitsWarper(0.5)]))
    check(document)
    assert any(token["logit"] is None for token in document["steps"][0]["rows"][0]["head"])


@pytest.mark.parametrize("value", [0.1, -3.4e38, 1e-45, 13.484375, 16777217.0])
def test_a_float32_is_written_in_the_fewest_digits_that_give_it_back(value):
    number = float(np.float32(value))
    assert np.float32(float32(number)) == np.float32(value)
    assert len(repr(float32(number))) <= len(repr(number))
    assert float32(0.123456789012345) == 0.123456789012345  # no float32: as it is


# --- what must not be in it -------------------------------------------------------------------------------


def test_nothing_of_this_machine_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "hf_abcdefghijklmnop")
    folder = tmp_path / "secret-folder" / "my-model"
    tiny_model("llama", vocab_size=320).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    trace = record(load_model(str(folder), device="cpu"), "the cat", Settings(max_new_tokens=3))
    trace.save(tmp_path / "run.trace")
    file = io.StringIO()
    write_json(load_trace(tmp_path / "run.trace"), file)
    text = file.getvalue()
    assert json.loads(text)["model"]["name"] == "my-model"
    for secret in (str(tmp_path), "secret-folder", "hf_abcdef", os.path.expanduser("~"), socket.gethostname()):
        assert secret not in text
    if len(getpass.getuser()) > 4:
        assert getpass.getuser() not in text


def test_hostile_texts_are_texts(tmp_path):
    trace = hand_made_trace([[float(i) for i in range(len(HOSTILE))]], [0], texts=HOSTILE)
    trace = replace(trace, prompts=("\ud800</script>",))
    document = exported(trace)
    check(document)
    assert document["prompts"] == ["?</script>"]
    written = {token["id"]: token["text"] for token in document["steps"][0]["rows"][0]["head"]}
    assert written == {i: text.replace(" %", "␣%") for i, text in enumerate(HOSTILE)}
    with open(tmp_path / "out.json", "w", encoding="utf-8") as file:
        write_json(trace, file)


def test_a_long_run_is_written_a_step_at_a_time():
    trace = hand_made_trace([[0.0] * 8] * 50, [1] * 50)
    pieces: list[str] = []

    class File(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            return len(text)

    write_json(trace, File())
    assert max(map(len, pieces[1:])) < 3000 and len(pieces) > 100
    assert len("".join(pieces).splitlines()) == 53


def test_it_says_where_every_parameter_came_from():
    lm = tiny_lm()
    lm.model.generation_config.top_p = 0.9
    trace = record(lm, "The cat", Settings(do_sample=True, top_k=0, seed=1, max_new_tokens=2))
    out = exported(trace)
    CLOSED.validate(out)
    assert out["model_defaults"]["top_p"] == 0.9
    assert {name: out["origins"][name] for name in ("top_p", "top_k", "temperature", "seed")} == {
        "top_p": "model", "top_k": "given", "temperature": "transformers", "seed": "given",
    }  # fmt: skip
    assert exported(replace(trace, model_defaults=None))["model_defaults"] is None
