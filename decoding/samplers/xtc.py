"""XTC: now and then the likeliest tokens are left out, so that the text does not go the way it always goes."""

from __future__ import annotations

import secrets

import torch
from torch import Tensor
from transformers.generation import LogitsProcessor

from decoding.parameters.knobs import KNOBS
from decoding.samplers.probabilities import probabilities

__all__ = ["XTCLogitsWarper"]

SPREAD = 0x9E3779B97F4A7C15  # 2⁶⁴ ÷ the golden ratio: neighbouring lengths begin far from each other
SEEDS = 2**63


class XTCLogitsWarper(LogitsProcessor):
    """With a chance removes every token at or above a threshold, all but the least likely of them.

    Where fewer than two are that likely nothing happens. Whether it acts is drawn for each row at each step, from a
    generator of its own: from the seed and the length of the row so far, and from nothing else. So it takes no draw
    away from `generate()`, and the same step decides in the same way however often it is asked. After llama.cpp's
    `--xtc-probability` and `--xtc-threshold`.

    Args:
        xtc_probability: the chance, in [0, 1]; 0 switches it off.
        xtc_threshold: of probability, in [0, 1]; above 0.5 there are never two tokens as likely.
        seed: of the chance; None takes one at random, which `seed` then tells.
        min_tokens_to_keep: where fewer would stay, nothing is removed.

    Raises:
        SettingError: a value is out of range.
    """

    def __init__(
        self,
        xtc_probability: float,
        xtc_threshold: float = 0.1,
        *,
        seed: int | None = None,
        min_tokens_to_keep: int = 1,
    ) -> None:
        self.xtc_probability = float(KNOBS["xtc_probability"].checked(xtc_probability))
        self.xtc_threshold = float(KNOBS["xtc_threshold"].checked(xtc_threshold))
        self.seed = secrets.randbelow(SEEDS) if seed is None else int(KNOBS["seed"].checked(seed))
        self.min_tokens_to_keep = min_tokens_to_keep
        self._chance: Tensor | None = None

    def facts(self) -> dict[str, Tensor]:
        """What decided at the last step: `chance`, float32 [rows]; it acts where this is at most `xtc_probability`."""
        return {} if self._chance is None else {"chance": self._chance}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores [rows, vocab] with −∞ for what was removed; of `input_ids` only the length counts."""
        self._chance = self._drawn(input_ids.shape[1], len(scores))
        if self.xtc_probability == 0 or not bool((self._chance <= self.xtc_probability).any()):
            return scores
        probs = probabilities(scores)
        likely = probs >= self.xtc_threshold  # [rows, vocab]
        least = probs.where(likely, torch.inf).argmin(-1, keepdim=True)  # [rows, 1], the one that stays
        removed = likely.scatter(-1, least, False)
        stays = (scores > -torch.inf).sum(-1) - removed.sum(-1) >= self.min_tokens_to_keep
        acts = (self._chance.to(scores.device) <= self.xtc_probability) & stays
        return scores.masked_fill(removed & acts[:, None], -torch.inf)

    def _drawn(self, length: int, n_rows: int) -> Tensor:
        """float32 [rows], in [0, 1)."""
        generator = torch.Generator().manual_seed((self.seed + length * SPREAD) % SEEDS)
        return torch.rand(n_rows, generator=generator)
