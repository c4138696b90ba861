"""A permalink gives back what went in; what cannot be read of one is said, and never raised."""

from __future__ import annotations

import base64
import json
import re
import string
import tracemalloc
import zlib
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.export import permalink
from app.export.broken_json import read_json
from app.export.permalink import (
    _READERS,
    LARGEST,
    MOST_PROBLEMS,
    Configuration,
    Problem,
    decode,
    encode,
)
from app.form import MODES_SHOWN
from app.serving.bounds import bounds_here
from app.text import _TABLES, Text
from app.text.en.link import LINK_EN
from decoding.parameters.knobs import KNOBS, Knob
from tests.counted_work import lines_of

LONGEST_PROMPT = bounds_here().prompt_characters
EVERYTHING = Configuration(
    run=False, lang="zh", model="HuggingFaceTB/SmolLM2-135M-Instruct", mode="beam_sample",
    given={"num_beams": 3, "temperature": 0.7, "early_stopping": "never", "stop_strings": "END, ###",
           "renormalize_logits": True, "seed": 7},
    row=1, step=5, rank=2, tab="orders", view="pool", kind="chat", system="Be brief.",
    prompt="Où est Paris? 🗼\n---\n巴黎在哪里？",
)  # fmt: skip
# Links as version 1 made them. They stay as they are: every later version has to read them.
VERSION_1 = [
    (
        "eyJ2IjoxLCJtb2RlIjoiZ3JlZWR5Iiwia25vYnMiOnsibWF4X25ld190b2tlbnMiOjQwfSwic3RlcCI6NSwicHJvbXB0IjoiVGhlIGNhcGl0"
        "YWwgb2YgRnJhbmNlIGlzIn0",
        Configuration(mode="greedy", given={"max_new_tokens": 40}, step=5, prompt="The capital of France is"),
    ),
    (
        "eyJ2IjoxLCJydW4iOmZhbHNlLCJsYW5nIjoiemgiLCJtb2RlbCI6Ikh1Z2dpbmdGYWNlVEIvU21vbExNMi0xMzVNLUluc3RydWN0IiwibW9k"
        "ZSI6ImJlYW1fc2FtcGxlIiwia25vYnMiOnsibnVtX2JlYW1zIjozLCJ0ZW1wZXJhdHVyZSI6MC43LCJlYXJseV9zdG9wcGluZyI6Im5ldmVy"
        "Iiwic3RvcF9zdHJpbmdzIjoiRU5ELCAjIyMiLCJyZW5vcm1hbGl6ZV9sb2dpdHMiOnRydWUsInNlZWQiOjd9LCJyb3ciOjEsInN0ZXAiOjUs"
        "InJhbmsiOjIsInRhYiI6Im9yZGVycyIsInZpZXciOiJwb29sIiwia2luZCI6ImNoYXQiLCJzeXN0ZW0iOiJCZSBicmllZi4iLCJwcm9tcHQi"
        "OiJPw7kgZXN0IFBhcmlzPyDwn5e8XG4tLS1cbuW3tOm7juWcqOWTqumHjO-8nyJ9",
        EVERYTHING,
    ),
    (
        "z.eNotj71KA1EQhV9lmbS70SSEwDZCUFEwKmgZWO5mJ5tL7h9z70aSkNpGbCxshLRiLYiYzmdJkUofwdlgeb5z5nBmCTNIWzFQZSAdC-Ux"
        "BiVMCSksJhCDtgUqFmdVWUpTnooR3vYPbrRVF4N20up0B8m58YGqUfhPczhHoTMvtFPIcGps7iFdgql0VlssOjEE1A5JhIr45LDZiwEFqXnm"
        "g3VO7hcYnCFxQ42YE1O-hZPL4zhqNBrsEBpLWii5wEzZUgb2eQw_4RELSHsrzti7_Ys-oIO0y0CYKaRtniByrrNUIHkum0nkJDhrVT1bGi6A"
        "0UTUn_k5n2vWfYxykjhuMnRktQsMr74_I_QhuhYk_VH0u37eDE2SJEOz_XjffT1uX163T2-7-4efzRpWf4XggWc",
        EVERYTHING,
    ),
]


