"""KNOBS: the one table of every decoding parameter.

Validation, page controls, help texts, command-line options, permalinks and code snippets are all made
from it, so a parameter is declared once; so are the processor that it becomes, and the colour of what that
removes. Names and meanings are those of transformers' `GenerationConfig`; those that are not part of it
(`BESIDE_THE_CONFIG`) say so in their help. Those of the group `engines` are llama.cpp's, which transformers lacks:
`decoding/samplers/` has their processors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from decoding.constraints.texts import checked_text
from decoding.errors import SettingError, shown
from decoding.words import words

__all__ = [
    "BEAM_MODES", "BESIDE_THE_CONFIG", "KNOBS", "MODES", "PARAMETER_OF", "PLAIN_SAMPLING", "PROCESSOR_OF",
    "SAMPLING_MODES", "Knob",
    "Processor",
]  # fmt: skip

Mode = Literal[
    "greedy", "sample", "beam_search", "beam_sample", "group_beam_search", "contrastive_search"
]
MODES: tuple[Mode, ...] = (
    "greedy", "sample", "beam_search", "beam_sample", "group_beam_search", "contrastive_search"
)  # fmt: skip
ALL = frozenset(MODES)
SAMPLING_MODES = frozenset({"sample", "beam_sample"})
BEAM_MODES = frozenset({"beam_search", "beam_sample", "group_beam_search"})
PLAIN_SAMPLING = frozenset({"sample"})
# Parameters of GenerationConfig that are no knobs, but that a second run needs, too.
ALSO_KEPT = (
    "use_cache", "cache_implementation", "pad_token_id", "bos_token_id", "decoder_start_token_id", "prefill_chunk_size"
)  # fmt: skip
# Knobs that are no parameters of GenerationConfig: `record` sees to them.
BESIDE_THE_CONFIG = ("seed", "negative_prompt", "json_schema", "regex", "grammar")
SEED_LIMIT = 2**63 - 1  # torch's generators take signed 64-bit seeds
INT_LIMIT = 2**31 - 1  # for whole numbers and token ids that have no other; beyond it tensors overflow
NGRAM_LIMIT = 10_000  # transformers makes that many copies of the input for encoder_no_repeat_ngram_size

Kind = Literal[
    "bool", "int", "float", "early_stopping", "text", "text_list", "token_list",
    "sequence_list", "sequence_bias", "decay", "watermark", "constraint",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Processor:
    """What `generate()` makes of a parameter: a processor, which is a stage of the scores.

    Attributes:
        name: its class, as transformers spells it.
        attribute: where it keeps the parameter's value; "" where that is not one number.
        colours: of what a truncation rule removes, on a light ground and on a dark one; None for all others.
    """

    name: str
    attribute: str = ""
    colours: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One decoding parameter.

    Attributes:
        name: transformers' spelling.
        kind: the shape of its value. `token_list`: token ids or single-token strings. `sequence_list`:
            lists of token ids, or strings. `sequence_bias`: (sequence, bias) pairs. `decay`: (start, factor).
        low, high: accepted range; None is unbounded. `low_open` / `high_open`: the end itself is excluded.
        neutral: the value at which it changes nothing, or None where only "not given" does.
        modes: the decoding modes in which it acts.
        group: where the page puts it.
        help: what it does, in one or two sentences.
        slider: (low, high, step) of the page's slider, or None for a field.
        off: how to switch it off, for error messages.
        becomes: the processor that it becomes, or one of these; none where it acts in another way.
    """

    name: str
    kind: Kind
    group: Literal[
        "mode", "sampling", "penalties", "length", "beams", "constraints", "constrained", "other", "engines"
    ]  # fmt: skip
    help: str
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    neutral: Any = None
    modes: frozenset[str] = ALL
    slider: tuple[float, float, float] | None = None
    off: str = "leave it out to switch it off"
    becomes: tuple[Processor, ...] = ()

    @property
    def accepts(self) -> str:
        """The accepted values in words, e.g. `in (0, 1]`."""
        if self.kind == "bool":
            return "True or False"
        if self.kind not in ("int", "float"):
            return KIND_IN_WORDS[self.kind]
        whole = self.kind == "int"
        if self.high is None:
            bound = f"{'>' if self.low_open else '>='} {self.low}"
            return words("a whole number {bound}", bound=bound) if whole else words("{bound}", bound=bound)
        ends = "(" if self.low_open else "[", ")" if self.high_open else "]"
        range_ = f"{ends[0]}{self.low}, {self.high}{ends[1]}"
        return words("a whole number in {range}", range=range_) if whole else words("in {range}", range=range_)

    def checked(self, value: Any) -> Any:
        """The value, normalised to a hashable form (tuples, exact int or float).

        Raises:
            SettingError: it is of the wrong kind or out of range.
        """
        return CHECKS[self.kind](self, value)

    def wrong(self, value: Any, remedy: str | None = None) -> SettingError:
        """The error that says why `value` cannot be used."""
        return SettingError(self.name, value, self.accepts, remedy or self.off)


