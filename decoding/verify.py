"""verify: the recorded run again through plain `generate()`, compared bit for bit."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import torch
import transformers
from torch import Tensor
from transformers.generation import (
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from decoding.errors import DecodingError, VerifyError
from decoding.models.placement import layers_by_place
from decoding.models.processes import rank_of, told_by_rank_0
from decoding.parameters.settings import watermarking
from decoding.recorded.arithmetic import arithmetic_of
from decoding.recorded.constrained import constraint_again
from decoding.recorded.ledger import NEVER
from decoding.recorded.sampler_chain import chain_of_run
from decoding.recorded.stages import name_of
from decoding.recorded.step_number import step_number
from decoding.recorder import Recorder
from decoding.strategies.cache import named_here
from decoding.tokens.known_tables import table_of
from decoding.trace import Trace
from decoding.verifying.comparison import Differences, RunComparison
from decoding.verifying.observed_run import Look, ObservedRun
from decoding.words import words

if TYPE_CHECKING:
    from decoding.models.load import LanguageModel

__all__ = ["GRADES", "Check", "Verification", "verify"]

GRADES = ("bits", "tokens", "other")
# What another way to compute the same may change a score by; beyond it, it is no longer the same calculation.
CLOSE = {"float32": 1e-3, "float64": 1e-3, "float16": 0.06, "bfloat16": 0.5}
HOW_PREFILLED = {
    "shared": "was computed once for all beams (share_prefill)",
    "reused": "was not computed again but taken from the run this one was forked from",
}
HOW_COMPUTED = {
    "drop_finished": "rows that had finished left the batch (drop_finished)",
    "compile_beams": "the steps of the search were compiled (compile_beams)",
    "shared_forward": "its steps were computed together with those of other runs",
}
SAID_IN_A_NOTE = ("processor_unknown", "prefill_shared", "prefill_reused", *HOW_COMPUTED)
RETIRED = ("group_beam_search", "contrastive_search")  # modes that transformers' own generate() no longer has
OUR_LOOP = "a second run of our own loop"
REASONS = {
    "eos", "max_length", "max_time", "stop_string", "user", "error", "running",
    "all_ended", "early_stopping", "no_improvement",
}  # fmt: skip # why a run ends by itself, or was stopped: all but the caller's own criteria
ONE_AT_A_TIME = threading.Lock()  # plain generate() draws from torch's one global random state


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing compared.

    Attributes:
        name: `tokens`, `logits`, `stages`, `scores`, `sequences_scores`.
        equal: bit for bit.
        detail: how much was compared, or where the first difference is and how large.
        largest: the largest difference of two finite values; 0 where there is none.
        n_unmatched: values that are finite in one run only: tokens that were removed only there.
    """

    name: str
    equal: bool
    detail: str
    largest: float = 0.0
    n_unmatched: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a second run may come out otherwise.

    Attributes:
        why: a key for translations: `processor`, `processor_unknown`, `device`, `dtype`, `split`, `transformers`,
            `torch`, `revision`, `prefill_shared`, `prefill_reused`, or one of `Trace.shortcuts`.
        then, now: what it was when the run was recorded, and what it is now.
        text: the same in English.
    """

    why: str
    then: str
    now: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What the comparison gave.

    Attributes:
        checks: one entry per thing compared.
        notes: what a reader must know, such as another device than the recording's.
        against: what the recording was compared with.
        because: why scores may differ although nothing is wrong.
        dtype: of the logits; decides how much another arithmetic may change.
    """

    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    against: str = "generate()"
    because: tuple[Reason, ...] = ()
    dtype: str = "float32"

    @property
    def grade(self) -> str:
        """`bits`: all is the same, bit for bit. `tokens`: the same tokens, other scores. `other`: other tokens."""
        if all(check.equal for check in self.checks):
            return "bits"
        return "tokens" if all(check.equal for check in self.checks if check.name in ("tokens", "steps")) else "other"

    @property
    def largest(self) -> float:
        """The largest difference between two scores; 0 with the grade `bits`."""
        return max((check.largest for check in self.checks), default=0.0)

    @property
    def within(self) -> str:
        """`largest` to two digits, rounded up, so that no score differs by more."""
        if not self.largest:
            return "0"
        unit = 10.0 ** (math.floor(math.log10(self.largest)) - 1)
        return f"{math.ceil(self.largest / unit) * unit:.2g}"

    @property
    def n_unmatched(self) -> int:
        """Final scores of tokens that were removed in one of the two runs only."""
        return sum(check.n_unmatched for check in self.checks if check.name == "scores")

    @property
    def equal(self) -> bool:
        """The same bits; or the same tokens, and the scores differ by no more than a known reason explains."""
        explained = bool(self.because) and self.largest <= CLOSE.get(self.dtype, CLOSE["float32"])
        return self.grade == "bits" or self.grade == "tokens" and explained

    @property
    def text(self) -> str:
        """A report in plain words, one line per check."""
        lines = [f"  {c.name}: {'equal' if c.equal else self._other} ({c.detail})" for c in self.checks]
        return "\n".join([self._verdict, *lines, *(f"  note: {note}" for note in self.notes)])

    @property
    def _other(self) -> str:
        return "close" if self.equal else "DIFFERENT"

    @property
    def _verdict(self) -> str:
        because = "; ".join(reason.text for reason in self.because)
        if self.grade == "bits":
            return f"equal: {self.against} gives the same, bit for bit"
        if self.equal:
            removed = f", {self.n_unmatched} of them removed in one run only" if self.n_unmatched else ""
            within = f"scores within {self.within}{removed}"
            return f"equal: {self.against} gives the same tokens, and {within} ({because})"
        why = f" ({because})" if because else ""
        if self.grade == "tokens":
            how = f"that differ by up to {self.within}" if self.largest else "of which some are removed"
            return f"NOT equal: {self.against} gives the same tokens, but scores {how}{why}"
        return f"NOT equal: {self.against} gives other tokens{why}"


