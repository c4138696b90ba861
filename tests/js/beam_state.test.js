// What is looked at in a beam tree, and the columns that it is looked at in.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load, beamData, grownData } = require("./page.js");

const { beamState } = load("beam_layout", "beam_state");
const opened = (data) => {
  const state = beamState.empty();
  beamState.take(state, data);
  return state;
};
const near = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);

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
    assert.deepEqual([state.step, state.rank, state.folded, state.columns], [3, 1, false, null]);
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
    Object.assign(state, { folded: true, opened: new Set([3]), columns: { x0: 0, x1: 30, mine: true } });
    beamState.take(state, { ...grownData(2, 21), streaming: true, at: { step: 20, rank: 0 } });
    assert.deepEqual([state.folded, [...state.opened]], [true, [3]]);
    assert.deepEqual([state.columns.x0, state.columns.x1], [0, 30]);
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
    Object.assign(state, { folded: true, whole: true, opened: new Set([3]), columns: { x0: 1, x1: 9, mine: true } });
    beamState.take(state, { ...grownData(2, 20), key: "another" });
    assert.deepEqual([state.folded, state.whole, state.opened.size, state.columns], [false, false, 0, null]);
  });
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

describe("columns", () => {
  const inColumns = (n_steps, width, step = 0) => {
    const state = opened({ ...grownData(1, n_steps), at: { step, rank: 0 } });
    beamState.chooseColumns(state, width);
    return state;
  };
  test("are all of them where they fit", () => {
    const { columns } = inColumns(5, 820);
    assert.deepEqual([columns.x0, columns.x1], [-0.2, 6.2]);
  });
  test("have room for tokens where they do not", () => {
    const state = inColumns(100, 820, 50);
    near(state.columns.x1 - state.columns.x0, 10);
    near(beamState.columnWidth(state, 820), 80);
    assert.ok(state.columns.x0 < 51 && state.columns.x1 > 51.8, "the step is in view");
  });
  test("are all of them on request", () => {
    const state = opened(grownData(1, 100));
    state.whole = true;
    beamState.chooseColumns(state, 820);
    near(state.columns.x1, 101.2);
  });
  test("are at least three, however narrow", () => {
    const { columns } = inColumns(100, 60);
    near(columns.x1 - columns.x0, 3);
  });
  test("stay inside the tree at its ends", () => {
    near(inColumns(100, 820, 0).columns.x0, -0.2);
    assert.ok(inColumns(100, 820, 99).columns.x1 <= 101.2 + 0.5);
  });
  test("follow the step only when it has left them", () => {
    const state = inColumns(100, 820, 50), { x0 } = state.columns;
    state.step = Math.floor(state.columns.x1) - 2;
    assert.equal(beamState.follow(state), false);
    assert.equal(state.columns.x0, x0);
    for (const step of [80, 20, 99, 0]) {
      state.step = step;
      assert.equal(beamState.follow(state), true);
      const { x0: left, x1: right } = state.columns;
      assert.ok(left <= step + 0.7 + 1e-9 && right >= step + 1.8 - 1e-9, `${step} in ${left} to ${right}`);
      near(right - left, 10);
    }
  });
  test("show more of where the step is going", () => {
    const state = inColumns(100, 820, 50);
    for (const [step, share] of [[80, 0.35], [20, 0.65]]) {
      state.step = step;
      beamState.follow(state);
      near((step + 1 - state.columns.x0) / 10, share);
    }
  });
  test("zoom about the place asked for, which stays where it is", () => {
    const state = inColumns(100, 820, 50);
    const share = (at) => (at - state.columns.x0) / (state.columns.x1 - state.columns.x0);
    const before = share(48);
    beamState.zoom(state, 0.8, 48);
    near(state.columns.x1 - state.columns.x0, 8);
    near(share(48), before);
    assert.equal(state.columns.mine, true);
  });
  test("zoom no closer than a column and a half, no farther than all", () => {
    const state = inColumns(100, 820, 50);
    for (let i = 0; i < 50; i++) beamState.zoom(state, 0.8);
    near(state.columns.x1 - state.columns.x0, 1.5);
    for (let i = 0; i < 50; i++) beamState.zoom(state, 1.25);
    near(state.columns.x1 - state.columns.x0, 101.5);
  });
});
