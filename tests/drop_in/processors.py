"""Logits processors of every odd kind that `LogitsProcessorList` takes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, TemperatureLogitsWarper

from tests.drop_in.call import MODES, Call, Request
from tests.drop_in.inputs import IDS, model, two_rows

__all__ = ["CALLS"]

ALL = tuple(MODES)
NEVER = -float("inf")


def liked(scores: Tensor) -> Tensor:
    """Every third token made likelier."""
    out = scores.clone()
    out[:, ::3] += 1.5
    return out


class Gives(LogitsProcessor):
    """Returns what a function makes of the scores."""

    def __init__(self, what: Callable[[Tensor], Tensor]) -> None:
        self.what = what

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return self.what(scores)


class OneBuffer(LogitsProcessor):
    """Writes into one tensor at every step and returns it."""

    def __init__(self) -> None:
        self.out: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self.out is None:
            self.out = torch.empty_like(scores)
        return self.out.copy_(liked(scores))


class SeesLater(LogitsProcessor):
    """Keeps what it was given and what it returned, and writes into both at the next step."""

    def __init__(self) -> None:
        self.kept: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        for tensor in self.kept:
            tensor.fill_(7.0)
        self.kept = [scores, liked(scores)]
        return self.kept[1]


class Slotted:
    """No base class, no `__dict__`."""

    __slots__ = ("bias",)

    def __init__(self, bias: float) -> None:
        self.bias = bias

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return liked(scores) + self.bias


class Counts(LogitsProcessor):
    """Another token is banned at each call: it has a state."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.calls += 1
        out = scores.clone()
        out[:, self.calls :: 7] = NEVER
        return out


class Exhausted(LogitsProcessor):
    """Raises StopIteration when its plan is at its end."""

    def __init__(self) -> None:
        self.plan: Iterator[float] = iter([0.5, 0.5])

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return scores + next(self.plan)


class WithKwargs(LogitsProcessor):
    """Takes any keyword, as many criteria do."""

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        return liked(scores)


class WithDefault(LogitsProcessor):
    """Takes a third argument that has a default."""

    def __call__(self, input_ids: Tensor, scores: Tensor, bias: float = 1.0) -> Tensor:
        return liked(scores) + bias


class WithStar:
    """Takes its arguments as they come."""

    def __call__(self, *args: Tensor) -> Tensor:
        return liked(args[1])


class Learned(torch.nn.Module):
    """A module as a processor, with a parameter that requires a gradient."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.linspace(-1, 1, n))

    def forward(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        with torch.enable_grad():
            return scores + self.bias


class Tagged(Tensor):
    """A tensor of the caller's own class."""


class Editor(LogitsProcessor):
    """Writes into the tokens it is shown."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        out = scores.clone()
        out[:, input_ids[:, 0]] -= 1.0
        input_ids[:, 0] = 9
        return out


class ByLength(LogitsProcessor):
    """Returns a view of a table that it keeps for all steps, one row a step."""

    def __init__(self) -> None:
        self.table = torch.randn(64, 320, generator=torch.Generator().manual_seed(3))

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return self.table[input_ids.shape[1]].expand(scores.shape[0], -1)


class RaisesLater(LogitsProcessor):
    """Fails at its third call, with an error of the caller's own."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 3:
            raise KeyError("mine")
        return scores


class OwnList(LogitsProcessorList):
    """A list of the caller's own class, which calls its processors twice."""

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        return super().__call__(input_ids, super().__call__(input_ids, scores, **kwargs), **kwargs)


def biased_function(input_ids: Tensor, scores: Tensor, bias: float = 0.25, **kwargs: Any) -> Tensor:
    """A plain function with more parameters than two."""
    return liked(scores) + bias


def in_place(scores: Tensor) -> Tensor:
    """Writes into its argument and returns it."""
    scores[:, ::3] += 1.5
    return scores


def in_place_but_other(scores: Tensor) -> Tensor:
    """Writes into its argument and returns another tensor."""
    scores[:, ::3] += 1.5
    return scores * 0.5


def in_place_through_a_view(scores: Tensor) -> Tensor:
    """Writes through a view and returns a view."""
    scores.view(-1)[::5] = -4.0
    return scores[:, :]


def shifted_view(scores: Tensor) -> Tensor:
    """A view that begins elsewhere in a larger tensor."""
    room = torch.full((scores.shape[0] + 1, scores.shape[1] + 2), -9.0)
    room[1:, 2:] = liked(scores)
    return room[1:, 2:]


def in_inference_mode(scores: Tensor) -> Tensor:
    """A tensor that was made in inference mode."""
    with torch.inference_mode():
        return liked(scores)


def with_nan_free_infinity(scores: Tensor) -> Tensor:
    """All but five tokens removed, by the lowest finite number."""
    low = torch.finfo(scores.dtype).min
    return scores.masked_fill(scores < scores.topk(5)[0][:, -1:], low)


