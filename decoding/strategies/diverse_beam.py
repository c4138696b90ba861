"""Diverse beam search: groups of beams decoded in turn, each kept away from the tokens of those before it.

Vijayakumar et al. 2016, "Diverse Beam Search". transformers 5 no longer ships it; this loop returns what
transformers 4.46 returned, whose searches end by other rules than those of transformers 5:

- only an EOS token ends a hypothesis; other stopping criteria end the search, once they hold for every row;
- a group closes when its pool is full and nothing better can come, measured by the best candidate of the step,
  even one that ends; from then on its rows are padding, and its padding costs the groups after it;
- beams that still run when the search ends become hypotheses then, if their group is open;
- a hypothesis shorter than `max_length` is followed by the first EOS id, whichever token ended it.

Two things nobody could use are not as they were: a closed group's rows keep to themselves instead of copying the
first prompt's; and `beam_indices` are rows of `generate` in every group (in 4.46 only in the first), so that
`compute_transition_scores` is right for all of them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.generation import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from decoding.errors import RecordingError
from decoding.recorded.ledger import NEVER, BeamStep
from decoding.recorded.run import Step
from decoding.recorded.stages import run_processors
from decoding.strategies.cache import CACHE_NAME, prefill
from decoding.strategies.generate_output import GenerateOutput
from decoding.strategies.hamming_diversity import HammingDiversityLogitsProcessor
from decoding.strategies.hypothesis_pool import HypothesisPool, best_of, places_of
from decoding.strategies.prompt_once import forget_prompts
from decoding.strategies.read_rows import ReadRows
from decoding.strategies.recording import Recording
from decoding.transformers_private import eos_token_tensor, pad_token_tensor, update_model_kwargs

__all__ = ["diverse_beam"]

END_ALL = ("max_length", "max_time")  # these hold for every candidate of a step, or for none


@torch.no_grad()
def diverse_beam(
    model: Any,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    recording: Recording,
    generator: torch.Generator | None = None,
    **model_kwargs: Any,
) -> Generator[Step, None, Any]:
    """Yields each step; returns what `generate()` of transformers 4.46 returned.

    P prompts, B beams, G groups of S = B / G beams, V tokens, K candidates of a group at a step.

    Args:
        input_ids: [P · B, length]; row p · B + g · S + i is beam i of group g of prompt p.
        logits_processor: from `with_hamming_diversity`; all run once per group, on all rows.
        generator: not used; nothing is drawn.
    """
    config, device = generation_config, input_ids.device
    n_beams, n_groups, start = config.num_beams, config.num_beam_groups, input_ids.shape[1]
    n_prompts, size = input_ids.shape[0] // n_beams, n_beams // n_groups
    eos = eos_token_tensor(config)
    n_candidates = max(2, 1 + (0 if eos is None else eos.shape[0])) * size  # K
    row_offset = torch.arange(n_prompts, device=device).view(-1, 1) * n_beams  # [P, 1]
    hamming = next(p for p in logits_processor if isinstance(p, HammingDiversityLogitsProcessor))
    returned = GenerateOutput(model, config, model_kwargs)

    # 1. Only the first beam of each group counts at first: all are the same prompt.
    running = input_ids.view(n_prompts, n_beams, start)  # [P, B, length]
    running_score = torch.full((n_prompts, n_beams), NEVER, dtype=torch.float, device=device)
    running_score[:, ::size] = 0.0
    running_from = running[:, :, :0]  # [P, B, length - start], the row each token was chosen in
    pools = [[HypothesisPool(size, config, start) for _ in range(n_groups)] for _ in range(n_prompts)]  # [P][G]

    forward = recording.beam_forward(model_kwargs)
    outputs = prefill(model, input_ids, config, model_kwargs, share=recording.share_prefill)
    read = ReadRows(n_prompts * n_beams)
    while True:
        model_kwargs = update_model_kwargs(model, outputs, model_kwargs)
        # 2. Log-probabilities of the next token.
        raw = outputs.logits[:, -1, :]  # [read, V], in the model's dtype
        logits = read.widened(raw.to(copy=True, dtype=torch.float32, device=device))  # [P · B, V]
        log_softmax = torch.nn.functional.log_softmax(logits, dim=-1)
        n_tokens = logits.shape[-1]
        _check_vocabulary(n_tokens, size, n_candidates)

        # 3. Group by group: its scores, penalised for what the groups before it chose, and its K best.
        searching = _open(pools, device)  # [P, G]
        found = []
        hamming.begin_step()
        for group in range(n_groups):
            stages, scores = run_processors(logits_processor, running.flatten(0, 1), log_softmax.clone())
            own = slice(group * size, (group + 1) * size)
            logprobs = scores.reshape(n_prompts, n_beams, -1)[:, own]  # [P, S, V]
            best = _best(logprobs, running_score[:, own], n_candidates, eos, first_beam=own.start)
            best.pad(~searching[:, group], own.start, pad_token_tensor(config))
            hamming.chose(group, best.token.gather(1, best.kept), n_tokens)
            found.append(best)
        returned.add(read.told(logits), read.told(scores.clone()), outputs)  # after the last group stages hold for all
        recording.observe(raw, [read.of(each) for each in (logits, *stages)], read.left)
        outputs = None  # the first one's logits may be very large
        candidates = _Candidates.joined(found)  # G · K of them
        parents = candidates.beam.gather(1, candidates.kept)  # [P, B]

        # 4. What ended among the best S of a group competes for its pool.
        score, is_eos = candidates.score.tolist(), candidates.is_eos.tolist()
        for p, g in searching.nonzero().tolist():
            first = g * n_candidates
            for k in range(first, first + size):
                if is_eos[p][k]:
                    beam = candidates.beam[p, k]
                    rows = torch.cat([running_from[p, beam], row_offset[p] + beam])
                    pools[p][g].add(score[p][k], running[p, beam], rows, n_beams + k)
            pools[p][g].close_if_settled(score[p][first], running.shape[-1] + 1 - start)

        # 5. The best S of a group that did not end go on.
        tokens = candidates.token.gather(1, candidates.kept)  # [P, B]
        running = torch.cat([_take(running, parents), tokens[..., None]], dim=-1)
        running_from = torch.cat([_take(running_from, parents), (parents + row_offset)[..., None]], dim=-1)
        running_score = candidates.score.gather(1, candidates.kept)

        # 6. Is the search over? Then what still runs becomes a hypothesis.
        stopped = bool(recording.stops(stopping_criteria, running.flatten(0, 1), returned.scores).all())
        still_open = _open(pools, device)  # [P, G]
        go_on = not stopped and bool(still_open.any())
        over = ~still_open.any(1)  # [P]
        leaves = go_on and recording.may_leave(over, model_kwargs)
        leaving = over.repeat_interleave(n_beams) if leaves else None
        model_kwargs = read.go_on(model, model_kwargs, (parents + row_offset).flatten(), leaving)
        if not go_on:
            for p, g in still_open.nonzero().tolist():
                for row in range(g * size, (g + 1) * size):
                    k = int(candidates.kept[p, row])
                    pools[p][g].add(score[p][k], running[p, row], running_from[p, row], n_beams + k)
            recording.sequences, beams = _returned(pools, config, start)
        recording.keep_cache(model_kwargs.get(CACHE_NAME), read.of(running[:, :, :-1].flatten(0, 1)))
        n_new = running.shape[-1] - start
        yield _recorded(recording, candidates, pools, searching, still_open, stopped, config, n_new)
        if not go_on:
            break

        # 7. The model reads the chosen tokens, each row with its parent's cache.
        inputs = model.prepare_inputs_for_generation(
            read.of(running.flatten(0, 1)),
            next_sequence_length=1 if model_kwargs["use_cache"] else None,
            **model_kwargs,
        )
        outputs = forward(**inputs, return_dict=True)
        recording.catch_up()

    forget_prompts(model_kwargs.get(CACHE_NAME))
    final = beams["sequences_scores"] if config.output_scores else None
    return returned.build(recording.sequences, model_kwargs, beams={**beams, "sequences_scores": final})


@dataclass(slots=True)
class _Candidates:
    """The best continuations of a group, or of all groups one after the other; K of each, best first.

    Attributes:
        beam: int64 [P, K], the beam of the prompt that each continues.
        token: int64 [P, K].
        logprob, score: float32 [P, K], of the token, and summed with what came before.
        is_eos: bool [P, K].
        kept: int64 [P, S], the candidates that the group's beams go on with.
    """

    beam: Tensor
    token: Tensor
    logprob: Tensor
    score: Tensor
    is_eos: Tensor
    kept: Tensor

    def pad(self, closed: Tensor, first_beam: int, pad_token_id: Tensor) -> None:
        """Lets each beam of a closed group (bool [P]) go on with padding; its other candidates are nothing."""
        if not bool(closed.any()):
            return
        size, n = self.kept.shape[1], self.beam.shape[1]
        self.beam[closed] = torch.arange(n, device=self.beam.device).clamp(max=size - 1) + first_beam
        self.kept[closed] = torch.arange(size, device=self.beam.device)
        self.token[closed] = pad_token_id
        self.logprob[closed], self.score[closed], self.is_eos[closed] = 0.0, 0.0, False

    @classmethod
    def joined(cls, groups: Sequence[_Candidates]) -> _Candidates:
        """All groups' candidates side by side, [P, G · K] and [P, B]."""
        n = groups[0].beam.shape[1]
        columns = {name: torch.cat([getattr(g, name) for g in groups], 1) for name in cls.__slots__ if name != "kept"}
        return cls(**columns, kept=torch.cat([group.kept + i * n for i, group in enumerate(groups)], 1))


