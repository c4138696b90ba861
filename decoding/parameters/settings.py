"""Settings: the decoding parameters a person gave, checked; what they left out, transformers decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from decoding.errors import SettingError
from decoding.parameters.combinations import check_given
from decoding.parameters.knobs import BESIDE_THE_CONFIG, KNOBS, Knob, Mode
from decoding.tokens.spellings import spellings, tokens_that_are
from decoding.words import words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["KNOBS", "Knob", "Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Checked decoding parameters, one field per entry of `KNOBS`; see there for kinds, ranges and help.

    A field left at None is not passed to `generate()`: the model's `generation_config` or transformers'
    default acts then (`top_k` is 50 there, for instance). Sequences are kept as tuples.

    Example:
        >>> Settings(do_sample=True, top_p=0.9).mode
        'sample'
        >>> Settings(do_sample=True, top_p=1.7)
        Traceback (most recent call last):
        decoding.errors.SettingError: top_p must be in (0, 1], got 1.7; use 1 to switch it off

    Raises:
        SettingError: a value is out of range, or those given cannot go together whatever a model's own defaults are;
            with these they are looked at once more before a run, see `decoding.parameters.combinations`.
    """

    do_sample: bool | None = None
    num_return_sequences: int | None = None
    seed: int | None = None
    temperature: float | None = None
    top_h: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    epsilon_cutoff: float | None = None
    eta_cutoff: float | None = None
    repetition_penalty: float | None = None
    encoder_repetition_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    encoder_no_repeat_ngram_size: int | None = None
    exponential_decay_length_penalty: tuple[int, float] | None = None
    guidance_scale: float | None = None
    negative_prompt: str | None = None
    max_new_tokens: int | None = None
    max_length: int | None = None
    min_new_tokens: int | None = None
    min_length: int | None = None
    max_time: float | None = None
    stop_strings: tuple[str, ...] | None = None
    eos_token_id: tuple[int | str, ...] | None = None
    num_beams: int | None = None
    length_penalty: float | None = None
    early_stopping: bool | str | None = None
    num_beam_groups: int | None = None
    diversity_penalty: float | None = None
    penalty_alpha: float | None = None
    bad_words_ids: tuple[str | tuple[int, ...], ...] | None = None
    sequence_bias: tuple[tuple[str | tuple[int, ...], float], ...] | None = None
    suppress_tokens: tuple[int | str, ...] | None = None
    begin_suppress_tokens: tuple[int | str, ...] | None = None
    forced_bos_token_id: tuple[int | str, ...] | None = None
    forced_eos_token_id: tuple[int | str, ...] | None = None
    json_schema: str | None = None
    regex: str | None = None
    grammar: str | None = None
    remove_invalid_values: bool | None = None
    renormalize_logits: bool | None = None
    watermarking_config: tuple[tuple[str, Any], ...] | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    dry_penalty_last_n: int | None = None
    dry_sequence_breakers: tuple[str, ...] | None = None
    top_n_sigma: float | None = None
    xtc_probability: float | None = None
    xtc_threshold: float | None = None
    dynatemp_range: float | None = None
    dynatemp_exponent: float | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    adaptive_target: float | None = None
    adaptive_decay: float | None = None

    def __post_init__(self) -> None:
        for name, knob in KNOBS.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, knob.checked(value))
        check_given(self.given())

    @property
    def mode(self) -> Mode:
        """The decoding mode, by the rules of `GenerationConfig.get_generation_mode`; a model's own defaults may
        make it another one."""
        return mode_of(self.given())

    def given(self) -> dict[str, Any]:
        """Name and value of every parameter that was given, in the order of `KNOBS`."""
        return {name: value for name in KNOBS if (value := getattr(self, name)) is not None}

    def beside(self) -> dict[str, Any]:
        """What was given and is not for `generate()` itself, all but the seed."""
        return {n: v for n, v in self.given().items() if n in BESIDE_THE_CONFIG and n != "seed"}

    def generate_kwargs(self, tokenizer: PreTrainedTokenizerBase | None = None) -> dict[str, Any]:
        """Keyword arguments for `model.generate()`, all but `BESIDE_THE_CONFIG` and other engines' samplers.

        For the last `decoding.samplers.chain` gives the processors.

        Args:
            tokenizer: turns words into token ids; needed only where a parameter was given as text.

        Raises:
            SettingError: a text is not a single token where one is needed, has half a character, or there is no
                tokenizer.
        """
        out: dict[str, Any] = {}
        for name, value in self.given().items():
            if name not in BESIDE_THE_CONFIG and KNOBS[name].group != "engines":
                out[name] = _as_generate_takes_it(KNOBS[name], value, tokenizer)
        return out

    def to_json(self) -> dict[str, Any]:
        """The given parameters as plain JSON values; `from_json` takes them back."""
        return json.loads(json.dumps(self.given()))

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Settings:
        """Settings from `to_json`'s values, which are checked like any other.

        Raises:
            SettingError: a name is no parameter, or a value cannot be used.
        """
        if not isinstance(values, dict):
            raise SettingError("settings", values, "an object of parameter names and values", "see KNOBS")
        for name in values:
            if name not in KNOBS:
                raise SettingError(str(name), values[name], "the name of a decoding parameter", "see KNOBS")
        return cls(**values)


