"""A step as facts for sentences: what each processor did, why this token came, how close the next one was."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from decoding.parameters.knobs import BEAM_MODES, KNOBS
from decoding.reading.cutoffs import RULES, cutoff
from decoding.recorded.given import defaults_known
from decoding.recorded.silent import PROCESSORS, SilentKnob, silent_knobs

from .beam_reading import BeamReading, beam_reading
from .contrastive import ContrastiveView
from .ledger_table import LedgerRow
from .stage_names import stage_label
from .token_text import token_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from decoding.recorded.ledger import Candidate
    from decoding.recorded.run import StageFacts
    from decoding.recorded.stages import Stage
    from decoding.trace import Trace
    from decoding.whatif.whatif import Statement

    from .look import Look

__all__ = [
    "CLOSE", "NEAR", "SURE", "BeamFate", "Closeness", "Cut", "Share", "Shift", "StageReading", "StepReading", "Why",
    "step_reading",
]  # fmt: skip

NEAR, CLOSE = 0.1, math.log(2)  # nats between the first and the second: a near tie, a close thing
SURE = 0.99  # probability from which on the first is certain
N_BEST = 3  # tokens named: the model's favourites, the likeliest of those removed
FORCED = ("ForcedBOSTokenLogitsProcessor", "ForcedEOSTokenLogitsProcessor")
# These change every score; of a compact trace, which has those of some tokens, no count of them would be true.
OF_ALL = frozenset({
    "TemperatureLogitsWarper", "UnbatchedClassifierFreeGuidanceLogitsProcessor", "LogitNormalization", "log_softmax",
    "WatermarkLogitsProcessor", "SynthIDTextWatermarkLogitsProcessor", "InfNanRemoveLogitsProcessor",
})  # fmt: skip
LESS_SAID = frozenset({"neutral"})  # reasons for silence that are no news


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A token and its probability."""

    text: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A token's probability before and after a stage."""

    text: str
    before: float
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A truncation rule's own numbers.

    Attributes:
        rule, setting, unit, threshold, reference: as in `decoding.reading.cutoffs.Cutoff`; `threshold` of top_k is k.
        reached: probability, before the stage, of what it kept.
        last: the token that just came in, with its probability before the stage; None where only the minimum was
            kept, or where the trace does not know it.
        minimum: no token reached the threshold, and the least number was kept all the same.
        tied: it kept more than top_k, because the last ones are tied.
    """

    rule: str
    setting: float
    unit: str
    threshold: float
    reference: float | None
    reached: float
    last: Share | None
    minimum: bool
    tied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReading:
    """What a stage did to the scores of the step.

    Attributes:
        name, label, value: the class, and the parameter behind it with its value.
        own: a processor of the caller's.
        n_before, n_alive, n_removed: tokens possible before and after it, and removed by it.
        mass_removed: their probability before it.
        entropy_before, entropy_after: nats.
        n_changed, n_lowered, n_raised: tokens, possible before and after, whose score it changed; None where the
            trace does not know.
        shift: of the token whose probability it moved most: of those whose score it lowered or raised, where it left
            the others alone. None where no token stayed.
        removed: the likeliest of the removed tokens, with their probability before; of a truncation rule none, since
            its removed tokens have nothing else in common.
        cut: of a truncation rule.
        new_leader: the token that now stands first, and the one that did, where these are two.
    """

    name: str
    label: str
    value: str
    own: bool
    n_before: int
    n_alive: int
    n_removed: int
    mass_removed: float
    entropy_before: float
    entropy_after: float
    n_changed: int | None
    n_lowered: int | None
    n_raised: int | None
    shift: Shift | None
    removed: tuple[Share, ...]
    cut: Cut | None
    new_leader: tuple[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamFate:
    """What became of the candidate in view; see `app.views.beam_reading`."""

    row: LedgerRow
    reading: BeamReading
    evicted_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why the token in view came, or what other settings would make of it.

    Attributes:
        kind: `ended` (the row had ended), `forced`, `only` (nothing else was left), `greedy`, `tied` (greedy, and
            others scored the same), `sample`, `contrastive`, `beam`, or `came` where the scores don't say it.
        token: in view, with its probability in the final distribution.
        own: its probability and rank, from 1, by the model's own logits; None where it had no distribution.
        first: the likeliest of the final distribution; None where there is none.
        recorded: its final probability in the recorded run.
        removed_by: the stage that made it impossible, or "".
        contrastive: what contrastive search weighed.
        beam: in beam methods.
    """

    kind: str
    token: Share | None = None
    own: tuple[float, int] | None = None
    first: Share | None = None
    recorded: float | None = None
    removed_by: str = ""
    contrastive: ContrastiveView | None = None
    beam: BeamFate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeness:
    """How far the likeliest leads in the final distribution.

    Attributes:
        kind: `only` (nothing else is left), `tie`, `near`, `close`, `clear`, `certain`.
        first, second: the likeliest two; `second` is None for `only`.
        margin: ln of the ratio of their probabilities, in nats.
    """

    kind: str
    first: Share
    second: Share | None
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReading:
    """A step in facts.

    Attributes:
        step, row: which.
        whatif: under other settings than the recorded ones.
        favourites: the model's own likeliest tokens, at most three.
        n_vocab: tokens of the vocabulary.
        entropy: of the model's own distribution, in nats.
        stages: those that changed a score, in order.
        idle: label and value of those that ran and changed none.
        why, closeness: of the token in view, and of the choice; `closeness` is None in beam methods and contrastive
            search, where more than this distribution decides, and where there is no distribution.
        silent: parameters that were given and have no effect in this run, or under these settings.
        unknown: why and what these settings leave open; see `decoding.whatif.whatif.Statement`.
    """

    step: int
    row: int
    whatif: bool
    favourites: tuple[Share, ...]
    n_vocab: int
    entropy: float
    stages: tuple[StageReading, ...]
    idle: tuple[tuple[str, str], ...]
    why: Why
    closeness: Closeness | None
    silent: tuple[SilentKnob, ...]
    unknown: tuple[Statement, ...]


