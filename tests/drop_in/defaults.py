"""The model's own defaults, and a `GenerationConfig` given by the caller."""

from __future__ import annotations

from typing import Any

import torch
from transformers import GenerationConfig

from tests.drop_in.call import BEAMS, ONE_ROW, Call, Request
from tests.drop_in.inputs import IDS, TOKENIZER, changed_model, model, two_rows

__all__ = ["CALLS"]


def by_default(given: dict[str, Any] | None = None, **defaults: Any):
    """A call to a model that has these defaults."""
    return lambda mode: Request(model=changed_model(**defaults), kwargs={**two_rows(), **mode, **(given or {})})


def by_config(given: dict[str, Any] | None = None, **config: Any):
    """A call with a `GenerationConfig` that holds all that would else be given."""

    def make(mode: dict[str, Any]) -> Request:
        made = GenerationConfig(**{**mode, **config, "pad_token_id": 0})
        return Request(model=model(), kwargs={**two_rows(), "generation_config": made, **(given or {})})

    return make


def without_tokenizer(mode: dict[str, Any]) -> Request:
    """A model with stop strings of its own, and nobody who can read them."""
    return Request(model=changed_model(stop_strings=["e"]), kwargs={"inputs": IDS, **mode})


def with_tokenizer(mode: dict[str, Any]) -> Request:
    """The same model with the tokenizer that `generate` asks for."""
    return Request(
        model=changed_model(stop_strings=["e", "a", " "]),
        kwargs={**two_rows(), "tokenizer": TOKENIZER, **mode},
        recorder={"tokenizer": TOKENIZER},
    )


BANNED = [[n] for n in range(20, 120)]

CALLS = (
    Call(name="a model that searches with beams by default", make=by_default(num_beams=4), modes=ONE_ROW),
    Call(
        name="a model with beams by default, several sequences asked for",
        make=by_default({"num_return_sequences": 2}, num_beams=4),
        modes=ONE_ROW,
    ),
    Call(
        name="a model that samples by default",
        make=by_default(do_sample=True, temperature=0.7),
        modes=("greedy", "beam"),
    ),
    Call(
        name="a model that samples by default, several sequences asked for",
        make=by_default({"num_return_sequences": 3}, do_sample=True),
        modes=("greedy",),
    ),
    Call(name="a model that samples by default, asked not to", make=by_default({"do_sample": False}, do_sample=True)),
    Call(name="a model with top_k, top_p and min_p", make=by_default(top_k=7, top_p=0.9, min_p=0.02)),
    Call(
        name="a model with typical_p, epsilon and eta",
        make=by_default(typical_p=0.8, epsilon_cutoff=0.01, eta_cutoff=0.01),
    ),
    Call(name="a model with a repetition penalty", make=by_default(repetition_penalty=1.4, no_repeat_ngram_size=2)),
    Call(name="a model with forced tokens", make=by_default(forced_bos_token_id=33, forced_eos_token_id=44)),
    Call(
        name="a model with suppressed tokens",
        make=by_default(suppress_tokens=[9, 10, 11], begin_suppress_tokens=[40, 41]),
    ),
    Call(name="a model with bad words and a bias", make=by_default(bad_words_ids=BANNED, sequence_bias=[[[130], 3.0]])),
    Call(name="a model with several ends", make=by_default(eos_token_id=list(range(2, 200)), min_new_tokens=2)),
    Call(name="a model without an end", make=by_default(eos_token_id=None)),
    Call(
        name="a model with a length of its own", make=by_default({"max_new_tokens": None}, max_length=9, min_length=7)
    ),
    Call(
        name="a model with a length penalty that stops early",
        make=by_default(length_penalty=-0.5, early_stopping=True, eos_token_id=list(range(2, 90))),
        modes=BEAMS,
    ),
    Call(
        name="a model that never stops early",
        make=by_default(length_penalty=1.5, early_stopping="never", eos_token_id=list(range(2, 90))),
        modes=BEAMS,
    ),
    Call(name="a model that renormalizes", make=by_default(renormalize_logits=True, remove_invalid_values=True)),
    Call(
        name="a model with guidance",
        make=lambda m: Request(model=changed_model(guidance_scale=1.6), kwargs={"inputs": IDS, **m}),
    ),
    Call(
        name="a model with a watermark",
        make=by_default(watermarking_config={"bias": 2.5, "seeding_scheme": "selfhash"}),
    ),
    Call(name="a model with a static cache", make=by_default(cache_implementation="static")),
    Call(name="a model without a cache", make=by_default(use_cache=False)),
    Call(name="a model that returns all", make=by_default(output_attentions=True, output_hidden_states=True)),
    Call(name="a model with an exponential decay", make=by_default(exponential_decay_length_penalty=(1, 1.6))),
    Call(name="a model with stop strings, without a tokenizer", make=without_tokenizer, plain_fails=(*ONE_ROW, *BEAMS)),
    Call(
        name="a model with stop strings, and a tokenizer",
        make=with_tokenizer,
        refused="stop_strings.*(StopStringCriteria|Recorder|tokenizer)",
        or_equal=True,
    ),
    Call(name="a GenerationConfig", make=by_config(repetition_penalty=1.2)),
    Call(name="a GenerationConfig and arguments over it", make=by_config({"max_new_tokens": 4, "temperature": 1.3})),
    Call(
        name="a GenerationConfig over a model's own defaults",
        make=lambda mode: Request(
            model=changed_model(top_k=3, repetition_penalty=2.0),
            kwargs={"inputs": IDS, "generation_config": GenerationConfig(**mode, eos_token_id=2, pad_token_id=0)},
        ),
    ),
    Call(
        name="a GenerationConfig with tensors for tokens",
        make=by_config(
            eos_token_id=torch.tensor([2, 50, 51]),
            suppress_tokens=torch.tensor([7, 8]),
        ),
    ),
)
