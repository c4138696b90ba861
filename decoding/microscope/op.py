"""`Op`: one tensor operation with the numbers that went through it; `Account`: a stage as a row of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Account", "Fate", "Followed", "Op", "Place", "TensorAt", "doc_url"]

DOCS = "https://docs.pytorch.org/docs/stable/"
ELSEWHERE = {
    "torch.distributions.Categorical": "distributions.html#torch.distributions.categorical.Categorical",
    "torch.Tensor[:]": "tensor_view.html",
}

Place = int | tuple[int, ...]
"""An index into a tensor's last dimension, or into its last few."""

Fate = Literal["kept", "removed", "gone", "pruned", "ended"]
"""Of a token in a stage: still possible after it; removed by it; removed by an earlier one. Of a candidate in a beam
step: kept; pruned; ended, as a hypothesis or too late to be one."""


def doc_url(name: str) -> str:
    """The page of a function in torch's documentation; "" for what is not torch's."""
    if not name.startswith("torch."):
        return ""
    return DOCS + ELSEWHERE.get(name, f"generated/{name}.html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A token whose way through the operations is shown; in a beam step, a candidate.

    Attributes:
        token_id: the token.
        chosen: it is the one in view.
        fate: what became of it.
        beam: the beam that the candidate continues, from 0; None outside beam steps.
        rank: the candidate's, as in `Candidate`; None outside beam steps.
    """

    token_id: int
    chosen: bool
    fate: Fate
    beam: int | None = None
    rank: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorAt:
    """A tensor, and what it holds for each token followed.

    Attributes:
        name: as the source calls it, or the expression that makes it.
        shape, dtype: of the whole tensor, e.g. `(1, 49152)` and `float32`; `()` and `float` for a Python number.
        space: what the last dimension counts: `vocab` (token ids), `sorted`, `prefix` (positions in the text), `top`
            (the best few), `beam`, `beam_vocab`, `flat` (beam · vocab + token), `rank`, `next` (rows of the next
            step), `beam_text` and `rank_text` (each with a position in the text); or `one` for a single number.
        places: where each token stands in it; None for one that it has no place for.
        values: what stands there; for `one`, the number alone.
        changed: per value, whether the operation edited it: it differs from the first input's; empty where the
            operation makes something new.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    space: str
    places: tuple[Place | None, ...]
    values: tuple[float | int | bool | None, ...]
    changed: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation.

    Attributes:
        name: the function as torch calls it, e.g. `torch.topk`; or that of a class that was not taken apart.
        call: the line or expression, in the names of the source.
        inputs, outputs: the tensors it took and gave.
        doc_url: the function's page; "" for what is not torch's.
        note: a key for the words that say what it does here.
        facts: the numbers in those words; one whose name ends in `_token` is a token id.
        also: further functions in the same line.
    """

    name: str
    call: str
    inputs: tuple[TensorAt, ...]
    outputs: tuple[TensorAt, ...]
    doc_url: str
    note: str
    facts: dict[str, float | int | str] = field(default_factory=dict)
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A stage, operation by operation, executed on the scores that went into it.

    Attributes:
        kind: `stage`, or for a choice `greedy`, `draw`, `contrastive` or `beam`.
        source: the method, e.g. `TopPLogitsWarper.__call__`.
        file: where it is written.
        tokens: those followed, in the order in which all operations show them.
        ops: in the source's order.
        agrees: the last result equals what was recorded, bit for bit; None where there is nothing to compare: the
            stage was not taken apart, or the choice was a draw.
        n_differing: entries that differ.
        greatest_difference: the largest of their differences; inf where one is infinite.
        n_compared: entries that were compared.
        n_candidates: of a choice among candidates, how many there are; else 0.
        result: the token that greedy decoding arrives at, alone in a tuple; empty for all else.
        taken_apart: False for a stage that is shown as one step: what changed, from what to what.
    """

    kind: str = "stage"
    source: str
    file: str
    tokens: tuple[Followed, ...]
    ops: tuple[Op, ...]
    agrees: bool | None = None
    n_differing: int = 0
    greatest_difference: float = 0.0
    n_compared: int = 0
    n_candidates: int = 0
    result: tuple[int, ...] = ()
    taken_apart: bool = True
