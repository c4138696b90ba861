"""Responses of other engines as partial traces: real answers of the llama.cpp server, and the other servers' forms."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from decoding import NotRecordedError, ResponseError, Settings, load_response, open_response, record
from decoding.models.load import LanguageModel
from decoding.partial.measures import measures_of
from decoding.partial.partial_trace import PartialStep, PartialTrace
from decoding.partial.together import together
from decoding.partial.token import KnownToken
from tests.data.record_responses import CHAT, EMOJI, PARIS, REQUESTS
from tests.engines.vllm_responses import REQUESTS as VLLM_REQUESTS
from tests.hand_made import hand_made_trace

RESPONSES = Path(__file__).parent / "data" / "responses"
VOCAB = 49152


def opened(name: str) -> PartialTrace:
    return load_response(RESPONSES / name)


def chat_of(*entries: Any, **more: Any) -> dict[str, Any]:
    """A chat's response with these tokens."""
    return {"choices": [{"message": {"content": None}, "logprobs": {"content": list(entries)}, **more}]}


def entry(token: str, logprob: Any, *top: tuple[str, Any]) -> dict[str, Any]:
    return {
        "token": token, "logprob": logprob, "bytes": None,
        "top_logprobs": [{"token": text, "logprob": value, "bytes": None} for text, value in top],
    }  # fmt: skip


def four(tokens: list[Any], values: list[Any], tops: list[Any] | None, **more: Any) -> dict[str, Any]:
    """A completion's response."""
    lists = {"tokens": tokens, "token_logprobs": values, "top_logprobs": tops, "text_offset": []}
    return {"choices": [{"text": "".join(map(str, tokens)), "index": 0, "logprobs": lists}], **more}


def step_of(response: Any) -> PartialStep:
    return open_response(response).choices[0].steps[0]


# --- real answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REQUESTS)
def test_a_real_answer_opens_with_every_token_that_it_names(name: str):
    """Counted in the text itself: each entry of a step has a log-probability or probability of its own."""
    text = (RESPONSES / name).read_text()
    partial = opened(name)
    entries = text.count('"logprob":') + text.count('"prob":')
    came = sum(len(choice.steps) for choice in partial.choices)
    outside = sum("outside" in step.marks for choice in partial.choices for step in choice.steps)
    assert partial.n_known == entries - came + outside
    assert partial.model == "SmolLM2-135M-Instruct.Q4_1"
    assert "text_differs" not in {note for choice in partial.choices for note in choice.notes}


def test_a_stream_is_put_together_to_what_the_same_question_gives_at_once():
    whole, stream = opened("chat.json"), opened("chat-stream.txt")
    assert stream.choices == whole.choices
    assert stream.streamed > len(stream.choices[0].steps) and not whole.streamed


def test_several_answers_stay_apart_and_know_their_prompt():
    two = opened("chat-two.json")
    assert [choice.index for choice in two.choices] == [0, 1]
    assert [len(choice.steps) for choice in two.choices] == [6, 6]
    many = opened("native-two-prompts.json")
    assert [(choice.prompt, choice.text) for choice in many.choices] == [(0, " Paris.\n"), (1, "-digit numbers")]
    assert many.prompts == (PARIS, "One two three")


def test_llama_cpp_says_the_models_probabilities_unless_it_was_asked_for_those_after_sampling():
    cold, hot, after = opened("native.json"), opened("native-hot.json"), opened("native-after-sampling.json")
    assert (cold.kind, hot.kind, after.kind) == ("model", "model", "final")
    first, warm = cold.choices[0].steps[0], hot.choices[0].steps[0]
    assert first.known == warm.known  # whatever the temperature
    assert hot.request["temperature"] == 1.5 and hot.request["top_k"] == 40
    for step in after.choices[0].steps:
        assert step.measures().mass == pytest.approx(1, abs=1e-6)  # what the samplers left is all there is
    assert all(step.measures().tail > 0.001 for step in cold.choices[0].steps)


def test_bytes_that_the_server_held_back_until_the_character_was_whole_are_told_apart():
    step = opened("native-stream.txt").choices[0].steps[0]
    assert step.marks == ("joined",)
    assert (step.left_out, step.token.raw) == (b"\xf0\x9f\x8c", b"\x9f")


def test_a_token_outside_the_alternatives_has_a_rank_that_is_at_least_so_much():
    step = opened("chat-two.json").choices[1].steps[0]
    assert step.token.text == "Here" and step.marks == ("outside",)
    assert (step.token.rank, step.token.rank_is_least) == (4, True)
    assert [token.rank for token in step.known[:3]] == [1, 2, 3]


