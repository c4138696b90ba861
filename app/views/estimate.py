"""What the next run of a model will take, as far as its last runs tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runs import Run

__all__ = ["Known", "known_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a model before it runs.

    Attributes:
        vocab: scores of each row at each step.
        bytes_per_score: that a recording took, stages and all; of a model without a run, what raw logits take.
        seconds_per_row: of each row at each step, in the last run recorded here; None where there was none.
    """

    vocab: int
    bytes_per_score: float
    seconds_per_row: float | None


def known_of(runs: Iterable[Run], model_name: str, vocab: int | None = None, bytes_each: int = 4) -> Known | None:
    """What the newest runs of a model tell; None where its vocabulary is not known.

    Args:
        vocab, bytes_each: of a model that is loaded.
    """
    mine = [run for run in runs if run.model_name == model_name and run.trace.steps]
    # Nor does one whose scores made room tell what they took.
    scored = (run.trace for run in reversed(mine) if not getattr(run.trace.store, "gone", False))
    whole = next((trace for trace in scored if trace.compact is None), None)
    # A run of another machine tells nothing of this one's pace, and a fork begins with what was computed before.
    own = next((run.trace for run in reversed(mine) if not run.origin and run.trace.prefill != "reused"), None)
    if vocab is None and not mine:
        return None
    vocab = mine[-1].trace.model.vocab_size if vocab is None else vocab
    return Known(
        vocab=vocab,
        bytes_per_score=bytes_each if whole is None else whole.nbytes / (len(whole.steps) * whole.n_rows * vocab),
        seconds_per_row=None if own is None else own.seconds / (len(own.steps) * own.n_rows),
    )
