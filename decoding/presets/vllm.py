"""vLLM: bodies of its OpenAI-compatible server with its own additions, and the arguments of `SamplingParams`.

Names, meanings and defaults: vllm/sampling_params.py and vllm/entrypoints/openai/completion/protocol.py.
"""

from __future__ import annotations

from typing import Any

from decoding.presets import sheet as say
from decoding.presets.draft import Draft
from decoding.presets.key import ANSWER, ASKED, SPEED, Engine, Key
from decoding.presets.pasted import Pasted
from decoding.presets.request import constraints_of, only_json
from decoding.presets.rules import (
    at_random,
    biases,
    constraint,
    greedy_at_zero,
    length,
    order,
    plain,
    random_seed,
    stops,
)
from decoding.presets.sheet import Sheet
from decoding.words import words

__all__ = ["VLLM"]

PARAMS = "vllm/sampling_params.py, SamplingParams"
SERVER = "vllm/entrypoints/openai/completion/protocol.py, CompletionRequest"
EARLIER = "vllm/entrypoints/openai/protocol.py of earlier releases; later ones have structured_outputs"
COLDEST, GREEDY_BELOW = 0.01, 1e-5  # temperatures between the two are raised to the first
CONSTRAINTS = {
    "response_format": "json_schema", "structured_outputs.json": "json_schema", "structured_outputs.regex": "regex",
    "structured_outputs.grammar": "grammar", "structured_outputs.json_object": "json_schema",
    "guided_json": "json_schema", "guided_regex": "regex", "guided_grammar": "grammar",
}  # fmt: skip
CHOICE = "an answer out of a list has no setting here; a regex of the texts, parted by |, comes to the same"
OWN_ENDS = "eos_token_id here takes the place of the model's own end tokens: give these there, and the model's own"

KEYS = (
    Key(name="temperature", knob="temperature", default=1.0, source=PARAMS),
    Key(name="top_k", knob="top_k", kind="whole", off_to=0, default=0, source=PARAMS),
    Key(name="top_p", knob="top_p", off_from=1, default=1.0, source=PARAMS),
    Key(name="min_p", knob="min_p", off_to=0, default=0.0, source=PARAMS),
    Key(name="repetition_penalty", knob="repetition_penalty", off=(1,), default=1.0, source=PARAMS),
    Key(name="presence_penalty", knob="presence_penalty", off=(0,), source=PARAMS),
    Key(name="frequency_penalty", knob="frequency_penalty", off=(0,), source=PARAMS),
    Key(name="max_tokens", knob="max_new_tokens", kind="whole", source=f"{PARAMS}; 16, but not of a chat"),
    Key(name="max_completion_tokens", knob="max_new_tokens", kind="whole", written=False,
        source="vllm/entrypoints/openai/chat_completion/protocol.py"),
    Key(name="min_tokens", knob="min_new_tokens", kind="whole", off_to=0, source=PARAMS),
    Key(name="n", knob="num_return_sequences", kind="whole", off=(1,), source=PARAMS),
    Key(name="best_of", kind="whole", off=(1,), source=EARLIER,
        why="more answers are made there than are given back; here num_return_sequences gives all"),
    Key(name="use_beam_search", kind="flag", off=(False,), source=SERVER),
    Key(name="length_penalty", knob="length_penalty", source=SERVER),
    Key(name="early_stopping", knob="early_stopping", kind="any", source=EARLIER),
    Key(name="seed", knob="seed", kind="whole", source=PARAMS),
    Key(name="stop", knob="stop_strings", kind="texts", source=PARAMS),
    Key(name="include_stop_str_in_output", kind="flag", source=PARAMS),
    Key(name="stop_token_ids", kind="any", off=([],), source=PARAMS, why=OWN_ENDS),
    Key(name="ignore_eos", kind="flag", off=(False,), source=PARAMS,
        why="it goes on after an end token there; here min_new_tokens bans end tokens, which is not the same"),
    Key(name="logit_bias", knob="sequence_bias", kind="any", source=PARAMS),
    Key(name="allowed_token_ids", kind="any", off=([],), source=PARAMS),
    Key(name="bad_words", knob="bad_words_ids", kind="texts", off=([],), source=PARAMS),
    *(Key(name=name, knob=knob, kind="any", source=EARLIER if name.startswith("guided") else SERVER)
      for name, knob in CONSTRAINTS.items()),
    Key(name="structured_outputs.choice", kind="any", source=SERVER, why=CHOICE),
    Key(name="guided_choice", kind="any", source=EARLIER, why=CHOICE),
    Key(name="structured_outputs.structural_tag", kind="any", source=SERVER),
    Key(name="thinking_token_budget", kind="whole", off_to=-1, source=PARAMS),
    Key(name="repetition_detection", kind="any", source=PARAMS),
    Key(name="watermarking", kind="flag", off=(False,), source=SERVER, why="its watermark is another one"),
    Key(name="vllm_xargs", kind="any", off=({},), source=SERVER, why="it is for extensions of vLLM"),
    Key(name="extra_args", kind="any", off=({},), source=PARAMS, why="it is for extensions of vLLM"),
    Key(name="logits_processors", kind="any", off=([],), source=EARLIER, why="it is code; a recording of your own "
        "generate() takes processors of your own"),
    Key(name="trace_decode_token_ids", kind="any", source=PARAMS, why="it forces the answer; a fork does so here"),
)  # fmt: skip

