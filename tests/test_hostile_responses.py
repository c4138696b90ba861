"""Responses that anybody may have written: a clear error that names the place, or a trace whose numbers hold."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decoding import ResponseError, load_response, open_response
from decoding.partial.partial_trace import MARKS, NOTES, PartialTrace
from decoding.partial.token import ROUNDING

RESPONSES = Path(__file__).parent / "data" / "responses"
CHAT = json.loads((RESPONSES / "chat.json").read_text())
FOUR = {
    "choices": [
        {
            "text": "ab", "index": 0, "finish_reason": "stop",
            "logprobs": {
                "tokens": ["a", "b"], "token_logprobs": [None, -1.0], "top_logprobs": [None, {"b": -1.0, "c": -0.7}],
                "text_offset": [0, 1],
            },
            "prompt_logprobs": [None, {"5": {"logprob": -1.0, "rank": 2, "decoded_token": "x"}}],
        }
    ],
    "usage": {"prompt_tokens": 1}, "model": "m", "id": "i", "created": 1,
}  # fmt: skip
NATIVE = json.loads((RESPONSES / "native.json").read_text())
AFTER = json.loads((RESPONSES / "native-after-sampling.json").read_text())
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 300), st.just(10**400), st.floats(), st.text(max_size=5),
    st.sampled_from(["NaN", "-Infinity", "<img onerror>", "\ud800", "token_id:99999999999", "bytes:\\xzz"]),
    st.lists(st.integers(-1, 300), max_size=3), st.just({}), st.just([]), st.just([[]]), st.just({"a": {"b": []}}),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inside for place in places(item, (*path, key)))]


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    out = copy.deepcopy(document)
    node = out
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return out


def check(partial: PartialTrace) -> None:
    """What holds of every partial trace."""
    for choice in partial.choices:
        assert set(choice.notes) <= set(NOTES)
        for step in choice.steps:
            assert set(step.marks) <= set(MARKS)
            logprobs = [token.logprob for token in step.known if token.logprob is not None]
            assert logprobs == sorted(logprobs, reverse=True)
            for vocab in (None, 2, 50_000):
                found = step.measures(vocab)
                if found.tail is None:
                    assert "above_one" in step.marks or not logprobs
                    continue
                assert 0 <= found.tail <= 1 and found.mass <= 1 + ROUNDING
                assert 0 <= found.lower and (found.upper is None or found.lower <= found.upper + 1e-9)


@pytest.mark.parametrize("document", [CHAT, FOUR, NATIVE, AFTER], ids=["chat", "four", "native", "after"])
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_anything_at_any_place_is_an_error_that_says_where_or_opens(document: Any, data: st.DataObject):
    changed = with_value(document, data.draw(st.sampled_from(places(document))), data.draw(VALUES))
    try:
        partial = open_response(changed)
    except ResponseError as error:
        assert len(str(error)) < 800
    else:
        check(partial)


@given(text=st.one_of(st.text(max_size=60), st.binary(max_size=60)))
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_error_that_can_be_shown(text: str | bytes):
    with pytest.raises(ResponseError):
        open_response(text)


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["chat.json", "chat-stream.txt", "native-stream.txt"])
def test_a_file_that_was_cut_off_says_so_or_opens_with_what_is_whole(name: str, cut: float):
    text = (RESPONSES / name).read_text()
    try:
        check(open_response(text[: int(cut * len(text))]))
    except ResponseError as error:
        assert "line" in str(error) or "log-probabilities" in str(error)
    else:
        assert name.endswith(".txt")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("choices", 0, "logprobs", "content", 2, "logprob"), "NaN",
         "choices[0].logprobs.content[2].logprob must be a number or null, got 'NaN'"),
        (("choices", 0, "logprobs", "content", 0, "top_logprobs", 1), 5,
         "choices[0].logprobs.content[0].top_logprobs[1] must be an object, got 5"),
        (("choices", 0, "logprobs", "content", 0, "bytes", 1), 256,
         "choices[0].logprobs.content[0].bytes[1] must be a whole number in [0, 255], got 256"),
        (("choices", 0, "logprobs", "content", 0, "token"), ["x"] * 10**6,
         "choices[0].logprobs.content[0].token must be a text, got a list"),
        (("choices",), {"a": 1}, "choices must be a list, got an object"),
    ],
)  # fmt: skip
def test_the_error_names_the_place_the_value_and_what_belongs_there(path: tuple[Any, ...], value: Any, said: str):
    with pytest.raises(ResponseError) as raised:
        open_response(with_value(CHAT, path, value))
    assert str(raised.value).startswith(said)


def test_lists_of_different_lengths_are_refused_by_name():
    for name, length in (("token_logprobs", 1), ("top_logprobs", 1), ("tokens", 3)):
        lists = FOUR["choices"][0]["logprobs"]
        items = (lists[name] + lists[name])[:length]
        with pytest.raises(ResponseError, match=r"^choices\[0\]\.logprobs: \w+ has \d items, tokens has \d"):
            open_response(with_value(FOUR, ("choices", 0, "logprobs", name), items))


def test_in_a_stream_the_place_has_the_piece():
    pieces = [json.loads(line[6:]) for line in (RESPONSES / "chat-stream.txt").read_text().split("\n") if "{" in line]
    pieces[3]["choices"][0]["logprobs"]["content"][0]["logprob"] = "x"
    with pytest.raises(ResponseError, match=r"^piece 4\.choices\[0\]\.logprobs\.content\[0\]\.logprob must be"):
        open_response("\n".join(map(json.dumps, pieces)))


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("bracket", ["[", '{"choices":', '{"request":'])
def test_brackets_within_brackets_are_an_error(bracket: str, depth: int):
    with pytest.raises(ResponseError):
        open_response(bracket * depth)
    nested: Any = 1
    for _ in range(depth):
        nested = [nested] if bracket == "[" else {bracket[2:-2]: nested}
    with pytest.raises(ResponseError):
        open_response(nested)


def test_thirty_megabytes_open_in_seconds_and_more_than_the_limit_is_refused_at_once(tmp_path: Path):
    entry = CHAT["choices"][0]["logprobs"]["content"][0]
    one = json.dumps(entry)
    n = 30 * 2**20 // len(one)
    text = '{"choices":[{"message":{"content":null},"logprobs":{"content":[' + ",".join([one] * n) + "]}}]}"
    began = time.perf_counter()
    partial = open_response(text)
    assert len(partial.choices[0].steps) == n and time.perf_counter() - began < 60
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(65 * 2**20)
    began = time.perf_counter()
    with pytest.raises(ResponseError, match="more than 64 MiB"):
        load_response(path)
    with pytest.raises(ResponseError, match="more than 64 MiB"):
        open_response(" " * (65 * 2**20))
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ("", "no JSON in it"), ("Hello", "line 1, character 1: no JSON here"), ("{\n ]", "line 2, character 2"),
        ("data: [DONE]\n\n", "no JSON in it"), ("data: {x}\n\n", "the event at line 1 is no JSON"),
        ({"error": {"message": "model not found"}}, "the server answered with an error: model not found"),
        ({"error": "overloaded"}, "the server answered with an error: overloaded"),
        ({"messages": [], "model": "m"}, "a request without its response"), ({}, "no response that is known"),
        ([], "there is no response in it"), ([1], "must be an object, got 1"), (5, "must be a text, an object"),
        ({"choices": []}, "no log-probabilities"), ("1" * 10_000, "no JSON here"), ("\ufeff", "no JSON in it"),
    ],
)  # fmt: skip
def test_what_is_no_response_is_refused_in_words(given_: Any, said: str):
    with pytest.raises(ResponseError) as raised:
        open_response(given_)
    assert said in str(raised.value)


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path: Path):
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(ResponseError, match="cannot be read"):
            load_response(path)