def test_a_token_with_the_text_of_another_keeps_its_own_number():
    """vLLM writes every token that is no whole character as an empty text, and its alternatives as an object."""
    answer = json.loads((RESPONSES / "vllm-emoji.json").read_text())["choices"][0]["logprobs"]
    steps = opened("vllm-emoji.json").choices[0].steps
    assert [step.token.logprob for step in steps] == answer["token_logprobs"]
    came, tops = list(zip(answer["tokens"], answer["token_logprobs"], strict=True)), answer["top_logprobs"]
    collided = [i for i, (text, value) in enumerate(came) if tops[i][text] != value]
    assert collided and [i for i, step in enumerate(steps) if "same_text" in step.marks] == collided
    for i in collided:
        assert {token.logprob for token in steps[i].known} == {*tops[i].values(), came[i][1]}
    assert [i for i, step in enumerate(steps) if "no_text" in step.marks] == [0, 1, 3, 4, 6, 7, 9]


def test_a_prompt_that_comes_twice_is_read_once():
    partial = opened("vllm-echo.json")
    (choice,) = partial.choices
    assert "".join(step.token.text for step in choice.steps) == choice.text == "The capital of France is Paris.\n"
    assert [step.in_prompt for step in choice.steps] == [True] * 5 + [False] * 3
    assert (choice.steps[1].token.rank, choice.steps[1].token.token_id) == (2923, 3575)
    assert choice.notes == ("prompt_echoed",)
    answer = json.loads((RESPONSES / "vllm-echo.json").read_text())  # of a prompt of one token the counts tell
    lists = answer["choices"][0]["logprobs"]
    for name, values in lists.items():
        lists[name] = values[:1] + values[5:]
    answer["choices"][0]["prompt_logprobs"], answer["choices"][0]["text"] = [None], "The Paris.\n"
    answer["usage"]["prompt_tokens"] = 1
    assert [step.in_prompt for step in open_response(answer).choices[0].steps] == [True, False, False, False]


@pytest.mark.parametrize("name", VLLM_REQUESTS)
def test_a_real_answer_of_vllm_opens_and_a_stream_gives_the_same(name: str):
    partial = opened(name)
    assert partial.model == "SmolLM2-135M-Instruct" and partial.kind == "unsaid"
    assert all("text_differs" not in choice.notes for choice in partial.choices)
    steps = [step for choice in partial.choices for step in choice.steps if step.known[1:]]
    assert steps and all(step.measures().mass <= 1 + 1e-3 for step in steps)
    if name == "vllm-chat-stream.txt":
        assert partial.choices == opened("vllm-chat.json").choices and partial.streamed


@pytest.mark.parametrize(("name", "asked", "n"), [
    ("vllm-completion.json", PARIS, 8), ("vllm-ids.json", PARIS, 4), ("vllm-echo.json", PARIS, 3),
    ("vllm-emoji.json", EMOJI, 9), ("vllm-chat.json", CHAT, 12),
])  # fmt: skip
def test_vllm_in_float32_says_what_is_recorded_here(lm: LanguageModel, name: str, asked: Any, n: int):
    """The same weights: all tokens the same, all log-probabilities but for what float32 rounds."""
    run = record(lm, asked, Settings(max_new_tokens=12))
    found = together(opened(name), 0, run)  # the last of the emojis' tokens begins a character that never is whole
    assert (len(found.pairs), found.parts_at) == (n, None)
    assert len(found.differences) >= n and found.largest < 1e-4


def test_a_character_that_turns_out_another_parts_the_two_where_it_began(lm: LanguageModel):
    run = record(lm, EMOJI, Settings(max_new_tokens=10))
    answer = json.loads((RESPONSES / "vllm-emoji.json").read_text())
    logprobs = answer["choices"][0]["logprobs"]
    logprobs["tokens"][5] = "🌟"
    found = together(open_response(answer), 0, run)
    assert (found.parts_at, found.pairs[-1].ours, [pair.same for pair in found.pairs]) == (3, 3, [True] * 3 + [False])


@pytest.mark.slow
def test_the_server_of_today_answers_as_the_one_that_was_recorded():
    from tests.llama_server import ask, llama_server

    with llama_server() as address:
        for name in ("chat.json", "native-stream.txt", "native-after-sampling.json"):
            path, request = REQUESTS[name]
            partial, before = open_response(ask(address, path, request)), opened(name)
            assert partial.kind == before.kind
            for now, then in zip(partial.choices, before.choices, strict=True):
                assert now.text == then.text
                assert [step.token.raw for step in now.steps] == [step.token.raw for step in then.steps]
                for a, b in zip(now.steps, then.steps, strict=True):
                    assert a.token.logprob == pytest.approx(b.token.logprob, abs=0.05)


