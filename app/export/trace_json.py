"""A run as JSON for other programs, described by `assets/trace.schema.json`.

It has everything but the scores of most tokens: of each step and row the likeliest tokens, what every stage did to the
whole distribution, and of beam methods every candidate, pool and hypothesis. The lossless form is the trace file.

Within version 1 names may be added, so a reader has to pass over those it does not know; none is taken away or comes to
mean something else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from decoding.errors import NotRecordedError

from ..views.float32 import float32
from ..views.step_head import HeadToken, StepHead, chosen_tokens, is_open, step_head
from ..views.token_text import completed, token_text

if TYPE_CHECKING:
    from torch import Tensor

    from decoding.recorded.contrastive_candidates import ContrastiveCandidate
    from decoding.recorded.ledger import Candidate, Hypothesis, PoolChange
    from decoding.recorded.run import Step
    from decoding.trace import Trace

__all__ = ["FORMAT", "HEAD", "VERSION", "candidate_json", "row_json", "run_json", "write_json"]

FORMAT, VERSION = "decoding-explorer-run", 1
HEAD = 20  # tokens of a distribution

Json = dict[str, Any]


def write_json(trace: Trace, file: TextIO, *, n_head: int = HEAD) -> None:
    """Writes the run to `file`, a step a line; no more than one step is in memory at a time.

    Args:
        n_head: how many of the likeliest tokens each row has at each step, before the first stage and after the last.
    """
    begin = _written(run_json(trace, n_head))
    file.write(f'{begin[:-1]},\n"steps": [')
    for step in trace.steps:
        file.write(",\n" if step.index else "\n")
        file.write(_written(_step(trace, step, n_head)))
    file.write("\n]}\n")


def _written(values: Json) -> str:
    """On one line; half characters, which a stranger's texts may hold and UTF-8 cannot, become question marks."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace").decode("utf-8")


# --- the run ----------------------------------------------------------------------------------------------


def run_json(trace: Trace, n_head: int = HEAD) -> Json:
    """The run without its steps."""
    each = trace.rows_per_prompt
    encoder = trace.encoder_ids is not None
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": asdict(trace.model) | {"layers": [list(each) for each in trace.model.layers]},
        "mode": trace.mode,
        "seed": trace.seed,
        "settings": None if trace.settings is None else _parameters(trace.settings.to_json()),
        "generation_config": _parameters(trace.generation_config),
        "model_defaults": None if trace.model_defaults is None else _parameters(trace.model_defaults),
        "origins": dict(trace.origins),
        "silent": [_parameters(asdict(knob)) for knob in trace.silent],
        "warnings": list(trace.warnings),
        "stop_reasons": list(trace.stop_reasons),
        "seconds": trace.seconds,
        "prefill": trace.prefill,
        "shortcuts": list(trace.shortcuts),
        "from_caller": list(trace.from_caller),
        "fork": None if trace.fork is None else asdict(trace.fork),
        "first_step": trace.first_step,
        "compact": None if trace.compact is None else asdict(trace.compact),
        "n_head": n_head,
        "n_prompts": trace.n_prompts,
        "n_rows": trace.n_rows,
        "rows_per_prompt": each,
        "n_steps": len(trace.steps),
        "prompts": None if trace.prompts is None else list(trace.prompts),
        "messages": None if trace.messages is None else [list(chat) for chat in trace.messages],
        "prompt_tokens": _prompts(trace, trace.prompt_ids[::each], trace.prompt_mask[::each]),
        "encoder_tokens": [_tokens(trace, trace.source(i)) for i in range(len(trace.encoder_ids))] if encoder else None,
        "stages": [_parameters(asdict(stage)) for stage in trace.stages],
        "answers": _answers(trace),
    }


def _prompts(trace: Trace, ids: Tensor, mask: Tensor) -> list[list[Json]]:
    """The tokens of each prompt, padding left out."""
    return [_tokens(trace, row[keep.bool()].tolist()) for row, keep in zip(ids, mask, strict=True)]


