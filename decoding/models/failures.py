"""Failures of torch and transformers in the midst of decoding that the user can mend, in words that say how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from decoding.errors import DecodingError, PromptError, RecordingError, SettingError, shown
from decoding.models.prompts import check_known

__all__ = ["explained", "without_distribution"]

POWERS = ("exponential_decay_length_penalty", "length_penalty")
NEED_A_DISTRIBUTION = ("top_h", "eta_cutoff")  # their processors make a torch Categorical of the scores


def explained(
    err: BaseException, model: Any, input_ids: Tensor, tokenizer: Any, config: Mapping[str, Any], n_steps: int,
    step: int,
) -> BaseException:  # fmt: skip
    """A clear error in place of a bare one that the user can mend; any other as it is.

    Args:
        err: what a decoding loop raised.
        model, input_ids, tokenizer: of the run; `input_ids` [rows, prompt length].
        config: the parameters that acted, as in `Trace.generation_config`.
        n_steps: steps before it.
        step: what people call the one that failed.
    """
    if isinstance(err, IndexError):
        return _beyond_the_model(model, input_ids, tokenizer, n_steps, step) or err
    if isinstance(err, OverflowError):
        return _overflow(config, n_steps, step) or err
    if isinstance(err, ValueError):
        return without_distribution(err, config) or err
    return err


def without_distribution(err: ValueError, config: Mapping[str, Any]) -> SettingError | None:
    """What to say where a processor asks for the entropy of scores that are NaN, or of which none is left."""
    names = [name for name in NEED_A_DISTRIBUTION if config.get(name)]
    if not names or "Categorical" not in str(err):
        return None
    return SettingError(
        names[0], config[names[0]], "used on scores of which some are left and none is NaN",
        "loosen what comes before it, or leave it out",
    )  # fmt: skip


def _beyond_the_model(
    model: Any, input_ids: Tensor, tokenizer: Any, n_steps: int, step: int
) -> DecodingError | None:
    """What the run has that the model does not: a token, or a position."""
    try:
        check_known(model, input_ids.flatten().tolist(), tokenizer)
    except PromptError as unknown:
        return unknown
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    n_prompt = input_ids.shape[1]
    if limit is None or n_prompt + n_steps < limit:
        return None
    return RecordingError(
        "the model has {limit:,} positions, and the run has come to their end at step {step}; "
        "the {n_steps} steps before are kept. Give max_new_tokens of at most {most}, or a shorter prompt",
        limit=limit, step=step, n_steps=n_steps, most=max(limit - n_prompt, 0),
    )


def _overflow(config: Mapping[str, Any], n_steps: int, step: int) -> RecordingError | None:
    """Powers of these grow with the length of the text."""
    for name in POWERS:
        value = config.get(name)
        if value not in (None, 1.0):
            return RecordingError(
                "{name} must be such that its power is a number at every length of the text, got {value}, too much "
                "at step {step}; the {n_steps} steps before are kept. Take it nearer to 1, or a "
                "smaller max_new_tokens",
                name=name, value=shown(value), step=step, n_steps=n_steps,
            )
    return None
