"""Ollama: `options` of `/api/generate` and `/api/chat`, and the PARAMETER lines of a Modelfile.

Names: api/types.go (Options, Runner) and docs/modelfile.mdx. Defaults: the documentation's. Unsure, since it hangs on
the release and the model: repeat_penalty was 1.1 by default in earlier releases; and the order of the samplers, since
Ollama runs some models with llama.cpp's and others with its own. A model may bring parameters of its own along, too.
"""

from __future__ import annotations

from typing import Any

from decoding.presets import sheet as say
from decoding.presets.key import ANSWER, ASKED, SPEED, Engine, Key
from decoding.presets.pasted import Pasted
from decoding.presets.request import only_json
from decoding.presets.rules import (
    at_random,
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
)

__all__ = ["OLLAMA"]

FILE = "docs/modelfile.mdx, PARAMETER"
TYPES = "api/types.go, Options"
EARLIER = "api/types.go, Options of earlier releases"
MOST_SEED = 2**31 - 1

KEYS = (
    Key(name="temperature", knob="temperature", default=0.8, source=FILE),
    Key(name="top_k", knob="top_k", kind="whole", off_to=0, default=40, source=FILE),
    Key(name="top_p", knob="top_p", off_from=1, default=0.9, source=FILE),
    Key(name="min_p", knob="min_p", off_to=0, default=0.0, source=FILE),
    Key(name="typical_p", knob="typical_p", off_from=1, default=1.0, source=TYPES),
    Key(name="repeat_penalty", knob="repetition_penalty", off=(1,), default=1.0,
        source=f"{FILE}; 1.1 by default in earlier releases"),
    Key(name="repeat_last_n", kind="whole", default=64, source=FILE),
    Key(name="presence_penalty", knob="presence_penalty", off=(0,), source=TYPES),
    Key(name="frequency_penalty", knob="frequency_penalty", off=(0,), source=TYPES),
    Key(name="mirostat", kind="whole", off=(0,), source=EARLIER),
    Key(name="mirostat_tau", knob="mirostat_tau", part_of="mirostat", default=5.0, source=EARLIER),
    Key(name="mirostat_eta", knob="mirostat_eta", part_of="mirostat", default=0.1, source=EARLIER),
    Key(name="tfs_z", knob="tfs", off_from=1, source=EARLIER),
    Key(name="penalize_newline", kind="flag", off=(True,), source=EARLIER),
    Key(name="num_predict", knob="max_new_tokens", kind="whole", default=-1, source=FILE),
    Key(name="seed", knob="seed", kind="whole", default=-1, source=f"{TYPES}; the Modelfile's page has 0"),
    Key(name="stop", knob="stop_strings", kind="texts", source=FILE),
    Key(name="format", knob="json_schema", kind="any", off=("",), source="docs/api.md, structured outputs"),
)  # fmt: skip

ASIDE = {
    **dict.fromkeys(("model", "prompt", "messages", "system", "template", "suffix", "images", "raw", "context", "tools",
                     "think", "FROM", "TEMPLATE", "SYSTEM", "MESSAGE", "ADAPTER", "LICENSE", "REQUIRES", "CAPABILITY",
                     "RENDERER", "PARSER", "DRAFT", "name", "from"), ASKED),
    **dict.fromkeys(("stream", "logprobs", "top_logprobs"), ANSWER),
    **dict.fromkeys(("keep_alive", "num_ctx", "num_batch", "num_gpu", "main_gpu", "low_vram", "f16_kv", "logits_all",
                     "vocab_only", "use_mmap", "use_mlock", "num_thread", "numa", "num_keep", "draft_num_predict",
                     "truncate", "shift", "embedding_only", "rope_frequency_base", "rope_frequency_scale"), SPEED),
}  # fmt: skip
# Of these none acts beside mirostat.
CUTS = ("top_k", "top_p", "min_p", "typical_p", "repeat_penalty")
ALONE = tuple(key.knob for key in KEYS if key.name in CUTS)


def unfold(pasted: Pasted) -> dict[str, Any]:
    """A request with its options, options alone, or a Modelfile's parameters."""
    values = dict(pasted.values)
    for name in ("options", "parameters"):
        inner = values.get(name)
        if isinstance(inner, dict):
            del values[name]
            values |= inner
    if values.get("format") == "json":
        values["format"] = {}
    return values


def as_options(values: dict[str, Any]) -> str:
    """The body of a request; the schema stands beside the options in it."""
    options = {name: value for name, value in values.items() if name != "format"}
    beside = {"format": values["format"]} if "format" in values else {}
    return only_json({"options": options, **beside})


OLLAMA = Engine(
    name="ollama",
    title="Ollama",
    keys=KEYS,
    aside=ASIDE,
    order=("repetition_penalty", "top_k", "typical_p", "top_p", "min_p", "temperature"),
    unfold=unfold,
    rules=(
        at_random, greedy_at_zero(0), mirostat("mirostat", CUTS),
        repetition("repeat_penalty", "repeat_last_n", everything=-1, nothing=0), parts, length("num_predict"),
        random_seed("seed", at_random=(), other_generator=True), stops("stop"), constraint("format", "json_schema"),
        plain, order,
    ),
    says={
        "seed": say.seed_up_to("seed", MOST_SEED), "stop_strings": say.texts("stop"),
        "mirostat_tau": say.with_mode("mirostat", 2, "mirostat_tau", ALONE), "json_schema": say.schema("format"),
    },
    finish=(say.greedy_as_zero, say.penalty_window("repeat_penalty", "repeat_last_n", -1), say.order_is_theirs),
    text=as_options,
)  # fmt: skip
