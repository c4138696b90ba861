"""The beam tree: every candidate of every step as a networkx graph, and the files made from it."""

from __future__ import annotations

import math
import re
from io import BytesIO
from typing import Any

import networkx

from decoding.errors import NotRecordedError, TraceFileError
from decoding.recorded.ledger import ABSENT, FATES, NEVER, Ledger
from decoding.recorded.run import RecordedRun
from decoding.recorded.step_number import step_number

__all__ = ["from_xml_text", "node_id", "root_id", "to_graphml", "to_node_link", "tree", "xml_text"]

# Nothing that XML 1.0 can hold: control characters, halves of surrogate pairs, U+FFFE and U+FFFF; and the
# characters that its readers change: carriage return, and our own backslash.
_NOT_XML = re.compile("[\\\\\x00-\x08\x0b\x0c\r\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")

Later = dict[str, dict[tuple[int, int, int], Any]]  # see `_what_came_later`


def root_id(prompt: int) -> str:
    """The node that a prompt's candidates descend from: `p0`."""
    return f"p{prompt}"


def node_id(prompt: int, step: int, rank: int) -> str:
    """A candidate's node: `p0/s3/k2`. The same in every graph and file of a run."""
    return f"p{prompt}/s{step}/k{rank}"


def tree(trace: RecordedRun, prompt: int | None = None) -> networkx.DiGraph:
    """Every candidate of every step, each below the one that it continues, with a root per prompt.

    Nodes have `kind` ("prompt" or "candidate"), `prompt` and `depth` (0 for a root). Candidates also have the
    fields of `Candidate` (`parent_row` for `parent`), `step`, `token_text`, and where it applies:

    - `place`: its row among all sequences that `generate` returned, as in `Hypothesis`;
    - `answer`: its number among those returned for its prompt, from 0;
    - `evicted_at`, `evicted_by`: the step at which it was driven out of the pool, and the node that did it;
    - `impossible`: True where the score is −inf, or transformers' stand-in for it.

    What is None, or no finite number, is left out: every value is a str, bool, int or finite float. Edges have
    `logprob` and `probability` of the token at their end.

    Args:
        prompt: only this prompt's tree; None for all of them in one graph.

    Raises:
        NotRecordedError: the run used no beams, or there is no such prompt.
        TraceFileError: a candidate continues a row that no candidate led to.
    """
    ledger = trace.ledger
    if ledger is None:
        raise NotRecordedError(
            "a beam tree needs a beam method; this run was recorded in mode {mode}",
            mode=trace.mode,
        )
    if prompt is not None and not 0 <= prompt < ledger.n_prompts:
        raise NotRecordedError(
            "prompt must be in [0, {last}], got {prompt}",
            last=ledger.n_prompts - 1, prompt=prompt,
        )
    graph = networkx.DiGraph(
        mode=trace.mode, model=trace.model.name, n_beams=ledger.n_beams, first_step=trace.first_step
    )
    later = _what_came_later(trace, ledger)
    texts: dict[int, str] = {}
    for p in range(ledger.n_prompts) if prompt is None else (prompt,):
        text = trace.prompts[p] if trace.prompts else ""
        graph.add_node(root_id(p), kind="prompt", prompt=p, depth=0, text=text)
        _grow(graph, trace, ledger, p, later, texts)
    return graph


def to_graphml(graph: networkx.DiGraph) -> str:
    """The graph as GraphML, whatever the token texts hold.

    Characters that XML cannot hold, and backslashes, are written as `\\uXXXX`; `from_xml_text` reads them back.
    """
    safe = networkx.DiGraph(**{name: _xml_value(value) for name, value in graph.graph.items()})
    safe.add_nodes_from((node, _xml_values(values)) for node, values in graph.nodes(data=True))
    safe.add_edges_from((a, b, _xml_values(values)) for a, b, values in graph.edges(data=True))
    out = BytesIO()
    networkx.write_graphml_xml(safe, out)
    return out.getvalue().decode("utf-8")


