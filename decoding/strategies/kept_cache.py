"""What a model remembers at the end of a run, so that a fork need not compute the prefix again."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from transformers.cache_utils import DynamicCache

__all__ = ["KeptCache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCache:
    """What a run's model remembers at its end; lets a fork start without computing the prefix again.

    Attributes:
        cache: the model's key–value cache; never written to by a fork.
        ids: the tokens that it holds, int64 [rows, length].
    """

    cache: DynamicCache
    ids: Tensor
