"""What a caller calls a tokenizer becomes one of transformers'."""

from __future__ import annotations

from typing import Any

from decoding.errors import SettingError, shown
from decoding.words import words

__all__ = ["as_tokenizer"]


def as_tokenizer(tokenizer: Any, *, strict: bool = True) -> Any:
    """The tokenizer of transformers that was given, or that is in what was given.

    Args:
        tokenizer: one of transformers'; a processor that holds one (`AutoProcessor`); one of the `tokenizers` library;
            or None.
        strict: raise where it is none of these; else give None.

    Raises:
        SettingError: it is no tokenizer, such as a model's name.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast  # both only where there is one to look at

    if tokenizer is None:
        return None
    if isinstance(tokenizer, PreTrainedTokenizerBase):
        return tokenizer
    if isinstance(getattr(tokenizer, "tokenizer", None), PreTrainedTokenizerBase):
        return tokenizer.tokenizer
    if isinstance(tokenizer, Tokenizer):
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    if all(hasattr(tokenizer, name) for name in ("decode", "convert_ids_to_tokens", "get_vocab")):
        return tokenizer  # one of somebody else's that does the same
    if not strict:
        return None
    name = tokenizer if isinstance(tokenizer, str) else "…"
    raise SettingError(
        "tokenizer", tokenizer if isinstance(tokenizer, str) else type(tokenizer).__name__, "a tokenizer",
        words("load it: AutoTokenizer.from_pretrained({name})", name=shown(name)),
    )  # fmt: skip
