"""Each truncation rule of transformers as numbers: the order it sorts by, its threshold, and who is inside.

The numbers are those the rule itself compares, computed by the same operations in the same precision from
the scores that went into the stage, so that a boundary case falls here as it fell there. What was decided is
never recomputed: `kept` is what the recording says, and `agrees` whether the numbers explain it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.distributions import Categorical

from decoding.errors import NotRecordedError
from decoding.parameters.knobs import PROCESSOR_OF
from decoding.reading import stats

__all__ = ["RULES", "Cutoff", "Rule", "TokenMargin", "cutoff", "removal_margin"]

BOUNDARY = 5  # tokens shown on either side of a boundary that lies beyond the limit

Cause = Literal["threshold", "minimum", "cap", "ban", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """A truncation rule at one step, for one row, ready to be drawn.

    The per-token fields are tuples of one length, in the rule's order, over the tokens that are shown: the
    first `limit`, those around the boundary, and the one followed. Tokens that an earlier stage removed take no part.

    Attributes:
        rule: "top_p", "top_k", "min_p", "typical", "epsilon", "eta" or "top_h".
        parameter, setting: the knob behind the rule and its value, e.g. "top_p" and 0.9.
        unit: of `values`, `threshold` and `margins`: "probability", "logit" or "nats".
        axis: what `values` are, e.g. "cumulative probability".
        threshold: the line to draw; -inf (margins: inf) where top-k asks for more tokens than are left.
        reference: what a threshold that depends on the distribution was made from (min-p: the highest
            probability; eta, typical: the entropy; top-h: the entropy of its 100 candidates), or None.
        token_ids: the tokens.
        positions: their places in the full order, from 0; a jump marks the tokens left out.
        values: what the chart draws. top-p, typical: probability of this token and all before it; top-h: the
            same with entropy; min-p, epsilon, eta: probability; top-k: the score.
        probs: probability of each token before the stage.
        keys: what the order sorts by, descending: probability or score; typical: ascending distance of
            surprisal from entropy, in nats.
        kept: as recorded.
        minimum: kept whatever the threshold says (`min_tokens_to_keep`; top-h: the most probable token).
        margins: distance from the boundary, positive inside; 0 is outside for top-p and typical, inside for
            the others. For top-p and typical: how much more mass could lie before the token. None for a token
            that top-h has no number for: beyond its 100 candidates, or of probability 0.
        following_mass: probability of the tokens left out between this one and the next that is shown.
        crossing: position of the last token that the threshold lets in (for top-p and typical the one that
            crosses it, and is kept); None when it lets in none, and only `minimum` saved one.
        n_alive, n_kept, n_removed: over the whole vocabulary, as recorded.
        mass_removed: probability, before, of what was removed.
        gap_count, gap_mass: tokens left out before the last one shown.
        tail_count, tail_mass: tokens left out after the last one shown.
        agrees: whether the rule, computed here, keeps exactly the recorded tokens. When the run was decoded
            on another device it may not, by tokens whose margin is within rounding of 0.
    """

    rule: str
    parameter: str
    setting: float
    unit: str
    axis: str
    threshold: float
    reference: float | None
    token_ids: tuple[int, ...]
    positions: tuple[int, ...]
    values: tuple[float, ...]
    probs: tuple[float, ...]
    keys: tuple[float, ...]
    kept: tuple[bool, ...]
    minimum: tuple[bool, ...]
    margins: tuple[float | None, ...]
    following_mass: tuple[float, ...]
    crossing: int | None
    n_alive: int
    n_kept: int
    n_removed: int
    mass_removed: float
    gap_count: int
    gap_mass: float
    tail_count: int
    tail_mass: float
    agrees: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMargin:
    """What one stage decided about one token, and by how much.

    Attributes:
        token_id: the token.
        removed: this stage set it to -inf; False also for one that was gone before.
        margin: distance from the boundary in `unit`, negative (or 0, see `Cutoff.margins`) outside; None
            where there is no threshold to be near to.
        unit: of the margin, or None.
        cause: "threshold": the margin decided; "minimum": outside, and kept all the same, so that enough
            tokens remain; "cap": beyond the candidates that top-h considers; "ban": removed without any
            threshold (forbidden words, repeated n-grams, a minimum length, a forced token); "none": this
            stage did not decide about it.
    """

    token_id: int
    removed: bool
    margin: float | None
    unit: str | None
    cause: Cause


def cutoff(
    stage_name: str,
    params: Mapping[str, Any],
    before: Tensor,
    after: Tensor,
    limit: int = 100,
    token_id: int | None = None,
) -> Cutoff | None:
    """The stage's cut-off as a chart draws it, or None for a stage that is no truncation rule.

    Args:
        stage_name: class name of the processor.
        params: its parameters by attribute name.
        before, after: the scores that went in and came out, as recorded: float [vocab], on the CPU.
        limit: how many tokens of the order to show; those around the boundary come on top.
        token_id: a token to follow: it is shown, too, wherever it stands.

    Raises:
        NotRecordedError: the parameters lack the rule's own.
    """
    rule = RULES.get(stage_name)
    if rule is None:
        return None
    setting = _number(params, *rule.spelled)
    ruling = _rule_on(rule, setting, params, before, after)
    shown = _shown(ruling, limit, token_id)
    probs = stats.probs(before)[ruling.order]
    left_out = _left_out(shown, probs)
    return Cutoff(
        rule=rule.name,
        parameter=rule.parameter,
        setting=setting,
        unit=rule.unit,
        axis=rule.axis,
        threshold=ruling.threshold,
        reference=ruling.reference,
        token_ids=tuple(ruling.order[shown].tolist()),
        positions=tuple(shown.tolist()),
        values=tuple(ruling.values[shown].tolist()),
        probs=tuple(probs[shown].tolist()),
        keys=tuple(ruling.keys[shown].tolist()),
        kept=tuple(ruling.kept[shown].tolist()),
        minimum=tuple(ruling.minimum[shown].tolist()),
        margins=tuple(_or_none(m) for m in ruling.margins[shown].tolist()),
        crossing=_last(ruling.inside),
        n_alive=len(ruling.order),
        n_kept=int(ruling.kept.sum()),
        n_removed=int((~ruling.kept).sum()),
        mass_removed=float(probs[~ruling.kept].sum()),
        agrees=ruling.agrees,
        **left_out,
    )


def removal_margin(
    stage_name: str, params: Mapping[str, Any], before: Tensor, after: Tensor, token_ids: Iterable[int]
) -> tuple[TokenMargin, ...]:
    """By which margin the stage removed (negative) or kept each of the tokens, in the order given.

    Args:
        stage_name, params, before, after: as for `cutoff`; any stage.
        token_ids: the tokens asked about.

    Raises:
        NotRecordedError: the parameters of a truncation rule lack the rule's own.
    """
    ids = [int(i) for i in token_ids]
    alive, gone = before > -math.inf, after == -math.inf
    rule = RULES.get(stage_name)
    if rule is None:
        return tuple(_ban(i, bool(alive[i] & gone[i])) for i in ids)
    ruling = _rule_on(rule, _number(params, *rule.spelled), params, before, after)
    places = torch.full_like(before, -1, dtype=torch.long)
    places[ruling.order] = torch.arange(len(ruling.order))
    return tuple(_decision(rule, ruling, i, int(places[i])) for i in ids)


def _ban(token_id: int, removed: bool) -> TokenMargin:
    cause: Cause = "ban" if removed else "none"
    return TokenMargin(token_id=token_id, removed=removed, margin=None, unit=None, cause=cause)


def _decision(rule: Rule, ruling: Ruling, token_id: int, place: int) -> TokenMargin:
    if place < 0:
        return TokenMargin(token_id=token_id, removed=False, margin=None, unit=None, cause="none")
    kept, margin = bool(ruling.kept[place]), _or_none(float(ruling.margins[place]))
    cause: Cause = "cap" if margin is None else "threshold"
    if kept and not ruling.inside[place] and ruling.minimum[place]:
        cause = "minimum"
    unit = None if margin is None else rule.unit
    return TokenMargin(token_id=token_id, removed=not kept, margin=margin, unit=unit, cause=cause)


# ---- the rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a rule has to say about all tokens that reach it, in its order; each tensor is [n_alive].

    Attributes:
        order: token ids. Tokens that the rule cannot tell apart come with the kept ones first.
        keys, values, margins, minimum: see `Cutoff`; margins are NaN where the rule did not look.
        inside: on the right side of the threshold.
        kept: as recorded.
        threshold, reference: see `Cutoff`.
    """

    order: Tensor
    keys: Tensor
    values: Tensor
    margins: Tensor
    inside: Tensor
    minimum: Tensor
    kept: Tensor
    threshold: float
    reference: float | None = None

    @property
    def agrees(self) -> bool:
        """The rule, computed here, keeps exactly the recorded tokens."""
        return bool(((self.inside | self.minimum) == self.kept).all())