class _StopAt(StoppingCriteria):
    """Ends where a run that was stopped by hand, by time or by an error ended."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        return torch.full(input_ids.shape[:1], input_ids.shape[1] >= self.length, device=input_ids.device)


def verify(
    trace: Trace,
    lm: LanguageModel,
    *,
    logits_processor: LogitsProcessorList | None = None,
    stopping_criteria: StoppingCriteriaList | None = None,
    inputs: dict[str, Any] | None = None,
    on_step: Callable[[], None] | None = None,
    **given: Any,
) -> Verification:
    """Runs plain `generate()` with the recorded inputs, parameters and random state, and compares everything.

    Example:
        >>> from decoding import Settings, load_model, record, verify
        >>> lm = load_model()
        >>> report = verify(record(lm, "The capital of France is", Settings(max_new_tokens=2)), lm)
        >>> report.equal
        True

    Tokens, logits, the scores after every processor and the final ones are compared. Diverse beam search and
    contrastive search, which `generate()` no longer has, are compared with a second run of our own loop; a note says
    so. Processes that share a model (`load_model(tp_plan=…)`) all call this, each with its own trace; that of rank 0
    compares, and all get what it found.

    Args:
        trace: the recording.
        lm: the model that made it.
        logits_processor, stopping_criteria: the caller's own, if the run had any; they are not in the trace. What
            remembers earlier calls must be made anew.
        inputs: `generate`'s inputs, where they are not in the trace (embeddings, images).
        on_step: called at each step of the second run; what it raises ends that. It must not draw from torch's global
            random state, nor let anyone do so meanwhile.
        given: whatever else `generate()` was given that `trace.from_caller` names: `position_ids`,
            `past_key_values` as they were before the run, `prefix_allowed_tokens_fn`, ….

    Raises:
        VerifyError: something that the run needs is not in the trace, or the model cannot be the same.
    """
    given = {**(inputs or {}), **given}
    follows = rank_of(lm.model) > 0
    _check_together(trace, lm, logits_processor, stopping_criteria, given)
    if not set(given) & {"input_ids", "inputs", "inputs_embeds"}:
        given = {**_inputs(trace), **given}
    place = lm.model.device
    given = {name: value.to(place) if isinstance(value, Tensor) else value for name, value in given.items()}
    criteria = _criteria(trace, stopping_criteria)
    chain = chain_of_run(trace, lm.tokenizer)
    beams = trace.ledger is not None
    comparison = RunComparison(trace, [] if follows else _stages_to_compare(trace, logits_processor))
    own_loop = trace.mode in RETIRED
    look = _stepwise(_look_away if follows else comparison.look, on_step)
    recorded = None if on_step is None else lambda step: on_step()
    made = constraint_again(trace, table_of(lm.tokenizer, lm.model.config.get_text_config().vocab_size))
    loop = Recorder(tokenizer=lm.tokenizer, on_step=recorded) if own_loop else ObservedRun(lm.tokenizer, look)
    with ONE_AT_A_TIME, _recorded_random_state(trace, place), _callers_errors(logits_processor, stopping_criteria):
        out = lm.model.generate(
            **given,
            **chain.given_to_generate(_parameters(trace, lm)),
            logits_processor=LogitsProcessorList([*made, *(logits_processor or ()), *chain.processors]),
            stopping_criteria=criteria,
            return_dict_in_generate=True,
            output_scores=beams or bool(stopping_criteria),  # criteria may read them
            output_logits=beams,
            custom_generate=loop,
        )
    found = None if follows else _verification(trace, lm, comparison, out, loop)
    return cast(Verification, told_by_rank_0(lm.model, found))


def _verification(trace: Trace, lm: LanguageModel, comparison: RunComparison, out: Any, loop: Any) -> Verification:
    """What the comparison gave, once the second run is over."""
    if isinstance(loop, Recorder):
        _look_at(loop.trace, comparison)
    elif trace.ledger is not None:
        comparison.compare_logits(out.logits)
    return Verification(
        checks=_checks(trace, comparison, out, _names_of(loop)),
        notes=_notes(trace, lm),
        against=OUR_LOOP if isinstance(loop, Recorder) else "generate()",
        because=_because(trace, lm),
        dtype=trace.model.dtype,
    )


def _stepwise(look: Look, on_step: Callable[[], None] | None) -> Look:
    """The look, and before that of each step a call."""
    if on_step is None:
        return look

    def looked(stage: int, input_ids: Tensor, scores: Tensor) -> None:
        if stage == 0:
            on_step()
        look(stage, input_ids, scores)

    return looked


def _look_away(stage: int, input_ids: Tensor, scores: Tensor) -> None:
    """What a process does with a step that another one compares."""


def _check_together(trace: Trace, lm: LanguageModel, *what: Any) -> None:
    """`_check_possible`, where a model is shared by all of its processes: none may begin to decode alone."""
    error: DecodingError | None = None
    if rank_of(lm.model) == 0:
        try:
            _check_possible(trace, lm, *what)
        except DecodingError as found:
            error = found
    error = told_by_rank_0(lm.model, error)
    if error is not None:
        raise error


def _criteria(trace: Trace, own: Any) -> StoppingCriteriaList:
    """The caller's criteria, and for a run that was broken off one that ends the second run there, too."""
    criteria = StoppingCriteriaList(own or [])
    if set(trace.stop_reasons) & {"user", "error", "max_time", "running"}:
        criteria.append(_StopAt(trace.prompt_ids.shape[1] + len(trace.steps)))
    return criteria


