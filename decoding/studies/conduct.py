"""A study, conducted: its parts recorded batch by batch into a folder, read, and judged."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from transformers.generation import LogitsProcessorList

from decoding.errors import RecordingError
from decoding.files.compact import compact
from decoding.models.load import LanguageModel
from decoding.models.prompts import Message, Prompt
from decoding.reading.run_statistics import run_statistics
from decoding.record import record
from decoding.recorded.run import ModelInfo
from decoding.studies.follow_text import FollowText
from decoding.studies.study import HELD, NOT_HELD, UNDECIDED, Findings, Follow, Judged, Part, Run, Runs, Study, judge
from decoding.studies.texts import Texts
from decoding.trace import Trace

__all__ = ["HEAD", "TRACES", "Batch", "Outcome", "batches_of", "conduct", "judged_outcome"]

HEAD = 128  # tokens that the kept traces have exactly at each step, besides those that the run mentions
TRACES = "traces"
GREATEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some of a part's prompts: what is recorded at a time.

    Attributes:
        part: that it is of.
        index: in the part's batches, from 0.
        prompts: in the part's prompts, from 0.
        seed: of its draws.
    """

    part: Part
    index: int
    prompts: tuple[int, ...]
    seed: int

    @property
    def n_runs(self) -> int:
        """Runs that come of it."""
        return len(self.prompts) * self.part.samples

    @property
    def trace(self) -> str:
        """The file that keeps them, in the study's folder."""
        return f"{TRACES}/{self.part.name}-{self.index:02}.trace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a study.

    Attributes:
        study: it.
        model: that was recorded.
        parts: what was recorded, and with it the settings.
        runs: all of them, by part.
        findings: figures and numbers.
        judged: the claims, in their order, each with its verdict.
        seconds: that it took.
        made: when, in UTC.
    """

    study: Study
    model: ModelInfo
    parts: tuple[Part, ...]
    runs: Runs
    findings: Findings
    judged: tuple[Judged, ...]
    seconds: float
    made: str

    @property
    def verdict(self) -> str:
        """Of all claims together: `held` where each was, `did not hold` where one did not, else `undecided`."""
        verdicts = {judged.verdict for judged in self.judged}
        return NOT_HELD if NOT_HELD in verdicts else UNDECIDED if UNDECIDED in verdicts else HELD


def conduct(
    study: Study,
    lm: LanguageModel,
    texts: Texts,
    folder: str | Path,
    *,
    on_batch: Callable[[Batch | None, int], None] = lambda batch, n_runs: None,
) -> Outcome:
    """What comes of a study; each batch is in the folder's `traces/` as soon as it is recorded.

    Args:
        lm: the model that is asked.
        texts: what it is asked.
        folder: where the traces go; it is made.
        on_batch: called before the first batch, with None, and after each; and with the runs that there are in all.

    Raises:
        RecordingError: a run broke off; the batches before it are kept, and the error's `trace` has the rest.
    """
    began, parts = time.perf_counter(), study.parts(texts)
    batches = batches_of(parts, study.seed)
    n_runs = sum(batch.n_runs for batch in batches)
    (Path(folder) / TRACES).mkdir(parents=True, exist_ok=True)
    on_batch(None, n_runs)
    runs: dict[str, list[Run]] = {part.name: [] for part in parts}
    model = None
    for batch in batches:
        trace = _recorded(batch, lm, Path(folder))
        model = trace.model
        runs[batch.part.name] += _runs_of(batch, trace)
        on_batch(batch, n_runs)
    if model is None:
        raise RecordingError("{study} records nothing; give its texts at least one of each kind", study=study.name)
    kept = {name: tuple(found) for name, found in runs.items()}
    seconds, made = time.perf_counter() - began, datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return judged_outcome(study, texts, parts, kept, model=model, seconds=seconds, made=made)


def judged_outcome(
    study: Study, texts: Texts, parts: tuple[Part, ...], runs: Runs, *, model: ModelInfo, seconds: float, made: str
) -> Outcome:
    """What a study's runs come to; the arguments are those of `Outcome`."""
    findings = study.read(runs, texts)
    judged = tuple(judge(claim, findings.found[claim.id]) for claim in study.claims)
    return Outcome(
        study=study, model=model, parts=parts, runs=runs, findings=findings, judged=judged, seconds=seconds, made=made
    )