def step_reading(look: Look) -> StepReading:
    """The facts of the step that the lab looks at.

    Raises:
        NotRecordedError: the step was lost.
    """
    step = look.trace.steps[look.step]
    known = None if step.exact else step.exact_ids(look.row).numpy()
    facts = step.facts(look.row) if look.whatif is None else None
    states = [_State(s, known) for s in look.scores]  # n_stages + 1
    changed = [not np.array_equal(a.scores, b.scores) for a, b in zip(states, states[1:], strict=False)]
    pairs = list(zip(look.stages, states, states[1:], changed, strict=False))
    stages = tuple(
        _stage(look.trace, stage, before, after, None if facts is None else facts[i : i + 2], (look.scores[i : i + 2]))
        for i, (stage, before, after, acted) in enumerate(pairs)
        if acted
    )
    idle = [stage for stage, *_, acted in pairs if not acted]
    first, last = states[0], states[-1]
    favourites = tuple(Share(text=token_text(look.trace, i), probability=first.p(i)) for i in first.best)
    decides = look.mode not in BEAM_MODES and look.mode != "contrastive_search"
    return StepReading(
        step=look.step, row=look.row, whatif=look.whatif is not None, favourites=favourites,
        n_vocab=len(first.scores), entropy=first.entropy if facts is None else facts[0].entropy_nats, stages=stages,
        idle=tuple(stage_label(stage) for stage in idle), why=_why(look, states, stages),
        closeness=_closeness(look.trace, last) if decides and look.token_id is not None else None,
        silent=_silent(look, idle), unknown=() if look.whatif is None else look.whatif.statements,
    )  # fmt: skip


class _State:
    """The scores at one point of the step.

    Args:
        scores: float32 [vocab].
        known: the tokens whose scores are the run's own, or None for all.
    """

    def __init__(self, scores: Tensor, known: np.ndarray | None) -> None:
        self.scores, self.known = scores.numpy(), known
        top = float(self.scores.max())
        self.is_distribution = math.isfinite(top)
        # In numpy: torch shares so little work out to threads, and waits for them.
        weights = np.exp(self.scores.astype(np.float64) - (top if self.is_distribution else math.nan))
        self.probs = weights / weights.sum()  # [vocab], NaN where there is no distribution
        self.alive = self.scores > -math.inf
        self.n_alive = int(np.count_nonzero(self.alive))

    def p(self, token_id: int) -> float:
        """A token's probability."""
        return float(self.probs[token_id])

    @property
    def entropy(self) -> float:
        """In nats."""
        some = self.probs[self.probs > 0] if self.is_distribution else self.probs[:1]
        return max(float(-(some * np.log(some)).sum()), 0.0)

    @cached_property
    def best(self) -> list[int]:
        """Ids of the highest scores, downwards, equal ones by id; only of tokens that are possible and known."""
        return self.best_among(self.alive)

    def best_among(self, which: np.ndarray) -> list[int]:
        """The same for the tokens that `which`, bool [vocab], names."""
        ids = np.flatnonzero(which) if self.known is None else self.known[which[self.known]]
        scores = self.scores[ids]
        if len(ids) > N_BEST:
            least = np.partition(scores, -N_BEST)[-N_BEST]  # all that tie with it are looked at, too
            ids, scores = ids[scores >= least], scores[scores >= least]
        return ids[np.lexsort((ids, -scores))][:N_BEST].tolist()


