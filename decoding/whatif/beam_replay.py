"""The pool of a recorded beam search once more, under another length penalty or rule for stopping.

The beams that run on do not depend on either: only who gets into the pool does, and when the search ends. So the
recorded candidates decide the new answer exactly, unless the new rules would have searched on after the
recorded end: as a whole, or of one prompt whose rows left the batch when its search was over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from decoding.recorded.ledger import ABSENT, FATES, NEVER, Hypothesis, Ledger
from decoding.recorded.run import RecordedRun

__all__ = ["Replay", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The answer under other rules.

    Attributes:
        hypotheses: what would have been returned, prompt by prompt, best first.
        n_steps: after how many steps the search would have ended.
        decided: False where it would have gone on after the recorded end: the answer is then the best of what
            was found until there, and only a new run can tell the rest.
    """

    hypotheses: tuple[Hypothesis, ...]
    n_steps: int
    decided: bool


def replay(
    trace: RecordedRun, length_penalty: float, early_stopping: bool | str, n_returned: int, max_length: int
) -> Replay:
    """Pools and answer of a recorded beam search under these rules.

    Args:
        trace: recorded with beams in one group.
        length_penalty, early_stopping: see `KNOBS`.
        n_returned: sequences per prompt.
        max_length: as `generate` prepared it, prompt included.
    """
    ledger, start = cast(Ledger, trace.ledger), trace.prompt_ids.shape[1]
    n_prompts, n_beams = ledger.n_prompts, ledger.n_beams
    score = torch.full((n_prompts, n_beams), NEVER, dtype=torch.float32)  # [P, B]
    origin = torch.full((n_prompts, n_beams, 2), -1)  # (step, rank) of each place
    done = torch.zeros((n_prompts, n_beams), dtype=torch.bool)
    improvable = torch.ones((n_prompts, 1), dtype=torch.bool)
    decided, n_steps = False, len(ledger)
    for t, arrays in enumerate(ledger.steps):
        length = t + 1
        absent = arrays["fate"] == ABSENT  # [P, K]; all of a prompt that left
        left = absent.all(-1, keepdim=True)  # [P, 1]
        ended = (arrays["fate"] >= FATES.index("finished")) & ~absent  # [P, K]
        among_top = torch.arange(ended.shape[1]) < n_beams
        finished = ended & among_top
        competing = arrays["score"] / (length**length_penalty)
        competing = competing + (done.all(-1, keepdim=True) & (early_stopping is True)).float() * NEVER
        competing = competing + (~improvable).float() * NEVER
        competing = competing + (~finished) * NEVER
        here = torch.stack([torch.full(ended.shape, t), torch.arange(ended.shape[1]).expand(ended.shape)], -1)
        best = torch.topk(torch.cat([score, competing], 1), k=n_beams)[1]
        score = torch.cat([score, competing], 1).gather(1, best)
        done = torch.cat([done, finished], 1).gather(1, best)
        origin = torch.cat([origin, here], 1).gather(1, best[..., None].expand(-1, -1, 2))
        running = _best_running(arrays, ended)  # [P, 1]
        furthest = max_length - start if early_stopping == "never" and length_penalty > 0.0 else length
        worst = torch.where(done, score.min(1, keepdim=True)[0], NEVER)
        could = torch.any(running / (furthest**length_penalty) > worst, -1, keepdim=True)
        improvable = improvable & (could | left)  # what a prompt that left would have found is not known
        every = (ended | absent).all() & (~left.any() | (t == len(ledger) - 1))  # who left had not ended before the end
        if not (improvable.any() & ~(done.all() & (early_stopping is True)) & ~every):
            searching = improvable & ~(done.all(-1, keepdim=True) & (early_stopping is True))
            decided, n_steps = not bool((left & searching).any()), length
            break
    return Replay(hypotheses=_returned(trace, score, origin, done, n_returned), n_steps=n_steps, decided=decided)


def _best_running(arrays: dict[str, Tensor], ended: Tensor) -> Tensor:
    """Score of the first running beam after a step, [P, 1]; one that ended counts as impossible."""
    scores = arrays["score"] + ended.float() * NEVER
    first = arrays["row"] == arrays["row"].masked_fill(arrays["row"] < 0, 2**30).min(1, keepdim=True)[0]
    return torch.where(first, scores, -torch.inf).max(1, keepdim=True)[0]


def _returned(
    trace: RecordedRun, score: Tensor, origin: Tensor, done: Tensor, n_returned: int
) -> tuple[Hypothesis, ...]:
    out, ledger = [], cast(Ledger, trace.ledger)
    for p in range(score.shape[0]):
        for place in range(min(n_returned, score.shape[1])):
            step, rank = origin[p, place].tolist()
            if step >= 0:
                of = float(score[p, place]), bool(done[p, place])
                out.append(ledger.hypothesis(p, step, rank, *of, answer=place, n_returned=n_returned))
    return tuple(out)