def _top_p(before: Tensor, kept: Tensor, top_p: float, least: int, params: Mapping[str, Any]) -> Ruling:
    """transformers sums from the least probable token up and removes while the sum is at most 1 - top_p.

    Seen from the top: a token stays while the mass *before* it is below top_p; so the one that crosses stays.
    """
    order, keys = _sorted(before, kept, descending=True)
    tail = _filled(keys, before).flip(-1).softmax(-1).cumsum(-1).flip(-1)[: len(order)]
    limit = _in(before, 1 - top_p)
    after_it = torch.cat([tail[1:].double(), torch.zeros(1, dtype=torch.float64)])
    return Ruling(
        order=order,
        keys=keys,
        values=1 - after_it[: len(order)],
        margins=tail.double() - limit.double(),
        inside=tail > limit,
        minimum=_first(order, least),
        kept=kept[order],
        threshold=top_p,
    )


def _top_k(before: Tensor, kept: Tensor, top_k: float, least: int, params: Mapping[str, Any]) -> Ruling:
    """All that score at least as much as the k-th stay, so ties with it do too."""
    order, keys = _sorted(before, kept, descending=True)
    k = min(max(int(top_k), least), len(before))
    kth = torch.topk(before, k).values[-1]
    return Ruling(
        order=order,
        keys=keys,
        values=keys.double(),
        margins=keys.double() - kth.double(),
        inside=keys >= kth,
        minimum=torch.zeros_like(keys, dtype=torch.bool),
        kept=kept[order],
        threshold=float(kth),
    )


