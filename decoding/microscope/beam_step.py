"""The step of beam search that takes the best continuations of all beams together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from decoding.microscope.op import Account, Followed
from decoding.microscope.slide import ONE, Slide, Space
from decoding.microscope.stage import LOOPS_FILE, compared
from decoding.recorded.ledger import NEVER, Candidate, Ledger

__all__ = ["BeamInput", "beam_account", "running_scores"]

N_FOLLOWED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamInput:
    """What goes into a beam step for one prompt; in diverse beam search, for one group of its beams.

    Attributes:
        log_probs: float32 [beams, vocab], after all stages.
        running: float32 [beams], the sums of the beams so far.
        prefixes: int64 [beams, length], what the beams hold.
        candidates: as recorded, by rank; empty where the step is run on other scores than the run's.
        n_candidates: how many the step looks at.
        first_row: the row of `generate` that the first of these beams is.
        sampled: the candidates were drawn (beam sampling).
        diverse: a group of diverse beam search, whose loop is this project's own.
    """

    log_probs: Tensor
    running: Tensor
    prefixes: Tensor
    candidates: tuple[Candidate, ...]
    n_candidates: int
    first_row: int = 0
    sampled: bool = False
    diverse: bool = False


def running_scores(ledger: Ledger, step: int, prompt: int, group: int = 0, n_groups: int = 1) -> Tensor:
    """The sums that a prompt's beams (of one group) had before a step, float32 [beams]."""
    size = ledger.n_beams // n_groups
    if step == 0:
        return torch.tensor([0.0] + [NEVER] * (size - 1), dtype=torch.float32)
    before = ledger.steps[step - 1]
    first = prompt * ledger.n_beams + group * size
    out = torch.full((size,), NEVER, dtype=torch.float32)
    for beam in range(size):
        carried = (before["row"][prompt] == first + beam).nonzero()
        if len(carried):
            k = int(carried[0])
            ended = float(before["ended_by"][prompt, k] >= 0 and n_groups == 1)
            out[beam] = before["score"][prompt, k] + torch.tensor(ended) * NEVER
    return out


def beam_account(given: BeamInput, in_view: tuple[int, int] | None = None) -> Account:
    """Add the running scores, lay all beams side by side, take the best, and find out whose they are.

    Args:
        in_view: row and token of the candidate in view.
    """
    s, seen = Slide(), _Spaces()
    beams, vocab_size = given.log_probs.shape
    summed = _sums(s, seen, given)
    scores, flat = _best(s, seen, given, summed)
    parents, tokens = flat // vocab_size, flat % vocab_size
    _whose(s, seen, flat, parents, tokens, vocab_size)
    prefix = given.prefixes[None]
    gathered = "torch.take_along_dim(running_sequences, topk_current_beam_indices[:, :, None], dim=1)"
    s.op(
        "torch.take_along_dim", f"topk_running_sequences = {gathered}",
        [seen.last_of_beam("running_sequences", prefix), seen.rank("topk_current_beam_indices", parents)],
        [seen.last_of_rank("topk_running_sequences", torch.take_along_dim(prefix, parents[:, :, None], dim=1))],
        "beam.sequences",
    )  # fmt: skip
    seen.length = prefix.shape[-1]
    seen.of = dict(enumerate(zip(parents[0].tolist(), tokens[0].tolist(), strict=True)))
    if given.candidates:
        _who_goes_on(s, seen, given, scores)
    followed = _followed(given, seen, in_view)
    source, file = ("diverse_beam", "decoding/strategies/diverse_beam.py")
    if not given.diverse:
        source, file = "GenerationMixin._beam_search", LOOPS_FILE
    return Account(
        kind="beam", n_candidates=given.n_candidates, source=source, file=file, tokens=followed,
        ops=s.ops([f.rank for f in followed if f.rank is not None]),
        **_verdict(given, scores[0], parents[0], tokens[0]),
    )  # fmt: skip


class _Spaces:
    """Where a candidate, known by its rank, stands in the tensors of a beam step.

    Attributes:
        of: rank → beam and token.
        carried: rank → row of the next step, for those that go on.
        vocab_size, length: tokens in the vocabulary, and in each beam.
    """

    def __init__(self) -> None:
        self.of: dict[int, tuple[int, int]] = {}
        self.carried: dict[int, int] = {}
        self.vocab_size = self.length = 0
        self.beam_vocab = self._space("beam_vocab", lambda rank: self.of[rank])
        self.beam = self._space("beam", lambda rank: self.of[rank][0])
        self.flat = self._space("flat", lambda rank: self.of[rank][0] * self.vocab_size + self.of[rank][1])
        self.rank = self._space("rank", lambda rank: rank)
        self.last_of_beam = self._space("beam_text", lambda rank: (self.of[rank][0], self.length - 1))
        self.last_of_rank = self._space("rank_text", lambda rank: (rank, self.length - 1))
        self.next = self._space("next", lambda rank: self.carried.get(rank))

    @staticmethod
    def _space(name: str, place: Callable[[int], Any]) -> Space:
        return Space(name, lambda ranks: [place(rank) for rank in ranks])


