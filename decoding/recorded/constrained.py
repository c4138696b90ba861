"""The constraint of a recorded run: which stage it is, what it forbade, and how it is made again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from decoding.constraints.of_settings import CONSTRAINT_CLASSES, constraint_of
from decoding.constraints.processors import Constraint
from decoding.constraints.texts import CONSTRAINTS
from decoding.errors import NotRecordedError
from decoding.recorded.run import RecordedRun, Step
from decoding.tokens.token_table import TokenTable

__all__ = [
    "Forbidden", "constrained_stage", "constraint_again", "constraint_in", "forbidden_at", "log_mass_left", "start_of",
]  # fmt: skip

NAMES = frozenset(kind.__name__ for kind in CONSTRAINT_CLASSES.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """What a constraint did to one row at one step, seen from the scores that came to it.

    Attributes:
        n: tokens that it removed.
        mass: their probability, in [0, 1].
        log_mass_left: the logarithm of the probability of all others, in nats, 0 or less; −inf where none was left.
        wanted: the token that was likeliest before it, and would have come without it in greedy decoding.
        wanted_probability: of that token.
        wanted_forbidden: whether it was among those removed.
    """

    n: int
    mass: float
    log_mass_left: float
    wanted: int
    wanted_probability: float
    wanted_forbidden: bool


def constrained_stage(run: RecordedRun) -> int | None:
    """The stage of the run's constraint, counted from 1 as in `Step.scores`; None where it had none."""
    places = (i for i, stage in enumerate(run.stages, start=1) if stage.name in NAMES)
    return next(places, None)


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


def forbidden_at(step: Step, row: int, stage: int) -> Forbidden:
    """What the constraint, which is that stage, did to a row.

    Computed in float64 from the recorded scores: sums over the vocabulary are exact to about 1e-12.

    Raises:
        NotRecordedError: the row's scores are not kept.
    """
    before, after = step.all_scores(row=row, upto=stage)[-2:]
    p = before.double().softmax(-1)
    gone = (after == -math.inf) & (before != -math.inf)
    left = (before.double().masked_fill(gone, -math.inf)).logsumexp(-1) - before.double().logsumexp(-1)
    wanted = int(before.argmax())
    facts = step.facts(row)  # of a compact trace: what was true, which its scores tell only nearly
    n, mass = (int(gone.sum()), float(p[gone].sum())) if facts is None else (
        facts[stage].n_removed, facts[stage].mass_removed
    )  # fmt: skip
    if facts is not None:
        log_left = math.log1p(-mass) if mass < 1 else -math.inf
    else:
        log_left = min(0.0, float(left))
    return Forbidden(
        n=n, mass=min(1.0, mass), log_mass_left=log_left, wanted=wanted, wanted_probability=float(p[wanted]),
        wanted_forbidden=bool(gone[wanted]),
    )  # fmt: skip


def log_mass_left(run: RecordedRun, row: int = 0) -> float | None:
    """Σ log of the probability that the constraint left at each step of a row, in nats: the price of the constraint.

    A model that had been asked as it is would have kept to the constraint with this probability's logarithm, as far as
    the run went: each term is the chance that a token drawn from the scores before it is allowed. None where the run
    had no constraint, where a step's scores are not kept, and in beam methods, whose rows are several texts in turn.
    """
    stage = constrained_stage(run)
    if stage is None or run.ledger is not None:
        return None
    try:
        return sum(forbidden_at(step, row, stage).log_mass_left for step in run.steps if not step.ended[row])
    except NotRecordedError:
        return None
