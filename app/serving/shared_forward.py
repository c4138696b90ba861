"""`SharedForward`: one step of several runs, computed in one pass through the model's weights.

A step of decoding reads all weights to compute a handful of rows, and reading them is what takes the time: rows of
other runs cost little more. What is the same for all rows (embeddings, projections, feed-forward layers, the head) is
computed for all at once. Attention is not: there every row looks at its own past. It is computed run by run, over the
run's own cache, which stays the ordinary `DynamicCache` that it was; nothing is padded, and nothing copied that is not
copied for a run alone.

The model is left as it is. A twin of it, modules of its own around the same weights, has another attention function:
one that hands each run its rows.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from decoding.strategies.cache import CACHE_NAME
from decoding.strategies.prompt_once import PromptOnceLayer
from decoding.transformers_private import attention_of

__all__ = ["ATTENTION", "LAYERS", "Part", "SharedForward", "part_of"]

ATTENTION = "sdpa"  # transformers' own function that computes it, for each run as for a run alone
LAYERS = (DynamicLayer, PromptOnceLayer)  # of a cache that grows and keeps every position
OF_EACH = "decoding_explorer_of_each_run"  # our attention's name among transformers'
# What a step may be given besides ids, positions, mask and cache, and with which values: it changes nothing there.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "use_cache": (True,), "return_dict": (True, None), "logits_to_keep": (0, 1, None), "inputs_embeds": (None,),
    "output_attentions": (False, None), "output_hidden_states": (False, None), "labels": (None,),
}  # fmt: skip
INPUTS = {"input_ids", "position_ids", "attention_mask", CACHE_NAME, "cache_position"}

_here = threading.local()  # the pass that this thread computes: transformers hands attention nothing of ours


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A run's part of a shared pass.

    Attributes:
        ids, positions: int64 [rows, 1], the tokens to read and where they stand.
        mask: bool [rows, 1, 1, length + 1], True where a row may look; None for everywhere.
        cache: of the run; holds `length` positions.
        length: positions before this one.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor | None
    cache: DynamicCache
    length: int

    @property
    def n_rows(self) -> int:
        """Rows of the run."""
        return self.ids.shape[0]


def part_of(inputs: dict[str, Any]) -> Part | None:
    """What a model was called with as a part of a shared pass; None where it must be computed alone.

    A step of one token a row over an ordinary growing cache can be shared; a prompt, another kind of cache, or a call
    that asks for more than logits cannot.
    """
    ids, positions, cache = (inputs.get(name) for name in ("input_ids", "position_ids", CACHE_NAME))
    if not (_is_column(ids) and _is_column(positions) and len(positions) in (1, len(ids))):
        return None
    if type(cache) is not DynamicCache or cache.offloading or not cache.layers:
        return None
    if any(type(layer) not in LAYERS or not layer.is_initialized for layer in cache.layers):
        return None
    if any(_is_odd(name, value) for name, value in inputs.items() if name not in INPUTS):
        return None
    length, mask = cache.get_seq_length(), inputs.get("attention_mask")
    if length == 0 or cache.layers[0].keys.shape[0] != len(ids):
        return None
    if mask is not None:
        if mask.ndim != 2 or mask.shape != (len(ids), length + 1):
            return None
        mask = None if bool(mask.all()) else mask.bool()[:, None, None, :]
    return Part(ids=ids, positions=positions.expand(len(ids), 1), mask=mask, cache=cache, length=length)


def _is_column(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2 and value.shape[1] == 1 and value.dtype == torch.long


def _is_odd(name: str, value: Any) -> bool:
    return isinstance(value, Tensor) or name not in NEUTRAL or value not in NEUTRAL[name]


class SharedForward:
    """The model's pass for the rows of several runs.

    Args:
        model: of a kind that can be shared, see `batchable`; stays as it is, and its weights are used where they are.

    Raises:
        Exception: it cannot be built a second time around its weights.
    """

    def __init__(self, model: Any) -> None:
        ALL_ATTENTION_FUNCTIONS.register(OF_EACH, _attention_of_each)
        weights = chain(model.parameters(), model.buffers())
        self._twin = copy.deepcopy(model, {id(tensor): tensor for tensor in weights})
        self._twin.set_attn_implementation(OF_EACH)
        if attention_of(self._twin) != OF_EACH:  # transformers warns, and leaves it as it was
            raise ValueError("its attention cannot be exchanged")

    @torch.no_grad()
    def __call__(self, parts: Sequence[Part]) -> list[Any]:
        """What the model gives for each part: logits [rows, 1, vocab]; the caches have grown by one position.

        Raises:
            Exception: of the model's; all caches are then as they were.
        """
        together = _Pass(parts)
        try:
            with _current(together):
                logits = self._twin(
                    input_ids=torch.cat([part.ids for part in parts]),
                    position_ids=torch.cat([part.positions for part in parts]),
                    **{CACHE_NAME: together}, use_cache=True, return_dict=True,
                ).logits  # fmt: skip
            # Of its own, each: a view would keep the logits of all runs in memory as long as one of them is recorded.
            each = [rows.clone() for rows in logits.split([part.n_rows for part in parts])]
        except BaseException:
            for part in parts:
                _forget_newest(part)
            raise
        return [
            CausalLMOutputWithPast(logits=rows, **{CACHE_NAME: part.cache})
            for rows, part in zip(each, parts, strict=True)
        ]


class _Pass(Cache):
    """What stands in for the cache in a shared pass: hands on to each run's own, and keeps theirs for attention."""

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__(layers=[])
        self.parts, self._rows = parts, [part.n_rows for part in parts]
        self._pasts: list[tuple[Tensor, Tensor]] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Appends each run's new keys and values [rows, heads, 1, width] to its cache; returns the new ones alone."""
        new = zip(self.parts, key_states.split(self._rows), value_states.split(self._rows), strict=True)
        self._pasts = [part.cache.update(keys, values, layer_idx, *args, **kwargs) for part, keys, values in new]
        return key_states, value_states

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """The longest run's; nothing may hang on it, as the runs differ."""
        return max(part.length for part in self.parts)

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """See `Cache`; the masks that are made of it are not used."""
        return self.get_seq_length() + query_length, 0

    def attention(self, module: Any, query: Tensor, given: dict[str, Any]) -> Tensor:
        """What every row gathers from its own run's past, [rows, 1, heads, width].

        Raises:
            RuntimeError: the layer does not keep its keys and values as the layers of a `DynamicCache` do.
        """
        pasts, self._pasts = self._pasts, None
        if pasts is None:
            raise RuntimeError("attention was asked for without new keys and values")
        alone = ALL_ATTENTION_FUNCTIONS[ATTENTION]
        each = zip(self.parts, query.split(self._rows), pasts, strict=True)
        return torch.cat([
            alone(module, rows, keys, values, part.mask, **given)[0] for part, rows, (keys, values) in each
        ])  # fmt: skip


def _attention_of_each(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **given: Any
) -> tuple[Tensor, None]:
    """Attention as transformers calls it, [rows, heads, 1, width]; keys, values and masks are each run's own."""
    return _here.together.attention(module, query, given), None


@contextmanager
def _current(together: _Pass) -> Iterator[None]:
    _here.together = together
    try:
        yield
    finally:
        del _here.together


def _forget_newest(part: Part) -> None:
    """Takes back what a pass that failed has appended, in the layers that it had reached."""
    for layer in part.cache.layers:
        if layer.keys.shape[-2] > part.length or layer.values.shape[-2] > part.length:
            layer.keys, layer.values = layer.keys[..., : part.length, :], layer.values[..., : part.length, :]
