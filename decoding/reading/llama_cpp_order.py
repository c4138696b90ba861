"""llama.cpp's order, run by llama.cpp itself, and where its arithmetic parts from transformers': who is right, and why.

llama.cpp adds up probabilities one after another in float32: first the exponentials of all tokens, then the sorted
probabilities up to the cut. Over tens of thousands of tokens such a sum is off in its fourth digit. Whether it was
that which moved a cut is not assumed here: the engine's own probabilities are added up again as it does, the sum must
lead to just the cut that it made, and the same tokens are added up in float64 beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from decoding.engines.llama_cpp import Sampler, SamplerChain, sampler
from decoding.engines.llama_library import library_version
from decoding.reading.engine_orders import LLAMA_CPP, OrderResult, apply_stage, order_path, order_result
from decoding.reading.exact_cuts import ExactCut, alike, exact_cut, no_cut
from decoding.recorded.stages import Stage

__all__ = ["Cause", "Parting", "llama_sampler", "partings", "run_llama_cpp"]

Cause = Literal["tie", "sum", "order", "edge", "unexplained"]

_SAMPLERS = {  # class of transformers: llama.cpp's sampler, its parameter, and the attribute with the value
    "TopKLogitsWarper": ("top_k", "k", "top_k"),
    "TypicalLogitsWarper": ("typical", "p", "mass"),
    "TopPLogitsWarper": ("top_p", "p", "top_p"),
    "MinPLogitsWarper": ("min_p", "p", "min_p"),
    "TemperatureLogitsWarper": ("temp_ext", "t", "temperature"),
}
_SUMMED = ("TopPLogitsWarper", "TypicalLogitsWarper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """A sampler of which llama.cpp and transformers' class make two different things, on the same scores.

    Attributes:
        place: of the sampler, in `OrderResult.stages`.
        stage: the sampler.
        cause: `tie`: tokens that the rule cannot tell apart; top_k of transformers keeps all that are tied with the
            last, llama.cpp exactly k. `sum`: llama.cpp's sum in float32 crosses the line elsewhere. `order`: so it
            does, and it sorted the tokens otherwise before, by an entropy in float32. `edge`: the tokens lie as near
            to the line as a float32 can tell. `unexplained`: none of these was found.
        n_engine, n_ours, n_exact: tokens kept by llama.cpp, by transformers' class, and in float64.
        ours_sum: what the tokens that transformers' class keeps have in float64.
        engine_right, ours_right: whether they keep what float64 keeps, tokens that the rule cannot tell apart aside.
        token_ids: kept by one of the two only, likeliest first.
        kept_by_engine, kept_in_float64: of each of `token_ids`.
        shares: the probability of each of `token_ids` before this sampler.
        farthest: how far the farthest of `token_ids` lies from the line in float64, in the rule's own unit.
        engine_sum: what llama.cpp's own probabilities come to at the last token that it keeps, added up in float32
            as it does. None for a rule that adds nothing up; so are the next three.
        exact_sum: what the same tokens have in float64.
        scale: its probability of the likeliest token over the one in float64: what its total is off by.
        running: its sum over the float64 sum of its own probabilities: what adding them up is off by.
    """

    place: int
    stage: Stage
    cause: Cause
    n_engine: int
    n_ours: int
    n_exact: int
    ours_sum: float
    engine_right: bool
    ours_right: bool
    token_ids: tuple[int, ...]
    kept_by_engine: tuple[bool, ...]
    kept_in_float64: tuple[bool, ...]
    shares: tuple[float, ...]
    farthest: float
    engine_sum: float | None = None
    exact_sum: float | None = None
    scale: float | None = None
    running: float | None = None


def run_llama_cpp(before: Tensor, samplers: Sequence[Stage]) -> OrderResult:
    """What llama.cpp itself makes of scores, with its default chain's order, and what the same order computes here.

    Args:
        before: the scores that the first sampler sees, float32 [vocab].
        samplers: as `run_orders` takes them.

    Raises:
        EngineError: llama.cpp cannot be run here, or not on these scores or with these parameters.
        NotRecordedError: a stage lacks its own parameters.
    """
    path = order_path(LLAMA_CPP, samplers)
    stages = [samplers[i] for i in path]
    with SamplerChain([llama_sampler(stage) for stage in stages], len(before)) as chain:
        after = [outcome.logits for outcome in chain.apply_each(before)]
    scores, computed = (before, *after), [before]
    for stage in stages:
        computed.append(apply_stage(stage, computed[-1]))
    return replace(
        order_result(LLAMA_CPP, samplers, path, scores),
        ran=library_version(),
        computed=order_result(LLAMA_CPP, samplers, path, computed),
    )


def partings(result: OrderResult) -> tuple[Parting, ...]:
    """Where llama.cpp and transformers' arithmetic part: each sampler on the scores that llama.cpp's own saw.

    Args:
        result: of `run_llama_cpp`.

    Raises:
        EngineError, NotRecordedError: as `run_llama_cpp`.
    """
    out = []
    for place, (stage, before, after) in enumerate(zip(result.stages, result.scores, result.scores[1:], strict=False)):
        kept, ours = after > -math.inf, apply_stage(stage, before) > -math.inf
        if not torch.equal(kept, ours):
            out.append(_parting(result, place, kept, ours))
    return tuple(out)


def llama_sampler(stage: Stage) -> Sampler:
    """llama.cpp's counterpart of a sampler of transformers', with the same parameters.

    Raises:
        EngineError: its parameters are missing or out of range.
        KeyError: it has none.
    """
    name, parameter, attribute = _SAMPLERS[stage.name]
    given: dict[str, Any] = {parameter: stage.params.get(attribute)}
    least = stage.params.get("min_tokens_to_keep", 1)
    if name == "temp_ext":  # what its chain makes of a temperature
        given["delta"] = 0.0
    elif name != "top_k":
        given["min_keep"] = least
    elif isinstance(given["k"], int) and isinstance(least, int):
        given["k"] = max(given["k"], least)
    return sampler(name, **given)


def _parting(result: OrderResult, place: int, kept: Tensor, ours: Tensor) -> Parting:
    stage, before = result.stages[place], result.scores[place]
    exact = exact_cut(stage, before) or no_cut(before)
    ids = (kept != ours).nonzero().squeeze(1)
    ids = ids[torch.sort(exact.shares[ids], descending=True, stable=True).indices]
    sums = _sums(result, place, exact) if stage.name in _SUMMED else None
    return Parting(
        place=place,
        stage=stage,
        cause=_cause(stage, exact, kept, ours, before, sums),
        n_engine=int(kept.sum()),
        n_ours=int(ours.sum()),
        n_exact=int(exact.kept.sum()),
        ours_sum=float(exact.shares[ours].sum()),
        engine_right=exact.same(kept),
        ours_right=exact.same(ours),
        token_ids=tuple(ids.tolist()),
        kept_by_engine=tuple(kept[ids].tolist()),
        kept_in_float64=tuple(exact.kept[ids].tolist()),
        shares=tuple(exact.shares[ids].tolist()),
        farthest=float(exact.margins[ids].abs().max()),
        **({} if sums is None else sums.told()),
    )


def _cause(
    stage: Stage, exact: ExactCut, kept: Tensor, ours: Tensor, before: Tensor, sums: _Sums | None
) -> Cause:
    apart = exact.keys[kept != ours]
    if alike(exact.keys, kept, ours) or (stage.name == "TopKLogitsWarper" and len(apart.unique()) == 1):
        return "tie"
    if sums is not None and torch.equal(sums.kept, kept):
        return "sum" if sums.in_exact_order else "order"
    # A score, the line and their difference are each rounded to a float32.
    blur = 4 * float(np.spacing(np.float32(before[before > -math.inf].abs().max())))
    if stage.name == "MinPLogitsWarper" and float(exact.margins[kept != ours].abs().max()) <= blur:
        return "edge"
    return "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """llama.cpp's probabilities added up as it does.

    Attributes:
        kept: the tokens up to where that crosses the line, bool [vocab].
        in_exact_order: float64 would take just these first, too, if it took as many.
    """

    kept: Tensor
    in_exact_order: bool
    engine_sum: float
    exact_sum: float
    scale: float
    running: float

    def told(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("engine_sum", "exact_sum", "scale", "running")}


def _sums(result: OrderResult, place: int, exact: ExactCut) -> _Sums:
    """The account of a rule that adds up: its chain is run again, told to keep every token, to see all it adds up."""
    chain_of = [llama_sampler(stage) for stage in result.stages[: place + 1]]
    last = chain_of[-1]
    n_vocab = len(result.scores[0])
    chain_of[-1] = sampler(last.name, p=last.parameters["p"], min_keep=n_vocab)
    with SamplerChain(chain_of, n_vocab) as chain:
        outcome = chain.apply_each(result.scores[0])[-1]
    shares = outcome.shares.numpy()
    summed = np.cumsum(shares, dtype=np.float32)
    line, least = np.float32(last.parameters["p"]), int(last.parameters["min_keep"])
    over = summed >= line if last.name == "top_p" else summed > line
    over[: max(least - 1, 0)] = False
    n = int(over.argmax()) + 1 if over.any() else len(over)
    ids = outcome.order[:n]
    kept = torch.zeros(n_vocab, dtype=torch.bool)
    kept[ids] = True
    as_many = torch.zeros_like(kept)
    as_many[torch.sort(exact.keys, descending=True, stable=True).indices[:n]] = True
    likeliest = int(shares.argmax())
    return _Sums(
        kept=kept,
        in_exact_order=alike(exact.keys, kept, as_many),
        engine_sum=float(summed[n - 1]),
        exact_sum=float(exact.shares[ids].sum()),
        scale=float(shares[likeliest]) / float(exact.shares[outcome.order[likeliest]]),
        running=float(summed[n - 1]) / float(shares[:n].astype(np.float64).sum()),
    )
