"""RecordedRun: a run, whole. Step: one decision of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

import torch
from torch import Tensor

from decoding.errors import NotRecordedError
from decoding.parameters.settings import Settings
from decoding.recorded.contrastive_candidates import ContrastiveCandidate, contrastive_candidates
from decoding.recorded.ledger import Candidate, Hypothesis, Ledger, PoolChange, returned_hypotheses
from decoding.recorded.sampler_facts import sampler_facts
from decoding.recorded.silent import SilentKnob
from decoding.recorded.stages import Stage, changed_anything, decode_stage
from decoding.recorded.step_store import FilledUpSteps, StepStore
from decoding.recorded.tail import Tail
from decoding.tokens.token_table import TokenTable

__all__ = ["PREFILLS", "SHORTCUTS", "Compact", "Fork", "ModelInfo", "RecordedRun", "StageFacts", "Step"]

PREFILLS = ("plain", "shared", "reused")  # see `RecordedRun.prefill`
SHORTCUTS = ("drop_finished", "compile_beams", "shared_forward")  # see `RecordedRun.shortcuts`


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """Which model decided, and on what.

    Attributes:
        name: what was asked for, or the class name for a drop-in recording.
        source: `package`, `hub`, `directory`, or `caller` (a drop-in recording).
        revision: the Hub's commit or a hash of the directory, or None.
        class_name: e.g. `LlamaForCausalLM`.
        dtype, device: of the logits, e.g. `float32`, `cpu`.
        vocab_size: length of a row of logits.
        n_parameters: of the model.
        context_length: positions the model was built for, or None where it says nothing.
        is_encoder_decoder: it reads the prompt with an encoder.
        transformers_version, torch_version: of the recording.
        arithmetic: which processor and kernels computed it, see `recorded.arithmetic`; "" where a file does not say.
        layers: of a model that was spread over several devices, how many layers each held, as (device, layers), the
            first layer's device first; empty where one had all, and where a file does not say.
        n_processes: that shared the weights (tensor parallel); 1 where one had all.
    """

    name: str
    source: str
    class_name: str
    dtype: str
    device: str
    vocab_size: int
    n_parameters: int
    transformers_version: str
    torch_version: str
    revision: str | None = None
    context_length: int | None = None
    is_encoder_decoder: bool = False
    arithmetic: str = ""
    layers: tuple[tuple[str, int], ...] = ()
    n_processes: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple((place, n) for place, n in self.layers))  # JSON has lists

    @property
    def split(self) -> str:
        """How the model was split, to be shown: "cuda:0 (12) + cpu (4), 2 processes"; "" where it was not."""
        spread = " + ".join(f"{place} ({n})" for place, n in self.layers)
        shared = f"{self.n_processes} processes" if self.n_processes > 1 else ""
        return ", ".join(filter(None, (spread, shared)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """What a compact trace keeps exactly; see `decoding.files.compact`.

    Attributes:
        head: of each row and step, this many of the likeliest tokens, besides those that the run mentions.
    """

    head: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFacts:
    """What was true of a row's whole distribution after a stage, as recorded before the trace was made compact.

    Attributes:
        n_alive: tokens whose score was not −∞.
        n_removed: tokens that the stage removed.
        mass_removed: their probability before it.
        entropy_nats: of the distribution.
    """

    n_alive: int
    n_removed: int
    mass_removed: float
    entropy_nats: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One decoding step, for all rows.

    Attributes:
        index: from 0.
        token_ids: the token chosen for each row; the padding token where the row had already ended.
        ended: per row, whether it had ended before this step.
        stages: the processors that ran, in order; stage 0, the raw logits, is not among them.
        parents: in beam methods, the row that each row of `token_ids` continues; else empty.
        left: per row, whether it had left the batch, so that nobody computed its scores; empty where all were computed.

    In beam methods `token_ids` are those of the rows that go on, and `ended` says whose search was over.
    """

    index: int
    token_ids: tuple[int, ...]
    ended: tuple[bool, ...]
    stages: tuple[Stage, ...]
    parents: tuple[int, ...] = ()
    left: tuple[bool, ...] = ()
    _store: StepStore = field(repr=False, compare=False)
    _ledger: Ledger | None = field(default=None, repr=False, compare=False)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every continuation that beam search considered, by prompt and rank; empty in other modes."""
        return self._ledger.candidates(self.index) if self._ledger else ()

    @property
    def pool(self) -> tuple[tuple[Hypothesis, ...], ...]:
        """Per prompt the hypotheses in the pool after this step, best first; empty in other modes."""
        return self._ledger.pool(self.index) if self._ledger else ()

    @property
    def pool_changes(self) -> tuple[PoolChange, ...]:
        """Who entered the pools at this step, and whom each drove out; empty in other modes."""
        return self._ledger.pool_changes(self.index) if self._ledger else ()

    @property
    def exact(self) -> bool:
        """Whether all scores are the run's own; in a compact trace only those of `exact_ids` are.

        The others then stand for their part of the histogram: together they have the right mass, but which token
        has which is not known.
        """
        return self._store.exact

    def exact_ids(self, row: int = 0) -> Tensor:
        """The tokens whose scores are the run's own, after every stage: int64 [n], likeliest first if not all."""
        if self.exact:
            return torch.arange(self._store.load(self.index)["logits"].shape[-1])
        return cast(FilledUpSteps, self._store).head(self.index, self.place_of(row))

    def tail(self, row: int = 0) -> Tail | None:
        """What a compact trace keeps of the logits of all other tokens; None where all are kept."""
        return None if self.exact else cast(FilledUpSteps, self._store).tail(self.index, self.place_of(row))

    def facts(self, row: int = 0) -> tuple[StageFacts, ...] | None:
        """In a compact trace what was true before the first stage and after each; None where the scores tell all."""
        if self.exact:
            return None
        arrays, place = self._store.load(self.index), self.place_of(row)
        columns = (arrays[f"facts.{f.name}"][:, place].tolist() for f in fields(StageFacts))
        return tuple(
            StageFacts(n_alive=n, n_removed=gone, mass_removed=mass, entropy_nats=entropy)
            for n, gone, mass, entropy in zip(*columns, strict=True)
        )

    def logits(self) -> Tensor:
        """Raw logits in the dtype the model produced, shape [rows, vocab]; float32 in a compact trace.

        NaN in rows that had left the batch: nobody computed them.
        """
        computed = self._store.load(self.index)["logits"]
        if not self.left:
            return computed.clone()
        out = torch.full((len(self.left), computed.shape[-1]), torch.nan, dtype=computed.dtype)
        out[~torch.tensor(self.left)] = computed
        return out

    def place_of(self, row: int) -> int:
        """Where a row of `generate` is among those that were computed, which are the rows of all arrays of a step.

        Raises:
            NotRecordedError: it had left the batch before this step.
        """
        if not self.left or not 0 <= row < len(self.left):
            return row
        if self.left[row]:
            raise NotRecordedError(
                "row {row} has no scores here: it had finished, and with drop_finished it was not computed any more; "
                "record the run without drop_finished to see them",
                row=row + 1,
            )
        return row - sum(self.left[:row])

    def scores(self, *, row: int = 0, stage: int = -1) -> Tensor:
        """The scores of one row after a stage: float32, shape [vocab].

        Example:
            >>> from decoding import Settings, load_model, record
            >>> settings = Settings(do_sample=True, top_k=5, seed=0, max_new_tokens=1)
            >>> step = record(load_model(), "My favourite animal is", settings).steps[0]
            >>> [stage.name for stage in step.stages]
            ['TopKLogitsWarper']
            >>> step.scores(stage=0).isfinite().sum().item(), step.scores(stage=-1).isfinite().sum().item()
            (49152, 5)

        Args:
            row: a row of `generate`.
            stage: 0 for the logits as the model gave them, i for after the i-th stage, -1 for what the
                choice was made from.

        Raises:
            NotRecordedError: there is no such row or stage, it had left the batch, or the disk was full when it was
                made.
        """
        return self.all_scores(row=row, upto=stage)[-1]

    def all_scores(self, *, row: int = 0, upto: int = -1) -> list[Tensor]:
        """The scores of one row before the first stage and after each up to `upto`, each float32 [vocab]."""
        arrays = self._store.load(self.index)
        n_rows, n_stages = len(self.left) or arrays["logits"].shape[0], len(self.stages)
        if not 0 <= row < n_rows:
            raise NotRecordedError(
                "row must be in [0, {last}], got {row}; rows are those of generate()",
                last=n_rows - 1, row=row,
            )
        if not -n_stages - 1 <= upto <= n_stages:
            raise NotRecordedError(
                "stage must be in [{first}, {last}], got {upto}",
                first=-n_stages - 1, last=n_stages, upto=upto,
            )
        place = self.place_of(row)
        out = [arrays["logits"][place].to(dtype=torch.float32, copy=True)]
        for stage in range(1, upto % (n_stages + 1) + 1):
            out.append(decode_stage(arrays, stage, place, out[-1]))
        return _alike(out)

    @property
    def contrastive(self) -> tuple[tuple[ContrastiveCandidate, ...], ...]:
        """Per row, the candidates that contrastive search weighed, likeliest first; empty in other modes."""
        return contrastive_candidates(self._store.load(self.index))

    def sampler_facts(self, row: int = 0) -> tuple[dict[str, float], ...]:
        """Per stage what a sampler of another engine said of the step, by name; {} for all other stages.

        `mu` of mirostat, in bits; `sum`, `weight` and `target` of adaptive-p; `chance` of XTC; `temperature` of the
        dynamic one.

        Raises:
            NotRecordedError: the row had left the batch, or the step was lost.
        """
        return sampler_facts(self._store.load(self.index), len(self.stages), self.place_of(row))

    def acted(self) -> tuple[bool, ...]:
        """Per stage, whether it changed a single bit of any row at this step."""
        arrays = self._store.load(self.index)
        return tuple(changed_anything(arrays, stage) for stage in range(1, len(self.stages) + 1))


