// The part of a beam tree that is in view.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load, beamData, grownData } = require("./page.js");

const { beamState, beamWindow } = load("beam_layout", "beam_state", "beam_window", "beam_words");
const opened = (data, changes = {}) => {
  const state = beamState.empty();
  beamState.take(state, data);
  Object.assign(state, changes);
  beamState.arrange(state);
  return state;
};
const seen = (data, width, changes) => {
  const state = opened(data, changes);
  beamWindow.choose(state, width);
  return state;
};
const inColumns = (n_steps, width, step = 0) => seen({ ...grownData(1, n_steps), at: { step, rank: 0 } }, width);
const near = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);

describe("columns", () => {
  test("are all of them where they fit", () => {
    const { view } = inColumns(5, 820);
    near(view.x0, -0.2);
    near(view.x1, 6.4);
  });
  test("have room for tokens where they do not", () => {
    const state = inColumns(100, 860, 50);
    near(state.view.x1 - state.view.x0, 10);
    near(beamWindow.columnWidth(state, 860), 84);
    assert.ok(state.view.x0 < 51 && state.view.x1 > 51.8, "the step is in view");
  });
  test("are all of them on request", () => {
    const { view } = seen(grownData(1, 100), 820, { fit: "whole" });
    near(view.x1, 101.4);
  });
  test("of a path are as many as its hypothesis has steps, if slanted words have room", () => {
    const data = beamData([[{}, {}], ...[...Array(59)].map((_, i) => (i < 30 ? [{ parent: 0 }, { parent: 1 }] : [{ parent: 0 }]))]);
    const short = seen({ ...data, at: { step: 31, rank: 1 } }, 914, { fit: "path" });
    assert.deepEqual([short.view.x0, short.path.length], [-0.2, 60]);
    near(short.view.x1, 61.4);
    const phone = seen({ ...data, at: { step: 59, rank: 0 } }, 340, { fit: "path" });
    assert.ok(beamWindow.columnWidth(phone, 340) >= 12.5);
  });
  test("are at least three, however narrow", () => {
    const { view } = inColumns(100, 60);
    near(view.x1 - view.x0, 3);
  });
  test("stay inside the tree at its ends", () => {
    near(inColumns(100, 820, 0).view.x0, -0.2);
    assert.ok(inColumns(100, 820, 99).view.x1 <= 101.4 + 0.5);
  });
  test("follow the step only when it has left them", () => {
    const state = inColumns(100, 860, 50), { x0 } = state.view;
    state.step = Math.floor(state.view.x1) - 2;
    assert.equal(beamWindow.follow(state), false);
    assert.equal(state.view.x0, x0);
    for (const step of [80, 20, 99, 0]) {
      state.step = step;
      assert.equal(beamWindow.follow(state), true);
      const { x0: left, x1: right } = state.view;
      assert.ok(left <= step + 0.7 + 1e-9 && right >= step + 1.8 - 1e-9, `${step} in ${left} to ${right}`);
      near(right - left, 10);
    }
  });
  test("show more of where the step is going", () => {
    const state = inColumns(100, 860, 50);
    for (const [step, share] of [[80, 0.35], [20, 0.65]]) {
      state.step = step;
      beamWindow.follow(state);
      near((step + 1 - state.view.x0) / 10, share);
    }
  });
  test("zoom about the place asked for, which stays where it is", () => {
    const state = inColumns(100, 860, 50);
    const share = (at) => (at - state.view.x0) / (state.view.x1 - state.view.x0);
    const before = share(48);
    beamWindow.zoom(state, 0.8, 48);
    near(state.view.x1 - state.view.x0, 8);
    near(share(48), before);
    assert.equal(state.view.mine, true);
  });
  test("zoom no closer than a column and a half, no farther than all", () => {
    const state = inColumns(100, 820, 50);
    for (let i = 0; i < 50; i++) beamWindow.zoom(state, 0.8);
    near(state.view.x1 - state.view.x0, 1.5);
    for (let i = 0; i < 50; i++) beamWindow.zoom(state, 1.25);
    near(state.view.x0, -0.2);
    near(state.view.x1, 101.4);
  });
});

describe("rows", () => {
  const crowd = [...Array(60)].map(() => ({ parent: 0, fate: 1 }));
  const high = beamData([[{}], [{ parent: 0 }, ...crowd], ...[...Array(30)].map(() => [{ parent: 0 }])]);
  test("have their height from the columns in view", () => {
    const there = seen({ ...high, at: { step: 0, rank: 0 } }, 860);
    const gone = seen({ ...high, at: { step: 30, rank: 0 } }, 860);
    assert.ok(beamWindow.heightOf(there) > 2 * beamWindow.heightOf(gone));
  });
  test("are all in view where they can be read", () => {
    const state = seen(grownData(3, 6), 860), height = beamWindow.heightOf(state);
    beamWindow.fitRows(state, height);
    const { picture, view } = state;
    assert.ok(view.y0 <= picture.top - 0.8 && view.y1 >= picture.bottom + 0.7);
    assert.ok(height / (view.y1 - view.y0) >= 18 - 0.1);
    assert.equal(beamWindow.isAll(state), true);
  });
  test("are those about the path where they cannot", () => {
    const state = seen({ ...high, at: { step: 1, rank: 0 } }, 860), height = beamWindow.heightOf(state);
    beamWindow.fitRows(state, height);
    const { view, picture } = state, y = picture.y[picture.of[1]];
    near(height / (view.y1 - view.y0), 18);
    assert.ok(y > view.y0 && y < view.y1);
    assert.equal(beamWindow.isAll(state), false);
  });
  test("of a single line are not drawn apart", () => {
    const state = seen(beamData([[{}], [{ parent: 0 }]]), 860);
    beamWindow.fitRows(state, 120);
    near(120 / (state.view.y1 - state.view.y0), 34);
  });
  test("that somebody has chosen stay", () => {
    const state = seen(high, 860);
    beamWindow.fitRows(state, 390);
    beamWindow.stretch(state, 0.5);
    const { y0, y1 } = state.view;
    beamWindow.fitRows(state, 300);
    assert.deepEqual([state.view.y0, state.view.y1], [y0, y1]);
  });
});

describe("a window that is dragged", () => {
  const dragged = (change) => {
    const state = inColumns(100, 860, 50);
    beamWindow.fitRows(state, 120);
    change(state);
    return state.view;
  };
  test("moves, and stops at the tree's ends", () => {
    const { x0 } = inColumns(100, 860, 50).view;
    near(dragged((state) => beamWindow.pan(state, 3, 0)).x0, x0 + 3);
    near(dragged((state) => beamWindow.pan(state, -500, 0)).x0, -0.2);
    near(dragged((state) => beamWindow.pan(state, 500, 0)).x1, 101.4);
  });
  test("does not move where all rows are in view", () => {
    const before = dragged(() => {});
    assert.deepEqual(dragged((state) => beamWindow.pan(state, 0, 5)).y0, before.y0);
  });
  test("by an edge becomes wider or narrower, and no narrower than it can be", () => {
    const before = dragged(() => {});
    near(dragged((state) => beamWindow.reach(state, { x1: before.x1 + 4 })).x1, before.x1 + 4);
    const narrow = dragged((state) => beamWindow.reach(state, { x1: -50 }));
    near(narrow.x1 - narrow.x0, 1.5);
    assert.equal(narrow.mine && !narrow.tall, true);
  });
});
