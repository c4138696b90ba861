"""What each run of the gallery is there to show: checked on the run, and put into numbers for its two sentences.

A claim takes the recorded run and a way to open the other items, and returns the fields of its texts, ready to be
shown. It raises `NotShownError` where the run does not show what it is there for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from decoding.errors import DecodingError
from decoding.parameters.settings import Settings
from decoding.reading import stats
from decoding.reading.engine_orders import LLAMA_CPP, TRANSFORMERS, run_orders, sampler_places

from ..views.numbers import percent
from ..views.token_text import shown, token_text

if TYPE_CHECKING:
    from decoding.recorded.ledger import Candidate
    from decoding.recorded.run import Step
    from decoding.trace import Trace

    from .items import GalleryItem

__all__ = ["CLAIMS", "NotShownError", "claims_of"]

Open = Callable[[str], "Trace"]
Facts = dict[str, str]
MOST_IN_A_LOOP = 16  # tokens of one round
ROUNDS = 3  # as often it has to come for a loop


class NotShownError(Exception):
    """A run of the gallery does not show what its sentences say."""


def claims_of(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    """The fields of an item's texts, taken from its run.

    Raises:
        NotShownError: the run does not show what it is there for.
    """
    _claim(0 <= item.step < len(trace.steps), f"there is a step {item.step}")
    _claim(0 <= item.row < trace.n_rows, f"there is a row {item.row}")
    _claim((item.rank is not None) == (trace.ledger is not None), "a beam run opens at a candidate")
    try:
        return CLAIMS[item.id](item, trace, others)
    except (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError, DecodingError) as err:
        raise NotShownError(f"not so: it is a run of the kind that is asked for ({type(err).__name__}: {err})") from err


def _claim(holds: bool, what: str) -> None:
    if not holds:
        raise NotShownError(f"not so: {what}")


# --- one token after the other ------------------------------------------------------------------------------


def _fork_point(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    probs = stats.probs(trace.steps[item.step].scores(row=item.row))
    (p, q), (first, second) = (part.tolist() for part in probs.topk(2))
    _claim(p - q < 0.005 and p + q > 0.9, "two tokens share nearly everything and are as good as equal")
    _claim(trace.steps[item.step].token_ids[item.row] == second, "the draw took the second")
    return {
        "n": str(item.step + 1), "first": token_text(trace, first), "second": token_text(trace, second),
        "p": percent(p), "q": percent(q), "rest": percent(1 - p - q),
    }  # fmt: skip


def _greedy_loop(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    ids = trace.generated_ids[0].tolist()
    period = _period(ids)
    _claim(trace.mode == "greedy" and period is not None, "greedy decoding ends in a loop")
    starts = [len(ids) - period * n for n in range(ROUNDS, 0, -1)]
    rounds = [_probability(trace, start, start + period) for start in starts]
    _claim(rounds[0] < 0.1 and rounds[0] < rounds[1] < rounds[2], "each round is likelier than the one before")
    _claim(item.step == starts[-1], "it opens at the last round")
    return {
        "phrase": shown(trace.tokens.plain(ids[-period:])).strip(), "n": str(period), "rounds": str(ROUNDS),
        "p": percent(rounds[0]), "q": percent(rounds[-1]),
    }  # fmt: skip


def _contrastive_escape(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    ids, greedy = trace.generated_ids[0].tolist(), others("greedy-loop")
    _claim(trace.prompt_ids.tolist() == greedy.prompt_ids.tolist(), "it has the prompt of the loop")
    _claim(_period(ids) is None and not _repeats(ids, 5), "no five tokens come twice in the same order")
    _claim(_period(greedy.generated_ids[0].tolist()) is not None, "greedy decoding loops")
    weighed = trace.steps[item.step].contrastive[0]
    likeliest, chosen = weighed[0], next(c for c in weighed if c.chosen)
    _claim(chosen is not likeliest and chosen.penalty < likeliest.penalty, "a token less like the context won")
    _claim(likeliest.token_id == greedy.steps[item.step].token_ids[0], "greedy took the likeliest there")
    others_taken = sum(not step.contrastive[0][0].chosen for step in trace.steps)
    return {
        "likeliest": token_text(trace, likeliest.token_id), "chosen": token_text(trace, chosen.token_id),
        "p": percent(likeliest.confidence), "q": percent(chosen.confidence), "a": _decimals(likeliest.penalty),
        "b": _decimals(chosen.penalty), "n": str(others_taken), "steps": str(len(trace.steps)),
    }  # fmt: skip


def _temperature_ignored(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    silent = {knob.name: knob.why for knob in trace.silent}
    _claim(trace.settings.temperature == 0.2 and trace.mode == "greedy", "a temperature was given to greedy decoding")
    _claim(silent.get("temperature") == "needs_sampling", "it is listed as without effect")
    _claim(not trace.stages, "no processor ran")
    ranks = [int(stats.rank(step.scores(), step.token_ids[0])) for step in trace.steps]
    _claim(set(ranks) == {0}, "each token was the likeliest")
    first = trace.steps[item.step]
    return {
        "n": str(len(ranks)), "token": token_text(trace, first.token_ids[0]),
        "p": percent(float(stats.probs(first.scores())[first.token_ids[0]])),
    }  # fmt: skip


def _top_p_adapts(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    alive = [_alive(step, -1) for step in trace.steps]
    sure, unsure = alive.index(min(alive)), alive.index(max(alive))
    _claim(unsure == item.step and alive[sure] == 1 and alive[unsure] > 1_000, "one token here, a thousand there")
    likeliest = stats.probs(trace.steps[unsure].scores(stage=0)).topk(50).values.sum()
    _claim(float(likeliest) < 0.5, "fifty tokens would not have half the probability")
    token = trace.steps[sure].token_ids[0]
    return {
        "n": f"{alive[unsure]:,}", "step": str(unsure + 1), "sure": str(sure + 1), "token": token_text(trace, token),
        "p": percent(float(stats.probs(trace.steps[sure].scores(stage=0))[token])), "mass": percent(float(likeliest)),
    }  # fmt: skip


def _penalty_hits_prompt(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    step = trace.steps[item.step]
    logits, after = step.all_scores()
    wanted, came = int(logits.argmax()), step.token_ids[0]
    _claim(item.step == 0 and wanted in trace.prompt_ids[0].tolist(), "the model's word stands in the prompt only")
    _claim(wanted != came == int(after.argmax()), "another one came instead")
    _claim(bool(logits[came] == after[came]), "the penalty left that one alone")
    p, q = stats.probs(logits)[wanted], stats.probs(after)[wanted]
    _claim(p > 0.25 and q < 0.05, "the penalty made an eighth of its probability")
    return {
        "wanted": token_text(trace, wanted), "came": token_text(trace, came), "p": percent(float(p)),
        "q": percent(float(q)), "a": _decimals(float(logits[wanted])), "b": _decimals(float(after[wanted])),
        "penalty": str(trace.settings.repetition_penalty),
    }  # fmt: skip


def _sampler_order(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    step = trace.steps[item.step]
    scores = step.all_scores()
    samplers = [step.stages[i] for i in sampler_places(step.stages)]
    _claim(len(samplers) == len(step.stages) == 3, "temperature, top_k and top_p ran, and nothing else")
    known = torch.zeros(len(scores[0]), dtype=torch.bool)
    known[step.exact_ids()] = True
    ours, theirs = run_orders(scores[0], samplers, (TRANSFORMERS, LLAMA_CPP), scores[1:])
    came = step.token_ids[0]
    _claim(not bool((ours.survivors | theirs.survivors)[~known].any()), "all that survive are known exactly")
    _claim(bool(ours.survivors[came]) and not bool(theirs.survivors[came]), "the token came by this order alone")
    return {
        "token": token_text(trace, came), "n": str(ours.n_alive[-1]), "other": str(theirs.n_alive[-1]),
        "p": percent(float(stats.probs(ours.scores[-1])[came])),
    }  # fmt: skip


# --- beams ------------------------------------------------------------------------------------------------


def _beam_worse(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    greedy, best = others("temperature-ignored"), trace.hypotheses[0]
    ids = greedy.generated_ids[0].tolist()
    _claim(trace.prompt_ids[0].tolist() == greedy.prompt_ids[0].tolist(), "both have the same prompt")
    _claim(len(best.token_ids) == len(ids), "both are of the same length")
    total = math.log(_probability(greedy, 0, len(ids)))
    _claim(best.sum_logprobs < total - 0.1, "what the beams found is less likely than what greedy found")
    lost = _in_view(item, trace)
    path = [trace.ledger.candidates(s, 0)[k].token_id for s, k in trace.ledger.path(item.step, 0, lost.rank)]
    _claim(path == ids[: len(path)] and lost.fate == "pruned", "greedy's beginning was pruned there")
    return {
        "beam": _text(trace, best.token_ids), "greedy": _text(greedy, ids), "a": _nats(best.sum_logprobs),
        "b": _nats(total), "token": token_text(trace, lost.token_id), "n": str(item.step + 1),
        "margin": _nats(-lost.margin),
    }  # fmt: skip


def _length_penalty(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    long, ended = trace.hypotheses[0], _in_view(item, trace)
    without = trace.whatif(Settings(**{**trace.settings.given(), "length_penalty": 0.0})).replay
    _claim(without is not None and without.decided, "the recorded beams decide what no penalty would give")
    short = without.hypotheses[0]
    _claim(short.token_ids != long.token_ids and len(short.token_ids) < len(long.token_ids), "another one wins")
    _claim((short.step, short.rank) == (item.step, ended.rank), "it opens where that one ended")
    _claim(ended.fate == "finished" and long.score > ended.final_score, "by length it loses")
    return {
        "long": _text(trace, long.token_ids), "short": _text(trace, short.token_ids),
        "n": str(len(long.token_ids)), "m": str(len(short.token_ids)), "a": _nats(long.sum_logprobs),
        "b": _nats(short.sum_logprobs), "c": _nats(long.score, 3), "d": _nats(ended.final_score, 3),
    }  # fmt: skip


def _eos_outside(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    lost, n_beams = _in_view(item, trace), trace.ledger.n_beams
    _claim(lost.fate == "ended_outside" and lost.rank >= n_beams, "it ended, but not among the best")
    p = math.exp(lost.logprob)
    _claim(p > 0.5, "the end was the likeliest token of its beam")
    path = trace.ledger.hypothesis(0, item.step, lost.rank, lost.final_score).token_ids
    _claim(all(path != h.token_ids for h in trace.hypotheses), "it is not among the answers")
    return {
        "text": _text(trace, path), "p": percent(p), "rank": str(lost.rank + 1), "beams": str(n_beams),
        "margin": _nats(-lost.margin),
    }  # fmt: skip


def _early_stopping(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    later, best = others("early-stopping-off"), trace.hypotheses[0]
    better = later.hypotheses[0]
    _claim(trace.prompt_ids.tolist() == later.prompt_ids.tolist(), "both have the same prompt")
    _claim(trace.stop_reasons == ("early_stopping",), "it stopped early")
    _claim(len(later.steps) == len(trace.steps) + 1, "one step too soon")
    _claim(better.score > best.score and better.token_ids != best.token_ids, "a better answer came later")
    alive = _in_view(item, trace)
    path = trace.ledger.hypothesis(0, item.step, alive.rank, alive.score).token_ids
    _claim(alive.fate == "kept" and better.token_ids[: len(path)] == path, "that one was among the running beams")
    return {
        "best": _text(trace, best.token_ids), "a": _nats(best.score, 3), "better": _text(later, better.token_ids),
        "b": _nats(better.score, 3), "n": str(len(trace.steps)), "beams": str(trace.ledger.n_beams),
    }  # fmt: skip


def _early_stopping_off(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    early = others("early-stopping")
    facts = _early_stopping(_item("early-stopping"), early, lambda name: trace)
    ended = _in_view(item, trace)
    _claim(trace.stop_reasons == ("no_improvement",), "no beam could improve any more")
    changes = [c for c in trace.steps[item.step].pool_changes if c.entered == (item.step, ended.rank)]
    _claim(ended.fate == "finished" and bool(changes) and changes[0].evicted is not None, "it drove one out")
    out = trace.ledger.hypothesis(0, *changes[0].evicted, 0.0)
    p = math.exp(ended.logprob)
    return {
        "better": facts["better"], "b": facts["b"], "best": facts["best"], "a": facts["a"], "p": percent(p),
        "out": _text(trace, out.token_ids), "n": str(len(trace.steps)),
    }  # fmt: skip


def _diverse_groups(item: GalleryItem, trace: Trace, others: Open) -> Facts:
    first = [h.token_ids[0] for h in trace.hypotheses]
    _claim(len(set(first)) == len(first) == trace.ledger.n_beams, "every answer begins with another word")
    lost = _in_view(item, trace)
    kept = next(c for c in trace.ledger.candidates(item.step, 0) if c.group == lost.group and c.fate == "kept")
    taken = {c.group: c.token_id for c in trace.ledger.candidates(item.step, 0) if c.fate == "kept"}
    group = next(group for group, token in sorted(taken.items()) if token == lost.token_id)
    before = float(trace.scores(step=item.step, row=lost.parent, stage=1)[lost.token_id])
    _claim(lost.fate == "pruned" and group < lost.group, "an earlier group had taken its token")
    _claim(math.isclose(before - lost.logprob, trace.settings.diversity_penalty, abs_tol=1e-5), "the penalty was taken")
    _claim(before > kept.logprob > lost.logprob, "without it the group would have begun with that token, too")
    return {
        "words": ", ".join(token_text(trace, token) for token in first), "token": token_text(trace, lost.token_id),
        "kept": token_text(trace, kept.token_id), "group": str(lost.group + 1), "a": _nats(before),
        "b": _nats(lost.logprob), "c": _nats(kept.logprob), "penalty": str(trace.settings.diversity_penalty),
    }  # fmt: skip


# --- what the claims are made of ------------------------------------------------------------------------------


def _item(name: str) -> GalleryItem:
    from .items import gallery_item

    return gallery_item(name)


def _in_view(item: GalleryItem, trace: Trace) -> Candidate:
    """The candidate that a beam item opens at."""
    return next(c for c in trace.ledger.candidates(item.step, 0) if c.rank == item.rank)


def _alive(step: Step, stage: int) -> int:
    facts = step.facts()
    return int(stats.n_alive(step.scores(stage=stage))) if facts is None else facts[stage].n_alive


def _probability(trace: Trace, start: int, end: int) -> float:
    """Of the tokens that were chosen from one step on until before another, all together, in the first row."""
    steps = trace.steps[start:end]
    return math.exp(-sum(float(stats.surprisal_nats(step.scores(), step.token_ids[0])) for step in steps))


def _period(ids: list[int]) -> int | None:
    """Tokens of the shortest sequence that the ids end with `ROUNDS` times over."""
    for n in range(1, MOST_IN_A_LOOP + 1):
        if len(ids) >= ROUNDS * n and all(ids[-i] == ids[-i - n] for i in range(1, (ROUNDS - 1) * n + 1)):
            return n
    return None


def _repeats(ids: list[int], n: int) -> bool:
    """Whether some n ids come twice in the same order."""
    seen = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return len(set(seen)) < len(seen)


def _text(trace: Trace, ids: list[int] | tuple[int, ...]) -> str:
    """A sequence in one line."""
    return shown(trace.tokens.plain(ids)).strip().replace("\n", " ⏎ ")


def _decimals(value: float, n: int = 2) -> str:
    return f"{value:.{n}f}".replace("-", "−")


_nats = _decimals

CLAIMS: dict[str, Callable[[GalleryItem, Trace, Open], Facts]] = {
    "fork-point": _fork_point,
    "greedy-loop": _greedy_loop,
    "contrastive-escape": _contrastive_escape,
    "beam-worse": _beam_worse,
    "temperature-ignored": _temperature_ignored,
    "top-p-adapts": _top_p_adapts,
    "penalty-hits-prompt": _penalty_hits_prompt,
    "length-penalty": _length_penalty,
    "eos-outside": _eos_outside,
    "early-stopping": _early_stopping,
    "early-stopping-off": _early_stopping_off,
    "diverse-groups": _diverse_groups,
    "sampler-order": _sampler_order,
}