def _alike(outputs: list[Tensor]) -> list[Tensor]:
    """All in float32 and of one length: a processor of the caller's own may have returned another dtype, or fewer
    tokens; those that it left out could no longer be chosen, so they are −∞."""
    width = max(len(scores) for scores in outputs)
    return [
        torch.nn.functional.pad(scores.float(), (0, width - len(scores)), value=-torch.inf)
        if len(scores) < width
        else scores.float()
        for scores in outputs
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Where a run leaves another one: up to there they are the same, and the prefix is this run's prompt.

    Attributes:
        step: of the first run, at which another token was taken.
        row: of the first run's scores at that step.
        token_id: the token taken; None where the step was decided anew, under other settings.
        rank: of the beam candidate that was followed, or None.
        prompt_length: positions of the first run's prompt.
    """

    step: int
    row: int
    token_id: int | None
    prompt_length: int
    rank: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """A run, complete; it needs neither model nor tokenizer. What one does with it, see `decoding.trace.Trace`.

    Rows are `generate`'s rows: prompts × return sequences, or prompts × beams.

    Attributes:
        steps: every step, in order.
        stages: the processors that ran at every step, in transformers' order.
        prompt_ids: what the rows started from, int64 [rows, prompt_length], left-padded.
        prompt_mask: int64 [rows, prompt_length], 0 at padding.
        sequences: what `generate` returned, int64 [returned, length].
        mode: `greedy`, `sample`, `beam_search`, …
        settings: what was given to `record`, or None for a drop-in recording.
        generation_config: the parameters that acted, after all defaults. One that is None was given as None, against
            a default.
        model_defaults: those that the model's own `generation_config` sets; None in files of earlier versions.
        silent: parameters that were given and had no effect.
        warnings: what else a reader must know, in words.
        stop_reasons: per row `eos`, `max_length`, `max_time`, `stop_string`, `user`, `error`, or the class
            name of the criterion that ended it. In beam methods per prompt, and besides `no_improvement` (no
            running beam could still beat the pool), `early_stopping`, or `all_ended`.
        tokens: texts of all tokens, or None where no tokenizer was at hand.
        prompts: the prompts as texts, or None.
        messages: chat messages per prompt, or None.
        encoder_ids, encoder_mask: int64 [prompts, length], what an encoder–decoder model read, where known.
        seed: of the draws, or None where torch's global state was used.
        rng_state: that state before the first draw, or None with a seed.
        seconds: wall time of the loop.
        prefill: how the prompt was computed: `plain`, as `generate` does; `shared`, once for all beams; `reused`,
            from the cache of the run it was forked from. With the last two the last bits may differ.
        shortcuts: in which other ways it was computed with less work than `generate()` has, so that the last bits may
            differ: `drop_finished`, rows that had finished left the batch; `compile_beams`, the steps of a search
            were compiled; `shared_forward`, steps were computed together with those of other runs.
        fork: where this run leaves another one, or None.
        first_step: steps that came before its own first one: 0, or those that a fork took over from the runs before it.
        from_caller: what shaped the run and is not in the trace: names of `generate()`'s arguments that the caller
            gave, such as `logits_processor`, `stopping_criteria`, `position_ids`. Whoever runs it again needs them.
        compact: what is exact in a trace in the compact form; None in the lossless one.
        ledger: candidates and pools of beam methods, else None.
    """

    steps: tuple[Step, ...]
    stages: tuple[Stage, ...]
    prompt_ids: Tensor
    prompt_mask: Tensor
    sequences: Tensor
    mode: str
    generation_config: dict[str, Any]
    model: ModelInfo
    model_defaults: dict[str, Any] | None = None
    settings: Settings | None = None
    silent: tuple[SilentKnob, ...] = ()
    warnings: tuple[str, ...] = ()
    stop_reasons: tuple[str, ...] = ()
    tokens: TokenTable | None = None
    prompts: tuple[str, ...] | None = None
    messages: tuple[Any, ...] | None = None
    encoder_ids: Tensor | None = None
    encoder_mask: Tensor | None = None
    seed: int | None = None
    rng_state: Tensor | None = None
    seconds: float = 0.0
    prefill: str = "plain"
    shortcuts: tuple[str, ...] = ()
    fork: Fork | None = None
    first_step: int = 0
    from_caller: tuple[str, ...] = ()
    compact: Compact | None = None
    store: StepStore = field(repr=False, compare=False)
    ledger: Ledger | None = field(default=None, repr=False, compare=False)

    @property
    def n_rows(self) -> int:
        """Rows per step."""
        return self.prompt_ids.shape[0]

    @property
    def n_prompts(self) -> int:
        """Prompts in the batch."""
        return self.n_rows // self.rows_per_prompt

    @property
    def rows_per_prompt(self) -> int:
        """Return sequences, or beams, that each prompt was expanded to."""
        config = self.generation_config
        return max(config.get("num_beams") or 1, config.get("num_return_sequences") or 1)

    @property
    def start(self) -> int:
        """Positions of the prompt that it began with; of a fork, the first of the runs that it goes on from."""
        return self.prompt_ids.shape[1] - self.first_step

    @property
    def most_new_tokens(self) -> int:
        """New tokens that the length limit allowed; where a file does not say, as many as there are steps."""
        limit = self.generation_config.get("max_length")
        return len(self.steps) if limit is None else limit - self.prompt_ids.shape[1]

    @property
    def stop_reason(self) -> str:
        """Why the run ended; several reasons, joined by commas, where its rows (prompts) ended for different ones."""
        return ", ".join(dict.fromkeys(self.stop_reasons))

    @property
    def generated_ids(self) -> Tensor:
        """The tokens chosen step by step, int64 [rows, n_steps]."""
        ids = [step.token_ids for step in self.steps]
        return torch.tensor(ids, dtype=torch.long).reshape(len(ids), self.n_rows).T.contiguous()

    @property
    def nbytes(self) -> int:
        """Bytes that the recorded arrays take, in memory and on disk."""
        small = (self.prompt_ids, self.prompt_mask, self.sequences, self.rng_state)
        ledger = self.ledger.nbytes if self.ledger else 0
        return self.store.nbytes + ledger + sum(t.numel() * t.element_size() for t in small if t is not None)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The sequences returned by beam methods, prompt by prompt, best first; empty in other modes.

        A run that was stopped half-way has what was in its pools, or else its running beams.
        """
        if self.ledger is None or not self.steps:
            return ()
        config = self.generation_config
        return returned_hypotheses(
            self.ledger, config.get("num_return_sequences") or 1, config.get("length_penalty", 1.0)
        )

    def prefix(self, step: int, row: int = 0) -> Tensor:
        """The ids of a row before a step, prompt and padding included, int64 [prompt_length + step]."""
        if self.ledger is not None:
            new = self.ledger.row_tokens(step, row)
        else:
            new = tuple(s.token_ids[row] for s in self.steps[:step])
        return torch.cat([self.prompt_ids[row], torch.tensor(new, dtype=torch.long)])

    def scores(self, *, step: int, row: int = 0, stage: int = -1) -> Tensor:
        """Scores of one step and row after a stage, float32 [vocab]; see `Step.scores`.

        Raises:
            NotRecordedError: there is no such step, row or stage.
        """
        n = len(self.steps)
        if not -n <= step < n:
            raise NotRecordedError(
                "step must be in [0, {last}], got {step}; the run has {n} steps, and the first is 0 here",
                last=n - 1, step=step, n=n,
            )
        return self.steps[step].scores(row=row, stage=stage)

    def source(self, prompt: int = 0) -> list[int]:
        """The ids that an encoder–decoder model's encoder read for a prompt, padding left out.

        Empty for models without an encoder, and where what it read is not known.
        """
        if self.encoder_ids is None or prompt >= len(self.encoder_ids):  # a file may hold fewer than it has prompts
            return []
        read = self.encoder_ids[prompt]
        return (read if self.encoder_mask is None else read[self.encoder_mask[prompt].bool()]).tolist()

    def text(self, row: int = 0) -> str:
        """What a row generated, as text without special tokens; token ids where no tokenizer was at hand.

        In beam methods `row` counts `hypotheses`.
        """
        if self.ledger is not None:
            found = self.hypotheses
            ids: Sequence[int] = found[row].token_ids if row < len(found) else ()
        else:
            ids = [step.token_ids[row] for step in self.steps if not step.ended[row]]
        return self.tokens.plain(ids) if self.tokens else " ".join(f"#{i}" for i in ids)
