"""The same scores through the same samplers in another order: the engines', or one arranged by hand.

Every engine runs its samplers one after another, and each sampler sees only what the one before it left. So with the
same settings another order may keep other tokens. `run_orders` compares the order alone: each sampler is transformers'
own class, whichever engine's order it is run in. `llama_cpp_order` has llama.cpp's order run by llama.cpp itself.

The orders are those of the engines' sources: transformers, `GenerationMixin._get_logits_processor`; vLLM,
`vllm/v1/sample/sampler.py` (temperature, then min-p among the processors that keep the argmax, then top-k and top-p as
one operation, top-k first); llama.cpp, `common_params_sampling::samplers` (its dry, top-n-sigma and xtc are off by
default and have no counterpart in transformers).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers.generation import logits_process
from transformers.generation.logits_process import LogitsProcessor, TemperatureLogitsWarper, TopHLogitsWarper

from decoding.engines.llama_library import Version
from decoding.errors import NotRecordedError
from decoding.parameters.knobs import KNOBS, PROCESSOR_OF, Processor
from decoding.reading import stats
from decoding.reading.cutoffs import TokenMargin, removal_margin
from decoding.recorded.stages import Stage

__all__ = [
    "LLAMA_CPP",
    "SAMPLERS",
    "TRANSFORMERS",
    "VLLM",
    "Comparison",
    "Difference",
    "EngineOrder",
    "Fate",
    "OrderResult",
    "apply_stage",
    "compare",
    "order_path",
    "order_result",
    "run_orders",
    "sampler_places",
]

Pattern = tuple[tuple[int | None, ...], int | None]


def _sampler(processor: Processor, params: dict[str, Any]) -> LogitsProcessor:
    kind, value = getattr(logits_process, processor.name), params[processor.attribute]
    if kind is TemperatureLogitsWarper:
        return kind(float(value))
    return kind(value) if kind is TopHLogitsWarper else kind(value, min_tokens_to_keep=_least(params))


def _classes(*parameters: str) -> tuple[str, ...]:
    return tuple(PROCESSOR_OF[name].name for name in parameters)


SAMPLERS: dict[str, Callable[[dict[str, Any]], LogitsProcessor]] = {
    PROCESSOR_OF[knob.name].name: partial(_sampler, PROCESSOR_OF[knob.name])
    for knob in KNOBS.values()
    if knob.group == "sampling"
}
"""The samplers that can be run in another order: class name of the stage, and how it is built from its parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOrder:
    """The order in which an engine runs its samplers.

    Attributes:
        name: the engine's.
        samplers: class names of transformers' counterparts, in order. One that is not among them is left out.
    """

    name: str
    samplers: tuple[str, ...]


