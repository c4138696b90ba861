"""Tiny models with random weights, one per architecture, and a tiny but real tokenizer.

They are built from configs in milliseconds, the same ones each time, and their distributions are
neither flat nor peaked (logits have a standard deviation of about 2.5), so that every processor has
something to do.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from decoding.models.load import LanguageModel

PAD, BOS, EOS = 0, 1, 2
LOGIT_STD = 2.5
CONTEXT = 128

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

CORPUS = (
    "The capital of France is Paris. The capital of Italy is Rome.",
    "A language model gives logits; a decoder turns them into text.",
    "def decode(logits):\n    return logits.argmax(-1)\n",
    "the cat sat on the mat, and the dog sat on the cat",
)


def _llama(vocab: int) -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**_rotary(vocab)))


def _qwen2(vocab: int) -> PreTrainedModel:
    return Qwen2ForCausalLM(Qwen2Config(**_rotary(vocab)))


def _mistral(vocab: int) -> PreTrainedModel:
    return MistralForCausalLM(MistralConfig(sliding_window=6, **_rotary(vocab)))


def _gemma2(vocab: int) -> PreTrainedModel:
    return Gemma2ForCausalLM(
        Gemma2Config(head_dim=8, query_pre_attn_scalar=8, sliding_window=6, **_rotary(vocab))
    )


def _gpt_neox(vocab: int) -> PreTrainedModel:
    sizes = _sizes(vocab) | {"max_position_embeddings": CONTEXT, "intermediate_size": 64}
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, **sizes)
    )


def _opt(vocab: int) -> PreTrainedModel:
    return OPTForCausalLM(
        OPTConfig(
            hidden_size=32,
            word_embed_proj_dim=32,
            ffn_dim=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT,
            init_std=0.2,
            **_sizes(vocab),
        )
    )


def _gpt2(vocab: int) -> PreTrainedModel:
    return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT, **_sizes(vocab)))


def _t5(vocab: int) -> PreTrainedModel:
    return T5ForConditionalGeneration(
        T5Config(
            d_model=32,
            d_kv=8,
            d_ff=64,
            num_layers=2,
            num_heads=4,
            decoder_start_token_id=PAD,
            **_sizes(vocab),
        )
    )


def _bart(vocab: int) -> PreTrainedModel:
    return BartForConditionalGeneration(
        BartConfig(
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_position_embeddings=CONTEXT,
            decoder_start_token_id=BOS,
            forced_eos_token_id=None,
            init_std=0.2,
            **_sizes(vocab),
        )
    )


def _sizes(vocab: int) -> dict:
    return {
        "vocab_size": vocab,
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "initializer_range": 0.2,
        "tie_word_embeddings": False,
    }


def _rotary(vocab: int) -> dict:
    return _sizes(vocab) | {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
    }


BUILDERS: dict[str, tuple[Callable[[int], PreTrainedModel], int]] = {
    "llama": (_llama, 97),
    "qwen2": (_qwen2, 101),
    "mistral": (_mistral, 103),
    "gemma2": (_gemma2, 107),
    "gpt_neox": (_gpt_neox, 109),
    "opt": (_opt, 113),
    "gpt2": (_gpt2, 127),
    "t5": (_t5, 128),
    "bart": (_bart, 131),
}
ENCODER_DECODERS = ("t5", "bart")
DECODERS_ONLY = tuple(kind for kind in BUILDERS if kind not in ENCODER_DECODERS)


def tiny_model(kind: str = "llama", vocab_size: int | None = None, seed: int = 0) -> PreTrainedModel:
    """A model of two layers and hidden size 32 in float32 on the CPU, in eval mode.

    Pad, bos and eos are the ids 0, 1 and 2. The global random state is left as it was.
    """
    build, default_vocab = BUILDERS[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(vocab_size or default_vocab)
        # The last hidden state is normalised: its length is sqrt(32), so this gives logits of LOGIT_STD.
        torch.nn.init.normal_(model.get_output_embeddings().weight, std=LOGIT_STD / 32**0.5)
    return model.float().eval()


def tiny_tokenizer(vocab_size: int = 320) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: all 256 bytes, a few dozen merges, four special tokens, a chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|endoftext|>"],
        padding_side="left",
        model_max_length=CONTEXT,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def tiny_lm(kind: str = "llama", seed: int = 0) -> LanguageModel:
    """A tiny model and the tiny tokenizer, as `load_model` would return them."""
    tokenizer = tiny_tokenizer()
    return LanguageModel(
        model=tiny_model(kind, vocab_size=len(tokenizer), seed=seed),
        tokenizer=tokenizer,
        name=f"tiny-{kind}",
        source="directory",
        revision=None,
        device="cpu",
        dtype="float32",
    )
