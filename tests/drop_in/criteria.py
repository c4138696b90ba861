"""Stopping criteria of every return kind, transformers' own among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation import (
    ConfidenceCriteria,
    EosTokenCriteria,
    MaxLengthCriteria,
    MaxTimeCriteria,
    StopStringCriteria,
)

from tests.drop_in.call import BEAMS, MODES, Call, Request
from tests.drop_in.inputs import IDS, TOKENIZER, model, two_rows

__all__ = ["CALLS"]

LONG = IDS.shape[1] + 4  # the run ends after four of its six tokens


class Ends(StoppingCriteria):
    """Says at a length that all is over, in a form of its own."""

    def __init__(self, form: Callable[[bool, int], Any]) -> None:
        self.form = form

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> Any:
        return self.form(input_ids.shape[1] >= LONG, input_ids.shape[0])


class EndsRows(StoppingCriteria):
    """Ends each row by itself: those whose last token is even, in a dtype of its own."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return (input_ids[:, -1] % 2 == 0).to(self.dtype)


class Slotted:
    """A criterion without a base class and without `__dict__`."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> bool:
        return input_ids.shape[1] >= self.length


class Finishes(StoppingCriteria):
    """Raises StopIteration when its own source is exhausted."""

    def __init__(self) -> None:
        self.source = iter([False, False])

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> bool:
        return next(self.source)


class OwnList(StoppingCriteriaList):
    """A list of the caller's own class."""


class ReadsScores(StoppingCriteria):
    """Ends when the likeliest token of the last step is likely enough."""

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> bool:
        return len(scores) > 2 and bool(scores[-1].softmax(-1).max() > 0)


def ended_by(*criteria: Callable[[], Any], rows: Callable[[], dict[str, Any]] = lambda: {"inputs": IDS}, **more: Any):
    """A call with criteria, made afresh each time."""

    def make(mode: dict[str, Any]) -> Request:
        fresh = StoppingCriteriaList([make_one() for make_one in criteria])
        return Request(
            model=model(),
            kwargs={**rows(), "eos_token_id": None, "stopping_criteria": fresh, **mode, **more},
            verify={"stopping_criteria": fresh},
        )

    return make


FORMS: dict[str, Callable[[bool, int], Any]] = {
    "a Python bool": lambda done, n: done,
    "a bool tensor of no dimension": lambda done, n: torch.tensor(done),
    "a bool tensor of shape (1,)": lambda done, n: torch.tensor([done]),
    "a bool tensor, one entry a row": lambda done, n: torch.full((n,), done),
    "a uint8 tensor of no dimension": lambda done, n: torch.tensor(done, dtype=torch.uint8),
    "a uint8 tensor of shape (1,)": lambda done, n: torch.tensor([done], dtype=torch.uint8),
    "a uint8 tensor, one entry a row": lambda done, n: torch.full((n,), done, dtype=torch.uint8),
    "an expanded view": lambda done, n: torch.tensor([done]).expand(n),
}
INTEGERS: dict[str, Callable[[bool, int], Any]] = {  # generate() takes them but for beams
    "an int64 tensor, one entry a row": lambda done, n: torch.full((n,), int(done)),
    "an int32 tensor of shape (1,)": lambda done, n: torch.tensor([done], dtype=torch.int32),
    "an int": lambda done, n: int(done),
}
REFUSED_FORMS: dict[str, Callable[[bool, int], Any]] = {
    "nothing": lambda done, n: None,
    "a numpy bool": lambda done, n: np.bool_(done),
    "a float tensor": lambda done, n: torch.full((n,), float(done)),
    "more entries than rows": lambda done, n: torch.full((n + 1,), done),
    "a list": lambda done, n: [done] * n,
}
ALL = tuple(MODES)

CALLS = (
    *(Call(name=f"a criterion returns {form}", make=ended_by(lambda w=what: Ends(w))) for form, what in FORMS.items()),
    *(
        Call(name=f"a criterion returns {form}", make=ended_by(lambda w=what: Ends(w)), plain_fails=BEAMS)
        for form, what in INTEGERS.items()
    ),
    *(
        Call(name=f"a criterion returns {form}", make=ended_by(lambda w=what: Ends(w), rows=two_rows), plain_fails=ALL)
        for form, what in REFUSED_FORMS.items()
    ),
    *(
        Call(
            name=f"a criterion ends rows by themselves, in {str(dtype).removeprefix('torch.')}",
            make=ended_by(lambda d=dtype: EndsRows(d), rows=two_rows),
            plain_fails=BEAMS if dtype == torch.int64 else (),
        )
        for dtype in (torch.bool, torch.uint8, torch.int64)
    ),
    Call(
        name="criteria of several kinds together",
        make=ended_by(
            lambda: Ends(FORMS["a Python bool"]), lambda: EndsRows(torch.bool), lambda: MaxLengthCriteria(LONG + 1)
        ),
    ),
    Call(name="a criterion with __slots__ and no base class", make=ended_by(lambda: Slotted(LONG))),
    Call(name="a criterion that is a lambda", make=ended_by(lambda: lambda ids, scores: ids.shape[1] >= LONG)),
    Call(name="a criterion reads the scores", make=ended_by(ReadsScores)),
    Call(name="a criterion raises StopIteration", make=ended_by(Finishes), plain_fails=ALL),
    Call(name="transformers' ConfidenceCriteria", make=ended_by(lambda: ConfidenceCriteria(0.9))),
    Call(name="transformers' ConfidenceCriteria, never met", make=ended_by(lambda: ConfidenceCriteria(0.0))),
    Call(name="transformers' MaxLengthCriteria", make=ended_by(lambda: MaxLengthCriteria(LONG))),
    Call(name="transformers' MaxTimeCriteria, met at once", make=ended_by(lambda: MaxTimeCriteria(-1.0))),
    Call(
        name="transformers' EosTokenCriteria",
        make=ended_by(lambda: EosTokenCriteria(list(range(0, 320, 5))), rows=two_rows),
    ),
    Call(
        name="transformers' StopStringCriteria",
        make=ended_by(lambda: StopStringCriteria(TOKENIZER, ["e", "a", "t"]), rows=two_rows),
    ),
    Call(
        name="a StoppingCriteriaList of the caller's own class",
        make=lambda mode: Request(
            model=model(),
            kwargs={
                "inputs": IDS,
                "eos_token_id": None,
                "stopping_criteria": OwnList([Ends(FORMS["a Python bool"])]),
                **mode,
            },
            verify={"stopping_criteria": [Ends(FORMS["a Python bool"])]},
        ),
    ),
    Call(
        name="criteria in a plain list",
        make=lambda mode: Request(
            model=model(),
            kwargs={"inputs": IDS, "stopping_criteria": [Ends(FORMS["a Python bool"])], **mode},
            verify={"stopping_criteria": [Ends(FORMS["a Python bool"])]},
        ),
    ),
)