def link(values: object, **more: object) -> str:
    """The link of any values, without what `encode` would mind."""
    values = values | more if isinstance(values, dict) else values
    return base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()


def keys(problems: tuple[Problem, ...]) -> list[str]:
    return [problem.key for problem in problems]


# --- there and back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("frozen", "configuration"), VERSION_1)
def test_links_of_version_1_are_read_for_ever(frozen: str, configuration: Configuration):
    assert decode(frozen) == (configuration, ())


def test_a_link_is_base64url_of_json_that_a_page_can_write_by_hand():
    data = b'{"v":1,"mode":"greedy","prompt":"Hi"}'
    assert encode(Configuration(mode="greedy", prompt="Hi")) == base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_nothing_asked_for_is_no_link_and_no_problem():
    assert decode("") == (Configuration(), ())
    assert decode(encode(Configuration())) == (Configuration(), ())


def test_every_field_of_a_configuration_can_be_in_a_link():
    assert {field.name for field in fields(Configuration)} - {"given"} == set(_READERS)
    plain = Configuration()
    assert all(getattr(EVERYTHING, field.name) != getattr(plain, field.name) for field in fields(Configuration))


def test_a_long_text_that_repeats_itself_is_packed():
    configuration = Configuration(prompt="over and over " * 200)
    assert encode(configuration).startswith("z.") and len(encode(configuration)) < 200
    assert decode(encode(configuration)) == (configuration, ())


def test_the_longest_prompt_fits_whatever_it_is_written_in():
    for character in ("a", "漢", "🗼", "\x00"):
        configuration = Configuration(prompt=character * LONGEST_PROMPT)
        assert decode(encode(configuration)) == (configuration, ()), character


def test_a_plus_and_a_slash_of_other_programs_are_read_and_padding_is_ignored():
    configuration = Configuration(prompt="~~~???>>>")
    written = encode(configuration)
    assert set("-_") & set(written)
    spelled = base64.b64encode(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))).decode()
    assert decode(spelled) == (configuration, ())
    assert decode(spelled.replace("+", " ")) == (configuration, ())  # as a form's data the plus is a space


def test_what_a_chat_program_hangs_on_a_link_is_ignored():
    for tail in (")", ".", "%22", "\u200b"):
        assert decode(encode(EVERYTHING) + tail) == (EVERYTHING, ())


def typed(knob: Knob) -> st.SearchStrategy:
    """What a visitor may put into a knob's field."""
    words = st.text(string.ascii_letters + " é漢🗼", min_size=1, max_size=12).filter(lambda t: t.strip())
    token_ids = st.integers(0, 2**31 - 1)
    match knob.kind:
        case "bool":
            return st.booleans()
        case "int":
            return st.integers(knob.low or 0, int(knob.high or 2**31 - 1))
        case "float":
            ends = {"exclude_min": knob.low_open, "exclude_max": knob.high_open and knob.high is not None}
            return st.floats(knob.low, knob.high, allow_nan=False, allow_infinity=False, **ends)
        case "early_stopping":
            return st.sampled_from(["True", "False", "never"])
        case "text":
            return st.text(st.characters(codec="utf-8"), min_size=1)
        case "text_list":
            return st.lists(words, min_size=1, max_size=4).map(",".join)
        case "token_list":
            one = knob.name == "forced_bos_token_id"
            return st.lists(token_ids, min_size=1, max_size=1 if one else 5).map(lambda ids: ", ".join(map(str, ids)))
        case "sequence_list":
            return st.lists(st.lists(token_ids, min_size=1, max_size=3), min_size=1, max_size=3).map(json.dumps)
        case "sequence_bias":
            pair = st.tuples(words.map(lambda w: w.replace(",", "")), st.integers(-9, 9))
            return st.lists(pair, min_size=1, max_size=3).map(lambda ps: ", ".join(f"{w}: {b}" for w, b in ps))
        case "decay":
            return st.tuples(st.integers(0, 99), st.floats(0.5, 2)).map(lambda pair: f"{pair[0]}, {pair[1]}")
        case "constraint":
            plain = st.text(st.characters(codec="utf-8", exclude_characters="\0{"), min_size=1).filter(str.strip)
            schemas = st.dictionaries(words, st.integers(0, 99)).map(json.dumps)
            return schemas if knob.name == "json_schema" else plain
        case "watermark":
            return st.sampled_from(['{"bias": 2.0}', '{"ngram_len": 5, "keys": [654, 400]}', "{}"])


