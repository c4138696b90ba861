"""transformers' own processors for some settings, built without the model; which run, and in what order, it says."""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from transformers.generation import GenerationConfig, GenerationMixin, LogitsProcessorList

from decoding.parameters.acting import DERIVED, SPECIAL_TOKENS, TRANSFORMERS_DEFAULTS
from decoding.parameters.combinations import check_acting
from decoding.parameters.knobs import KNOBS, PROCESSOR_OF
from decoding.parameters.settings import Settings, watermarking
from decoding.recorded.given import defaults_known
from decoding.recorded.run import RecordedRun
from decoding.recorded.sampler_chain import chance_seed, padding_of
from decoding.samplers.chain import chain_of, planned
from decoding.transformers_private import logits_processors, set_special_tokens
from decoding.whatif.constraint import constraint_under

__all__ = ["NEEDS_THE_MODEL", "effective_config", "processors_of"]

NEEDS_THE_MODEL = PROCESSOR_OF["guidance_scale"].name  # it runs the model a second time at each step
LIMITS = ("max_new_tokens", "max_length")


class _NoModel(GenerationMixin):
    """As much of a model as `_get_logits_processor` asks for."""

    def __init__(self, trace: RecordedRun) -> None:
        text_config = SimpleNamespace(vocab_size=trace.model.vocab_size)
        self.config = SimpleNamespace(
            is_encoder_decoder=trace.model.is_encoder_decoder, get_text_config=lambda **_: text_config
        )


def effective_config(trace: RecordedRun, settings: Settings) -> GenerationConfig:
    """The parameters that would have acted on the recorded run, had it been given `settings`.

    What `settings` leaves out is at the model's own default, else at transformers'; of a trace that has not kept the
    model's own, `undecided_defaults` names what this is not known of. Without a length limit the run's own
    stays. Words among the settings were turned into token ids when the run was recorded; new ones need a tokenizer and
    raise `SettingError`.

    Raises:
        SettingError: the settings and the model's own defaults cannot go together, or a word needs a tokenizer.
        TypeError, ValueError: transformers refuses them.
    """
    defaults = _defaults(trace)
    given = _with_known_ids(trace, settings)
    values = {**defaults, **given}
    samplers = {n: v for n, v in settings.given().items() if KNOBS[n].group == "engines"}
    if settings.num_return_sequences is None and (values.get("num_return_sequences") or 1) > _most_returned(values):
        del values["num_return_sequences"]  # the rows are those recorded; these settings would make fewer
    check_acting({n: v for n, v in defaults.items() if n in values}, {**settings.beside(), **given})
    if isinstance(values.get("watermarking_config"), dict):
        values["watermarking_config"] = watermarking(values["watermarking_config"])
    config = GenerationConfig(**values)
    for name, value in TRANSFORMERS_DEFAULTS.items():
        if getattr(config, name, None) is None:
            setattr(config, name, value)
    for name, value in {**samplers, **planned({**samplers, **given}, defaults).acts}.items():
        setattr(config, name, value)  # llama.cpp's parameters; a default may give way to them
    start = trace.prompt_ids.shape[1]
    if config.max_new_tokens is not None:
        config.max_length = start + config.max_new_tokens
    elif settings.max_length is None:
        config.max_length = trace.generation_config.get("max_length", start + 20)
    if config.min_new_tokens is not None:
        config.min_length = start + config.min_new_tokens
    _prepare_special_tokens(config)
    return config


def _defaults(trace: RecordedRun) -> dict[str, Any]:
    """The model's own defaults, as far as they are known, and the special tokens that acted; no length limits."""
    known, config = defaults_known(trace), trace.generation_config
    if known is None and trace.settings is not None:  # what was not given was at its default
        made = {length for length, new in DERIVED.items() if config.get(new) is not None}
        known = {n: v for n, v in config.items() if n not in made and n not in trace.settings.given()}
    elif known is None:
        known = {"eos_token_id": config.get("eos_token_id")}
    used = {name: config[name] for name in SPECIAL_TOKENS if name in config and name != "eos_token_id"}
    return {n: v for n, v in {**known, **used}.items() if v is not None and n not in LIMITS}


def processors_of(trace: RecordedRun, config: GenerationConfig, settings: Settings) -> LogitsProcessorList:
    """The processors that would have run, but for those that run the model.

    Args:
        config: from `effective_config`.
        settings: of which it was made; their seed is that of XTC's chance, where the run has none.
    """
    config = copy.copy(config)
    config.guidance_scale = None
    recorded = chance_seed(trace)
    chain = chain_of(
        config.to_dict(), {}, table=trace.tokens, pad_token_id=padding_of(trace),
        seed=(settings.seed or 0) if recorded is None else recorded,
    )  # fmt: skip
    for name, value in chain.instead.items():
        setattr(config, name, value)
    mask = trace.prompt_mask
    return logits_processors(
        _NoModel(trace),
        generation_config=config,
        input_ids_seq_length=trace.prompt_ids.shape[1],
        encoder_input_ids=trace.encoder_ids if trace.model.is_encoder_decoder else _prompts(trace),
        logits_processor=LogitsProcessorList([*constraint_under(trace, settings, config), *chain.processors]),
        device="cpu",
        model_kwargs={"attention_mask": None if bool((mask == 1).all()) else mask},
    )


def _most_returned(values: dict[str, Any]) -> float:
    """How many sequences `generate()` would return per prompt at most."""
    n_beams = values.get("num_beams") or 1
    return n_beams if n_beams > 1 else math.inf if values.get("do_sample") else 1


def _prompts(trace: RecordedRun) -> Tensor:
    return trace.prompt_ids[:: trace.rows_per_prompt]


def _with_known_ids(trace: RecordedRun, settings: Settings) -> dict[str, Any]:
    """`Settings.generate_kwargs`, with the ids that the recorded run used for the same words."""
    then = trace.settings.given() if trace.settings else {}
    known = {
        name: trace.generation_config[name]
        for name, value in settings.given().items()
        if name in trace.generation_config and then.get(name) == value
    }
    new = {name: value for name, value in settings.given().items() if name not in known}
    return {**Settings.generate_kwargs(_only(new)), **{k: v for k, v in known.items() if k not in ("seed",)}}


def _only(values: dict[str, Any]) -> Settings:
    """Settings that have been checked already."""
    settings = object.__new__(Settings)
    for name in Settings.__dataclass_fields__:
        object.__setattr__(settings, name, values.get(name))
    return settings


def _prepare_special_tokens(config: GenerationConfig) -> None:
    def tensor(value: Any) -> Tensor | None:
        return None if value is None else torch.tensor(value if isinstance(value, list) else [value])

    set_special_tokens(config, eos=tensor(config.eos_token_id), pad=tensor(config.pad_token_id))
