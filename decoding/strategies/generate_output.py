"""What `generate()` was asked to return besides the tokens, gathered step by step."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.generation import GenerationConfig
from transformers.generation.utils import (
    GenerateBeamDecoderOnlyOutput,
    GenerateBeamEncoderDecoderOutput,
    GenerateDecoderOnlyOutput,
    GenerateEncoderDecoderOutput,
)

from decoding.strategies.cache import CACHE_NAME, cache_of

__all__ = ["GenerateOutput"]


class GenerateOutput:
    """Collects scores, logits, attentions and hidden states as `GenerationMixin._sample` does.

    Attributes:
        scores: the tuple that stopping criteria are called with: None unless `output_scores` was asked for.
    """

    def __init__(self, model: Any, config: GenerationConfig, model_kwargs: dict[str, Any]) -> None:
        as_dict = config.return_dict_in_generate
        self.is_encoder_decoder = model.config.is_encoder_decoder
        self.as_dict = as_dict
        self.scores = () if as_dict and config.output_scores else None
        self.logits = () if as_dict and config.output_logits else None
        self.attentions = () if as_dict and config.output_attentions else None
        self.cross_attentions = () if as_dict and config.output_attentions else None
        self.hidden_states = () if as_dict and config.output_hidden_states else None
        encoder = model_kwargs.get("encoder_outputs") if self.is_encoder_decoder and as_dict else None
        self.encoder_attentions = encoder.get("attentions") if encoder and config.output_attentions else None
        self.encoder_hidden_states = encoder.get("hidden_states") if encoder and config.output_hidden_states else None

    def add(self, logits: Tensor, scores: Tensor, outputs: Any) -> None:
        """Takes one step: float32 logits and processed scores [rows, vocab], and the model's outputs."""
        if self.scores is not None:
            self.scores += (scores,)
        if self.logits is not None:
            self.logits += (logits,)
        if self.attentions is not None:
            self.attentions += (outputs.decoder_attentions if self.is_encoder_decoder else outputs.attentions,)
            if self.is_encoder_decoder:
                self.cross_attentions += (outputs.cross_attentions,)
        if self.hidden_states is not None:
            self.hidden_states += (
                outputs.decoder_hidden_states if self.is_encoder_decoder else outputs.hidden_states,
            )

    def build(self, sequences: Tensor, model_kwargs: dict[str, Any], beams: dict[str, Tensor] | None = None) -> Any:
        """What `generate()` returns: the sequences alone, or the output class of its mode.

        Args:
            sequences: token ids, [returned, length].
            model_kwargs: as they are after the last step; the cache is taken from there.
            beams: `sequences_scores` and `beam_indices` of beam methods, None of the others.
        """
        if not self.as_dict:
            return sequences
        cache = model_kwargs.get(cache_of(model_kwargs))
        common = {"sequences": sequences, "scores": self.scores, "logits": self.logits, CACHE_NAME: cache}
        common |= beams or {}
        if self.is_encoder_decoder:
            kind = GenerateEncoderDecoderOutput if beams is None else GenerateBeamEncoderDecoderOutput
            return kind(
                **common,
                encoder_attentions=self.encoder_attentions,
                encoder_hidden_states=self.encoder_hidden_states,
                decoder_attentions=self.attentions,
                cross_attentions=self.cross_attentions,
                decoder_hidden_states=self.hidden_states,
            )
        kind = GenerateDecoderOnlyOutput if beams is None else GenerateBeamDecoderOnlyOutput
        return kind(**common, attentions=self.attentions, hidden_states=self.hidden_states)
