"""A stage's operations as rows to draw: the tokens followed, and for each operation what stands at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .numbers import entry, entry_in_full
from .token_text import token_text

if TYPE_CHECKING:
    from decoding.microscope import Account, Op, TensorAt
    from decoding.trace import Trace

__all__ = ["CellView", "ColumnView", "LineView", "OpView", "columns", "op_view", "shape_text"]

TOKEN_ENTRIES = ("beam_text", "rank_text")  # tensors of token ids whose tokens say more than their numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnView:
    """A token followed; in a beam step a candidate.

    Attributes:
        text: the token's.
        chosen: it is the one in view.
        fate: as in `Followed`.
        beam: the beam that a candidate continues, from 0, or None.
    """

    text: str
    chosen: bool
    fate: str
    beam: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """What stands at a token.

    Attributes:
        text, full: rounded, and with all digits; both "" where the token has no place in the tensor.
        state: `changed` if the operation edited it, `gone` if it set it to −∞, `true` for a mark that is set, or "".
    """

    text: str
    full: str
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """A line of an operation's table.

    Attributes:
        role: `place`, where the tokens stand in the tensors that follow; `in`; or `out`.
        label: the tensor's name; for places, the space as in `TensorAt.space`.
        shape: of the tensor, e.g. `[1, 49152] float32`; "" for places.
        cells: one per token, or a single one for a single number.
    """

    role: str
    label: str
    shape: str
    cells: tuple[CellView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpView:
    """An operation.

    Attributes:
        name, call, note: as in `Op`.
        also: names of further functions.
        facts: the numbers of the note, as text.
        takes, gives: shapes and dtypes of the tensors, each kind once.
    """

    name: str
    call: str
    note: str
    also: tuple[str, ...]
    facts: dict[str, str]
    takes: str
    gives: str
    lines: tuple[LineView, ...]


def columns(trace: Trace, account: Account) -> tuple[ColumnView, ...]:
    """The tokens that an account follows."""
    return tuple(
        ColumnView(text=token_text(trace, t.token_id), chosen=t.chosen, fate=t.fate, beam=t.beam)
        for t in account.tokens
    )


def op_view(trace: Trace, op: Op) -> OpView:
    """An operation as lines; where the tensors count something else than those before them, a line says what."""
    lines, space = [], ""
    for role, tensor in [*(("in", t) for t in op.inputs), *(("out", t) for t in op.outputs)]:
        if tensor.space not in (space, "one"):
            space = tensor.space
            places = tuple(_place(place) for place in tensor.places)
            lines.append(LineView(role="place", label=space, shape="", cells=places))
        cells = tuple(_cell(trace, tensor, i) for i in range(len(tensor.values)))
        lines.append(LineView(role=role, label=tensor.name, shape=shape_text(tensor), cells=cells))
    return OpView(
        name=op.name, call=op.call, note=op.note, also=op.also, lines=tuple(lines),
        facts={name: _fact(trace, name, value) for name, value in op.facts.items()},
        takes=_shapes(op.inputs), gives=_shapes(op.outputs),
    )  # fmt: skip


def shape_text(tensor: TensorAt) -> str:
    """`[1, 49152] float32`; for a Python number its type alone."""
    return f"{list(tensor.shape)} {tensor.dtype}" if tensor.shape else tensor.dtype


def _shapes(tensors: tuple[TensorAt, ...]) -> str:
    return ", ".join(dict.fromkeys(shape_text(tensor) for tensor in tensors if tensor.shape))


def _place(place: int | tuple[int, ...] | None) -> CellView:
    if place is None:
        return CellView(text="", full="")
    text = ", ".join(str(i) for i in place) if isinstance(place, tuple) else str(place)
    return CellView(text=text, full=text)


def _cell(trace: Trace, tensor: TensorAt, i: int) -> CellView:
    value = tensor.values[i]
    if tensor.space in TOKEN_ENTRIES and isinstance(value, int):
        text = token_text(trace, value)
        return CellView(text=text, full=text)
    state = ""
    if tensor.changed and tensor.changed[i]:
        state = "gone" if value == float("-inf") else "changed"
    elif value is True:
        state = "true"
    return CellView(text=entry(value), full=entry_in_full(value, tensor.dtype), state=state)


def _fact(trace: Trace, name: str, value: float | int | str) -> str:
    if name.endswith("_token"):
        return token_text(trace, int(value))
    return f"{value:,}" if isinstance(value, int) else entry(value)