# --- beside a recorded run -----------------------------------------------------------------------------------


def test_a_response_stands_beside_the_run_of_the_same_prompt(lm: LanguageModel):
    run = record(lm, PARIS, Settings(max_new_tokens=8))
    found = together(opened("native.json"), 0, run)
    assert (found.prompt, found.stage, found.by_id) == ("same", 0, True)
    assert found.parts_at == len(found.pairs) - 1 >= 3
    for pair in found.pairs:
        theirs = opened("native.json").choices[0].steps[pair.theirs]
        logs = torch.log_softmax(run.scores(step=pair.ours, stage=0).double(), -1)
        assert [token.theirs for token in pair.tokens] == [token.logprob for token in theirs.known]
        assert [token.ours for token in pair.tokens] == [float(logs[token.token_id]) for token in pair.tokens]
    # The file's weights are in four bits and llama.cpp rounds what it multiplies them with to eight: near, not equal.
    assert 0.001 < found.largest < 0.7


def test_final_probabilities_are_held_against_the_runs_final_ones(lm: LanguageModel):
    run = record(lm, PARIS, Settings(do_sample=True, top_k=3, temperature=0.8, seed=1, max_new_tokens=4))
    found = together(opened("native-after-sampling.json"), 0, run)
    assert found.stage == -1 and found.pairs[0].tokens
    final = torch.log_softmax(run.scores(step=0, stage=-1).double(), -1)
    assert [token.ours for token in found.pairs[0].tokens] == [float(final[t.token_id]) for t in found.pairs[0].tokens]
    assert max(abs(token.difference) for token in found.pairs[0].tokens) < 0.3


def test_tokens_that_the_server_left_out_are_passed_by_or_part_the_two(lm: LanguageModel):
    partial = opened("native-stream.txt")
    run = record(lm, EMOJI, Settings(max_new_tokens=3))
    pair = together(partial, 0, run).pairs[0]
    assert (pair.theirs, pair.ours, pair.same) == (0, 2, False)  # two of three bytes were the same tokens
    assert max(abs(token.difference) for token in pair.tokens) < 0.3
    hidden = partial.choices[0].steps[0].left_out
    other = hand_made_trace([[0.0] * 3] * 3, [0, 2, 1], texts=[b"\xf0\x9f", b"\x8c", b"\x9e"])
    met = together(replace(partial, prompts=()), 0, other).pairs[0]
    assert hidden == b"\xf0\x9f\x8c" and (met.ours, met.same, met.tokens) == (1, False, ())


