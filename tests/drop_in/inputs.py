"""What the calls share: tiny models, prompts and a left-padded batch."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers import PreTrainedModel

from tests.tiny_models import PAD, tiny_model, tiny_tokenizer

__all__ = ["IDS", "TOKENIZER", "changed_model", "model", "two_rows"]

TOKENIZER = tiny_tokenizer()
IDS = torch.tensor([[5, 60, 7, 80]])
MODELS: dict[str, PreTrainedModel] = {}


def model(kind: str = "llama") -> PreTrainedModel:
    """A tiny model that calls share; nobody changes it."""
    if kind not in MODELS:
        MODELS[kind] = tiny_model(kind, vocab_size=len(TOKENIZER))
    return MODELS[kind]


def changed_model(kind: str = "llama", **defaults: Any) -> PreTrainedModel:
    """A tiny model of one's own, whose `generation_config` has other defaults."""
    own = copy.deepcopy(model(kind))
    for name, value in defaults.items():
        setattr(own.generation_config, name, value)
    return own


def two_rows() -> dict[str, torch.Tensor]:
    """A left-padded batch of two prompts that are as long as `IDS`."""
    ids = torch.tensor([[5, 60, 7, 80], [PAD, PAD, 9, 33]])
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}
