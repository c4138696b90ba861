"""text-generation-webui: its presets, in YAML, and bodies of its API.

Names and defaults: modules/presets.py (what a preset leaves out) and modules/api/typing.py. Meanings: its loader of
transformers models (modules/text_generation.py, modules/sampler_hijack.py), which runs transformers' classes and its
own; other loaders hand some of the values on to another engine.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from decoding.parameters.knobs import KNOBS
from decoding.presets import sheet as say
from decoding.presets.draft import Draft
from decoding.presets.key import ANSWER, ASKED, SPEED, Engine, Key
from decoding.presets.pasted import Pasted
from decoding.presets.rules import (
    bans,
    biases,
    constraint,
    greedy_at_zero,
    idle,
    length,
    mirostat,
    order,
    parts,
    plain,
    random_seed,
    repetition,
    stops,
)
from decoding.presets.sheet import Sheet
from decoding.words import words

__all__ = ["TEXT_GENERATION_WEBUI"]

PRESET = "modules/presets.py, default_preset"
API = "modules/api/typing.py"
EARLIER = "modules/presets.py of earlier releases"
UNIT = 1e-4  # of the two cut-offs
UNIT_SOURCE = f"{PRESET}; modules/text_generation.py multiplies it by 1e-4"
BREAKERS = ["\n", ":", '"', "*"]
STOPS = ("stop", "stopping_strings", "custom_stopping_strings")
GBNF = "llama.cpp's GBNF there; the grammar here is read by another library, whose notation is nearly the same"
AROUND = "the temperature lies between dynatemp_low and dynatemp_high there; here it is their middle ± dynatemp_range"

# In the order of its default; our own where we name several.
STAGES = {
    "repetition_penalty": "repetition_penalty", "presence_penalty": "", "frequency_penalty": "",
    "dry": "dry_multiplier", "top_n_sigma": "top_n_sigma", "temperature": "temperature", "dynamic_temperature": "",
    "quadratic_sampling": "", "top_k": "top_k", "top_p": "top_p", "typical_p": "typical_p",
    "epsilon_cutoff": "epsilon_cutoff", "eta_cutoff": "eta_cutoff", "tfs": "", "top_a": "", "min_p": "min_p",
    "mirostat": "mirostat_tau", "xtc": "xtc_probability", "adaptive_p": "adaptive_target",
    "encoder_repetition_penalty": "encoder_repetition_penalty", "no_repeat_ngram": "no_repeat_ngram_size",
}  # fmt: skip

KEYS = (
    Key(name="do_sample", knob="do_sample", kind="flag", default=True, source=PRESET),
    Key(name="temperature", knob="temperature", default=1.0, source=PRESET),
    Key(name="temperature_last", kind="flag", off=(False,), source=PRESET),
    Key(name="dynamic_temperature", kind="flag", off=(False,), source=PRESET),
    Key(name="dynatemp_low", part_of="dynamic_temperature", default=1.0, source=PRESET),
    Key(name="dynatemp_high", part_of="dynamic_temperature", default=1.0, source=PRESET),
    Key(name="dynatemp_exponent", knob="dynatemp_exponent", part_of="dynamic_temperature", default=1.0, source=PRESET),
    Key(name="smoothing_factor", off=(0,), source=PRESET),
    Key(name="smoothing_curve", part_of="smoothing_factor", source=PRESET),
    Key(name="top_p", knob="top_p", off_from=1, default=1.0, source=PRESET),
    Key(name="min_p", knob="min_p", off_to=0, default=0.0, source=PRESET),
    Key(name="top_k", knob="top_k", kind="whole", off_to=0, default=0, source=PRESET),
    Key(name="typical_p", knob="typical_p", off_from=1, default=1.0, source=PRESET),
    Key(name="tfs", knob="tfs", off_from=1, source=PRESET),
    Key(name="top_a", knob="top_a", off_to=0, source=PRESET),
    Key(name="epsilon_cutoff", knob="epsilon_cutoff", scale=UNIT, off_to=0, source=UNIT_SOURCE),
    Key(name="eta_cutoff", knob="eta_cutoff", scale=UNIT, off_to=0, source=UNIT_SOURCE),
    Key(name="top_n_sigma", knob="top_n_sigma", off_to=0, source=API),
    Key(name="xtc_probability", knob="xtc_probability", off_to=0, source=API),
    Key(name="xtc_threshold", knob="xtc_threshold", part_of="xtc_probability", default=0.1, source=API),
    Key(name="adaptive_target", knob="adaptive_target", off_to=0, source=f"{API}; what switches it off is unsure"),
    Key(name="adaptive_decay", knob="adaptive_decay", part_of="adaptive_target", default=0.9, source=API),
    Key(name="mirostat_mode", kind="whole", off=(0,), source=PRESET),
    Key(name="mirostat_tau", knob="mirostat_tau", part_of="mirostat_mode", default=5.0, source=PRESET),
    Key(name="mirostat_eta", knob="mirostat_eta", part_of="mirostat_mode", default=0.1, source=PRESET),
    Key(name="repetition_penalty", knob="repetition_penalty", off=(1,), default=1.0, source=PRESET),
    Key(name="repetition_penalty_range", kind="whole", default=1024, source=f"{PRESET}; 0 in earlier releases"),
    Key(name="presence_penalty", knob="presence_penalty", off=(0,), source=PRESET),
    Key(name="frequency_penalty", knob="frequency_penalty", off=(0,), source=PRESET),
    Key(name="encoder_repetition_penalty", knob="encoder_repetition_penalty", off=(1,), source=PRESET),
    Key(name="no_repeat_ngram_size", knob="no_repeat_ngram_size", kind="whole", off=(0,), source=PRESET),
    Key(name="dry_multiplier", knob="dry_multiplier", off_to=0, source=PRESET),
    Key(name="dry_base", knob="dry_base", part_of="dry_multiplier", default=1.75, source=PRESET),
    Key(name="dry_allowed_length", knob="dry_allowed_length", kind="whole", part_of="dry_multiplier", default=2,
        source=PRESET),
    Key(name="dry_sequence_breakers", knob="dry_sequence_breakers", kind="texts", part_of="dry_multiplier",
        default=BREAKERS, source=PRESET),
    Key(name="guidance_scale", knob="guidance_scale", off=(1,), source=PRESET),
    Key(name="negative_prompt", knob="negative_prompt", kind="text", off=("",), source=API),
    Key(name="penalty_alpha", knob="penalty_alpha", off=(0,), source=PRESET),
    Key(name="num_beams", knob="num_beams", kind="whole", off=(1,), source=EARLIER),
    Key(name="length_penalty", knob="length_penalty", source=EARLIER),
    Key(name="early_stopping", knob="early_stopping", kind="any", source=EARLIER),
    Key(name="min_length", knob="min_length", kind="whole", off=(0,), source=EARLIER),
    Key(name="max_new_tokens", knob="max_new_tokens", kind="whole", source="modules/text_generation.py"),
    Key(name="max_tokens", knob="max_new_tokens", kind="whole", written=False, source=API),
    Key(name="max_completion_tokens", knob="max_new_tokens", kind="whole", written=False, source=API),
    Key(name="auto_max_new_tokens", kind="flag", off=(False,), source=API,
        why="as many tokens as there is room for come there; here max_new_tokens says how many"),
    Key(name="n", knob="num_return_sequences", kind="whole", off=(1,), source=API),
    Key(name="seed", knob="seed", kind="whole", source=API),
    *(Key(name=name, knob="stop_strings", kind="texts", source=API) for name in STOPS),
    Key(name="ban_eos_token", kind="flag", off=(False,), source=API,
        why="it bans the end tokens there; here min_new_tokens does, up to max_new_tokens, where that is given"),
    Key(name="custom_token_bans", knob="suppress_tokens", kind="text", source=API),
    Key(name="logit_bias", knob="sequence_bias", kind="any", source=API),
    Key(name="grammar_string", knob="grammar", kind="text", source=API),
    Key(name="sampler_priority", kind="texts", source=PRESET),
)  # fmt: skip

ASIDE = {
    **dict.fromkeys(("prompt", "messages", "model", "suffix", "user", "tools", "tool_choice", "mode", "character",
                     "instruction_template", "instruction_template_str", "chat_template_str", "chat_instruct_command",
                     "context", "greeting", "name1", "name2", "bot_name", "user_name", "user_bio", "continue_",
                     "enable_thinking", "reasoning_effort", "add_bos_token", "truncation_length", "preset", "best_of",
                     "functions", "function_call"), ASKED),
    **dict.fromkeys(("stream", "stream_options", "echo", "logprobs", "top_logprobs", "skip_special_tokens"), ANSWER),
    **dict.fromkeys(("prompt_lookup_num_tokens", "max_tokens_second", "static_cache", "use_cache"), SPEED),
}  # fmt: skip
# What the API takes, and a preset does not.
BESIDE = ("max_new_tokens", "seed", "stop_strings", "suppress_tokens", "sequence_bias", "negative_prompt", "grammar",
          "num_return_sequences")  # fmt: skip
CUTS = ("top_k", "top_p", "min_p", "typical_p", "tfs", "top_a", "epsilon_cutoff", "eta_cutoff")


def unfold(pasted: Pasted) -> dict[str, Any]:
    """A preset; lists that are written as a text, as lists."""
    values = dict(pasted.values)
    priority = values.get("sampler_priority")
    if isinstance(priority, str):
        values["sampler_priority"] = [item.strip() for item in re.split(r"[\n,]", priority) if item.strip()]
    for name in ("dry_sequence_breakers", "custom_stopping_strings", "stopping_strings"):
        if isinstance(values.get(name), str):
            values[name] = _texts(values[name])
    return values


def _texts(value: str) -> Any:
    """Texts in quotes, parted by commas; what is none of that, as it is."""
    inner = value.strip()
    try:
        return json.loads(inner if inner.startswith("[") else f"[{inner}]")
    except (ValueError, RecursionError):
        return value


def sampling(draft: Draft) -> None:
    """Whether it draws."""
    value = draft.there("do_sample")
    draft.settle("do_sample", "temperature_last")
    draft.settings["do_sample"] = value


def moving_temperature(draft: Draft) -> None:
    """A temperature between two ends."""
    low, high, name = draft.there("dynatemp_low"), draft.there("dynatemp_high"), "dynamic_temperature"
    if not draft.is_on(name):
        idle(draft, name, ("dynatemp_low", "dynatemp_high", "dynatemp_exponent"))
    elif "dynatemp_range" not in KNOBS or low > high:
        draft.settle("dynatemp_low", "dynatemp_high", "dynatemp_exponent")
        draft.missing(name)
    else:
        draft.settle("dynatemp_low", "dynatemp_high")
        if draft.take("temperature", "temperature", (low + high) / 2):
            draft.take(name, "dynatemp_range", (high - low) / 2, AROUND)


def repetition_seen(draft: Draft) -> None:
    """DRY looks as far back as the repetition penalty."""
    if draft.is_on("dry_multiplier") and "dry_penalty_last_n" in KNOBS:
        draft.settings["dry_penalty_last_n"] = draft.there("repetition_penalty_range") or -1


def no_end(draft: Draft) -> None:
    """End tokens that are banned: up to the length that is asked for, which is the same."""
    n = draft.settings.get("max_new_tokens")
    if draft.value("ban_eos_token") is True and n is not None:
        draft.take("ban_eos_token", "min_new_tokens", n)


def last_of_all(draft: Draft) -> None:
    """The temperature after all cuts, which it is before here."""
    last = draft.is_on("temperature_last") and draft.settings.get("temperature", 1.0) != 1.0
    cuts = [name for name in CUTS if draft.is_on(name) and name != "top_k"]
    if last and cuts and draft.settings.get("do_sample"):
        draft.tell("differs", "temperature_last", words("the temperature comes first here: other tokens can be left"))


def preset_alone(sheet: Sheet) -> None:
    """What stands beside a preset and not in it; what it leaves out is at its own default."""
    for name in BESIDE:
        if name in sheet.ours:
            sheet.missing(name, "it is no part of a preset; set it beside it there")
    for key in sheet.engine.keys:
        if key.default is not None and sheet.out.get(key.name) == key.default:
            del sheet.out[key.name]


def sampled(sheet: Sheet) -> None:
    """Whether it draws."""
    sheet.out["do_sample"] = sheet.mode in ("sample", "beam_sample")
    if sheet.mode == "group_beam_search":
        sheet.missing("num_beam_groups")


def dry_said(sheet: Sheet) -> None:
    """DRY, which looks as far back there as the repetition penalty."""
    n = sheet.ours.get("dry_penalty_last_n", -1)
    if "dry_multiplier" not in sheet.ours:
        return
    if n != -1 and "repetition_penalty" in sheet.ours:
        sheet.missing("dry_penalty_last_n", "it is repetition_penalty_range there, which the penalty has, too")
    else:
        sheet.out["repetition_penalty_range"] = max(0, n)


def nothing(sheet: Sheet, value: Any) -> None:
    """Said at the end, or by another setting."""


def moving(sheet: Sheet, value: Any) -> None:
    """A temperature between two ends."""
    middle = sheet.ours.get("temperature", 1.0)
    sheet.out |= {"dynamic_temperature": True, "dynatemp_low": round(middle - value, 9),
                  "dynatemp_high": round(middle + value, 9)}  # fmt: skip


class _Lines(str):
    """A text that is written line by line."""


class _Dumper(yaml.SafeDumper):
    """Writes them."""


_Dumper.add_representer(_Lines, lambda to, lines: to.represent_scalar("tag:yaml.org,2002:str", lines, style="|"))


def as_yaml(values: dict[str, Any]) -> str:
    """A preset file."""
    written = {n: _Lines("\n".join(v)) if n == "sampler_priority" else v for n, v in values.items()}
    if "dry_sequence_breakers" in written:
        written["dry_sequence_breakers"] = json.dumps(written["dry_sequence_breakers"], ensure_ascii=False)[1:-1]
    return yaml.dump(written, Dumper=_Dumper, sort_keys=False, allow_unicode=True) if written else "{}\n"


TEXT_GENERATION_WEBUI = Engine(
    name="text-generation-webui",
    title="text-generation-webui",
    keys=KEYS,
    aside=ASIDE,
    order=("repetition_penalty", "dry_multiplier", "top_n_sigma", "temperature", "top_k", "top_p", "typical_p",
           "epsilon_cutoff", "eta_cutoff", "min_p"),
    order_key="sampler_priority",
    stages=STAGES,
    unfold=unfold,
    rules=(
        sampling, greedy_at_zero(0), moving_temperature, mirostat("mirostat_mode", CUTS),
        repetition("repetition_penalty", "repetition_penalty_range", everything=0, nothing=None), repetition_seen,
        parts, length("max_new_tokens", "max_tokens", "max_completion_tokens"), no_end,
        random_seed("seed", at_random=(), other_generator=False), *(stops(name) for name in STOPS),
        bans("custom_token_bans"), biases("logit_bias"), constraint("grammar_string", "grammar", GBNF), plain, order,
        last_of_all,
    ),
    says={
        **dict.fromkeys((*BESIDE, "num_beam_groups", "dry_penalty_last_n"), nothing),
        "dynatemp_range": moving, "mirostat_tau": say.with_mode("mirostat_mode", 2, "mirostat_tau"),
    },
    finish=(sampled, say.penalty_window("repetition_penalty", "repetition_penalty_range", 0), dry_said,
            say.chain, preset_alone),
    text=as_yaml,
)  # fmt: skip
