"""What a run cannot begin with: told before anything is decoded, of what was given and of the model's own defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from decoding.errors import SettingError
from decoding.models.prompts import check_fits
from decoding.parameters.acting import acting, model_defaults
from decoding.parameters.combinations import check_acting
from decoding.parameters.knobs import BEAM_MODES, KNOBS
from decoding.parameters.settings import mode_of
from decoding.words import words

if TYPE_CHECKING:
    from decoding.models.load import LanguageModel

__all__ = ["check_feasible", "refusals_as_settings"]

IDS = ("token_list", "sequence_list", "sequence_bias")  # kinds whose values hold token ids


@contextmanager
def refusals_as_settings(given: Mapping[str, Any]) -> Iterator[None]:
    """Within it what transformers refuses while it prepares a run is a `SettingError`, in transformers' words."""
    try:
        yield
    except ValueError as err:
        raise SettingError("settings", dict(given), "a combination that transformers accepts", str(err)) from err


def check_feasible(
    lm: LanguageModel, given: Mapping[str, Any], *, length: int, n_started: int | None = None
) -> None:
    """Returns if `lm` can decode with these parameters and its own defaults for all others.

    Args:
        lm: the model.
        given: the parameters given, words turned into token ids; `negative_prompt` among them, if there is one.
        length: tokens of the prompt; of an encoder–decoder what its encoder reads.
        n_started: of an encoder–decoder the tokens that its answer begins with, the start token counted in.

    Raises:
        SettingError: a parameter or a combination cannot be used.
        PromptError: the prompt and the answer do not fit the model's context.
    """
    defaults = model_defaults(lm.model)
    check_acting(defaults, given)
    values = acting(defaults, given)
    start = (n_started or 1) if lm.is_encoder_decoder else length
    n_new = given.get("max_new_tokens")
    if values.get("max_new_tokens") is None:
        n_new = _check_max_length(lm, values["max_length"], given, defaults, start)
    check_fits(lm, length, n_new, n_started=start)
    _check_guidance(lm, values)
    _check_ends(lm, values)
    _check_ids(lm, {name: value for name, value in given.items() if value != defaults.get(name)})


def _check_max_length(
    lm: LanguageModel, longest: int, given: Mapping[str, Any], defaults: Mapping[str, Any], start: int
) -> int | None:
    """New tokens that a `max_length` allows that was given; None for others.

    A default of the model's own may reach beyond its context, as `generate()` allows it to: the text may end before.

    Raises:
        SettingError: it allows none.
    """
    if "max_length" not in given and "max_length" not in defaults:
        return None  # generate()'s own counts from the prompt
    if longest > start:
        return longest - start if "max_length" in given else None
    what = "the tokens that the answer begins with" if lm.is_encoder_decoder else "the tokens of the prompt"
    counts = "these" if lm.is_encoder_decoder else "the prompt"
    own = "" if "max_length" in given else words(
        " ({longest} is the own default of {name})", longest=longest, name=lm.name
    )
    raise SettingError(
        "max_length", longest, words("> {start}, {what}", start=start, what=what),
        words("raise it, or use max_new_tokens, which does not count {counts}{own}", counts=counts, own=own),
    )  # fmt: skip


def _check_guidance(lm: LanguageModel, values: Mapping[str, Any]) -> None:
    scale = values.get("guidance_scale")
    if lm.is_encoder_decoder and scale not in (None, 1):
        raise SettingError(
            "guidance_scale", scale, words("1 for an encoder–decoder like {name}", name=lm.name),
            "transformers' guidance runs only models without an encoder; leave it out, or choose such a model",
        )  # fmt: skip


def _check_ends(lm: LanguageModel, values: Mapping[str, Any]) -> None:
    """Beam search looks at one continuation of each beam more than there are end tokens, so that many must be."""
    ends, vocab_size = values.get("eos_token_id"), _vocab_size(lm)
    n_ends = len(ends) if isinstance(ends, (list, tuple)) else 1
    if mode_of(values) in BEAM_MODES and n_ends >= vocab_size:
        raise SettingError(
            "eos_token_id", f"{n_ends} tokens",
            words("fewer than the {n} tokens of {name} with num_beams > 1", n=vocab_size, name=lm.name),
            "give those that end a text, or decode without beams",
        )  # fmt: skip


def _vocab_size(lm: LanguageModel) -> int:
    return lm.model.config.get_text_config().vocab_size


def _check_ids(lm: LanguageModel, given: Mapping[str, Any]) -> None:
    vocab_size = _vocab_size(lm)
    for name, values in given.items():
        if KNOBS[name].kind in IDS:
            largest = max(_ids(values))
            if largest >= vocab_size:
                raise SettingError(
                    name, largest, words("made of token ids in [0, {last}]", last=vocab_size - 1),
                    words("{name} has {n} tokens", name=lm.name, n=vocab_size),
                )  # fmt: skip


def _ids(values: Any) -> Iterator[int]:
    """Every token id in nested lists, biases (which are floats) left out."""
    if isinstance(values, int):
        yield values
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _ids(value)
