"""Recorder: a drop-in for `generate(custom_generate=...)` that records what it decodes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers.generation import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from decoding.errors import DecodingError, NotRecordedError, RecordingError, SettingError
from decoding.models.failures import explained
from decoding.models.processes import rank_of
from decoding.parameters.acting import config_as_json
from decoding.recorded.run import Step
from decoding.recorded.step_store import DEFAULT_MEMORY_BUDGET
from decoding.strategies.choice import strategy_of
from decoding.strategies.diverse_beam import diverse_beam
from decoding.strategies.following import Following
from decoding.strategies.generate_call import GIVEN_NOTHING, CustomLoop, GivenToGenerate
from decoding.strategies.hamming_diversity import with_hamming_diversity
from decoding.strategies.kept_cache import KeptCache
from decoding.strategies.recording import Recording
from decoding.tokens.known_tables import table_of
from decoding.tokens.tokenizer import as_tokenizer
from decoding.trace import Trace

__all__ = ["Recorder", "is_out_of_memory"]

LESS_MEMORY = "Use a shorter prompt, fewer beams or return sequences, a smaller model, or a smaller dtype"


class Recorder(CustomLoop):
    """Records a `generate()` call completely, and returns exactly what it would have returned.

    Example:
        >>> from decoding import Recorder, load_model
        >>> lm = load_model()
        >>> inputs = lm.tokenizer("The capital of France is", return_tensors="pt")
        >>> rec = Recorder(tokenizer=lm.tokenizer)
        >>> out = lm.model.generate(**inputs, num_beams=2, max_new_tokens=3, custom_generate=rec)
        >>> rec.trace.mode, [candidate.fate for candidate in rec.trace.steps[0].candidates]
        ('beam_search', ['kept', 'kept', 'pruned', 'pruned'])

    One Recorder records one call at a time; `trace` is the last one's. A call that breaks off leaves the steps
    before it in `trace`. `streamer` and `stop_strings` with a `tokenizer` work as in plain `generate()`. What has no
    loop here is refused before anything is decoded: an `assistant_model`, models with loops of their own.

    Of processes that share a model (`load_model(tp_plan=…)`) each makes the call, with the same arguments; that of rank
    0 records, and the `trace` of the others has the tokens alone.

    Args:
        tokenizer: gives the trace its token texts, and turns stop strings into tokens; without one tokens show as
            `#id`. A tokenizer of transformers, a processor that holds one, or one of the `tokenizers` library.
        seed: draws from a generator of its own, so that torch's global random state is neither used nor
            changed. Without a seed the global state is used, as `generate()` does.
        own_draws: without a seed, draws from a generator of its own all the same, begun by chance, whose state is what
            the trace keeps. So runs that take their steps by turns do not take each other's draws.
        memory_budget: bytes of memory that a recording may take; steps that do not fit go to a temporary file.
        share_prefill: in beam methods, compute the prompt once instead of once per beam, and leave its cache alone when
            beams change places. Faster, and the same tokens, but the last bits of the scores may differ from
            `generate()`'s.
        drop_finished: with several rows, let the model read none that has ended, in beam methods none of a prompt whose
            search is over. Faster, and the same tokens, but the last bits of the scores may differ from
            `generate()`'s, and of rows that nobody computed there are none (NaN in `scores` and `logits` of what is
            returned, whose cache has the other rows alone). Where all rows must be seen, by processors or criteria of
            your own, or cannot be taken out of the cache, all are computed; a warning of the trace says so. Not for
            contrastive search.
        compile_beams: in beam methods, compile the steps where `generate()` would compile those of sampling: with a
            cache of fixed size (`load_model(static_cache=True)`) on CUDA. Faster, and the same tokens, but the last
            bits of the scores may differ from those of `generate()`, which compiles no search. Elsewhere nothing is
            compiled; a warning of the trace says so.
        on_step: called with each `Step` as it is decoded.
        streamer: is given each token as it is decoded, as `generate(streamer=…)` would; for loops without beams.

    Raises:
        SettingError: the tokenizer is none.
    """

    def __init__(
        self,
        *,
        tokenizer: Any = None,
        seed: int | None = None,
        own_draws: bool = False,
        memory_budget: int = DEFAULT_MEMORY_BUDGET,
        share_prefill: bool = False,
        drop_finished: bool = False,
        compile_beams: bool = False,
        on_step: Callable[[Step], None] | None = None,
        streamer: Any = None,
    ) -> None:
        self.tokenizer = as_tokenizer(tokenizer)
        self.share_prefill, self.drop_finished, self.compile_beams = share_prefill, drop_finished, compile_beams
        self.seed, self.own_draws = seed, own_draws
        self.memory_budget, self.on_step, self.streamer = memory_budget, on_step, streamer
        self.facts: dict[str, Any] = {}  # fields of Trace, filled in by `record`
        self.identity: dict[str, Any] = {}  # fields of ModelInfo, likewise
        self.of_settings: Sequence[Any] = ()  # processors that the settings asked for: no caller's own
        self._recording: Recording | None = None

    @property
    def trace(self) -> Trace:
        """What has been recorded; while a call is under way, up to its last step.

        Raises:
            NotRecordedError: no call has been recorded yet.
        """
        if self._recording is None:
            raise NotRecordedError("nothing has been recorded yet; pass this Recorder to generate(custom_generate=…)")
        return self._recording.trace()

    def kept_cache(self) -> KeptCache | None:
        """What the model remembers of the recorded run, for `decoding.fork`; None where nothing can be reused."""
        recording = self._recording
        if recording is None or recording.cached_ids is None:
            return None
        return KeptCache(cache=recording.cache, ids=recording.cached_ids)

    def __call__(
        self,
        model: Any,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        **model_kwargs: Any,
    ) -> Any:
        """Decodes to the end; called by `generate()`."""
        steps = self._steps(model, input_ids, logits_processor, stopping_criteria, generation_config, **model_kwargs)
        try:
            while True:
                next(steps)
        except StopIteration as end:
            return end.value
        except RuntimeError as err:  # a generator cannot raise StopIteration; a processor may, and then generate() does
            if isinstance(err.__cause__, StopIteration):
                raise err.__cause__ from None
            raise

    def stream(self, model: Any, **generate_kwargs: Any) -> Generator[Step, None, Any]:
        """Yields each step as it is decoded; closing the generator stops decoding and keeps the trace so far.

        Args:
            model: a transformers model with `generate`.
            generate_kwargs: what `generate` takes, inputs included.

        Returns:
            The generator; its return value is what `generate()` would have returned.
        """
        if generate_kwargs.get("tokenizer") is None and self.tokenizer is None and generate_kwargs.get("stop_strings"):
            strings = generate_kwargs["stop_strings"]
            raise SettingError("stop_strings", strings, "given with a tokenizer", "pass tokenizer=, too")
        try:
            return model.generate(**generate_kwargs, custom_generate=_Streamed(self))
        except (MemoryError, RuntimeError) as err:  # while it prepares the run
            if is_out_of_memory(err):
                raise RecordingError(
                    "out of memory before the first step. {less_memory}",
                    less_memory=LESS_MEMORY,
                ) from err
            raise

    @torch.no_grad()
    def _steps(
        self,
        model: Any,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        **model_kwargs: Any,
    ) -> Generator[Step, None, Any]:
        given, self.given = self._callers(self.given), GIVEN_NOTHING
        loop = strategy_of(model, generation_config, given, self.streamer)
        generator = self._own_generator(input_ids.device)
        state = random_state(input_ids.device, generator)
        if loop is diverse_beam:
            logits_processor = with_hamming_diversity(logits_processor, generation_config)
        inputs_tensor, tokenizer = model_kwargs.pop("inputs_tensor", None), model_kwargs.pop("tokenizer", None)
        kind = Recording if rank_of(model) == 0 else Following
        self._recording = recording = kind(
            model, input_ids, logits_processor, generation_config, model_kwargs,
            memory_budget=self.memory_budget, share_prefill=self.share_prefill, drop_finished=self.drop_finished,
            compile_beams=self.compile_beams, identity=self.identity, given=given,
            facts={
                **encoder_facts(model, inputs_tensor, model_kwargs, given),
                **self._all_facts(state, model, self.tokenizer or as_tokenizer(tokenizer, strict=False)),
            },
        )  # fmt: skip
        recording.note_stop_strings(stopping_criteria)
        arguments = (model, input_ids, logits_processor, stopping_criteria, generation_config, recording, generator)
        streamers = [] if given.streamer is None else [given.streamer]
        if self.streamer is not None and self.streamer is not given.streamer:
            self.streamer.put(input_ids.cpu())  # generate() has given the prompt to the one it knows of
            streamers.append(self.streamer)
        try:
            returned = yield from self._reported(loop(*arguments, **model_kwargs), streamers)
            recording.catch_up()
            return returned
        except GeneratorExit:
            recording.finish("user")
            raise
        except BaseException as err:
            recording.finish("error")
            config, n = config_as_json(generation_config), len(recording.steps)
            clear = explained(err, model, input_ids, self.tokenizer, config, n, recording.step_number)
            told = _explained(clear, recording)
            if told is err:
                raise
            raise told from err
        finally:
            for streamer in streamers:
                streamer.end()  # whoever reads from it must not wait for ever, also where the run broke off

    def _reported(self, steps: Generator[Step, None, Any], streamers: Sequence[Any]) -> Generator[Step, None, Any]:
        """Passes the loop's steps on, past the streamers and `on_step`."""
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            for streamer in streamers:
                streamer.put(torch.tensor(step.token_ids, dtype=torch.long))
            if self.on_step is not None:
                self.on_step(step)
            yield step

    def _callers(self, given: GivenToGenerate) -> GivenToGenerate:
        """What came from the caller, without the processors that the settings asked for."""
        own = tuple(p for p in given.logits_processor if not any(p is made for made in self.of_settings))
        return replace(given, logits_processor=own)

    def _own_generator(self, device: torch.device) -> torch.Generator | None:
        """What is drawn from; None for torch's global state."""
        if self.seed is not None:
            return torch.Generator(device).manual_seed(self.seed)
        if not self.own_draws:
            return None
        generator = torch.Generator(device)
        generator.seed()
        return generator

    def _all_facts(self, state: Tensor, model: Any, tokenizer: Any) -> dict[str, Any]:
        facts = dict(self.facts)
        if tokenizer is not None and facts.get("tokens") is None:
            vocab_size = model.config.get_text_config().vocab_size
            facts["tokens"] = table_of(tokenizer, vocab_size)
        facts["rng_state"] = state if self.seed is None else None
        facts["seed"] = self.seed
        return facts


