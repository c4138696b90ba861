"""What if: the recorded run under other settings, without the model.

Raw logits are recorded for the prefix that was really decoded, so what other processors would have made of them is
computable exactly: by running transformers' own processors on them. Where the run would have gone another way,
the truth needs the model again; `diverges_at` says from where on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor
from transformers.generation import GenerationConfig, SynthIDTextWatermarkLogitsProcessor

from decoding.errors import NotRecordedError, SettingError
from decoding.models.failures import without_distribution
from decoding.parameters.knobs import BEAM_MODES
from decoding.parameters.settings import Settings, mode_of
from decoding.recorded.given import given_to, undecided_defaults
from decoding.recorded.run import RecordedRun
from decoding.recorded.sampler_chain import chance_seed
from decoding.recorded.sampler_facts import SAYING
from decoding.recorded.stages import LOG_SOFTMAX, Stage, name_of, run_processors, stages_of
from decoding.recorded.step_number import step_number
from decoding.samplers.xtc import XTCLogitsWarper
from decoding.whatif.beam_replay import Replay, replay
from decoding.whatif.chosen_token import ChosenFact, chosen_facts, closing_rules
from decoding.whatif.compact_bounds import Exactness, exactness, how_exact, nearly_equal
from decoding.whatif.constraint import RecordedMask
from decoding.whatif.processors import NEEDS_THE_MODEL, effective_config, processors_of
from decoding.whatif.replayed_samplers import ReplayedSamplers
from decoding.words import words

__all__ = ["Statement", "WhatIf"]

SORTING_THREADS = 2
KEPT_STEPS = 8  # a slider asks for the same step again and again
NEEDS_RERUN = ("num_beams", "num_beam_groups", "diversity_penalty", "penalty_alpha")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a what-if cannot tell.

    Attributes:
        why: a key for translations: `needs_model`, `own_processor`, `rerun`, `mode`; `chance` (XTC's, of a run without
            a seed); `default` (of a file that has not kept the model's own defaults); of a compact trace `compact`,
            `compact_entropy`; of steps `nothing_left` (these settings remove every token), `not_numbers` (scores are
            NaN or infinite), `lost`.
        what: the parameter or processor, or the step; for `compact` by how much a probability may be off.
        text: the same in English.
        step: the first one that it is about, or None where it is not about steps.
    """

    why: str
    what: str
    text: str
    step: int | None = None


