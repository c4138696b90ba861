"""The beams at a glance: at every step the continuations that were kept or came to an end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .beam_tree import BeamTree
from .token_text import candidate_text

if TYPE_CHECKING:
    from decoding.recorded.ledger import Candidate
    from decoding.trace import Trace
    from decoding.whatif.whatif import WhatIf

__all__ = ["BeamColumn", "beam_map"]

SHOWN = ("kept", "finished")


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamColumn:
    """A step: what it kept, the best first.

    Attributes:
        step: from 0.
        ranks, token_ids, texts: the candidates, as the step ranked them.
        rows: of each, the row of scores that it was chosen from.
        probabilities: of each one's token; None where the settings tried do not tell.
        sums: of each, the log-probability of the whole path, in nats.
        ended: of each, whether it came to an end.
        best: which of them lies on the best hypothesis' path; −1 where that has ended.
    """

    step: int
    ranks: tuple[int, ...]
    token_ids: tuple[int, ...]
    texts: tuple[str, ...]
    rows: tuple[int, ...]
    probabilities: tuple[float | None, ...]
    sums: tuple[float, ...]
    ended: tuple[bool, ...]
    best: int


def beam_map(trace: Trace, tree: BeamTree, whatif: WhatIf | None) -> tuple[BeamColumn, ...]:
    """A column for each step of a prompt's search.

    Args:
        tree: the prompt's.
        whatif: the settings that are being tried: the tokens' probabilities are then theirs.
    """
    path = _best_path(trace, tree)
    return tuple(_column(trace, tree.prompt, step, path.get(step), whatif) for step in range(tree.n_steps))


def _column(trace: Trace, prompt: int, step: int, best: int | None, whatif: WhatIf | None) -> BeamColumn:
    shown = [c for c in trace.ledger.candidates(step, prompt) if c.fate in SHOWN or c.rank == best]
    shown.sort(key=lambda candidate: candidate.rank)
    ranks = tuple(candidate.rank for candidate in shown)
    return BeamColumn(
        step=step,
        ranks=ranks,
        token_ids=tuple(candidate.token_id for candidate in shown),
        texts=tuple(candidate_text(trace, step, candidate) for candidate in shown),
        rows=tuple(candidate.parent for candidate in shown),
        probabilities=tuple(_probability(candidate, step, whatif) for candidate in shown),
        sums=tuple(candidate.score for candidate in shown),
        ended=tuple(candidate.fate != "kept" for candidate in shown),
        best=ranks.index(best) if best in ranks else -1,
    )


def _probability(candidate: Candidate, step: int, whatif: WhatIf | None) -> float | None:
    if whatif is None:
        return math.exp(candidate.logprob) if candidate.logprob > -math.inf else 0.0
    return None if candidate.row is None else whatif.chosen_probability[step][candidate.row]


def _best_path(trace: Trace, tree: BeamTree) -> dict[int, int]:
    """By step the rank of the candidate that the best hypothesis came from."""
    best = next((h for h in trace.hypotheses if h.prompt == tree.prompt), None)
    path: dict[int, int] = {}
    node = None if best is None else tree.node(best.step, best.rank)
    while node is not None:
        path[node.step] = node.rank
        node = tree.nodes[node.parent] if node.parent >= 0 else None
    return path