def _answers(trace: Trace) -> list[Json]:
    """What came out: of beam methods the hypotheses returned, else the rows."""
    if trace.ledger is not None:
        return [{"text": trace.text(i), **_hypothesis(trace, h)} for i, h in enumerate(trace.hypotheses)]
    each = trace.rows_per_prompt
    answers = []
    for row in range(trace.n_rows):
        ids = [step.token_ids[row] for step in trace.steps if not step.ended[row]]
        answers.append({"text": trace.text(row), "prompt": row // each, "row": row, "tokens": _tokens(trace, ids)})
    return answers


def _hypothesis(trace: Trace, hypothesis: Hypothesis) -> Json:
    return {
        "prompt": hypothesis.prompt,
        "tokens": _tokens(trace, hypothesis.token_ids),
        "logprobs": [float32(value) for value in hypothesis.logprobs],
        "sum_logprobs": float32(hypothesis.sum_logprobs),
        "score": float32(hypothesis.score),
        "step": hypothesis.step,
        "rank": hypothesis.rank,
        "finished": hypothesis.finished,
        "place": hypothesis.place,
        "answer": hypothesis.answer,
        "group": hypothesis.group,
    }


# --- a step -----------------------------------------------------------------------------------------------


def _step(trace: Trace, step: Step, n_head: int) -> Json:
    out: Json = {"step": step.index, "rows": _rows(trace, step, n_head)}
    if step.left:
        out["left"] = [row for row, gone in enumerate(step.left) if gone]
    if trace.ledger is not None:
        out["candidates"] = [candidate_json(trace, candidate) for candidate in step.candidates]
        out["pool"] = [[_in_pool(hypothesis) for hypothesis in of_prompt] for of_prompt in step.pool]
        out["pool_changes"] = [_pool_change(change) for change in step.pool_changes]
    return out


def _rows(trace: Trace, step: Step, n_head: int) -> list[Json]:
    """Of each row of the scores what the step made of it; rows that had ended are left out."""
    open_rows = (row for row in range(trace.n_rows) if is_open(step, row, trace.rows_per_prompt))
    return [row_json(trace, step, row, n_head) for row in open_rows]


def row_json(trace: Trace, step: Step, row: int, n_head: int = HEAD) -> Json:
    """What a step made of a row of the scores."""
    out: Json = {"row": row, "chosen": [_token(trace, i) for i in chosen_tokens(step, row)]}
    try:
        out |= _head(step_head(trace, step=step.index, row=row, n_tokens=n_head))
        for fact, said in zip(out["facts"][1:], step.sampler_facts(row), strict=True):
            fact |= {"sampler": _numbers(said)} if said else {}
        if trace.mode == "contrastive_search":
            out["weighed"] = [_weighed(trace, candidate) for candidate in step.contrastive[row]]
    except NotRecordedError:  # the disk was full when it was recorded
        out |= {"facts": None, "head": None}
    return out


def _head(head: StepHead) -> Json:
    changed = (False, *head.changed)
    facts = [_numbers(asdict(fact)) | {"changed": did} for fact, did in zip(head.facts, changed, strict=True)]
    return {"facts": facts, "head": [_in_head(token) for token in head.tokens]}


def _in_head(token: HeadToken) -> Json:
    return {
        "id": token.token_id,
        "text": token.text,
        "chosen": token.chosen,
        "rank": token.rank,
        "logit": float32(token.logit),
        "score": float32(token.score),
        "probabilities": [_finite(p) for p in token.probabilities],
        "removed_by": token.removed_by,
        "margin": _finite(token.margin),
        "unit": token.unit,
    }


def _weighed(trace: Trace, candidate: ContrastiveCandidate) -> Json:
    return {
        "id": candidate.token_id,
        "text": token_text(trace, candidate.token_id),
        "chosen": candidate.chosen,
        "confidence": float32(candidate.confidence),
        "penalty": float32(candidate.penalty),
        "context": candidate.context,
        "score": float32(candidate.score),
    }


def candidate_json(trace: Trace, candidate: Candidate) -> Json:
    """A continuation that a beam step considered."""
    values = asdict(candidate)
    token_id = values.pop("token_id")
    for name in ("logprob", "score", "margin", "final_score"):
        values[name] = float32(values[name])
    return {"id": token_id, "text": token_text(trace, token_id), **values}


def _in_pool(hypothesis: Hypothesis) -> Json:
    """Without its tokens: `step` and `rank` name the candidate that completed it."""
    return {
        "step": hypothesis.step,
        "rank": hypothesis.rank,
        "score": float32(hypothesis.score),
        "sum_logprobs": float32(hypothesis.sum_logprobs),
        "n_tokens": len(hypothesis.token_ids),
        "group": hypothesis.group,
    }


def _pool_change(change: PoolChange) -> Json:
    evicted = None if change.evicted is None else list(change.evicted)
    return {"prompt": change.prompt, "entered": list(change.entered), "evicted": evicted}


def _tokens(trace: Trace, ids: Iterable[int]) -> list[Json]:
    """The tokens of a sequence; one of bytes that completes a character has it as `completes`."""
    tokens, before = [], []
    for token_id in map(int, ids):
        whole = completed(trace, before, token_id)
        tokens.append(_token(trace, token_id) | ({"completes": whole} if whole else {}))
        before.append(token_id)
    return tokens


def _token(trace: Trace, token_id: int) -> Json:
    return {"id": token_id, "text": token_text(trace, token_id)}


# --- numbers ----------------------------------------------------------------------------------------------


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _numbers(values: Mapping[str, Any]) -> Json:
    return {name: _finite(value) if isinstance(value, float) else value for name, value in values.items()}


def _parameters(value: Any) -> Any:
    """Parameters as JSON has them; infinite biases, for which it has no number, as the texts `inf` and `-inf`."""
    if isinstance(value, Mapping):
        return {str(name): _parameters(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_parameters(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