def _min_p(before: Tensor, kept: Tensor, min_p: float, least: int, params: Mapping[str, Any]) -> Ruling:
    """A token stays if it is at least min_p times as probable as the best."""
    probs = before.softmax(-1)
    best = probs.amax(-1)
    order, keys = _sorted(probs, kept, descending=True, alive=before > -math.inf)
    minimum = _first(order, least)
    return _by_probability(order, keys, kept, minimum, threshold=min_p * best, reference=float(best))


def _epsilon(before: Tensor, kept: Tensor, epsilon: float, least: int, params: Mapping[str, Any]) -> Ruling:
    """A token stays if its probability is at least epsilon."""
    order, _ = _sorted(before, kept, descending=True)
    keys, minimum = before.softmax(-1)[order], _ties_included(before, order, least)
    return _by_probability(order, keys, kept, minimum, threshold=_in(before, epsilon))


def _eta(before: Tensor, kept: Tensor, epsilon: float, least: int, params: Mapping[str, Any]) -> Ruling:
    """As epsilon, with min(epsilon, sqrt(epsilon) * exp(-entropy)) for a threshold."""
    order, _ = _sorted(before, kept, descending=True)
    keys, minimum = before.softmax(-1)[order], _ties_included(before, order, least)
    entropy = Categorical(logits=before, validate_args=False).entropy()
    highest = torch.tensor(epsilon)
    eta = torch.min(highest, torch.sqrt(highest) * torch.exp(-entropy))
    return _by_probability(order, keys, kept, minimum, threshold=eta, reference=float(entropy))


