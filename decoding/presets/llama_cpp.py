"""llama.cpp's server: `/completion`, and what it takes beyond OpenAI's body at `/v1/…`.

Names and meanings: its server's documentation (tools/server/README.md) and its reader of requests
(tools/server/server-task.cpp). Defaults: those of the engine itself, `common_params_sampling`, which a test asks; the
documentation has 1.1 for repeat_penalty, where the engine has 1.
"""

from __future__ import annotations

from typing import Any

from decoding.presets import sheet as say
from decoding.presets.key import ANSWER, ASKED, SPEED, Engine, Key
from decoding.presets.pasted import Pasted
from decoding.presets.request import constraints_of, only_json
from decoding.presets.rules import (
    at_random,
    biases,
    constraint,
    greedy_at_zero,
    length,
    mirostat,
    order,
    parts,
    plain,
    random_seed,
    repetition,
    stops,
    within_chain,
)

__all__ = ["BREAKERS", "LLAMA_CPP", "LLAMA_STAGES"]

README = "tools/server/README.md, POST /completion"
READER = "tools/server/server-task.cpp"
BREAKERS = ["\n", ":", '"', "*"]
LENGTHS = ("n_predict", "max_completion_tokens", "max_tokens")
GBNF = "llama.cpp's GBNF there; the grammar here is read by another library, whose notation is nearly the same"
# A window longer than the texts that are recorded here; llama.cpp makes room for as many, so it is not the longest.
EVERYTHING = 2**16
RANDOM = 2**32 - 1  # what llama.cpp calls a random seed

LLAMA_STAGES = {
    "penalties": "repetition_penalty", "dry": "dry_multiplier", "top_n_sigma": "top_n_sigma", "top_k": "top_k",
    "typ_p": "typical_p", "typical_p": "typical_p", "typical": "typical_p", "top_p": "top_p", "nucleus": "top_p",
    "min_p": "min_p", "xtc": "xtc_probability", "temperature": "temperature", "temp": "temperature",
    "adaptive_p": "adaptive_target", "infill": "",
}  # fmt: skip
# The other spelling of an order: a letter for each.
LETTERS = {
    "e": "penalties", "d": "dry", "s": "top_n_sigma", "k": "top_k", "y": "typ_p", "p": "top_p", "m": "min_p",
    "x": "xtc", "t": "temperature", "i": "infill", "a": "adaptive_p",
}  # fmt: skip

KEYS = (
    Key(name="temperature", knob="temperature", default=0.8, source=README),
    Key(name="top_k", knob="top_k", kind="whole", off_to=0, default=40, source=README),
    Key(name="top_p", knob="top_p", off_from=1, default=0.95, source=README),
    Key(name="min_p", knob="min_p", off_to=0, default=0.05, source=README),
    Key(name="typical_p", knob="typical_p", off_from=1, default=1.0, source=README),
    Key(name="repeat_penalty", knob="repetition_penalty", off=(1,), default=1.0, source=README),
    Key(name="repeat_last_n", kind="whole", default=64,
        source=f"{README}; -1 was the whole context in earlier releases, later ones refuse it"),
    Key(name="presence_penalty", knob="presence_penalty", off=(0,), source=README),
    Key(name="frequency_penalty", knob="frequency_penalty", off=(0,), source=README),
    Key(name="dry_multiplier", knob="dry_multiplier", off_to=0, source=README),
    Key(name="dry_base", knob="dry_base", part_of="dry_multiplier", default=1.75, source=README),
    Key(name="dry_allowed_length", knob="dry_allowed_length", kind="whole", part_of="dry_multiplier", default=2,
        source=README),
    Key(name="dry_penalty_last_n", knob="dry_penalty_last_n", kind="whole", part_of="dry_multiplier", default=64,
        source=f"{README}; -1 was the whole context in earlier releases, later ones refuse it"),
    Key(name="dry_sequence_breakers", knob="dry_sequence_breakers", kind="texts", part_of="dry_multiplier",
        default=BREAKERS, source=README),
    Key(name="xtc_probability", knob="xtc_probability", off_to=0, source=README),
    Key(name="xtc_threshold", knob="xtc_threshold", part_of="xtc_probability", default=0.1, source=README),
    Key(name="top_n_sigma", knob="top_n_sigma", off_to=0, source=READER),
    Key(name="dynatemp_range", knob="dynatemp_range", off_to=0, source=README),
    Key(name="dynatemp_exponent", knob="dynatemp_exponent", part_of="dynatemp_range", default=1.0, source=README),
    Key(name="mirostat", kind="whole", off=(0,), source=README),
    Key(name="mirostat_tau", knob="mirostat_tau", part_of="mirostat", default=5.0, source=README),
    Key(name="mirostat_eta", knob="mirostat_eta", part_of="mirostat", default=0.1, source=README),
    Key(name="adaptive_target", knob="adaptive_target", off_to=-1e-9, source=READER),
    Key(name="adaptive_decay", knob="adaptive_decay", part_of="adaptive_target", default=0.9, source=READER),
    Key(name="n_predict", knob="max_new_tokens", kind="whole", default=-1, source=README),
    Key(name="max_tokens", knob="max_new_tokens", kind="whole", written=False, source=READER),
    Key(name="max_completion_tokens", knob="max_new_tokens", kind="whole", written=False, source=READER),
    Key(name="n_cmpl", knob="num_return_sequences", kind="whole", off=(1,), source=README),
    Key(name="n", knob="num_return_sequences", kind="whole", off=(1,), written=False, source=READER),
    Key(name="seed", knob="seed", kind="whole", default=-1, source=README),
    Key(name="stop", knob="stop_strings", kind="texts", source=README),
    Key(name="ignore_eos", kind="flag", off=(False,), source=README,
        why="it bans the end tokens there; here min_new_tokens does, up to max_new_tokens, where that is given"),
    Key(name="logit_bias", knob="sequence_bias", kind="any", source=README),
    Key(name="json_schema", knob="json_schema", kind="any", source=README),
    Key(name="grammar", knob="grammar", kind="text", source=README),
    Key(name="grammar_lazy", kind="flag", off=(False,), source=READER),
    Key(name="grammar_triggers", kind="any", off=([],), source=READER),
    Key(name="preserved_tokens", kind="any", off=([],), source=READER),
    Key(name="samplers", kind="texts", source=README),
    Key(name="min_keep", kind="whole", off_to=1, source=README,
        why="how many tokens a sampler leaves at least cannot be set here: it is 1, and 2 with beams"),
    Key(name="n_indent", kind="whole", off=(0,), source=README),
    Key(name="t_max_predict_ms", off_to=0, source=README,
        why="it ends at a line's end once the time is over; max_time here ends at once, and counts the prompt"),
    Key(name="lora", kind="any", off=([],), source=README, why="adapters are loaded with the model"),
    Key(name="reasoning_budget_tokens", kind="whole", off_to=-1, source=READER),
)  # fmt: skip

