"""The Hamming penalty of diverse beam search, as a stage among transformers' own processors."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.generation import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    SynthIDTextWatermarkLogitsProcessor,
    UnbatchedClassifierFreeGuidanceLogitsProcessor,
)

from decoding.errors import RecordingError

__all__ = ["HammingDiversityLogitsProcessor", "with_hamming_diversity"]

# They take each call for the next step, and diverse beam search calls once per group.
COUNT_THEIR_CALLS = {
    UnbatchedClassifierFreeGuidanceLogitsProcessor: "guidance_scale",
    SynthIDTextWatermarkLogitsProcessor: "watermarking_config (SynthID)",
}


class HammingDiversityLogitsProcessor(LogitsProcessor):
    """Takes `diversity_penalty` off a token for every beam of an earlier group that chose it at this step.

    Named as in transformers 4, which had the rows of one group at a time; here all rows come at once, and those
    of a group are final as soon as `chose` was called for all groups before it.

    Args:
        diversity_penalty: what one beam's choice costs, in nats.
        num_beams: rows per prompt.
        num_beam_groups: groups, each of `num_beams / num_beam_groups` rows.
    """

    def __init__(self, diversity_penalty: float, num_beams: int, num_beam_groups: int) -> None:
        self.diversity_penalty, self.num_beams, self.num_beam_groups = diversity_penalty, num_beams, num_beam_groups
        self._counts: Tensor | None = None

    def begin_step(self) -> None:
        """Forgets what was chosen at the step before."""
        self._counts = None

    def chose(self, group: int, tokens: Tensor, n_tokens: int) -> None:
        """Notes what a group chose; the later groups will pay for it.

        Args:
            tokens: int64 [prompts, group size].
            n_tokens: size of the vocabulary.
        """
        n_prompts, size = tokens.shape
        if self._counts is None:
            self._counts = torch.zeros(n_prompts, self.num_beams, n_tokens, dtype=torch.float32, device=tokens.device)
        later = self._counts[:, (group + 1) * size :]  # [P, rows of later groups, V]
        chosen = tokens[:, None, :].expand(-1, later.shape[1], -1)  # [P, rows of later groups, group size]
        later.scatter_add_(2, chosen, torch.ones_like(chosen, dtype=later.dtype))

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores, [rows, vocab], less what the tokens of earlier groups cost."""
        if self._counts is None:
            return scores
        return scores - self.diversity_penalty * self._counts.flatten(0, 1)


def with_hamming_diversity(processors: LogitsProcessorList, config: GenerationConfig) -> LogitsProcessorList:
    """The processors of diverse beam search: transformers', and the penalty where transformers 4.46 had it.

    That is after guidance and sequence bias, and before all others.

    Raises:
        RecordingError: the parameters do not make a diverse beam search.
    """
    beams, groups, penalty = config.num_beams, config.num_beam_groups, config.diversity_penalty
    if beams % groups:
        raise RecordingError(
            "num_beam_groups must be a divisor of num_beams = {beams}, got {groups}; groups share the beams evenly",
            beams=beams, groups=groups,
        )
    if not penalty or penalty < 0:
        raise RecordingError(
            "diversity_penalty must be > 0 with num_beam_groups > 1, got {penalty}; without it all groups are alike",
            penalty=penalty,
        )
    if config.do_sample:
        raise RecordingError(
            "do_sample must be False with num_beam_groups > 1, got True; diverse beam search does not sample"
        )
    for processor in processors:
        name = COUNT_THEIR_CALLS.get(type(processor))
        if name is not None:
            raise RecordingError(
                "{name} cannot be used with num_beam_groups > 1; leave out one of the two",
                name=name,
            )
    before = config.sequence_bias is not None
    hamming = HammingDiversityLogitsProcessor(float(penalty), beams, groups)
    return LogitsProcessorList([*processors[:before], hamming, *processors[before:]])
