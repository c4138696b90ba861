"""transformers' own decoding loop, with every processor's scores shown to an observer as they come.

`generate(custom_generate=ObservedRun(...))` prepares everything as always and then runs the very method that it would
have run without (`GenerationMixin._sample`, `_beam_search`); only, each processor sits in a wrapper that calls it and
looks at what it returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from transformers.generation import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteriaList
from transformers.generation.utils import GENERATION_MODES_MAPPING

from decoding.recorded.stages import name_of
from decoding.strategies.generate_call import CustomLoop

__all__ = ["Look", "ObservedRun"]

Look = Callable[[int, Tensor, Tensor], None]


class ObservedRun(CustomLoop):
    """transformers' own loop; `look(stage, input_ids, scores)` is called before the first processor and after each.

    Attributes:
        names: of the processors that ran, in order.

    Args:
        tokenizer: for stop strings.
        look: is given 0 before the first processor, i after the i-th; ids [rows, length] before the step; and scores
            [rows, vocab], which it must neither keep nor write into.
    """

    def __init__(self, tokenizer: Any, look: Look) -> None:
        self.tokenizer, self.look = tokenizer, look
        self.names: tuple[str, ...] = ()

    def __call__(
        self,
        model: Any,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        *,
        inputs_tensor: Tensor | None = None,
        tokenizer: Any = None,
        **model_kwargs: Any,
    ) -> Any:
        """Decodes to the end; called by `generate()`, which hands on two things that its own loops do not take."""
        self.names = tuple(name_of(processor) for processor in logits_processor)
        watched = [_Watched(processor, i, self.look) for i, processor in enumerate(logits_processor, start=1)]
        method = GENERATION_MODES_MAPPING[generation_config.get_generation_mode()]
        return getattr(type(model), method)(
            model,
            input_ids,
            logits_processor=LogitsProcessorList([_Watched(None, 0, self.look), *watched]),
            stopping_criteria=stopping_criteria,
            generation_config=generation_config,
            **model_kwargs,
        )


class _Watched(LogitsProcessor):
    """A processor, or nothing, and a look at the scores that come out of it."""

    def __init__(self, processor: Any, stage: int, look: Look) -> None:
        self.processor, self.stage, self.look = processor, stage, look

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self.processor is not None:
            scores = LogitsProcessorList([self.processor])(input_ids, scores)
        self.look(self.stage, input_ids, scores)
        return scores