def batches_of(parts: Sequence[Part], seed: int) -> tuple[Batch, ...]:
    """All batches; which prompts share one, and the seed of each, follow from the study alone."""
    out: list[Batch] = []
    for part in parts:
        at_a_time = max(1, part.rows // (part.samples * (part.settings.num_beams or 1)))
        for index, start in enumerate(range(0, len(part.prompts), at_a_time)):
            prompts = tuple(range(start, min(start + at_a_time, len(part.prompts))))
            out.append(Batch(part=part, index=index, prompts=prompts, seed=_seed(seed, part, index)))
    return tuple(out)


def _seed(seed: int, part: Part, index: int) -> int:
    digest = hashlib.blake2b(f"{seed} {part.name} {index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & GREATEST_SEED


def _recorded(batch: Batch, lm: LanguageModel, folder: Path) -> Trace:
    """The batch's trace, whole; in the folder it is compact. What a run that broke off had recorded is there, too."""
    part = batch.part
    samples = part.samples if part.samples > 1 else None
    settings = replace(part.settings, seed=batch.seed, num_return_sequences=samples)
    prompts = [part.prompts[i] for i in batch.prompts]
    followed = None if part.follow is None else _ids(part.follow, batch.prompts, lm)
    processor = None if followed is None else LogitsProcessorList([FollowText(followed)])
    try:
        trace = record(lm, prompts, settings, logits_processor=processor)  # type: ignore[arg-type]
    except RecordingError as error:
        if error.trace is not None and error.trace.steps:
            error.trace.save(folder / batch.trace)
        raise
    compact(trace, head=HEAD).save(folder / batch.trace)
    return trace


def _ids(follow: Follow, prompts: Sequence[int], lm: LanguageModel) -> list[list[int]]:
    """Of each prompt the tokens to follow."""
    texts = [follow.texts[i] for i in prompts]
    ids = [list(lm.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    short = [text for text, found in zip(texts, ids, strict=True) if len(found) < follow.n_tokens]
    if short:
        raise RecordingError(
            "a text to follow must have {n} tokens, got {text!r}; give a longer one", n=follow.n_tokens, text=short[0]
        )
    return [found[: follow.n_tokens] * follow.times for found in ids]


def _runs_of(batch: Batch, trace: Trace) -> Iterator[Run]:
    for place, prompt in enumerate(batch.prompts):
        for sample in range(batch.part.samples):
            row = place * batch.part.samples + sample
            tokens = run_statistics(trace, row).tokens
            yield Run(
                part=batch.part.name, prompt=prompt, sample=sample, trace=batch.trace, row=row,
                asked=_as_text(batch.part.prompts[prompt]), text=trace.text(row), ended_by=_ended_by(trace, row),
                surprisals=tuple(token.surprisal_nats for token in tokens),
                entropies=tuple(token.entropy_before for token in tokens),
                n_left=tuple(token.n_left for token in tokens),
            )  # fmt: skip


def _ended_by(trace: Trace, row: int) -> str:
    """In beam methods what ended the sequence itself, not the search."""
    if trace.ledger is not None:
        ended = trace.hypotheses[row]
        found = (c.ended_by for c in trace.ledger.candidates(ended.step, ended.prompt) if c.rank == ended.rank)
        return next(found, None) or ""
    return trace.stop_reasons[row] if row < len(trace.stop_reasons) else ""


def _as_text(prompt: Prompt) -> str:
    """What was asked: a text, or the last message of a chat."""
    return prompt if isinstance(prompt, str) else str(cast(Sequence[Message], prompt)[-1]["content"])
