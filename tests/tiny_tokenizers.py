"""Real tokenizers of every kind, trained in milliseconds on a few sentences: how each spells a word is its own."""

from __future__ import annotations

import json
from collections.abc import Callable

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertTokenizer,
    ByT5Tokenizer,
    LlamaTokenizer,
    OpenAIGPTTokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from decoding.models.load import LanguageModel
from tests.tiny_models import tiny_model

CORPUS = (
    "the cat sat on the mat, and the dog sat on the cat. (cat) [dog] cats dogs concat",
    "The capital of France is Paris (Paris). Rome is the capital of Italy; it's not in France, don't ask.",
    "def decode(logits):\n    return logits.argmax(-1)\n\n    cat = 1234",
    "abcdefghijklmnopqrstuvwxyz a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "a cat's dog's mat 12 34 56, 1234, 2026: they'll say we've seen café and 北京, 北京是 🙂",
) * 3
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


def _fast(backend: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        padding_side="left",
    )  # fmt: skip


SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]  # the first three at the ids that tests/tiny_models.py has
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def _byte_level(*, pattern: str | None = None, prefix: bool = False, merges: bool = True, ignore_merges: bool = False):
    backend = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    level = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=pattern is None)
    split = [] if pattern is None else [pre_tokenizers.Split(Regex(pattern), "isolated")]
    backend.pre_tokenizer = pre_tokenizers.Sequence([*split, level])
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=460 if merges else 260, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    backend.train_from_iterator(CORPUS, trainer)
    return _fast(backend)


def _sentencepiece_bpe(kind: type | None = None, scheme: str = "first", split: bool = False):
    """Pieces with ▁ for a space and bytes for what has no piece; Llama's own class, or one by its parts."""
    backend = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    backend.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=480, special_tokens=[*SPECIAL, *BYTES], show_progress=False)
    )
    if kind is not None:
        model = _json(backend)["model"]
        return kind(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _fast(backend)


def _legacy_llama():
    """As Llama-2's first files: no pre-tokenizer, a normalizer puts the ▁ in front."""
    fast = _sentencepiece_bpe()
    backend = fast.backend_tokenizer
    backend.pre_tokenizer = None
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return _fast(backend)


def _unigram(scheme: str = "always"):
    """As T5: no byte fallback, what has no piece is unknown; NFKC before it, and </s> at the end."""
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    backend.decoder = decoders.Metaspace(prepend_scheme=scheme)
    trainer = trainers.UnigramTrainer(vocab_size=140, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    backend.train_from_iterator(CORPUS, trainer)
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    return _fast(backend)


def _wordpiece(lowercase: bool = False):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=220, special_tokens=special, show_progress=False)
    )
    return BertTokenizer(vocab=backend.get_vocab(), do_lower_case=lowercase)


def _openai_gpt():
    backend = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.train_from_iterator(
        [line.lower() for line in CORPUS],
        trainers.BpeTrainer(
            vocab_size=220, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
        ),
    )
    model = _json(backend)["model"]
    return OpenAIGPTTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])


def _json(backend: Tokenizer) -> dict:
    return json.loads(backend.to_str())


TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerBase]] = {
    "gpt2": _byte_level,
    "gpt2 with a prefix space": lambda: _byte_level(prefix=True),
    "bytes alone": lambda: _byte_level(merges=False),
    "llama3": lambda: _byte_level(pattern=LLAMA3, ignore_merges=True),
    "llama2": lambda: _sentencepiece_bpe(LlamaTokenizer),
    "llama2 legacy": _legacy_llama,
    "mistral": lambda: _sentencepiece_bpe(scheme="first"),
    "metaspace always": lambda: _sentencepiece_bpe(scheme="always", split=True),
    "metaspace never": lambda: _sentencepiece_bpe(scheme="never"),
    "t5": _unigram,
    "unigram first": lambda: _unigram("first"),
    "bert": _wordpiece,
    "bert uncased": lambda: _wordpiece(lowercase=True),
    "openai-gpt": _openai_gpt,
    "byt5": ByT5Tokenizer,
}
# Those that give a text back as it was, so that a run of tokens is the word exactly where its bytes are.
LOSSLESS = (
    "gpt2", "gpt2 with a prefix space", "bytes alone", "llama3", "llama2", "llama2 legacy", "mistral",
    "metaspace always", "metaspace never", "byt5",
)  # fmt: skip


def tiny_tokenizer_of(kind: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a kind of `TOKENIZERS`, made anew."""
    return TOKENIZERS[kind]()


def tiny_lm_of(kind: str, architecture: str = "llama", seed: int = 0) -> LanguageModel:
    """A tiny model with such a tokenizer, as `load_model` would return them."""
    tokenizer = tiny_tokenizer_of(kind)
    vocab_size = max(tokenizer.get_vocab().values()) + 1
    return LanguageModel(
        model=tiny_model(architecture, vocab_size=vocab_size, seed=seed), tokenizer=tokenizer,
        name=f"tiny {architecture} of {kind}", source="directory", revision=None, device="cpu", dtype="float32",
    )  # fmt: skip