def _names_of(loop: Recorder | ObservedRun) -> list[str]:
    """The processors that ran."""
    return [stage.name for stage in loop.trace.stages] if isinstance(loop, Recorder) else list(loop.names)


@contextmanager
def _callers_errors(processors: Any, criteria: Any) -> Iterator[None]:
    """An error of the caller's own processor or criterion is told as what it most likely is: it remembers a run."""
    own = " or ".join(name_of(thing) for thing in (*(processors or ()), *(criteria or ())))
    try:
        yield
    except DecodingError:
        raise
    except Exception as error:
        if not own:
            raise
        raise VerifyError(
            "the second run broke off with {error_type}: {error}; if your own {own} remembers what it saw, give a "
            "fresh one",
            error_type=type(error).__name__, error=str(error) or "no message", own=own,
        ) from error


def _check_possible(trace: Trace, lm: LanguageModel, processors: Any, criteria: Any, given: dict[str, Any]) -> None:
    if not trace.steps:
        raise VerifyError("the trace has no steps, so there is nothing to compare; record a run first")
    if trace.compact is not None:
        raise VerifyError(
            "the trace is compact: most scores are only in a histogram, and verify needs the lossless form; record the "
            "run again, or save it without compact=True"
        )
    vocab = lm.model.config.get_text_config().vocab_size
    if type(lm.model).__name__ != trace.model.class_name or vocab != trace.model.vocab_size:
        raise VerifyError(
            "the trace was made by {name} ({class_name}, {vocab_size} tokens), this model is {other} ({model_type}, "
            "{vocab} tokens); load the same model",
            name=trace.model.name, class_name=trace.model.class_name, vocab_size=trace.model.vocab_size,
            other=lm.name, model_type=type(lm.model).__name__, vocab=vocab,
        )
    has_inputs = set(given) & {"input_ids", "inputs", "inputs_embeds"}
    if not has_inputs and trace.model.is_encoder_decoder and trace.encoder_ids is None:
        raise VerifyError("what the encoder read is not in this recording; pass inputs= as given to generate()")
    if not has_inputs and trace.prompt_ids.shape[1] == 0:
        raise VerifyError("the run started from embeddings, which are not in the trace; pass inputs=")
    _check_callers(trace, processors, criteria, given)


