// Words that the page draws over Plotly's chart: where they stand, and that their text stays text.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const { apart, lines, set } = require("./page.js").load("plot_words").plotWords;

const words = (more = {}) => ({
  type: "scatter", mode: "text", hoverinfo: "skip", x: [5], y: [1], text: ["a"], textposition: "middle right",
  textfont: { size: 10, color: ["#111"] }, ...more,
});
const layout = (more = {}) => ({ font: { size: 12 }, xaxis: { range: [0, 10] }, yaxis: { range: [2, 0] }, ...more });
const AREA = { l: 20, t: 30, w: 100, h: 200 };

test("a word stands where its axes say, its middle on its value", () => {
  const [word] = set(words(), layout(), AREA);
  assert.deepEqual([word.x, word.y, word.anchor, word.size, word.colour], [70, 30 + 100 + 2.5, "start", 10, "#111"]);
});

test("axes of their own part of the picture, and logarithmic ones, are followed", () => {
  const own = layout({ xaxis2: { range: [0, 1], domain: [0, 0.25] }, yaxis: { type: "log", range: [-2, 0] } });
  const [word] = set(words({ xaxis: "x2", x: [1], y: [0.1], textposition: "bottom left" }), own, AREA);
  assert.deepEqual([word.x, word.y, word.anchor], [45, 30 + 100 + 7.5, "end"]);
});

test("a token's own marks stay characters, ours become bold, slanted, and lines", () => {
  assert.deepEqual(lines("<b>&lt;b&gt;&amp;lt;</b> <s><br><i>x</i>"), [
    [{ text: "<b>&lt;", style: "b" }, { text: " <s>", style: "" }], [{ text: "x", style: "i" }],
  ]);
});

test("words that would move an axis, or can be hovered over, are left to Plotly", () => {
  const figure = (trace, more) => ({ data: [{ type: "bar" }, trace], layout: layout(more) });
  assert.equal(apart(figure(words())).words.length, 1);
  assert.equal(apart(figure(words(), { xaxis: {} })).words.length, 0);
  assert.equal(apart(figure(words(), { yaxis: { range: [0, 1], type: "category" } })).words.length, 0);
  assert.equal(apart(figure(words({ hoverinfo: "all" }))).words.length, 0);
});
