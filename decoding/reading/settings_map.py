"""A map of settings: what each temperature and each top_p would have left at a recorded step.

One sort of the scores serves the whole map (`decoding.reading.survivors` says why); where an answer hangs on the last
bit, transformers' own processors are run. So who survives is theirs bit for bit. Where other rules act as well, they
are run for every cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.generation import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from decoding.errors import SettingError
from decoding.parameters.knobs import KNOBS
from decoding.reading import stats
from decoding.reading.survivors import Survivors, scaled, survivors
from decoding.words import words

__all__ = ["SettingsMap", "is_fast", "settings_map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsMap:
    """What every temperature and top_p leaves of one row of scores; each tensor is [temperatures, top_ps].

    Attributes:
        temperatures, top_ps: the values of its rows and columns.
        n_left: tokens that are still possible, int64, ≥ 1 (0 where every token had been removed before).
        entropy_nats: of the distribution that is left, in nats, float64, in [0, ln n_left]; NaN where there is none.
        survives: whether the token asked about is among them, bool.
    """

    temperatures: tuple[float, ...]
    top_ps: tuple[float, ...]
    n_left: Tensor
    entropy_nats: Tensor
    survives: Tensor


def settings_map(
    scores: Tensor,
    token_id: int,
    temperatures: Sequence[float],
    top_ps: Sequence[float],
    *,
    between: Sequence[Any] = (),
    after: Sequence[Any] = (),
    least: int = 1,
) -> SettingsMap:
    """The map of one step of one row.

    Example:
        >>> import torch
        >>> found = settings_map(torch.tensor([2.0, 1.0, 0.0]), 1, [0.5, 1.0], [0.6, 0.9, 1.0])
        >>> found.n_left.tolist(), found.survives.tolist()
        ([[1, 2, 3], [1, 2, 3]], [[False, True, True], [False, True, True]])

    Args:
        scores: what the temperature would see, float32 [vocab]; they stay as they are.
        token_id: the token asked about, in [0, vocab).
        temperatures: each above 0.
        top_ps: each in (0, 1].
        between: transformers' processors that run between temperature and top-p, in order; they may look at the
            scores alone.
        after: those that run after top-p. A top-k between and a min-p after cost nothing (see `is_fast`).
        least: `min_tokens_to_keep` of top-p.

    Raises:
        SettingError: a temperature, a top_p or the token is out of range.
    """
    _check(scores, token_id, temperatures, top_ps)
    lines = _Lines(scores, token_id, tuple(top_ps), tuple(between), tuple(after), least)
    cells = [list(lines.at(float(temperature))) for temperature in temperatures]
    columns = [torch.tensor([[cell[i] for cell in line] for line in cells], dtype=kind) for i, kind in enumerate(KINDS)]
    n_left, entropy, survives = (column.reshape(len(cells), len(top_ps)) for column in columns)
    return SettingsMap(
        temperatures=tuple(temperatures), top_ps=tuple(top_ps), n_left=n_left, entropy_nats=entropy, survives=survives
    )


def is_fast(between: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether a map with these processors takes one sort: top-k between, min-p after, and nothing else."""
    kinds = [type(rule) for rule in between], [type(rule) for rule in after]
    plain = all(rule.filter_value == -math.inf for rule in (*between, *after) if type(rule) in CUTS)
    one = all(rule.min_tokens_to_keep == 1 for rule in after if type(rule) is MinPLogitsWarper)
    return plain and one and kinds[0] in ([], [TopKLogitsWarper]) and kinds[1] in ([], [MinPLogitsWarper])


KINDS = (torch.int64, torch.float64, torch.bool)
CUTS = (TopKLogitsWarper, MinPLogitsWarper)
Cell = tuple[int, float, bool]  # tokens left, entropy, does the token survive


def _check(scores: Tensor, token_id: int, temperatures: Sequence[float], top_ps: Sequence[float]) -> None:
    if not 0 <= token_id < len(scores):
        accepts = words("in {range}", range=f"[0, {len(scores) - 1}]")
        raise SettingError("token_id", token_id, accepts, "take a token of the vocabulary")
    for value in temperatures:
        if not 0 < value < math.inf:
            raise KNOBS["temperature"].wrong(value)
    for value in top_ps:
        if not 0 < value <= 1:
            raise KNOBS["top_p"].wrong(value)


class _Lines:
    """The lines of a map, a temperature each."""

    def __init__(
        self, scores: Tensor, token_id: int, top_ps: tuple[float, ...], between: tuple[Any, ...],
        after: tuple[Any, ...], least: int,
    ) -> None:  # fmt: skip
        self._scores, self._token, self._top_ps = scores, token_id, top_ps
        self._between, self._after, self._least = between, after, least
        top = float(scores.max()) if len(scores) else -math.inf  # the max of anything with NaN is NaN
        self._fast = scores.dtype == torch.float32 and math.isfinite(top) and is_fast(between, after)
        self._ascending = np.sort(scores.numpy()) if self._fast else np.empty(0, dtype=np.float32)

    def at(self, temperature: float) -> Iterator[Cell]:
        """The cells of a temperature."""
        ascending = scaled(self._ascending, temperature)
        if not self._fast or not math.isfinite(ascending[-1]):
            yield from (self._by_running(temperature, top_p) for top_p in self._top_ps)
            return
        found = survivors(
            ascending, self._top_ps, top_k=self._between[0].top_k if self._between else 0,
            min_p=self._after[0].min_p if self._after else 0.0, least=self._least,
        )  # fmt: skip
        own = float(scaled(self._scores[self._token].numpy(), temperature))
        order: Tensor | None = None
        for top_p, left in zip(self._top_ps, found, strict=True):
            if left is None:
                yield self._by_running(temperature, top_p)
                continue
            if left.torn and own == left.edge and order is None:
                order = self._order(temperature)
            yield left.n_left, left.entropy_nats, self._survives(own, left, order)

    def _survives(self, own: float, left: Survivors, order: Tensor | None) -> bool:
        if not left.torn or own != left.edge or order is None:
            return own >= left.edge
        return bool((order[-left.n_left :] == self._token).any())

    def _order(self, temperature: float) -> Tensor:
        """The tokens as transformers' top-p sorts them, which puts those with one score in an order of its own."""
        seen = self._run([*self._tempered(temperature), *self._between])
        return torch.sort(seen, descending=False).indices[0]

    def _by_running(self, temperature: float, top_p: float) -> Cell:
        cut = [] if top_p >= 1 else [TopPLogitsWarper(top_p, min_tokens_to_keep=self._least)]
        final = self._run([*self._tempered(temperature), *self._between, *cut, *self._after])[0]
        alive = final > -math.inf
        return int(alive.sum()), float(stats.entropy_nats(final)), bool(alive[self._token])

    def _run(self, rules: Sequence[Any]) -> Tensor:
        out, no_ids = self._scores[None].clone(), torch.empty(1, 0, dtype=torch.long)  # samplers look at scores alone
        for rule in rules:
            out = rule(no_ids, out)
        return out

    @staticmethod
    def _tempered(temperature: float) -> list[Any]:
        return [] if temperature == 1.0 else [TemperatureLogitsWarper(temperature)]