def _by_probability(
    order: Tensor,
    keys: Tensor,
    kept: Tensor,
    minimum: Tensor,
    threshold: Tensor,
    reference: float | None = None,
) -> Ruling:
    return Ruling(
        order=order,
        keys=keys,
        values=keys.double(),
        margins=keys.double() - threshold.double(),
        inside=keys >= threshold,
        minimum=minimum,
        kept=kept[order],
        threshold=float(threshold),
        reference=reference,
    )


def _typical(before: Tensor, kept: Tensor, mass: float, least: int, params: Mapping[str, Any]) -> Ruling:
    """Tokens come in by how near their surprisal is to the entropy, until the mass is reached.

    The one that reaches it stays, and so do all that are exactly as near.
    """
    logprobs = torch.log_softmax(before, -1)
    entropy = -(logprobs * logprobs.exp()).nansum(-1)
    distance = torch.abs(-logprobs - entropy)
    order, keys = _sorted(distance, kept, descending=False, alive=before > -math.inf)
    cumulative = _filled(before[order], before).softmax(-1).cumsum(-1)[: len(order)]
    # Mass of all that are nearer; tied tokens share it.
    n_nearer = torch.searchsorted(keys, keys, side="left")
    before_it = torch.cat([cumulative.new_zeros(1), cumulative])[n_nearer]
    limit = _in(before, mass)
    return Ruling(
        order=order,
        keys=keys,
        values=cumulative.double(),
        margins=limit.double() - before_it.double(),
        inside=before_it < limit,
        minimum=_first(order, least),
        kept=kept[order],
        threshold=mass,
        reference=float(entropy),
    )


def _top_h(before: Tensor, kept: Tensor, top_h: float, least: int, params: Mapping[str, Any]) -> Ruling:
    """Of the 100 best, the first whose entropy terms together stay within top_h of the entropy of the 100.

    The most probable token stays in any case; from the 101st on none is considered.
    """
    n_considered = min(max(1, int(_number(params, "top_n", default=100))), len(before))
    order, keys = _sorted(before, kept, descending=True)
    candidates = Categorical(logits=torch.topk(before, n_considered).values, validate_args=False)
    entropy = candidates.entropy()
    tau = entropy * top_h
    cumulative = torch.cumsum(-candidates.probs * torch.log(candidates.probs), -1)[: len(order)]
    unseen = cumulative.new_full((len(order) - len(cumulative),), math.nan)
    values = torch.cat([cumulative, unseen])
    return Ruling(
        order=order,
        keys=keys,
        values=values.double(),
        margins=tau.double() - values.double(),
        inside=values <= tau,
        minimum=_first(order, 1),
        kept=kept[order],
        threshold=float(tau),
        reference=float(entropy),
    )


