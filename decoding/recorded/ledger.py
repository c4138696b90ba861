"""The beam ledger: every candidate of every step with its fate, and the pool of hypotheses over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from decoding.errors import NotRecordedError, TraceFileError

__all__ = ["FATES", "BeamStep", "Candidate", "Hypothesis", "Ledger", "PoolChange", "returned_hypotheses"]

FATES = ("kept", "pruned", "finished", "ended_outside", "beaten")
KEPT, PRUNED, FINISHED, ENDED_OUTSIDE, BEATEN = range(5)
ABSENT = len(FATES)  # no candidate: the search of this beam group was over; such places carry its padding on
NEVER = -1.0e9  # what transformers takes for "no score yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One continuation that a step considered.

    Attributes:
        prompt: index of the prompt in the batch.
        parent: the row of `generate` that it continues.
        token_id: the token it would add.
        logprob: of that token after all processors, in nats; what was added to the sum.
        score: sum of log-probabilities up to and with this token, in nats.
        rank: from 0, in the order in which the step considered them: by score, or as drawn in beam sampling. In
            diverse beam search group by group.
        margin: by how much it lived (positive) or died (negative), in nats. Kept: score minus the best pruned
            one's. Pruned: minus the worst kept one's. Ended outside: minus that of the last of the top
            `num_beams`. Finished, beaten: penalised score minus the hypothesis it evicted, or failed to. None
            where there was nobody to compete with.
        rival: rank of the candidate that the margin is measured against, or None (a hypothesis, or nobody).
        fate: one of `FATES`.
        row: the row of the next step that carries it on, or None.
        final_score: its length-penalised score as a hypothesis, for candidates that ended; else None.
        ended_by: `eos`, `max_length`, … for candidates that ended; else None.
        group: its beam group in diverse beam search, else 0.
    """

    prompt: int
    parent: int
    token_id: int
    logprob: float
    score: float
    rank: int
    margin: float | None
    fate: str
    rival: int | None = None
    row: int | None = None
    final_score: float | None = None
    ended_by: str | None = None
    group: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A sequence in the pool.

    Attributes:
        prompt: index of the prompt in the batch.
        score: sum of log-probabilities ÷ length^length_penalty, as in `sequences_scores`.
        token_ids: the new tokens, the ending one included.
        logprobs: log-probability of each, in nats; they add up to `sum_logprobs`.
        sum_logprobs: as accumulated in float32.
        step, rank: the candidate that completed it.
        finished: False for a running beam that was returned, or is shown, without having ended.
        place: its row among `generate`'s sequences, where it was returned; else None.
        answer: its number among the sequences returned for its prompt, from 0; else None.
        group: beam group.
    """

    prompt: int
    score: float
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    sum_logprobs: float
    step: int
    rank: int
    finished: bool = True
    place: int | None = None
    answer: int | None = None
    group: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolChange:
    """A hypothesis that entered the pool, and the one it drove out, if the pool was full.

    Attributes:
        prompt: index of the prompt.
        entered: (step, rank) of the candidate that entered.
        evicted: (step, rank) of the one that left, or None.
    """

    prompt: int
    entered: tuple[int, int]
    evicted: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamStep:
    """What a beam loop knows after a step; all tensors on one device. P prompts, K candidates, B beams.

    Attributes:
        parent: int [P, K], rows of `generate`.
        token: int [P, K].
        logprob, score: float [P, K].
        ended: bool [P, K], hits a stopping criterion.
        final_score: float [P, K], the score divided by length^penalty.
        next_rows: int [P, B], the candidates that the rows of the next step carry on.
        pool_from: int [P, B], for each place in the new pool where it came from: below B the old pool's place,
            from B on candidate `index − B`.
        pool_score: float [P, B] after the step.
        pool_done: bool [P, B], whether the place holds a hypothesis that ended.
        searching: bool [P], whether the prompt's search was still open before this step.
        n_top: ended candidates ranked below this number never enter the pool.
        group: int [K], beam group of each candidate; None for all 0.
        competed: bool [P, K], which ended candidates competed for the pool; None for the first `n_top`.
        absent: bool [P, K], places without a candidate, as their group's search is over; None for none.
    """

    parent: Tensor
    token: Tensor
    logprob: Tensor
    score: Tensor
    ended: Tensor
    final_score: Tensor
    next_rows: Tensor
    pool_from: Tensor
    pool_score: Tensor
    pool_done: Tensor
    searching: Tensor
    n_top: int
    group: Tensor | None = None
    competed: Tensor | None = None
    absent: Tensor | None = None


ARRAYS = {
    "parent": torch.int32, "token": torch.int32, "logprob": torch.float32, "score": torch.float32,
    "fate": torch.uint8, "margin": torch.float32, "rival": torch.int32, "row": torch.int32,
    "final_score": torch.float32, "ended_by": torch.int8, "group": torch.int32,
}  # fmt: skip # [P, K] each
FORMERLY = {"group": torch.uint8}  # in files written before there could be more than 255 groups
POOL_ARRAYS = {"pool_score": torch.float32, "pool_step": torch.int32, "pool_rank": torch.int32,
               "pool_done": torch.bool}  # fmt: skip # [P, B] each


@dataclass(slots=True)
class Ledger:
    """Candidates and pools of all steps; grows while a run is recorded, then only read.

    Small enough to stay in memory: about 40 bytes a candidate.

    Attributes:
        n_prompts, n_beams: P and B.
        reasons: names that `ended_by` counts into.
        steps: per step the arrays named in `ARRAYS`, `POOL_ARRAYS` and `searching`.
    """

    n_prompts: int
    n_beams: int
    reasons: list[str] = field(default_factory=list)
    steps: list[dict[str, Tensor]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(a.numel() * a.element_size() for step in self.steps for a in step.values())

    # --- while recording ----------------------------------------------------------------------------------

    def add(self, step: BeamStep, hit_by: Sequence[tuple[str, Tensor]]) -> None:
        """Takes a step.

        Args:
            step: from the loop.
            hit_by: per stopping criterion its reason and bool [P · K], which candidates it ends.
        """
        shape = step.parent.shape
        arrays = {
            "parent": step.parent, "token": step.token, "logprob": step.logprob, "score": step.score,
            "final_score": torch.where(step.ended, step.final_score, math.nan),
            "group": torch.zeros(shape, dtype=torch.int32) if step.group is None else step.group.expand(shape),
            "ended_by": self._ended_by(step, hit_by),
        }  # fmt: skip
        arrays = {name: tensor.detach().cpu().to(ARRAYS[name]).clone() for name, tensor in arrays.items()}
        arrays["searching"] = step.searching.cpu().bool()
        arrays |= self._pool(step)
        arrays |= self._fates(step, arrays)
        self.steps.append(arrays)

    def _ended_by(self, step: BeamStep, hit_by: Sequence[tuple[str, Tensor]]) -> Tensor:
        out = torch.full(step.parent.shape, -1, dtype=torch.int8)
        for reason, hits in hit_by:
            if reason not in self.reasons:
                self.reasons.append(reason)
            out[hits.cpu().view(out.shape) & (out == -1)] = self.reasons.index(reason)
        return out

    def _pool(self, step: BeamStep) -> dict[str, Tensor]:
        """The pool after the step, each place with the candidate (step, rank) that completed it."""
        n_prompts, n_candidates = step.parent.shape
        if self.steps:
            old_step, old_rank = self.steps[-1]["pool_step"], self.steps[-1]["pool_rank"]
        else:
            old_step = old_rank = torch.full((n_prompts, self.n_beams), -1, dtype=torch.int32)
        here = torch.full((n_prompts, n_candidates), len(self.steps), dtype=torch.int32)
        ranks = torch.arange(n_candidates, dtype=torch.int32).expand(n_prompts, -1)
        source = step.pool_from.cpu()
        return {
            "pool_score": step.pool_score.detach().cpu().float().clone(),
            "pool_step": torch.cat([old_step, here], 1).gather(1, source),
            "pool_rank": torch.cat([old_rank, ranks], 1).gather(1, source),
            "pool_done": step.pool_done.cpu().bool(),
        }

    def _fates(self, step: BeamStep, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
        shape = step.parent.shape
        fate = torch.full(shape, PRUNED, dtype=torch.uint8)
        margin = torch.full(shape, math.nan, dtype=torch.float32)
        rival = torch.full(shape, -1, dtype=torch.int32)
        row = torch.full(shape, -1, dtype=torch.int32)
        ended, next_rows, final = step.ended.cpu(), step.next_rows.cpu(), step.final_score.detach().cpu()
        competed = (torch.zeros_like(ended) if step.competed is None else step.competed.cpu()).tolist()
        for p in range(shape[0]):
            for place, k in enumerate(next_rows[p].tolist()):
                row[p, k] = p * self.n_beams + place
            for group in arrays["group"][p].unique().tolist():
                of_group = (arrays["group"][p] == group).nonzero().flatten().tolist()
                judged = _Judged(
                    score=arrays["score"][p].tolist(), final=final[p].tolist(), ended=ended[p].tolist(),
                    carried=(row[p] >= 0).tolist(), competed=competed[p], n_top=step.n_top,
                    pool=self._pool_fight(arrays, p, group),
                )  # fmt: skip
                for n, k in enumerate(of_group):
                    fate[p, k], margin[p, k], rival[p, k] = judged.of(k, n, of_group)
        if step.absent is not None:
            absent = step.absent.cpu()
            fate[absent], margin[absent], rival[absent] = ABSENT, math.nan, -1
        return {"fate": fate, "margin": margin, "rival": rival, "row": row}

    def _pool_fight(self, arrays: dict[str, Tensor], p: int, group: int) -> dict[str, Any]:
        """Who is new in a prompt's (group's) pool, who was driven out, and the worst score in it now."""
        places = self._places(arrays, group)
        before = self._members(self.steps[-1], p, places) if self.steps else {}
        after = self._members(arrays, p, places)
        out = sorted((score for member, score in before.items() if member not in after), reverse=True)
        entered = {rank for (step, rank) in after if step == len(self.steps)}
        return {"entered": entered, "evicted": out, "worst": min(after.values(), default=None)}

    def _places(self, arrays: dict[str, Tensor], group: int) -> slice:
        n_groups = int(arrays["group"].max()) + 1
        size = self.n_beams // n_groups
        return slice(group * size, (group + 1) * size)

    @staticmethod
    def _members(arrays: dict[str, Tensor], p: int, places: slice) -> dict[tuple[int, int], float]:
        rows = zip(
            arrays["pool_step"][p, places].tolist(), arrays["pool_rank"][p, places].tolist(),
            arrays["pool_score"][p, places].tolist(), arrays["pool_done"][p, places].tolist(), strict=True,
        )  # fmt: skip
        return {(step, rank): score for step, rank, score, done in rows if done}

    # --- reading ------------------------------------------------------------------------------------------

    def candidates(self, step: int, prompt: int | None = None) -> tuple[Candidate, ...]:
        """The candidates of a step, all prompts' or one's, by prompt and rank."""
        arrays = {name: self.steps[step][name].tolist() for name in ARRAYS}
        prompts = range(self.n_prompts) if prompt is None else (prompt,)
        return tuple(
            self._candidate(arrays, p, k)
            for p in prompts
            for k, fate in enumerate(arrays["fate"][p])
            if fate != ABSENT
        )

    def _candidate(self, arrays: dict[str, list[Any]], p: int, k: int) -> Candidate:
        def optional(name: str, absent: Any = -1) -> Any:
            value = arrays[name][p][k]
            return None if value == absent or value != value else value

        ended_by = optional("ended_by")
        return Candidate(
            prompt=p, parent=arrays["parent"][p][k], token_id=arrays["token"][p][k],
            logprob=arrays["logprob"][p][k], score=arrays["score"][p][k], rank=k,
            margin=optional("margin", None), fate=FATES[arrays["fate"][p][k]], rival=optional("rival"),
            row=optional("row"), final_score=optional("final_score", None),
            ended_by=None if ended_by is None else self.reasons[ended_by], group=arrays["group"][p][k],
        )  # fmt: skip

    def n_steps(self, prompt: int) -> int:
        """The steps that have candidates of a prompt: after the last its search was over, and nobody looked on."""
        looked = (n for n in range(len(self), 0, -1) if bool((self.steps[n - 1]["fate"][prompt] != ABSENT).any()))
        return next(looked, 0)

    def pool(self, step: int) -> tuple[tuple[Hypothesis, ...], ...]:
        """Per prompt the hypotheses in the pool after a step, best first."""
        arrays = self.steps[step]
        out = []
        for p in range(self.n_prompts):
            held = self._members(arrays, p, slice(None))
            best_first = sorted(held.items(), key=lambda item: -item[1])
            out.append(tuple(self.hypothesis(p, s, k, score) for (s, k), score in best_first))
        return tuple(out)

    def worst(self, step: int, prompt: int, group: int = 0) -> float | None:
        """The score that a new hypothesis (of a group) has to beat after this step, or None while there is room."""
        places = self._places(self.steps[step], group)
        held = self._members(self.steps[step], prompt, places)
        return min(held.values()) if len(held) == places.stop - places.start else None

    def pool_changes(self, step: int) -> tuple[PoolChange, ...]:
        """Who entered the pools at a step, each with whom it drove out: the best newcomer the best of those."""
        out = []
        groups = range(int(self.steps[step]["group"].max()) + 1)
        for p, group in ((p, g) for p in range(self.n_prompts) for g in groups):
            places = self._places(self.steps[step], group)
            before = self._members(self.steps[step - 1], p, places) if step else {}
            after = self._members(self.steps[step], p, places)
            gone = sorted((m for m in before if m not in after), key=before.__getitem__, reverse=True)
            came = sorted((m for m in after if m not in before), key=after.__getitem__)
            room: list[tuple[int, int] | None] = [None] * (len(came) - len(gone))
            pairs = zip(came, [*room, *gone[::-1]], strict=False)
            out += [PoolChange(prompt=p, entered=entered, evicted=evicted) for entered, evicted in pairs]
        return tuple(out)

    def path(self, step: int, prompt: int, rank: int) -> tuple[tuple[int, int], ...]:
        """(step, rank) of a candidate and of those it continues, the first step's first.

        Raises:
            NotRecordedError: there is no such candidate.
        """
        if not (0 <= step < len(self) and 0 <= prompt < self.n_prompts):
            raise NotRecordedError(
                "there is no step {step} of prompt {prompt} in this trace; the first of each is 0 here",
                step=step, prompt=prompt,
            )
        if not 0 <= rank < self.steps[step]["parent"].shape[1]:
            raise NotRecordedError(
                "rank must be in [0, {last}], got {rank}",
                last=self.steps[step]["parent"].shape[1] - 1, rank=rank,
            )
        nodes = [(step, rank)]
        while nodes[-1][0] > 0:
            step, rank = nodes[-1]
            parent = int(self.steps[step]["parent"][prompt, rank])
            carried = self.steps[step - 1]["row"][prompt].tolist()
            if parent not in carried:
                raise TraceFileError(
                    "step {step}: row {parent} continues no candidate; the trace is damaged",
                    step=step + 1, parent=parent + 1,
                )
            nodes.append((step - 1, carried.index(parent)))
        return tuple(reversed(nodes))

    def row_path(self, step: int, row: int) -> tuple[tuple[int, int], ...]:
        """(step, rank) of the candidates that led to a row of the scores of `step`; empty for the first."""
        if step == 0:
            return ()
        prompt = row // self.n_beams
        carried = (self.steps[step - 1]["row"][prompt] == row).nonzero()
        return self.path(step - 1, prompt, int(carried[0])) if len(carried) else ()

    def row_tokens(self, step: int, row: int) -> tuple[int, ...]:
        """The new tokens that a row has before `step`."""
        prompt = row // self.n_beams
        return tuple(int(self.steps[s]["token"][prompt, k]) for s, k in self.row_path(step, row))

    def hypothesis(
        self,
        prompt: int,
        step: int,
        rank: int,
        score: float,
        finished: bool = True,
        *,
        answer: int | None = None,
        n_returned: int = 0,
    ) -> Hypothesis:
        """The sequence that a candidate completes.

        Args:
            answer: its number among the `n_returned` sequences of its prompt; None where it was not returned.
        """
        path = self.path(step, prompt, rank)
        return Hypothesis(
            prompt=prompt, score=score, step=step, rank=rank, finished=finished, answer=answer,
            place=None if answer is None else prompt * n_returned + answer,
            token_ids=tuple(int(self.steps[s]["token"][prompt, k]) for s, k in path),
            logprobs=tuple(float(self.steps[s]["logprob"][prompt, k]) for s, k in path),
            sum_logprobs=float(self.steps[step]["score"][prompt, rank]),
            group=int(self.steps[step]["group"][prompt, rank]),
        )  # fmt: skip

    # --- files --------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, Tensor]:
        """All steps stacked: [steps, P, …] each."""
        return {name: torch.stack([step[name] for step in self.steps]).contiguous() for name in self.steps[0]}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Tensor], n_beams: int, reasons: Sequence[str]) -> Ledger:
        """The ledger that `to_arrays` gave.

        Raises:
            TraceFileError: arrays are missing, of the wrong type or shape, or point outside.
        """
        wanted = {**ARRAYS, **POOL_ARRAYS, "searching": torch.bool}
        if set(arrays) != set(wanted):
            raise TraceFileError(
                "the ledger has arrays {arrays}, not {wanted}",
                arrays=sorted(arrays), wanted=sorted(wanted),
            )
        n_steps, n_prompts, n_candidates = arrays["parent"].shape
        for name, dtype in wanted.items():
            shape = (n_steps, n_prompts, n_candidates if name in ARRAYS else n_beams)[: arrays[name].ndim]
            if arrays[name].dtype == FORMERLY.get(name):
                arrays[name] = arrays[name].to(dtype)
            if arrays[name].dtype != dtype or tuple(arrays[name].shape) != shape:
                raise TraceFileError(
                    "the ledger's {name} is {dtype} {shape}",
                    name=name, dtype=arrays[name].dtype, shape=tuple(arrays[name].shape),
                )
        limits = {
            "parent": n_prompts * n_beams, "row": n_prompts * n_beams, "rival": n_candidates, "fate": ABSENT + 1,
            "ended_by": len(reasons), "pool_rank": n_candidates, "pool_step": n_steps, "group": n_beams,
        }  # fmt: skip
        for name, limit in limits.items():
            if arrays[name].numel() and (int(arrays[name].min()) < -1 or int(arrays[name].max()) >= limit):
                raise TraceFileError("the ledger's {name} points outside [0, {limit})", name=name, limit=limit)
        steps = [{name: array[t] for name, array in arrays.items()} for t in range(n_steps)]
        return cls(n_prompts=n_prompts, n_beams=n_beams, reasons=list(reasons), steps=steps)


def returned_hypotheses(ledger: Ledger, n_returned: int, length_penalty: float) -> tuple[Hypothesis, ...]:
    """What the pools give after the last step, `n_returned` per prompt, in `generate`'s order.

    Where a pool holds nothing that ended (the run was stopped half-way), the running beams stand in.
    """
    last, step = ledger.steps[-1], len(ledger) - 1
    n_groups = int(last["group"].max()) + 1
    out = []
    for p in range(ledger.n_prompts):
        if bool(last["pool_done"][p].any()):
            columns = (last[name][p].tolist() for name in POOL_ARRAYS)
            members = [(s, k, score, done) for score, s, k, done in zip(*columns, strict=True)]
            if n_groups > 1:
                members = _best_over_groups(ledger, p, members, length_penalty)
        else:
            ranks = [int((last["row"][p] == p * ledger.n_beams + b).nonzero()[0]) for b in range(ledger.n_beams)]
            members = [(step, k, float(last["score"][p, k]) / (step + 1) ** length_penalty, False) for k in ranks]
        for n, (s, k, score, done) in enumerate(members[:n_returned]):
            if s >= 0:  # else a place that nothing ever took; generate() returns the bare prompt for it
                out.append(ledger.hypothesis(p, s, k, score, done, answer=n, n_returned=n_returned))
    return tuple(out)


def _best_over_groups(
    ledger: Ledger, prompt: int, members: list[tuple[int, int, float, bool]], length_penalty: float
) -> list[tuple[int, int, float, bool]]:
    """The members of all groups' pools, best first; of equal ones the last, as transformers 4.46 sorted them."""

    def in_full(member: tuple[int, int, float, bool]) -> float:  # two scores may be equal in float32 alone
        s, k, _, _ = member
        return float(ledger.steps[s]["score"][prompt, k]) / (s + 1) ** length_penalty

    return sorted((member for member in members if member[3]), key=in_full)[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """One prompt's (group's) candidates at a step, and who of them lives."""

    score: list[float]
    final: list[float]
    ended: list[bool]
    carried: list[bool]
    competed: list[bool]
    n_top: int
    pool: dict[str, Any]

    def of(self, k: int, place: int, of_group: list[int]) -> tuple[int, float, int]:
        """Fate, margin and rival of candidate `k`, which stands at `place` among its group's."""
        if self.ended[k]:
            return self._of_ended(k, place, of_group)
        alive = [i for i in of_group if not self.ended[i]]
        kept = [i for i in alive if self.carried[i]] or [i for i in of_group if self.carried[i]]
        pruned = [i for i in alive if not self.carried[i]]
        if self.carried[k]:
            rival = max(pruned, key=self.score.__getitem__, default=-1)
        else:
            rival = min(kept, key=self.score.__getitem__, default=-1)
        margin = self.score[k] - self.score[rival] if rival >= 0 else math.nan
        return (KEPT if self.carried[k] else PRUNED), margin, rival

    def _of_ended(self, k: int, place: int, of_group: list[int]) -> tuple[int, float, int]:
        if k in self.pool["entered"]:
            driven_out = self.pool["evicted"]
            return FINISHED, (self.final[k] - driven_out[-1] if driven_out else math.nan), -1
        if place >= self.n_top and not self.competed[k]:
            last_of_top = of_group[self.n_top - 1]
            return ENDED_OUTSIDE, self.score[k] - self.score[last_of_top], last_of_top
        worst = self.pool["worst"]
        return BEATEN, (self.final[k] - worst if worst is not None else math.nan), -1
