"""fork: take another token, or other settings, at some step of a recorded run, and decode on from there.

The new run's steps have indices of their own, from 0. People count on (`RecordedRun.first_step`): where another token
is taken at what they call step 12, it stands there, and the first step that is decoded is step 13.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache
from transformers.generation import LogitsProcessorList

from decoding.constraints.of_settings import constraint_of, warnings_of
from decoding.constraints.processors import Constraint
from decoding.errors import PromptError, RecordingError, SettingError, shown
from decoding.models.feasible import check_feasible, refusals_as_settings
from decoding.models.load import LanguageModel
from decoding.models.prompts import encode_prompt
from decoding.parameters.acting import acting, model_defaults
from decoding.parameters.settings import KNOBS, Settings, mode_of, watermarking
from decoding.recorded.constrained import constrained_stage, constraint_in, start_of
from decoding.recorded.run import Fork, Step
from decoding.recorded.sampler_chain import chance_seed, go_on_after, padding_of
from decoding.recorder import Recorder
from decoding.samplers.chain import Chain, chain_of
from decoding.strategies.cache import CACHE_NAME
from decoding.strategies.kept_cache import KeptCache
from decoding.tokens.known_tables import table_of
from decoding.trace import Trace
from decoding.words import words

__all__ = ["KeptCache", "fork", "stream_fork"]

def fork(
    trace: Trace,
    lm: LanguageModel,
    *,
    step: int,
    token_id: int | None,
    row: int = 0,
    settings: Settings | None = None,
    kept: KeptCache | None = None,
) -> Trace:
    """The trace of decoding on from `step`, where `token_id` was taken instead; see `stream_fork`."""
    recorder = Recorder()
    for _ in stream_fork(trace, lm, recorder, step=step, token_id=token_id, row=row, settings=settings, kept=kept):
        pass
    return recorder.trace


def stream_fork(
    trace: Trace,
    lm: LanguageModel,
    recorder: Recorder,
    *,
    step: int,
    token_id: int | None,
    row: int = 0,
    rank: int | None = None,
    settings: Settings | None = None,
    kept: KeptCache | None = None,
) -> Generator[Step, None, Any]:
    """Yields the steps after the fork; `recorder.trace` is the new run, whose prompt is the prefix.

    A pruned beam candidate is forked by its `parent` as `row` and its `token_id`. A search that goes on from a
    fork starts anew: its sums and lengths count from the fork.

    Args:
        trace: the first run.
        lm: its model.
        recorder: records the new run.
        step: at which the other token is taken, from 0.
        token_id: the token to take; it may be one that was removed. None, with
            `settings`, takes none: the step is decided anew.
        row: of the first run's scores at that step.
        rank: of the beam candidate followed, for the record.
        settings: parameters of the new run; the first run's when left out. Their lengths count from the fork where
            a token is taken, and as in the first run, from its prompt, where none is.
        kept: from `Recorder.kept_cache` of the first run; the prefix it shares is not computed again.

    Raises:
        RecordingError: there is no such step, row or token, or the run came from embeddings or an encoder whose
            input is not in the trace.
        NotRecordedError: the row had finished and left the batch before that step.
        PromptError: the first run used up its length, so that nothing is left to decode.
        SettingError: the settings cannot be used with this model, its own defaults, or from here on.
    """
    _check(trace, step, row, token_id, anew=settings is not None)
    taken = [] if token_id is None else [token_id]
    prefix = torch.cat([trace.prefix(step, row), torch.tensor(taken, dtype=torch.long)])  # [length]
    if token_id is None and settings is not None:
        kwargs = _shortened(settings.generate_kwargs(lm.tokenizer), trace.most_new_tokens, step)
    else:
        kwargs = _remaining(trace, settings, lm, step + len(taken))
    inputs = {**_inputs(trace, row, prefix), **_negative(settings or trace.settings, lm)}
    _check_feasible(trace, settings or trace.settings, lm, kwargs, len(prefix))
    values = acting(model_defaults(lm.model), kwargs)
    recorder.tokenizer, recorder.seed = lm.tokenizer, (settings or trace.settings or Settings()).seed
    recorder.identity = {k: v for k, v in lm.identity().items() if k in ("name", "source", "revision")}
    where = Fork(step=step, row=row, token_id=token_id, rank=rank, prompt_length=trace.prompt_ids.shape[1])
    recorder.facts = _facts(trace, where, settings) | {"first_step": trace.first_step + step + len(taken)}
    if trace.model.is_encoder_decoder:
        recorder.facts |= {"encoder_ids": inputs["input_ids"], "encoder_mask": inputs["attention_mask"]}
    elif mode_of(values) == "contrastive_search":
        pass  # it needs the hidden states of the whole prefix, which no cache holds
    elif (reused := _reusable(kept, prefix, values.get("num_beams") or 1)) is not None:
        inputs[CACHE_NAME] = reused
        recorder.facts["prefill"] = "reused"
    inputs = {name: value.to(lm.model.device) if isinstance(value, Tensor) else value for name, value in inputs.items()}
    recorder.facts["chain"] = chain = _chain(trace, lm, where, settings, kwargs)
    recorder.of_settings = _constraint(trace, settings, lm, values, prefix)
    with refusals_as_settings(kwargs):
        return recorder.stream(
            lm.model, **inputs, **chain.given_to_generate(kwargs),
            logits_processor=LogitsProcessorList([*recorder.of_settings, *chain.processors]),
        )  # fmt: skip


def _chain(trace: Trace, lm: LanguageModel, where: Fork, settings: Settings | None, kwargs: dict[str, Any]) -> Chain:
    """The new run's samplers of other engines; with the first run's settings they go on in the state of the fork."""
    seed, padded = (settings or trace.settings or Settings()).seed, padding_of(trace)
    given = {**kwargs, **({} if settings is None else settings.given()), **kwargs}
    defaults = {} if settings is None else model_defaults(lm.model)
    chain = chain_of(
        given, defaults, tokenizer=lm.tokenizer, table=trace.tokens, pad_token_id=padded,
        seed=chance_seed(trace) if seed is None else seed,
    )  # fmt: skip
    if settings is None:
        go_on_after(chain, trace, where)
    return chain


def _facts(trace: Trace, where: Fork, settings: Settings | None) -> dict[str, Any]:
    """What the new run's trace takes over from the first one's."""
    prompt = where.row // trace.rows_per_prompt
    return {
        "settings": settings or trace.settings,
        "prompts": None if trace.prompts is None else (trace.prompts[prompt],),
        "messages": None if trace.messages is None else (trace.messages[prompt],),
        "tokens": trace.tokens,
        "warnings": (*_left_out(trace), *warnings_of((settings or trace.settings or Settings()).given())),
        "fork": where,
    }


def _constraint(
    trace: Trace, settings: Settings | None, lm: LanguageModel, values: dict[str, Any], prefix: Tensor
) -> list[Constraint]:
    """The new run's constraint: the first run's goes on where it was, another one begins at the fork.

    Raises:
        SettingError: the prefix is no beginning of what the constraint allows.
    """
    given, then = (settings or trace.settings or Settings()).given(), (trace.settings or Settings()).given()
    goes_on = constraint_in(given) == constraint_in(then) and constrained_stage(trace) is not None
    start = (start_of(trace) or trace.start) if goes_on else len(prefix)
    table = table_of(lm.tokenizer, lm.model.config.get_text_config().vocab_size)
    made = constraint_of(given, table, values.get("eos_token_id"), num_beams=values.get("num_beams"), start=start)
    if made and not made[0].reads(prefix[None]):
        name, text = next(iter(constraint_in(given).items()))
        raise SettingError(
            name, shown(text), "such that the text up to the fork can go on with it",
            "take a token that it allows, or leave it out of the settings of the fork",
        )  # fmt: skip
    return made


def _left_out(trace: Trace) -> tuple[str, ...]:
    """What a new run cannot have, because the first run's trace does not hold it."""
    own = [stage.name for stage in trace.stages if stage.own]
    own += [name for name in trace.from_caller if name != "logits_processor"]
    if not own:
        return ()
    used = ", ".join(own)
    if len(own) > 1:
        several = "the first run used {own} of the caller's own, which are not in its trace; left out here"
        return (words(several, own=used),)
    return (words("the first run used {own} of the caller's own, which is not in its trace; left out here", own=used),)


