"""The order in which samplers act, here and elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from decoding.parameters.knobs import KNOBS
from decoding.words import Words, words

__all__ = ["OURS", "turned", "two_orders"]

# Orders of these two come to the same: neither changes which tokens the other removes.
ALIKE = ({"temperature", "top_k"}, {"top_k", "min_p"})
OURS = tuple(name for name, knob in KNOBS.items() if knob.group == "sampling" and knob.becomes)
"""The knobs as transformers runs what they become, which is the order of the table."""


def turned(there: Sequence[str], ours: Sequence[str]) -> bool:
    """Whether two samplers act in the other order there, and that changes what they leave.

    Args:
        there, ours: the same knobs, in either order.
    """
    return any(
        {first, second} not in ALIKE and ours.index(first) > ours.index(second)
        for at, first in enumerate(there)
        for second in there[at + 1 :]
    )


def two_orders(there: Sequence[str], ours: Sequence[str]) -> tuple[str, Words]:
    """Their order as a value, and what is told of the two."""
    ways = {"there": " → ".join(there), "ours": " → ".join(ours)}
    why = "they act in the order {there} there, and in the order {ours} here: other tokens can be left"
    return ways["there"], words(why, **ways)
