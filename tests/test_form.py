"""What the form sends becomes a prompt and settings, whatever it sends."""

from __future__ import annotations

import json
import time

import pytest

from app.form import MODE_NEEDS, MODES_SHOWN, form_of, modes_of, prompt_of, settings_of
from app.serving.bounds import bounds_here
from app.serving.model_shelf import ModelShelf
from app.text import Text
from decoding.errors import DecodingError, ModelError, PromptError, SettingError
from decoding.models.load import DEFAULT_MODEL
from decoding.parameters.knobs import KNOBS
from decoding.parameters.settings import Settings

EN = Text("en")
LONGEST_PROMPT = bounds_here().prompt_characters


def form(mode: str = "sample", **given) -> str:
    return json.dumps({"mode": mode, "given": given})


def test_a_text_is_taken_as_it_is():
    assert prompt_of("text", " two\nlines ", "", EN) == " two\nlines "


def test_a_line_of_dashes_parts_prompts():
    assert prompt_of("text", "one\n---\ntwo", "", EN) == ["one", "two"]


def test_a_chat_has_the_system_message_first():
    assert prompt_of("chat", "Hi", "Be brief.", EN) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


def test_a_chat_may_be_given_as_messages():
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert prompt_of("chat", json.dumps(messages), "", EN) == messages


@pytest.mark.parametrize(
    ("kind", "prompt"), [("chat", "  "), ("chat", '[{"role": '), ("text", "x" * (LONGEST_PROMPT + 1))]
)
def test_what_is_no_prompt_is_refused_in_words(kind, prompt):
    with pytest.raises(PromptError):
        prompt_of(kind, prompt, "", EN)


def test_numbers_and_lists_are_read_by_kind():
    settings = settings_of(
        form(temperature=0.8, top_k="40", stop_strings="END", bad_words_ids="[[1, 2], [3]]", sequence_bias="no: -2.5",
             suppress_tokens="7, yes", exponential_decay_length_penalty="10, 1.05", renormalize_logits=True)
    )  # fmt: skip
    assert settings.do_sample is True
    assert settings.temperature == 0.8
    assert settings.top_k == 40
    assert settings.stop_strings == ("END",)
    assert settings.bad_words_ids == ((1, 2), (3,))
    assert settings.sequence_bias == (("no", -2.5),)
    assert settings.suppress_tokens == (7, "yes")
    assert settings.exponential_decay_length_penalty == (10, 1.05)


def test_settings_survive_the_form():
    settings = Settings(do_sample=True, temperature=0.8, top_k=5, stop_strings=("END",), suppress_tokens=(1, 2),
                        sequence_bias=(("no", -2.5),), seed=3)  # fmt: skip
    assert settings_of(form_of(settings)) == settings


def test_in_greedy_a_temperature_is_passed_on_to_be_listed_as_silent():
    assert settings_of(form("greedy", temperature=0.5)).temperature == 0.5


def test_in_greedy_a_temperature_of_zero_is_what_was_meant():
    assert settings_of(form("greedy", temperature=0)).temperature is None