def mode_of(values: Mapping[str, Any]) -> Mode:
    """The decoding mode that `generate()` would choose for these parameters (missing ones at their defaults)."""
    do_sample = values.get("do_sample") is True
    if (values.get("num_beams") or 1) > 1:
        if (values.get("num_beam_groups") or 1) > 1:
            return "group_beam_search"
        return "beam_sample" if do_sample else "beam_search"
    if do_sample:
        return "sample"
    top_k = values.get("top_k")
    if (values.get("penalty_alpha") or 0) > 0 and (top_k is None or top_k > 1):
        return "contrastive_search"
    return "greedy"


def _check_characters(knob: Knob, value: Any) -> None:
    """Half a surrogate pair is no character: no tokenizer can encode it."""
    if isinstance(value, (list, tuple)):
        for item in value:
            _check_characters(knob, item)
    elif isinstance(value, str):
        half = next((char for char in value if "\ud800" <= char <= "\udfff"), None)
        if half is not None:
            remedy = "it has half a character (a lone surrogate, U+{code:04X}); remove it"
            raise knob.wrong(value, words(remedy, code=ord(half)))


def _as_generate_takes_it(knob: Knob, value: Any, tokenizer: PreTrainedTokenizerBase | None) -> Any:
    _check_characters(knob, value)
    if knob.kind == "text_list":
        return list(value)
    if knob.kind == "token_list" and knob.name.endswith("suppress_tokens"):
        return [token_id for item in value for token_id in _single_tokens(knob, item, tokenizer)]
    if knob.kind == "token_list":
        ids = [_token_id(knob, item, tokenizer) for item in value]
        only_one = knob.name == "forced_bos_token_id" or len(ids) == 1 and knob.name.endswith("_token_id")
        return ids[0] if only_one else ids
    if knob.kind == "sequence_list":
        return [ids for item in value for ids in _spellings(knob, item, tokenizer)]
    if knob.kind == "sequence_bias":
        return [[ids, bias] for item, bias in value for ids in _spellings(knob, item, tokenizer)]
    if knob.kind == "watermark":
        return watermarking(dict(value))
    return value


def _token_id(knob: Knob, item: int | str, tokenizer: PreTrainedTokenizerBase | None) -> int:
    """The one token that a text is: as a text begins, for the token that comes first; else without a space."""
    if isinstance(item, int):
        return item
    ids = _encode(knob, item, tokenizer)
    exact = [] if knob.name == "forced_bos_token_id" else tokens_that_are(tokenizer, item)
    if len(ids) != 1 and not exact:
        raise _not_one(knob, item, ids)
    return ids[0] if len(ids) == 1 and ids[0] in exact or not exact else exact[0]


def _single_tokens(knob: Knob, item: int | str, tokenizer: PreTrainedTokenizerBase | None) -> list[int]:
    """The single tokens among the ways in which a text is written."""
    if isinstance(item, int):
        return [item]
    runs = _spellings(knob, item, tokenizer)
    singles = [ids[0] for ids in runs if len(ids) == 1]
    if not singles:
        raise _not_one(knob, item, runs[0])
    return singles


def _spellings(knob: Knob, item: str | tuple[int, ...], tokenizer: PreTrainedTokenizerBase | None) -> list[list[int]]:
    """A word is other tokens inside a sentence than at its start: both are meant."""
    if not isinstance(item, str):
        return [list(item)]
    if tokenizer is None:
        raise _no_tokenizer(knob, item)
    runs = spellings(tokenizer, item)
    if not runs:
        remedy = "this model's vocabulary cannot spell {item!r}, so it never comes; leave it out"
        raise knob.wrong(item, words(remedy, item=item))
    return runs


def _encode(knob: Knob, text: str, tokenizer: PreTrainedTokenizerBase | None) -> list[int]:
    if tokenizer is None:
        raise _no_tokenizer(knob, text)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _no_tokenizer(knob: Knob, text: str) -> SettingError:
    return knob.wrong(text, "texts need a tokenizer to become token ids; give the ids")


def _not_one(knob: Knob, item: str, ids: list[int]) -> SettingError:
    remedy = "{item!r} is {n} tokens {ids} for this model; give one token, or its id"
    return knob.wrong(item, words(remedy, item=item, n=len(ids), ids=ids))


def watermarking(arguments: dict[str, Any]) -> Any:
    """The watermarking config of transformers with these arguments.

    Raises:
        SettingError: they are not those of one.
    """
    from transformers import SynthIDTextWatermarkingConfig, WatermarkingConfig

    kind = SynthIDTextWatermarkingConfig if "ngram_len" in arguments or "keys" in arguments else WatermarkingConfig
    arguments = {k: list(v) if isinstance(v, tuple) else v for k, v in arguments.items()}
    try:
        config = kind(**arguments)
        config.validate()
    except (TypeError, ValueError) as err:
        raise KNOBS["watermarking_config"].wrong(arguments, str(err)) from err
    return config