def test_a_chat_is_the_same_by_its_messages(lm: LanguageModel):
    run = record(lm, CHAT, Settings(max_new_tokens=4))
    answer = json.loads((RESPONSES / "chat.json").read_text())
    for request, said in (
        ({"messages": CHAT}, "same"),
        ({"messages": [{"role": "user", "content": "Name a fruit."}]}, "differs"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": CHAT[0]["content"]}]}]}, "same"),
    ):
        found = together(open_response({"request": request, "response": answer}), 0, run)
        assert found.prompt == said and bool(found.pairs) == (said == "same")
    assert together(opened("chat.json"), 0, run).prompt == "unsaid"


def test_without_ids_tokens_are_told_by_their_bytes():
    logits = [[1.0, 2.0, 0.5, 0.0], [0.0, 1.0, 3.0, 0.5]]
    run = hand_made_trace(logits, [1, 2], texts=["a", "b", "c", "b"])
    first = entry("b", -0.5, ("b", -0.5), ("a", -1.5), ("zz", -3.0))
    partial = open_response(chat_of(first, entry("c", -0.25, ("c", -0.25), ("a", -2.0))))
    found = together(partial, 0, run)
    assert not found.by_id and found.parts_at is None
    assert [[token.text for token in pair.tokens] for pair in found.pairs] == [["a"], ["c", "a"]]  # two tokens are "b"


def test_a_beam_search_and_a_run_without_texts_say_why_not(lm: LanguageModel):
    beams = record(lm, PARIS, Settings(num_beams=2, max_new_tokens=2))
    with pytest.raises(NotRecordedError, match="beam search"):
        together(opened("native.json"), 0, beams)


# --- the other servers' forms ---------------------------------------------------------------------------------


def test_openais_chat_with_bytes_of_half_a_character():
    half = {"token": "\\xf0\\x9f", "logprob": -0.5, "bytes": [240, 159], "top_logprobs": []}
    step = step_of(chat_of(half))
    assert step.token.raw == b"\xf0\x9f" and step.marks == ("alone",)
    assert open_response(chat_of(half)).kind == "unsaid"


def test_openais_completion_with_an_echoed_prompt():
    response = four(
        ["The", " sky", " is", "bytes:\\xf0\\x9f"], [None, -2.0, -1.0, -0.1],
        [None, {" sky": -2.0, " cat": -1.5}, {" is": -1.0}, {"bytes:\\xf0\\x9f": -0.1}], usage={"prompt_tokens": 2},
    )  # fmt: skip
    for given in (response, [{"prompt": "The sky"}, response]):
        choice = open_response(given).choices[0]
        assert [step.in_prompt for step in choice.steps] == [True, True, False, False]
        assert choice.steps[0].token.logprob is None and "null" in choice.steps[0].marks
        assert choice.steps[3].token.raw == b"\xf0\x9f"
        assert "prompt_echoed" in choice.notes


def test_vllms_completion_names_the_token_that_came_beside_the_likeliest():
    step = step_of(four([" dog"], [-4.0], [{" cat": -0.5, " cow": -1.5, " dog": -4.0}]))
    assert [token.rank for token in step.known] == [1, 2, 3]
    assert all(token.rank_is_least for token in step.known)  # two tokens of one text were one entry
    assert step.measures().highest_unknown == pytest.approx(step.measures().tail)


def test_vllms_ids_in_place_of_texts_and_its_prompt():
    top = {"token_id:11": -0.5, "token_id:22": -1.0}
    response = four(["token_id:22"], [-1.0], [top])
    response["choices"][0]["prompt_logprobs"] = [
        None, {"7": {"logprob": -3.0, "rank": 12, "decoded_token": " a"}, "9": {"logprob": -0.5, "rank": 1}},
    ]  # fmt: skip
    first, second, new = open_response(response).choices[0].steps
    assert (first.in_prompt, first.marks) == (True, ("alone", "null"))
    assert (second.token.token_id, second.token.rank, second.token.rank_is_least) == (7, 12, False)
    assert (new.in_prompt, new.token.token_id) == (False, 22)


def test_openais_responses_api():
    part = {"type": "output_text", "text": "Hi", "logprobs": [entry("Hi", -0.5, ("Hi", -0.5), ("Ho", -1.5))]}
    response = {"output": [{"type": "reasoning"}, {"type": "message", "content": [part]}], "status": "completed"}
    partial = open_response(response)
    assert (partial.form, partial.choices[0].text, partial.choices[0].finish_reason) == ("responses", "Hi", "completed")


def test_llama_cpps_form_before_the_end_of_2024():
    probs = [{"tok_str": " Paris", "prob": 0.75}, {"tok_str": " Lyon", "prob": 0.0}]
    listed = [{"content": " Paris", "probs": probs}]
    partial = open_response({"content": " Paris", "completion_probabilities": listed, "model": "C:\\m\\a.gguf"})
    step = partial.choices[0].steps[0]
    assert (partial.kind, partial.model) == ("final", "a.gguf")
    assert step.token.probability == pytest.approx(0.75) and step.known[1].logprob == -math.inf


@pytest.mark.parametrize("between", ["\n", "", ",\n", "\r\n\r\n"])
def test_request_and_response_may_be_pasted_one_after_the_other_in_either_order(between: str):
    request = json.dumps({"prompt": PARIS, "n_predict": 8, "top_k": 5})
    answer = (RESPONSES / "completion.json").read_text()
    for text in (request + between + answer, answer + between + request):
        partial = open_response(text)
        assert partial.prompts == (PARIS,) and partial.request["top_k"] == 5


def test_a_batch_of_openais_is_several_answers():
    line = {"custom_id": "1", "response": {"status_code": 200, "body": {**chat_of(entry("a", -0.5)), "id": "x"}}}
    other = {"custom_id": "2", "response": {"status_code": 200, "body": {**chat_of(entry("b", -0.5)), "id": "y"}}}
    partial = open_response("\n".join(map(json.dumps, (line, other))))
    assert [choice.steps[0].token.text for choice in partial.choices] == ["a", "b"] and not partial.streamed


def test_two_whole_answers_without_an_id_stay_two():
    text = (RESPONSES / "native.json").read_text()
    assert [len(choice.steps) for choice in open_response(f"{text}\n{text}").choices] == [8, 8]


def test_a_stream_saved_as_lines_of_json_is_the_stream():
    events = (RESPONSES / "chat-stream.txt").read_text()
    lines = "\n".join(line.removeprefix("data: ") for line in events.splitlines() if line.strip())
    assert open_response(lines).choices == open_response(events).choices
    assert open_response(": a comment\r\n" + events.replace("\n", "\r\n")).choices == open_response(events).choices


# --- what is known and what is not ---------------------------------------------------------------------------


def known(*probabilities: float) -> list[KnownToken]:
    return [KnownToken(text=str(n), logprob=math.log(p)) for n, p in enumerate(probabilities)]


def entropy(p: list[float]) -> float:
    return -math.fsum(x * math.log(x) for x in p if x > 0)


def test_the_entropys_bounds_hold_for_every_tail_and_are_reached():
    draw = random.Random(4)
    for _ in range(300):
        n = draw.randint(3, 40)
        weights = sorted((draw.random() ** draw.choice([1, 4, 12]) for _ in range(n)), reverse=True)
        p = [weight / sum(weights) for weight in weights]
        head = draw.randint(1, n - 1)
        found = measures_of(known(*p[:head]), 0, is_top=True, vocab_size=n)
        assert found.lower - 1e-9 <= entropy(p) <= found.upper + 1e-9
        assert found.tail == pytest.approx(math.fsum(p[head:]), abs=1e-12)
        even = [*p[:head], *[found.tail / (n - head)] * (n - head)]
        assert found.upper == pytest.approx(entropy(even))
        without = measures_of(known(*p[:head]), 0, vocab_size=n)  # anything may be likelier than what is named
        assert without.lower == pytest.approx(entropy([*p[:head], without.tail]))
        assert without.lower <= found.lower + 1e-9
    few = measures_of(known(0.4, 0.25), 0, is_top=True)
    assert few.lower == pytest.approx(entropy([0.4, 0.25, 0.25, 0.1])) and few.upper is None


def test_with_one_other_token_nothing_is_unknown():
    found = measures_of(known(0.5, 0.3), 0, is_top=True, vocab_size=3)
    assert found.lower == pytest.approx(entropy([0.5, 0.3, 0.2])) == pytest.approx(found.upper)


def test_a_sum_above_one_by_rounding_leaves_no_tail_and_one_by_more_says_so():
    close = step_of(chat_of(entry("a", -0.25, ("a", math.log(0.75)), ("b", math.log(0.2504)))))
    assert close.marks == () and close.measures().tail == 0 and close.measures().excess == pytest.approx(4e-4)
    wrong = step_of(chat_of(entry("a", -0.1, ("a", -0.1), ("b", -0.2))))
    assert wrong.marks == ("above_one",)
    assert (wrong.measures().tail, wrong.measures().lower, wrong.measures().upper) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "mark", "logprob"),
    [
        (None, "null", None), (-9999.0, "floor", None), (-99999, "floor", None), (float("nan"), "nan", None),
        (0.5, "positive", None), (float("inf"), "positive", None), (0.0005, "", 0.0005), (float("-inf"), "", -math.inf),
        (0, "", 0.0),
    ],
)  # fmt: skip
def test_numbers_that_are_no_log_probabilities_mark_the_step(value: Any, mark: str, logprob: float | None):
    response = json.loads(json.dumps(chat_of(entry("a", value, ("a", value)))))
    step = step_of(response)
    assert step.marks == ((mark,) if mark else ()) and step.token.logprob == logprob
    assert step.token.probability is None or 0 <= step.token.probability <= 1


def test_a_token_named_twice_counts_once_and_two_of_one_text_count_both():
    twice = chat_of(entry("a", -1.0))
    twice["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = [
        {"id": 5, "token": "a", "logprob": -1.0}, {"id": 5, "token": "a", "logprob": -1.0},
        {"id": 6, "token": "a", "logprob": -2.0},
    ]  # fmt: skip
    step = step_of(twice)
    assert step.marks == ("repeated", "same_text") and len(step.known) == 2
    lists = '{"tokens":["a"],"token_logprobs":[-1],"top_logprobs":[{"a":-1,"a":-2}]}'
    step = step_of('{"choices":[{"text":"a","logprobs":' + lists + "}]}")
    assert step.marks == ("same_text",) and [token.logprob for token in step.known] == [-1.0, -2.0]


def test_only_whole_answers_without_any_log_probability_are_refused():
    with pytest.raises(ResponseError, match="no log-probabilities; ask the server for them"):
        open_response({"choices": [{"message": {"content": "Hi"}}]})