texts = st.text(st.characters(codec="utf-8"), max_size=300)
configurations = st.builds(
    Configuration,
    run=st.booleans(), lang=st.sampled_from(["", "en", "zh"]), model=st.text(st.characters(codec="utf-8"), max_size=40),
    mode=st.sampled_from(MODES_SHOWN),
    given=st.fixed_dictionaries({}, optional={n: typed(k) for n, k in KNOBS.items() if n != "do_sample"}),
    row=st.integers(0, 9999), step=st.none() | st.integers(0, 999_999), rank=st.none() | st.integers(0, 999),
    tab=st.sampled_from(["", "words", "microscope"]), view=st.text(string.ascii_lowercase, max_size=20),
    kind=st.sampled_from(["text", "chat"]), system=texts, prompt=texts,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(configurations)
def test_any_configuration_comes_back_as_it_was(configuration: Configuration):
    assert decode(encode(configuration)) == (configuration, ())


def test_the_random_configurations_do_use_every_knob():
    assert {"" if typed(knob) is None else name for name, knob in KNOBS.items()} == set(KNOBS)


# --- what cannot be read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("frozen", "configuration"), VERSION_1)
def test_of_a_link_cut_anywhere_no_wrong_value_is_read(frozen: str, configuration: Configuration):
    plain = Configuration()
    for end in range(1, len(frozen)):
        read, problems = decode(frozen[:end])
        if not problems:  # only the check sum of the packed form is missing
            assert read == configuration and frozen.startswith("z.") and end > len(frozen) - 8
            continue
        assert keys(problems) in (["link.cut"], ["link.unreadable"]), end
        assert not read.run
        assert read.given.items() <= configuration.given.items()
        assert configuration.prompt.startswith(read.prompt) and configuration.system.startswith(read.system)
        for name in set(_READERS) - {"run", "prompt", "system"}:
            assert getattr(read, name) in (getattr(configuration, name), getattr(plain, name)), (end, name)


def test_a_link_cut_in_its_prompt_keeps_everything_before_it():
    read, problems = decode(VERSION_1[0][0][:-10])
    assert read == replace(VERSION_1[0][1], prompt="The capital of Fra", run=False)
    assert problems[0].text.startswith("The link was cut short or damaged.")


def test_a_link_from_the_future_is_read_as_far_as_it_is_known():
    read, problems = decode(link({"v": 2, "mode": "greedy", "mood": "calm", "knobs": {"top_p": 0.5, "top_q": 1}}))
    assert (read.mode, dict(read.given), read.run) == ("greedy", {"top_p": 0.5}, False)
    assert keys(problems) == ["link.newer", "link.unknown_field", "link.unknown_knob"]
    assert [problem.text for problem in problems] == [
        "The link is from a newer version of this program (format 2, known here: 1). What is known here was read.",
        "The link has a part 'mood' that this version does not know; it was left out.",
        "There is no setting 'top_q' here; it was left out.",
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("top_p", 1.7, "top_p must be in (0, 1], not 1.7; it was left out."),
        ("top_k", -1, "top_k must be a whole number >= 0, not -1; it was left out."),
        ("seed", 2**70, "seed must be"),
        ("temperature", "warm", "temperature must be > 0, not 'warm'"),
        ("temperature", float("nan"), "temperature must be > 0, not nan"),
        ("max_new_tokens", 10**400, "max_new_tokens must be"),
        ("max_new_tokens", True, "max_new_tokens must be"),
        ("renormalize_logits", 1, "renormalize_logits must be True or False, not 1"),
        ("stop_strings", ["END"], "stop_strings must be"),
        ("stop_strings", "x" * 5000, "stop_strings must be at most 4000 characters long"),
        ("top_p", None, "top_p must be"),
        ("top_p", {"a": [1]}, "top_p must be"),
        ("watermarking_config", "[[[1], 2]]", "watermarking_config must be"),
        ("suppress_tokens", "[" * 4000, "suppress_tokens must be"),
    ],
)  # fmt: skip
def test_a_value_that_a_knob_cannot_have_is_said_and_the_rest_is_kept(name, value, said):
    read, problems = decode(link({"v": 1, "knobs": {"min_p": 0.1, name: value}, "prompt": "Hi"}))
    assert (dict(read.given), read.prompt, read.run) == ({"min_p": 0.1}, "Hi", False)
    assert keys(problems) == ["link.knob"] and problems[0].text.startswith(said)


