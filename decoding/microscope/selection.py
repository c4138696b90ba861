"""How the token is taken from the final scores: greedy, by a draw, or weighed against the text so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from decoding.microscope.followed import followed
from decoding.microscope.op import Account, Followed
from decoding.microscope.slide import ONE, VOCAB, Slide, listed
from decoding.microscope.stage import LOOPS_FILE, compared
from decoding.recorded.contrastive_candidates import ContrastiveCandidate

__all__ = ["contrastive_account", "drawn_account", "greedy_account"]

SOFTMAX = "torch.nn.functional.softmax"


def greedy_account(
    scores: Tensor, recorded: int | None, chosen: int | None = None, exact: Tensor | None = None
) -> Account:
    """argmax.

    Args:
        scores: float [vocab], after all stages.
        recorded: the token that the run took here, to compare with; None where there is none.
        chosen: the token in view.
        exact: as for `stage_account`.
    """
    s, row = Slide(), scores[None]
    next_tokens = torch.argmax(row, dim=-1)
    best = int(next_tokens)
    top = torch.topk(scores, min(2, len(scores))).values.tolist()
    s.op(
        "torch.argmax", "next_tokens = torch.argmax(next_token_scores, dim=-1)",
        [VOCAB("next_token_scores", row)], [ONE("next_tokens", next_tokens)], "argmax",
        best_token=best, best=scores[best].item(), second=top[-1],
    )  # fmt: skip
    agrees = None if recorded is None else best == recorded
    tokens = followed(scores, scores, chosen, wanted=[best], among=exact)
    return s.account("GenerationMixin._sample", LOOPS_FILE, tokens, kind="greedy", agrees=agrees, result=(best,))


def drawn_account(scores: Tensor, drawn: int | None, chosen: int | None = None, exact: Tensor | None = None) -> Account:
    """softmax, and a draw whose outcome is the recorded one: it used the run's random numbers.

    Args:
        scores: float [vocab], after all stages.
        drawn: the token that was drawn; None where nothing was drawn from these scores.
        chosen: the token in view.
        exact: as for `stage_account`.
    """
    s, row = Slide(), scores[None]
    probs = torch.nn.functional.softmax(row, dim=-1)
    s.op(
        SOFTMAX, "probs = nn.functional.softmax(next_token_scores, dim=-1)",
        [VOCAB("next_token_scores", row)], [VOCAB("probs", probs)], "select.softmax", n_alive=int((probs > 0).sum()),
    )  # fmt: skip
    known = drawn is not None and 0 <= drawn < len(scores)
    outs = [ONE("next_tokens", torch.tensor([drawn]))] if known else []
    facts: dict[str, Any] = {"drawn_token": drawn, "p": probs[0, drawn].item()} if known else {}
    s.op(
        "torch.multinomial", "next_tokens = torch.multinomial(probs, num_samples=1).squeeze(1)",
        [VOCAB("probs", probs)], outs, "multinomial" if known else "multinomial.open", also=("torch.squeeze",), **facts,
    )  # fmt: skip
    return s.account("GenerationMixin._sample", LOOPS_FILE, followed(scores, scores, chosen, among=exact), kind="draw")


def contrastive_account(
    scores: Tensor, weighed: Sequence[ContrastiveCandidate], alpha: float, chosen: int | None = None
) -> Account:
    """The k likeliest, each one's probability weighed against its likeness to the text, and the best of them.

    The likeness comes from the model's hidden states, which are not recorded; the recorded one is used.

    Args:
        scores: float [vocab], after all stages.
        weighed: the candidates, as recorded.
        alpha: the weight of the likeness, `penalty_alpha`.
        chosen: the token in view.
    """
    s, row, k = Slide(), scores[None], len(weighed)
    probs = torch.nn.functional.softmax(row, dim=-1)
    s.op(
        SOFTMAX, "probs = torch.nn.functional.softmax(scores, dim=-1)",
        [VOCAB("scores", row)], [VOCAB("probs", probs)], "softmax",
    )  # fmt: skip
    confidence, candidates = torch.topk(probs, k=min(k, len(scores)))
    top = listed("top", candidates[0])
    s.op(
        "torch.topk", "confidence, candidates = torch.topk(probs, k=k)",
        [VOCAB("probs", probs), ONE("k", k)], [top("confidence", confidence), top("candidates", candidates)],
        "contrastive.topk", k=k,
    )  # fmt: skip
    penalty = torch.tensor([[c.penalty for c in weighed]], dtype=torch.float32)
    s.op(
        "degeneration_penalty", "penalty, where = degeneration_penalty(context, hidden, mask)",
        [top("candidates", candidates)], [top("penalty", penalty)], "contrastive.penalty",
    )  # fmt: skip
    score = (1.0 - alpha) * confidence - alpha * penalty
    s.op(
        "torch.sub", "score = (1.0 - alpha) * confidence - alpha * penalty",
        [top("confidence", confidence), top("penalty", penalty), ONE("alpha", alpha)],
        [top("(1.0 - alpha) * confidence", (1.0 - alpha) * confidence), top("alpha * penalty", alpha * penalty),
         top("score", score)],
        "contrastive.score", also=("torch.mul",), alpha=alpha, rest=1.0 - alpha,
    )  # fmt: skip
    best = score.max(dim=-1).indices
    taken = int(candidates[0, best])
    s.op(
        "torch.max", "best = score.max(dim=-1).indices",
        [top("score", score)], [ONE("best", best)], "contrastive.max", best_token=taken, place=int(best),
    )  # fmt: skip
    tokens = tuple(
        Followed(token_id=i, chosen=i == chosen, fate="kept") for i in _around(candidates[0].tolist(), chosen, taken)
    )
    same_ids = candidates[0].tolist() == [c.token_id for c in weighed]
    verdict = compared(score[0], torch.tensor([c.score for c in weighed], dtype=torch.float32))
    verdict["agrees"] &= same_ids and taken == next((c.token_id for c in weighed if c.chosen), None)
    return s.account(
        "contrastive", "decoding/strategies/contrastive.py", tokens, kind="contrastive", n_candidates=k, **verdict
    )


def _around(ids: Sequence[int], *needed: int | None) -> list[int]:
    """The first few of the candidates, and those that must be among them, in their order."""
    shown = {i for i in needed if i in ids} | set(ids[:6])
    return [i for i in ids if i in shown]