# --- what a stage did -----------------------------------------------------------------------------------------


def _stage(
    trace: Trace, stage: Stage, before: _State, after: _State, facts: Sequence[StageFacts] | None,
    scores: Sequence[Tensor],
) -> StageReading:  # fmt: skip
    label, value = stage_label(stage)
    gone = before.alive & ~after.alive
    both = before.alive & after.alive
    lowered, raised = both & (after.scores < before.scores), both & (after.scores > before.scores)
    differs = both & (after.scores != before.scores)
    counted = stage.name not in OF_ALL and not stage.own or before.known is None
    # What touches a few tokens is told by the one of them that it moved most, anything else by its favourite.
    few = 2 * np.count_nonzero(differs) < np.count_nonzero(both)
    leaders = before.best[:1], after.best[:1]
    return StageReading(
        name=stage.name, label=label, value=value, own=stage.own,
        n_before=before.n_alive if facts is None else facts[0].n_alive,
        n_alive=after.n_alive if facts is None else facts[1].n_alive,
        n_removed=int(np.count_nonzero(gone)) if facts is None else facts[1].n_removed,
        mass_removed=float(before.probs[gone].sum()) if facts is None else facts[1].mass_removed,
        entropy_before=before.entropy if facts is None else facts[0].entropy_nats,
        entropy_after=after.entropy if facts is None else facts[1].entropy_nats,
        n_changed=int(np.count_nonzero(differs)) if counted else None,
        n_lowered=int(np.count_nonzero(lowered)) if counted else None,
        n_raised=int(np.count_nonzero(raised)) if counted else None,
        shift=_shift(trace, before, after, differs if few and differs.any() else both),
        removed=_removed(trace, before, gone) if stage.name not in RULES and gone.any() else (),
        # Of what was no distribution, or is none now, there is nothing that a rule could have cut off.
        cut=(
            _cut(trace, stage, before, after, scores)
            if stage.name in RULES and before.is_distribution and after.alive.any() else None
        ),
        new_leader=(
            (token_text(trace, leaders[1][0]), token_text(trace, leaders[0][0]))
            if all(leaders) and leaders[0] != leaders[1] else None
        ),
    )  # fmt: skip


def _removed(trace: Trace, before: _State, gone: np.ndarray) -> tuple[Share, ...]:
    return tuple(Share(text=token_text(trace, i), probability=before.p(i)) for i in before.best_among(gone))


def _shift(trace: Trace, before: _State, after: _State, among: np.ndarray) -> Shift | None:
    ids = np.flatnonzero(among) if before.known is None else before.known[among[before.known]]
    if not len(ids) or not (before.is_distribution and after.is_distribution):
        return None
    most = int(ids[np.abs(after.probs[ids] - before.probs[ids]).argmax()])
    return Shift(text=token_text(trace, most), before=before.p(most), after=after.p(most))


def _cut(trace: Trace, stage: Stage, before: _State, after: _State, scores: Sequence[Tensor]) -> Cut:
    """The rule's numbers, read off what was recorded: the charts' own reading sorts all tokens, which takes longer."""
    rule = RULES[stage.name]
    value = next(float(stage.params[name]) for name in rule.spelled if name in stage.params)
    kept = np.flatnonzero(after.alive)
    threshold, reference = _threshold(rule.name, value, before)
    minimum = rule.name in ("epsilon", "eta") and float(before.probs[kept].max()) < threshold
    if rule.name == "top_h":
        found = cutoff(stage.name, stage.params, scores[0], scores[1], 1)
        threshold, reference, minimum = found.threshold, found.reference, found.crossing is None
    inside = before.scores[kept]  # the higher the earlier it came in
    if rule.name == "typical":
        inside = -np.abs(-np.log(before.probs[kept]) - before.entropy)
    last = int(kept[inside == inside.min()][-1])
    known = before.known is None or last in before.known
    return Cut(
        rule=rule.name, setting=value, unit=rule.unit, threshold=threshold, reference=reference,
        reached=float(before.probs[kept].sum()), minimum=minimum,
        last=Share(text=token_text(trace, last), probability=before.p(last)) if known and not minimum else None,
        tied=rule.name == "top_k" and after.n_alive > max(value, stage.params.get("min_tokens_to_keep", 1)),
    )  # fmt: skip


