"""Recorder: a drop-in for `generate(custom_generate=...)` that records what it decodes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import torch
from torch import Tensor
from transformers.generation import (
    GenerationConfig,
    LogitsProcessorList,
    StoppingCriteriaList,
    StopStringCriteria,
)
from transformers.generation.configuration_utils import GenerationMode

from decoding.errors import DecodingError, NotRecordedError, RecordingError, SettingError, shown
from decoding.kept_cache import KeptCache
from decoding.recording import Recording
from decoding.step_store import DEFAULT_MEMORY_BUDGET
from decoding.strategies.beam import beam
from decoding.strategies.contrastive import contrastive
from decoding.strategies.diverse_beam import diverse_beam
from decoding.strategies.hamming_diversity import with_hamming_diversity
from decoding.strategies.sampling import sampling
from decoding.tokens import TokenTable
from decoding.trace import Step, Trace

__all__ = ["Recorder"]

STRATEGIES: dict[str, Callable[..., Generator[Step, None, Any]]] = {
    GenerationMode.GREEDY_SEARCH: sampling,
    GenerationMode.SAMPLE: sampling,
    GenerationMode.BEAM_SEARCH: beam,
    GenerationMode.BEAM_SAMPLE: beam,
    GenerationMode.GROUP_BEAM_SEARCH: diverse_beam,
    GenerationMode.CONTRASTIVE_SEARCH: contrastive,
}
# Parameters that ask for a mode without a loop here.
OTHER_MODES = (
    "prompt_lookup_num_tokens", "assistant_early_exit", "use_mtp", "dola_layers", "constraints", "force_words_ids"
)  # fmt: skip


class Recorder:
    """Records a `generate()` call completely, and returns exactly what it would have returned.

        out = model.generate(**inputs, top_p=0.9, do_sample=True, custom_generate=(rec := Recorder()))
        rec.trace

    One Recorder records one call at a time; `trace` is the last one's. A call that breaks off leaves the steps
    before it in `trace`. `generate()` does not hand `streamer`, `tokenizer` and `assistant_model` on to a custom
    loop: they have no effect. For stop strings pass `stopping_criteria=[StopStringCriteria(tokenizer, [...])]`, or
    use `stream`.

    Args:
        tokenizer: gives the trace its token texts; without one tokens show as `#id`.
        seed: draws from a generator of its own, so that torch's global random state is neither used nor
            changed. Without a seed the global state is used, as `generate()` does.
        memory_budget: bytes of memory that a recording may take; steps that do not fit go to a temporary file.
        share_prefill: in beam methods, compute the prompt once instead of once per beam. Faster, and the same
            tokens, but the last bits of the scores may differ from `generate()`'s.
        on_step: called with each `Step` as it is decoded.
    """

    def __init__(
        self,
        *,
        tokenizer: Any = None,
        seed: int | None = None,
        memory_budget: int = DEFAULT_MEMORY_BUDGET,
        share_prefill: bool = False,
        on_step: Callable[[Step], None] | None = None,
    ) -> None:
        self.share_prefill = share_prefill
        self.tokenizer, self.seed, self.memory_budget, self.on_step = tokenizer, seed, memory_budget, on_step
        self.facts: dict[str, Any] = {}  # fields of Trace, filled in by `record`
        self.identity: dict[str, Any] = {}  # fields of ModelInfo, likewise
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
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def stream(self, model: Any, **generate_kwargs: Any) -> Generator[Step, None, Any]:
        """Yields each step as it is decoded; closing the generator stops decoding and keeps the trace so far.

        Args:
            model: a transformers model with `generate`.
            generate_kwargs: what `generate` takes, inputs included; `stop_strings` with `tokenizer` works here.

        Returns:
            The generator; its return value is what `generate()` would have returned.
        """
        for name in ("assistant_model", "streamer"):
            if generate_kwargs.get(name) is not None:
                raise RecordingError(f"{name} cannot be used here, got {shown(generate_kwargs[name])}; leave it out")
        strings = generate_kwargs.pop("stop_strings", None)
        tokenizer = generate_kwargs.pop("tokenizer", None) or self.tokenizer
        if strings and tokenizer is None:
            raise SettingError("stop_strings", strings, "given with a tokenizer", "pass tokenizer=, too")
        if strings:
            criteria = StoppingCriteriaList(generate_kwargs.pop("stopping_criteria", None) or [])
            criteria.append(StopStringCriteria(tokenizer=tokenizer, stop_strings=strings))
            generate_kwargs["stopping_criteria"] = criteria
        return model.generate(**generate_kwargs, custom_generate=self._steps)

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
        loop = _strategy(generation_config)
        if loop is diverse_beam:
            logits_processor = with_hamming_diversity(logits_processor, generation_config)
        self._recording = recording = Recording(
            model, input_ids, logits_processor, generation_config, model_kwargs,
            memory_budget=self.memory_budget, share_prefill=self.share_prefill,
            facts=self._all_facts(input_ids.device, model), identity=self.identity,
        )  # fmt: skip
        recording.note_stop_strings(stopping_criteria)
        generator = None if self.seed is None else torch.Generator(input_ids.device).manual_seed(self.seed)
        arguments = (model, input_ids, logits_processor, stopping_criteria, generation_config, recording, generator)
        try:
            return (yield from self._reported(loop(*arguments, **model_kwargs)))
        except GeneratorExit:
            recording.finish("user")
            raise
        except BaseException as err:
            recording.finish("error")
            raise _explained(err, recording) from err

    def _reported(self, steps: Generator[Step, None, Any]) -> Generator[Step, None, Any]:
        """Passes the loop's steps on, past `on_step`."""
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            if self.on_step is not None:
                self.on_step(step)
            yield step

    def _all_facts(self, device: torch.device, model: Any) -> dict[str, Any]:
        facts = dict(self.facts)
        if self.tokenizer is not None and facts.get("tokens") is None:
            vocab_size = model.config.get_text_config().vocab_size
            facts["tokens"] = TokenTable.from_tokenizer(self.tokenizer, vocab_size)
        facts["rng_state"] = random_state(device) if self.seed is None else None
        facts["seed"] = self.seed
        return facts


