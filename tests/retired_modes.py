"""The modes that transformers 5 no longer ships: models and random cases for both sides of the comparison.

This file is imported by the tests and, under transformers 4.46, by `tests/data/record_retired_modes.py`, which
wrote down what that version returned. So it uses nothing of this project and only what both versions of
transformers have; weights come from the parameters' names, which makes them the same in both.
"""

from __future__ import annotations

import random
import zlib
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
    T5Config,
    T5ForConditionalGeneration,
)

DATA = Path(__file__).parent / "data"
PAD, BOS, EOS, VOCAB = 0, 1, 2, 131
KINDS = ("llama", "gpt2", "mistral", "opt", "t5", "bart")
ENCODER_DECODERS = ("t5", "bart")
SPECIAL = {"pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS}
SIZES = {"vocab_size": VOCAB, "tie_word_embeddings": False, **SPECIAL}


def model_of(kind: str) -> PreTrainedModel:
    """A tiny model; `llama` is the fixture, the others have weights made from their names."""
    if kind == "llama":
        return AutoModelForCausalLM.from_pretrained(DATA / "tiny-llama-a").eval()
    model = BUILDERS[kind]()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(_weights(kind, name, parameter))
    return model.float().eval()


def _weights(kind: str, name: str, parameter: torch.Tensor) -> torch.Tensor:
    if "embed_tokens" in name or "shared" in name or (kind == "t5" and name == "lm_head.weight"):
        name = "shared"  # one table in one version is two in the other
    noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
    if parameter.ndim == 1:
        return 0.1 * noise + (1.0 if name.endswith("weight") else 0.0)  # a norm's scale is about 1
    gives_logits = name == "lm_head.weight" or (kind == "t5" and name == "shared")
    return noise * (0.45 if gives_logits else 0.2)  # logits of a standard deviation of about 2.5


def _gpt2() -> PreTrainedModel:
    return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=64, **SIZES))


def _mistral() -> PreTrainedModel:
    return MistralForCausalLM(MistralConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=64, sliding_window=64, **SIZES,
    ))  # fmt: skip


def _opt() -> PreTrainedModel:
    return OPTForCausalLM(OPTConfig(
        hidden_size=32, word_embed_proj_dim=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=64, **SIZES,
    ))  # fmt: skip


def _t5() -> PreTrainedModel:
    return T5ForConditionalGeneration(T5Config(
        d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=PAD, **SIZES,
    ))  # fmt: skip


def _bart() -> PreTrainedModel:
    return BartForConditionalGeneration(BartConfig(
        d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=64, decoder_start_token_id=BOS,
        forced_eos_token_id=None, **SIZES,
    ))  # fmt: skip


BUILDERS = {"gpt2": _gpt2, "mistral": _mistral, "opt": _opt, "t5": _t5, "bart": _bart}


# --- random cases -----------------------------------------------------------------------------------------


def random_case(rng: random.Random, family: str, kind: str) -> dict[str, Any]:
    """A case as it is written to `retired_modes.json`, without what came out."""
    lengths = [rng.randint(1, 8) for _ in range(rng.choice([1, 1, 2, 3]))]
    prompts = [[rng.randrange(4, VOCAB) for _ in range(n)] for n in lengths]
    kwargs = _diverse(rng) if family == "diverse_beam" else _contrastive(rng)
    kwargs |= {"max_new_tokens": rng.randint(1, 14), "do_sample": False}
    if rng.random() < 0.7:
        kwargs |= _endings(rng)
    kwargs |= _processors(rng, padded=len(set(lengths)) > 1)
    case = {"family": family, "kind": kind, "kwargs": kwargs, "prompts": prompts}
    if rng.random() < 0.15:
        case["stops_at"] = rng.sample(range(4, VOCAB), rng.choice([20, 60, 100]))
    return case


def inputs_of(case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """`generate`'s inputs, left-padded."""
    longest = max(len(prompt) for prompt in case["prompts"])
    ids = [[PAD] * (longest - len(prompt)) + prompt for prompt in case["prompts"]]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in case["prompts"]]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def arguments_of(case: dict[str, Any]) -> dict[str, Any]:
    """`generate`'s other arguments."""
    kwargs = dict(case["kwargs"])
    if "exponential_decay_length_penalty" in kwargs:
        kwargs["exponential_decay_length_penalty"] = tuple(kwargs["exponential_decay_length_penalty"])
    if "stops_at" in case:
        kwargs["stopping_criteria"] = StoppingCriteriaList([EndsWith(case["stops_at"])])
    return kwargs


class EndsWith(StoppingCriteria):
    """Holds for rows whose last token is one of these: a criterion that is neither a length nor EOS."""

    def __init__(self, token_ids: list[int]) -> None:
        self.token_ids = torch.tensor(token_ids)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.isin(input_ids[:, -1], self.token_ids)


def _diverse(rng: random.Random) -> dict[str, Any]:
    size, groups = rng.choice([1, 1, 2, 2, 3]), rng.choice([2, 2, 3, 4])
    return {
        "num_beams": size * groups,
        "num_beam_groups": groups,
        "diversity_penalty": rng.choice([0.1, 0.3, 1.0, 3.0, 20.0]),
        "num_return_sequences": rng.randint(1, size * groups),
        "length_penalty": rng.choice([-1.0, 0.0, 0.5, 1.0, 2.0]),
        "early_stopping": rng.choice([True, False, "never"]),
    }


def _contrastive(rng: random.Random) -> dict[str, Any]:
    return {"penalty_alpha": rng.choice([0.1, 0.4, 0.6, 0.9, 1.0]), "top_k": rng.choice([2, 3, 4, 8, 40])}


def _endings(rng: random.Random) -> dict[str, Any]:
    """EOS ids that come often: many of them, or few with a bias."""
    if rng.random() < 0.5:
        return {"eos_token_id": rng.sample(range(4, VOCAB), rng.randint(4, 20))}
    eos = rng.sample(range(4, VOCAB), rng.randint(1, 3))
    bias = [[[token], rng.choice([2.0, 4.0, 6.0])] for token in eos]
    kwargs = {"eos_token_id": eos if len(eos) > 1 else eos[0], "sequence_bias": bias}
    return {**kwargs, "pad_token_id": eos[0]} if rng.random() < 0.3 else kwargs


def _processors(rng: random.Random, padded: bool) -> dict[str, Any]:
    choices = {
        "repetition_penalty": lambda: rng.choice([0.8, 1.3]),
        "no_repeat_ngram_size": lambda: rng.choice([1, 2, 3]),
        "min_new_tokens": lambda: rng.choice([2, 5]),
        "bad_words_ids": lambda: [[rng.randrange(4, VOCAB)], [rng.randrange(4, VOCAB), rng.randrange(4, VOCAB)]],
        "suppress_tokens": lambda: rng.sample(range(4, VOCAB), 30),
        "begin_suppress_tokens": lambda: rng.sample(range(4, VOCAB), 30),
        "renormalize_logits": lambda: True,
        "forced_eos_token_id": lambda: EOS,
        "exponential_decay_length_penalty": lambda: [rng.choice([0, 3]), 1.2],
    }
    if padded:
        choices.pop("repetition_penalty")  # transformers 5 no longer counts padding as a repetition
    names = rng.sample(sorted(choices), rng.choice([0, 0, 1, 2]))
    if "exponential_decay_length_penalty" in names:
        names = ["exponential_decay_length_penalty"]  # 4.46 makes NaN of a score that is -inf already
    if "repetition_penalty" in names and rng.random() < 0.5:
        names.append("no_repeat_ngram_size")
    return {name: choices[name]() for name in names}