ASIDE = {
    **dict.fromkeys(("prompt", "messages", "model", "suffix", "user", "tools", "tool_choice", "prompt_embeds",
                     "chat_template", "chat_template_kwargs", "add_generation_prompt", "continue_final_message",
                     "add_special_tokens", "truncate_prompt_tokens", "truncation_side", "documents",
                     "reasoning_effort"), ASKED),
    **dict.fromkeys(("stream", "stream_options", "echo", "logprobs", "top_logprobs", "prompt_logprobs",
                     "logprob_token_ids", "prompt_logprob_token_ids", "prompt_logprob_start", "flat_logprobs",
                     "detokenize", "skip_special_tokens", "spaces_between_special_tokens", "output_kind",
                     "stream_interval", "return_tokens_as_token_ids", "return_token_ids", "return_token_offsets",
                     "return_mm_kwargs", "routed_experts_prompt_start", "parallel_tool_calls", "include_reasoning"),
                    ANSWER),
    **dict.fromkeys(("priority", "request_id", "session_id", "cache_salt", "kv_transfer_params",
                     "ec_transfer_params", "skip_reading_prefix_cache", "skip_clone", "service_tier", "store",
                     "metadata"), SPEED),
}  # fmt: skip


def unfold(pasted: Pasted) -> dict[str, Any]:
    """A body with what OpenAI's client sends as `extra_body`, or the arguments of `SamplingParams`."""
    values = dict(pasted.values)
    extra = values.pop("extra_body", None)
    values = constraints_of({**values, **extra} if isinstance(extra, dict) else values)
    inner = values.pop("structured_outputs", None) or values.pop("guided_decoding", None)
    if isinstance(inner, dict):
        values |= {f"structured_outputs.{name}": value for name, value in inner.items()}
    elif inner is not None:
        values["structured_outputs"] = inner
    if values.get("structured_outputs.json_object") is True:
        values["structured_outputs.json_object"] = {}
    return values


def cold(draft: Draft) -> None:
    """A temperature above 0 that is raised there."""
    value = draft.value("temperature")
    if value is not None and GREEDY_BELOW <= value < COLDEST:
        draft.take("temperature", "temperature", COLDEST, "it is raised to {coldest} there", coldest=COLDEST)


def few_tokens(draft: Draft) -> None:
    """Sixteen tokens come where nothing is said, but not of a chat."""
    said = any(map(draft.is_given, ("max_tokens", "max_completion_tokens")))
    if draft.fills and not said and not draft.is_chat:
        draft.settings["max_new_tokens"] = draft.filled["max_tokens"] = 16


