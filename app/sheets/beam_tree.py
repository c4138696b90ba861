"""The beam tree's values: the topology once, by columns; the page lays it out and walks through it."""

from __future__ import annotations

from typing import Any

from decoding.recorded.ledger import FATES

from ..text import Text
from ..views.beam_tree import BeamTree
from ..views.look import Look

__all__ = ["place", "tree", "tree_sheet"]

Json = dict[str, Any]

DIGITS = 4
LABELS = (
    "title", "label", "prompts", "root", "first", "back", "forward", "last", "play", "pause", "step", "slider",
    "zoom_in", "zoom_out", "whole", "fold", "fold.tip", "export", "crowd", "run", "counted", "folded", "group", "tip",
    "tip.margin", "tip.rival", "tip.final", "tip.place", "tip.evicted", "find", "find.tip", "find.count", "find.none",
    "path", "paths", "words", "overview", "window",
)  # fmt: skip


def tree(look: Look) -> Json | None:
    """The tree's `data`; None, which hides it, in other modes."""
    node = look.node
    if node is None:
        return None
    return tree_sheet(
        look.readings.tree(node.prompt), look.text, run=look.number, step=node.step, rank=node.rank,
        streaming=look.growing,
    )  # fmt: skip


def place(look: Look) -> Json | None:
    """The tree's `value`: the node in view."""
    node = look.node
    return None if node is None else {
        "run": look.number, "prompt": node.prompt, "step": node.step, "rank": node.rank
    }  # fmt: skip


def tree_sheet(view: BeamTree, text: Text, *, run: int, step: int, rank: int, streaming: bool = False) -> Json:
    """The topology with its words.

    Args:
        run: its number: while it and the prompt are the same, what was unfolded and zoomed stays.
        step, rank: the node in view.
        streaming: the run goes on; the newest step is followed.
    """
    texts = list(dict.fromkeys(node.text for node in view.nodes))
    numbered = {shown: i for i, shown in enumerate(texts)}
    nodes = view.nodes
    columns: dict[str, list[Any]] = {
        "step": [n.step for n in nodes],
        "rank": [n.rank for n in nodes],
        "parent": [n.parent for n in nodes],
        "token": [n.token_id for n in nodes],
        "text": [numbered[n.text] for n in nodes],
        "fate": [FATES.index(n.fate) for n in nodes],
        "group": [n.group for n in nodes] if view.n_groups > 1 else [],
    }
    columns |= {name: _rounded(nodes, name) for name in ("logprob", "score", "margin")}
    # Few nodes have these: by index.
    sparse = {
        name: {i: value for i, n in enumerate(nodes) if (value := getattr(n, name)) is not None}
        for name in ("answer", "evicted_at")
    }
    sparse["final_score"] = {i: round(n.final_score, DIGITS) for i, n in enumerate(nodes) if n.final_score is not None}
    columns["rival"] = [-1 if n.rival is None else n.rival for n in nodes]
    return {
        "run": run,
        "key": f"{run}.{view.prompt}",
        "streaming": streaming,
        "at": {"step": step, "rank": rank},
        "prompt": view.prompt,
        "prompts": [text("beam.prompt", n=i + 1) for i in range(view.n_prompts)],
        "n_steps": view.n_steps,
        "first_step": text.first_step,
        "n_beams": view.n_beams,
        "n_groups": view.n_groups,
        "texts": texts,
        "columns": columns,
        "sparse": sparse,
        "fates": [*FATES, "returned"],
        "labels": {name: _template(text, f"beam.{name}") for name in LABELS},
        "fate_labels": {name: text(f"fate.{name}") for name in (*FATES, "returned")},
        "fate_tips": {name: text(f"fate.{name}.help") for name in (*FATES, "returned")},
    }


def _rounded(nodes, name: str) -> list[float | None]:
    return [None if (value := getattr(node, name)) is None else round(value, DIGITS) for node in nodes]


def _template(text: Text, key: str) -> str:
    """The text with its fields still in braces; the page fills them in."""
    return text.or_else(key, "")
