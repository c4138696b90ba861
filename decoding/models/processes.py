"""The processes that share a model (`load_model(tp_plan=…)`): each makes the same calls, that of rank 0 records."""

from __future__ import annotations

from typing import Any, TypeVar

__all__ = ["rank_of", "told_by_rank_0"]

T = TypeVar("T")


def rank_of(model: Any) -> int:
    """The rank of this process among those that share the model, from 0; 0 where it has the model to itself."""
    if (getattr(model, "tp_size", None) or 1) == 1:
        return 0
    import torch

    return torch.distributed.get_rank()


def told_by_rank_0(model: Any, value: T) -> T:
    """The value that the process of rank 0 has, in all that share the model; all of them must call this.

    Args:
        model: what is not shared asks nobody.
        value: that counts in rank 0; it must be picklable.
    """
    if (getattr(model, "tp_size", None) or 1) == 1:
        return value
    import torch

    told = [value]
    torch.distributed.broadcast_object_list(told, src=0)
    return told[0]
