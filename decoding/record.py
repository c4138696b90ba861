"""record and stream: a prompt and settings become a recorded run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from transformers.generation import LogitsProcessorList, StoppingCriteriaList

from decoding.errors import SettingError
from decoding.models import LanguageModel
from decoding.prompts import EncodedPrompt, Prompt, check_fits, encode_prompt
from decoding.recorder import Recorder
from decoding.settings import KNOBS, Settings
from decoding.step_store import DEFAULT_MEMORY_BUDGET
from decoding.tokens import TokenTable
from decoding.trace import Step, Trace

__all__ = ["record", "stream"]


def record(
    lm: LanguageModel,
    prompt: Prompt,
    settings: Settings | None = None,
    *,
    logits_processor: LogitsProcessorList | None = None,
    stopping_criteria: StoppingCriteriaList | None = None,
    memory_budget: int = DEFAULT_MEMORY_BUDGET,
    on_step: Callable[[Step], None] | None = None,
) -> Trace:
    """The trace of a whole run: what `lm.model.generate` does with these inputs and parameters.

    Args:
        lm: from `load_model`.
        prompt: a text, a list of texts (a batch), chat messages, or a list of chats.
        settings: decoding parameters; what is left out, the model's or transformers' defaults decide.
        logits_processor: your own processors; they run and are recorded after transformers' penalties and
            before its temperature, where `generate` puts them.
        stopping_criteria: your own criteria.
        memory_budget: bytes of memory that a recording may take; steps that do not fit go to a temporary file.
        on_step: called with each step as it is decoded.

    Raises:
        PromptError: the prompt is empty or does not fit the model.
        SettingError: a parameter cannot be used with this tokenizer.
        RecordingError: the run broke off; the error's `trace` holds what came before.
    """
    recorder = Recorder(memory_budget=memory_budget, on_step=on_step)
    for _ in stream(
        lm, prompt, settings, recorder, logits_processor=logits_processor, stopping_criteria=stopping_criteria
    ):
        pass
    return recorder.trace


def stream(
    lm: LanguageModel,
    prompt: Prompt,
    settings: Settings | None,
    recorder: Recorder,
    *,
    logits_processor: LogitsProcessorList | None = None,
    stopping_criteria: StoppingCriteriaList | None = None,
) -> Generator[Step, None, Any]:
    """Yields each step of `record`'s run; `recorder.trace` is the trace so far, also after closing it early.

    Raises:
        As `record`; what can be checked beforehand is checked before the first step.
    """
    settings = settings or Settings()
    encoded = encode_prompt(lm, prompt, settings.negative_prompt)
    kwargs = settings.generate_kwargs(lm.tokenizer)
    _check_with_model(lm, encoded.input_ids.shape[1], settings, kwargs)
    recorder.tokenizer, recorder.seed = lm.tokenizer, settings.seed
    recorder.facts = _facts(lm, encoded, settings)
    recorder.identity = {k: v for k, v in lm.identity().items() if k in ("name", "source", "revision")}
    if encoded.negative_ids is not None:
        kwargs["negative_prompt_ids"] = encoded.negative_ids.to(lm.model.device)
        kwargs["negative_prompt_attention_mask"] = encoded.negative_mask.to(lm.model.device)
    return recorder.stream(
        lm.model,
        input_ids=encoded.input_ids.to(lm.model.device),
        attention_mask=encoded.attention_mask.to(lm.model.device),
        logits_processor=logits_processor,
        stopping_criteria=stopping_criteria,
        **kwargs,
    )


def _check_with_model(lm: LanguageModel, length: int, settings: Settings, kwargs: dict[str, Any]) -> None:
    """What depends on the prompt's length and the model's vocabulary, before transformers fails on it less clearly."""
    n_new, longest = settings.max_new_tokens, settings.max_length
    if longest is not None and n_new is None and not lm.is_encoder_decoder:
        if longest <= length:
            raise SettingError(
                "max_length", longest, f"> {length}, the tokens of the prompt",
                "raise it, or use max_new_tokens, which does not count the prompt",
            )  # fmt: skip
        n_new = longest - length
    check_fits(lm, length, n_new)
    vocab_size = lm.model.config.get_text_config().vocab_size
    for name, values in kwargs.items():
        if KNOBS[name].kind in ("token_list", "sequence_list", "sequence_bias"):
            largest = max(_ids(values))
            if largest >= vocab_size:
                raise SettingError(
                    name, largest, f"made of token ids in [0, {vocab_size - 1}]", f"{lm.name} has {vocab_size} tokens"
                )


def _ids(values: Any) -> Iterator[int]:
    """Every token id in nested lists, biases (which are floats) left out."""
    if isinstance(values, int):
        yield values
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _ids(value)


def _facts(lm: LanguageModel, encoded: EncodedPrompt, settings: Settings) -> dict[str, Any]:
    reads_with_encoder = lm.is_encoder_decoder
    return {
        "settings": settings,
        "prompts": encoded.texts,
        "messages": encoded.messages,
        "encoder_ids": encoded.input_ids if reads_with_encoder else None,
        "encoder_mask": encoded.attention_mask if reads_with_encoder else None,
        "tokens": TokenTable.from_tokenizer(lm.tokenizer, lm.model.config.get_text_config().vocab_size),
    }
