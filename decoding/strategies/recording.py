"""Recording: a run while it happens; the loops tell it what they see, and it makes the trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from dataclasses import fields, replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch
import transformers
from packaging.version import Version
from torch import Tensor
from transformers.cache_utils import DynamicCache
from transformers.generation import (
    GenerationConfig,
    LogitsProcessorList,
    PrefixConstrainedLogitsProcessor,
    StoppingCriteriaList,
    StopStringCriteria,
)

from decoding.errors import RecordingError
from decoding.models.placement import layers_by_place
from decoding.parameters.acting import config_as_json, model_defaults
from decoding.parameters.knobs import BEAM_MODES
from decoding.parameters.settings import Settings, mode_of
from decoding.recorded.arithmetic import arithmetic_of
from decoding.recorded.given import given_in
from decoding.recorded.ledger import ABSENT, BeamStep, Ledger
from decoding.recorded.run import ModelInfo, Step
from decoding.recorded.sampler_facts import SAYING, sampler_array
from decoding.recorded.silent import silent_knobs
from decoding.recorded.stages import LOG_SOFTMAX, Stage, encode_stages, name_of, stages_of
from decoding.recorded.step_number import step_number
from decoding.recorded.step_store import REMEDY, MemoryStore
from decoding.samplers.chain import NO_CHAIN, Chain
from decoding.strategies.cache import CACHE_NAME, is_empty, named_here, stays_in_place
from decoding.strategies.generate_call import GIVEN_NOTHING, GivenToGenerate
from decoding.strategies.host_copies import HostCopies
from decoding.strategies.read_rows import why_all_stay
from decoding.trace import Trace
from decoding.transformers_private import LAST_SEEN, can_compile
from decoding.words import words

__all__ = ["Recording"]

STOP_REASONS = {
    "EosTokenCriteria": "eos",
    "MaxLengthCriteria": "max_length",
    "MaxTimeCriteria": "max_time",
    "StopStringCriteria": "stop_string",
}


class Recording:
    """Takes each step from a loop, encodes it, and can be asked for the trace so far at any time.

    A loop calls, per step, `observe` with logits and stage outputs, `stops` with the stopping criteria, and
    `choose` with the tokens.

    Args:
        processors: their stages, in order, are the trace's.
        memory_budget: bytes kept in memory before steps go to disk.
        share_prefill: for beam loops, whether the prompt is computed once for all beams.
        drop_finished: whether rows that have finished may leave the batch.
        compile_beams: for beam loops, whether their steps are to be compiled where sampling's would be.
        facts: fields of `Trace` that the loop does not know: settings, tokens, prompts, ….
        identity: fields of `ModelInfo` that the model does not know: name, source, revision.
        given: what came from the caller of `generate()`.
    """

    def __init__(
        self,
        model: Any,
        input_ids: Tensor,
        processors: LogitsProcessorList,
        config: GenerationConfig,
        model_kwargs: dict[str, Any],
        *,
        memory_budget: int,
        share_prefill: bool,
        drop_finished: bool = False,
        compile_beams: bool = False,
        facts: dict[str, Any],
        identity: dict[str, Any],
        given: GivenToGenerate = GIVEN_NOTHING,
    ) -> None:
        self.mode = mode_of(config.to_dict())
        beams = self.mode in BEAM_MODES
        first = (Stage(name=LOG_SOFTMAX, params={}),) if beams else ()
        chain: Chain = facts.pop("chain", NO_CHAIN)
        callers = tuple(p for p in given.logits_processor if all(p is not ours for ours in chain.processors))
        callers = (*callers, *(p for p in processors if isinstance(p, PrefixConstrainedLogitsProcessor)))
        self.stages = (*first, *stages_of(processors, callers))
        n_prompts = input_ids.shape[0] // (config.num_beams or 1)
        self.ledger = Ledger(n_prompts=n_prompts, n_beams=config.num_beams) if beams else None
        self.store = MemoryStore(memory_budget, facts.get("first_step", 0))
        self.share_prefill, self.drop_finished = share_prefill and beams, drop_finished
        self.compile_beams = compile_beams and beams
        self.steps: list[Step] = []
        self.sequences: Tensor | None = None
        self._model, self._facts, self._identity, self._given = model, facts, identity, given
        self._n_shared_before = n_shared_forwards(model)
        self._prompt_ids = input_ids.detach().to("cpu", torch.long, copy=True)
        mask = None if model.config.is_encoder_decoder else model_kwargs.get("attention_mask")
        mask = torch.ones_like(self._prompt_ids) if mask is None else mask.to("cpu", torch.long, copy=True)
        self._prompt_mask = mask[:, -self._prompt_ids.shape[1] :] if self._prompt_ids.shape[1] else mask[:, :0]
        self._defaults = model_defaults(model)
        self._generation, self._config = config, {**config_as_json(config, self._defaults), **chain.acts}
        self._saying = {n: p for n, p in enumerate(processors, start=1 + len(first)) if isinstance(p, SAYING)}
        self._inputs = inputs_beyond_trace(self._prompt_mask, model_kwargs, given.inputs - in_trace(facts))
        self._ended_by_caller = False  # some criterion of the caller's own has ended something
        n_searches = input_ids.shape[0] if self.ledger is None else n_prompts
        self._reasons: list[str | None] = [None] * n_searches
        self._left: tuple[bool, ...] = ()  # of the step under way, as `Step.left`
        self._leave_asked = False
        self._shortcuts: list[str] = []
        self._pending: HostCopies | None = None  # raw logits and the scores after each stage of the step under way
        self._late = False
        self._acted = [False] * len(self.stages)
        self._warnings: list[str] = [*facts.pop("warnings", ()), *_of_a_later_release()]
        self.cache: Any = None
        self._cached_ids: Tensor | None = None
        self._dtype, self._vocab_size, self.device = "", 0, str(input_ids.device)
        self._began, self._seconds = time.perf_counter(), 0.0

    def observe(self, raw: Tensor, outputs: list[Tensor], left: tuple[bool, ...] = ()) -> None:
        """Takes a step's raw logits [rows, vocab] in the model's dtype, and the scores after each stage.

        `outputs[0]` are the logits in float32, `outputs[i]` the scores after stage i. They stay as they are until the
        step is complete; nothing is copied here that is on the host already.

        Args:
            left: as `Step.left`; rows that left are not among those of the scores.
        """
        self._left = left
        self._dtype, self._vocab_size = str(raw.dtype).removeprefix("torch."), raw.shape[-1]
        self._late = encodes_late(raw.device)
        if self._late:  # the model may write its next logits where these are
            raw = outputs[0] if raw.dtype == torch.float32 else raw.clone()
        self._pending = HostCopies([raw, *outputs[1:]])

    def catch_up(self) -> None:
        """Encodes the step that was left for later, if one was; called when the model has been set going.

        Raises:
            Exception: it cannot be encoded; the trace then ends before it.
        """
        try:
            self.store.settle()
        except Exception:
            self.store.drop_unsettled()
            self._keep(len(self.steps) - 1)
            raise

    def _keep(self, n: int) -> None:
        """Ends the trace after its first n steps."""
        del self.steps[n:]
        if self.ledger is not None:
            del self.ledger.steps[n:]

    def draw(self, probs: Tensor, n: int, generator: torch.Generator | None) -> Tensor:
        """Draws n different tokens or candidates from each distribution: int64 [rows or prompts, n].

        Args:
            probs: [rows or prompts, tokens or candidates].
            n: how many.
            generator: None draws from torch's global state.

        Raises:
            RecordingError: see `check_drawable`.
        """
        if probs.device.type != "cpu":  # where drawing from NaN fails without saying so, or for good
            self.check_drawable(probs)
        try:
            return torch.multinomial(probs, num_samples=n, generator=generator)
        except RuntimeError:
            self.check_drawable(probs)
            raise

    def may_leave(self, settled: Tensor, model_kwargs: dict[str, Any], why_not: str | None = None) -> bool:
        """Whether rows of these prompts (bool [prompts or rows]), with which nothing more happens, leave the batch now.

        Where it was asked for and cannot be, a warning of the trace says why; the loop may know a reason of its own.
        """
        if not self.drop_finished or not bool(settled.any()):
            return False
        if not self._leave_asked:
            self._leave_asked = True
            n_rows = len(self._prompt_ids)
            why = why_not or why_all_stay(self._model, self._generation, model_kwargs, self._given, n_rows)
            if why is None:
                self._shortcuts.append("drop_finished")
            else:
                self.drop_finished = False
                said = "rows that had finished were computed to the end, although drop_finished was given: {why}"
                self._warnings.append(words(said, why=why))
        return self.drop_finished

    def beam_forward(self, model_kwargs: dict[str, Any]) -> Callable[..., Any]:
        """The forward pass of a beam loop's steps: compiled where that was asked for and sampling's would be.

        Where it was asked for and cannot be, a warning of the trace says so.

        Args:
            model_kwargs: as they are before the prompt is read.
        """
        if not self.compile_beams:
            return self._model
        cache = model_kwargs.get(CACHE_NAME)
        if not (stays_in_place(cache) and can_compile(self._model, model_kwargs, self._generation)):
            said = words(
                "the steps of the search were not compiled, although compile_beams was given: that takes a cache of "
                "fixed size (load_model(static_cache=True)) and a device that transformers compiles for"
            )
            self._warnings.append(said)
            return self._model
        self._shortcuts.append("compile_beams")
        return self._model.get_compiled_call(self._generation.compile_config)

    @property
    def step_number(self) -> int:
        """What people call the step that is under way."""
        return step_number(len(self.steps), self.store.first_step)

    def check_drawable(self, probs: Tensor) -> None:
        """Refuses to draw from what is no distribution, where torch would fail less clearly.

        Args:
            probs: [rows or prompts, n].

        Raises:
            RecordingError: a row has NaN probabilities; says whether the model or a processor is to blame.
        """
        if bool(torch.isfinite(probs.sum(-1)).all()):  # one NaN makes its whole row NaN
            return
        names = ("the model", *(stage.name for stage in self.stages))
        scores = _in_float32(cast(HostCopies, self._pending).get())
        self._warn_of(len(self.steps), scores)  # the step will never be encoded
        reasons = (_why_undrawable(name, s) for name, s in zip(names, scores, strict=True))
        culprit = next((reason for reason in reasons if reason), "its probabilities overflow")
        raise RecordingError(
            "step {step} has no distribution to draw from: {culprit}. The steps before are kept",
            step=self.step_number, culprit=culprit,
        )

    def stops(self, criteria: StoppingCriteriaList, input_ids: Tensor, scores: Any) -> Tensor:
        """Which rows end here: [rows], bool unless a criterion makes it something else.

        Calls each criterion once, and joins what they return, as `StoppingCriteriaList` does: it may be a tensor of
        any kind or shape that fits, or one truth value for all rows.
        """
        hits = torch.full((input_ids.shape[0],), False, dtype=torch.bool, device=input_ids.device)
        self._hit_by: list[tuple[str, Tensor]] = []
        for criterion in criteria:
            hit = criterion(input_ids, scores)
            hits = hits | hit
            ended = _ended(hit, hits.shape).to(hits.device)
            name = name_of(criterion)
            self._hit_by.append((STOP_REASONS.get(name, name), ended))
            if any(criterion is own for own in self._given.stopping_criteria) and not _is_in_config(criterion):
                self._ended_by_caller |= bool(ended.any())
        return hits

    def choose(self, tokens: Tensor, ended: Tensor, extra: dict[str, Tensor] | None = None) -> Step:
        """Completes the step with the token chosen for each row, and returns it.

        Args:
            tokens: int64 [rows].
            ended: bool [rows], whether the row had ended before this step.
            extra: what a mode keeps besides, by name, e.g. `contrastive.score`.
        """
        columns = [tokens, ended.to(tokens.dtype), *(hit.to(tokens.dtype) for _, hit in self._hit_by)]
        chosen, over, *hits = torch.stack(columns).tolist()  # at once: on a GPU each asking waits for it
        step = self._complete(tuple(chosen), tuple(map(bool, over)), extra or {})
        for (reason, _), hit in zip(self._hit_by, hits, strict=True):
            for row in range(len(hit)):
                if hit[row] and self._reasons[row] is None and not step.ended[row]:
                    self._reasons[row] = reason
        return step

    @property
    def hits(self) -> tuple[tuple[str, Tensor], ...]:
        """What `stops` found last: per criterion its reason, and bool [rows]."""
        return tuple(self._hit_by)

    def choose_beams(
        self,
        beams: BeamStep,
        can_improve: Tensor | None = None,
        *,
        hit_by: Sequence[tuple[str, Tensor]] | None = None,
        stopped_by: Sequence[str | None] | None = None,
    ) -> Step:
        """Completes the step of a beam loop, and returns it.

        Args:
            beams: its candidates and pools.
            can_improve: bool [prompts], whether a running beam may still beat the pool.
            hit_by: why candidates ended, per reason bool [prompts, K], where `stops` was not asked about them.
            stopped_by: per prompt why its search ended at this step, or None; left out, it is worked out.
        """
        ledger, beams = cast(Ledger, self.ledger), _on_host(beams)
        ledger.add(beams, self._hit_by if hit_by is None else hit_by)
        here = ledger.steps[-1]
        rows = beams.next_rows
        tokens = here["token"].gather(1, rows).flatten().tolist()
        parents = here["parent"].gather(1, rows).flatten().tolist()
        absent = here["fate"].gather(1, rows).flatten() == ABSENT
        over = ((~beams.searching).repeat_interleave(ledger.n_beams) | absent).tolist()
        step = self._complete(tuple(tokens), tuple(over), {}, tuple(parents))
        if stopped_by is None:
            stopped_by = self._why_stopped(beams, can_improve)
        self._reasons = [before or now for before, now in zip(self._reasons, stopped_by, strict=True)]
        return step

    def _why_stopped(self, beams: BeamStep, can_improve: Tensor | None) -> list[str | None]:
        """Per prompt why its search ended at this step, or None."""
        full, every = beams.pool_done.all(-1).tolist(), beams.ended.all(-1).tolist()
        out: list[str | None] = []
        for p, improves in enumerate(cast(Tensor, can_improve).tolist()):  # of loops that do not say why
            if every[p]:
                by = [r for r, hit in self._hit_by if hit.view(len(full), -1)[p].all()]
                out.append(by[0] if by else "all_ended")
            elif full[p] and self._config.get("early_stopping") is True:
                out.append("early_stopping")
            else:
                out.append(None if improves else "no_improvement")
        return out

    def _complete(
        self, tokens: tuple[int, ...], ended: tuple[bool, ...], extra: dict[str, Tensor], parents: tuple[int, ...] = ()
    ) -> Step:
        extra = {**extra, **self._said()}
        beside = HostCopies(list(extra.values()))
        make = partial(self._encoded, len(self.steps), cast(HostCopies, self._pending), tuple(extra), beside)
        try:
            if self._late:
                self.store.append_later(make)
            else:
                self.store.append(make())
        except BaseException:
            self._keep(len(self.steps))  # a beam step is in the ledger already
            raise
        step = Step(
            index=len(self.steps), token_ids=tokens, ended=ended, parents=parents, stages=self.stages, left=self._left,
            _store=self.store, _ledger=self.ledger,
        )  # fmt: skip
        self.steps.append(step)
        self._pending = None
        self._seconds = time.perf_counter() - self._began
        return step

    def _said(self) -> dict[str, Tensor]:
        """What samplers with a state, a chance or a temperature of their own say of the step, by `sampler_array`."""
        out = {}
        for stage, processor in self._saying.items():
            for name, values in processor.facts().items():
                kept = values if not self._left else values[~torch.tensor(self._left, device=values.device)]
                out[sampler_array(stage, name)] = kept.clone(memory_format=torch.contiguous_format)
        return out

    def _encoded(
        self, index: int, observed: HostCopies, names: tuple[str, ...], beside: HostCopies
    ) -> dict[str, Tensor]:
        """The arrays of a step, once its scores and what is kept beside them (by name) are on the host."""
        raw, *after = observed.get()
        outputs = _in_float32([raw, *after])
        self._warn_of(index, outputs)
        arrays = {"logits": raw, **encode_stages(self.stages, outputs)}
        arrays |= {name: tensor.contiguous() for name, tensor in zip(names, beside.get(), strict=True)}
        acted = [bool(kinds.any()) for kinds in arrays["kinds"].numpy()]
        self._acted = [before or here for before, here in zip(self._acted, acted, strict=True)]
        return arrays

    def _warn_of(self, index: int, outputs: list[Tensor]) -> None:
        """Notes what is odd about a step's scores, each thing once."""
        wide = next((s for s, o in zip(self.stages, outputs[1:], strict=True) if o.dtype == torch.float64), None)
        if wide and not any("float64" in w for w in self._warnings):
            self._warnings.append(
                words(
                    "{name} returned float64 scores; the choice was made from those, they are shown as float32",
                    name=wide.name,
                )
            )
        n_bad = _n_not_a_score(outputs[0])
        if n_bad and not any(w.startswith("the model's logits") for w in self._warnings):
            self._warnings.append(
                words(
                    "the model's logits hold {n} NaN or infinite values at step {step}; generate() goes on all the "
                    "same, and what it then chooses means nothing (try dtype=float32)",
                    n=n_bad, step=step_number(index, self.store.first_step),
                )
            )  # fmt: skip

    def keep_cache(self, cache: Any, ids: Tensor) -> None:
        """Remembers the model's cache and the tokens it holds, [rows, length], for forks; copies nothing."""
        self.cache, self._cached_ids = cache, ids

    @property
    def cached_ids(self) -> Tensor | None:
        """The tokens that `cache` holds, int64 [rows, length], or None without a cache."""
        return None if self.cache is None or self._cached_ids is None else self._cached_ids.cpu()

    def note_stop_strings(self, criteria: StoppingCriteriaList) -> None:
        """Keeps stop strings that came as a criterion instead of a parameter."""
        for criterion in criteria:
            if isinstance(criterion, StopStringCriteria):
                self._config["stop_strings"] = list(criterion.stop_strings)

    def finish(self, reason: str | None = None) -> None:
        """Marks the end; rows still open get `reason`: `user` or `error`."""
        self._reasons = [r or reason for r in self._reasons]

    def trace(self) -> Trace:
        """The trace of what was recorded so far."""
        self.catch_up()
        prompt_ids = self._prompt_ids
        if self.sequences is not None:
            sequences = self.sequences.cpu()
        elif self.ledger is not None:  # stopped half-way: generate() has no answer for that
            sequences = prompt_ids[:: self.ledger.n_beams]
        else:
            chosen = torch.tensor([s.token_ids for s in self.steps], dtype=torch.long)
            sequences = torch.cat([prompt_ids, chosen.reshape(-1, prompt_ids.shape[0]).T], 1)
        settings: Settings | None = self._facts.get("settings")
        model = self._model_info()
        n_prompt = prompt_ids.shape[1]
        dropped_in = given_in(self._config, self._defaults, n_prompt, model.context_length)
        given = settings.given() if settings else dropped_in
        return Trace(
            steps=tuple(self.steps),
            stages=self.stages,
            prompt_ids=prompt_ids,
            prompt_mask=self._prompt_mask,
            sequences=sequences,
            mode=self.mode,
            generation_config=self._config,
            model_defaults=self._defaults,
            model=model,
            silent=silent_knobs(
                given, self.mode, self.stages, self._acted if self.steps else None, self._config, self._defaults
            ),
            warnings=tuple(self._warnings) + self._lost(),
            stop_reasons=tuple(r or "running" for r in self._reasons),
            seconds=self._seconds,
            prefill="shared" if self.share_prefill else self._facts.get("prefill", "plain"),
            shortcuts=(*self._shortcuts, *self._shared()),
            store=self.store,
            ledger=self.ledger,
            from_caller=self._from_caller(),
            **{name: fact for name, fact in self._facts.items() if name != "prefill"},
        )

    def _shared(self) -> tuple[str, ...]:
        """What to say of passes that were computed with rows of other runs."""
        return ("shared_forward",) if n_shared_forwards(self._model) > self._n_shared_before else ()

    def _from_caller(self) -> tuple[str, ...]:
        """What of the caller's own shaped the run: a processor that never changed a score did not."""
        prefix = PrefixConstrainedLogitsProcessor.__name__  # of prefix_allowed_tokens_fn, among the inputs
        acted = any(s.own and s.name != prefix and did for s, did in zip(self.stages, self._acted, strict=True))
        processors = ("logits_processor",) if acted else ()
        criteria = ("stopping_criteria",) if self._ended_by_caller else ()
        return (*processors, *criteria, *self._inputs)

    def _lost(self) -> tuple[str, ...]:
        if self.store.lost_from is None:
            return ()
        return (
            words(
                "the temporary file could not be written ({why}): from step {step} on only the chosen tokens were "
                "kept; {remedy}",
                why=self.store.lost_because, remedy=REMEDY,
                step=step_number(self.store.lost_from, self.store.first_step),
            ),
        )  # fmt: skip

    def _model_info(self) -> ModelInfo:
        model = self._model
        text_config = model.config.get_text_config()
        return ModelInfo(
            **{"name": type(model).__name__, "source": "caller", **self._identity},
            class_name=type(model).__name__,
            dtype=self._dtype or str(model.dtype).removeprefix("torch."),
            device=self.device,
            vocab_size=self._vocab_size or text_config.vocab_size,
            n_parameters=sum(p.numel() for p in model.parameters()),
            context_length=getattr(text_config, "max_position_embeddings", None),
            is_encoder_decoder=bool(model.config.is_encoder_decoder),
            transformers_version=transformers.__version__,
            torch_version=torch.__version__,
            arithmetic=arithmetic_of(self.device),
            layers=layers_by_place(model),
            n_processes=getattr(model, "tp_size", None) or 1,
        )


