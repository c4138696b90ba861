"""verify: the recorded run again through plain `generate()`, compared bit for bit."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers.generation import (
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from decoding.errors import VerifyError
from decoding.recorder import Recorder
from decoding.settings import watermarking
from decoding.trace import Trace

if TYPE_CHECKING:
    from decoding.models import LanguageModel

__all__ = ["Check", "Verification", "verify"]

CLOSE = 1e-3  # what a prompt computed once instead of once per beam may change a float32 score by
HOW_PREFILLED = {
    "shared": "was computed once for all beams (share_prefill)",
    "reused": "was not computed again but taken from the run this one was forked from",
}
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
        name: `tokens`, `logits`, `scores`, `stages`, ….
        equal: bit for bit.
        detail: how much was compared, or where the first difference is and how large.
    """

    name: str
    equal: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What the comparison gave.

    Attributes:
        checks: one entry per thing compared.
        notes: what a reader must know, such as another device than the recording's.
        against: what the recording was compared with.
        bitwise: scores were compared bit for bit; else, where the prompt was not computed as `generate` does,
            within `CLOSE`.
    """

    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    against: str = "generate()"
    bitwise: bool = True

    @property
    def equal(self) -> bool:
        """All that was compared is the same: tokens always, scores as `bitwise` says."""
        return all(check.equal for check in self.checks)

    @property
    def text(self) -> str:
        """A report in plain words, one line per check."""
        exact = "the same, bit for bit" if self.bitwise else f"the same tokens, and scores within {CLOSE}"
        verdict = f"equal: {self.against} gives {exact}" if self.equal else "NOT equal"
        lines = [f"  {c.name}: {'equal' if c.equal else 'DIFFERENT'} ({c.detail})" for c in self.checks]
        return "\n".join([verdict, *lines, *(f"  note: {note}" for note in self.notes)])


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
    inputs: dict[str, Tensor] | None = None,
) -> Verification:
    """Runs plain `generate()` with the recorded inputs, parameters and random state, and compares everything.

    Diverse beam search and contrastive search, which `generate()` no longer has, are compared with a second run
    of our own loop; a note says so.

    Args:
        trace: the recording.
        lm: the model that made it.
        logits_processor, stopping_criteria: the caller's own, if the run had any; they are not in the trace.
        inputs: `generate`'s inputs, needed only for drop-in recordings of encoder–decoder models.

    Raises:
        VerifyError: something that the run needs is not in the trace, or the model cannot be the same.
    """
    _check_possible(trace, lm, logits_processor, stopping_criteria, inputs)
    inputs = inputs or _inputs(trace)
    inputs = {name: tensor.to(lm.model.device) for name, tensor in inputs.items()}
    criteria = StoppingCriteriaList(stopping_criteria or [])
    if set(trace.stop_reasons) & {"user", "error", "max_time", "running"}:
        criteria.append(_StopAt(trace.prompt_ids.shape[1] + len(trace.steps)))
    own_loop = {"custom_generate": Recorder()} if trace.mode in RETIRED else {}
    with ONE_AT_A_TIME, _recorded_random_state(trace, lm.model.device):
        out = lm.model.generate(
            **inputs,
            **_parameters(trace, lm),
            logits_processor=logits_processor,
            stopping_criteria=criteria,
            return_dict_in_generate=True,
            output_scores=True,
            output_logits=True,
            **own_loop,
        )
    against = OUR_LOOP if own_loop else "generate()"
    return Verification(
        checks=_compared(trace, out), notes=_notes(trace, lm), against=against, bitwise=trace.prefill == "plain"
    )


def _check_possible(trace: Trace, lm: LanguageModel, processors: Any, criteria: Any, inputs: Any) -> None:
    if not trace.steps:
        raise VerifyError("the trace has no steps, so there is nothing to compare; record a run first")
    if trace.compact is not None:
        raise VerifyError(
            "the trace is compact: most scores are only in a histogram, and verify needs the lossless form; record the "
            "run again, or save it without compact=True"
        )
    own = [stage.name for stage in trace.stages if stage.own]
    if own and not processors:
        raise VerifyError(f"the run used your own {', '.join(own)}; pass them as logits_processor=")
    own = sorted(set(trace.stop_reasons) - REASONS)
    if own and not criteria:
        raise VerifyError(f"the run was ended by your own {', '.join(own)}; pass it as stopping_criteria=")
    vocab = lm.model.config.get_text_config().vocab_size
    if type(lm.model).__name__ != trace.model.class_name or vocab != trace.model.vocab_size:
        raise VerifyError(
            f"the trace was made by {trace.model.name} ({trace.model.class_name}, {trace.model.vocab_size} tokens), "
            f"this model is {lm.name} ({type(lm.model).__name__}, {vocab} tokens); load the same model"
        )
    if inputs is None and trace.model.is_encoder_decoder and trace.encoder_ids is None:
        raise VerifyError("what the encoder read is not in a drop-in recording; pass inputs= as given to generate()")
    if inputs is None and trace.prompt_ids.shape[1] == 0:
        raise VerifyError("the run started from embeddings, which are not in the trace; pass inputs=")


def _inputs(trace: Trace) -> dict[str, Tensor]:
    """The inputs as they were before generate() expanded each prompt to its rows."""
    each = trace.rows_per_prompt
    if trace.model.is_encoder_decoder:
        started = {"decoder_input_ids": trace.prompt_ids[::each]} if trace.prompt_ids.shape[1] > 1 else {}
        return {"input_ids": trace.encoder_ids, "attention_mask": trace.encoder_mask, **started}
    return {"input_ids": trace.prompt_ids[::each], "attention_mask": trace.prompt_mask[::each]}


def _parameters(trace: Trace, lm: LanguageModel) -> dict[str, Any]:
    values = {k: v for k, v in trace.generation_config.items() if k != "max_time"}
    for length, new in (("max_length", "max_new_tokens"), ("min_length", "min_new_tokens")):
        if new in values:  # generate() derived the one from the other
            values.pop(length, None)
    if "stop_strings" in values:
        values["tokenizer"] = lm.tokenizer
    if "watermarking_config" in values:
        values["watermarking_config"] = watermarking(values["watermarking_config"])
    if trace.settings and trace.settings.negative_prompt:
        from decoding.prompts import encode_prompt

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


def _compared(trace: Trace, out: Any) -> tuple[Check, ...]:
    checks = [_compare_steps("logits", trace, 0, out.logits), _compare_steps("scores", trace, -1, out.scores)]
    if trace.ledger is not None and set(trace.stop_reasons) & {"user", "error", "running"}:
        return tuple(checks)  # a search broken off has no answer yet, and generate() gives none to compare
    checks.insert(0, _compare_tokens(trace, out.sequences.cpu()))
    if trace.ledger is not None:
        checks.append(_compare_hypotheses(trace, out.sequences_scores.cpu()))
    return tuple(checks)


def _compare_hypotheses(trace: Trace, theirs: Tensor) -> Check:
    """The final scores; places that no hypothesis ever took are -1e9 on both sides and are not compared."""
    ours = {h.place: h.score for h in trace.hypotheses}
    off = [(place, score) for place, score in ours.items() if score != float(theirs[place])]
    if not off or (trace.prefill != "plain" and all(abs(s - float(theirs[p])) < CLOSE for p, s in off)):
        return Check(name="sequences_scores", equal=True, detail=f"{len(ours)} hypotheses")
    place, score = off[0]
    return Check(
        name="sequences_scores", equal=False, detail=f"first at {place}: {score!r} against {float(theirs[place])!r}"
    )


def _compare_tokens(trace: Trace, theirs: Tensor) -> Check:
    """What was returned, and what the steps say was chosen, which in beam methods is another thing."""
    ours, chosen, expected = trace.sequences, trace.generated_ids, theirs[:, trace.prompt_ids.shape[1] :]
    if ours.shape == theirs.shape and torch.equal(ours, theirs):
        if trace.ledger is not None or torch.equal(chosen, expected):
            return Check(name="tokens", equal=True, detail=f"{ours.shape[0]} × {ours.shape[1]} tokens")
        if chosen.shape != expected.shape:
            return Check(name="tokens", equal=False, detail=f"{chosen.shape[1]} chosen against {expected.shape[1]}")
        row, step = (chosen != expected).nonzero()[0].tolist()
        detail = f"first at row {row}, step {step}: {int(chosen[row, step])} against {int(expected[row, step])}"
        return Check(name="tokens", equal=False, detail=detail)
    if ours.shape != theirs.shape:
        return Check(name="tokens", equal=False, detail=f"shape {tuple(ours.shape)} against {tuple(theirs.shape)}")
    row, position = (ours != theirs).nonzero()[0].tolist()
    detail = f"first at row {row}, position {position}: {int(ours[row, position])} against {int(theirs[row, position])}"
    return Check(name="tokens", equal=False, detail=detail)


def _compare_steps(name: str, trace: Trace, stage: int, theirs: Any) -> Check:
    if len(theirs) != len(trace.steps):
        return Check(name=name, equal=False, detail=f"{len(trace.steps)} steps against {len(theirs)}")
    for step, expected in zip(trace.steps, theirs, strict=True):
        for row in range(trace.n_rows):
            ours, other = step.scores(row=row, stage=stage), expected[row].cpu().float()
            if ours.view(torch.int32).equal(other.view(torch.int32)):
                continue
            if not (trace.prefill != "plain" and torch.allclose(ours, other, atol=CLOSE, rtol=0)):
                return Check(name=name, equal=False, detail=_where(step.index, row, ours, other))
    n_values = len(trace.steps) * trace.n_rows * trace.model.vocab_size
    how = f"within {CLOSE}" if trace.prefill != "plain" else "bit for bit"
    return Check(name=name, equal=True, detail=f"{len(trace.steps)} steps, {n_values:,} values, {how}")


def _where(step: int, row: int, ours: Tensor, theirs: Tensor) -> str:
    finite = torch.isfinite(ours) & torch.isfinite(theirs)
    largest = float((ours - theirs)[finite].abs().max()) if bool(finite.any()) else float("nan")
    n = int(torch.count_nonzero(ours.view(torch.int32) != theirs.view(torch.int32)))
    return f"first at step {step}, row {row}: {n} values differ, by up to {largest:.3g}"


def _notes(trace: Trace, lm: LanguageModel) -> tuple[str, ...]:
    notes = []
    if trace.mode in RETIRED:
        notes.append(
            f"transformers 5 no longer ships {trace.mode.replace('_', ' ')}: compared with {OUR_LOOP}, which is tested "
            "against what transformers 4.46 returned"
        )
    if trace.prefill != "plain":
        notes.append(
            f"the prompt {HOW_PREFILLED[trace.prefill]}, so the scores shown are that path's; the "
            f"tokens are generate()'s, its scores are the same within {CLOSE}"
        )
    if trace.model.device.split(":")[0] != lm.device.split(":")[0] or trace.model.dtype != lm.dtype:
        notes.append(
            f"recorded on {trace.model.device} in {trace.model.dtype}, verified on {lm.device} in {lm.dtype}: "
            "the last bits may differ"
        )
    if trace.model.revision != lm.identity()["revision"] and trace.model.source != "caller":
        notes.append(f"recorded with revision {trace.model.revision}, verified with {lm.identity()['revision']}")
    import transformers

    for name, then, now in (
        ("transformers", trace.model.transformers_version, transformers.__version__),
        ("torch", trace.model.torch_version, torch.__version__),
    ):
        if then != now:
            notes.append(f"recorded with {name} {then}, verified with {now}")
    return tuple(notes)
