"""Probabilities whose last digits can be trusted, as rules with a threshold need them."""

from __future__ import annotations

from torch import Tensor

__all__ = ["probabilities"]


def probabilities(scores: Tensor) -> Tensor:
    """Softmax of float32 scores [rows, vocab], off by about 1e-7, as a share.

    `torch.softmax` on a CPU adds up 49,152 terms lane by lane and is off by 1e-5: enough to move a token across a
    threshold. `torch.sum` adds them up in pairs of pairs.
    """
    shares = (scores - scores.amax(-1, keepdim=True)).exp()
    return shares / shares.sum(-1, keepdim=True)
