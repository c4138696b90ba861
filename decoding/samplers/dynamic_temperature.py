"""Dynamic temperature: high where the model is unsure, low where it is sure."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.generation import LogitsProcessor

from decoding.parameters.knobs import KNOBS
from decoding.samplers.probabilities import probabilities

__all__ = ["DynamicTemperatureLogitsWarper"]


class DynamicTemperatureLogitsWarper(LogitsProcessor):
    """Divides each row by a temperature of its own, in [temperature − range, temperature + range].

    The row's entropy, as a share of the largest that its tokens could have, raised to an exponent, says where in this
    range it lies; the low end is never below 0. At a temperature of 0 the likeliest token alone stays. A row with one
    token left is not changed. After llama.cpp's `--dynatemp-range` and `--dynatemp-exp`; it stands in the place of the
    plain temperature.

    Args:
        dynatemp_range: how far from `temperature`; 0 leaves that as it is.
        dynatemp_exponent: below 1 even a little unsureness heats, above 1 only much.
        temperature: the middle of the range.

    Raises:
        SettingError: a value is out of range.
    """

    def __init__(self, dynatemp_range: float, dynatemp_exponent: float = 1.0, temperature: float = 1.0) -> None:
        self.dynatemp_range = float(KNOBS["dynatemp_range"].checked(dynatemp_range))
        self.dynatemp_exponent = float(KNOBS["dynatemp_exponent"].checked(dynatemp_exponent))
        self.temperature = float(KNOBS["temperature"].checked(temperature))
        self._temperature: Tensor | None = None

    def facts(self) -> dict[str, Tensor]:
        """What acted at the last step: `temperature`, float32 [rows]."""
        return {} if self._temperature is None else {"temperature": self._temperature}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores [rows, vocab] divided; `input_ids` are not looked at."""
        low, high = max(0.0, self.temperature - self.dynatemp_range), self.temperature + self.dynatemp_range
        n = (scores > -torch.inf).sum(-1, keepdim=True)  # [rows, 1]
        entropy = torch.special.entr(probabilities(scores)).sum(-1, keepdim=True)
        share = entropy / n.clamp(min=2).log()
        found = low + (high - low) * share.pow(self.dynatemp_exponent)
        self._temperature = found.where(n > 1, 1.0).squeeze(-1).float()
        heated = scores / self._temperature[:, None]
        top = scores.amax(-1, keepdim=True)
        first = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, scores.argmax(-1, keepdim=True), True)
        # Where dividing leaves what a float can hold, the temperature is as good as 0.
        overflows = ~torch.isfinite(heated.amax(-1, keepdim=True)) & torch.isfinite(top)
        cold = (self._temperature[:, None] <= 0) | overflows
        return torch.where(cold, scores.masked_fill(~first, -torch.inf), heated)
