"""What a stage is called where there is little room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .numbers import setting

if TYPE_CHECKING:
    from decoding.recorded.stages import Stage

__all__ = ["stage_label"]

# Class name of transformers → the parameter people know it by, and the attribute that holds its value.
_KNOWN = {
    "TemperatureLogitsWarper": ("temperature", "temperature"),
    "TopHLogitsWarper": ("top_h", "top_h"),
    "TopKLogitsWarper": ("top_k", "top_k"),
    "TopPLogitsWarper": ("top_p", "top_p"),
    "MinPLogitsWarper": ("min_p", "min_p"),
    "TypicalLogitsWarper": ("typical_p", "mass"),
    "EpsilonLogitsWarper": ("epsilon_cutoff", "epsilon"),
    "EtaLogitsWarper": ("eta_cutoff", "epsilon"),
    "RepetitionPenaltyLogitsProcessor": ("repetition_penalty", "penalty"),
    "EncoderRepetitionPenaltyLogitsProcessor": ("encoder_repetition_penalty", "penalty"),
    "NoRepeatNGramLogitsProcessor": ("no_repeat_ngram_size", "ngram_size"),
    "EncoderNoRepeatNGramLogitsProcessor": ("encoder_no_repeat_ngram_size", "ngram_size"),
    "NoBadWordsLogitsProcessor": ("bad_words_ids", ""),
    "SequenceBiasLogitsProcessor": ("sequence_bias", ""),
    "SuppressTokensLogitsProcessor": ("suppress_tokens", ""),
    "SuppressTokensAtBeginLogitsProcessor": ("begin_suppress_tokens", ""),
    "ForcedBOSTokenLogitsProcessor": ("forced_bos_token_id", ""),
    "ForcedEOSTokenLogitsProcessor": ("forced_eos_token_id", ""),
    "MinLengthLogitsProcessor": ("min_length", "min_length"),
    "MinNewTokensLengthLogitsProcessor": ("min_new_tokens", "min_new_tokens"),
    "ExponentialDecayLengthPenalty": ("exponential_decay_length_penalty", ""),
    "UnbatchedClassifierFreeGuidanceLogitsProcessor": ("guidance_scale", "guidance_scale"),
    "LogitNormalization": ("renormalize_logits", ""),
    "InfNanRemoveLogitsProcessor": ("remove_invalid_values", ""),
    "WatermarkLogitsProcessor": ("watermarking_config", "bias"),
    "SynthIDTextWatermarkLogitsProcessor": ("watermarking_config", ""),
    "HammingDiversityLogitsProcessor": ("diversity_penalty", "diversity_penalty"),
    "log_softmax": ("log_softmax", ""),
}


def stage_label(stage: Stage) -> tuple[str, str]:
    """The parameter that made the stage and its value, e.g. `("top_p", "0.9")`; the class name of an unknown one."""
    name, attribute = _KNOWN.get(stage.name, (stage.name, ""))
    value = stage.params.get(attribute, stage.params.get(name)) if stage.name in _KNOWN else None
    return name, "" if value is None else setting(value)
