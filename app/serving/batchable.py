"""Which models' runs can be computed together: by how they are built, and by a trial that compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from decoding.models.placement import places_of
from decoding.strategies.cache import CACHE_NAME
from decoding.transformers_private import attention_of, is_stateful
from decoding.verify import CLOSE

from .shared_forward import ATTENTION, LAYERS, Part, SharedForward, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NotBatchableError", "shared_forward_of"]

N_STEPS = 3  # of the trial
# Of each of the trial's runs how many tokens its rows have; they are padded on the left to the longest.
LENGTHS = ((6,), (4, 2), (1,))


class NotBatchableError(Exception):
    """Runs of this model are computed one by one; the text says why, for the log."""


def shared_forward_of(model: Any) -> SharedForward:
    """The model's pass for several runs, tried: it gives what the model gives, but for the last bits.

    Raises:
        NotBatchableError: it does not, or the model is of a kind for which it is not made.
    """
    try:
        because = _why_not(model)
        if not because:
            shared = SharedForward(model)
            because = _trial(model, shared)
    except Exception as error:  # whatever a model's own code raises when it is looked at or called in another way
        raise NotBatchableError(f"the trial failed: {type(error).__name__}: {error}") from error
    if because:
        raise NotBatchableError(because)
    return shared


def _why_not(model: Any) -> str:
    """What in a model's build rules it out; "" where nothing does."""
    config = model.config
    if config.is_encoder_decoder:
        return "it has an encoder"
    if len(places_of(model)) > 1 or (getattr(model, "tp_size", None) or 1) > 1:
        return "its weights are not all in one place"
    if model.device.type not in ("cpu", "cuda"):
        return f"it is on {model.device.type}"
    if getattr(model.generation_config, "cache_implementation", None):
        return f"its cache is of the kind {model.generation_config.cache_implementation}"
    if is_stateful(model):
        return "what it remembers is not one entry a position"
    if (kind := attention_of(model)) != ATTENTION:
        return f"its attention is of the kind {kind}"
    kinds = {type(layer) for layer in DynamicCache(config=config).layers} - set(LAYERS)
    if kinds:
        return f"its cache has layers of the kind {', '.join(sorted(kind.__name__ for kind in kinds))}"
    return ""


@torch.no_grad()
def _trial(model: Any, shared: SharedForward) -> str:
    """How runs together and the same runs alone differ by more than the last bits; "" where they do not."""
    close = CLOSE.get(str(model.dtype).removeprefix("torch."), min(CLOSE.values()))
    alone, together = (_Runs(model) for _ in range(2))
    for step in range(N_STEPS):
        wanted = [model(**inputs).logits for inputs in alone.inputs()]
        parts = [part_of(inputs) for inputs in together.inputs()]
        if None in parts:
            return "its steps are not of the kind that can be shared"
        got = [out.logits for out in shared([part for part in parts if isinstance(part, Part)])]
        for one, other in zip(wanted, got, strict=True):
            if one.shape != other.shape or not _alike(one.float(), other.float(), close):
                return f"together its logits are others than alone, at step {step + 1} of the trial"
        tokens = [logits[:, -1].argmax(-1, keepdim=True) for logits in wanted]
        alone.go_on(tokens)
        together.go_on(tokens)
    pairs = zip(alone.caches, together.caches, strict=True)
    if any(one.get_seq_length() != other.get_seq_length() for one, other in pairs):
        return "together its caches grow otherwise than alone"
    return ""


def _alike(one: Tensor, other: Tensor, close: float) -> bool:
    """Whether logits [rows, 1, vocab] are the same within `close`, and choose the same but where two are as close."""
    if not bool(torch.isfinite(one).all() and torch.isfinite(other).all()):
        return False
    difference = float((one - other).abs().max())
    chosen = other.argmax(-1, keepdim=True)
    lost = float((one.amax(-1, keepdim=True) - one.gather(-1, chosen)).max())  # by choosing so
    return difference <= close and lost <= 2 * difference


class _Runs:
    """The trial's runs, each with its prompt read; the same ones each time."""

    def __init__(self, model: Any) -> None:
        vocab, device = model.config.get_text_config().vocab_size, model.device
        self.caches, self._masks, self._ids = [], [], []
        for number, lengths in enumerate(LENGTHS):
            n = max(lengths)
            mask = torch.tensor([[i >= n - length for i in range(n)] for length in lengths], device=device).long()
            ids = (torch.arange(mask.numel(), device=device).view(mask.shape) * 7919 + 31 * number) % vocab
            cache = DynamicCache(config=model.config)
            model(
                input_ids=ids, attention_mask=mask, position_ids=_positions(mask), use_cache=True, **{CACHE_NAME: cache}
            )
            self.caches.append(cache)
            self._masks.append(mask)
            self._ids.append(ids[:, -1:])
        self.go_on(self._ids)

    def go_on(self, tokens: Sequence[Tensor]) -> None:
        """Takes the tokens [rows, 1] that each run reads next."""
        self._ids = list(tokens)
        self._masks = [torch.cat([mask, mask.new_ones(len(mask), 1)], 1) for mask in self._masks]

    def inputs(self) -> list[dict[str, Any]]:
        """What the model is called with for the next step of each, as `generate()` calls it."""
        return [
            {
                "input_ids": ids, "position_ids": _positions(mask)[:, -1:], "attention_mask": mask, "use_cache": True,
                CACHE_NAME: cache,
            }
            for ids, mask, cache in zip(self._ids, self._masks, self.caches, strict=True)
        ]  # fmt: skip


def _positions(mask: Tensor) -> Tensor:
    """As `generate()` counts them: padding does not."""
    return (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)
