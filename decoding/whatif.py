"""What if: the recorded run under other settings, without the model.

Raw logits are recorded for the prefix that was really decoded, so what other processors would have made of them is
computable exactly: by running transformers' own processors on them. Where the run would have gone another way,
the truth needs the model again; `diverges_at` says from where on.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from decoding.beam_replay import Replay, replay
from decoding.compact_bounds import how_exact, nearly_equal
from decoding.errors import NotRecordedError
from decoding.knobs import BEAM_MODES
from decoding.processors import NEEDS_THE_MODEL, effective_config, processors_of
from decoding.settings import Settings, mode_of
from decoding.stages import LOG_SOFTMAX, Stage, run_processors, stages_of
from decoding.trace import Trace

__all__ = ["Statement", "WhatIf"]

KEPT_STEPS = 8  # a slider asks for the same step again and again
NEEDS_RERUN = ("num_beams", "num_beam_groups", "diversity_penalty", "penalty_alpha")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a what-if cannot tell.

    Attributes:
        why: a key for translations: `needs_model`, `own_processor`, `rerun`, `mode`; of a compact trace `compact`,
            `compact_entropy`.
        what: the parameter or processor; for `compact` by how much a probability may be off.
        text: the same in English.
    """

    why: str
    what: str
    text: str


class WhatIf:
    """The scores of a recorded run under other settings.

    Attributes:
        trace: the recorded run.
        settings: the other settings.
        mode: their decoding mode.
        config: the parameters that would have acted, after all defaults.
        stages: the processors that would have run, in order, as in `Trace.stages`.
        statements: what cannot be told without the model; empty when everything can.
    """

    def __init__(self, trace: Trace, settings: Settings) -> None:
        self.trace, self.settings = trace, settings
        self.config = effective_config(trace, settings)
        self.mode = mode_of(self.config.to_dict())
        self._processors = processors_of(trace, self.config)
        self._log_softmax = trace.ledger is not None
        self._guided = self._recorded_guidance()
        head = [Stage(name=LOG_SOFTMAX, params={})] if self._log_softmax else []
        guidance = [trace.stages[self._guided - 1]] if self._guided else []
        self.stages = (*head, *guidance, *stages_of(self._processors))
        self.statements = tuple(self._cannot_tell())
        self._steps: OrderedDict[int, list[Tensor]] = OrderedDict()

    def scores(self, *, step: int, row: int = 0, stage: int = -1) -> Tensor:
        """Scores after a stage of `stages`, float32 [vocab]; stage 0 are the recorded logits.

        The prefix is the recorded one at every step, also after `diverges_at`.

        Raises:
            NotRecordedError: there is no such step, row or stage, or its logits were lost.
        """
        if not 0 <= step < len(self.trace.steps):
            raise NotRecordedError(f"step must be in [0, {len(self.trace.steps) - 1}], got {step}")
        outputs = self._outputs(step)
        if not 0 <= row < self.trace.n_rows or not -len(outputs) <= stage < len(outputs):
            raise NotRecordedError(
                f"row must be in [0, {self.trace.n_rows - 1}] and stage in [0, {len(outputs) - 1}], got {row}, {stage}"
            )
        return outputs[stage][row]

    def all_scores(self, *, step: int, row: int = 0) -> list[Tensor]:
        """The scores of one row before the first of `stages` and after each, each float32 [vocab].

        Raises:
            NotRecordedError: there is no such step or row, or its logits were lost.
        """
        return [self.scores(step=step, row=row, stage=stage) for stage in range(len(self.stages) + 1)]

    @cached_property
    def chosen_survives(self) -> tuple[tuple[bool, ...], ...]:
        """Per step and row: is the token that was chosen still possible? In beam modes: each kept one's."""
        return tuple(tuple(p > 0 for p in row) for row in self.chosen_probability)

    @cached_property
    def chosen_probability(self) -> tuple[tuple[float, ...], ...]:
        """Per step and row: the probability of the token that was chosen, from the final scores; 0 if removed."""
        return tuple(facts[0] for facts in self._facts)

    @cached_property
    def chosen_rank(self) -> tuple[tuple[int, ...], ...]:
        """Per step and row: how many tokens have a higher final score than the one that was chosen."""
        return tuple(facts[1] for facts in self._facts)

    @property
    def diverges_at(self) -> int | None:
        """The first step at which some row would have gone another way, or None.

        Greedy settings choose the likeliest token; sampled ones have diverged where the chosen token has become
        impossible (elsewhere the draw, not the settings, decides). None in beam modes (see `replay`) and in
        contrastive search, whose choice is not decided by the scores alone: `statements` says so.
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
            differs = (
                t
                for t, step in enumerate(self.trace.steps)
                if not step.ended[row]
                and (self.chosen_rank[t][row] > 0 if greedy else not self.chosen_survives[t][row])
            )
            out.append(next(differs, None))
        return tuple(out)

    @cached_property
    def replay(self) -> Replay | None:
        """For beam runs: pools and hypotheses under another length penalty, early stopping or number returned.

        None where the run used no beams, or where these settings would have searched among other beams.
        """
        if self.trace.ledger is None or self.trace.mode == "group_beam_search":
            return None
        if any(s.why in ("rerun", "mode") for s in self.statements) or self._scores_differ():
            return None
        config = self.config
        return replay(
            self.trace, config.length_penalty, config.early_stopping, config.num_return_sequences, config.max_length
        )

    # --- how it is computed ---------------------------------------------------------------------------------

    def _outputs(self, step: int) -> list[Tensor]:
        """The scores of all rows before the first stage and after each, [rows, vocab]; the last few are kept."""
        if step not in self._steps:
            self._steps[step] = self._run(step)
            if len(self._steps) > KEPT_STEPS:
                self._steps.popitem(last=False)
        self._steps.move_to_end(step)
        return self._steps[step]

    def _run(self, step: int) -> list[Tensor]:
        recorded = self.trace.steps[step]
        logits = recorded.logits().to(torch.float32)  # [rows, vocab]
        before = [logits]
        if self._log_softmax:
            before.append(torch.nn.functional.log_softmax(logits, dim=-1))
        if self._guided:
            rows = [recorded.scores(row=row, stage=self._guided) for row in range(self.trace.n_rows)]
            before.append(torch.stack(rows))
        prefix = torch.stack([self.trace.prefix(step, row) for row in range(self.trace.n_rows)])
        return [*before[:-1], *run_processors(self._processors, prefix, before[-1])[0]]

    @cached_property
    def _facts(self) -> tuple[tuple[tuple[float, ...], tuple[int, ...]], ...]:
        return tuple(self._facts_of(step) for step in range(len(self.trace.steps)))

    def _facts_of(self, step: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
        scores, recorded = self._run(step)[-1], self.trace.steps[step]
        rows = recorded.parents or range(self.trace.n_rows)  # a beam's token was chosen from its parent's scores
        probabilities, ranks = [], []
        for row, token_id in zip(rows, recorded.token_ids, strict=True):
            own = scores[row]
            probabilities.append(float(torch.softmax(own.double(), -1)[token_id]))
            ranks.append(int((own > own[token_id]).sum()))
        return tuple(probabilities), tuple(ranks)

    def _recorded_guidance(self) -> int:
        """The recorded stage of classifier-free guidance, if these settings ask for the same; else 0."""
        then, now = self.trace.settings, self.settings
        same = then is not None and (then.guidance_scale, then.negative_prompt) == (
            now.guidance_scale,
            now.negative_prompt,
        )
        names = [stage.name for stage in self.trace.stages]
        return names.index(NEEDS_THE_MODEL) + 1 if same and NEEDS_THE_MODEL in names else 0

    def _cannot_tell(self) -> list[Statement]:
        out = []
        if self.config.guidance_scale not in (None, 1) and not self._guided:
            out.append(_statement("needs_model", "guidance_scale", "runs the model a second time at each step"))
        if self.trace.compact is not None:
            said = how_exact(self.trace, self.stages)
            out += [Statement(why=why, what=what, text=words) for why, what, words in said]
        for stage in self.trace.stages:
            if stage.own:
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
            for row in range(self.trace.n_rows):
                same = torch.equal if self.trace.compact is None else partial(nearly_equal, ids=step.exact_ids(row))
                if not same(scores[row], step.scores(row=row)):
                    return True
        return False


def _statement(why: str, what: str, rest: str) -> Statement:
    return Statement(why=why, what=what, text=f"{what} {rest}")
