// Where the texts of a beam tree stand.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load } = require("./page.js");

const { beamLabels } = load("beam_labels");
const box = (x0, y0, more = {}) => ({ x0, x1: x0 + 40, y0, y1: y0 + 12, ...more });

describe("a text's width", () => {
  test("is that of its letters in a monospaced font", () => assert.ok(Math.abs(beamLabels.widthOf("abcd", 12) - 28.9) < 0.1));
  test("counts Chinese characters and emoji as twice as wide", () =>
    assert.ok(beamLabels.widthOf("灯塔🙂", 12) > 1.6 * beamLabels.widthOf("abc", 12)));
});

describe("a text that is too long", () => {
  test("ends in an ellipsis, within the room there is", () => {
    const text = beamLabels.clipped("lighthouse", 12, 50);
    assert.match(text, /^light?…$/);
    assert.ok(beamLabels.widthOf(text, 12) <= 50);
  });
  test("is left out where not even a letter has room", () => assert.equal(beamLabels.clipped("light", 12, 8), ""));
  test("is not cut inside a character", () => assert.equal(beamLabels.clipped("🙂🙂🙂", 12, 30), "🙂…"));
});

describe("texts", () => {
  test("are placed where none covers another, the first wish first", () => {
    const wishes = [[box(0, 0, { id: 1 })], [box(10, 4, { id: 2 }), box(10, 20, { id: 3 })], [box(20, 6, { id: 4 })]];
    assert.deepEqual(beamLabels.place(wishes, []).map(({ id }) => id), [1, 3]);
  });
  test("give way to what stands there", () =>
    assert.deepEqual(beamLabels.place([[box(0, 0, { id: 1 }), box(0, 30, { id: 2 })]], [box(30, 0)]).map(({ id }) => id), [2]));
  test("are wide only where that takes nobody's narrow place", () => {
    const wide = (x0, y0, id) => ({ ...box(x0, y0, { id }), x1: x0 + 80, wide: true });
    const wishes = [[wide(0, 0, "A"), box(0, 0, { id: "a" })], [box(40, 0, { id: "b" })], [wide(0, 30, "C"), box(0, 30, { id: "c" })]];
    assert.deepEqual(beamLabels.place(wishes, []).map(({ id }) => id), ["a", "b", "C"]);
  });
  test("may touch", () => assert.equal(beamLabels.place([[box(0, 0)], [box(40, 0)], [box(0, 12)]], []).length, 3));
  test("without a wish are none", () => assert.deepEqual(beamLabels.place([[], [box(0, 0)]], []).length, 1));
});