def to_node_link(graph: networkx.DiGraph) -> dict[str, Any]:
    """The graph as node-link data: plain JSON values, for `json.dumps` and `networkx.node_link_graph`."""
    return networkx.node_link_data(graph, edges="edges")


def xml_text(text: str) -> str:
    """The text with what XML cannot hold written as `\\uXXXX`."""
    return _NOT_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def from_xml_text(text: str) -> str:
    """The text that `xml_text` was given."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def _xml_values(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _xml_value(value) for name, value in values.items()}


def _xml_value(value: Any) -> Any:
    return xml_text(value) if isinstance(value, str) else value


def _grow(
    graph: networkx.DiGraph, trace: RecordedRun, ledger: Ledger, p: int, later: Later, texts: dict[int, str]
) -> None:
    """Adds a prompt's candidates, step by step; `carried` says which node each row goes on from."""
    carried: dict[int, str] | None = None
    for step in range(len(ledger)):
        columns = _columns(ledger, step, p)
        carries: dict[int, str] = {}
        for rank, values in enumerate(zip(*columns.values(), strict=True)):
            candidate = dict(zip(columns, values, strict=True))
            if candidate["fate"] == ABSENT:
                continue
            node, row = node_id(p, step, rank), candidate["parent"]
            above = root_id(p) if carried is None else carried.get(row)
            if above is None:
                raise TraceFileError(
                    "step {step}: row {row} continues no candidate; the trace is damaged",
                    step=step_number(step, trace.first_step), row=row + 1,
                )
            if candidate["row"] >= 0:
                carries[candidate["row"]] = node
            token = candidate["token"]
            if token not in texts:
                texts[token] = trace.tokens.text(token) if trace.tokens is not None else f"#{token}"
            graph.add_node(node, **_attributes(candidate, p, step, rank, texts[token], ledger, later))
            graph.add_edge(above, node, **_edge(candidate["logprob"]))
        carried = carries


NAMES = ("parent", "token", "logprob", "score", "fate", "margin", "rival", "row", "final_score", "ended_by", "group")


def _columns(ledger: Ledger, step: int, p: int) -> dict[str, list[Any]]:
    return {name: ledger.steps[step][name][p].tolist() for name in NAMES}


def _attributes(
    c: dict[str, Any], p: int, step: int, rank: int, text: str, ledger: Ledger, later: Later
) -> dict[str, Any]:
    key = (p, step, rank)
    evicted, returned = later["evicted"].get(key), later["returned"].get(key)
    values = {
        "kind": "candidate", "prompt": p, "depth": step + 1, "step": step, "rank": rank, "parent_row": c["parent"],
        "token_id": c["token"], "token_text": text, "logprob": c["logprob"], "score": c["score"],
        "margin": c["margin"], "fate": FATES[c["fate"]], "group": c["group"],
        "rival": c["rival"] if c["rival"] >= 0 else None, "row": c["row"] if c["row"] >= 0 else None,
        "final_score": c["final_score"],
        "ended_by": ledger.reasons[c["ended_by"]] if c["ended_by"] >= 0 else None,
        "place": returned and returned[0], "answer": returned and returned[1],
        "evicted_at": evicted and evicted[0], "evicted_by": evicted and evicted[1],
        "impossible": True if c["score"] <= NEVER / 10 else None,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not None and _finite(value)}


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _edge(logprob: float) -> dict[str, float]:
    values = {"logprob": logprob, "probability": math.exp(logprob) if logprob < 0 else 1.0}
    return {name: value for name, value in values.items() if _finite(value)}


def _what_came_later(trace: RecordedRun, ledger: Ledger) -> Later:
    """By (prompt, step, rank): place and answer of what was returned, and when and by whom a hypothesis was evicted."""
    running = "running" in trace.stop_reasons  # nothing has been returned yet
    returned = {(h.prompt, h.step, h.rank): (h.place, h.answer) for h in (() if running else trace.hypotheses)}
    evicted = {}
    for step in range(len(ledger)):
        for change in ledger.pool_changes(step):
            if change.evicted is not None:
                evicted[change.prompt, *change.evicted] = (step, node_id(change.prompt, *change.entered))
    return {"returned": returned, "evicted": evicted}