def _threshold(rule: str, value: float, before: _State) -> tuple[float, float | None]:
    """What the rule compares with, and what that was made from; see `decoding.reading.cutoffs`."""
    if rule == "min_p":
        best = float(before.probs.max())
        return value * best, best
    if rule == "eta":
        return min(value, math.sqrt(value) * math.exp(-before.entropy)), before.entropy
    return value, before.entropy if rule == "typical" else None


# --- why this token, how close the next -----------------------------------------------------------------------


def _why(look: Look, states: list[_State], stages: tuple[StageReading, ...]) -> Why:
    trace, token_id, last = look.trace, look.token_id, states[-1]
    if token_id is None:
        return Why(kind="ended")
    first = last.best[:1]
    own = states[0]
    higher = int(np.count_nonzero(own.scores > own.scores[token_id]))
    return Why(
        kind=_kind(look, last, stages),
        token=Share(text=token_text(trace, token_id), probability=last.p(token_id)),
        own=(own.p(token_id), higher + 1) if own.is_distribution else None,
        first=Share(text=token_text(trace, first[0]), probability=last.p(first[0])) if first else None,
        recorded=_recorded(look, last),
        removed_by=_removed_by(look, states),
        contrastive=look.at.contrastive if look.whatif is None else None,
        beam=_beam_fate(look) if trace.ledger is not None else None,
    )


def _kind(look: Look, last: _State, stages: tuple[StageReading, ...]) -> str:
    if look.trace.ledger is not None or look.mode in BEAM_MODES:
        return "beam"
    if any(stage.name in FORCED for stage in stages):
        return "forced"
    if last.n_alive == 1 and last.alive[look.token_id]:
        return "only"
    if look.mode == "contrastive_search":
        return "contrastive"
    if look.mode == "sample":
        return "sample"
    best = last.scores == last.scores[last.best[0]] if last.best else last.alive
    if not best[look.token_id]:
        return "came"
    return "tied" if np.count_nonzero(best) > 1 else "greedy"


def _recorded(look: Look, last: _State) -> float:
    if look.whatif is None:
        return last.p(look.token_id)
    return _State(look.at.scores[-1], None).p(look.token_id)


def _removed_by(look: Look, states: list[_State]) -> str:
    for stage, before, after in zip(look.stages, states, states[1:], strict=False):
        if before.alive[look.token_id] and not after.alive[look.token_id]:
            return " ".join(stage_label(stage)).strip()
    return ""


def _beam_fate(look: Look) -> BeamFate | None:
    """The candidate that continues the row in view with the token in view."""
    ledger = look.trace.ledger
    prompt = look.row // ledger.n_beams
    candidates = ledger.candidates(look.step, prompt)
    chosen = next((c for c in candidates if c.parent == look.row and c.token_id == look.token_id), None)
    if chosen is None:
        return None
    reading = beam_reading(look.trace, look.step, prompt)
    row = next(row for row in reading.rows if row.rank == chosen.rank)
    return BeamFate(row=row, reading=reading, evicted_at=_evicted_at(look, chosen))


def _evicted_at(look: Look, chosen: Candidate) -> int | None:
    """The step at which the hypothesis that this candidate completed was driven out of the pool."""
    if chosen.fate != "finished":
        return None
    mine = (chosen.prompt, (look.step, chosen.rank))
    for later in look.trace.steps[look.step + 1 :]:
        if any((change.prompt, change.evicted) == mine for change in later.pool_changes):
            return later.index
    return None


def _closeness(trace: Trace, last: _State) -> Closeness | None:
    best = last.best[:2]
    if not best or not last.is_distribution:
        return None
    first, *rest = (Share(text=token_text(trace, i), probability=last.p(i)) for i in best)
    if not rest:
        return Closeness(kind="only", first=first, second=None, margin=math.inf)
    margin = float(last.scores[best[0]]) - float(last.scores[best[1]])
    kind = "near" if margin < NEAR else "close" if margin < CLOSE else "clear"
    if margin == 0:
        kind = "tie"
    elif first.probability >= SURE:
        kind = "certain"
    return Closeness(kind=kind, first=first, second=rest[0], margin=margin)


# --- what had no effect ---------------------------------------------------------------------------------------


def _silent(look: Look, idle: list[Stage]) -> tuple[SilentKnob, ...]:
    """Those that are not told by the stages that ran for nothing."""
    if look.whatif is None:
        found = look.trace.silent
    else:
        config, defaults = look.whatif.config.to_dict(), defaults_known(look.trace)
        found = silent_knobs(look.whatif.settings.given(), look.mode, look.stages, None, config, defaults)
    told = {stage.name for stage in idle}
    return tuple(
        s for s in found if s.why not in LESS_SAID and s.name in KNOBS and PROCESSORS.get(s.name) not in told
    )
