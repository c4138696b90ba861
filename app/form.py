"""What the visitor asked for: the form's values, untrusted, become a prompt and `Settings`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from decoding.errors import PromptError, SettingError
from decoding.parameters.knobs import KNOBS, Knob
from decoding.parameters.settings import Settings
from decoding.words import words

from .serving.bounds import bounds_here
from .text import Text

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = [
    "DEFAULT_NEW_TOKENS", "LONGEST_FIELD", "MODES_SHOWN", "MODE_NEEDS", "MODE_PINS", "ask_of", "check_stops",
    "form_as_typed", "form_of", "modes_of", "prompt_of", "read_form", "read_value", "settings_of", "with_length",
]  # fmt: skip

MODES_SHOWN = ("greedy", "sample", "contrastive_search", "beam_search", "beam_sample", "group_beam_search")
# What a mode cannot be without; the page fills it in when the mode is chosen.
MODE_NEEDS: dict[str, dict[str, Any]] = {
    "beam_search": {"num_beams": 4},
    "beam_sample": {"num_beams": 4},
    "group_beam_search": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0},
    "contrastive_search": {"penalty_alpha": 0.6, "top_k": 4},
}
# What would make another mode of it, or stand in its way; said only to a model whose own defaults do.
MODE_PINS: dict[str, dict[str, Any]] = {
    "greedy": {"num_beams": 1, "penalty_alpha": 0.0, "num_return_sequences": 1},
    "sample": {"num_beams": 1},
    "contrastive_search": {"num_beams": 1, "num_return_sequences": 1},
    "beam_search": {"num_beam_groups": 1},
    "beam_sample": {"num_beam_groups": 1},
}
# Parameters that choose the mode: on the page the mode is chosen first, so they act only there.
_CHOOSES = {
    "num_beams": frozenset({"beam_search", "beam_sample", "group_beam_search"}),
    "num_beam_groups": frozenset({"group_beam_search"}),
    "penalty_alpha": frozenset({"contrastive_search"}),
}
DEFAULT_NEW_TOKENS = 64  # where nothing was given; transformers' own 20 breaks most sentences off
LONGEST_FIELD = 4_000
# transformers compares every stop string with every token before it begins: seconds for this much.
MOST_STOPS, LONGEST_STOPS = 16, 400


def prompt_of(kind: str, prompt: Any, system: Any, text: Text) -> Any:
    """A text, several texts, or chat messages.

    Raises:
        PromptError: it is too long, or JSON that is no chat.
    """
    prompt, system = str(prompt or ""), str(system or "")
    most = bounds_here().prompt_characters  # Gradio's own limit is not enforced on the server
    if len(prompt) + len(system) > most:
        raise PromptError(text("error.long_prompt", n=f"{len(prompt) + len(system):,}", limit=f"{most:,}"))
    if kind != "chat":
        parts = _parted(prompt)
        return parts[0] if len(parts) == 1 else parts
    before = [{"role": "system", "content": system}] if system.strip() else []
    if prompt.lstrip().startswith("["):
        try:
            messages = json.loads(prompt)
        except (ValueError, RecursionError) as error:  # brackets within brackets without end
            raise PromptError(text("error.chat_json", why=error)) from None
        if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
            return [*before, *messages]
    if not prompt.strip():
        raise PromptError(text("error.empty_prompt"))
    return [*before, {"role": "user", "content": prompt}]


def _parted(prompt: str) -> list[str]:
    """Several prompts are parted by a line that holds only `---`."""
    parts: list[list[str]] = [[]]
    for line in prompt.split("\n"):
        if line.strip() == "---":
            parts.append([])
        else:
            parts[-1].append(line)
    texts = ["\n".join(lines) for lines in parts]
    return texts if len(texts) == 1 else [t for t in texts if t.strip()] or [""]


def read_form(form: Any) -> dict[str, Any]:
    """The knob panel's value, which may be anything, as `{"mode", "given"}`; sampling with nothing given by default."""
    try:
        form = json.loads(form) if isinstance(form, str) and form else {}
    except (ValueError, RecursionError):
        form = {}
    mode = form.get("mode") if isinstance(form, dict) else None
    given = form.get("given") if isinstance(form, dict) else None
    return {"mode": mode if mode in MODES_SHOWN else "sample", "given": given if isinstance(given, dict) else {}}


def form_as_typed(form: Any) -> str | None:
    """A settings panel's value, which may be anything, where it is one; else None."""
    try:
        found = json.loads(form) if isinstance(form, str) else None
    except (ValueError, RecursionError):
        return None
    whole = isinstance(found, dict) and found.get("mode") in MODES_SHOWN and isinstance(found.get("given"), dict)
    return form if whole else None


