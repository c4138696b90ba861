"""PromptOnceLayer: a layer of the cache whose beams have their prompt in common, which is not copied at every step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

__all__ = ["PromptOnceLayer", "forget_prompts", "repeat_prompts"]

ROOM = 64  # positions after the last one, at least


class PromptOnceLayer(DynamicLayer):
    """Keys and values [rows, heads, positions, width], as `DynamicLayer` would hold them.

    That one copies all positions twice a step: to append one, and to give each row those of the row it continues. Here
    there is room after the last position, and as a row continues none but rows of its own prompt, only what came after
    the prompt is copied. Whatever else is done with the layer makes it one like any other.

    Args:
        layer: holds the prompts, one row each; it stays as it is.
        each: rows of a prompt, next to each other.

    Attributes:
        n_prompt: positions in which the rows of a prompt are the same; 0 from when the layer is like any other.
    """

    def __init__(self, layer: DynamicLayer, each: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = layer.keys.dtype, layer.keys.device, True
        self.n_prompt = layer.keys.shape[-2]
        self._room = [_with_room(kept, each) for kept in (layer.keys, layer.values)]
        self._show(self.n_prompt)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Appends positions [rows, heads, n, width]; all keys and all values, which may be views of a larger tensor."""
        if not self.n_prompt:
            return super().update(key_states, value_states, *args, **kwargs)
        start = self.keys.shape[-2]
        end = start + key_states.shape[-2]
        if end > self._room[0].shape[-2]:
            self._room = [_with_room(kept, 1, end - start) for kept in (self.keys, self.values)]
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[..., start:end, :] = new
        self._show(end)
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Gives each row what the row `beam_idx[row]`, of the same prompt, has after the prompt; rows may become fewer.

        Where they do, `beam_idx` names a row for each that stays, and the prompts are copied, too.
        """
        if not self.n_prompt:
            super().reorder_cache(beam_idx)
            return
        if len(beam_idx) < len(self.keys):
            end = self.keys.shape[-2]
            self._room = [room.index_select(0, beam_idx.to(room.device)) for room in self._room]
            self._show(end)
            return
        for room in self._room:
            after = room[..., self.n_prompt : self.keys.shape[-2], :]
            after.copy_(after.index_select(0, beam_idx.to(after.device)))

    def forget_prompt(self) -> None:
        """From here on rows may continue any other."""
        self.n_prompt, self._room = 0, []

    def reset(self) -> None:
        """See `DynamicLayer`."""
        self.forget_prompt()
        super().reset()

    def crop(self, tokens_to_remove: int) -> None:
        """See `DynamicLayer`."""
        self.forget_prompt()
        super().crop(tokens_to_remove)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """See `DynamicLayer`."""
        self.forget_prompt()
        super().batch_repeat_interleave(repeats)

    def batch_select_indices(self, indices: Tensor) -> None:
        """See `DynamicLayer`."""
        self.forget_prompt()
        super().batch_select_indices(indices)

    def _show(self, end: int) -> None:
        self.keys, self.values = (room[..., :end, :] for room in self._room)


def repeat_prompts(cache: DynamicCache, each: int) -> None:
    """Gives every prompt (row) of the cache `each` rows; layers of kinds that cannot have one prompt are copied."""
    for i, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer and layer.is_initialized and not getattr(cache, "offloading", False):
            cache.layers[i] = PromptOnceLayer(layer, each)
        else:
            layer.batch_repeat_interleave(each)


def forget_prompts(cache: Any) -> None:
    """Makes the layers of a cache that a run is done with such as any other: whoever gets it may do all with it."""
    for layer in getattr(cache, "layers", ()):
        if isinstance(layer, PromptOnceLayer):
            layer.forget_prompt()


def _with_room(kept: Tensor, each: int, n: int = 0) -> Tensor:
    """A tensor with every row of `kept` [rows, heads, positions, width] `each` times, and room for n positions more."""
    rows, heads, end, width = kept.shape
    n = max(n, ROOM, end // 4)
    room = torch.empty(rows * each, heads, end + n, width, dtype=kept.dtype, device=kept.device)
    room.view(rows, each, heads, end + n, width)[..., :end, :] = kept[:, None]
    return room
