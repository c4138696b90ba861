"""The beam tree of one prompt as plain rows, in an order in which a step's view is a prefix."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from decoding.reading.beam_tree import root_id, tree

from .token_text import LONGEST_CHARACTER, token_after

if TYPE_CHECKING:
    from decoding.trace import Trace

__all__ = ["BeamTree", "TreeNode", "beam_tree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeNode:
    """A candidate.

    Attributes:
        step, rank: which one.
        parent: index into `BeamTree.nodes` of the candidate it continues; −1 for the prompt.
        token_id: of the vocabulary.
        text: the token's, with the character that it completes.
        logprob, score: of the token and of the whole path, in nats; None where it is not finite.
        margin, rival: by how much it lived or died, and against which rank of its step; None for nobody.
        fate, ended_by, final_score, group: as in `Candidate`.
        answer: as in `Hypothesis`, where it was returned; else None.
        evicted_at, evicted_by: the step at which it was driven out of the pool, and the index of the one that did.
    """

    step: int
    rank: int
    parent: int
    token_id: int
    text: str
    logprob: float | None
    score: float | None
    margin: float | None
    rival: int | None
    fate: str
    ended_by: str | None
    final_score: float | None
    group: int
    answer: int | None
    evicted_at: int | None
    evicted_by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamTree:
    """A prompt's candidates by step and rank.

    Attributes:
        prompt: index in the batch.
        n_prompts, n_beams: of the run.
        n_steps: that the prompt was searched for.
        n_groups: beam groups in diverse beam search, else 1.
        nodes: sorted by step, then rank.
    """

    prompt: int
    n_prompts: int
    n_steps: int
    n_beams: int
    n_groups: int
    nodes: tuple[TreeNode, ...]

    def node(self, step: int, rank: int) -> TreeNode:
        """The node of a candidate."""
        at = bisect_left(self.nodes, (step, rank), key=lambda node: (node.step, node.rank))
        return self.nodes[at]


def beam_tree(trace: Trace, prompt: int = 0) -> BeamTree:
    """The tree of a prompt.

    Raises:
        NotRecordedError: the run used no beams, or there is no such prompt.
    """
    graph = tree(trace, prompt=prompt)
    named = [(name, node) for name, node in graph.nodes(data=True) if node["kind"] == "candidate"]
    index = {name: i for i, (name, _) in enumerate(named)} | {root_id(prompt): -1}
    text_of = lru_cache(maxsize=None)(lambda *ids: token_after(trace, ids[:-1], ids[-1]))
    ids: list[tuple[int, ...]] = []  # of each node and those before it, as many as a character can need
    nodes = []
    for name, node in named:
        above = next(graph.predecessors(name))
        before = ids[index[above]] if index[above] >= 0 else ()
        ids.append((*before, node["token_id"])[-LONGEST_CHARACTER:])
        partial = trace.tokens is not None and trace.tokens.is_partial(node["token_id"])
        text = text_of(*(ids[-1] if partial else ids[-1][-1:]))
        optional = {key: node.get(key) for key in OPTIONAL}
        nodes.append(
            TreeNode(
                step=node["step"], rank=node["rank"], parent=index[above], token_id=node["token_id"], text=text,
                fate=node["fate"], group=node["group"], evicted_by=index.get(node.get("evicted_by")), **optional,
            )
        )  # fmt: skip
    return BeamTree(
        prompt=prompt,
        n_prompts=trace.ledger.n_prompts,
        n_steps=trace.ledger.n_steps(prompt),
        n_beams=trace.ledger.n_beams,
        n_groups=max((node.group for node in nodes), default=0) + 1,
        nodes=tuple(nodes),
    )


OPTIONAL = ("logprob", "score", "margin", "rival", "ended_by", "final_score", "answer", "evicted_at")