def _check_callers(trace: Trace, processors: Any, criteria: Any, given: dict[str, Any]) -> None:
    """What came from the caller and shaped the run has to come from the caller again."""
    prefix = "PrefixConstrainedLogitsProcessor" if "prefix_allowed_tokens_fn" in trace.from_caller else None
    own = [name for i in _acting_own_stages(trace) if (name := trace.stages[i].name) != prefix]
    if own and not processors:
        raise VerifyError("the run used your own {own}; pass them as logits_processor=", own=", ".join(own))
    own = sorted(set(", ".join(trace.stop_reasons).split(", ")) - REASONS)
    if own and not criteria:
        raise VerifyError("the run was ended by your own {own}; pass it as stopping_criteria=", own=", ".join(own))
    if not criteria and "stopping_criteria" in trace.from_caller:
        raise VerifyError("the run had stopping criteria of your own; pass them as stopping_criteria=")
    missing = {named_here(name) for name in trace.from_caller}
    missing -= {"logits_processor", "stopping_criteria", *map(named_here, given)}
    if missing:
        names = ", ".join(sorted(missing))
        raise VerifyError(
            "the run was given {names}, not kept in the trace; pass the same, as before the run: verify(trace, lm, "
            "{missing})",
            names=names, missing=", ".join(f"{name}=…" for name in sorted(missing)),
        )


def _acting_own_stages(trace: Trace) -> list[int]:
    """Indices of the caller's processors that changed some score; the others can be left out."""
    own = {i for i, stage in enumerate(trace.stages) if stage.own}
    if not own:
        return []
    did: set[int] = set()
    for step in trace.steps:
        acted = step.acted()
        did |= {i for i in own if acted[i]}
        if did == own:
            break
    return sorted(did)


