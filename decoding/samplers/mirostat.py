"""Mirostat 2: the text is kept about as surprising as was asked for."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from decoding.parameters.knobs import KNOBS
from decoding.samplers.probabilities import probabilities
from decoding.samplers.remembering import RemembersTheDraw

__all__ = ["MirostatLogitsWarper"]


class MirostatLogitsWarper(RemembersTheDraw):
    """Removes tokens whose surprisal, in bits, is above μ; the likeliest one stays in any case.

    μ begins at 2τ, and after each draw moves by η times how much more or less surprising than τ the token was, among
    those that were left. A token that could not have been drawn (padding of a row that has ended) moves nothing. After
    Basu et al. 2021, <https://arxiv.org/abs/2007.14966>, algorithm 2, and llama.cpp's `--mirostat 2`; it must come last
    of all processors, since it takes what it returned for what the token was drawn from.

    Args:
        mirostat_tau: τ, the surprisal aimed at, in bits.
        mirostat_eta: η, how fast it learns.

    Raises:
        SettingError: a value is out of range.
    """

    STATE = ("mu",)

    def __init__(self, mirostat_tau: float = 5.0, mirostat_eta: float = 0.1) -> None:
        super().__init__()
        self.mirostat_tau = float(KNOBS["mirostat_tau"].checked(mirostat_tau))
        self.mirostat_eta = float(KNOBS["mirostat_eta"].checked(mirostat_eta))
        self._left: Tensor | None = None  # [rows, vocab], probabilities before the cut, 0 where it cut

    def facts(self) -> dict[str, Tensor]:
        """What acted at the last step: `mu`, in bits, float32 [rows]."""
        return {} if self._state is None else {"mu": self._state[:, 0]}

    def after(self, tokens: Tensor) -> Tensor:
        state, left = cast(Tensor, self._state), cast(Tensor, self._left)
        mu, p = state[:, 0], left.gather(-1, tokens[:, None]).squeeze(-1) / left.sum(-1)
        moved = mu - self.mirostat_eta * (-torch.log2(p) - self.mirostat_tau)
        return moved.where(p > 0, mu)[:, None]

    def _beginning(self, n_rows: int, device: torch.device) -> Tensor:
        return torch.full((n_rows, 1), 2 * self.mirostat_tau, device=device)

    def _act(self, state: Tensor, scores: Tensor) -> Tensor:
        probs = probabilities(scores)
        removed = -torch.log2(probs) > state  # [rows, vocab]
        removed = removed.scatter(-1, probs.argmax(-1, keepdim=True), False)
        self._left = probs.masked_fill(removed, 0.0)
        return scores.masked_fill(removed, -torch.inf)