TRANSFORMERS = EngineOrder(name="transformers", samplers=tuple(SAMPLERS))
VLLM = EngineOrder(
    name="vLLM",
    samplers=_classes("temperature", "min_p", "top_k", "top_p"),
)
LLAMA_CPP = EngineOrder(
    name="llama.cpp",
    samplers=_classes("top_k", "typical_p", "top_p", "min_p", "temperature"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResult:
    """What an order made of the scores.

    Attributes:
        order: the order.
        stages: the samplers that ran, in this order.
        left_out: those that the engine does not have.
        scores: before the first of `stages` and after each, float32 [vocab].
        n_alive: tokens above −inf, for each of `scores`.
        mass_kept: probability that the surviving tokens had before the first sampler, in [0, 1]; NaN where the
            scores make no distribution.
        ran: the version of the engine, where the engine itself ran; None where transformers' classes did.
        computed: where the engine itself ran, what transformers' classes make of the same order.
    """

    order: EngineOrder
    stages: tuple[Stage, ...]
    left_out: tuple[Stage, ...]
    scores: tuple[Tensor, ...]
    n_alive: tuple[int, ...]
    mass_kept: float
    ran: Version | None = None
    computed: OrderResult | None = None

    @property
    def survivors(self) -> Tensor:
        """Which tokens are still possible, bool [vocab]."""
        return self.scores[-1] > -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What one order did to one token.

    Attributes:
        probability: after all samplers of the order; 0 if it was removed.
        removed_by: index into `OrderResult.stages`, or None for a token that survived.
        margin: by how much that stage removed it; None for a token that survived.
    """

    probability: float
    removed_by: int | None
    margin: TokenMargin | None

    @property
    def kept(self) -> bool:
        """It survived."""
        return self.removed_by is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A token that survives in some of the orders only.

    Attributes:
        token_id: the token.
        probability: before the first sampler.
        fates: one for each of `Comparison.results`.
        arithmetic: index of the result whose engine decided otherwise than transformers' classes do in its order;
            None where it is the order alone that decides.
    """

    token_id: int
    probability: float
    fates: tuple[Fate, ...]
    arithmetic: int | None = None

    @property
    def pattern(self) -> Pattern:
        """The stage that removed it, for each of `Comparison.results`, and `arithmetic`."""
        return tuple(fate.removed_by for fate in self.fates), self.arithmetic


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several orders on the same scores.

    Attributes:
        results: one per order.
        n_differing: tokens that survive in some orders and not in others.
        patterns: how many of these have each `Difference.pattern`; the counts sum to `n_differing`.
        differences: the likeliest of them, likeliest first.
    """

    results: tuple[OrderResult, ...]
    n_differing: int
    patterns: dict[Pattern, int]
    differences: tuple[Difference, ...]


def sampler_places(stages: Sequence[Stage]) -> tuple[int, ...]:
    """Indices of the stages that are samplers, in order."""
    return tuple(i for i, stage in enumerate(stages) if stage.name in SAMPLERS and not stage.own)


def run_orders(
    before: Tensor, samplers: Sequence[Stage], orders: Iterable[EngineOrder], recorded: Sequence[Tensor] = ()
) -> tuple[OrderResult, ...]:
    """What each order makes of the same scores, in the order given.

    Args:
        before: the scores that the first sampler sees, float32 [vocab].
        samplers: stages with a name in `SAMPLERS`, in the order in which they ran.
        recorded: the scores after the first of `samplers`, after the second, …, as far as they are known. An order
            that begins in the same way takes these, so it agrees with the recording also where that was made on
            another device.

    Raises:
        NotRecordedError: a stage lacks its own parameters.
    """
    known = {tuple(range(n)): scores for n, scores in enumerate((before, *recorded))}
    probs = stats.probs(before)
    return tuple(_run(order, samplers, known, probs) for order in orders)


def order_path(order: EngineOrder, samplers: Sequence[Stage]) -> tuple[int, ...]:
    """Indices into `samplers` in the order in which the engine runs them, without those that it does not have."""
    return tuple(i for name in dict.fromkeys(order.samplers) for i, s in enumerate(samplers) if s.name == name)


def order_result(
    order: EngineOrder,
    samplers: Sequence[Stage],
    path: Sequence[int],
    scores: Sequence[Tensor],
    probs: Tensor | None = None,
) -> OrderResult:
    """The result of an order whose scores are known.

    Args:
        path: of `order_path`.
        scores: before the first sampler and after each, float32 [vocab].
        probs: of the first of them, where they are known.
    """
    probs = stats.probs(scores[0]) if probs is None else probs
    return OrderResult(
        order=order,
        stages=tuple(samplers[i] for i in path),
        left_out=tuple(s for i, s in enumerate(samplers) if i not in path),
        scores=tuple(scores),
        n_alive=tuple(int((s > -math.inf).sum()) for s in scores),
        mass_kept=float(probs[scores[-1] > -math.inf].sum()) if len(probs) else math.nan,
    )


def compare(results: Sequence[OrderResult], limit: int = 40) -> Comparison:
    """Which tokens survive in some of the orders only, and by what the others lose them.

    Args:
        results: of `run_orders`, on the same scores.
        limit: how many differences to give.
    """
    survivors = torch.stack([result.survivors for result in results])  # [orders, vocab]
    differing = (survivors.any(0) & ~survivors.all(0)).nonzero().squeeze(1)  # [n_differing]
    probs = stats.probs(results[0].scores[0])
    by_probability = torch.sort(probs[differing], descending=True, stable=True).indices
    ids = differing[by_probability]
    removed_by = torch.stack([_removed_by(result, ids) for result in results], dim=1).tolist()
    by_stage = [tuple(None if i < 0 else i for i in row) for row in removed_by]
    arithmetic = _arithmetic(results, ids)
    shown = ids[:limit].tolist()
    fates = [_fates(result, shown, [row[r] for row in by_stage[:limit]]) for r, result in enumerate(results)]
    return Comparison(
        results=tuple(results),
        n_differing=len(ids),
        patterns=dict(Counter(zip(by_stage, arithmetic, strict=True))),
        differences=tuple(
            Difference(token_id=token_id, probability=float(probs[token_id]), fates=tuple(of_token), arithmetic=engine)
            for token_id, of_token, engine in zip(shown, zip(*fates, strict=True), arithmetic, strict=False)
        ),
    )


def _run(
    order: EngineOrder, samplers: Sequence[Stage], known: dict[tuple[int, ...], Tensor], probs: Tensor
) -> OrderResult:
    """One order; `known` are the scores after each beginning that some order had already, and grows."""
    path = order_path(order, samplers)
    for n in range(1, len(path) + 1):
        if path[:n] not in known:
            known[path[:n]] = apply_stage(samplers[path[n - 1]], known[path[: n - 1]])
    return order_result(order, samplers, path, [known[path[:n]] for n in range(len(path) + 1)], probs)


def apply_stage(stage: Stage, scores: Tensor) -> Tensor:
    """The scores after a sampler of transformers', float32 [vocab].

    Raises:
        NotRecordedError: the stage lacks its own parameters.
    """
    try:
        sampler = SAMPLERS[stage.name](stage.params)
        if isinstance(sampler, TopHLogitsWarper):
            sampler.top_n = max(1, int(stage.params.get("top_n", sampler.top_n)))
    except (KeyError, OverflowError, RuntimeError, TypeError, ValueError) as err:
        raise NotRecordedError(
            "the trace holds no usable parameters for {name}: {err}; record the run again",
            name=stage.name, err=err,
        ) from err
    no_ids = torch.empty(1, 0, dtype=torch.long)  # samplers look at the scores alone
    return sampler(no_ids, scores.clone().unsqueeze(0))[0]


def _least(params: dict[str, Any]) -> int:
    return params.get("min_tokens_to_keep", 1)


def _removed_by(result: OrderResult, ids: Tensor) -> Tensor:
    """For each token the index of the stage that removed it, or −1; int64 [len(ids)]."""
    out = torch.full_like(ids, -1)
    for i, after in enumerate(result.scores[1:]):
        out[(out < 0) & (after[ids] == -math.inf)] = i
    return out


def _arithmetic(results: Sequence[OrderResult], ids: Tensor) -> list[int | None]:
    """For each token the first result whose engine decides otherwise than its order computes, or None."""
    out: list[int | None] = [None] * len(ids)
    for r, result in enumerate(results):
        if result.computed is not None:
            for n in (result.survivors[ids] != result.computed.survivors[ids]).nonzero().squeeze(1).tolist():
                out[n] = r if out[n] is None else out[n]
    return out


def _fates(result: OrderResult, ids: Sequence[int], removed_by: Sequence[int | None]) -> list[Fate]:
    """The fates of the tokens `ids`, whose removing stages are the first of `removed_by`."""
    probs = stats.probs(result.scores[-1])
    margins: dict[int, TokenMargin] = {}
    for i, stage in enumerate(result.stages):
        gone = [token_id for token_id, by in zip(ids, removed_by, strict=True) if by == i]
        if gone:
            decided = removal_margin(stage.name, stage.params, result.scores[i], result.scores[i + 1], gone)
            margins.update({decision.token_id: decision for decision in decided})
    return [
        Fate(probability=float(probs[token_id]), removed_by=by, margin=margins.get(token_id))
        for token_id, by in zip(ids, removed_by, strict=True)
    ]