def _stages_to_compare(trace: Trace, processors: Any) -> list[int]:
    """The recorded stages to hold the second run's scores against, before its first processor and after each.

    In beam methods its processors see log-probabilities, recorded stage 1, from the start. Processors of the caller's
    that are not passed again did nothing.
    """
    acting = _acting_own_stages(trace) if not processors else range(len(trace.stages))
    first = 1 if trace.ledger is not None else 0
    left = [i for i, stage in enumerate(trace.stages) if i >= first and (not stage.own or i in acting)]
    return [first, *(i + 1 for i in left)]


def _look_at(second: Trace, comparison: RunComparison) -> None:
    """Compares a second recording, stage by stage."""
    for step in second.steps:
        rows = [step.all_scores(row=row) for row in range(second.n_rows)]
        prefix = torch.stack([second.prefix(step.index, row) for row in range(second.n_rows)])
        for stage, recorded in enumerate(comparison.stages):
            if recorded < len(rows[0]):
                comparison.look(stage, prefix, torch.stack([scores[recorded] for scores in rows]))
    if second.ledger is not None:
        comparison.compare_logits(
            tuple(torch.stack([s.scores(row=r, stage=0) for r in range(second.n_rows)]) for s in second.steps)
        )


def _inputs(trace: Trace) -> dict[str, Tensor | None]:
    """The inputs as they were before generate() expanded each prompt to its rows."""
    each = trace.rows_per_prompt
    if trace.model.is_encoder_decoder:
        started = {"decoder_input_ids": trace.prompt_ids[::each]} if trace.prompt_ids.shape[1] > 1 else {}
        return {"input_ids": trace.encoder_ids, "attention_mask": trace.encoder_mask, **started}
    return {"input_ids": trace.prompt_ids[::each], "attention_mask": trace.prompt_mask[::each]}


def _parameters(trace: Trace, lm: LanguageModel) -> dict[str, Any]:
    values = {k: v for k, v in trace.generation_config.items() if k != "max_time"}
    for length, new in (("max_length", "max_new_tokens"), ("min_length", "min_new_tokens")):
        if values.get(new) is not None:  # generate() derived the one from the other
            values.pop(length, None)
    if values.get("stop_strings") is not None:
        values["tokenizer"] = lm.tokenizer
    if values.get("watermarking_config") is not None:
        values["watermarking_config"] = watermarking(values["watermarking_config"])
    if trace.settings and trace.settings.negative_prompt:
        from decoding.models.prompts import encode_prompt

        encoded = encode_prompt(lm, trace.settings.negative_prompt)
        values["negative_prompt_ids"] = encoded.input_ids.to(lm.model.device)
        values["negative_prompt_attention_mask"] = encoded.attention_mask.to(lm.model.device)
    return values


class _recorded_random_state:
    """torch's global random state as it was when the run began; restored afterwards."""

    def __init__(self, trace: Trace, device: torch.device) -> None:
        self.trace, self.device = trace, device
        accelerator = [device] if device.type == "cuda" else []
        self.fork = torch.random.fork_rng(devices=accelerator)

    def __enter__(self) -> None:
        self.fork.__enter__()
        if self.trace.seed is not None:
            {"cuda": torch.cuda.manual_seed, "mps": torch.mps.manual_seed}.get(
                self.device.type, torch.default_generator.manual_seed
            )(self.trace.seed)
        elif self.trace.rng_state is not None and self.trace.model.device.split(":")[0] == self.device.type:
            if self.device.type == "cuda":
                torch.cuda.set_rng_state(self.trace.rng_state, self.device)
            elif self.device.type == "cpu":
                torch.set_rng_state(self.trace.rng_state)

    def __exit__(self, *exc: Any) -> None:
        self.fork.__exit__(*exc)


