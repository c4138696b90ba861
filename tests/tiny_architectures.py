"""Every architecture of transformers that generates text, as a tiny model with random weights.

A config is made from its class's own defaults, with the sizes that `SIZES` names made small; what a family needs
besides stands in `EXCEPTIONS`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
import transformers
from transformers import PretrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

__all__ = ["ARCHITECTURES", "VOCAB", "NotBuiltError", "tiny_architecture"]

VOCAB = 99
MOST_PARAMETERS = 30_000_000

SIZES: dict[str, Any] = {
    # vocabularies and the tokens that must lie in them
    **dict.fromkeys((
        "vocab_size", "src_vocab_size", "tgt_vocab_size", "vocab_size_per_layer_input", "unpadded_vocab_size",
        "t2u_vocab_size", "char_vocab_size", "unit_hifi_gan_vocab_size", "pronunciation_vocab_size",
        "shape_vocab_size", "audio_vocab_size", "encoder_hash_byte_group_vocab",
    ), VOCAB),
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "sep_token_id": 3,
    "cls_token_id": 3, "mask_index": 5,
    # widths
    **dict.fromkeys((
        "hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embedding_size", "input_embedding_size",
        "output_embedding_size", "word_embed_proj_dim", "embed_dim", "backbone_hidden_size", "t2u_hidden_size",
        "router_hidden_size", "lru_width", "attention_hidden_size", "adapter_hidden_size",
    ), 32),
    **dict.fromkeys((
        "intermediate_size", "decoder_ffn_dim", "encoder_ffn_dim", "ffn_dim", "d_ff", "dff", "dim_ff", "n_inner",
        "d_inner", "ffn_hidden_size", "feed_forward_size", "intermediate_size_mlp", "dense_intermediate_size",
        "shared_intermediate_size", "speech_encoder_intermediate_size", "t2u_encoder_ffn_dim", "t2u_decoder_ffn_dim",
    ), 64),
    **dict.fromkeys((
        "moe_intermediate_size", "shared_expert_intermediate_size", "shared_experts_intermediate_size",
        "expert_ffn_hidden_size", "moe_shared_expert_intermediate_size", "hidden_size_per_layer_input",
        "q_lora_rank", "kv_lora_rank", "o_lora_rank", "laurel_rank", "adapter_rank", "gated_norm_rank", "hc_lowrank",
        "d_rel", "prompt_mid_dim",
    ), 16),
    # heads
    **dict.fromkeys((
        "num_attention_heads", "n_head", "n_heads", "num_heads", "decoder_attention_heads", "encoder_attention_heads",
        "num_encoder_attention_heads", "num_decoder_attention_heads", "attention_heads", "swa_num_attention_heads",
        "speech_encoder_attention_heads", "t2u_encoder_attention_heads", "t2u_decoder_attention_heads",
        "linear_num_value_heads", "linear_num_heads", "index_n_heads",
    ), 4),
    **dict.fromkeys(("num_key_value_heads", "swa_num_key_value_heads", "linear_num_key_heads"), 2),
    **dict.fromkeys((
        "head_dim", "d_kv", "kv_channels", "attention_head_size", "dim_head", "swa_head_dim", "qk_rope_head_dim",
        "qk_nope_head_dim", "v_head_dim", "index_head_dim", "linear_key_head_dim", "linear_value_head_dim",
        "linear_head_dim", "query_pre_attn_scalar", "rotary_dim", "global_head_dim",
    ), 8),
    # depth
    **dict.fromkeys((
        "num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "encoder_layers",
        "num_encoder_layers", "num_decoder_layers", "speech_encoder_layers", "t2u_encoder_layers",
        "t2u_decoder_layers",
    ), 2),
    "num_kv_shared_layers": 0, "layer_group_size": 2, "num_nextn_predict_layers": 0,
    # experts
    **dict.fromkeys((
        "num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts", "zero_expert_num",
    ), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k", "n_group", "topk_group", "top_k_experts"), 2),
    "first_k_dense_replace": 1, "moe_layer_start_index": 1, "expert_capacity": 64,
    # state spaces
    **dict.fromkeys(("mamba_n_heads", "mamba_num_heads", "n_mamba_heads"), 4),
    **dict.fromkeys(("mamba_d_state", "state_size", "ssm_state_size", "mamba_head_dim", "mamba_d_head"), 16),
    **dict.fromkeys(("n_groups", "mamba_n_groups"), 2),
    **dict.fromkeys(("mamba_chunk_size", "chunk_size"), 8),
    # lengths
    **dict.fromkeys((
        "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_source_positions",
        "max_target_positions", "max_encoder_position_embeddings", "max_decoder_position_embeddings",
        "context_length", "original_max_position_embeddings",
    ), 128),
    "attention_chunk_size": 8, "sliding_window": 8, "sliding_window_size": 8,
    "ngram_vocab_size_base": 101, "split_ngram_parts": 1, "make_ngram_vocab_size_divisible_by": 1,
    "initializer_range": 0.2, "init_std": 0.2, "dropout": 0.0,
    # what looks at images
    "image_size": 32, "patch_size": 16, "audio_token_id": 90, "image_token_id": 91, "video_token_id": 92,
    "image_token_index": 91, "boi_token_id": 93, "eoi_token_id": 94, "boi_token_index": 93, "eoi_token_index": 94,
    "vision_start_token_id": 95, "vision_end_token_id": 96,
}  # fmt: skip

EXCEPTIONS: dict[str, dict[str, Any]] = {
    "ZayaConfig": {"num_experts_per_tok": 1},
    "Mamba2Config": {"head_dim": 16},
    "FalconH1Config": {"mamba_d_ssm": 64},
    "GPTNeoConfig": {"attention_types": [[["global", "local"], 1]], "window_size": 8},
    "Dots3NoteTextConfig": {"num_key_value_heads": 4},
    "Dots1Config": {"n_group": 1, "topk_group": 1, "n_shared_experts": 1},
    "Lfm2MoeConfig": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "ReformerConfig": {"is_decoder": True, "axial_pos_embds_dim": (16, 16), "axial_pos_shape": (8, 16)},
    "Zamba2Config": {"num_hidden_layers": 54},
    "LEDConfig": {"attention_window": 4},
    "RecurrentGemmaConfig": {"num_hidden_layers": 3},
    **dict.fromkeys((
        "Qwen3NextConfig", "Qwen3_5TextConfig", "Qwen3_5MoeTextConfig", "Qwen4ExpTextConfig", "Lfm3Config",
    ), {"num_hidden_layers": 4}),
    "KimiLinearConfig": {"layer_types": ["linear_attention", "full_attention"]},
    "ZambaConfig": {"num_hidden_layers": 3, "layers_block_type": ["hybrid", "mamba", "hybrid"]},
    "BailingHybridConfig": {"num_hidden_layers": 4},
    "JambaConfig": {"num_hidden_layers": 3, "attn_layer_period": 2, "attn_layer_offset": 1},
    "BambaConfig": {"attn_layer_indices": [1]},
    "GraniteMoeHybridConfig": {"layer_types": ["mamba", "attention"]},
}
"""By config class, what it needs besides `SIZES`."""

ARCHITECTURES: dict[str, str] = {
    name: kind
    for mapping in (MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES)
    for kind, names in reversed(mapping.items())
    for name in ((names,) if isinstance(names, str) else names)
}
"""Model classes by name, each with the kind of its config."""


class NotBuiltError(Exception):
    """A model of this class cannot be made from its config alone, or not in this size."""


def tiny_architecture(name: str) -> PreTrainedModel:
    """A tiny model of a class in `ARCHITECTURES`, in float32 and eval mode, the same each time.

    Raises:
        NotBuiltError: says why.
    """
    try:
        cls = getattr(transformers, name)
        config = _tiny_config(cls.config_class or CONFIG_MAPPING[ARCHITECTURES[name]], decoder=name)
        with torch.device("meta"):
            n = sum(p.numel() for p in cls(config).parameters())
    except Exception as err:
        raise NotBuiltError(f"{type(err).__name__}: {err}") from err
    if n > MOST_PARAMETERS:
        raise NotBuiltError(f"still {n:,} parameters")
    if config.is_encoder_decoder and getattr(config, "decoder_start_token_id", None) is None:
        config.decoder_start_token_id = 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            model = cls(config).float().eval()
        except Exception as err:
            raise NotBuiltError(f"{type(err).__name__}: {err}") from err
        for parameter in model.parameters():  # some are left as they lie in memory
            if not bool(parameter.isfinite().all()):
                torch.nn.init.normal_(parameter, std=0.1)
    return model


def _tiny_config(cls: type[PretrainedConfig], decoder: str = "") -> PretrainedConfig:
    """A config of a class with small sizes, its parts included."""
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    fields = set(defaults)
    given: dict[str, Any] = {name: value for name, value in SIZES.items() if name in fields}
    given = {name: value for name, value in given.items() if not isinstance(defaults[name], (list, tuple))}
    if "kv_lora_rank" in fields:  # latent attention has no groups
        given["num_key_value_heads"] = given.get("num_attention_heads")
    for name, part in (cls.sub_configs or {}).items():
        if isinstance(part, type) and dataclasses.is_dataclass(part) and name in fields and "Auto" not in part.__name__:
            given[name] = _tiny_config(part)
    given |= EXCEPTIONS.get(cls.__name__, {})
    if decoder.endswith(("ForCausalLM", "LMHeadModel")) and "is_decoder" in fields:
        given["is_decoder"] = True
    given = {name: value for name, value in given.items() if name in fields}
    return cls(**given)
