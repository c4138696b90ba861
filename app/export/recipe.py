"""`Recipe`: what a run is made from, as code has to say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from decoding.errors import NotRecordedError
from decoding.parameters.knobs import KNOBS
from decoding.parameters.settings import Settings

if TYPE_CHECKING:
    import torch

    from decoding.recorded.run import ModelInfo
    from decoding.trace import Trace

__all__ = ["Recipe", "recipe_of"]

# Reasons for which a parameter cannot have had any effect, whatever the model's own configuration says.
WITHOUT_EFFECT = frozenset({
    "needs_sampling", "needs_plain_sampling", "needs_sampler", "needs_beams",
    "needs_groups", "needs_contrastive", "needs_guidance", "nothing_drawn",
    "overruled",
})  # fmt: skip
KEPT_FROM_A_CALLER = ("eos_token_id", "use_cache", "cache_implementation", "prefill_chunk_size")
INTERRUPTIONS = ("user", "error", "running", "max_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Model, input and parameters of a run.

    Attributes:
        model: which, and on what.
        mode: `greedy`, `sample`, ….
        texts: the prompts, or None.
        chats: the prompts as messages, or None.
        inputs: token ids and masks by the names that `generate` gives them, each [rows, length], where neither text
            nor messages are known, or the run goes on from a prefix; else None.
        parameters: for `generate`, words turned into token ids; only those that can have had an effect.
        settings: for `record`; None where the run was not made from settings, or not from its beginning.
        seed: to set before the first draw, or None.
        negative_prompt: the text, or None.
        own: names of processors and stopping criteria of the caller's own.
        interrupted: why the run did not come to an end of its own, or None.
        n_steps: of the run, or None.
        constraint_start: tokens before the text that a constraint holds, where they are not those of the input.
        reuses_prefix: the run's prefix was not computed again.
        defaults: those of the model's own that are known.
        chance_seed: of XTC's chance, where it is known.
        padded: whether prompts were padded.
        versions: of transformers and torch, or None.
    """

    model: ModelInfo
    mode: str
    texts: tuple[str, ...] | None = None
    chats: tuple[Any, ...] | None = None
    inputs: Mapping[str, list[list[int]]] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    settings: Settings | None = None
    seed: int | None = None
    negative_prompt: str | None = None
    own: tuple[str, ...] = ()
    interrupted: str | None = None
    n_steps: int | None = None
    constraint_start: int | None = None
    reuses_prefix: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    chance_seed: int | None = None
    padded: bool = False

    @property
    def n_prompts(self) -> int:
        """Prompts in the batch."""
        given = self.texts or self.chats or next(iter((self.inputs or {}).values()), [])
        return len(given)

    @property
    def draws(self) -> bool:
        """Whether tokens are drawn at random."""
        return self.mode in ("sample", "beam_sample")


def recipe_of(trace: Trace) -> Recipe:
    """The recipe of a recorded run.

    Raises:
        NotRecordedError: what the run started from is not in the trace.
    """
    from decoding.recorded.constrained import start_of
    from decoding.recorded.given import defaults_known
    from decoding.recorded.sampler_chain import chance_seed, padding_of
    from decoding.verify import REASONS

    known = trace.fork is None and trace.prompts is not None
    chats = trace.messages if known else None
    settings = trace.settings if known else None
    negative = trace.settings.negative_prompt if trace.settings else None
    return Recipe(
        model=trace.model,
        mode=trace.mode,
        texts=trace.prompts if known and chats is None else None,
        chats=chats,
        inputs=None if known else _inputs(trace),
        parameters=_parameters(trace),
        settings=None if settings is None else _with_effect(settings, trace),
        seed=trace.seed if trace.seed is not None else _seed_of(trace.rng_state),
        negative_prompt=negative if "guidance_scale" in trace.generation_config else None,
        own=(
            *dict.fromkeys(stage.name for stage in trace.stages if stage.own),
            *sorted(set(trace.stop_reasons) - REASONS),
        ),
        interrupted=next((reason for reason in INTERRUPTIONS if reason in trace.stop_reasons), None),
        n_steps=len(trace.steps),
        constraint_start=None if (begun := start_of(trace)) == trace.prompt_ids.shape[1] else begun,
        reuses_prefix=trace.prefill == "reused",
        defaults=defaults_known(trace) or {},
        chance_seed=chance_seed(trace),
        padded=padding_of(trace) is not None,
    )