def _checks(trace: Trace, comparison: RunComparison, out: Any, names: list[str]) -> tuple[Check, ...]:
    first = 1 if trace.ledger is not None else 0
    recorded = [trace.stages[i - 1].name for i in comparison.stages[1:]]
    checks = []
    if comparison.n_steps != len(trace.steps):
        detail = words("{ours} steps against {theirs}", ours=len(trace.steps), theirs=comparison.n_steps)
        checks.append(Check(name="steps", equal=False, detail=detail))
    checks.append(_check("logits", comparison.logits, len(trace.steps)))
    ran = names[first:] if trace.mode in RETIRED else names
    if ran != recorded:
        ours, theirs = ", ".join(recorded) or "none", ", ".join(ran) or "none"
        detail = words("recorded were {ours}; run were {theirs}", ours=ours, theirs=theirs)
        checks.append(Check(name="stages", equal=False, detail=detail))
    elif recorded:
        checks.append(_check("stages", comparison.between, len(trace.steps)))
    checks.append(_check("scores", comparison.scores, len(trace.steps)))
    if trace.ledger is not None and set(trace.stop_reasons) & {"user", "error", "running"}:
        return tuple(checks)  # a search broken off has no answer yet, and generate() gives none to compare
    checks.insert(0, _compare_tokens(trace, out.sequences.cpu()))
    if trace.ledger is not None:
        checks.append(_compare_hypotheses(trace, out.sequences_scores.cpu()))
    return tuple(checks)


def _check(name: str, found: Differences, n_steps: int) -> Check:
    if not found.n_differ:
        detail = words("{n} steps, {n_values:,} values, bit for bit", n=n_steps, n_values=found.n_values)
        return Check(name=name, equal=True, detail=detail)
    more = "{first}; {n_differ:,} of {n_values:,} in all"
    more += ", {n_unmatched:,} of them removed in one run only" if found.n_unmatched else ""
    detail = words(
        more, first=found.first, n_differ=found.n_differ, n_values=found.n_values, n_unmatched=found.n_unmatched
    )
    return Check(name=name, equal=False, detail=detail, largest=found.largest, n_unmatched=found.n_unmatched)


def _compare_hypotheses(trace: Trace, theirs: Tensor) -> Check:
    """The final scores; those of places that no hypothesis ever took are -1e9 in `generate()`, and not compared."""
    theirs = theirs.to(torch.float32)  # in float64 where a processor of the caller's made it so
    ours = {h.place: h.score for h in trace.hypotheses if h.finished or float(theirs[h.place]) > NEVER / 2}
    off = [(place, score) for place, score in ours.items() if score != float(theirs[place])]
    if not off:
        return Check(name="sequences_scores", equal=True, detail=words("{n} hypotheses", n=len(ours)))
    place, score = off[0]
    largest = max(abs(score - float(theirs[place])) for place, score in off)
    other = float(theirs[place])
    detail = words("first at {place}: {ours!r} against {theirs!r}", place=(place or 0) + 1, ours=score, theirs=other)
    return Check(name="sequences_scores", equal=False, detail=detail, largest=largest)


def _compare_tokens(trace: Trace, theirs: Tensor) -> Check:
    """What was returned, and what the steps say was chosen, which in beam methods is another thing."""
    ours, chosen, expected = trace.sequences, trace.generated_ids, theirs[:, trace.prompt_ids.shape[1] :]
    if ours.shape == theirs.shape and torch.equal(ours, theirs):
        if trace.ledger is not None or torch.equal(chosen, expected):
            detail = words("{n_rows} × {n} tokens", n_rows=ours.shape[0], n=ours.shape[1])
            return Check(name="tokens", equal=True, detail=detail)
        if chosen.shape != expected.shape:
            detail = words("{ours} chosen against {theirs}", ours=chosen.shape[1], theirs=expected.shape[1])
            return Check(name="tokens", equal=False, detail=detail)
        row, step = (chosen != expected).nonzero()[0].tolist()
        detail = words(
            "first at row {row}, step {step}: {ours} against {theirs}",
            row=row + 1, step=step_number(step, trace.first_step), ours=int(chosen[row, step]),
            theirs=int(expected[row, step]),
        )  # fmt: skip
        return Check(name="tokens", equal=False, detail=detail)
    if ours.shape != theirs.shape:
        detail = words("shape {ours} against {theirs}", ours=tuple(ours.shape), theirs=tuple(theirs.shape))
        return Check(name="tokens", equal=False, detail=detail)
    row, position = (ours != theirs).nonzero()[0].tolist()
    detail = words(
        "first at row {row}, position {position}: {ours} against {theirs}",
        row=row + 1, position=position + 1, ours=int(ours[row, position]), theirs=int(theirs[row, position]),
    )  # fmt: skip
    return Check(name="tokens", equal=False, detail=detail)


