"""`table_of`: a tokenizer's `TokenTable`, made once and kept as long as the tokenizer: it takes a tenth of a second."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any
from weakref import WeakKeyDictionary

from decoding.tokens.token_bytes import added_tokens, special_ids
from decoding.tokens.token_table import TokenTable

__all__ = ["table_of"]

_lock = threading.Lock()
_known: WeakKeyDictionary[Any, tuple[Hashable, TokenTable]] = WeakKeyDictionary()


def table_of(tokenizer: Any, vocab_size: int | None = None) -> TokenTable:
    """See `TokenTable.from_tokenizer`; the table of before where nothing that makes it has changed since."""
    made_of = _made_of(tokenizer, vocab_size)
    if made_of is None:
        return TokenTable.from_tokenizer(tokenizer, vocab_size)
    with _lock:
        before = _known.get(tokenizer)
    if before is not None and before[0] == made_of:
        return before[1]
    table = TokenTable.from_tokenizer(tokenizer, vocab_size)
    with _lock:
        _known[tokenizer] = made_of, table
    return table


def _made_of(tokenizer: Any, vocab_size: int | None) -> Hashable | None:
    """All that a table is made of and that may change under way; None of a tokenizer whose vocabulary is in Python."""
    backend, can_be_a_key = getattr(tokenizer, "backend_tokenizer", None), isinstance(tokenizer, Hashable)
    if backend is None or not can_be_a_key:
        return None
    parts = (backend.normalizer, backend.pre_tokenizer, backend.decoder)
    states = tuple(None if part is None else part.__getstate__() for part in parts)
    added = tuple((i, token.content, token.special) for i, token in sorted(added_tokens(tokenizer).items()))
    special = frozenset(special_ids(tokenizer))
    return (vocab_size, len(tokenizer), id(backend), type(backend.model).__name__, states, added, special)