# --- parameters -------------------------------------------------------------------------------------------


def _parameters(trace: Trace) -> dict[str, Any]:
    """What to pass to `generate`, with the values that acted: these have token ids for words."""
    from decoding.recorded.given import given_to

    config = {name: value for name, value in trace.generation_config.items() if value is not None}
    names = dict.fromkeys([*given_to(trace), *([] if trace.settings is not None else _of_a_caller(trace, config))])
    if trace.fork is not None:
        names |= {"max_new_tokens": None}
        names.pop("max_length", None)
    silent = {knob.name for knob in trace.silent if knob.why in WITHOUT_EFFECT}
    given = trace.settings.given() if trace.settings else {}
    values = {
        name: config.get(name, given.get(name))
        for name in names
        if name not in ("seed", "negative_prompt") and name not in silent
    }
    if "watermarking_config" in values:  # of which the trace's copy has the defaults, too
        knob, watermark = KNOBS["watermarking_config"], values["watermarking_config"]
        values["watermarking_config"] = dict(given.get("watermarking_config") or knob.checked(watermark))
    return _beyond_defaults(values, trace.model.source)


def _of_a_caller(trace: Trace, config: dict[str, Any]) -> list[str]:
    """Further parameters of a drop-in recording: given, or it does not say whether they were the model's or given."""
    from decoding.parameters.acting import default_of
    from decoding.recorded.given import defaults_known

    defaults = defaults_known(trace)
    if defaults is not None:
        return [name for name in KEPT_FROM_A_CALLER if name in config and config[name] != default_of(name, defaults)]
    names = [name for name in KEPT_FROM_A_CALLER if name in config and (name != "use_cache" or not config[name])]
    for length, new in (("max_length", "max_new_tokens"), ("min_length", "min_new_tokens")):
        if config.get(length) and new not in config:  # generate() derives the one from the other
            names.append(length)
    return names


def _beyond_defaults(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Without those that say what `generate` does anyway.

    A model's generation_config may set any of them to something else, and then saying it is needed. Only of the
    offline default model it is known that it sets none.
    """
    from decoding.parameters.acting import TRANSFORMERS_DEFAULTS

    if source != "package":
        return values
    kept = {}
    for name, value in values.items():
        default = TRANSFORMERS_DEFAULTS.get(name)
        if value != (KNOBS[name].neutral if default is None and name in KNOBS else default):
            kept[name] = value
    return kept


def _with_effect(settings: Settings, trace: Trace) -> Settings:
    silent = {knob.name for knob in trace.silent if knob.why in WITHOUT_EFFECT}
    values = {name: value for name, value in settings.given().items() if name not in silent}
    return Settings(**_beyond_defaults(values, trace.model.source))


# --- input and randomness ---------------------------------------------------------------------------------


def _inputs(trace: Trace) -> dict[str, list[list[int]]]:
    """`generate`'s inputs as they were before it expanded each prompt to its rows."""
    each = trace.rows_per_prompt
    if trace.model.is_encoder_decoder:
        if trace.encoder_ids is None:
            raise NotRecordedError(
                "what the encoder read is not in a drop-in recording, so no code can be written for it; "
                "record the run with record()"
            )
        started = {"decoder_input_ids": trace.prompt_ids[::each].tolist()} if trace.prompt_ids.shape[1] > 1 else {}
        return {**_masked(trace.encoder_ids, trace.encoder_mask), **started}
    if trace.prompt_ids.shape[1] == 0:
        raise NotRecordedError("the run started from embeddings, which are not in the trace: no code can be written")
    return _masked(trace.prompt_ids[::each], trace.prompt_mask[::each])


def _masked(ids: torch.Tensor, mask: torch.Tensor) -> dict[str, list[list[int]]]:
    return {"input_ids": ids.tolist(), "attention_mask": mask.tolist()}


def _seed_of(state: torch.Tensor | None) -> int | None:
    """The seed that `torch.manual_seed` was given just before a state of the CPU's generator, or None."""
    import torch

    if state is None:
        return None
    generator = torch.Generator()
    try:
        generator.set_state(state)
    except (RuntimeError, TypeError):  # another device's, or a file's invention
        return None
    seed = generator.initial_seed()
    fresh = torch.Generator().manual_seed(seed).get_state()
    return seed if torch.equal(fresh, state) else None