def _best(
    logprobs: Tensor, running_score: Tensor, n_candidates: int, eos: Tensor | None, first_beam: int
) -> _Candidates:
    """The K best of all continuations of a group's beams; logprobs [P, S, V], running_score [P, S]."""
    n_prompts, size, n_tokens = logprobs.shape
    summed = (logprobs + running_score[:, :, None]).flatten(1)  # [P, S · V]
    score, chosen = torch.topk(summed, k=n_candidates)
    token = chosen % n_tokens
    is_eos = torch.zeros_like(token, dtype=torch.bool) if eos is None else torch.isin(token, eos.to(token.device))
    return _Candidates(
        beam=chosen // n_tokens + first_beam,
        token=token,
        logprob=torch.gather(logprobs.flatten(1), 1, chosen),
        score=score,
        is_eos=is_eos,
        kept=torch.argsort(is_eos.to(torch.uint8), dim=1, stable=True)[:, :size],  # those that go on come first
    )


def _recorded(
    recording: Recording,
    candidates: _Candidates,
    pools: Sequence[Sequence[HypothesisPool]],
    searching: Tensor,
    still_open: Tensor,
    stopped: bool,
    config: GenerationConfig,
    n_new: int,
) -> Step:
    """The recorded step: who ended and why, who competed for a pool, and the pools afterwards.

    Args:
        searching, still_open: bool [P, G], the groups open before the step and after it. What runs in a group
            that closed at the very step that ends the search has not ended: it is left behind.
        stopped: the stopping criteria end the search here.
        n_new: new tokens after the step.
    """
    n_groups, n_beams = config.num_beam_groups, config.num_beams
    (n_prompts, n_all), size = candidates.beam.shape, n_beams // n_groups
    device, each, kept = candidates.beam.device, n_all // n_groups, candidates.kept
    group = torch.arange(n_all, device=device) // each  # [G · K]
    open_here, open_after = searching[:, group], still_open[:, group]  # [P, G · K]
    hit_by = [("eos", candidates.is_eos)]
    for reason, hit in recording.hits if stopped else ():
        by_candidate = torch.zeros_like(open_here) | (bool(hit.all()) and reason in END_ALL)
        hit_by.append((reason, by_candidate.scatter(1, kept, hit.view(n_prompts, n_beams)) & open_after))
    carried = torch.zeros_like(open_here).scatter(1, kept, True)
    ended = torch.stack([hit for _, hit in hit_by]).any(0)
    among_best = torch.arange(n_all, device=device) % each < size  # [G · K]
    competed = (candidates.is_eos & among_best) | (carried & ended)
    row_offset = torch.arange(n_prompts, device=device).view(-1, 1) * n_beams
    beam_step = BeamStep(
        parent=candidates.beam + row_offset, token=candidates.token, logprob=candidates.logprob,
        score=candidates.score, final_score=(candidates.score.double() / n_new**config.length_penalty).float(),
        ended=ended, competed=competed, absent=~open_here, next_rows=kept, searching=searching.any(1), group=group,
        n_top=size, **places_of(pools),
    )  # fmt: skip
    stopped_by = _stopped_by(recording.hits if stopped else (), still_open.repeat_interleave(size, 1), config)
    return recording.choose_beams(beam_step, hit_by=hit_by, stopped_by=stopped_by)