class _Streamed(CustomLoop):
    """The same loop for `generate()`, which gets the generator of its steps back."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder, self.tokenizer = recorder, recorder.tokenizer

    def __call__(self, *args: Any, **kwargs: Any) -> Generator[Step, None, Any]:
        self.recorder.given = self.given
        return self.recorder._steps(*args, **kwargs)


def random_state(device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """The random state of a generator, or torch's global one on a device, as uint8."""
    if generator is not None:
        return generator.get_state()
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    if device.type == "mps":
        return torch.mps.get_rng_state()
    return torch.get_rng_state()


def encoder_facts(
    model: Any, inputs: Tensor | None, model_kwargs: dict[str, Any], given: GivenToGenerate
) -> dict[str, Any]:
    """What an encoder–decoder model's encoder read, as fields of `Trace`; nothing where it did not read token ids."""
    if inputs is None or inputs.ndim != 2 or inputs.is_floating_point():
        return {}
    if not model.config.is_encoder_decoder or "encoder_outputs" in given.inputs:
        return {}
    ids, mask = inputs.to("cpu", torch.long, copy=True), model_kwargs.get("attention_mask")
    if mask is None or mask.shape[0] % len(ids) or mask.shape[1:] != ids.shape[1:]:
        mask = torch.ones_like(ids)
    each = mask.shape[0] // len(ids)  # generate() has repeated it for every row
    return {"encoder_ids": ids, "encoder_mask": mask[::each].to("cpu", torch.long, copy=True)}


def _explained(err: BaseException, recording: Recording) -> BaseException:
    """The error to raise: a clear one where we know better, the original otherwise; both carry the trace."""
    n = len(recording.steps)
    if is_out_of_memory(err):
        err = RecordingError(
            "out of memory on {device} at step {step}; the {n} steps before are kept. {less_memory}",
            device=recording.device, step=recording.step_number, n=n, less_memory=LESS_MEMORY,
        )  # fmt: skip
    if isinstance(err, DecodingError):
        err.trace = recording.trace()
    else:
        err.add_note(f"Decoding Explorer: the {n} steps before are in Recorder.trace")
    return err


def is_out_of_memory(err: BaseException) -> bool:
    """Whether memory ran out, of the device or of the machine."""
    cpu = isinstance(err, RuntimeError) and "DefaultCPUAllocator" in str(err)
    return cpu or isinstance(err, (MemoryError, torch.OutOfMemoryError))