@pytest.mark.parametrize(
    "given",
    [{"top_p": 1.7}, {"temperature": -1}, {"temperature": 0}, {"top_k": "many"}, {"bad_words_ids": "[1,"},
     {"sequence_bias": "word"}, {"stop_strings": "x" * 5000}, {"top_k": [1]}, {"top_p": {"a": 1}}],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_refused_in_words(given):
    with pytest.raises(SettingError):
        settings_of(form(**given))


@pytest.mark.parametrize("junk", [None, "", "{", "[]", "7", '"x"', '{"mode": 5, "given": [1]}', '{"given": {"rm": 1}}'])
def test_junk_is_no_setting(junk):
    assert settings_of(junk).given() == {"do_sample": True}


def test_a_public_page_loads_only_what_it_allows():
    shelf = ModelShelf("a", allowed=frozenset({"a"}))
    with pytest.raises(ModelError, match="one of a"):
        shelf.start("/etc")
    assert isinstance(ModelError("x"), DecodingError)


@pytest.mark.parametrize("stops", ["A" * 3000, json.dumps(["a"] * 17)])
def test_stop_strings_that_would_keep_everyone_waiting_are_refused(stops):
    with pytest.raises(SettingError, match=r"stop_strings must be at most 16 texts with 400 characters in all"):
        settings_of(json.dumps({"mode": "greedy", "given": {"stop_strings": stops}}))


def test_brackets_within_brackets_without_end_are_no_json():
    with pytest.raises(PromptError, match="could not be read as messages"):
        prompt_of("chat", "[" * 30_000, "", EN)
    with pytest.raises(SettingError, match="this is no JSON"):
        settings_of(json.dumps({"mode": "greedy", "given": {"bad_words_ids": "[" * 3_900}}))


def test_a_model_that_nobody_asks_for_is_loaded_all_the_same_a_little_later(lm):  # it is converted by then
    shelf = ModelShelf(DEFAULT_MODEL)
    shelf.start_later(DEFAULT_MODEL, 0.2)
    assert shelf.state(DEFAULT_MODEL).phase == "idle"
    end = time.monotonic() + 60
    while shelf.state(DEFAULT_MODEL).phase != "ready" and time.monotonic() < end:
        time.sleep(0.05)
    assert shelf.state(DEFAULT_MODEL).phase == "ready"


# -- what the panel is told gives the same settings back, whatever the kind of a knob

TEXTS = ("no", " yes", "a, b", '["x"]', "7", "\n", "“x”: 2", "多语言", "[1", "{")
VALUES = {
    "bool": [True, False],
    "text": list(TEXTS),
    "text_list": [[t] for t in TEXTS] + [list(TEXTS)],
    "token_list": [[7], [0, 7], ["no"], ["7", 7], [" yes", "a, b"]],
    "sequence_list": [[[1, 2], [3]], ["no"], ["a, b", [1]], ['["x"]']],
    "sequence_bias": [[["no", 2.5]], [[[1, 2], -1.0], ["a: b, c", 3.0]]],
    "decay": [[0, 1.05], [10, 0.5]],
    "constraint": ['{"type": "null"}', "{}", '{"enum": ["多语言", "a, b"]}'],
    "early_stopping": [True, False, "never"],
    "watermark": [{"bias": 2.5}, {"greenlist_ratio": 0.5, "seeding_scheme": "selfhash"}],
}


def values_of(knob) -> list:
    if knob.kind not in ("int", "float"):
        return VALUES[knob.kind]
    low, high, step = knob.slider or (1, 50, 1)
    numbers = {low, high, round(low + 3 * step, 6), knob.neutral, 1, 1e-05, 0.1 + 0.2, 12345}
    return [n for n in sorted(n for n in numbers if n is not None) if knob.kind == "float" or float(n).is_integer()]


def every_value() -> list[tuple[str, str, object]]:
    out = []
    for name, knob in KNOBS.items():
        modes = [mode for mode in MODES_SHOWN if mode in modes_of(knob)]
        if name == "do_sample" or not modes:
            continue
        for value in values_of(knob):
            try:
                knob.checked(value)
                given = Settings(do_sample="sample" in modes[0], **{**MODE_NEEDS.get(modes[0], {}), name: value})
            except SettingError:
                continue  # out of the knob's range, or of what fits the mode
            if given.mode == modes[0]:  # else the value is what makes it another one
                out.append((modes[0], name, value))
    return out


@pytest.mark.parametrize(("mode", "name", "value"), every_value())
def test_every_value_of_every_knob_comes_back_from_the_panel(mode, name, value):
    given = Settings(do_sample=mode in ("sample", "beam_sample"), **{**MODE_NEEDS.get(mode, {}), name: value})
    assert getattr(settings_of(form_of(given)), name) == getattr(given, name)


def test_every_kind_of_knob_is_tried():
    assert {KNOBS[name].kind for _, name, _ in every_value()} == {knob.kind for knob in KNOBS.values()}
