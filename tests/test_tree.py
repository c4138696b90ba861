"""The beam tree: one node per candidate, and files that others can read whatever the tokens hold."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial

import networkx
import pytest

from decoding import Settings, record
from decoding.errors import NotRecordedError
from decoding.reading.beam_tree import from_xml_text, node_id, root_id, to_graphml, to_node_link, tree, xml_text
from tests.counted_work import lines_of
from tests.tiny_models import tiny_lm

HOSTILE = (
    "<img onerror=alert(1)>", "${alert(1)}", "a\x00b\x0bc", "\ud800", "]]></data>", "\\u0041", "\r\n", "\ufffe&amp;",
)  # fmt: skip


@pytest.fixture(scope="module")
def trace():
    """Two prompts, three beams, an end that comes often: pools fill and overflow."""
    settings = Settings(
        num_beams=3, num_return_sequences=2, max_new_tokens=10, eos_token_id=(276, 52, 81), length_penalty=2.0,
        early_stopping="never",
    )  # fmt: skip
    return record(tiny_lm(), ["The capital of France is", "the cat"], settings)


def candidates_of(trace):
    return [(step.index, c) for step in trace.steps for c in step.candidates]


def test_there_is_a_node_for_every_candidate_and_a_root_for_every_prompt(trace):
    graph = tree(trace)
    expected = {node_id(c.prompt, t, c.rank) for t, c in candidates_of(trace)} | {root_id(0), root_id(1)}
    assert set(graph) == expected
    assert networkx.is_forest(graph)
    assert [n for n in graph if graph.in_degree(n) == 0] == ["p0", "p1"]


def test_a_nodes_attributes_are_its_candidates(trace):
    graph = tree(trace)
    for t, c in candidates_of(trace):
        node = graph.nodes[node_id(c.prompt, t, c.rank)]
        for name in ("token_id", "logprob", "score", "rank", "margin", "fate", "rival", "row", "final_score",
                     "ended_by", "group", "prompt"):  # fmt: skip
            assert node.get(name) == getattr(c, name), name
        assert (node["step"], node["depth"], node["parent_row"]) == (t, t + 1, c.parent)
        assert node["token_text"] == trace.tokens.text(c.token_id)


def test_an_edge_has_the_probability_of_the_token_at_its_end(trace):
    graph = tree(trace)
    for _, child, edge in graph.edges(data=True):
        assert edge["logprob"] == graph.nodes[child]["logprob"]
        assert edge["probability"] == pytest.approx(math.exp(edge["logprob"]))


def test_the_path_of_every_running_row_is_a_path_of_the_tree(trace):
    graph = tree(trace)
    for step in trace.steps:
        for c in step.candidates:
            path = [node_id(c.prompt, t, k) for t, k in trace.ledger.path(step.index, c.prompt, c.rank)]
            assert networkx.is_path(graph, [root_id(c.prompt), *path])


def test_the_returned_hypotheses_are_marked_with_their_place(trace):
    graph = tree(trace)
    for prompt in range(2):
        found = {d["place"]: d for _, d in graph.nodes(data=True) if "place" in d and d["prompt"] == prompt}
        expected = [h for h in trace.hypotheses if h.prompt == prompt]
        assert expected and sorted(found) == [h.place for h in expected]
        for answer, hypothesis in enumerate(expected):
            node = found[hypothesis.place]
            assert (node["step"], node["rank"], node["answer"]) == (hypothesis.step, hypothesis.rank, answer)
            assert trace.sequences[node["place"], trace.prompt_ids.shape[1]] == hypothesis.token_ids[0]


def test_an_evicted_hypothesis_says_when_and_by_whom(trace):
    graph = tree(trace)
    changes = [(t, c) for t in range(len(trace.steps)) for c in trace.ledger.pool_changes(t) if c.evicted]
    assert changes
    for t, change in changes:
        node = graph.nodes[node_id(change.prompt, *change.evicted)]
        assert (node["evicted_at"], node["evicted_by"]) == (t, node_id(change.prompt, *change.entered))
    assert sum("evicted_at" in d for _, d in graph.nodes(data=True)) == len(changes)


def test_one_prompts_tree_is_that_part_of_the_whole(trace):
    whole, part = tree(trace), tree(trace, prompt=1)
    assert set(part) == {n for n in whole if n.startswith("p1")}
    assert all(part.nodes[n] == whole.nodes[n] for n in part)
    with pytest.raises(NotRecordedError, match="prompt"):
        tree(trace, prompt=2)


def test_a_run_without_beams_has_no_tree():
    with pytest.raises(NotRecordedError, match="beam"):
        record(tiny_lm(), "the cat", Settings(max_new_tokens=2)).tree()


def test_the_graphml_reads_again_with_the_same_nodes_and_numbers(trace):
    graph = tree(trace)
    again = networkx.parse_graphml(to_graphml(graph))
    assert set(again) == set(graph) and set(again.edges) == set(graph.edges)
    for name, node in graph.nodes(data=True):
        for key, value in node.items():
            read = again.nodes[name][key]
            assert (from_xml_text(read) if isinstance(value, str) else read) == value


def test_the_node_link_data_survive_json(trace):
    graph = tree(trace)
    text = json.dumps(to_node_link(graph), allow_nan=False)
    again = networkx.node_link_graph(json.loads(text), edges="edges")
    assert dict(again.nodes(data=True)) == dict(graph.nodes(data=True))
    assert list(again.edges(data=True)) == list(graph.edges(data=True))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_come_through_graphml_unchanged(text):
    graph = networkx.DiGraph()
    graph.add_node("a", token_text=text)
    read = networkx.parse_graphml(to_graphml(graph)).nodes["a"]["token_text"]
    assert from_xml_text(read) == text


def test_xml_text_changes_nothing_that_xml_can_hold():
    assert xml_text("Grüße, 世界 🙂 <b> & ]]>\n\t") == "Grüße, 世界 🙂 <b> & ]]>\n\t"
    assert xml_text("a\x0bb\\") == "a\\u000bb\\u005c"


def test_numbers_that_are_none_or_not_finite_are_left_out(trace):
    ledger = replace(trace.ledger, steps=[dict(step) for step in trace.ledger.steps])
    last = ledger.steps[-1]
    last["logprob"], last["score"] = last["logprob"].clone(), last["score"].clone()
    last["logprob"][0, 3], last["score"][0, 3] = -math.inf, -math.inf
    graph = tree(replace(trace, ledger=ledger))
    node = graph.nodes[node_id(0, len(ledger) - 1, 3)]
    assert "logprob" not in node and "score" not in node and node["impossible"] is True
    assert json.dumps(to_node_link(graph), allow_nan=False)
    assert all(v is not None and (not isinstance(v, float) or math.isfinite(v)) for d in graph.nodes.values()
               for v in d.values())  # fmt: skip


@pytest.mark.slow
def test_ten_thousand_nodes_take_the_same_for_each():
    """No node is looked for among the others; `make bench` has the seconds."""
    lines = {}
    for n in (25, 100):
        trace = record(tiny_lm(), "the cat", Settings(num_beams=50, max_new_tokens=n, min_new_tokens=n))
        assert len(tree(trace)) == 100 * n + 1
        lines[n] = lines_of(partial(tree, trace))
    assert lines[100] < 1.1 * 4 * lines[25]
    assert lines[100] < 250 * 10_000
