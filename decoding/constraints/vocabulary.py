"""A vocabulary as xgrammar takes it: the bytes of every token, from the same table that the page shows them from.

So a token that is half a character, an added token that the decoder changes, and a tokenizer of any kind are what they
are everywhere else here. Special tokens have no bytes: `<|im_start|>` in a text would not be seen in it, and so is not
one of its characters.

For JSON, tokens with a control character have none either, line ends left out: in JSON's strings these must be
escaped, and xgrammar 0.2.8 lets them through in strings that have a `minLength` or `maxLength`. So no tab comes between
the parts of a JSON text, which is nothing lost.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any

from decoding.errors import SettingError
from decoding.tokens.token_table import TokenTable

__all__ = ["info_of", "is_installed", "xgrammar_of"]

KEPT = 4  # vocabularies, of a few megabytes each
_lock = threading.Lock()
_known: list[tuple[TokenTable, tuple[int, ...], bool, Any]] = []
CONTROL = re.compile(rb"[\x00-\x09\x0b\x0c\x0e-\x1f]")


def is_installed() -> bool:
    """Whether xgrammar can be imported."""
    try:
        xgrammar_of("grammar", "")
    except SettingError:
        return False
    return True


def xgrammar_of(parameter: str, value: Any) -> Any:
    """The library.

    Raises:
        SettingError: it is not installed.
    """
    try:
        import transformers  # noqa: F401  (whichever of the two is first must find the other whole)
        import xgrammar
    except ImportError as error:
        raise SettingError(
            parameter, value, "left out where xgrammar is not installed",
            "install it: pip install 'decoding-explorer[constrained]'",
        ) from error  # fmt: skip
    return xgrammar


def info_of(xgrammar: Any, table: TokenTable, ends: Sequence[int], *, json: bool = False) -> Any:
    """xgrammar's `TokenizerInfo`; the one of before for the same table and end tokens.

    Args:
        ends: ids of the end tokens, at least one of them in the table.
        json: for texts that are JSON.
    """
    wanted = tuple(sorted({i for i in ends if 0 <= i < len(table)}))
    with _lock:
        for known, stops, of_json, info in _known:
            if known is table and stops == wanted and of_json == json:
                return info
    pieces = [table.bytes(i) if table.exists(i) and not table.is_special(i) else b"" for i in range(len(table))]
    if json:
        pieces = [b"" if CONTROL.search(piece) else piece for piece in pieces]
    info = xgrammar.TokenizerInfo(
        pieces, vocab_type=xgrammar.VocabType.RAW, vocab_size=len(pieces), stop_token_ids=list(wanted)
    )
    with _lock:
        _known.insert(0, (table, wanted, json, info))
        del _known[KEPT:]
    return info
