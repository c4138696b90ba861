// The words and figures of a sweep's report, from values by hand.
"use strict";
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load } = require("./page.js");

const dx = load("dx", "sweep_words", "sweep_figures");
const { number, fill, estimate, place, ofMap, ofCurves } = dx.sweepWords;
const { grid, lines, heat, curves, drawn } = dx.sweepFigures;

const words = {
  no_value: "–", interval: "{mean} ({low} to {high}, {n})", no_interval: "{mean} alone", map_empty: "none", map_same: "{low} everywhere",
  map_reading: "{low} at {at_low}, {high} at {at_high}", curve_reading: "{line}: {first} to {last} at {at_last}", curve_bars: "n = {n}",
  curve_no_bars: "one prompt", curve_some: "{n} of {all}",
};
const colours = Object.fromEntries(["surface", "alive", "alive_line", "chosen", "good", "bad", "muted", "ink", "line", "unsure", "accent"].map((name) => [name, `#${name}`]));
const base = {
  axes: [
    { name: "temperature", labels: ["0.2", "1.0", "1.8"], numbers: [0.2, 1, 1.8] },
    { name: "top_p", labels: ["0.5", "<b>1"], numbers: null },
  ],
  cells: [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0]],
  values: { surprisal: [[1, 0.5, 2, 9], [2, 1.5, 2.5, 9], [3, 2, 4, 9], null, [5, 4, 6, 9]] },
  colours, layout: {}, axis: {}, axis_title: {},
};
const surprisal = { name: "surprisal", label: "surprisal", unit: "nats", kind: "nats" };
const state = { statistic: "surprisal", across: 0, down: 1, at: {}, cell: 0 };

test("a number is written as its kind is", () => {
  assert.deepEqual(
    [[1234.56, "count"], [7, "count"], [-1.239, "nats"], [0.25, "share"], [-0.25, "share"], [null, "nats"], [Infinity, "nats"]].map(([v, kind]) => number(v, kind)),
    ["1,234.6", "7", "−1.24", "25.0%", "−25.0%", "–", "–"]
  );
});

test("what a field holds is put in as it is", () => {
  assert.equal(fill("{a} and {b} and {c}", { a: "{b}", b: "$&" }), "{b} and $& and {c}");
});

test("an estimate has its interval, one prompt has none", () => {
  assert.equal(estimate(words, [1, 0.5, 2, 9], "nats"), "1.00 (0.50 to 2.00, 9)");
  assert.equal(estimate(words, [1, null, null, 1], "nats"), "1.00 alone");
  assert.equal(estimate(words, null, "nats"), "–");
});

test("cells lie where their values are, and where there is no setting there is none", () => {
  assert.deepEqual(grid(base, state), [[0, 2, 4], [1, 3, null]]);
  assert.deepEqual(grid(base, { ...state, across: 1, down: 0 }), [[0, 1], [2, 3], [4, null]]);
});

test("another axis is held where it was chosen", () => {
  const held = { ...base, axes: [...base.axes, { name: "top_k", labels: ["0", "5"], numbers: [0, 5] }], cells: [[0, 0, 0], [0, 0, 1], [1, 1, 1]] };
  assert.deepEqual(grid(held, state), [[0, null, null], [null, null, null]]);
  assert.deepEqual(grid(held, { ...state, at: { 2: 1 } }), [[1, null, null], [null, 2, null]]);
});

test("one axis alone is one row", () => {
  const one = { ...base, axes: base.axes.slice(0, 1), cells: [[0], [1], [2]] };
  assert.deepEqual(grid(one, { ...state, down: null }), [[0, 1, 2]]);
  assert.deepEqual(lines(one, { ...state, down: null })[0].label, "");
});

test("the map's sentence names the least and the most", () => {
  assert.equal(ofMap(words, base, surprisal, [0, 1, 2, 3, 4]), "1.00 at temperature 0.2, top_p 0.5, 5.00 at temperature 1.8, top_p 0.5");
  assert.equal(ofMap(words, base, surprisal, [3]), "none");
  assert.equal(ofMap(words, base, surprisal, [2]), "3.00 everywhere");
});

test("the curves' sentence says where each begins and ends and what the bars are", () => {
  const told = ofCurves(words, base, surprisal, lines(base, state), 0, 2);
  assert.equal(told, "top_p 0.5: 1.00 to 5.00 at temperature 1.8 n = 9");
});

test("the map has a number in each cell, a mark on the chosen one, and no markup", () => {
  const { data, layout } = heat(base, state, surprisal, (value) => number(value, "nats"), 2);
  assert.deepEqual(data[0].z, [[1, 3, 5], [2, null, null]]);
  assert.deepEqual(data[1].text, ["1.00", "3.00", "5.00", "2.00", "–", "–"]);
  assert.deepEqual([layout.shapes[0].x0, layout.shapes[0].y1], [0.5, 0.5]);
  assert.equal(layout.yaxis.ticktext[1], "&lt;b&gt;1");
  assert.equal(place(base, 1), "temperature 0.2, top_p <b>1");
});

test("a curve has its intervals as bars, and a gap where there is no value", () => {
  const { data } = curves(base, state, surprisal);
  assert.deepEqual(data[0].x, [0.2, 1, 1.8]);
  assert.deepEqual([data[0].error_y.arrayminus, data[0].error_y.array], [[0.5, 1, 1], [1, 1, 1]]);
  assert.deepEqual(data[1].y, [2, null, null]);
  assert.deepEqual(curves(base, { ...state, across: 1, down: 0 }, surprisal).data[0].x, [0, 1], "words stand side by side");
});

test("of many lines some at even distances are drawn", () => {
  assert.deepEqual(drawn([...Array(15)]), [0, 2, 4, 6, 8, 10, 12, 14]);
});
