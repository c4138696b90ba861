"""record and stream: a prompt and settings become a recorded run."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from typing import Any

from transformers.generation import LogitsProcessorList, StoppingCriteriaList

from decoding.constraints.of_settings import constraint_of, warnings_of
from decoding.models.feasible import check_feasible, refusals_as_settings
from decoding.models.load import LanguageModel
from decoding.models.processes import told_by_rank_0
from decoding.models.prompts import EncodedPrompt, Prompt, encode_prompt
from decoding.parameters.acting import acting, model_defaults
from decoding.parameters.settings import Settings
from decoding.recorded.run import Step
from decoding.recorded.step_store import DEFAULT_MEMORY_BUDGET
from decoding.recorder import Recorder
from decoding.samplers.chain import Chain, chain_of
from decoding.tokens.known_tables import table_of
from decoding.trace import Trace

__all__ = ["record", "stream"]

SEED_BITS = 62  # of XTC's chance, where no seed was given


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

    Example:
        >>> from decoding import Settings, load_model, record
        >>> trace = record(load_model(), "The capital of France is", Settings(max_new_tokens=3))
        >>> trace.mode, len(trace.steps), trace.text()
        ('greedy', 3, ' Paris.\\n')

    Args:
        lm: from `load_model`.
        prompt: a text, a list of texts (a batch), chat messages, or a list of chats.
        settings: decoding parameters; what is left out, the model's or transformers' defaults decide.
        logits_processor: your own processors; they run and are recorded after transformers' penalties and
            before its temperature, where `generate` puts them; after a constraint, where the settings ask for one.
        stopping_criteria: your own criteria.
        memory_budget: bytes of memory that a recording may take; steps that do not fit go to a temporary file.
        on_step: called with each step as it is decoded.

    Raises:
        PromptError: the prompt is empty or does not fit the model.
        SettingError: a parameter cannot be used with this model, its own defaults, or its tokenizer.
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
    check_feasible(lm, {**settings.beside(), **kwargs}, length=encoded.input_ids.shape[1])
    recorder.tokenizer, recorder.seed = lm.tokenizer, settings.seed
    recorder.facts = _facts(lm, encoded, settings)
    recorder.facts["chain"] = chain = _chain(lm, encoded, settings, kwargs)
    kwargs |= chain.instead
    recorder.identity = {k: v for k, v in lm.identity().items() if k in ("name", "source", "revision")}
    if encoded.negative_ids is not None and encoded.negative_mask is not None:
        kwargs["negative_prompt_ids"] = encoded.negative_ids.to(lm.model.device)
        kwargs["negative_prompt_attention_mask"] = encoded.negative_mask.to(lm.model.device)
    values = acting(model_defaults(lm.model), kwargs)
    recorder.of_settings = constraint_of(
        settings.given(), recorder.facts["tokens"], values.get("eos_token_id"), num_beams=values.get("num_beams"),
        start=None if lm.is_encoder_decoder else encoded.input_ids.shape[1],
    )  # fmt: skip
    with refusals_as_settings(settings.given()):
        return recorder.stream(
            lm.model,
            input_ids=encoded.input_ids.to(lm.model.device),
            attention_mask=encoded.attention_mask.to(lm.model.device),
            logits_processor=LogitsProcessorList(
                [*recorder.of_settings, *(logits_processor or ()), *chain.processors]
            ),
            stopping_criteria=stopping_criteria,
            **kwargs,
        )


def _chain(lm: LanguageModel, encoded: EncodedPrompt, settings: Settings, kwargs: dict[str, Any]) -> Chain:
    """The samplers of other engines that the settings ask for."""
    seed = told_by_rank_0(lm.model, secrets.randbits(SEED_BITS)) if settings.seed is None else settings.seed
    return chain_of(
        {**settings.given(), **kwargs}, model_defaults(lm.model), tokenizer=lm.tokenizer,
        table=table_of(lm.tokenizer, lm.model.config.get_text_config().vocab_size), seed=seed,
        pad_token_id=lm.tokenizer.pad_token_id if bool((encoded.attention_mask == 0).any()) else None,
    )  # fmt: skip


def _facts(lm: LanguageModel, encoded: EncodedPrompt, settings: Settings) -> dict[str, Any]:
    reads_with_encoder = lm.is_encoder_decoder
    return {
        "settings": settings,
        "prompts": encoded.texts,
        "messages": encoded.messages,
        "encoder_ids": encoded.input_ids if reads_with_encoder else None,
        "encoder_mask": encoded.attention_mask if reads_with_encoder else None,
        "tokens": table_of(lm.tokenizer, lm.model.config.get_text_config().vocab_size),
        "warnings": warnings_of(settings.given()),
    }