def processed_by(*processors: Callable[[], Any], rows: Callable[[], dict[str, Any]] = two_rows):
    """A call with processors, made afresh each time."""

    def make(mode: dict[str, Any]) -> Request:
        fresh = [make_one() for make_one in processors]
        return Request(
            model=model(),
            kwargs={**rows(), "eos_token_id": None, "logits_processor": LogitsProcessorList(fresh), **mode},
            verify={"logits_processor": LogitsProcessorList([make_one() for make_one in processors])},
        )

    return make


def with_list(make_list: Callable[[], Any]):
    """A call with a list as the caller made it."""
    return lambda mode: Request(
        model=model(),
        kwargs={"inputs": IDS, "eos_token_id": None, "logits_processor": make_list(), **mode},
        verify={"logits_processor": make_list()},
    )


OWN: dict[str, Callable[[], Any]] = {
    "returns the same tensor": lambda: Gives(lambda s: s),
    "returns another tensor": lambda: Gives(liked),
    "returns an expanded view": lambda: Gives(lambda s: liked(s)[:1].expand(s.shape[0], -1)),
    "returns what is not contiguous": lambda: Gives(lambda s: liked(s).T.contiguous().T),
    "returns every second entry of a larger tensor": lambda: Gives(lambda s: liked(s).repeat_interleave(2, 1)[:, ::2]),
    "returns a view into a larger tensor": lambda: Gives(shifted_view),
    "returns fewer columns": lambda: Gives(lambda s: liked(s)[:, :50]),
    "returns fewer columns, contiguous": lambda: Gives(lambda s: liked(s)[:, :50].contiguous()),
    "returns more columns": lambda: Gives(lambda s: torch.nn.functional.pad(liked(s), (0, 13), value=NEVER)),
    "returns bfloat16": lambda: Gives(lambda s: liked(s).bfloat16()),
    "returns float16": lambda: Gives(lambda s: liked(s).half()),
    "returns float64": lambda: Gives(lambda s: liked(s).double()),
    "returns a tensor of its own class": lambda: Gives(lambda s: liked(s).as_subclass(Tagged)),
    "returns what requires a gradient": lambda: Learned(320),
    "returns a tensor made in inference mode": lambda: Gives(in_inference_mode),
    "returns a row of its own table": ByLength,
    "removes by the lowest finite number": lambda: Gives(with_nan_free_infinity),
    "has __slots__ and no base class": lambda: Slotted(0.5),
    "is a lambda": lambda: lambda input_ids, scores: liked(scores),
    "is a function with more parameters": lambda: biased_function,
    "is a partial": lambda: functools.partial(biased_function, bias=0.75),
    "is a bound method": lambda: Gives(liked).__call__,
    "takes *args": WithStar,
    "has a state": Counts,
}
ALIASING: dict[str, Callable[[], Any]] = {
    "returns one buffer at every step": OneBuffer,
    "returns a view of its argument": lambda: Gives(lambda s: s[:, :]),
    "returns a view of fewer columns of its argument": lambda: Gives(lambda s: s[:, :50]),
    "writes in place and returns the same": lambda: Gives(in_place),
    "writes in place and returns another": lambda: Gives(in_place_but_other),
    "writes in place and returns float64": lambda: Gives(lambda s: in_place(s).double()),
    "writes in place through a view": lambda: Gives(in_place_through_a_view),
    "writes later into what it was given and what it returned": SeesLater,
}
FAILING: dict[str, Callable[[], Any]] = {
    "takes **kwargs": WithKwargs,
    "takes a third argument with a default": WithDefault,
    "raises StopIteration": Exhausted,
    "raises an error of its own": RaisesLater,
    "returns nothing": lambda: Gives(lambda s: None),
    "returns a numpy array": lambda: Gives(lambda s: s.numpy()),
}

CALLS = (
    *(Call(name=f"a processor {what}", make=processed_by(one)) for what, one in OWN.items()),
    *(Call(name=f"a processor {what}", make=processed_by(one), snapshots=True) for what, one in ALIASING.items()),
    *(Call(name=f"a processor {what}", make=processed_by(one), plain_fails=ALL) for what, one in FAILING.items()),
    Call(name="a processor writes into the tokens", make=processed_by(Editor), modes=("greedy", "sample")),
    Call(
        name="two processors in a row, both in place",
        make=processed_by(lambda: Gives(in_place), lambda: Gives(in_place)),
        snapshots=True,
    ),
    Call(
        name="one buffer, then in place",
        make=processed_by(OneBuffer, lambda: Gives(in_place)),
        snapshots=True,
    ),
    Call(
        name="bfloat16, then a processor that keeps it",
        make=processed_by(lambda: Gives(lambda s: s.bfloat16()), lambda: Gives(liked)),
    ),
    Call(name="transformers' own class, given by the caller", make=processed_by(lambda: TemperatureLogitsWarper(1.7))),
    Call(name="processors in a plain list", make=with_list(lambda: [Gives(liked)])),
    Call(name="a LogitsProcessorList of the caller's own class", make=with_list(lambda: OwnList([Gives(liked)]))),
    Call(
        name="a LogitsProcessorList of the caller's own class, in sampling without other processors",
        make=lambda mode: with_list(lambda: OwnList([Gives(liked)]))({**mode, "temperature": 1.0, "top_k": 0}),
        modes=("sample", "beam_sample"),
    ),
)
