"""adaptive-p: tokens about as likely as was asked for are favoured, and the average is kept there."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from decoding.parameters.knobs import KNOBS
from decoding.samplers.probabilities import probabilities
from decoding.samplers.remembering import RemembersTheDraw

__all__ = ["AdaptivePLogitsWarper"]

# llama.cpp's constants: the score of a token right at the target, and how it falls with the distance from it, which is
# counted in widths: quadratically nearby, linearly far away.
PEAK, SHARPNESS, WIDTH = 5.0, 10.0, 0.3


class AdaptivePLogitsWarper(RemembersTheDraw):
    """Gives each token a score by how near its probability lies to a target, which makes up for what came before.

    At each step the target is twice the one asked for, less the moving average of the probabilities that the drawn
    tokens had before this processor, within [0, 1]. After llama.cpp's `--adaptive-target` and `--adaptive-decay`. It
    must come last of all processors; a little truncation before it (min-p) keeps junk out.

    Args:
        adaptive_target: the probability aimed at, in [0, 1]; negative switches it off.
        adaptive_decay: of the average, in [0, 0.99]: it looks back over about 1 ÷ (1 − decay) tokens.

    Raises:
        SettingError: a value is out of range.
    """

    STATE = ("sum", "weight")

    def __init__(self, adaptive_target: float, adaptive_decay: float = 0.9) -> None:
        super().__init__()
        self.adaptive_target = float(KNOBS["adaptive_target"].checked(adaptive_target))
        self.adaptive_decay = float(KNOBS["adaptive_decay"].checked(adaptive_decay))
        self._before: Tensor | None = None  # [rows, vocab], probabilities before it acted
        self._target: Tensor | None = None

    def facts(self) -> dict[str, Tensor]:
        """What acted at the last step, each float32 [rows].

        `sum` of the drawn tokens' probabilities and `weight`, whose quotient is the moving average, and the `target`.
        """
        if self._state is None or self._target is None:
            return {}
        sums, weights = self._state.unbind(-1)
        return {"sum": sums, "weight": weights, "target": self._target}

    def after(self, tokens: Tensor) -> Tensor:
        state, before = cast(Tensor, self._state), cast(Tensor, self._before)
        p = before.gather(-1, tokens[:, None]).squeeze(-1)
        moved = torch.stack([p, torch.ones_like(p)], -1) + self.adaptive_decay * state
        return moved.where((p > 0)[:, None], state)

    def _beginning(self, n_rows: int, device: torch.device) -> Tensor:
        """The sum of weighted probabilities and of the weights, as if the target had always been met."""
        weights = 1 / (1 - self.adaptive_decay)
        return torch.tensor([max(self.adaptive_target, 0.0) * weights, weights], device=device).repeat(n_rows, 1)

    def _act(self, state: Tensor, scores: Tensor) -> Tensor:
        self._before = probabilities(scores)
        self._target = (2 * self.adaptive_target - state[:, 0] / state[:, 1]).clamp(0.0, 1.0)
        if self.adaptive_target < 0:
            return scores
        distance = ((self._before - self._target[:, None]) / WIDTH).abs()
        favoured = PEAK - SHARPNESS * distance * distance / (1 + distance)
        return favoured.where(scores > -torch.inf, -torch.inf)