def _sums(s: Slide, seen: _Spaces, given: BeamInput) -> Tensor:
    """Sums of all continuations side by side, [1, beams · vocab]."""
    beams, vocab_size = given.log_probs.shape
    seen.vocab_size = vocab_size
    log_probs = torch.reshape(given.log_probs, [1, beams, vocab_size])
    s.op(
        "torch.reshape", "log_probs = torch.reshape(log_probs, [batch_size, num_beams, vocab_size])",
        [seen.beam_vocab("log_probs", given.log_probs)], [seen.beam_vocab("log_probs", log_probs)],
        "beam.unflatten", beams=beams, vocab=vocab_size,
    )  # fmt: skip
    running = given.running[None]
    per_beam = log_probs + running[:, :, None]
    s.op(
        "torch.add", "log_probs = log_probs + running_beam_scores[:, :, None]",
        [seen.beam_vocab("log_probs", log_probs), seen.beam("running_beam_scores", running)],
        [seen.beam_vocab("log_probs", per_beam)],
        "beam.add.first" if float(running.min()) <= NEVER else "beam.add", edits=True,
    )  # fmt: skip
    summed = torch.reshape(per_beam, (1, -1))
    s.op(
        "torch.reshape", "log_probs = torch.reshape(log_probs, (batch_size, -1))",
        [seen.beam_vocab("log_probs", per_beam)], [seen.flat("log_probs", summed)],
        "beam.flatten", beams=beams, vocab=vocab_size, n=beams * vocab_size,
    )  # fmt: skip
    return summed