def random_state(device: torch.device) -> Tensor:
    """torch's global random state on a device, as uint8."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    if device.type == "mps":
        return torch.mps.get_rng_state()
    return torch.get_rng_state()


def _strategy(config: GenerationConfig) -> Callable[..., Generator[Step, None, Any]]:
    mode = config.get_generation_mode()
    if mode not in STRATEGIES:
        modes = ", ".join(sorted(m.value for m in STRATEGIES))
        because = ", ".join(name for name in OTHER_MODES if getattr(config, name, None))
        raise RecordingError(
            f"the mode {mode.value!r} cannot be recorded, only {modes}; leave out {because or 'what asks for it'}"
        )
    return STRATEGIES[mode]


def _explained(err: BaseException, recording: Recording) -> BaseException:
    """The error to raise: a clear one where we know better, the original otherwise; both carry the trace."""
    n = len(recording.steps)
    if _is_out_of_memory(err):
        err = RecordingError(
            f"out of memory on {recording.device} at step {n} (counted from 0); the {n} steps before are kept. "
            "Use a shorter prompt, fewer beams or return sequences, a smaller model, or a smaller dtype"
        )
    if isinstance(err, DecodingError):
        err.trace = recording.trace()
    else:
        err.add_note(f"Decoding Explorer: the {n} steps before are in Recorder.trace")
    return err


def _is_out_of_memory(err: BaseException) -> bool:
    cpu = isinstance(err, RuntimeError) and "DefaultCPUAllocator" in str(err)
    return cpu or isinstance(err, (MemoryError, torch.OutOfMemoryError))
