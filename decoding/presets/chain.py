"""The order in which samplers act, here and elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from decoding.parameters.knobs import KNOBS
from decoding.words import Words, words

__all__ = ["our_order", "turned", "two_orders"]

# Orders of these two come to the same: neither changes which tokens the other removes.
ALIKE = ({"temperature", "top_k"}, {"top_k", "min_p"})
FIRST = ("repetition_penalty", "dry_multiplier", "top_n_sigma")
# As transformers runs them, which is the order of the table.
TRANSFORMERS = tuple(name for name, knob in KNOBS.items() if knob.group == "sampling" and knob.becomes)
# With one of these all act as llama.cpp has them, the temperature after what it truncates, and its own samplers last.
LATE = ("xtc_probability", "dynatemp_range", "mirostat_tau", "adaptive_target")
LLAMA_CPP = (
    "top_k", "typical_p", "top_p", "min_p", "top_h", "epsilon_cutoff", "eta_cutoff", "xtc_probability", "temperature",
    "dynatemp_range", "mirostat_tau", "adaptive_target",
)  # fmt: skip


def our_order(acting: Collection[str]) -> list[str]:
    """The knobs that act, in the order in which what they become acts here; penalties that cut nothing come first."""
    known = (*FIRST, *(LLAMA_CPP if any(name in LATE for name in acting) else TRANSFORMERS))
    return [name for name in acting if name not in known] + [name for name in known if name in acting]


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