class WhatIf:
    """The scores of a recorded run under other settings.

    Attributes:
        trace: the recorded run.
        settings: the other settings.
        mode: their decoding mode.
        config: the parameters that would have acted, after all defaults.
        stages: the processors that would have run, in order, as in `Trace.stages`.

    The whole run is answered at once: 200 steps of 49,152 tokens take about a tenth of a second where temperature,
    top-k, top-p and min-p act, after whatever penalties; `chosen_token` says how. typical_p, top_h, epsilon_cutoff,
    eta_cutoff, watermarks, and sampled beams take transformers' own time: together with top_p about a second.

    Raises:
        SettingError: transformers refuses the settings, or they need a tokenizer.
    """

    def __init__(self, trace: RecordedRun, settings: Settings) -> None:
        self.trace, self.settings = trace, settings
        try:
            self.config = effective_config(trace, settings)
            self._processors = processors_of(trace, self.config, settings)
        except (TypeError, ValueError) as err:  # transformers' own checks of a combination
            wanted = "a combination that transformers accepts"
            raise SettingError("settings", settings.given(), wanted, str(err)) from err
        _check_powers(self.config, len(trace.steps))
        self.mode = mode_of(self.config.to_dict())
        self._log_softmax = trace.ledger is not None
        self._guided = self._recorded_guidance()
        head = [Stage(name=LOG_SOFTMAX, params={})] if self._log_softmax else []
        guidance = [trace.stages[self._guided - 1]] if self._guided else []
        self.stages = (*head, *guidance, *stages_of(self._processors))
        self._general = tuple(self._cannot_tell())
        self._memories = [p for p in self._processors if isinstance(p, SynthIDTextWatermarkLogitsProcessor)]
        self._remembered = 0  # steps that they have seen
        self._replayed = ReplayedSamplers(trace, self._processors)
        self._steps: OrderedDict[int, list[Tensor]] = OrderedDict()

    def scores(self, *, step: int, row: int = 0, stage: int = -1) -> Tensor:
        """Scores after a stage of `stages`, float32 [vocab]; stage 0 are the recorded logits.

        The prefix is the recorded one at every step, also after `diverges_at`.

        Raises:
            NotRecordedError: there is no such step, row or stage, it had left the batch, or its logits were lost.
        """
        if not 0 <= step < len(self.trace.steps):
            raise NotRecordedError(
                "step must be in [0, {last}], got {step}",
                last=len(self.trace.steps) - 1, step=step,
            )
        outputs = self._outputs(step)
        if not 0 <= row < self.trace.n_rows or not -len(outputs) <= stage < len(outputs):
            raise NotRecordedError(
                "row must be in [0, {last}] and stage in [0, {last_stage}], got {row}, {stage}",
                last=self.trace.n_rows - 1, last_stage=len(outputs) - 1, row=row, stage=stage,
            )
        self.trace.steps[step].place_of(row)
        return outputs[stage][row]

    def sampler_facts(self, *, step: int, row: int = 0) -> tuple[dict[str, float], ...]:
        """Per stage of `stages` what a sampler of another engine would have said of the step, as `Step.sampler_facts`.

        Raises:
            NotRecordedError: as `scores`.
        """
        self.trace.steps[step].place_of(row)
        said: list[dict[str, float]] = [{} for _ in self.stages]
        if not any(isinstance(processor, SAYING) for processor in self._processors):
            return tuple(said)
        self._run(step)
        first = len(self.stages) - len(self._processors)
        for i, processor in enumerate(self._processors, start=first):
            if isinstance(processor, SAYING):
                said[i] = {name: float(values[row]) for name, values in processor.facts().items()}
        return tuple(said)

    def all_scores(self, *, step: int, row: int = 0) -> list[Tensor]:
        """The scores of one row before the first of `stages` and after each, each float32 [vocab].

        Raises:
            NotRecordedError: there is no such step or row, or its logits were lost.
        """
        return [self.scores(step=step, row=row, stage=stage) for stage in range(len(self.stages) + 1)]

    def rest(self) -> None:
        """Lets go of the scores that were kept for the next question: they are computed again where they are asked for.

        Steps of a large vocabulary take megabytes each.
        """
        self._steps = OrderedDict()

    @property
    def processors(self) -> tuple[Any, ...]:
        """transformers' processors of these settings, in order; those that run the model are not among them."""
        return tuple(self._processors)

    @property
    def samplers(self) -> tuple[Any, ...]:
        """The last of `processors`, as far as they are temperature, top-k, top-p, min-p and nothing follows them."""
        return tuple(closing_rules(self._processors))

    def before(self, processor: int, *, step: int, row: int = 0) -> Tensor:
        """The scores of a row before the processor of that number, float32 [vocab]; it and those after it do not run.

        Args:
            processor: its place in `processors`, from 0.

        Raises:
            NotRecordedError: the step's logits were lost.
        """
        scores = self._input(step)
        self._remember(step)
        with self._in_words():
            for rule in self._processors[:processor]:
                scores = rule(self._prefix(step), scores.clone())
        return scores[row]

    def exactness(self, *, step: int, row: int = 0) -> Exactness:
        """How exact the scores are at a step; in every respect where the trace is lossless.

        Raises:
            NotRecordedError: there is no such step or row, or its logits were lost.
        """
        return exactness(self.trace.steps[step], self.stages, self.all_scores(step=step, row=row), row)

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """What cannot be told without the model, and at which steps nothing can; empty when everything can."""
        return (*self._general, *self._about_steps())

    @cached_property
    def chosen_survives(self) -> tuple[tuple[bool | None, ...], ...]:
        """Per step and row: is the token that was chosen still possible? In beam modes: each kept one's.

        None where the row had ended before, or the step was lost.
        """
        return tuple(tuple(None if p is None else p > 0 for p in step) for step in self.chosen_probability)

    @cached_property
    def chosen_probability(self) -> tuple[tuple[float | None, ...], ...]:
        """Per step and row: the probability of the token that was chosen, from the final scores; 0 if removed.

        Off by less than `decoding.whatif.chosen_token.PROBABILITY_ERROR`. None as in `chosen_survives`.
        """
        return tuple(tuple(None if fact is None else fact.probability for fact in facts) for facts in self._facts)

    @cached_property
    def chosen_rank(self) -> tuple[tuple[int | None, ...], ...]:
        """Per step and row: how many tokens have a higher final score than the one that was chosen.

        None as in `chosen_survives`.
        """
        counted = list(self._facts)
        unclear = [t for t, facts in enumerate(counted) if any(fact and fact.rank is None for fact in facts)]
        with ThreadPoolExecutor(SORTING_THREADS) as pool:  # numpy sorts without holding the interpreter
            for t, facts in zip(unclear, pool.map(partial(self._facts_of, ranks=True), unclear), strict=True):
                counted[t] = facts
        return tuple(tuple(None if fact is None else fact.rank for fact in facts) for facts in counted)

    @property
    def diverges_at(self) -> int | None:
        """The first step at which some row would have gone another way, or None.

        Greedy settings choose the likeliest token; sampled ones have diverged where the chosen token has become
        impossible (elsewhere the draw, not the settings, decides). Lost steps are passed over. None in beam modes
        (see `replay`) and in contrastive search, whose choice is not decided by the scores alone: `statements` says so.
        """
        steps = [t for t in self.row_diverges_at if t is not None]
        return min(steps, default=None)

    @cached_property
    def row_diverges_at(self) -> tuple[int | None, ...]:
        """`diverges_at` of each row."""
        if self._log_softmax or "contrastive_search" in (self.mode, self.trace.mode):
            return (None,) * self.trace.n_rows
        greedy = self.mode not in ("sample", "beam_sample")
        out: list[int | None] = []
        for row in range(self.trace.n_rows):
            facts = ((t, fact) for t, of_rows in enumerate(self._facts) if (fact := of_rows[row]) is not None)
            out.append(next((t for t, fact in facts if not (fact.first if greedy else fact.probability > 0)), None))
        return tuple(out)

    @cached_property
    def replay(self) -> Replay | None:
        """For beam runs: pools and hypotheses under another length penalty, early stopping or number returned.

        None where the run used no beams, where these settings would have searched among other beams, and where steps
        were lost, so that this cannot be told.
        """
        if self.trace.ledger is None or self.trace.mode == "group_beam_search":
            return None
        if any(s.why in ("rerun", "mode", "lost") for s in self.statements) or self._scores_differ():
            return None
        config = self.config
        return replay(
            self.trace, config.length_penalty, config.early_stopping, config.num_return_sequences, config.max_length
        )

    # --- how it is computed ---------------------------------------------------------------------------------

    def _outputs(self, step: int) -> list[Tensor]:
        """The scores of all rows before the first stage and after each, [rows, vocab]; the last few are kept."""
        kept = self._steps  # `rest` may put another in its place
        if step not in kept:
            kept[step] = self._run(step)
            if len(kept) > KEPT_STEPS:
                kept.popitem(last=False)
        kept.move_to_end(step)
        return kept[step]

    def _run(self, step: int) -> list[Tensor]:
        before = self._before(step)
        self._remember(step)
        with self._in_words():
            return [*before[:-1], *run_processors(self._processors, self._prefix(step), before[-1].clone())[0]]

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except ValueError as err:
            raise without_distribution(err, self.config.to_dict()) or err from err

    def _before(self, step: int) -> list[Tensor]:
        """The scores before the first processor and before that, each float32 [rows, vocab]."""
        recorded = self.trace.steps[step]
        logits = self._logits(step).clone()
        before = [logits]
        if self._log_softmax:
            before.append(torch.nn.functional.log_softmax(logits, dim=-1))
        if self._guided:
            guided = logits.clone()
            for row in self._computed(step):
                guided[row] = recorded.scores(row=row, stage=self._guided)
            before.append(guided)
        return before

    def _input(self, step: int) -> Tensor:
        """What the first processor gets, float32 [rows, vocab], not to be written into."""
        if self._log_softmax or self._guided:
            return self._before(step)[-1]
        return self._logits(step)

    def _logits(self, step: int) -> Tensor:
        """float32 [rows, vocab], not to be written into; all the same in rows that had left the batch."""
        recorded = self.trace.steps[step]
        if not recorded.left:
            return self.trace.store.load(step)["logits"].to(torch.float32)
        logits = recorded.logits().to(torch.float32)
        logits[torch.tensor(recorded.left)] = 0.0
        return logits

    def _computed(self, step: int) -> list[int]:
        """The rows that have scores at a step."""
        left = self.trace.steps[step].left
        return [row for row in range(self.trace.n_rows) if not left or not left[row]]

    def _prefix(self, step: int) -> Tensor:
        """The ids of all rows before a step, int64 [rows, prompt_length + step]."""
        if self._log_softmax:
            return torch.stack([self.trace.prefix(step, row) for row in range(self.trace.n_rows)])
        return self._ids[:, : self.trace.prompt_ids.shape[1] + step]

    @cached_property
    def _ids(self) -> Tensor:
        return torch.cat([self.trace.prompt_ids, self.trace.generated_ids], dim=1)

    def _remember(self, step: int) -> None:
        """Brings processors that learn the prefix only by being called to where they were before this step.

        What they remember does not depend on the scores, so one score per row will do.
        """
        if step < self._remembered:
            self._remembered = 0
            for processor in self._memories:
                processor.state = None
        if self._memories:
            for t in range(self._remembered, step):
                for processor in self._memories:
                    processor(self._prefix(t), torch.zeros(self.trace.n_rows, 1))
        self._remembered = step + 1
        self._replayed.recall(step, self._prefix, self._input)

    @cached_property
    def _facts(self) -> tuple[tuple[ChosenFact | None, ...], ...]:
        return tuple(self._facts_of(step) for step in range(len(self.trace.steps)))

    def _facts_of(self, step: int, *, ranks: bool = False) -> tuple[ChosenFact | None, ...]:
        """Per row; None where the row had ended before, or the step was lost."""
        recorded = self.trace.steps[step]
        facts: list[ChosenFact | None] = [None] * self.trace.n_rows
        try:
            scores = self._input(step)
            self._remember(step)
        except NotRecordedError:
            return tuple(facts)
        going = [row for row in range(self.trace.n_rows) if not recorded.ended[row]]
        from_rows = recorded.parents or range(self.trace.n_rows)  # a beam's token was chosen from its parent's scores
        rows, token_ids = [from_rows[row] for row in going], [recorded.token_ids[row] for row in going]
        with self._in_words():
            found = chosen_facts(self._processors, self._prefix(step), scores, rows, token_ids, ranks=ranks)
        for row, fact in zip(going, found, strict=True):
            facts[row] = fact
        return tuple(facts)

    def _about_steps(self) -> list[Statement]:
        """Of each kind one, about the first such step. Of beam runs only what was lost: scores decide no step alone."""
        found = [("lost", self._lost, "was not kept when the run was recorded")]
        if not self._log_softmax:
            empty = self._steps_where(lambda fact: fact.nothing_left)
            odd = self._steps_where(lambda fact: not fact.has_distribution and not fact.nothing_left)
            found.append(("nothing_left", empty, "is left without any token"))
            found.append(("not_numbers", odd, "has scores that are NaN or infinite, so no probabilities"))
        return [_about_step(why, steps, rest, self.trace.first_step) for why, steps, rest in found if steps]

    def _steps_where(self, holds: Callable[[ChosenFact], bool]) -> list[int]:
        return [t for t, facts in enumerate(self._facts) if any(fact and holds(fact) for fact in facts)]

    @cached_property
    def _lost(self) -> list[int]:
        if not self._log_softmax:
            return [t for t, step in enumerate(self.trace.steps) if self._facts[t].count(None) > sum(step.ended)]
        return [t for t in range(len(self.trace.steps)) if not self._is_kept(t)]

    def _is_kept(self, step: int) -> bool:
        try:
            self.trace.store.load(step)
        except NotRecordedError:
            return False
        return True

    def _recorded_guidance(self) -> int:
        """The recorded stage of classifier-free guidance, if these settings ask for the same; else 0."""
        then, now = given_to(self.trace).get("negative_prompt"), self.settings.negative_prompt
        same = then == now and self.trace.generation_config.get("guidance_scale") == self.config.guidance_scale
        names = [stage.name for stage in self.trace.stages]
        return names.index(NEEDS_THE_MODEL) + 1 if same and NEEDS_THE_MODEL in names else 0

    def _cannot_tell(self) -> list[Statement]:
        out = []
        if self.config.guidance_scale not in (None, 1) and not self._guided:
            out.append(_statement("needs_model", "guidance_scale", "runs the model a second time at each step"))
        if self.trace.compact is not None:
            said = how_exact(self.trace, self.stages)
            out += [Statement(why=why, what=what, text=words) for why, what, words in said]
        for name in undecided_defaults(self.trace, self.settings.given()):
            rest = "goes back to transformers' default; this file does not say whether the model has one of its own"
            out.append(_statement("default", name, rest))
        if any(isinstance(p, XTCLogitsWarper) for p in self._processors) and chance_seed(self.trace) is None:
            rest = "draws its chance anew in each run; the run has no seed, so here it is that of another one"
            out.append(_statement("chance", "xtc_probability", rest))
        kept = {name_of(p) for p in self._processors if isinstance(p, RecordedMask)}
        for stage in self.trace.stages:
            if stage.own and stage.name not in kept:
                out.append(_statement("own_processor", stage.name, "is your own and is not in the trace; left out"))
        config, then = self.config.to_dict(), self.trace.generation_config
        for name in NEEDS_RERUN:
            if self._log_softmax and config.get(name) != then.get(name, config.get(name)):
                out.append(_statement("rerun", name, "changes which continuations are looked at; run again"))
        if self.trace.mode == "group_beam_search":
            out.append(_statement("rerun", "diversity_penalty", "depends on what earlier groups chose; left out here"))
        if "contrastive_search" in (self.mode, self.trace.mode):
            out.append(_statement("rerun", "penalty_alpha", "weighs hidden states, which are not recorded; run again"))
        if (self.mode in BEAM_MODES) != self._log_softmax:
            rest = f"is another search than the recorded {self.trace.mode}; run again"
            out.append(_statement("mode", self.mode, rest))
        return out

    def _scores_differ(self) -> bool:
        """Whether some processor would have given other scores: then the beams would have been others."""
        for t, step in enumerate(self.trace.steps):
            scores = self._run(t)[-1]
            for row in self._computed(t):
                same = torch.equal if self.trace.compact is None else partial(nearly_equal, ids=step.exact_ids(row))
                if not same(scores[row], step.scores(row=row)):
                    return True
        return False


def _check_powers(config: GenerationConfig, n_steps: int) -> None:
    """Refuses what no number can hold at the recorded lengths: transformers would fail on it at some step."""
    start, factor = config.exponential_decay_length_penalty or (0, 1.0)
    for name, base, exponent in (
        ("exponential_decay_length_penalty", factor, n_steps - start),
        ("length_penalty", n_steps, config.length_penalty),
    ):
        try:
            float(base) ** max(float(exponent), 0.0)
        except OverflowError:
            value, wanted = getattr(config, name), words("such that its power for {n} steps is a number", n=n_steps)
            raise SettingError(name, value, wanted, "take it nearer to 1") from None


def _statement(why: str, what: str, rest: str) -> Statement:
    return Statement(why=why, what=what, text=f"{what} {rest}")


def _about_step(why: str, steps: list[int], rest: str, first_step: int) -> Statement:
    more = f"; it is the first of {len(steps)}" if len(steps) > 1 else ""
    what = f"step {step_number(steps[0], first_step)}"
    return Statement(why=why, what=what, text=f"{what} {rest}{more}", step=steps[0])
