// What is looked at in a beam tree.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load, beamData, grownData } = require("./page.js");

const { beamState } = load("beam_layout", "beam_state", "beam_window", "beam_words");
const opened = (data) => {
  const state = beamState.empty();
  beamState.take(state, data);
  return state;
};

describe("a node", () => {
  const lacking = [{ rank: 0, parent: 0 }, { rank: 2, parent: 1 }, { rank: 5, parent: 2 }];
  const { tree } = opened(beamData([[{}, {}, {}], lacking]));
  for (const [step, rank, node] of [
    [0, 0, 0], [0, 2, 2], [0, 9, 2], [1, 0, 3], [1, 1, 3], [1, 2, 4], [1, 4, 4], [1, 5, 5], [1, 99, 5],
  ])
    test(`of step ${step} and rank ${rank}`, () => assert.equal(beamState.nodeAt(tree, step, rank), node));
  test("that was returned has a fate of its own", () => {
    const sparse = { answer: { 1: 0 }, final_score: {}, evicted_at: {} };
    const own = opened(beamData([[{ fate: 2 }, { fate: 2 }]], { sparse }));
    assert.deepEqual([0, 1].map((node) => beamState.fateOf(own.tree, node)), [2, beamState.RETURNED]);
  });
});

describe("a tree from Python", () => {
  test("is looked at where Python says, on the way to its best end", () => {
    const state = opened({ ...grownData(2, 5), at: { step: 3, rank: 1 } });
    assert.deepEqual([state.step, state.rank, state.folded, state.view], [3, 1, false, null]);
    assert.equal(state.path.length, 5);
    assert.equal(state.path[3], beamState.nodeAt(state.tree, 3, 1));
  });
  test("opens folded where it is large, or its steps are", () => {
    assert.equal(opened(grownData(5, 70)).folded, false);
    assert.equal(opened(grownData(5, 71)).folded, true);
    assert.equal(opened(grownData(14, 2)).folded, true);
  });
  test("that grew by a step keeps what was unfolded, and the columns that somebody chose", () => {
    const state = opened({ ...grownData(2, 20), streaming: true });
    Object.assign(state, { folded: true, opened: new Set([3]), view: { x0: 0, x1: 30, y0: 0, y1: 9, mine: true } });
    beamState.take(state, { ...grownData(2, 21), streaming: true, at: { step: 20, rank: 0 } });
    assert.deepEqual([state.folded, [...state.opened]], [true, [3]]);
    assert.deepEqual([state.view.x0, state.view.x1], [0, 30]);
  });
  test("while it streams, moves on with who stands at its end and leaves who went back", () => {
    const next = { ...grownData(2, 21), streaming: true, at: { step: 20, rank: 0 } };
    const atEnd = opened({ ...grownData(2, 20), streaming: true, at: { step: 19, rank: 0 } });
    beamState.take(atEnd, next);
    assert.equal(atEnd.step, 20);
    const back = opened({ ...grownData(2, 20), streaming: true, at: { step: 5, rank: 3 } });
    beamState.take(back, next);
    assert.deepEqual([back.step, back.rank], [5, 3]);
  });
  test("that has come to its end is looked at where Python says", () => {
    const state = opened({ ...grownData(2, 20), at: { step: 5, rank: 3 } });
    beamState.take(state, { ...grownData(2, 20), at: { step: 19, rank: 0 } });
    assert.deepEqual([state.step, state.rank], [19, 0]);
  });
  test("of another run is looked at afresh", () => {
    const state = opened(grownData(2, 20));
    Object.assign(state, { folded: true, fit: "whole", opened: new Set([3]), view: { x0: 1, x1: 9, mine: true } });
    beamState.take(state, { ...grownData(2, 20), key: "another" });
    assert.deepEqual([state.folded, state.fit, state.opened.size, state.view], [false, "", 0, null]);
  });
});

test("answers are named by their last nodes, best first", () => {
  const sparse = { answer: { 1: 1, 3: 0 }, final_score: {}, evicted_at: {} };
  const { tree } = opened(beamData([[{ fate: 2 }, { fate: 2 }], [{ parent: 0 }, { parent: 0 }]], { sparse }));
  assert.deepEqual(beamState.answers(tree), [3, 1]);
});

describe("looking at another node", () => {
  const state = opened({ ...grownData(3, 10), at: { step: 9, rank: 0 } });
  test("on the path keeps the path, if it is to be kept", () => {
    const path = state.path;
    beamState.look(state, path[4], true);
    assert.equal(state.path, path);
    assert.equal(state.step, 4);
  });
  test("beside it makes another", () => {
    const node = state.tree.first[4] + (state.path[4] === state.tree.first[4] ? 1 : 0);
    beamState.look(state, node, true);
    assert.equal(state.path[4], node);
  });
});