def test_a_temperature_of_zero_is_fine_where_the_form_takes_it_too():
    assert decode(link({"v": 1, "mode": "greedy", "knobs": {"temperature": 0}}))[1] == ()
    assert keys(decode(link({"v": 1, "knobs": {"temperature": 0}}))[1]) == ["link.knob"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run", "yes"), ("run", 1), ("lang", "tlh"), ("lang", []), ("model", 3), ("model", "x" * 501), ("mode", "dola"),
        ("mode", {}), ("row", -1), ("row", 1.5), ("row", True), ("step", "5"), ("step", 10**12), ("rank", None),
        ("tab", 5), ("tab", "x" * 81), ("view", ["a"]), ("kind", "image"), ("system", {}), ("prompt", ["a"]),
        ("knobs", []), ("v", "1"), ("v", 0), ("v", True), ("v", None),
    ],
)  # fmt: skip
def test_a_field_of_the_wrong_kind_is_said_and_left_as_it_was(name, value):
    read, problems = decode(link({"v": 1, "prompt": "Hi", "tab": "words"}, **{name: value}))
    assert keys(problems) == ["link.field"] and problems[0].fields["name"] == name
    kept = {"prompt": "Hi", "tab": "words", "run": False} | ({name: ""} if name in ("prompt", "tab") else {})
    assert read == Configuration(**kept)


def test_a_packed_link_with_a_letter_changed_is_said_to_be_damaged():
    frozen, configuration = VERSION_1[2]
    for place in range(10, len(frozen), 7):
        changed = frozen[:place] + ("A" if frozen[place] != "A" else "B") + frozen[place + 1 :]
        read, problems = decode(changed)
        assert read == configuration or problems and not read.run, place


@pytest.mark.parametrize("junk", ["!", "z.", "z.!!!", "z.AAAA", "AAAA", link([1]), link(None), link("x"), "é", " % "])
def test_of_a_link_that_is_none_nothing_is_read(junk):
    assert decode(junk) == (Configuration(run=False), (Problem(key="link.unreadable"),))


def test_brackets_without_end_are_unreadable_and_do_no_harm():
    for deep in (b"[" * 100_000, b'{"v":' * 30_000, b'{"v":1,"knobs":' + b"[" * 100_000):
        read, problems = decode(base64.urlsafe_b64encode(deep).decode())
        assert read.prompt == "" and keys(problems) in (["link.unreadable"], ["link.cut"])


def test_a_prompt_beyond_the_limit_is_cut_to_it():
    read, problems = decode(link({"v": 1, "kind": "chat", "system": "s" * 100, "prompt": "p" * LONGEST_PROMPT}))
    assert (len(read.system), len(read.prompt)) == (100, LONGEST_PROMPT - 100)
    assert problems[0].text == (
        "The prompt has 40,100 characters and at most 40,000 are taken; the end was left out."
    )


