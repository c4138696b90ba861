// What would be drawn of a step under other settings.
"use strict";
const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { load } = require("./page.js");

const dx = load("dx", "whatif_figure");
const LABELS = { more: "+{n}", rest: "rest", gone: "gone", hover: "{token}: {was} to {now}" };
const label = (name, fields = {}) => LABELS[name].replace(/\{(\w+)\}/g, (_, field) => fields[field]);
const tokens = (...recorded) => recorded.map((p, i) => ({ text: `t${i}`, recorded: p, chosen: i === 0 }));
const drawn = (of, p, { alive = 2, width = 300 } = {}) => {
  const now = { alive, mass: 0, entropy: 0, exact: true, unsure: false, p };
  return dx.whatifFigure({ tokens: of }, now, label, { width, height: 200 }, (name) => name, "serif");
};

describe("bars", () => {
  const { data: [ghosts, bars, texts], layout } = drawn(tokens(0.5, 0.25, 0.125), [0.75, 0.25, 0], { alive: 2 });
  test("are the tokens' as recorded and as they are now, and the rest's", () => {
    assert.deepEqual([...ghosts.y], [0.5, 0.25, 0.125, 0.125]);
    assert.deepEqual([...bars.y], [0.75, 0.25, 0, 0]);
    assert.deepEqual(bars.x, [0, 1, 2, 3.3]);
    assert.deepEqual(bars.marker.color, ["chosen-fill", "alive", "alive", "removed"]);
  });
  test("say how much, and what is gone", () => {
    assert.deepEqual(texts.text, ["75.0%", "25.0%", "✕", ""]);
    assert.deepEqual(texts.y, [0.75, 0.25, 0.125, 0.125]);
    assert.deepEqual(bars.hovertext, ["t0: 50.0% to 75.0%", "t1: 25.0% to 25.0%", "t2: 12.5% to gone", "rest: 12.5% to 0"]);
  });
  test("are named; the rest by how many more are in the running", () => {
    assert.deepEqual(layout.xaxis.ticktext, ["<b>t0</b>", "t1", "t2", "…"]);
    assert.equal(drawn(tokens(0.5, 0.1), [0.5, 0.1], { alive: 1236 }).layout.xaxis.ticktext.at(-1), "<i>+1,234</i>");
  });
});

test("names are text, and short", () => {
  const of = [{ text: "<b>", recorded: 0.2 }, { text: "abcdefgh", recorded: 0.1 }, { text: "👍🏽👍🏽👍🏽", recorded: 0.1 }];
  assert.deepEqual(drawn(of, [0.2, 0.1, 0.1]).layout.xaxis.ticktext.slice(0, 3), ["&lt;b&gt;", "abcdef…", "👍🏽👍🏽👍🏽"]);
});

describe("as many as fit", () => {
  const many = tokens(...Array(40).fill(0.01));
  for (const [width, n] of [[100, 3], [300, 3], [400, 5], [800, 12], [3000, 16]])
    test(`in ${width} pixels`, () => assert.equal(drawn(many, Array(40).fill(0.01), { width }).data[0].x.length, n + 1));
  test("the chosen one among them, however unlikely", () => {
    const far = many.map((token, i) => ({ ...token, chosen: i === 30 }));
    assert.deepEqual(drawn(far, Array(40).fill(0.01)).layout.xaxis.ticktext.slice(0, 3), ["t0", "t1", "<b>t30</b>"]);
  });
});

for (const [n, top] of [[1, 1], [2, 0.75], [3, 0.35], [4, 0.35], [10, 0.2], [16, 0.1]])
  test(`the axis of ${n} equals ends at ${top}`, () => {
    const equal = Array(n).fill(1 / n);
    assert.deepEqual(drawn(tokens(...equal), equal, { width: 3000 }).layout.yaxis.range, [0, top]);
  });