KIND_IN_WORDS: dict[str, str] = {
    "early_stopping": "True, False or 'never'",
    "text": "a text",
    "text_list": "a list of texts that are not empty",
    "token_list": "a list of token ids, or of texts that are one token each",
    "sequence_list": "a list whose items are texts or lists of token ids",
    "sequence_bias": "a list of (text or token ids, bias) pairs, or a dict of them",
    "decay": "a pair (start index >= 0, factor > 0)",
    "constraint": "a text, of a JSON schema, a regular expression or a grammar",
    "watermark": "the keyword arguments of transformers' WatermarkingConfig or SynthIDTextWatermarkingConfig",
}


def _check_bool(knob: Knob, value: Any) -> bool:
    if not isinstance(value, bool):
        raise knob.wrong(value)
    return value


def _check_number(knob: Knob, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise knob.wrong(value)
    if knob.kind == "int":
        if isinstance(value, float) and not value.is_integer():
            raise knob.wrong(value)
        value = int(value)
        if knob.high is None and value > INT_LIMIT:
            raise SettingError(knob.name, value, words("a whole number up to {most}", most=INT_LIMIT), knob.off)
    elif not _is_finite(value):
        raise knob.wrong(value)
    else:
        value = float(value)
    too_low = knob.low is not None and (value <= knob.low if knob.low_open else value < knob.low)
    too_high = knob.high is not None and (value >= knob.high if knob.high_open else value > knob.high)
    if too_low or too_high:
        remedy = None
        if knob.name == "temperature" and value == 0:
            remedy = (
                "temperature divides the logits, so 0 is no temperature. For 'always the same answer' use "
                "do_sample=False (greedy decoding), which always takes the most likely token"
            )
        raise knob.wrong(value, remedy)
    return value


def _is_finite(value: Any) -> bool:
    """Whether it is a number that a float can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _check_early_stopping(knob: Knob, value: Any) -> bool | str:
    if not (isinstance(value, bool) or value == "never"):
        raise knob.wrong(value)
    return value


def _check_text(knob: Knob, value: Any) -> str:
    if not isinstance(value, str):
        raise knob.wrong(value)
    return value


def _check_constraint(knob: Knob, value: Any) -> str:
    return checked_text(knob.name, value)


def _check_text_list(knob: Knob, value: Any) -> tuple[str, ...]:
    items = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if not items or not all(isinstance(item, str) and item for item in items):
        raise knob.wrong(value)
    return items


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= INT_LIMIT


def _check_token_list(knob: Knob, value: Any) -> tuple[int | str, ...]:
    if _is_id(value) or isinstance(value, str):
        value = (value,)
    items = tuple(value) if isinstance(value, (list, tuple)) else ()
    if not items or not all(_is_id(item) or (isinstance(item, str) and item) for item in items):
        raise knob.wrong(value)
    if knob.name == "forced_bos_token_id" and len(items) > 1:
        raise knob.wrong(value, "only one token can come first; give one")
    return items


def _sequence(knob: Knob, value: Any, whole: Any) -> str | tuple[int, ...]:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, (list, tuple)) and value and all(_is_id(item) for item in value):
        return tuple(value)
    raise knob.wrong(whole)


def _check_sequence_list(knob: Knob, value: Any) -> tuple[str | tuple[int, ...], ...]:
    if not isinstance(value, (list, tuple)) or not value:
        raise knob.wrong(value)
    return tuple(_sequence(knob, item, value) for item in value)


def _check_sequence_bias(knob: Knob, value: Any) -> tuple[tuple[str | tuple[int, ...], float], ...]:
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, (list, tuple)) or not pairs:
        raise knob.wrong(value)
    out = []
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise knob.wrong(value)
        bias = pair[1]
        if not _is_finite(bias) and bias not in (math.inf, -math.inf):
            raise knob.wrong(value)
        out.append((_sequence(knob, pair[0], value), float(bias)))
    return tuple(out)


def _check_decay(knob: Knob, value: Any) -> tuple[int, float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise knob.wrong(value)
    start, factor = value
    if not _is_id(start) or not _is_finite(factor) or factor <= 0:
        raise knob.wrong(value)
    return (start, float(factor))


# What each argument of the two watermarking configs must be; their own checks come on top.
WATERMARK: dict[str, Callable[[Any], bool]] = {
    "greenlist_ratio": lambda v: _is_finite(v) and 0 < v < 1,
    "bias": _is_finite,
    "hashing_key": _is_id,
    "seeding_scheme": lambda v: isinstance(v, str),
    "context_width": _is_id,
    "ngram_len": lambda v: _is_id(v) and 1 <= v <= NGRAM_LIMIT,
    "keys": lambda v: isinstance(v, (list, tuple)) and bool(v) and all(_is_id(key) for key in v),
    "context_history_size": lambda v: _is_id(v) and v <= 2**20,
    "sampling_table_seed": _is_id,
    "sampling_table_size": lambda v: _is_id(v) and 1 <= v <= 2**24,
    "skip_first_ngram_calls": lambda v: isinstance(v, bool),
    "debug_mode": lambda v: isinstance(v, bool),
}


def _is_named(pair: Any) -> bool:
    return isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str)


def _check_watermark(knob: Knob, value: Any) -> tuple[tuple[str, Any], ...]:
    pairs = value.to_dict() if hasattr(value, "to_dict") else value
    if isinstance(pairs, (list, tuple)) and all(_is_named(pair) for pair in pairs):
        pairs = dict(pairs)
    if not isinstance(pairs, dict):
        raise knob.wrong(value)
    unknown = sorted(set(map(str, pairs)) - set(WATERMARK))
    if unknown:
        raise knob.wrong(value, words("{unknown!r} is no argument of either; {off}", unknown=unknown[0], off=knob.off))
    given = {name: argument for name, argument in sorted(pairs.items()) if argument is not None}
    for name, argument in given.items():
        if not WATERMARK[name](argument):
            remedy = words("{name} cannot be {value}; {off}", name=name, value=shown(argument), off=knob.off)
            raise knob.wrong(value, remedy)
    return tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in given.items())


CHECKS = {
    "bool": _check_bool,
    "int": _check_number,
    "float": _check_number,
    "early_stopping": _check_early_stopping,
    "text": _check_text,
    "text_list": _check_text_list,
    "token_list": _check_token_list,
    "sequence_list": _check_sequence_list,
    "sequence_bias": _check_sequence_bias,
    "decay": _check_decay,
    "watermark": _check_watermark,
    "constraint": _check_constraint,
}

FORBIDDEN = ("#7a1f3d", "#f08aa8")  # by a constraint, of whichever kind

_TABLE = (
    # -- mode
    Knob(name="do_sample", kind="bool", group="mode", neutral=False,
         help="Draw the next token at random from the distribution instead of taking the most likely one."),
    Knob(name="num_return_sequences", kind="int", group="mode", low=1, neutral=1, slider=(1, 8, 1),
         modes=SAMPLING_MODES | BEAM_MODES, off="use 1 for a single answer",
         help="How many answers to return for each prompt."),
    Knob(name="seed", kind="int", group="mode", low=0, high=SEED_LIMIT, modes=SAMPLING_MODES,
         off="leave it out to draw from torch's global random state",
         help="Fixes the random draws: the same seed and settings give the same text. Not part of "
              "GenerationConfig; it stands for torch.manual_seed before generate()."),
    # -- sampling: truncation and temperature, in transformers' order
    Knob(name="temperature", kind="float", group="sampling", low=0, low_open=True, neutral=1.0,
         modes=SAMPLING_MODES, slider=(0.0, 2.0, 0.01), off="use 1 to switch it off",
         becomes=(Processor("TemperatureLogitsWarper", "temperature"),),
         help="Divides the logits. Below 1 the likely tokens gain, above 1 the unlikely ones do; the order "
              "of the tokens never changes."),
    Knob(name="top_h", kind="float", group="sampling", low=0, high=1, low_open=True, modes=SAMPLING_MODES,
         slider=(0.01, 1.0, 0.01),
         becomes=(Processor("TopHLogitsWarper", "top_h", ("#2f5d73", "#8fc0d8")),),
         help="Keeps the most likely tokens while their entropy stays below top_h times the entropy of the "
              "whole distribution (of its 100 most likely tokens)."),
    Knob(name="top_k", kind="int", group="sampling", low=0, neutral=0,
         modes=SAMPLING_MODES | {"contrastive_search"}, slider=(0, 200, 1), off="use 0 to switch it off",
         becomes=(Processor("TopKLogitsWarper", "top_k", ("#9c4377", "#e39ac2")),),
         help="Keeps the k most likely tokens (and all tied with the last one). In contrastive search: the "
              "number of candidates to choose among."),
    Knob(name="top_p", kind="float", group="sampling", low=0, high=1, low_open=True, neutral=1.0,
         modes=SAMPLING_MODES, slider=(0.01, 1.0, 0.01), off="use 1 to switch it off",
         becomes=(Processor("TopPLogitsWarper", "top_p", ("#007a59", "#4cc79b")),),
         help="Keeps the smallest set of most likely tokens whose probabilities add up to p; the token that "
              "crosses p is kept."),
    Knob(name="min_p", kind="float", group="sampling", low=0, high=1, neutral=0.0, modes=SAMPLING_MODES,
         slider=(0.0, 1.0, 0.01), off="use 0 to switch it off",
         becomes=(Processor("MinPLogitsWarper", "min_p", ("#7d6b00", "#d6c344")),),
         help="Keeps tokens at least min_p times as likely as the most likely one."),
    Knob(name="typical_p", kind="float", group="sampling", low=0, high=1, low_open=True, neutral=1.0,
         modes=SAMPLING_MODES, slider=(0.01, 1.0, 0.01), off="use 1 to switch it off",
         becomes=(Processor("TypicalLogitsWarper", "mass", ("#6a4fb3", "#b7a3f5")),),
         help="Keeps the tokens whose surprisal is nearest to the entropy, until their probabilities add up "
              "to this mass (locally typical sampling)."),
    Knob(name="epsilon_cutoff", kind="float", group="sampling", low=0, high=1, high_open=True, neutral=0.0,
         modes=SAMPLING_MODES, slider=(0.0, 0.1, 0.0005), off="use 0 to switch it off",
         becomes=(Processor("EpsilonLogitsWarper", "epsilon", ("#8a5a1f", "#dba765")),),
         help="Keeps tokens with at least this probability."),
    Knob(name="eta_cutoff", kind="float", group="sampling", low=0, high=1, high_open=True, neutral=0.0,
         modes=SAMPLING_MODES, slider=(0.0, 0.1, 0.0005), off="use 0 to switch it off",
         becomes=(Processor("EtaLogitsWarper", "epsilon", ("#4d6b1f", "#a9c973")),),
         help="Like epsilon_cutoff, with a threshold that falls as the distribution gets flatter."),
    # -- penalties
    Knob(name="repetition_penalty", kind="float", group="penalties", low=0, low_open=True, neutral=1.0,
         slider=(0.5, 2.0, 0.01), off="use 1 to switch it off",
         becomes=(Processor("RepetitionPenaltyLogitsProcessor", "penalty"),),
         help="Makes tokens already seen less likely (above 1). It counts the prompt as seen, too."),
    Knob(name="encoder_repetition_penalty", kind="float", group="penalties", low=0, low_open=True, neutral=1.0,
         slider=(0.5, 2.0, 0.01), off="use 1 to switch it off",
         becomes=(Processor("EncoderRepetitionPenaltyLogitsProcessor", "penalty"),),
         help="Makes tokens of the input more likely (above 1), so that the answer stays close to it."),
    Knob(name="no_repeat_ngram_size", kind="int", group="penalties", low=0, high=NGRAM_LIMIT, neutral=0,
         slider=(0, 8, 1), off="use 0 to switch it off",
         becomes=(Processor("NoRepeatNGramLogitsProcessor", "ngram_size"),),
         help="Bans every token that would complete an n-gram of this size for the second time."),
    Knob(name="encoder_no_repeat_ngram_size", kind="int", group="penalties", low=0, high=NGRAM_LIMIT, neutral=0,
         slider=(0, 8, 1), off="use 0 to switch it off",
         becomes=(Processor("EncoderNoRepeatNGramLogitsProcessor", "ngram_size"),),
         help="Bans every token that would complete an n-gram of this size that stands in the input."),
    Knob(name="exponential_decay_length_penalty", kind="decay", group="penalties",
         becomes=(Processor("ExponentialDecayLengthPenalty"),),
         help="A pair (start, factor): from that many new tokens on, the end becomes exponentially more likely."),
    Knob(name="guidance_scale", kind="float", group="penalties", low=0, neutral=1.0, slider=(1.0, 5.0, 0.1),
         off="use 1 to switch it off",
         becomes=(Processor("UnbatchedClassifierFreeGuidanceLogitsProcessor", "guidance_scale"),),
         help="Classifier-free guidance: moves away from what the model would say without the prompt, or "
              "with the negative prompt. Costs a second model run per step."),
    Knob(name="negative_prompt", kind="text", group="penalties",
         help="What to move away from; acts only with guidance_scale. Passed to generate() as "
              "negative_prompt_ids."),
    # -- length and stopping
    Knob(name="max_new_tokens", kind="int", group="length", low=1, slider=(1, 256, 1),
         help="Stop after this many new tokens.", off="leave it out for transformers' own limit"),
    Knob(name="max_length", kind="int", group="length", low=1, off="leave it out and use max_new_tokens",
         help="Stop at this length, the prompt counted in. max_new_tokens takes precedence."),
    Knob(name="min_new_tokens", kind="int", group="length", low=0, neutral=0, slider=(0, 256, 1),
         off="use 0 to switch it off",
         becomes=(Processor("MinNewTokensLengthLogitsProcessor", "min_new_tokens"),),
         help="Ban the end tokens until there are this many new tokens."),
    Knob(name="min_length", kind="int", group="length", low=0, neutral=0, off="use 0 to switch it off",
         becomes=(Processor("MinLengthLogitsProcessor", "min_length"),),
         help="Ban the end tokens until this length is reached, the prompt counted in."),
    Knob(name="max_time", kind="float", group="length", low=0, low_open=True,
         help="Stop after the step in which this many seconds have passed."),
    Knob(name="stop_strings", kind="text_list", group="length",
         help="Stop when the text ends with one of these."),
    Knob(name="eos_token_id", kind="token_list", group="length",
         help="The tokens that end a text; the model's own when left out."),
    # -- beams and the retired modes
    Knob(name="num_beams", kind="int", group="beams", low=1, neutral=1, slider=(1, 8, 1),
         off="use 1 to decode without beams", help="How many continuations beam search carries along."),
    Knob(name="length_penalty", kind="float", group="beams", low=-100, high=100, neutral=1.0, modes=BEAM_MODES,
         slider=(-2.0, 4.0, 0.1), off="use 1 for transformers' default, 0 to compare plain sums",
         help="A hypothesis scores the sum of its log-probabilities divided by its length to this power: "
              "above 0 favours long ones, below 0 short ones."),
    Knob(name="early_stopping", kind="early_stopping", group="beams", neutral=False, modes=BEAM_MODES,
         off="use False for transformers' default",
         help="True: stop as soon as num_beams hypotheses are complete. False: stop when a better one looks "
              "unlikely. 'never': stop only when none can be better."),
    Knob(name="num_beam_groups", kind="int", group="beams", low=1, neutral=1, slider=(1, 8, 1),
         modes=BEAM_MODES, off="use 1 for a single group",
         help="Diverse beam search: the beams are split into groups that avoid each other's tokens."),
    Knob(name="diversity_penalty", kind="float", group="beams", low=0, neutral=0.0, slider=(0.0, 5.0, 0.1),
         modes=frozenset({"group_beam_search"}), off="use 0 to switch it off",
         becomes=(Processor("HammingDiversityLogitsProcessor", "diversity_penalty"),),
         help="What a token loses for each earlier group that chose it at this step."),
    Knob(name="penalty_alpha", kind="float", group="beams", low=0, high=1, neutral=0.0, slider=(0.0, 1.0, 0.05),
         modes=frozenset({"contrastive_search"}), off="use 0 to switch it off",
         help="Contrastive search: weighs the model's confidence against similarity to what was said before."),
    # -- constraints
    Knob(name="bad_words_ids", kind="sequence_list", group="constraints",
         becomes=(Processor("NoBadWordsLogitsProcessor"),),
         help="Texts (or token sequences) that must not appear. A text is banned with and without a leading space, as "
              "the tokenizer writes it; the model may still spell it in smaller pieces, or inside a longer token."),
    Knob(name="sequence_bias", kind="sequence_bias", group="constraints",
         becomes=(Processor("SequenceBiasLogitsProcessor"),),
         help="Adds a bias to the token that would complete a sequence: positive makes it likelier. A text counts "
              "with and without a leading space."),
    Knob(name="suppress_tokens", kind="token_list", group="constraints",
         becomes=(Processor("SuppressTokensLogitsProcessor"),),
         help="Tokens banned at every step. A text stands for the tokens that are it, with and without a leading "
              "space; one that begins with a space for that alone."),
    Knob(name="begin_suppress_tokens", kind="token_list", group="constraints",
         becomes=(Processor("SuppressTokensAtBeginLogitsProcessor"),),
         help="Tokens banned at the first step. A text stands for the tokens that are it, with and without a "
              "leading space."),
    Knob(name="forced_bos_token_id", kind="token_list", group="constraints",
         becomes=(Processor("ForcedBOSTokenLogitsProcessor"),),
         help="The token forced to come first (encoder–decoder models; it acts where the text so far has one token)."),
    Knob(name="forced_eos_token_id", kind="token_list", group="constraints",
         becomes=(Processor("ForcedEOSTokenLogitsProcessor"),),
         help="The token forced to come last when the maximum length is reached."),
    # -- constrained text
    Knob(name="json_schema", kind="constraint", group="constrained", modes=ALL - {"contrastive_search"},
         becomes=(Processor("JsonSchemaConstraint", colours=FORBIDDEN),),
         help="The text must be JSON that fits this schema; what the schema does not name, the JSON has not. Tokens "
              "that cannot go on with it are removed before temperature, top-k and top-p. Not part of "
              "GenerationConfig; it stands for a processor from decoding.constraints."),
    Knob(name="regex", kind="constraint", group="constrained", modes=ALL - {"contrastive_search"},
         becomes=(Processor("RegexConstraint", colours=FORBIDDEN),),
         help="The whole text must match this regular expression. Not part of GenerationConfig; it stands for a "
              "processor from decoding.constraints."),
    Knob(name="grammar", kind="constraint", group="constrained", modes=ALL - {"contrastive_search"},
         becomes=(Processor("GrammarConstraint", colours=FORBIDDEN),),
         help="The text must be one of this grammar, in EBNF (llama.cpp's GBNF), from its rule root on. Not part of "
              "GenerationConfig; it stands for a processor from decoding.constraints."),
    # -- other
    Knob(name="remove_invalid_values", kind="bool", group="other", neutral=False, off="use False to switch it off",
         becomes=(Processor("InfNanRemoveLogitsProcessor"),),
         help="Replaces NaN and infinite scores so that decoding can go on."),
    Knob(name="renormalize_logits", kind="bool", group="other", neutral=False, off="use False to switch it off",
         becomes=(Processor("LogitNormalization"),),
         help="Turns the scores into log-probabilities again after all other processors."),
    Knob(name="watermarking_config", kind="watermark", group="other",
         becomes=(Processor("WatermarkLogitsProcessor", "bias"), Processor("SynthIDTextWatermarkLogitsProcessor")),
         help="Marks the text by favouring a keyed pseudo-random part of the vocabulary at each step."),
    # -- samplers of other engines, in llama.cpp's order; source: the documentation of its server
    Knob(name="dry_multiplier", kind="float", group="engines", low=0, high=1000, neutral=0.0, slider=(0.0, 5.0, 0.05),
         off="use 0 to switch it off",
         becomes=(Processor("DRYLogitsProcessor", "dry_multiplier"),),
         help="DRY: takes dry_multiplier × dry_base^(n − dry_allowed_length) from a token that would go on repeating "
              "the last n tokens. llama.cpp's; 0.8 is usual."),
    Knob(name="dry_base", kind="float", group="engines", low=1, high=100, slider=(1.0, 4.0, 0.05),
         off="leave it out for 1.75",
         help="DRY: how much more each further token of a repetition costs. 1.75 where left out."),
    Knob(name="dry_allowed_length", kind="int", group="engines", low=0, slider=(0, 20, 1), off="leave it out for 2",
         help="DRY: repetitions from so many tokens on are penalised. 2 where left out."),
    Knob(name="dry_penalty_last_n", kind="int", group="engines", low=-1, off="leave it out to look at all",
         help="DRY: how many of the last tokens are searched for repetitions, the prompt counted in; -1 for all, 0 for "
              "none. -1 where left out."),
    Knob(name="dry_sequence_breakers", kind="text_list", group="engines", off="leave it out for llama.cpp's four",
         help="DRY: texts at which a repetition ends. A line break, a colon, a double quote and an asterisk where left "
              "out."),
    Knob(name="top_n_sigma", kind="float", group="engines", low=-1, high=100, neutral=-1.0, modes=SAMPLING_MODES,
         slider=(0.0, 5.0, 0.05), off="use -1 to switch it off",
         becomes=(Processor("TopNSigmaLogitsWarper", "top_n_sigma", ("#6b3fa0", "#c79bf2")),),
         help="top-nσ: keeps the scores within n standard deviations of the highest one, whatever the temperature. 0 "
              "or less is off."),
    Knob(name="xtc_probability", kind="float", group="engines", low=0, high=1, neutral=0.0, modes=PLAIN_SAMPLING,
         slider=(0.0, 1.0, 0.01), off="use 0 to switch it off",
         becomes=(Processor("XTCLogitsWarper", "xtc_probability", ("#a3362f", "#f29a93")),),
         help="XTC: the chance, at each step, that all tokens at or above xtc_threshold are left out but the least "
              "likely of them. Its draws have a generator of their own, from the seed. It runs after truncation and "
              "before the temperature."),
    Knob(name="xtc_threshold", kind="float", group="engines", low=0, high=1, modes=PLAIN_SAMPLING,
         slider=(0.0, 0.5, 0.01), off="leave it out for 0.1",
         help="XTC: how likely the tokens are that it leaves out. 0.1 where left out; above 0.5 it can never act."),
    Knob(name="dynatemp_range", kind="float", group="engines", low=0, high=100, neutral=0.0, modes=SAMPLING_MODES,
         slider=(0.0, 2.0, 0.05), off="use 0 to switch it off",
         becomes=(Processor("DynamicTemperatureLogitsWarper", "dynatemp_range"),),
         help="Dynamic temperature: the temperature lies this far above its value where the model is unsure, and below "
              "it where it is sure, by the entropy. It runs after truncation, in the place of the temperature."),
    Knob(name="dynatemp_exponent", kind="float", group="engines", low=0, high=100, modes=SAMPLING_MODES,
         slider=(0.1, 3.0, 0.1), off="leave it out for 1",
         help="Dynamic temperature: the power of the entropy that says how hot. 1 where left out."),
    Knob(name="mirostat_tau", kind="float", group="engines", low=0, high=100, modes=PLAIN_SAMPLING,
         slider=(0.0, 10.0, 0.1),
         becomes=(Processor("MirostatLogitsWarper", "mirostat_tau", ("#8a3b12", "#e6a07c")),),
         help="Mirostat 2: keeps the text about this surprising, in bits a token, by cutting off what is more "
              "surprising than a limit that follows the text. It runs last; other truncation acts only where you give "
              "it. 5 is usual."),
    Knob(name="mirostat_eta", kind="float", group="engines", low=0, high=1, modes=PLAIN_SAMPLING,
         slider=(0.0, 1.0, 0.01), off="leave it out for 0.1",
         help="Mirostat 2: how fast its limit follows the text. 0.1 where left out."),
    Knob(name="adaptive_target", kind="float", group="engines", low=-1, high=1, neutral=-1.0, modes=PLAIN_SAMPLING,
         slider=(0.0, 1.0, 0.01), off="use -1 to switch it off",
         becomes=(Processor("AdaptivePLogitsWarper", "adaptive_target"),),
         help="adaptive-p: favours tokens whose probability is near this, and makes up for what came before. It runs "
              "last; min_p before it keeps junk out. Below 0 it is off."),
    Knob(name="adaptive_decay", kind="float", group="engines", low=0, high=0.99, modes=PLAIN_SAMPLING,
         slider=(0.0, 0.99, 0.01), off="leave it out for 0.9",
         help="adaptive-p: how slowly its average forgets; it looks back over about 1 ÷ (1 − decay) tokens. 0.9 where "
              "left out."),
)  # fmt: skip

KNOBS: dict[str, Knob] = {knob.name: knob for knob in _TABLE}

PROCESSOR_OF: dict[str, Processor] = {knob.name: knob.becomes[0] for knob in _TABLE if len(knob.becomes) == 1}
"""The processor that a parameter becomes; not of `watermarking_config`, which becomes one of two."""

PARAMETER_OF: dict[str, str] = {processor.name: knob.name for knob in _TABLE for processor in knob.becomes}
"""The parameter that a processor, by its class name, was made of."""