def n_shared_forwards(model: Any) -> int:
    """How many of a model's passes were computed with rows of other runs: a server's view of a model counts them."""
    return int(getattr(getattr(model, "sharing", None), "n_shared_forwards", 0))


def _of_a_later_release() -> list[str]:
    """What a reader must know where transformers may decode otherwise than the loops here."""
    if Version(transformers.__version__).release[:2] <= LAST_SEEN:
        return []
    last = ".".join(map(str, LAST_SEEN))
    return [
        words(
            "recorded with transformers {version}, and the loops here were last read beside {last}: verify tells "
            "whether generate() still gives the same",
            version=transformers.__version__, last=last,
        )
    ]  # fmt: skip


def in_trace(facts: dict[str, Any]) -> set[str]:
    """Inputs of `generate()` that were not the caller's: the trace says what they were made of."""
    settings = facts.get("settings")
    guided = settings is not None and settings.negative_prompt
    negative = {"negative_prompt_ids", "negative_prompt_attention_mask"} if guided else set()
    return negative | ({CACHE_NAME} if facts.get("prefill") == "reused" else set())


def inputs_beyond_trace(mask: Tensor, model_kwargs: dict[str, Any], given: Set[str]) -> tuple[str, ...]:
    """Those of the caller's inputs that a second run needs, too: not what `generate()` would have taken anyway.

    Args:
        mask: int64 [rows, prompt_length], as `Trace.prompt_mask`.
    """
    names = {named_here(name) for name in given}
    positions, cache = model_kwargs.get("position_ids"), model_kwargs.get(CACHE_NAME)
    if "position_ids" in names and positions is not None:
        usual = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 0)  # as generate() counts them
        if positions.shape[-1] == usual.shape[-1] and bool((positions.cpu() == usual).all()):
            names.remove("position_ids")
    if CACHE_NAME in names and type(cache) is DynamicCache and is_empty(cache):
        names.remove(CACHE_NAME)
    return tuple(sorted(names))


