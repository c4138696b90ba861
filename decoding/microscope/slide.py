"""`Slide`: where a stage notes its operations while it runs; afterwards the numbers of a few tokens are read off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from decoding.microscope.op import Account, Followed, Op, Place, TensorAt, doc_url

__all__ = ["ONE", "VOCAB", "Noted", "Seen", "Slide", "Space", "bits", "listed"]

INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Space:
    """What a tensor's last dimension counts, and where in it a token stands.

    Args:
        name: as in `TensorAt.space`.
        find: from what is followed (token ids; in a beam step ranks) to the places; None where there is none.
    """

    def __init__(self, name: str, find: Callable[[Sequence[int]], Sequence[Place | None]]) -> None:
        self.name, self._find = name, find
        self._found: tuple[tuple[int, ...], tuple[Place | None, ...]] | None = None

    def __call__(self, name: str, tensor: Tensor | float | int) -> Seen:
        """A tensor of this space, under the name that the source has for it."""
        return Seen(name, tensor, self)

    def places(self, followed: Sequence[int]) -> tuple[Place | None, ...]:
        """Where each stands."""
        if self._found is None or self._found[0] != tuple(followed):
            self._found = tuple(followed), tuple(self._find(followed))
        return self._found[1]


@dataclass(frozen=True, slots=True)
class Seen:
    """A tensor, or a Python number, as an operation took or gave it."""

    name: str
    tensor: Tensor | float | int
    space: Space

    def at(self, followed: Sequence[int], original: Tensor | float | int | None = None) -> TensorAt:
        """Its entries at what is followed; `original` is what they are compared with, if they are an edit."""
        if not isinstance(self.tensor, Tensor):
            kind = type(self.tensor).__name__
            return TensorAt(name=self.name, shape=(), dtype=kind, space=ONE.name, places=(None,), values=(self.tensor,))
        places: Sequence[Place | None] = (None,) if self.space is ONE else self.space.places(followed)
        fits = [place if _within(place, self.tensor) else None for place in places]
        if self.space is ONE:
            values: tuple[float | int | bool | None, ...] = (self.tensor.flatten()[0].item(),)
        else:
            values = tuple(_entry(self.tensor, place) for place in fits)
        changed: tuple[bool, ...] = ()
        if isinstance(original, Tensor):
            changed = tuple(_differs(self.tensor, original, place) for place in fits)
        return TensorAt(
            name=self.name, shape=tuple(self.tensor.shape), dtype=str(self.tensor.dtype).removeprefix("torch."),
            space=self.space.name, places=tuple(fits), values=values, changed=changed,
        )  # fmt: skip


VOCAB = Space("vocab", list)
ONE = Space("one", lambda followed: [None])


def listed(name: str, token_ids: Tensor) -> Space:
    """The space in which place i is token `token_ids[i]`; of a token that is listed twice, the first place."""

    def find(followed: Sequence[int]) -> list[Place | None]:
        hits = token_ids[None, :] == torch.tensor(list(followed), dtype=torch.long)[:, None]  # [followed, places]
        first = hits.to(torch.uint8).argmax(-1).tolist() if token_ids.numel() else [0] * len(followed)
        return [place if found else None for place, found in zip(first, hits.any(-1).tolist(), strict=True)]

    return Space(name, find)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """An operation that was executed, with its whole tensors; see `Op`. `edits`: it edits its first input."""

    name: str
    call: str
    ins: tuple[Seen, ...]
    outs: tuple[Seen, ...]
    note: str
    facts: dict[str, float | int | str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    edits: bool = False


class Slide:
    """The operations of one stage, in the order in which they ran.

    Attributes:
        noted: the operations.
        order: the space by whose places the tokens are laid out, or None: the likeliest first.
        goodness: float [vocab], what the stage ranks tokens by, the best highest; None for the scores themselves.
        wanted: tokens that ought to be followed because this stage singles them out.
    """

    def __init__(self) -> None:
        self.noted: list[Noted] = []
        self.order: Space | None = None
        self.goodness: Tensor | None = None
        self.wanted: tuple[int, ...] = ()

    def op(
        self, name: str, call: str, ins: Sequence[Seen], outs: Sequence[Seen], note: str, *,
        also: Sequence[str] = (), edits: bool = False, **facts: float | int | str,
    ) -> None:  # fmt: skip
        """Notes an operation that has just been executed."""
        self.noted.append(
            Noted(
                name=name, call=call, ins=tuple(ins), outs=tuple(outs), note=note, facts=facts, also=tuple(also),
                edits=edits,
            )
        )  # fmt: skip

    def ops(self, followed: Sequence[int]) -> tuple[Op, ...]:
        """The operations with the numbers of what is followed: token ids, or ranks in a beam step."""
        return tuple(_op(noted, followed) for noted in self.noted)

    def account(self, source: str, file: str, tokens: Sequence[Followed], **verdict: Any) -> Account:
        """The account of a stage that follows tokens."""
        ids = [token.token_id for token in tokens]
        return Account(source=source, file=file, tokens=tuple(tokens), ops=self.ops(ids), **verdict)


def bits(tensor: Tensor) -> Tensor:
    """The same memory as integers, which tell -0.0 from 0.0 and NaN from NaN."""
    return tensor.contiguous().view(INTEGERS[tensor.element_size()])


def _op(noted: Noted, followed: Sequence[int]) -> Op:
    original = noted.ins[0].tensor if noted.edits else None
    return Op(
        name=noted.name,
        call=noted.call,
        inputs=tuple(seen.at(followed) for seen in noted.ins),
        outputs=tuple(seen.at(followed, original) for seen in noted.outs),
        doc_url=doc_url(noted.name),
        note=noted.note,
        facts=noted.facts,
        also=noted.also,
    )


def _within(place: Place | None, tensor: Tensor) -> bool:
    if place is None:
        return False
    index = place if isinstance(place, tuple) else (place,)
    return all(0 <= i < size for i, size in zip(reversed(index), reversed(tensor.shape), strict=False))


def _entry(tensor: Tensor, place: Place | None) -> float | int | bool | None:
    """What stands at the place, counted in the last dimensions; those before it have one entry."""
    if place is None:
        return None
    index = place if isinstance(place, tuple) else (place,)
    return tensor[(0,) * (tensor.ndim - len(index)) + index].item()


def _differs(tensor: Tensor, original: Tensor, place: Place | None) -> bool:
    a, b = _entry(tensor, place), _entry(original, place)
    return a != b and not (a != a and b != b)