def beams(draft: Draft) -> None:
    """Beam search as a switch, with as many beams as answers."""
    if draft.value("use_beam_search") is not True:
        for name in ("length_penalty", "early_stopping"):
            if draft.is_given(name):
                draft.tell("idle", name, words("it does nothing while {whole} is off", whole="use_beam_search"))
            draft.settle(name)
        draft.settle("use_beam_search")
        return
    n = draft.value("n") or 1
    draft.settings["do_sample"] = False
    draft.settle("temperature")
    if draft.take("use_beam_search", "num_beams", n, "how its beam search scores and ends differs in details"):
        draft.take("n", "num_return_sequences", n)
    for name in ("top_k", "top_p", "min_p"):
        if draft.is_on(name) and draft.is_given(name):
            draft.tell("idle", name, words("beam search draws nothing"))
        draft.settle(name)


def beams_said(sheet: Sheet, value: Any) -> None:
    """Beam search, whose answers are as many as its beams."""
    if sheet.mode != "beam_search":
        sheet.missing("num_beams")
        return
    sheet.out["use_beam_search"] = True
    sheet.out["n"] = value
    sheet.differs("num_beams", "how its beam search scores and ends differs in details")
    if sheet.ours.get("num_return_sequences", 1) != value:
        sheet.missing("num_return_sequences", "all {n} beams are given back there", n=value)


def greedy_said(sheet: Sheet) -> None:
    """No sampling, where there are no beams either."""
    if sheet.mode != "beam_search":
        say.greedy_as_zero(sheet)


def answers_said(sheet: Sheet, value: Any) -> None:
    """Several answers; of beams `beams_said` writes them."""
    if "num_beams" not in sheet.ours:
        sheet.out["n"] = value


def biases_said(sheet: Sheet, value: Any) -> None:
    """Biases as an object, by the ids."""
    single = [(s[0], bias) for s, bias in value if not isinstance(s, str) and len(s) == 1 and abs(bias) <= 100]
    if len(single) < len(value):
        sheet.missing(
            "sequence_bias", "single token ids with a bias from -100 to 100 can be given there: others are left out"
        )
    if single:
        sheet.out["logit_bias"] = {str(token): bias for token, bias in single}


def words_said(sheet: Sheet, value: Any) -> None:
    """Texts that must not appear."""
    texts = [item for item in value if isinstance(item, str)]
    if len(texts) < len(value):
        sheet.missing("bad_words_ids", "only texts can be given there: token ids are left out")
    if texts:
        sheet.out["bad_words"] = texts


def constraint_said(name: str) -> say.Say:
    """A schema, a grammar or an expression."""

    def tell(sheet: Sheet, value: Any) -> None:
        sheet.out["structured_outputs"] = {name: say.as_object(value) if name == "json" else value}

    return tell


VLLM = Engine(
    name="vllm",
    title="vLLM",
    keys=KEYS,
    aside=ASIDE,
    order=("repetition_penalty", "temperature", "min_p", "top_k", "top_p"),
    unfold=unfold,
    rules=(
        at_random, beams, greedy_at_zero(GREEDY_BELOW), cold, length("max_tokens", "max_completion_tokens"), few_tokens,
        random_seed("seed", at_random=(), other_generator=True), stops("stop", "include_stop_str_in_output"),
        biases("logit_bias"), *(constraint(name, knob) for name, knob in CONSTRAINTS.items()), plain, order,
    ),
    says={
        "seed": say.seed_up_to("seed", 2**63 - 1), "stop_strings": say.texts("stop", "include_stop_str_in_output"),
        "sequence_bias": biases_said, "bad_words_ids": words_said, "num_beams": beams_said,
        "num_return_sequences": answers_said, "json_schema": constraint_said("json"),
        "regex": constraint_said("regex"), "grammar": constraint_said("grammar"),
    },
    finish=(greedy_said, say.order_is_theirs),
    text=only_json,
)  # fmt: skip