def _ended(hit: Any, shape: torch.Size) -> Tensor:
    """What a criterion returned as bool [rows]: whole numbers count by their last bit, as in `generate()`."""
    hit = torch.as_tensor(hit)
    odd = hit if hit.dtype == torch.bool else (hit.to(torch.long) & 1).bool()
    return odd.expand(shape).clone()


def _is_in_config(criterion: Any) -> bool:
    """Whether the recorded parameters hold it: stop strings are kept among them, however they came."""
    return isinstance(criterion, StopStringCriteria)


def encodes_late(device: torch.device) -> bool:
    """Whether a step is encoded while the device computes the next one; where that is the CPU, it has no time to."""
    return device.type == "cuda"


def _on_host(beams: BeamStep) -> BeamStep:
    """The same with all its tensors on the CPU, which are waited for once."""
    tensors = {f.name: value for f in fields(beams) if isinstance(value := getattr(beams, f.name), Tensor)}
    arrived: dict[str, Any] = dict(zip(tensors, HostCopies(list(tensors.values())).get(), strict=True))
    return replace(beams, **arrived)


def _in_float32(observed: list[Tensor]) -> list[Tensor]:
    """The scores before the first stage and after each, of raw logits and the scores after each."""
    raw, *after = observed
    return [raw if raw.dtype == torch.float32 else raw.to(torch.float32), *after]


def _n_not_a_score(logits: Tensor) -> int:
    """How many values are NaN or plus infinity; in numpy, as this runs at every step."""
    values = logits.numpy()
    if values.size == 0 or values.max() < np.inf:  # the largest of some with a NaN is NaN, which is below nothing
        return 0
    return int(np.count_nonzero(~np.isfinite(values) & (values != -np.inf)))


def _why_undrawable(name: str, scores: Tensor) -> str | None:
    """What is wrong with scores [rows, vocab] that cannot be drawn from, if it is wrong here already."""
    n_bad = _n_not_a_score(scores)
    if n_bad and name == "the model":
        return words(
            "{n} of {all} of the model's logits are NaN or infinite; try dtype=float32", n=n_bad, all=scores.numel()
        )
    if n_bad:
        return words("{name} made scores NaN or infinite; choose a less extreme value for it", name=name)
    if bool((scores == -torch.inf).all(-1).any()):
        return words("{name} removed the last token that was left; loosen it or what came before", name=name)
    return None
