"""The constraint of a recorded run: which stage it is, what it forbade, and how it is made again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from decoding.constraints.of_settings import CONSTRAINT_CLASSES, constraint_of
from decoding.constraints.processors import Constraint
from decoding.constraints.texts import CONSTRAINTS
from decoding.errors import NotRecordedError
from decoding.recorded.run import RecordedRun, Step
from decoding.recorded.stages import Stage
from decoding.tokens.token_table import TokenTable

__all__ = [
    "Forbidden", "constrained_stage", "constraint_again", "constraint_in", "forbidden_at", "log_mass_left", "start_of",
]  # fmt: skip

PARAMETERS = {kind.__name__: name for name, kind in CONSTRAINT_CLASSES.items()}  # by the stage's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """What a constraint did to one row at one step, seen from the scores that came to it.

    Attributes:
        parameter: `json_schema`, `regex` or `grammar`.
        n: tokens that it removed.
        mass: their probability, in [0, 1].
        log_mass_left: the logarithm of the probability of all others, in nats, 0 or less; −inf where none was left.
        wanted: the token that was likeliest before it, and would have come without it in greedy decoding.
        wanted_probability: of that token; NaN in a compact trace.
        wanted_forbidden: whether it was among those removed.
    """

    parameter: str
    n: int
    mass: float
    log_mass_left: float
    wanted: int
    wanted_probability: float
    wanted_forbidden: bool


def constrained_stage(run: RecordedRun) -> int | None:
    """The stage of the run's constraint, counted from 1 as in `Step.scores`; None where it had none."""
    return _place(run.stages)


def _place(stages: Sequence[Stage]) -> int | None:
    return next((i for i, stage in enumerate(stages, start=1) if stage.name in PARAMETERS), None)


def start_of(run: RecordedRun) -> int | None:
    """Tokens before the constrained text; None where the processor found it out."""
    stage = constrained_stage(run)
    return None if stage is None else run.stages[stage - 1].params.get("start")


def constraint_in(given: Mapping[str, Any]) -> dict[str, str]:
    """The constraint among parameters, by its name; empty where there is none."""
    return {name: given[name] for name in CONSTRAINTS if given.get(name) is not None}


def constraint_again(run: RecordedRun, table: TokenTable) -> list[Constraint]:
    """The run's constraint anew, as a list of one; empty where its settings had none, or a caller brought it.

    Raises:
        SettingError: it cannot be made, as where xgrammar is not installed.
    """
    stage = constrained_stage(run)
    if stage is None or run.settings is None or run.stages[stage - 1].own:
        return []
    config = run.generation_config
    return constraint_of(
        run.settings.given(), table, config.get("eos_token_id"), num_beams=config.get("num_beams"), start=start_of(run)
    )


def forbidden_at(step: Step, row: int = 0, scores: Sequence[Tensor] | None = None) -> Forbidden | None:
    """What the constraint did to a row at a step; None where the run had none.

    Args:
        scores: the row's before the first stage and after each, where they are at hand.

    Raises:
        NotRecordedError: the row's scores are not kept.
    """
    place = _place(step.stages)
    if place is None:
        return None
    if scores is None:
        scores = step.all_scores(row=row, upto=place)
    before, after = scores[place - 1].numpy(), scores[place].numpy()
    # In numpy and float64, as all measures of a run: exact to about 1e-12, and without a thread to wait for.
    weights = np.exp(before.astype(np.float64) - before.max(initial=-math.inf))
    gone = (after == -math.inf) & (before != -math.inf)
    total, left = float(weights.sum()), float(weights[~gone].sum())
    n, mass = int(np.count_nonzero(gone)), float(weights[gone].sum()) / total
    facts = step.facts(row)  # of a compact trace: what was true, which its scores tell only nearly
    if facts is not None:
        n, mass, left, total = facts[place].n_removed, facts[place].mass_removed, 1 - facts[place].mass_removed, 1.0
    wanted = int(before.argmax())
    return Forbidden(
        parameter=PARAMETERS[step.stages[place - 1].name], n=n, mass=min(1.0, mass),
        log_mass_left=min(0.0, math.log(left / total)) if left > 0 else -math.inf,
        wanted=wanted, wanted_probability=float(weights[wanted]) / total if facts is None else float("nan"),
        wanted_forbidden=bool(gone[wanted]),
    )  # fmt: skip


def log_mass_left(run: RecordedRun, row: int = 0) -> float | None:
    """Σ log of the probability that the constraint left at each step of a row, in nats: the price of the constraint.

    Each term is the chance, in logarithm, that a token drawn from the scores before the constraint is one that it
    allows; so the sum is that of a text that keeps to it unasked, as far as this one went. None where the run had no
    constraint or a step's scores are not kept. In beam methods `row` counts `hypotheses`, and the steps are those of
    its path.
    """
    if constrained_stage(run) is None:
        return None
    try:
        found = [forbidden_at(run.steps[step], at) for step, at in _path(run, row)]
    except NotRecordedError:
        return None
    return sum(each.log_mass_left for each in found if each is not None)


def _path(run: RecordedRun, row: int) -> list[tuple[int, int]]:
    """The steps of a row, or of a hypothesis, each with the row that its token was taken from."""
    if run.ledger is None:
        return [(step.index, row) for step in run.steps if not step.ended[row]]
    answers = run.hypotheses
    if row >= len(answers):
        return []
    path = run.ledger.path(answers[row].step, answers[row].prompt, answers[row].rank)
    return [(step, int(run.ledger.steps[step]["parent"][answers[row].prompt, rank])) for step, rank in path]
