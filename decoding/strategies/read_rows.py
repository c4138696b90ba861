"""ReadRows: the rows of a batch that the model still reads, where those of finished prompts leave it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer, EncoderDecoderCache
from transformers.generation import GenerationConfig
from transformers.utils import ModelOutput

from decoding import transformers_private
from decoding.strategies.cache import cache_of, reorder_cache
from decoding.strategies.generate_call import GivenToGenerate
from decoding.strategies.prompt_once import PromptOnceLayer
from decoding.words import words

__all__ = ["ReadRows", "why_all_stay"]

BY_ROW = ("attention_mask", "decoder_attention_mask", "position_ids", "decoder_position_ids", "token_type_ids")
LAYERS = (DynamicLayer, DynamicSlidingWindowLayer, PromptOnceLayer)  # whose rows are picked with an index


def why_all_stay(
    model: Any, config: GenerationConfig, model_kwargs: Mapping[str, Any], given: GivenToGenerate, n_rows: int
) -> str | None:
    """Why the rows of finished prompts have to be computed to the end, or None where they can leave.

    Args:
        model_kwargs: as they are once the prompt has been read, for `n_rows` rows.
        given: by the caller of `generate()`; what is the caller's own must see what `generate()` would show it.
    """
    if given.logits_processor or "prefix_allowed_tokens_fn" in given.inputs:
        return words("a processor of the caller's own must see the scores of all rows")
    if given.stopping_criteria:
        return words("a stopping criterion of the caller's own must see all rows")
    if config.return_dict_in_generate and (config.output_attentions or config.output_hidden_states):
        return words("attentions and hidden states were asked for, which are those of all rows")
    name = cache_of(dict(model_kwargs))
    if name is not None and (transformers_private.has_own_reorder(model) or not _can_shrink(model_kwargs[name])):
        return words("rows cannot be taken out of a {cache}", cache=type(model_kwargs[name]).__name__)
    for argument, value in model_kwargs.items():
        if argument != name and not _is_known(argument, value, n_rows):
            return words("it is not known which rows of the model's {argument} are whose", argument=argument)
    return None


def _can_shrink(cache: Any) -> bool:
    if isinstance(cache, EncoderDecoderCache):
        return all(map(_can_shrink, (cache.self_attention_cache, cache.cross_attention_cache)))
    of_kind = type(cache) is DynamicCache and not getattr(cache, "offloading", False)
    return of_kind and all(type(layer) in LAYERS for layer in cache.layers)


def _is_known(name: str, value: Any, n_rows: int) -> bool:
    if name in BY_ROW:
        return value is None or (isinstance(value, Tensor) and value.ndim == 2 and len(value) == n_rows)
    if name == "encoder_outputs":
        parts = value.values() if isinstance(value, ModelOutput) else (None,)
        return all(isinstance(part, Tensor) and len(part) == n_rows for part in parts)
    return value is None or isinstance(value, (bool, int, float, str))


class ReadRows:
    """Which rows of `generate` the model reads: all at first, and fewer as prompts finish.

    A loop keeps the width of `generate` in all it does besides: processors, draws and criteria meet as many rows as
    ever, so that what is drawn for a row does not depend on who has left. The rows that left hold a flat distribution
    there, and nothing of what follows from it is kept.

    Args:
        n_rows: of `generate`.

    Attributes:
        left: per row whether it has left; empty while none has.
    """

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self.left: tuple[bool, ...] = ()
        self._rows: Tensor | None = None  # int64 [read], the rows of `generate` that are read; None for all

    def widened(self, logits: Tensor) -> Tensor:
        """Logits [read, vocab] as [rows, vocab]; all the same in rows that left."""
        if self._rows is None:
            return logits
        out = torch.zeros(self.n_rows, *logits.shape[1:], dtype=logits.dtype, device=logits.device)
        return out.index_copy_(0, self._rows.to(logits.device), logits)

    def of(self, tensor: Tensor) -> Tensor:
        """Those that are read of [rows, …]."""
        return tensor if self._rows is None else tensor.index_select(0, self._rows.to(tensor.device))

    def told(self, scores: Tensor) -> Tensor:
        """Scores [rows, vocab] with NaN in rows that left: nobody computed those. The very same where none has."""
        if not self.left:
            return scores
        return scores.masked_fill(torch.tensor(self.left, device=scores.device)[:, None], torch.nan)

    def go_on(
        self, model: Any, model_kwargs: dict[str, Any], parents: Tensor, leaving: Tensor | None = None
    ) -> dict[str, Any]:
        """The model's arguments for the next step; each row that stays has the cache of the row it continues.

        Args:
            parents: int64 [rows], of the same prompt each.
            leaving: bool [rows], rows of prompts that are not read from here on; None for none.
        """
        staying = self._rows
        if leaving is not None and bool(leaving.any()):
            staying = (~leaving).nonzero().flatten()
        if staying is None:
            reorder_cache(model, model_kwargs, parents, self.n_rows)
            return model_kwargs
        read = torch.arange(self.n_rows, device=parents.device) if self._rows is None else self._rows
        place = torch.full((self.n_rows,), -1, device=parents.device).scatter(0, read, torch.arange(len(read)).to(read))
        if len(staying) < len(read):
            model_kwargs = _with_rows(model_kwargs, place[staying])
            stays = torch.zeros(self.n_rows, dtype=torch.bool, device=parents.device).scatter(0, staying, True)
            self._rows, self.left = staying, tuple((~stays).tolist())
        reorder_cache(model, model_kwargs, place[parents[staying]], len(read))
        return model_kwargs


def _with_rows(model_kwargs: dict[str, Any], rows: Tensor) -> dict[str, Any]:
    """The arguments, all but the cache, of some rows alone: int64 [n], places among those that were read."""
    chosen = {name: model_kwargs[name] for name in BY_ROW if model_kwargs.get(name) is not None}
    out = {name: value.index_select(0, rows.to(value.device)) for name, value in chosen.items()}
    read = model_kwargs.get("encoder_outputs")
    if read is not None:
        parts = {name: part.index_select(0, rows.to(part.device)) for name, part in read.items()}
        out["encoder_outputs"] = type(read)(**parts)
    return {**model_kwargs, **out}