def test_a_bomb_is_unpacked_to_the_limit_and_no_further():
    packed = zlib.compress(b'{"v":1,"mode":"greedy","prompt":"' + b"a" * 2**28, 9)
    bomb = "z." + base64.urlsafe_b64encode(packed).decode()
    tracemalloc.start()
    read, problems = decode(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert keys(problems) == ["link.too_large", "link.long_prompt"]
    assert (read.mode, read.prompt) == ("greedy", "a" * LONGEST_PROMPT)
    assert peak < 20 * LARGEST


def test_a_huge_link_is_read_to_the_limit_and_no_further():
    huge = link({"v": 1, "mode": "greedy", "prompt": "a" * 20_000_000})
    answer = []
    assert lines_of(lambda: answer.append(decode(huge))) < 10_000
    read, problems = answer[0]
    assert (read.mode, keys(problems)) == ("greedy", ["link.too_large", "link.long_prompt"])


def test_half_characters_are_replaced():
    read, problems = decode(link({"v": 1, "prompt": "a\ud83db", "knobs": {"negative_prompt": "\udc00"}}))
    assert (read.prompt, read.given["negative_prompt"]) == ("a\ufffdb", "\ufffd")
    assert keys(problems) == ["link.characters"]


def test_of_very_many_problems_the_first_are_told_and_the_others_counted():
    _, problems = decode(link({"v": 1} | {f"x{i}": 1 for i in range(1000)}))
    assert len(problems) == MOST_PROBLEMS + 1
    assert problems[-1].text == f"… and {1000 - MOST_PROBLEMS} more parts that could not be read."


def test_what_a_problem_names_is_short_and_shows_no_control_characters():
    _, problems = decode(link({"v": 1, "\x1b[2J\u202e" + "x" * 9999: 1, "mode": "\x00" * 9999}))
    for problem in problems:
        assert len(problem.text) < 200 and problem.text.isprintable()


def test_a_problem_is_told_in_the_visitors_language():
    problem = decode(link({"v": 1, "knobs": {"top_p": 1.7}}))[1][0]
    assert problem.words(Text("zh")) == "top_p 不能是 1.7（应为：in (0, 1]），已略去。"


def test_every_text_about_a_link_is_used():
    code = Path(permalink.__file__).read_text(encoding="utf-8")
    assert all(f'"{key}"' in code for key in LINK_EN)
    assert LINK_EN.keys() <= _TABLES["zh"].keys()


# --- anything at all --------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["v", "knobs", *_READERS]) | st.text(max_size=6)
knob_values = st.dictionaries(st.sampled_from([*KNOBS]) | st.text(max_size=6), json_values, max_size=6)
links = (
    st.dictionaries(names, json_values, max_size=8).map(link)
    | st.builds(lambda knobs, mode: link({"v": 1, "mode": mode, "knobs": knobs}), knob_values, json_values)
    | st.builds(lambda data, z: z + base64.urlsafe_b64encode(data).decode(), st.binary(), st.sampled_from(["", "z."]))
    | st.text(max_size=200)
    | st.builds(lambda c, n, tail: encode(c)[:n] + tail, configurations, st.integers(0, 500), st.text(max_size=10))
)


@settings(max_examples=500, deadline=None)
@given(links)
@example("z.")
@example(None)
@example(b"eyJ2IjoxfQ")
def test_whatever_is_in_a_link_reading_it_never_raises_and_gives_what_can_be_linked(junk):
    read, problems = decode(junk)
    assert read.kind in ("text", "chat") and read.mode in MODES_SHOWN
    assert len(read.prompt) + len(read.system) <= LONGEST_PROMPT
    assert not (problems and read.run)
    assert all(isinstance(problem.text, str) for problem in problems)
    assert decode(encode(read)) == (read, ())


@settings(max_examples=200, deadline=None)
@given(json_values, st.integers(0, 200))
def test_json_that_breaks_off_gives_a_part_of_what_it_was_or_nothing(value, end):
    written = json.dumps(value)
    read, whole = read_json(written[:end])
    if whole and end >= len(written) and not re.search("[0-9]{20}", written):
        assert json.dumps(read) == written
    elif isinstance(value, dict) and isinstance(read, dict):
        assert read.keys() <= value.keys()


def test_a_number_that_may_go_on_is_left_out():
    assert read_json('{"a":1,"b":12') == ({"a": 1}, False)
    assert read_json('{"a":1,"b":{"c":[1,2') == ({"a": 1, "b": {"c": [1]}}, False)
    assert read_json('{"a":"x\\u00') == (None, False)
    assert read_json('{"a":"x\\\\\\u00', cut_texts=["a"]) == ({"a": "x\\"}, False)
    assert read_json('{"a":1,"b":"half', cut_texts=["a"]) == ({"a": 1}, False)