Decide = Callable[[Tensor, Tensor, float, int, Mapping[str, Any]], Ruling]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A truncation rule: how it is called, what it measures, and how it decides."""

    name: str
    parameter: str
    spelled: tuple[str, ...]
    unit: str
    axis: str
    decide: Decide


def _rule(name: str, parameter: str, unit: str, axis: str, decide: Decide) -> Rule:
    attribute = PROCESSOR_OF[parameter].attribute
    return Rule(
        name=name, parameter=parameter, spelled=(attribute, parameter), unit=unit, axis=axis, decide=decide
    )


_RULES = (
    _rule("top_h", "top_h", "nats", "cumulative entropy", _top_h),
    _rule("top_k", "top_k", "logit", "logit", _top_k),
    _rule("top_p", "top_p", "probability", "cumulative probability", _top_p),
    _rule("min_p", "min_p", "probability", "probability", _min_p),
    _rule("typical", "typical_p", "probability", "cumulative probability", _typical),
    _rule("epsilon", "epsilon_cutoff", "probability", "probability", _epsilon),
    _rule("eta", "eta_cutoff", "probability", "probability", _eta),
)

RULES: dict[str, Rule] = {PROCESSOR_OF[rule.parameter].name: rule for rule in _RULES}
"""The truncation rules by class name of their stage, in the order in which transformers runs them."""


def _rule_on(rule: Rule, setting: float, params: Mapping[str, Any], before: Tensor, after: Tensor) -> Ruling:
    least = min(max(1, int(_number(params, "min_tokens_to_keep", default=1))), len(before))
    # Unchanged, rather than above -inf: a warper may be told to mark what it removes with another value.
    kept = (before > -math.inf) & (after == before)
    return rule.decide(before, kept, setting, least, params)


# ---- what the rules share


def _sorted(
    keys: Tensor, kept: Tensor, *, descending: bool, alive: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Ids of the tokens alive in the order of their keys, and the keys; of equal ones, the kept first."""
    alive = keys > -math.inf if alive is None else alive
    ids = torch.cat([(alive & kept).nonzero(), (alive & ~kept).nonzero()]).squeeze(1)
    ordered, places = torch.sort(keys[ids], descending=descending, stable=True)
    return ids[places], ordered


def _filled(scores: Tensor, before: Tensor) -> Tensor:
    """The scores with -inf up to the vocabulary's size: a softmax over fewer terms may round otherwise."""
    return torch.cat([scores, scores.new_full((len(before) - len(scores),), -math.inf)])


def _first(order: Tensor, n: int) -> Tensor:
    """True for the first n places."""
    return torch.arange(len(order)) < n


def _ties_included(before: Tensor, order: Tensor, n: int) -> Tensor:
    """True for the n best and those that tie with the last of them."""
    return before[order] >= torch.topk(before, n).values[-1]


def _in(scores: Tensor, number: float) -> Tensor:
    """The number in the scores' precision, in which torch compares it with them."""
    return torch.tensor(number, dtype=scores.dtype)


def _number(params: Mapping[str, Any], *names: str, default: float | None = None) -> float:
    """The first of these parameters that is there."""
    for name in names:
        value = params.get(name)
        if isinstance(value, (int, float)) and abs(value) < 2**53:  # no NaN, nothing a tensor cannot hold
            return value
    if default is None:
        raise NotRecordedError(
            "the trace holds no usable {name!r} for this stage; record the run again",
            name=names[0],
        )
    return default


def _shown(ruling: Ruling, limit: int, token_id: int | None) -> Tensor:
    """Which positions are shown: the first `limit`, those around the boundary, and the token followed."""
    n = len(ruling.order)
    places = torch.arange(n)
    wanted = places < limit
    last_inside, last_kept = _last(ruling.inside), _last(ruling.kept)
    for edge in (last_inside, last_kept):
        if edge is not None:
            wanted |= (places > edge - BOUNDARY) & (places <= edge + BOUNDARY)
    if token_id is not None:
        wanted |= ruling.order == token_id
    return places[wanted]


def _left_out(shown: Tensor, probs: Tensor) -> dict[str, Any]:
    """Number and mass of the tokens before the last one shown that are not shown, of those after it, and in between."""
    end = int(shown[-1]) + 1 if len(shown) else 0
    hidden = torch.ones(len(probs), dtype=torch.bool)
    hidden[shown] = False
    gap, tail = hidden[:end], hidden[end:]
    ends = [*shown.tolist(), len(probs)]
    between = zip(ends, ends[1:], strict=False)
    return {
        "following_mass": tuple(float(probs[place + 1 : following].sum()) for place, following in between),
        "gap_count": int(gap.sum()),
        "gap_mass": float(probs[:end][gap].sum()),
        "tail_count": int(tail.sum()),
        "tail_mass": float(probs[end:][tail].sum()),
    }


def _last(mask: Tensor) -> int | None:
    places = mask.nonzero()
    return int(places[-1]) if len(places) else None


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number