def settings_of(form: Any, defaults: Mapping[str, Any] = MappingProxyType({})) -> Settings:
    """Settings from the knob panel's value, `{"mode": …, "given": {name: value}}` as JSON.

    Args:
        form: the value, untrusted.
        defaults: the model's own, see `acting.model_defaults`: the mode chosen is what runs, also where these would
            make another one of it.

    Raises:
        SettingError: a value cannot be read or used.
    """
    form = read_form(form)
    mode, given = form["mode"], form["given"]
    values: dict[str, Any] = {"do_sample": mode in ("sample", "beam_sample"), **MODE_NEEDS.get(mode, {})}
    for name, value in given.items():
        knob = KNOBS.get(name)
        if knob is None or name == "do_sample" or value is None or value == "":
            continue
        acts = mode in modes_of(knob)
        if not acts and (knob.group in ("mode", "beams") or name == "temperature" and value == 0):
            continue  # it could only be in the way; others are passed on and listed as silent
        values[name] = read_value(knob, value)
    check_stops(values.get("stop_strings"))
    pinned = {n: v for n, v in MODE_PINS.get(mode, {}).items() if defaults.get(n) not in (None, v)}
    return Settings(**{**pinned, **values})


def check_stops(stops: Any) -> None:
    """Returns if stop strings, where they are a list, are few and short enough.

    Raises:
        SettingError: they are not.
    """
    if isinstance(stops, list) and (len(stops) > MOST_STOPS or sum(len(str(s)) for s in stops) > LONGEST_STOPS):
        raise SettingError(
            "stop_strings", f"{len(stops)} with {sum(len(str(s)) for s in stops):,} characters",
            words("at most {n} texts with {most} characters in all", n=MOST_STOPS, most=LONGEST_STOPS),
            "use fewer or shorter ones",
        )  # fmt: skip


def ask_of(trace: Trace) -> dict[str, str]:
    """The form's prompt for a trace: what was asked when it was recorded."""
    if trace.messages:
        chat = list(trace.messages[0])
        system = chat.pop(0)["content"] if chat and chat[0]["role"] == "system" else ""
        alone = len(chat) == 1 and chat[0]["role"] == "user"
        prompt = chat[0]["content"] if alone else json.dumps(chat, ensure_ascii=False)
        return {"kind": "chat", "prompt": prompt, "system": system}
    return {"kind": "text", "prompt": "\n---\n".join(trace.prompts or ()), "system": ""}


def modes_of(knob: Knob) -> frozenset[str]:
    """The modes of the page in which a knob acts."""
    return _CHOOSES.get(knob.name, knob.modes)


def form_of(settings: Settings, trace: Trace | None = None) -> str:
    """The knob panel's value for some settings: what `settings_of` reads.

    Args:
        settings: those of `trace`, or any.
        trace: the run that was recorded with them, if there is one: its mode is the one that ran, also where it was
            the model's own default, and so is what this mode cannot be without.
    """
    mode = settings.mode if trace is None else trace.mode
    mode = mode if mode in MODES_SHOWN else "sample"
    needed = {} if trace is None else {n: trace.generation_config.get(n) for n in MODE_NEEDS.get(mode, {})}
    given = {}
    for name, value in {**needed, **settings.to_json()}.items():
        if name == "do_sample" or value is None or MODE_PINS.get(mode, {}).get(name) == value:
            continue
        kind = KNOBS[name].kind
        plain = kind in ("int", "float", "bool", "text", "constraint") or isinstance(value, (str, bool))
        given[name] = value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps({"mode": mode, "given": given}, ensure_ascii=False)


def read_value(knob: Knob, value: Any) -> Any:
    """A field's value as the knob's kind wants it, not yet checked; lists are JSON, or words parted by commas.

    Raises:
        SettingError: it is too long, or no such value.
    """
    if not isinstance(value, str):
        if isinstance(value, (bool, int)) or isinstance(value, float) and math.isfinite(value):
            return (
                int(value)
                if knob.kind == "int" and isinstance(value, float) and value.is_integer()
                else value
            )
        raise knob.wrong(value)
    if len(value) > LONGEST_FIELD:
        accepts = words("at most {most} characters long", most=LONGEST_FIELD)
        raise SettingError(knob.name, f"{value[:20]}…", accepts, knob.off)
    if knob.kind in ("text", "constraint"):
        return value
    if knob.kind == "early_stopping":
        return {"True": True, "False": False}.get(value, value)
    stripped = value.strip()
    if stripped[:1] in "[{":
        try:
            return json.loads(stripped)
        except (ValueError, RecursionError):
            raise knob.wrong(value, words("this is no JSON; {off}", off=knob.off)) from None
    items = [item.strip() if knob.kind != "text_list" else item for item in value.split(",")]
    if knob.kind in ("int", "float", "decay"):
        numbers = [_number(item) for item in items]
        return numbers if knob.kind == "decay" else numbers[0]
    if knob.kind == "token_list":
        return [int(item) if item.isdecimal() else item for item in items]
    if knob.kind == "sequence_bias":
        return [_pair(knob, item, value) for item in items]
    return items


def _number(item: str) -> Any:
    try:
        number = float(item)
    except ValueError:
        return item
    return int(number) if number.is_integer() else number


def _pair(knob: Knob, item: str, whole: str) -> list[Any]:
    word, colon, bias = item.rpartition(":")
    if not colon:
        raise knob.wrong(whole)
    return [word.strip(), _number(bias.strip())]


def with_length(settings: Settings, n: int = DEFAULT_NEW_TOKENS) -> Settings:
    """The settings with a length limit: `n` new tokens where they have none."""
    if settings.max_new_tokens is not None or settings.max_length is not None:
        return settings
    return replace(settings, max_new_tokens=n)