def _best(s: Slide, seen: _Spaces, given: BeamInput, summed: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and places of the candidates, [1, candidates] each."""
    k, beams = given.n_candidates, given.log_probs.shape[0]
    if given.sampled and given.candidates:
        return _drawn(s, seen, given, summed)
    scores, flat = torch.topk(summed, k=k)
    s.op(
        "torch.topk", "topk_log_probs, topk_indices = torch.topk(log_probs, k=beams_to_keep)",
        [seen.flat("log_probs", summed), ONE("beams_to_keep", k)],
        [seen.rank("topk_log_probs", scores), seen.rank("topk_indices", flat)],
        "beam.topk", k=k, beams=beams, times=k // beams,
    )  # fmt: skip
    return scores, flat


def _drawn(s: Slide, seen: _Spaces, given: BeamInput, summed: Tensor) -> tuple[Tensor, Tensor]:
    """The recorded draw: it used the run's random numbers."""
    vocab_size = given.log_probs.shape[1]
    flat = torch.tensor([[(c.parent - given.first_row) * vocab_size + c.token_id for c in given.candidates]])
    probs = torch.nn.functional.softmax(summed, dim=-1)
    s.op(
        "torch.nn.functional.softmax", "probs = nn.functional.softmax(log_probs, dim=-1)",
        [seen.flat("log_probs", summed)], [seen.flat("probs", probs)], "softmax",
    )  # fmt: skip
    s.op(
        "torch.multinomial", "topk_indices = torch.multinomial(probs, num_samples=beams_to_keep)",
        [seen.flat("probs", probs), ONE("beams_to_keep", given.n_candidates)], [seen.rank("topk_indices", flat)],
        "beam.multinomial", k=given.n_candidates,
    )  # fmt: skip
    scores = torch.gather(summed, 1, flat)
    s.op(
        "torch.gather", "topk_log_probs = torch.gather(input=log_probs, dim=1, index=topk_indices)",
        [seen.flat("log_probs", summed), seen.rank("topk_indices", flat)], [seen.rank("topk_log_probs", scores)],
        "beam.gather",
    )  # fmt: skip
    return scores, flat


def _whose(s: Slide, seen: _Spaces, flat: Tensor, parents: Tensor, tokens: Tensor, vocab_size: int) -> None:
    s.op(
        "torch.floor_divide", "topk_current_beam_indices = topk_indices // vocab_size",
        [seen.rank("topk_indices", flat), ONE("vocab_size", vocab_size)],
        [seen.rank("topk_current_beam_indices", parents)], "beam.parent", vocab=vocab_size,
    )  # fmt: skip
    s.op(
        "torch.remainder", "topk_ids = topk_indices % vocab_size",
        [seen.rank("topk_indices", flat), ONE("vocab_size", vocab_size)], [seen.rank("topk_ids", tokens)],
        "beam.token", vocab=vocab_size,
    )  # fmt: skip


def _who_goes_on(s: Slide, seen: _Spaces, given: BeamInput, scores: Tensor) -> None:
    """Candidates that end step aside; of the others the best go on."""
    ends = [c.ended_by == "eos" if given.diverse else c.ended_by is not None for c in given.candidates]
    hits, beams = torch.tensor([ends]), given.log_probs.shape[0]
    over = ".over" if all(ends) else ""
    if given.diverse:
        order = torch.argsort(hits.to(torch.uint8), dim=1, stable=True)[:, :beams]
        s.op(
            "torch.argsort", "kept = torch.argsort(is_eos.to(torch.uint8), dim=1, stable=True)[:, :size]",
            [seen.rank("is_eos", hits), ONE("size", beams)], [seen.next("kept", order)], f"beam.kept{over}",
            also=("torch.Tensor.to",), beams=beams, n_ended=int(hits.sum()),
        )  # fmt: skip
        s.op(
            "torch.gather", "running_score = score.gather(1, kept)",
            [seen.rank("score", scores), seen.next("kept", order)],
            [seen.next("running_score", scores.gather(1, order))], f"beam.next{over}",
        )  # fmt: skip
        seen.carried = _inverse(order)
    else:
        running = scores + hits.to(torch.float32) * NEVER
        s.op(
            "torch.add",
            "topk_running_log_probs = topk_log_probs + next_token_hits_stopping_criteria.to(torch.float32) * -1.0e9",
            [seen.rank("topk_log_probs", scores), seen.rank("next_token_hits_stopping_criteria", hits)],
            [seen.rank("topk_running_log_probs", running)],
            "beam.ended", also=("torch.Tensor.to", "torch.mul"), edits=True, n_ended=int(hits.sum()),
        )  # fmt: skip
        order = torch.topk(running, k=beams)[1]
        seen.carried = _inverse(order)
        s.op(
            "torch.topk", "next_topk_indices = torch.topk(topk_running_log_probs, k=num_beams)[1]",
            [seen.rank("topk_running_log_probs", running), ONE("num_beams", beams)],
            [seen.next("next_topk_indices", order)], f"beam.kept{over}", beams=beams, n_ended=int(hits.sum()),
        )  # fmt: skip
        s.op(
            "torch.take_along_dim",
            "running_beam_scores = torch.take_along_dim(topk_running_log_probs, next_topk_indices, dim=1)",
            [seen.rank("topk_running_log_probs", running), seen.next("next_topk_indices", order)],
            [seen.next("running_beam_scores", running.gather(1, order))], f"beam.next{over}",
        )  # fmt: skip


def _inverse(order: Tensor) -> dict[int, int]:
    return {rank: place for place, rank in enumerate(order[0].tolist())}


def _followed(given: BeamInput, seen: _Spaces, in_view: tuple[int, int] | None) -> tuple[Followed, ...]:
    """The first ranks, those on either side of the cut, and the candidate in view."""
    fates = [c.fate for c in given.candidates] or ["kept"] * given.n_candidates
    kept = [rank for rank, fate in enumerate(fates) if fate == "kept"]
    pruned = [rank for rank, fate in enumerate(fates) if fate == "pruned"]
    viewed = [r for r, (beam, token) in seen.of.items() if (beam + given.first_row, token) == in_view]
    ranks = list(dict.fromkeys([*viewed, *kept[-2:], *pruned[:2], *range(len(fates))]))[:N_FOLLOWED]
    return tuple(
        Followed(
            token_id=seen.of[rank][1], beam=seen.of[rank][0], rank=rank, chosen=rank in viewed,
            fate=fates[rank] if fates[rank] in ("kept", "pruned") else "ended",
        )
        for rank in sorted(ranks)
    )  # fmt: skip


def _verdict(given: BeamInput, scores: Tensor, parents: Tensor, tokens: Tensor) -> dict[str, Any]:
    """Whether scores, parents and tokens are the ledger's."""
    if not given.candidates:
        return {}
    verdict = compared(scores, torch.tensor([c.score for c in given.candidates], dtype=torch.float32))
    found = list(zip((parents + given.first_row).tolist(), tokens.tolist(), strict=True))
    verdict["agrees"] &= found == [(c.parent, c.token_id) for c in given.candidates]
    return verdict