def _inputs(trace: Trace, row: int, prefix: Tensor) -> dict[str, Any]:
    """`generate`'s inputs for one row that goes on from `prefix`."""
    if trace.encoder_ids is not None and trace.encoder_mask is not None:
        which = slice(row // trace.rows_per_prompt, row // trace.rows_per_prompt + 1)
        encoder = {"input_ids": trace.encoder_ids[which], "attention_mask": trace.encoder_mask[which]}
        return {**encoder, "decoder_input_ids": prefix[None]}
    mask = torch.ones_like(prefix)
    mask[: trace.prompt_ids.shape[1]] = trace.prompt_mask[row]
    return {"input_ids": prefix[None], "attention_mask": mask[None]}


def _check_feasible(
    trace: Trace, settings: Settings | None, lm: LanguageModel, kwargs: dict[str, Any], n_prefix: int
) -> None:
    """Before transformers fails on it less clearly; the prefix stands for the prompt."""
    given = {n: v for n, v in kwargs.items() if n in KNOBS and v is not None}
    given |= {} if settings is None else settings.beside()
    length = n_prefix if trace.encoder_ids is None else trace.encoder_ids.shape[1]
    check_feasible(lm, given, length=length, n_started=n_prefix)


def _negative(settings: Settings | None, lm: LanguageModel) -> dict[str, Tensor]:
    """The negative prompt of classifier-free guidance, as `generate` takes it."""
    if settings is None or not settings.negative_prompt:
        return {}
    negative = encode_prompt(lm, settings.negative_prompt)
    return {"negative_prompt_ids": negative.input_ids, "negative_prompt_attention_mask": negative.attention_mask}


def _check(trace: Trace, step: int, row: int, token_id: int | None, anew: bool) -> None:
    for name, value, n in (
        ("step", step, len(trace.steps)),
        ("row", row, trace.n_rows),
        ("token_id", token_id, trace.model.vocab_size),
    ):
        if value is None and name == "token_id" and anew:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < n:
            accepts = words("a whole number in {range}", range=f"[0, {n - 1}]")
            raise RecordingError(
                "{name} must be {accepts}, got {value!r}; choose one of this run's",
                name=name, accepts=accepts, value=value,
            )
    trace.steps[step].place_of(row)  # a row that had left the batch has nothing to go on from
    if trace.model.is_encoder_decoder and trace.encoder_ids is None:
        raise RecordingError("what the encoder read is not in a drop-in recording; record the run with record()")
    if trace.prompt_ids.shape[1] == 0:
        raise RecordingError("the run started from embeddings, which are not in the trace; it cannot be forked")


def _remaining(trace: Trace, settings: Settings | None, lm: LanguageModel, n_taken: int) -> dict[str, Any]:
    """The parameters of the new run, with lengths counted from the fork, before which `n_taken` tokens came."""
    if settings is not None:
        values = settings.generate_kwargs(lm.tokenizer)
        return values if values.get("num_beams", 1) > 1 else {**values, "num_return_sequences": 1}
    derived = {"min_length"} if trace.generation_config.get("min_new_tokens") is not None else set()
    gone = {"max_time", "max_length", *derived}
    values = {name: value for name, value in trace.generation_config.items() if name not in gone}
    values = _shortened({**values, "max_new_tokens": trace.most_new_tokens}, trace.most_new_tokens, n_taken)
    if values.get("watermarking_config") is not None:
        values["watermarking_config"] = watermarking(values["watermarking_config"])
    return values


def _shortened(values: dict[str, Any], most: int, n_taken: int) -> dict[str, Any]:
    """`generate`'s parameters with lengths counted from the fork instead of from the first run's prompt."""
    length = (values.get("max_new_tokens") or most) - n_taken
    if length < 1:
        raise PromptError(
            "nothing is left to decode: the run could have {length} new tokens and the fork uses them up; fork at an "
            "earlier step or raise max_new_tokens",
            length=length + n_taken,
        )
    values = {**values, "max_new_tokens": length}
    if values.get("min_new_tokens"):
        values["min_new_tokens"] = max(0, values["min_new_tokens"] - n_taken)
    if values.get("exponential_decay_length_penalty"):
        start, factor = values["exponential_decay_length_penalty"]
        values["exponential_decay_length_penalty"] = (start - n_taken, factor)
    if (values.get("num_beams") or 1) == 1:
        values["num_return_sequences"] = 1
    return values


def _reusable(kept: KeptCache | None, prefix: Tensor, n_rows: int) -> DynamicCache | None:
    """A copy of the cache cut to the prefix, once per row of the new run; None where it cannot be had.

    The last token of the prefix is left for the model to read: it gives the first logits.
    """
    if kept is None:
        return None
    remembered = kept.cache  # another thread may have it forgotten meanwhile
    if remembered is None or type(remembered) is not DynamicCache or not remembered.is_croppable:
        return None
    n = min(kept.ids.shape[1], len(prefix) - 1)
    same = (kept.ids[:, :n] == prefix[:n]).cumprod(1).sum(1)  # [rows], tokens shared with the prefix
    best = int(same.argmax())
    if int(same[best]) < 1:
        return None
    cache = copy.deepcopy(remembered)
    cache.batch_select_indices(torch.tensor([best], device=cache.layers[0].keys.device))
    try:
        cache.crop(int(same[best]) - kept.ids.shape[1])  # a negative number: how many tokens to drop
    except RuntimeError:  # a sliding window has forgotten what stood there
        return None
    if n_rows > 1:
        cache.batch_repeat_interleave(n_rows)
    return cache
