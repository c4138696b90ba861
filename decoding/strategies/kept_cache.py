"""What a model remembers at the end of a run, so that a fork need not compute the prefix again."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from transformers.cache_utils import DynamicCache

__all__ = ["KeptCache"]


@dataclass(slots=True, kw_only=True, eq=False, weakref_slot=True)
class KeptCache:
    """What a run's model remembers at its end; lets a fork start without computing the prefix again.

    Attributes:
        cache: the model's key–value cache; never written to by a fork. None once it was forgotten.
        ids: the tokens that it holds, int64 [rows, length].
    """

    cache: DynamicCache | None
    ids: Tensor

    @property
    def nbytes(self) -> int:
        """Bytes of the cache."""
        # A layer that has read nothing holds nothing, and not every kind of layer has both.
        layers = getattr(self.cache, "layers", ())
        held = (getattr(layer, name, None) for layer in layers for name in ("keys", "values"))
        return sum(t.numel() * t.element_size() for t in held if t is not None)

    def forget(self) -> None:
        """Makes room: a fork computes the prefix again from now on."""
        self.cache = None
