"""DRY: what would go on repeating what was said before is made less likely, the more so the longer it has repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.generation import LogitsProcessor

from decoding.errors import SettingError
from decoding.parameters.knobs import KNOBS
from decoding.samplers.dry_breakers import DEFAULT_BREAKERS, NO_BREAKERS, Breakers, breakers_of
from decoding.tokens.known_tables import table_of
from decoding.tokens.token_table import TokenTable

__all__ = ["DRYLogitsProcessor"]

LOG_OF_LARGEST = np.float32(88.7228391)  # of what float32 can hold: penalties stay below it
SAME_AS_ONE = np.float32(1.000001)  # a base up to here never reaches it


class DRYLogitsProcessor(LogitsProcessor):
    """Takes `multiplier · base^(n − allowed_length)` from a token that would go on repeating the last n tokens.

    The last n tokens stand earlier in the text, too, followed by this token; of several places the longest repetition
    counts, and it must have at least `allowed_length` tokens. Nothing repeats across a sequence breaker, and a breaker
    that is one token is never penalised itself. It takes time in proportion to the tokens looked at. After
    llama.cpp's `--dry-multiplier`.

    Args:
        dry_multiplier: 0 switches it off.
        dry_base: at least 1.
        dry_allowed_length: repetitions so long, in tokens, cost the multiplier; shorter ones nothing.
        dry_penalty_last_n: how many of the last tokens are looked at; −1 for all, 0 for none.
        dry_sequence_breakers: texts; llama.cpp's four where left out, none where empty.
        tokenizer: turns breakers into tokens.
        table: of the tokens' bytes, where no tokenizer is at hand.
        pad_token_id: tokens with this id at the beginning of a row are padding and no text; None where there is none.

    Raises:
        SettingError: a value is out of range, or breakers were given without a tokenizer.
    """

    def __init__(
        self,
        dry_multiplier: float,
        dry_base: float = 1.75,
        dry_allowed_length: int = 2,
        dry_penalty_last_n: int = -1,
        dry_sequence_breakers: Sequence[str] | None = None,
        *,
        tokenizer: Any = None,
        table: TokenTable | None = None,
        pad_token_id: int | None = None,
    ) -> None:
        self.dry_multiplier = float(KNOBS["dry_multiplier"].checked(dry_multiplier))
        self.dry_base = float(KNOBS["dry_base"].checked(dry_base))
        self.dry_allowed_length = int(KNOBS["dry_allowed_length"].checked(dry_allowed_length))
        self.dry_penalty_last_n = int(KNOBS["dry_penalty_last_n"].checked(dry_penalty_last_n))
        self.pad_token_id = pad_token_id
        self._breakers = _breakers(dry_sequence_breakers, tokenizer, table)
        exponent = LOG_OF_LARGEST / np.log(np.float32(self.dry_base)) if self.dry_base > SAME_AS_ONE else np.inf
        self._largest = None if np.isinf(exponent) else int(exponent)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores [rows, vocab] less the penalties, for the rows so far, `input_ids` [rows, length]."""
        if self.dry_multiplier == 0 or self.dry_penalty_last_n == 0:
            return scores
        out = scores
        for row, ids in enumerate(input_ids.tolist()):
            found = {t: p for t, p in self.penalties(ids).items() if t < scores.shape[-1]}
            if found:
                out = scores.clone() if out is scores else out
                out[row, list(found)] -= torch.tensor(list(found.values()), dtype=out.dtype, device=out.device)
        return out

    def penalties(self, ids: Sequence[int]) -> dict[int, float]:
        """What each token loses after these: a positive number, by token id."""
        context = list(ids)
        start = next((i for i, token in enumerate(context) if token != self.pad_token_id), len(context))
        context = context[start:]
        if self.dry_penalty_last_n > 0:
            context = context[-self.dry_penalty_last_n :]
        longest = _repetitions(context, self._breakers.tokens_since(context))
        return {
            token: self._penalty(n)
            for token, n in longest.items()
            if n >= self.dry_allowed_length and not self._breakers.ends(token)
        }

    def _penalty(self, n: int) -> float:
        """Of a token that goes on a repetition of n tokens, rounded to float32."""
        exponent = n - self.dry_allowed_length
        exponent = exponent if self._largest is None else min(exponent, self._largest)
        with np.errstate(over="ignore"):
            power = np.float64(np.float32(self.dry_base)) ** exponent
            return float(np.float32(np.float32(self.dry_multiplier) * power))


def _breakers(texts: Sequence[str] | None, tokenizer: Any, table: TokenTable | None) -> Breakers:
    if texts is not None and len(texts) == 0:
        return NO_BREAKERS
    found = DEFAULT_BREAKERS if texts is None else KNOBS["dry_sequence_breakers"].checked(texts)
    if tokenizer is None and table is None:
        raise SettingError(
            "dry_sequence_breakers", list(found), "given with a tokenizer",
            "pass tokenizer=, or dry_sequence_breakers=[] for none",
        )
    if tokenizer is None:
        return breakers_of(found, table)  # type: ignore[arg-type]
    known = table_of(tokenizer) if table is None else table
    return breakers_of(found, known, lambda text: tokenizer(text, add_special_tokens=False)["input_ids"])


def _repetitions(context: Sequence[int], limit: int) -> dict[int, int]:
    """By token the most tokens, up to `limit`, that end the context and stand elsewhere in it just before that token.

    In linear time: the Z-algorithm, from the end. What ends k tokens before the end is compared with the end itself,
    and what an earlier comparison has shown equal is not compared again.
    """
    back = context[::-1]
    n, left, right = len(back), 0, 0  # back[left:right] is the beginning of `back`, with the largest `right` so far
    same = [0] * n
    longest: dict[int, int] = {}
    for k in range(1, n):
        length = min(right - k, same[k - left]) if k < right else 0
        while k + length < n and back[length] == back[k + length]:
            length += 1
        if k + length > right:
            left, right = k, k + length
        same[k] = length
        token, length = back[k - 1], min(length, limit)
        if length >= longest.get(token, 0):
            longest[token] = length
    return longest
