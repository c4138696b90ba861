"""The candidate: one token at the step in view, whatever became of it, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .waterfall import StageColumn, TokenLine, waterfall_view

if TYPE_CHECKING:
    from torch import Tensor

    from decoding.tokens.word_starts import WordStart
    from decoding.trace import Trace
    from decoding.whatif.whatif import WhatIf

__all__ = ["CandidateView", "Card", "candidate_view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a visitor asked about.

    Attributes:
        token_id: the token whose card is open; None where a word was typed that no token begins.
        word: that was typed, or "" where the token was chosen.
        starts: the tokens that the word may begin with.
    """

    token_id: int | None
    word: str = ""
    starts: tuple[WordStart, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the token is all that was asked for."""
        return not self.word or any(s.whole for s in self.starts if s.token_id == self.token_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateView:
    """A token at a step of a row.

    Attributes:
        step: of the run, from 0.
        n_vocab: tokens that the model knows.
        token: its way through the stages.
        columns: the stages, the model's own logits first.
        ranks: 1 for the likeliest, before the first stage and after each; None once it was removed.
        came: the row went on with it.
        exact: its scores are the run's own; else those of a compact trace, which knows them nearly.
    """

    step: int
    n_vocab: int
    token: TokenLine
    columns: tuple[StageColumn, ...]
    ranks: tuple[int | None, ...]
    came: bool
    exact: bool


def candidate_view(
    trace: Trace, token_id: int, *, step: int, row: int = 0, scores: list[Tensor], whatif: WhatIf | None = None
) -> CandidateView:
    """A token at a step.

    Args:
        scores: the row's before the first stage and after each, n_stages + 1 of [vocab].
        whatif: other settings, which the scores are of.
    """
    view = waterfall_view(trace, step=step, row=row, token_id=token_id, n_tokens=1, scores=scores, whatif=whatif)
    token, recorded = view.tokens[0], trace.steps[step]
    gone = len(scores) if token.removed_at is None else token.removed_at
    ranks = [int((s > s[token_id]).sum()) + 1 if i < gone else None for i, s in enumerate(scores)]
    return CandidateView(
        step=step, n_vocab=view.n_vocab, token=token, columns=view.columns, ranks=tuple(ranks),
        came=not recorded.ended[row] and recorded.token_ids[row] == token_id and not recorded.parents,
        exact=recorded.exact or token_id in recorded.exact_ids(row).tolist(),
    )  # fmt: skip