def _because(trace: Trace, lm: LanguageModel) -> tuple[Reason, ...]:
    """Why the second run may come out otherwise, though nothing is wrong."""
    then, found = trace.model, []

    def differs(why: str, was: str, now: str, what: str) -> None:
        found.append(Reason(why=why, then=was, now=now, text=what.format(then=was, now=now)))

    if trace.prefill != "plain":
        differs(f"prefill_{trace.prefill}", trace.prefill, "plain", f"the prompt {HOW_PREFILLED[trace.prefill]}")
    for shortcut in trace.shortcuts:
        differs(shortcut, "yes", "no", HOW_COMPUTED[shortcut])
    device = then.device.split(":")[0], lm.device.split(":")[0]
    if device[0] != device[1]:
        differs("device", *device, "recorded on {then}, verified on {now}")
    if then.dtype != lm.dtype:
        differs("dtype", then.dtype, lm.dtype, "recorded in {then}, verified in {now}")
    split = replace(then, layers=layers_by_place(lm.model), n_processes=lm.n_processes).split
    if then.split != split:
        differs("split", then.split or "–", split or "–", "the model was split as {then}, verified as {now}")
    arithmetic = arithmetic_of(lm.model.device)
    if device[0] == device[1] and not then.arithmetic:
        differs("processor_unknown", "?", arithmetic, "the trace does not say on which processor it was recorded")
    elif device[0] == device[1] and then.arithmetic != arithmetic:
        differs("processor", then.arithmetic, arithmetic, "recorded on another processor: {then}, verified on {now}")
    for name, was, now in (
        ("transformers", then.transformers_version, transformers.__version__),
        ("torch", then.torch_version, torch.__version__),
    ):
        if was != now:
            differs(name, was, now, f"recorded with {name} {{then}}, verified with {{now}}")
    now = lm.identity()["revision"]
    if then.revision != now and then.source != "caller":
        differs("revision", str(then.revision), str(now), "recorded with revision {then}, verified with {now}")
    return tuple(found)


def _notes(trace: Trace, lm: LanguageModel) -> tuple[str, ...]:
    """What a reader must know besides the verdict."""
    notes = []
    if trace.mode in RETIRED:
        notes.append(
            f"transformers 5 no longer ships {trace.mode.replace('_', ' ')}: compared with {OUR_LOOP}, which is tested "
            "against what transformers 4.46 returned"
        )
    if trace.prefill != "plain":
        notes.append(
            f"the prompt {HOW_PREFILLED[trace.prefill]}, so the scores shown are that path's; the "
            f"tokens are generate()'s, its scores are the same within {CLOSE.get(trace.model.dtype, 1e-3)}"
        )
    for shortcut in trace.shortcuts:
        notes.append(
            f"{HOW_COMPUTED[shortcut]}, so the scores shown are that path's; the tokens are generate()'s, its scores "
            f"are the same within {CLOSE.get(trace.model.dtype, 1e-3)}"
        )
    for reason in _because(trace, lm):
        if reason.why not in SAID_IN_A_NOTE:
            notes.append(f"{reason.text}: the last bits may differ" if reason.why == "device" else reason.text)
    return tuple(notes)