ASIDE = {
    **dict.fromkeys(("prompt", "messages", "input_prefix", "input_suffix", "input_extra", "tools", "tool_choice",
                     "chat_template_kwargs", "add_generation_prompt", "generation_prompt", "chat_format",
                     "multimodal_data", "image_data"), ASKED),
    **dict.fromkeys(("model", "user"), ASKED),
    **dict.fromkeys(("stream", "stream_options", "n_probs", "logprobs", "top_logprobs", "post_sampling_probs",
                     "return_tokens", "return_progress", "response_fields", "timings_per_token", "sse_ping_interval",
                     "echo", "reasoning_format", "reasoning_in_content", "parallel_tool_calls"), ANSWER),
    **dict.fromkeys(("id_slot", "cache_prompt", "n_cache_reuse", "n_keep", "n_discard", "backend_sampling",
                     "speculative.n_max", "speculative.n_min", "speculative.p_min", "speculative.type",
                     "speculative.types"), SPEED),
}  # fmt: skip


def unfold(pasted: Pasted) -> dict[str, Any]:
    """A request; an order that is written in letters, in names."""
    values = constraints_of(pasted.values)
    samplers = values.get("samplers")
    if isinstance(samplers, str):
        values["samplers"] = [LETTERS.get(letter, letter) for letter in samplers]
    return values


def no_end(draft: Any) -> None:
    """End tokens that are banned: up to the length that is asked for, which is the same."""
    n = draft.settings.get("max_new_tokens")
    if draft.value("ignore_eos") is True and n is not None:
        draft.take("ignore_eos", "min_new_tokens", n)


# Of these none acts beside mirostat.
CUTS = ("top_k", "top_p", "min_p", "typical_p", "top_n_sigma", "xtc_probability", "repeat_penalty", "dry_multiplier",
        "adaptive_target")  # fmt: skip
ALONE = tuple(key.knob for key in KEYS if key.name in CUTS)


LLAMA_CPP = Engine(
    name="llama.cpp",
    title="llama.cpp",
    keys=KEYS,
    aside=ASIDE,
    order=("repetition_penalty", "dry_multiplier", "top_n_sigma", "top_k", "typical_p", "top_p", "min_p",
           "xtc_probability", "temperature"),
    order_key="samplers",
    stages=LLAMA_STAGES,
    unfold=unfold,
    rules=(
        at_random, greedy_at_zero(0), mirostat("mirostat", CUTS), within_chain,
        repetition("repeat_penalty", "repeat_last_n", everything=EVERYTHING, nothing=0), parts, length(*LENGTHS),
        no_end, random_seed("seed", at_random=(RANDOM,), other_generator=True), stops("stop"),
        biases("logit_bias"), constraint("json_schema", "json_schema"), constraint("grammar", "grammar", GBNF),
        plain, order,
    ),
    says={
        "seed": say.seed_up_to("seed", RANDOM - 1), "stop_strings": say.texts("stop"),
        "sequence_bias": say.bias_pairs("logit_bias"), "suppress_tokens": say.banned_pairs("logit_bias"),
        "dry_penalty_last_n": say.far_back("dry_penalty_last_n", EVERYTHING),
        "min_new_tokens": say.no_end_up_to_the_length("ignore_eos"),
        "mirostat_tau": say.with_mode("mirostat", 2, "mirostat_tau", ALONE), "json_schema": say.schema("json_schema"),
    },
    finish=(
        say.greedy_as_zero, say.penalty_window("repeat_penalty", "repeat_last_n", EVERYTHING),
        say.dry_window("dry_penalty_last_n", EVERYTHING), say.chain,
    ),
    text=only_json,
)  # fmt: skip