def _stopped_by(hits: Sequence[tuple[str, Tensor]], open_rows: Tensor, config: GenerationConfig) -> list[str | None]:
    """Per prompt why its search ended: all its groups closed, or a criterion that its open rows (bool [P, B]) met."""
    closed_by = "early_stopping" if config.early_stopping is True else "no_improvement"
    out: list[str | None] = []
    for p, rows in enumerate(open_rows):
        met = [reason for reason, hit in hits if (hit.view(open_rows.shape)[p] & rows).any()]
        out.append((met[0] if met else None) if bool(rows.any()) else closed_by)
    return out


def _returned(
    pools: Sequence[Sequence[HypothesisPool]], config: GenerationConfig, start: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """The n best of each prompt over its groups: sequences, and `generate`'s beam outputs."""
    best = [hypothesis for groups in pools for hypothesis in best_of(groups, config.num_return_sequences)]
    eos, pad = eos_token_tensor(config), pad_token_tensor(config)
    longest, device = max(len(hypothesis.tokens) for hypothesis in best), best[0].tokens.device
    n = longest if eos is None else min(longest + 1, config.max_length)
    sequences = torch.full((len(best), n), 0 if pad is None else int(pad), device=device)
    origins = torch.full((len(best), max(len(hypothesis.rows) for hypothesis in best)), -1, device=device)
    for i, hypothesis in enumerate(best):
        length = len(hypothesis.tokens)
        sequences[i, :length] = hypothesis.tokens
        origins[i, : len(hypothesis.rows)] = hypothesis.rows
        if length < n:
            sequences[i, length] = eos[0]
    scores = torch.tensor([hypothesis.score for hypothesis in best], dtype=torch.float32, device=device)
    return sequences, {"sequences_scores": scores, "beam_indices": origins}


def _open(pools: Sequence[Sequence[HypothesisPool]], device: torch.device) -> Tensor:
    """Which groups still search: bool [P, G]."""
    return torch.tensor([[not pool.closed for pool in groups] for groups in pools], device=device)


def _take(tensor: Tensor, index: Tensor) -> Tensor:
    """Picks entries of dimension 1: tensor [P, n, …], index [P, m] gives [P, m, …]."""
    return torch.take_along_dim(tensor, index.view(*index.shape, *([1] * (tensor.ndim - 2))), dim=1)


def _check_vocabulary(n_tokens: int, size: int, n_candidates: int) -> None:
    if n_candidates > size * n_tokens:
        raise RecordingError(
            "a group of {size} beams considers {n_candidates} candidates a step, but with {n_tokens} tokens there "
            "are only {n}; use fewer EOS ids",
            size=size, n_candidates=n_candidates, n_tokens=n_tokens, n=size * n_tokens,
        )
